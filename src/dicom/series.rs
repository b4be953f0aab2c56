//! Sorts images into series: one stack of parallel slices each, ordered by position.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use glam::DVec3;

use super::frames::{FrameHeader, HeaderTexts, ImageHeader};
use super::select::{Choice, ContrastHints, Weighting};
use super::stack::{Stack, split_repetitions};
use super::warning::{SeriesWarning, WarningCode};
use crate::volume::{PlaneOrientation, VolumeGeometry, WindowLevel};

/// Orientations whose components differ by less belong to one stack.
const ORIENTATION_TOLERANCE: f64 = 2e-3;

/// Where the pixels of one slice are.
#[derive(Clone, PartialEq)]
pub struct SliceSource {
    /// The file; patient data, never logged.
    pub path: PathBuf,
    /// Frame in the file, from 0.
    pub frame: usize,
    /// SOP instance UID of the file.
    pub sop_instance_uid: String,
}

impl fmt::Debug for SliceSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SliceSource").field("frame", &self.frame).finish_non_exhaustive()
    }
}

/// One stack of parallel slices, known from headers alone.
///
/// A DICOM series that mixes orientations, matrices, echoes or repetitions becomes several of these with the same
/// UID and a warning. `Debug` shows no patient data.
#[derive(Clone)]
pub struct SeriesSummary {
    /// Study instance UID.
    pub study_instance_uid: String,
    /// Series instance UID.
    pub series_instance_uid: String,
    /// Frame of reference UID; series that share it share patient coordinates.
    pub frame_of_reference_uid: Option<String>,
    /// Series number.
    pub series_number: Option<i64>,
    /// Series description.
    pub description: String,
    /// Modality (`MR`).
    pub modality: String,
    /// Body part examined, as written.
    pub body_part: String,
    /// Image type of the first slice, values parted by `\`.
    pub image_type: String,
    /// Anatomical plane; `None` where the orientation is not told.
    pub plane: Option<PlaneOrientation>,
    /// Contrast.
    pub weighting: Weighting,
    /// Acquired as one 3-D block.
    pub is_three_dimensional: bool,
    /// Number of slices.
    pub slices: usize,
    /// Rows of each slice.
    pub rows: usize,
    /// Columns of each slice.
    pub columns: usize,
    /// Place of the slices, in the order of `instances`. Assumed where warnings say that it is missing.
    pub geometry: VolumeGeometry,
    /// Where each slice is read from, sorted by position along the slice normal (column × row direction), ascending.
    pub instances: Vec<SliceSource>,
    /// Texts for the corners of the picture.
    pub texts: HeaderTexts,
    /// Display window of the header (middle slice), in voxel values.
    pub window: Option<WindowLevel>,
    /// Oddities found.
    pub warnings: Vec<SeriesWarning>,
    /// Whether this is the series to grade, and why.
    pub choice: Choice,
}

impl fmt::Debug for SeriesSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SeriesSummary")
            .field("modality", &self.modality)
            .field("plane", &self.plane)
            .field("weighting", &self.weighting)
            .field("shape", &[self.slices, self.rows, self.columns])
            .field("is_chosen", &self.choice.is_chosen)
            .finish_non_exhaustive()
    }
}

impl SeriesSummary {
    /// Whether position, orientation or pixel spacing was missing, so that millimeters and planes mean nothing.
    #[must_use]
    pub fn has_assumed_geometry(&self) -> bool {
        use WarningCode::{MissingOrientation, MissingPixelSpacing, MissingPosition};
        let assumed = [MissingPosition, MissingOrientation, MissingPixelSpacing];
        self.warnings.iter().any(|warning| assumed.iter().any(|code| warning.is(*code)))
    }

    /// Whether both are the same stack of slices, read twice.
    #[must_use]
    pub fn is_stack_of(&self, other: &Self) -> bool {
        let first = |series: &Self| series.instances.first().map(|slice| (slice.sop_instance_uid.clone(), slice.frame));
        self.series_instance_uid == other.series_instance_uid && first(self) == first(other)
    }

    /// Whether both name the same patient, by number where both have one, else by name.
    #[must_use]
    pub fn is_of_patient(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.texts, &other.texts);
        let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
        if ours.patient_id.trim().is_empty() || theirs.patient_id.trim().is_empty() {
            same(&ours.patient_name, &theirs.patient_name)
        } else {
            same(&ours.patient_id, &theirs.patient_id)
        }
    }
}

/// An image file that the scan accepted.
pub(super) struct Image {
    pub path: PathBuf,
    pub header: ImageHeader,
}

/// A frame of one of the images.
#[derive(Clone, Copy)]
pub(super) struct ImageFrame<'a> {
    pub image: &'a Image,
    pub index: usize,
}

impl<'a> ImageFrame<'a> {
    /// Header of the frame.
    pub fn header(self) -> &'a FrameHeader {
        &self.image.header.frames[self.index]
    }

    /// Whether two frames can be slices of one stack.
    fn stacks_with(self, other: Self) -> bool {
        let (a, b) = (self.header(), other.header());
        let close = |a: f64, b: f64, tolerance: f64| (a - b).abs() < tolerance;
        let same = |a: DVec3, b: DVec3| (a - b).abs().max_element() < ORIENTATION_TOLERANCE;
        let size = |frame: Self| (frame.image.header.format.rows, frame.image.header.format.columns);
        let orientation = match (a.orientation, b.orientation) {
            (Some(a), Some(b)) => same(a.0, b.0) && same(a.1, b.1),
            (a, b) => a.is_none() && b.is_none(),
        };
        let spacing = match (a.pixel_spacing, b.pixel_spacing) {
            (Some(a), Some(b)) => close(a[0], b[0], 1e-3 * a[0]) && close(a[1], b[1], 1e-3 * a[1]),
            (a, b) => a.is_none() && b.is_none(),
        };
        let echo = match (a.echo_time_ms, b.echo_time_ms) {
            (Some(a), Some(b)) => close(a, b, 0.5),
            (a, b) => a.is_none() && b.is_none(),
        };
        size(self) == size(other) && orientation && spacing && echo && a.position.is_some() == b.position.is_some()
    }
}

/// Study UID, series number and series UID, in the order in which series are listed.
type SeriesKey<'a> = (&'a str, Option<i64>, &'a str);

/// Sorts images into stacks, ordered by series number, then UID, then first position.
pub(super) fn group(images: &[Image]) -> Vec<SeriesSummary> {
    let mut series: BTreeMap<SeriesKey, Vec<Vec<ImageFrame>>> = BTreeMap::new();
    for image in images {
        let header = &image.header;
        let key = (header.study_instance_uid.as_str(), header.series_number, header.series_instance_uid.as_str());
        let stacks = series.entry(key).or_default();
        for index in 0..header.frames.len() {
            let frame = ImageFrame { image, index };
            match stacks.iter_mut().find(|stack| stack[0].stacks_with(frame)) {
                Some(stack) => stack.push(frame),
                None => stacks.push(vec![frame]),
            }
        }
    }
    let mut summaries = Vec::new();
    for stacks in series.into_values() {
        let stacks: Vec<_> = stacks.into_iter().flat_map(split_repetitions).collect();
        let count = stacks.len();
        for (number, stack) in stacks.into_iter().enumerate() {
            let mut summary = summarize(&Stack::sort(stack));
            if count > 1 {
                let message = format!("the series mixes {count} stacks of slices; this is number {}", number + 1);
                summary.warnings.push(SeriesWarning::new(WarningCode::MixedSeriesSplit, message));
            }
            summaries.push(summary);
        }
    }
    summaries
}

fn summarize(stack: &Stack) -> SeriesSummary {
    let first = &stack.frames[0].image.header;
    let middle = stack.frames[stack.frames.len() / 2];
    let middle_frame = middle.header();
    let mut texts = first.texts.clone();
    texts.echo_time_ms = middle_frame.echo_time_ms;
    let hints = ContrastHints {
        echo_time_ms: texts.echo_time_ms,
        repetition_time_ms: texts.repetition_time_ms,
        inversion_time_ms: texts.inversion_time_ms,
        scanning_sequence: first.scanning_sequence.clone(),
        words: format!("{} {}", texts.series_description, first.sequence_words),
    };
    let mut warnings = stack.warnings.clone();
    if stack.frames.iter().any(|frame| frame.image.header.is_lossy) {
        let message = "the pixels went through lossy compression";
        warnings.push(SeriesWarning::new(WarningCode::LossyCompression, message));
    }
    let instances: Vec<_> = stack
        .frames
        .iter()
        .map(|frame| SliceSource {
            path: frame.image.path.clone(),
            frame: frame.index,
            sop_instance_uid: frame.image.header.sop_instance_uid.clone(),
        })
        .collect();
    SeriesSummary {
        study_instance_uid: first.study_instance_uid.clone(),
        series_instance_uid: first.series_instance_uid.clone(),
        frame_of_reference_uid: first.frame_of_reference_uid.clone(),
        series_number: first.series_number,
        description: texts.series_description.clone(),
        modality: first.modality.clone(),
        body_part: first.body_part.clone(),
        image_type: first.image_type.clone(),
        plane: stack.has_orientation.then(|| stack.geometry.plane()),
        weighting: hints.weighting(),
        is_three_dimensional: first.is_three_dimensional,
        slices: instances.len(),
        rows: first.format.rows,
        columns: first.format.columns,
        geometry: stack.geometry.clone(),
        instances,
        texts,
        window: middle_frame.window.map(|window| middle.image.header.format.window(window, middle_frame.rescale)),
        warnings,
        choice: Choice::default(),
    }
}
