//! Decodes the pixels of a series into a volume.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::contrast::Weighting;
use super::error::{DicomError, FileError};
use super::file::DicomFile;
use super::frames::{HeaderTexts, ImageHeader};
use super::pixels::FrameReader;
use super::select::Choice;
use super::series::{SeriesSummary, SliceSource, StackTraits};
use super::warning::{SeriesWarning, WarningCode};
use super::write::uid_of;
use crate::files::sha256;
use crate::language::message;
use crate::task::{CancelToken, Progress};
use crate::volume::{Volume, WindowLevel};

/// Most voxels of a series: 2 GiB of them.
const MAX_VOXELS: usize = 1 << 29;
/// Slices decoded between two reports of progress, for each thread.
const BATCH: usize = 8;

/// A loaded series.
#[derive(Debug, Clone)]
pub struct Series {
    /// What the scan found out.
    pub summary: SeriesSummary,
    /// Voxels after rescaling, slices in the order of [`SeriesSummary::instances`].
    pub volume: Arc<Volume>,
    /// Display window of the header, in voxel values.
    pub window: Option<WindowLevel>,
    /// Oddities of the scan, of the pixels, and of the folder.
    pub warnings: Vec<SeriesWarning>,
    pub(crate) voxel_sha256: OnceLock<String>,
}

impl Series {
    /// A volume with what was found out about it.
    #[must_use]
    pub fn new(
        summary: SeriesSummary,
        volume: Volume,
        window: Option<WindowLevel>,
        warnings: Vec<SeriesWarning>,
    ) -> Self {
        Self { voxel_sha256: OnceLock::new(), summary, volume: Arc::new(volume), window, warnings }
    }

    /// SHA-256 of the voxels as little-endian `f32` in their order, hexadecimal: what a result was computed from. Computed
    /// when first asked for: it takes longer than to decode them.
    #[must_use]
    pub fn voxel_sha256(&self) -> &str {
        self.voxel_sha256.get_or_init(|| voxel_sha256(&self.volume))
    }

    /// A volume from elsewhere as a series, with no instances and no texts; it is taken to be the T2 sagittal one, and a
    /// warning says so. Its UIDs follow from its voxels and their place.
    #[must_use]
    pub(crate) fn of_volume(volume: Volume) -> Self {
        let mut digest = Sha256::new();
        digest.update(format!("{:?}", volume.geometry()));
        volume.voxels().iter().for_each(|value| digest.update(value.to_le_bytes()));
        let name = format!("volume {:x}", digest.finalize());
        let message = message!("read from a research file, which does not tell its contrast; taken to be T2-weighted");
        let warnings = vec![SeriesWarning::new(WarningCode::ContrastNotKnown, message)];
        let geometry = volume.geometry().clone();
        let summary = SeriesSummary {
            study_instance_uid: uid_of(&format!("study of {name}")),
            series_instance_uid: uid_of(&name),
            frame_of_reference_uid: None,
            series_number: None,
            description: String::new(),
            modality: "MR".to_owned(),
            body_part: String::new(),
            image_type: String::new(),
            plane: Some(geometry.plane()),
            weighting: Weighting::T2,
            traits: StackTraits::default(),
            is_three_dimensional: false,
            slices: volume.slices(),
            rows: volume.rows(),
            columns: volume.columns(),
            geometry,
            instances: Vec::new(),
            texts: HeaderTexts::default(),
            window: None,
            warnings: warnings.clone(),
            folder_warnings: Arc::default(),
            choice: Choice {
                is_chosen: true,
                place: Some(0),
                reason: "chosen: the only volume of the file".to_owned(),
            },
        };
        Self::new(summary, volume, None, warnings)
    }
}

fn voxel_sha256(volume: &Volume) -> String {
    const PART: usize = 1 << 14;
    let bytes = |part: &[f32]| part.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    sha256(volume.voxels().chunks(PART).map(bytes))
}

/// The slices of a series that one file holds.
struct FilePart<'a> {
    path: &'a Path,
    /// Frames in the file, and the voxels of each.
    frames: Vec<(usize, &'a mut [f32])>,
}

/// Decodes all slices of `series`; high bits beyond `BitsStored` are masked, signs extended, the rescale slope and
/// intercept applied, and MONOCHROME1 negated. Slices decode in parallel; the result does not depend on threads.
///
/// # Errors
/// The first file that cannot be decoded, by slice order, with its reason; [`DicomError::Cancelled`] on request.
pub fn load_series(
    series: &SeriesSummary,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Series, DicomError> {
    let SeriesSummary { slices, rows, columns, .. } = *series;
    let too_large = DicomError::TooLarge { slices, rows, columns };
    let pixels = rows.saturating_mul(columns);
    let voxel_count = pixels.checked_mul(slices).filter(|count| *count <= MAX_VOXELS).ok_or(too_large)?;
    let mut decode = |batch: &[SliceSource], done, voxels: &mut [f32]| -> Result<(), DicomError> {
        cancel.check()?;
        on_progress(Progress { step: "Reading slices", done, total: slices });
        let parts = parts_of(batch, voxels.chunks_exact_mut(pixels));
        // The first failure in the order of slices is told, whichever came first.
        let decoded: Vec<_> = parts.into_par_iter().map(|part| decode_part(series, part, cancel)).collect();
        decoded.into_iter().collect()
    };
    // The first slice goes alone: only what was really decoded makes room for more, so that a lying header cannot.
    let (first, rest) = series.instances.split_at(series.instances.len().min(1));
    let mut first_slice = vec![0.0; first.len() * pixels];
    decode(first, 0, &mut first_slice)?;
    // Zeroed memory is first touched by the threads that decode into it.
    let mut voxels = vec![0.0; voxel_count];
    voxels[..first_slice.len()].copy_from_slice(&first_slice);
    let batch = BATCH * rayon::current_num_threads();
    for (index, slices) in rest.chunks(batch).enumerate() {
        let done = first.len() + index * batch;
        decode(slices, done, &mut voxels[done * pixels..])?;
    }
    on_progress(Progress { step: "Reading slices", done: slices, total: slices });
    let volume = Volume::new(rows, columns, voxels, series.geometry.clone())?;
    let volume = if series.traits.is_inverted { volume.black_at_darkest() } else { volume };
    let warnings: Vec<_> = series.warnings.iter().chain(series.folder_warnings.iter()).cloned().collect();
    tracing::info!(slices, rows, columns, warnings = warnings.len(), "a series is read");
    Ok(Series::new(series.clone(), volume, series.window, warnings))
}

/// Groups slices by file.
fn parts_of<'a>(slices: &'a [SliceSource], voxels: impl Iterator<Item = &'a mut [f32]>) -> Vec<FilePart<'a>> {
    let mut parts: Vec<FilePart> = Vec::new();
    for (source, voxels) in slices.iter().zip(voxels) {
        let frame = (source.frame, voxels);
        match parts.iter_mut().find(|part| part.path == source.path) {
            Some(part) => part.frames.push(frame),
            None => parts.push(FilePart { path: &source.path, frames: vec![frame] }),
        }
    }
    parts
}

fn decode_part(series: &SeriesSummary, part: FilePart, cancel: &CancelToken) -> Result<(), DicomError> {
    let path = || -> PathBuf { part.path.to_owned() };
    let refused = |reason: FileError| DicomError::File { reason, path: path() };
    cancel.check()?;
    let file = DicomFile::open(part.path).map_err(refused)?;
    let header = ImageHeader::read(&file).map_err(refused)?;
    let format = header.format;
    if (format.rows, format.columns) != (series.rows, series.columns) {
        return Err(DicomError::Changed { path: path() });
    }
    let reader = FrameReader::new(&file, format).map_err(refused)?;
    let decode = |(frame, voxels): (usize, &mut [f32])| {
        cancel.check()?;
        let place = header.frames.get(frame).ok_or_else(|| DicomError::Changed { path: path() })?;
        let samples = reader.samples(frame).map_err(refused)?;
        format.write_voxels(&samples, place.rescale, voxels);
        Ok(())
    };
    let decoded: Vec<_> = part.frames.into_par_iter().map(decode).collect();
    decoded.into_iter().collect()
}
