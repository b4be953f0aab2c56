//! A study as it lies on disk: its series, and the images of one.

use std::path::Path;
use std::sync::Arc;

use super::PipelineError;
use crate::dicom::{FolderScan, Series, SeriesSummary, load_series, scan_folder_listing};
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
            let named = scan.series.iter().filter(|series| series.series_instance_uid == uid);
            // One UID may stand for several stacks (localizers, repetitions); the one to grade or else the largest is meant.
            let meant = named.max_by_key(|series| (series.choice.is_chosen, series.slices));
            return meant.ok_or_else(|| PipelineError::NoSuchSeries { uid: uid.to_owned() });
        }
        if let Some(chosen) = scan.t2_sagittal() {
            return Ok(chosen);
        }
        if scan.series.is_empty() {
            let refused =
                scan.refused.first().map(|file| format!("{} refused, the first {}", scan.refused.len(), file.reason));
            return Err(PipelineError::NoImages { refused });
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

    /// The stack that a report was made from: of the series with `series_uid` the one with these images, or else as
    /// [`Self::choose`].
    ///
    /// # Errors
    /// If no series has the UID.
    pub fn stack(&self, series_uid: &str, sop_instance_uids: &[String]) -> Result<&SeriesSummary, PipelineError> {
        let is_meant = |series: &&SeriesSummary| {
            series.series_instance_uid == series_uid
                && series.instances.iter().map(|instance| &instance.sop_instance_uid).eq(sop_instance_uids)
        };
        self.scan.series.iter().find(is_meant).map_or_else(|| self.choose(Some(series_uid)), Ok)
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
        match self.volume.as_ref().filter(|it| it.summary.series_instance_uid == *wanted) {
            Some(volume) => Ok(Arc::clone(volume)),
            None => Ok(Arc::new(load_series(series, cancel, on_progress)?)),
        }
    }
}
