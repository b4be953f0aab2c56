//! Where voxels lie and what their values are, against pydicom: `tests/golden/geometry.py` made the series, and the numbers
//! in `geometry.json`.

use std::fs;
use std::path::Path;

use glam::DVec3;
use serde::Deserialize;
use spinenet_viewer::dicom::{Series, load_series, scan_folder};
use spinenet_viewer::task::CancelToken;

/// Largest distance between the places of a voxel, mm.
const TOLERANCE_MM: f64 = 1e-3;

#[derive(Deserialize)]
struct Case {
    name: String,
    warnings: Vec<String>,
    voxels: Vec<Voxel>,
}

#[derive(Deserialize)]
struct Voxel {
    position: [f64; 3],
    value: f32,
}

/// Rows and columns whose voxels pydicom told of each slice.
const TOLD: [[usize; 2]; 3] = [[0, 0], [3, 5], [9, 11]];

/// The same voxels as the program has them.
fn voxels(series: &Series) -> Vec<(DVec3, f32)> {
    let volume = &series.volume;
    let of_slice = |slice: usize| {
        TOLD.map(|[row, column]| {
            let place = volume.geometry().lps_from_voxel([slice, row, column].map(|index| index as f64));
            (place, volume.voxels()[(slice * volume.rows() + row) * volume.columns() + column])
        })
    };
    (0..volume.slices()).flat_map(of_slice).collect()
}

fn load(folder: &Path) -> Vec<Series> {
    let scan = scan_folder(folder, &CancelToken::default(), &mut |_| ()).expect("readable");
    assert!(scan.refused.is_empty(), "every file is used");
    scan.series.iter().map(|series| load_series(series, &CancelToken::default(), &mut |_| ()).expect("loads")).collect()
}

#[test]
fn voxels_lie_where_pydicom_has_them() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = fs::read_to_string(golden.join("geometry.json")).expect("golden numbers");
    let cases: Vec<Case> = serde_json::from_str(&text).expect("golden numbers");
    assert_eq!(cases.len(), 19);
    for Case { name: case, warnings, voxels: expected } in cases {
        let series = load(&golden.join("geometry").join(&case));
        let mut told: Vec<&str> =
            series.iter().flat_map(|series| &series.warnings).map(|warning| warning.code.as_str()).collect();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told, warnings, "{case}");
        let found: Vec<(DVec3, f32)> = series.iter().flat_map(voxels).collect();
        let is_at = |voxel: &Voxel, place: DVec3| (DVec3::from_array(voxel.position) - place).length() < TOLERANCE_MM;
        for (place, value) in &found {
            let known = expected.iter().any(|voxel| is_at(voxel, *place) && voxel.value.to_bits() == value.to_bits());
            assert!(known, "{case}: {value} at {place}");
        }
        // Of images at one place that nothing tells apart, one is kept.
        let left_out = if case == "duplicate" { TOLD.len() } else { 0 };
        assert_eq!(found.len() + left_out, expected.len(), "{case}: every voxel, once");
        for voxel in &expected {
            assert!(found.iter().any(|(place, _)| is_at(voxel, *place)), "{case}: {:?} is there", voxel.position);
        }
    }
}
