//! The reports of known studies stay what they are: two synthetic ones, and the DICOM cases of the development data where
//! those are. `SPINENET_UPDATE_GOLDEN=1` writes `tests/golden/reports.json` anew, after a change that is meant.

mod needs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use spinenet_viewer::dicom::{SeriesHeader, write_series};
use spinenet_viewer::model::Views;
use spinenet_viewer::phantom::Phantom;
use spinenet_viewer::pipeline::{AnalysisOptions, DeviceChoice, Models, analyze_folder};
use spinenet_viewer::records::Report;
use spinenet_viewer::spine::{DiscLevel, PerGrading};
use spinenet_viewer::task::{CancelToken, Progress};

/// How far probabilities may be apart on another processor, whose vector registers add in another order. Places: mm.
const PROBABILITY: f64 = 0.002;
const PLACE_MM: f64 = 0.05;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Golden {
    /// Absent for synthetic studies: their sines may round differently elsewhere.
    voxel_sha256: Option<String>,
    warnings: Vec<String>,
    discs: Vec<GoldenDisc>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct GoldenDisc {
    level: DiscLevel,
    centroid_lps: [f64; 3],
    unlike_training_data: bool,
    grades: PerGrading<(u8, Vec<f64>)>,
}

impl Golden {
    fn of(report: &Report, is_synthetic: bool) -> Self {
        let disc = |disc: &spinenet_viewer::records::DiscEntry| GoldenDisc {
            level: disc.level,
            centroid_lps: disc.centroid_lps,
            unlike_training_data: disc.unlike_training_data,
            grades: disc.gradings.as_ref().expect("graded").map(|_, entry| (entry.grade, entry.probabilities.clone())),
        };
        Self {
            voxel_sha256: (!is_synthetic).then(|| report.voxel_sha256.clone()),
            warnings: report.warnings.iter().map(|warning| warning.code.clone()).collect(),
            discs: report.discs.iter().map(disc).collect(),
        }
    }

    fn assert_like(&self, golden: &Self, name: &str) {
        assert_eq!(self.voxel_sha256, golden.voxel_sha256, "{name}: the voxels");
        assert_eq!(self.warnings, golden.warnings, "{name}");
        let levels = |of: &Self| of.discs.iter().map(|disc| disc.level).collect::<Vec<_>>();
        assert_eq!(levels(self), levels(golden), "{name}");
        for (disc, golden) in self.discs.iter().zip(&golden.discs) {
            let what = format!("{name}, {}", disc.level);
            let off = disc.centroid_lps.iter().zip(golden.centroid_lps).map(|(a, b)| (a - b).abs());
            assert!(off.fold(0.0, f64::max) < PLACE_MM, "{what}: {:?}", disc.centroid_lps);
            assert_eq!(disc.unlike_training_data, golden.unlike_training_data, "{what}");
            assert!(disc.grades.gradings().eq(golden.grades.gradings()), "{what}");
            for (grading, (grade, probabilities)) in disc.grades.iter() {
                let (golden_grade, golden) = &golden.grades[grading];
                for (got, expected) in probabilities.iter().zip(golden) {
                    assert!((got - expected).abs() <= PROBABILITY, "{what}, {grading}: {got} instead of {expected}");
                }
                let mut sorted = golden.clone();
                sorted.sort_by(|a, b| b.total_cmp(a));
                // Two grades that are as good as equal may change places.
                assert!(
                    grade == golden_grade || sorted[0] - sorted[1] < 2.0 * PROBABILITY,
                    "{what}, {grading}: {grade}"
                );
            }
        }
    }
}

/// Name and folder of each study, and whether it is synthetic.
fn studies(made: &Path) -> Vec<(String, PathBuf, bool)> {
    let mut studies = Vec::new();
    for seed in [4, 7] {
        let name = format!("phantom-{seed}");
        let header = SeriesHeader::synthetic_t2_sagittal(&name);
        write_series(&made.join(&name), &Phantom::generate(seed).volume, &header).expect("written");
        studies.push((name.clone(), made.join(name), true));
    }
    let Some(cases) = needs::data("dicom") else { return studies };
    for case in fs::read_dir(cases).expect("readable").flatten().map(|entry| entry.path()).filter(|path| path.is_dir())
    {
        let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
        studies.push((name, case, false));
    }
    studies
}

#[test]
fn reports_are_what_they_were() {
    let made = tempfile::tempdir().expect("a temporary folder");
    let mut models = Models::new(DeviceChoice::Cpu, None).expect("a processor");
    let mut reports = BTreeMap::new();
    for (name, folder, is_synthetic) in studies(made.path()) {
        let options = AnalysisOptions { views: Some(Views::FiftyFour), ..AnalysisOptions::default() };
        let analysis = analyze_folder(&folder, &mut models, options, &CancelToken::default(), &mut |_: Progress| ())
            .expect("graded");
        reports.insert(name, Golden::of(&analysis.report(), is_synthetic));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reports.json");
    if std::env::var_os("SPINENET_UPDATE_GOLDEN").is_some() {
        fs::write(&file, serde_json::to_string_pretty(&reports).expect("JSON") + "\n").expect("written");
    }
    let golden: BTreeMap<String, Golden> =
        serde_json::from_str(&fs::read_to_string(&file).expect("golden reports")).expect("golden reports");
    for (name, report) in &reports {
        report.assert_like(golden.get(name).unwrap_or_else(|| panic!("{name} has no golden report")), name);
    }
    assert!(reports.len() == 2 || reports.len() == golden.len(), "every case was looked at");
}
