//! A study as it lies on disk: its series, and the images of one.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

use super::PipelineError;
use crate::dicom::{FolderScan, RefusedFile, Series, SeriesSummary, load_series, scan_folder_listing};
use crate::records::Report;
use crate::research::{is_volume_file, read_volume};
use crate::task::{CancelToken, Progress};

/// A folder that was searched for series, or a NIfTI or MetaImage file, which is taken to be T2.
#[derive(Debug, Clone, Default)]
pub struct Study {
    scan: Arc<FolderScan>,
    /// The volume of a NIfTI or MetaImage file, which is read whole to know what it holds.
    volume: Option<Arc<Series>>,
}

impl Study {
    /// Searches a folder; `on_series` hears of the series found so far before all files are read.
    ///
    /// # Errors
    /// If the folder or the file cannot be read.
    pub fn open(
        path: &Path,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
        on_series: &mut dyn FnMut(Vec<SeriesSummary>),
    ) -> Result<Self, PipelineError> {
        if !(is_volume_file(path) && path.is_file()) {
            let scan = Arc::new(scan_folder_listing(path, cancel, on_progress, on_series)?);
            return Ok(Self { scan, volume: None });
        }
        on_progress(Progress { step: "Reading the file", done: 0, total: 1 });
        let volume = read_volume(path).map_err(|reason| PipelineError::Research { reason, path: path.to_owned() })?;
        let series = Arc::new(Series::of_volume(volume));
        let scan = FolderScan { series: vec![series.summary.clone()], ..FolderScan::default() };
        Ok(Self { scan: Arc::new(scan), volume: Some(series) })
    }

    /// What was found.
    #[must_use]
    pub fn scan(&self) -> &Arc<FolderScan> {
        &self.scan
    }

    /// The series with `series_uid`, or without it the one chosen for grading.
    ///
    /// # Errors
    /// If there is none, saying why each series was not chosen.
    pub fn choose(&self, series_uid: Option<&str>) -> Result<&SeriesSummary, PipelineError> {
        let scan = &self.scan;
        if let Some(uid) = series_uid {
            let named = scan.series.iter().filter(|series| series.is_of_series(uid));
            // One UID may stand for several stacks (localizers, repetitions); the best one to grade is meant, or else the
            // largest.
            let meant = named.min_by_key(|series| (series.choice.place.unwrap_or(usize::MAX), Reverse(series.slices)));
            return meant.ok_or_else(|| PipelineError::NoSuchSeries { uid: uid.to_owned() });
        }
        if let Some(chosen) = scan.t2_sagittal() {
            return Ok(chosen);
        }
        if scan.series.is_empty() {
            let refused = |file: &RefusedFile| format!("{} refused, the first {}", scan.refused.len(), file.reason);
            let not_searched = || scan.warnings.first().map(|warning| warning.message.clone());
            return Err(PipelineError::NoImages { hint: scan.refused.first().map(refused).or_else(not_searched) });
        }
        let patients = scan.patients();
        if patients > 1 {
            return Err(PipelineError::SeveralPatients { patients });
        }
        let name = |series: &SeriesSummary| match series.series_number {
            Some(number) => format!("series {number} is {}", series.choice.reason),
            None => format!("a series is {}", series.choice.reason),
        };
        Err(PipelineError::NoSagittalT2 { reasons: scan.series.iter().map(name).collect() })
    }

    /// The series to try in turn until the image of one can be graded: the named one, or those that may be the T2 sagittal one.
    ///
    /// # Errors
    /// As [`Self::choose`], if there is none at all.
    pub fn candidates(&self, series_uid: Option<&str>) -> Result<Vec<&SeriesSummary>, PipelineError> {
        let chosen = self.choose(series_uid);
        let places = if series_uid.is_some() { Vec::new() } else { self.scan.candidates() };
        if places.is_empty() {
            return Ok(vec![chosen?]);
        }
        Ok(places.into_iter().map(|place| &self.scan.series[place]).collect())
    }

    /// The images that a report is about: of the series with its UID the stack that has them, or else the one of
    /// [`Self::choose`].
    ///
    /// # Errors
    /// If no series has the UID, or the images cannot be read.
    pub(crate) fn load_reported(
        &self,
        report: &Report,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Arc<Series>, PipelineError> {
        let has_them = |series: &&SeriesSummary| {
            series.series_instance_uid == report.series_instance_uid
                && series.instances.iter().map(|from| &from.sop_instance_uid).eq(&report.sop_instance_uids)
        };
        let mut first = None;
        for stack in self.scan.series.iter().filter(has_them) {
            let series = self.load(stack, cancel, on_progress)?;
            // Stacks of one multi-frame file share its UID; their voxels tell them apart.
            if series.voxel_sha256() == report.voxel_sha256 {
                return Ok(series);
            }
            first.get_or_insert(series);
        }
        match first {
            Some(series) => Ok(series),
            None => self.load(self.choose(Some(&report.series_instance_uid))?, cancel, on_progress),
        }
    }

    /// The images of a series of this study.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn load(
        &self,
        series: &SeriesSummary,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Arc<Series>, PipelineError> {
        let wanted = &series.series_instance_uid;
        if let Some(volume) = self.volume.as_ref().filter(|it| it.summary.series_instance_uid == *wanted) {
            return Ok(hashed(Arc::clone(volume)));
        }
        Ok(hashed(Arc::new(load_series(series, cancel, on_progress)?)))
    }
}

/// The series with its hash computed: here, and not when the window's thread asks for it.
fn hashed(series: Arc<Series>) -> Arc<Series> {
    let _ = series.voxel_sha256();
    series
}

#[cfg(test)]
mod tests {
    use glam::DVec3;

    use super::*;
    use crate::dicom::{SeriesHeader, write_series};
    use crate::volume::{Volume, VolumeGeometry};

    /// A sagittal stack and a larger axial one behind it in the same series.
    #[test]
    fn a_stack_of_a_mixed_series_is_found_by_its_images() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut header = SeriesHeader::synthetic_t2_sagittal("mixed");
        let mut uids = Vec::new();
        for (slices, along, column) in [(5_usize, -DVec3::X, DVec3::Y), (9, DVec3::Z, DVec3::X)] {
            let row = along.cross(column);
            let origins = (0..slices).map(|slice| 4.0 * slice as f64 * along).collect();
            let geometry = VolumeGeometry::new(origins, column, row, 1.0, 1.0).expect("a geometry");
            let volume = Volume::new(2, 2, vec![slices as f32; 4 * slices], geometry).expect("a volume");
            write_series(folder.path(), &volume, &header).expect("written");
            header.first_instance += slices;
        }
        let study = Study::open(folder.path(), &CancelToken::default(), &mut |_| (), &mut |_| ()).expect("opened");
        for series in &study.scan().series {
            uids.push(series.instances.iter().map(|from| from.sop_instance_uid.clone()).collect::<Vec<_>>());
        }
        assert_eq!(uids.iter().map(Vec::len).collect::<Vec<_>>(), [5, 9]);
        let uid = study.scan().series[0].series_instance_uid.clone();
        assert_eq!(study.scan().series[1].series_instance_uid, uid, "one series");
        let mut report = super::super::tests::report();
        let mut shape = |uid: &str, images: &[String]| {
            report.series_instance_uid = uid.to_owned();
            report.sop_instance_uids = images.to_vec();
            study.load_reported(&report, &CancelToken::default(), &mut |_| ()).map(|series| series.volume.slices())
        };
        assert_eq!(shape(&uid, &uids[0]).expect("there"), 5);
        assert_eq!(shape(&uid, &uids[1]).expect("there"), 9);
        assert!(matches!(shape("1.2", &uids[0]), Err(PipelineError::NoSuchSeries { .. })));
        assert_eq!(study.choose(Some(&uid)).expect("there").slices, 5, "the one that can be graded");
    }

    #[test]
    fn a_folder_of_packed_studies_says_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("study.zip"), b"PK").expect("written");
        let study = Study::open(folder.path(), &CancelToken::default(), &mut |_| (), &mut |_| ()).expect("opened");
        let error = study.choose(None).expect_err("nothing to grade").to_string();
        assert!(error.contains("1 ZIP files in the folder were not searched"), "{error}");
    }

    #[test]
    fn a_folder_of_research_files_says_so_and_a_file_of_another_kind_what_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let told = |path: &Path| {
            let study = Study::open(path, &CancelToken::default(), &mut |_| (), &mut |_| ()).expect("opened");
            study.choose(None).expect_err("nothing to grade").to_string()
        };
        for name in ["a.nii.gz", "b.mha"] {
            std::fs::write(folder.path().join(name), b"none").expect("written");
        }
        let error = told(folder.path());
        assert!(error.contains("2 NIfTI or MetaImage files in the folder were not read"), "{error}");
        for name in ["c.nrrd", "d.tar.gz", "e.hdr"] {
            let file = folder.path().join(name);
            std::fs::write(&file, b"NRRD0004").expect("written");
            let error = told(&file);
            assert!(
                error.contains("NIfTI (.nii, .nii.gz), MetaImage (.mha, .mhd) and ZIP files are read too"),
                "{error}"
            );
        }
    }
}
