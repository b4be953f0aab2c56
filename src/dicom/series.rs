//! Sorts images into series: one stack of parallel slices each, ordered by position.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use dicom_dictionary_std::uids;

use super::contrast::{Contrast, ContrastHints, Weighting};
use super::file::MR_SOP_CLASSES;
use super::frames::{FrameHeader, HeaderTexts, ImageHeader};
use super::partition::stacks;
use super::region::{Region, RegionTexts};
use super::rejoin::rejoined;
use super::select::Choice;
use super::stack::Stack;
use super::vocabulary::words;
use super::warning::{SeriesWarning, WarningCode};
use crate::language::message;
use crate::volume::{PlaneOrientation, VolumeGeometry, WindowLevel};

/// Where the pixels of one slice are.
#[derive(Clone, Default, PartialEq)]
pub struct SliceSource {
    /// The file; patient data, never logged.
    pub path: PathBuf,
    /// Frame in the file, from 0.
    pub frame: usize,
    /// SOP instance UID of the file.
    pub sop_instance_uid: String,
    /// Series instance UID of the file; not that of all others where a series came apart and was put together again.
    pub series_instance_uid: String,
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
    pub study_instance_uid: String,
    pub series_instance_uid: String,
    /// Frame of reference UID; series that share it share patient coordinates.
    pub frame_of_reference_uid: Option<String>,
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
    pub weighting: Weighting,
    /// What else the header says that bears on the choice.
    pub traits: StackTraits,
    /// Acquired as one 3-D block.
    pub is_three_dimensional: bool,
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
    /// Oddities of the folder in which it was found.
    pub folder_warnings: Arc<[SeriesWarning]>,
    /// Whether this is the series to grade, and why.
    pub choice: Choice,
}

/// What a header says of a stack that bears on the choice of the one to grade; empty for images from elsewhere.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StackTraits {
    pub(super) region: Region,
    pub(super) contrast: Option<Contrast>,
    /// Echoes of the same series that came later, where echo times are not told.
    pub(super) later_echoes: usize,
    /// Stored with high values dark: where its signal begins, its format does not say.
    pub(super) is_inverted: bool,
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
    pub(crate) fn has_assumed_geometry(&self) -> bool {
        use WarningCode::{MissingOrientation, MissingPixelSpacing, MissingPosition};
        let assumed = [MissingPosition, MissingOrientation, MissingPixelSpacing];
        self.warnings.iter().any(|warning| assumed.iter().any(|code| warning.is(*code)))
    }

    /// Whether both are the same stack of slices, read twice.
    #[must_use]
    pub(crate) fn is_stack_of(&self, other: &Self) -> bool {
        let first = |series: &Self| series.instances.first().map(|slice| (slice.sop_instance_uid.clone(), slice.frame));
        self.series_instance_uid == other.series_instance_uid && first(self) == first(other)
    }

    /// Whether images of the series with this UID are in it.
    #[must_use]
    pub(crate) fn is_of_series(&self, uid: &str) -> bool {
        self.series_instance_uid == uid || self.instances.iter().any(|slice| slice.series_instance_uid == uid)
    }

    /// Whether the header says who the patient is.
    pub(super) fn names_patient(&self) -> bool {
        [&self.texts.patient_id, &self.texts.patient_name].iter().any(|text| !text.trim().is_empty())
    }

    /// Whether both name the same patient: by number where both have one, else by name. Numbers of two hospitals may be the
    /// same by chance, and so may names; other dates of birth, or who gave the numbers, tell such patients apart.
    #[must_use]
    pub(crate) fn is_of_patient(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.texts, &other.texts);
        let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
        let are_born_apart = differ(ours.patient_birth_date.trim(), theirs.patient_birth_date.trim());
        let are_of_two_issuers = differ(ours.patient_id_issuer.trim(), theirs.patient_id_issuer.trim());
        let names = [&ours.patient_name, &theirs.patient_name].map(|name| name_groups(name));
        let are_named = names.iter().all(|groups| groups.iter().any(|group| !group.is_empty()));
        let ids = [&ours.patient_id, &theirs.patient_id].map(|id| id.trim().to_uppercase());
        if ids.iter().any(String::is_empty) {
            is_one_name(&names) && !are_born_apart
        } else {
            let may_be_chance = are_born_apart || are_of_two_issuers;
            ids[0] == ids[1] && !(may_be_chance && are_named && !is_one_name(&names))
        }
    }
}

/// The groups of a person's name (PS3.5 6.2.1) as they are compared: Latin letters without case, accents and carets; of other
/// scripts marks tell letters apart.
fn name_groups(name: &str) -> Vec<String> {
    let group = |group: &str| {
        let plain = words(group).concat();
        let is_latin = plain.is_ascii() && !plain.is_empty();
        if is_latin { plain } else { group.trim_matches(['^', ' ']).to_uppercase() }
    };
    name.split('=').map(group).collect()
}

/// Whether two names agree in every group that both have, and both have one, or none has any.
fn is_one_name([one, other]: &[Vec<String>; 2]) -> bool {
    let both = || one.iter().zip(other).filter(|(a, b)| !a.is_empty() && !b.is_empty());
    let is_empty = |groups: &[String]| groups.iter().all(String::is_empty);
    both().all(|(a, b)| a == b) && (both().next().is_some() || is_empty(one) && is_empty(other))
}

/// An image file that the scan accepted.
pub(super) struct Image {
    pub path: PathBuf,
    pub header: ImageHeader,
}

/// A frame of one of the images.
#[derive(Clone, Copy)]
pub(super) struct SourceFrame<'a> {
    pub image: &'a Image,
    pub index: usize,
}

impl<'a> SourceFrame<'a> {
    pub(super) fn header(self) -> &'a FrameHeader {
        &self.image.header.frames[self.index]
    }
}

/// Study UID, series number and series UID, in the order in which series are listed.
type SeriesKey<'a> = (&'a str, Option<i64>, &'a str);

/// Sorts images into stacks, ordered by series number, then UID, then first position.
pub(super) fn group(images: &[Image]) -> Vec<SeriesSummary> {
    let mut series: BTreeMap<SeriesKey, Vec<SourceFrame>> = BTreeMap::new();
    for image in images {
        let header = &image.header;
        let key = (header.study_instance_uid.as_str(), header.series_number, header.series_instance_uid.as_str());
        let frames = (0..header.frames.len()).map(|index| SourceFrame { image, index });
        series.entry(key).or_default().extend(frames);
    }
    let mut summaries = Vec::new();
    for frames in rejoined(series.into_values().collect()) {
        let whole = WholeSeries::new(&frames);
        let stacks = stacks(frames);
        let count = stacks.len();
        for (number, stack) in stacks.into_iter().enumerate() {
            let mut summary = summarize(&Stack::sort(stack), &whole);
            if count > 1 {
                let message = message!(
                    "the series mixes {count} stacks of slices; this is number {number}",
                    count = count,
                    number = number + 1
                );
                summary.warnings.push(SeriesWarning::new(WarningCode::MixedSeriesSplit, message));
            }
            summaries.push(summary);
        }
    }
    summaries
}

/// What is known of a stack only from all images of its series.
struct WholeSeries {
    greatest_b_value: Option<f64>,
    /// Echo times, ascending, ms.
    echo_times: Vec<f64>,
    /// Numbers of the echoes of images that do not tell their echo time.
    echo_numbers: BTreeSet<i64>,
}

impl WholeSeries {
    fn new(frames: &[SourceFrame]) -> Self {
        let headers = || frames.iter().map(|frame| frame.header());
        let mut echo_times: Vec<f64> = headers().filter_map(|header| header.echo_time_ms).collect();
        echo_times.sort_by(f64::total_cmp);
        echo_times.dedup_by(|next, kept| *next - *kept < 0.5);
        let untimed = headers().filter(|header| header.echo_time_ms.is_none());
        Self {
            greatest_b_value: headers().filter_map(|header| header.diffusion_b_value).max_by(f64::total_cmp),
            echo_times,
            echo_numbers: untimed.filter_map(|header| header.echo_number).collect(),
        }
    }

    fn echoes(&self) -> usize {
        self.echo_times.len().max(self.echo_numbers.len())
    }

    /// Echoes that came later than that of a frame which does not tell its echo time.
    fn later_echoes(&self, frame: &FrameHeader) -> usize {
        let number = frame.echo_number.filter(|_| frame.echo_time_ms.is_none());
        number.map_or(0, |number| self.echo_numbers.range(number + 1..).count())
    }
}

const CT_SOP_CLASSES: [&str; 3] =
    [uids::CT_IMAGE_STORAGE, uids::ENHANCED_CT_IMAGE_STORAGE, uids::LEGACY_CONVERTED_ENHANCED_CT_IMAGE_STORAGE];

/// Modality of the header; where it has none, that of its SOP class; where that says nothing, `MR` is assumed.
fn modality(header: &ImageHeader, warnings: &mut Vec<SeriesWarning>) -> String {
    if !header.modality.is_empty() {
        return header.modality.clone();
    }
    if MR_SOP_CLASSES.contains(&header.sop_class_uid.as_str()) {
        return "MR".to_owned();
    }
    if CT_SOP_CLASSES.contains(&header.sop_class_uid.as_str()) {
        return "CT".to_owned();
    }
    let message = message!("the header names no modality; MR is assumed");
    warnings.push(SeriesWarning::new(WarningCode::AssumedModality, message));
    "MR".to_owned()
}

fn summarize(stack: &Stack, whole: &WholeSeries) -> SeriesSummary {
    let first = &stack.frames[0].image.header;
    let first_frame = stack.frames[0].header();
    let middle = stack.frames[stack.frames.len() / 2];
    let middle_frame = middle.header();
    let mut texts = first.texts.clone();
    texts.echo_time_ms = middle_frame.echo_time_ms;
    let contrast = ContrastHints {
        echo_time_ms: texts.echo_time_ms,
        repetition_time_ms: texts.repetition_time_ms,
        inversion_time_ms: texts.inversion_time_ms,
        scanning_sequence: &first.scanning_sequence,
        scan_options: &first.scan_options,
        image_type: &first_frame.frame_type,
        acquisition_contrast: &first.acquisition_contrast,
        greatest_b_value: whole.greatest_b_value,
        echoes: whole.echoes(),
        part: first_frame.part,
        description: &texts.series_description,
        protocol: &first.sequence_words,
    };
    let contrast = contrast.judge();
    let region = Region::of(RegionTexts {
        description: &texts.series_description,
        protocol: &texts.protocol,
        body_part: &format!("{} {}", first.body_part, first.anatomic_regions),
        study: &texts.study_description,
    });
    let mut warnings = stack.warnings.clone();
    let modality = modality(first, &mut warnings);
    if stack.frames.iter().any(|frame| frame.image.header.is_lossy) {
        let message = message!("the pixels went through lossy compression");
        warnings.push(SeriesWarning::new(WarningCode::LossyCompression, message));
    }
    let uids: BTreeSet<&str> =
        stack.frames.iter().map(|frame| frame.image.header.series_instance_uid.as_str()).collect();
    if uids.len() > 1 {
        let message = message!(
            "{count} images, each a series of its own, were put together by name, size and place",
            count = uids.len()
        );
        warnings.push(SeriesWarning::new(WarningCode::SeriesRejoined, message));
    }
    let instances: Vec<_> = stack
        .frames
        .iter()
        .map(|frame| SliceSource {
            path: frame.image.path.clone(),
            frame: frame.index,
            sop_instance_uid: frame.image.header.sop_instance_uid.clone(),
            series_instance_uid: frame.image.header.series_instance_uid.clone(),
        })
        .collect();
    SeriesSummary {
        study_instance_uid: first.study_instance_uid.clone(),
        series_instance_uid: first.series_instance_uid.clone(),
        frame_of_reference_uid: first.frame_of_reference_uid.clone(),
        series_number: first.series_number,
        description: texts.series_description.clone(),
        modality,
        body_part: first.body_part.clone(),
        image_type: first.image_type.clone(),
        plane: stack.has_orientation.then(|| stack.geometry.plane()),
        weighting: contrast.weighting,
        traits: StackTraits {
            region,
            contrast: Some(contrast),
            later_echoes: whole.later_echoes(first_frame),
            is_inverted: first.format.is_inverted,
        },
        is_three_dimensional: first.is_three_dimensional,
        slices: instances.len(),
        rows: first.format.rows,
        columns: first.format.columns,
        geometry: stack.geometry.clone(),
        instances,
        texts,
        window: middle_frame.window.map(|window| middle.image.header.format.window(window)),
        warnings,
        folder_warnings: Arc::default(),
        choice: Choice::default(),
    }
}
