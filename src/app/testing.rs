//! A small made-up study for the tests of this module.

use std::sync::Arc;

use glam::{DVec2, DVec3};

use crate::dicom::Series;
use crate::spine::{Corners, Vertebra, VertebraLabel, VertebraOutline, discs_between};
use crate::ui::state::{Findings, LoadedSeries, ReadingState, StudyState, ViewerState};
use crate::volume::{Volume, VolumeGeometry, WindowLevel};
use crate::worker::Loadable;

/// Nine sagittal slices of 120 × 80 pixels.
pub(crate) fn small_volume() -> Volume {
    let origins = (0..9).map(|slice| DVec3::new(f64::from(slice) * 4.0 - 16.0, 0.0, 0.0)).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
    let voxels = (0..9 * 120 * 80).map(|index| (index % 251) as f32).collect();
    Volume::new(120, 80, voxels, geometry).expect("matching size")
}

/// Four bodies L3 to S1 down the middle, seen on slices 2 to 6.
pub(crate) fn small_spine() -> Vec<Vertebra> {
    use VertebraLabel::{L3, L4, L5, S1};
    let body = |(index, label): (usize, VertebraLabel)| {
        let y = 5.0 + index as f64 * 28.0;
        let at = |x, dy| DVec2::new(x, y + dy);
        let corners = Corners { sa: at(25.0, 0.0), sp: at(55.0, 0.0), ip: at(55.0, 20.0), ia: at(25.0, 20.0) };
        let outlines = (2..=6).map(|slice| VertebraOutline { slice, corners }).collect();
        Vertebra { label, confidence: 0.9, outlines }
    };
    [L3, L4, L5, S1].into_iter().enumerate().map(body).collect()
}

/// A loaded series around a volume, without header texts.
pub(crate) fn series_of(volume: Volume) -> LoadedSeries {
    let series = Arc::new(Series::of_volume(volume));
    LoadedSeries {
        default_window: WindowLevel::from_percentiles(series.volume.voxels()),
        volume: Arc::clone(&series.volume),
        series,
        patient_lines: Vec::new(),
        study_lines: Vec::new(),
        series_lines: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A state that shows the small study with its spine found.
pub(crate) fn state_with_series() -> ViewerState {
    let findings = Findings { vertebrae: small_spine(), ..Findings::default() };
    ViewerState {
        study: StudyState { folder: Loadable::Ready(Arc::new(())), ..StudyState::default() },
        reading: ReadingState {
            image: Loadable::Ready(Arc::new(series_of(small_volume()))),
            detection: Loadable::Ready(Arc::new(())),
            discs: discs_between(&findings.vertebrae),
            findings,
            ..ReadingState::default()
        },
        ..ViewerState::default()
    }
}
