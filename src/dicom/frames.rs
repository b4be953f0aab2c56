//! What the header of one image file says: whose it is, how its pixels are coded, where each frame lies.

use std::collections::BTreeSet;
use std::fmt;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use glam::DVec3;

use super::codecs;
use super::contrast::SignalPart;
use super::error::FileError;
use super::file::{DicomFile, integer, number, numbers, text};
use super::makers;
use super::pixels::{PixelFormat, Rescale};
use crate::volume::WindowLevel;

/// Texts for the corners of the picture. Patient data: never logged, and left out of `Debug` output.
#[derive(Clone, Default, PartialEq)]
pub struct HeaderTexts {
    /// Patient's name as written (components parted by `^`).
    pub patient_name: String,
    pub patient_id: String,
    /// Who gave the patient that number.
    pub patient_id_issuer: String,
    /// Birth date, `YYYYMMDD`.
    pub patient_birth_date: String,
    /// `M`, `F`, `O` or empty.
    pub patient_sex: String,
    /// Study date, `YYYYMMDD`.
    pub study_date: String,
    pub study_description: String,
    pub institution: String,
    /// Manufacturer and model.
    pub scanner: String,
    pub series_description: String,
    pub protocol: String,
    pub repetition_time_ms: Option<f64>,
    pub echo_time_ms: Option<f64>,
    pub inversion_time_ms: Option<f64>,
    /// Slice thickness as declared, mm (the distance between slices is measured from their positions).
    pub slice_thickness_mm: Option<f64>,
    pub field_strength_tesla: Option<f64>,
}

impl fmt::Debug for HeaderTexts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HeaderTexts")
            .field("repetition_time_ms", &self.repetition_time_ms)
            .field("echo_time_ms", &self.echo_time_ms)
            .finish_non_exhaustive()
    }
}

/// Header of one image file.
pub(super) struct ImageHeader {
    pub study_instance_uid: String,
    pub series_instance_uid: String,
    pub sop_instance_uid: String,
    pub frame_of_reference_uid: Option<String>,
    pub sop_class_uid: String,
    pub modality: String,
    pub series_number: Option<i64>,
    pub instance_number: Option<i64>,
    pub acquisition_number: Option<i64>,
    pub image_type: String,
    pub scanning_sequence: String,
    pub scan_options: String,
    pub acquisition_contrast: String,
    pub sequence_words: String,
    pub body_part: String,
    /// Codes and names of the anatomic regions, of the whole image and of its first frame.
    pub anatomic_regions: String,
    pub is_three_dimensional: bool,
    pub is_lossy: bool,
    pub format: PixelFormat,
    pub texts: HeaderTexts,
    pub frames: Vec<FrameHeader>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct FrameHeader {
    /// Position of the center of the first pixel, LPS mm.
    pub position: Option<DVec3>,
    /// Directions of increasing column and row index.
    pub orientation: Option<(DVec3, DVec3)>,
    /// Distance between rows, then between columns, mm.
    pub pixel_spacing: Option<[f64; 2]>,
    pub echo_time_ms: Option<f64>,
    /// Number of the echo among those of one excitation.
    pub echo_number: Option<i64>,
    pub temporal_position: Option<i64>,
    pub diffusion_b_value: Option<f64>,
    pub frame_type: String,
    pub part: SignalPart,
    /// Stack that the frame belongs to, where the image has several of them.
    pub stack_id: Option<String>,
    /// When it was acquired and made, as written: sorted, such texts of one series are in the order of time.
    pub acquired_at: Option<String>,
    pub rescale: Rescale,
    pub window: Option<WindowLevel>,
}

impl ImageHeader {
    /// Reads the header of an image and checks that its pixels can be there.
    pub(super) fn read(file: &DicomFile) -> Result<Self, FileError> {
        let header = &file.header;
        if !file.has_pixels() {
            return Err(no_image(file));
        }
        let format = PixelFormat::read(header)?;
        format.check_against(file)?;
        let groups = |tag, item| functional_groups(header, tag, item);
        let shared = groups(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0);
        let mut frames: Vec<_> = (0..format.frames)
            .map(|frame| {
                let own = groups(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame);
                Places { own, shared, header }.frame(format.frames)
            })
            .collect();
        forget_single_stacks(&mut frames);
        let first = Places { own: groups(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, 0), shared, header };
        let word = |tag| first.word(tag);
        Ok(Self {
            sop_class_uid: text(header, tags::SOP_CLASS_UID).or(file.media_sop_class.clone()).unwrap_or_default(),
            study_instance_uid: word(tags::STUDY_INSTANCE_UID),
            series_instance_uid: word(tags::SERIES_INSTANCE_UID),
            sop_instance_uid: word(tags::SOP_INSTANCE_UID),
            frame_of_reference_uid: text(header, tags::FRAME_OF_REFERENCE_UID),
            modality: word(tags::MODALITY),
            series_number: integer(header, tags::SERIES_NUMBER),
            instance_number: integer(header, tags::INSTANCE_NUMBER),
            acquisition_number: integer(header, tags::ACQUISITION_NUMBER),
            image_type: word(tags::IMAGE_TYPE),
            scanning_sequence: first.scanning_sequence(),
            scan_options: [word(tags::SCAN_OPTIONS), first.fat_suppression()].join("\\"),
            acquisition_contrast: first.grouped_word(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::ACQUISITION_CONTRAST),
            sequence_words: [tags::SEQUENCE_NAME, tags::PULSE_SEQUENCE_NAME, tags::PROTOCOL_NAME].map(word).join(" "),
            body_part: word(tags::BODY_PART_EXAMINED),
            anatomic_regions: first.anatomic_regions(),
            is_three_dimensional: word(tags::MR_ACQUISITION_TYPE) == "3D",
            is_lossy: word(tags::LOSSY_IMAGE_COMPRESSION) == "01" || codecs::is_lossy(file.syntax.uid()),
            texts: first.texts(),
            format,
            frames,
        })
    }
}

/// Stack IDs part frames only where they put several together.
fn forget_single_stacks(frames: &mut [FrameHeader]) {
    let ids: BTreeSet<_> = frames.iter().map(|frame| &frame.stack_id).collect();
    if ids.len() == 1 || ids.len() == frames.len() {
        for frame in frames {
            frame.stack_id = None;
        }
    }
}

fn no_image(file: &DicomFile) -> FileError {
    let sop_class = text(&file.header, tags::SOP_CLASS_UID).or_else(|| file.media_sop_class.clone());
    FileError::NoPixelData { sop_class: sop_class.unwrap_or_else(|| "not given".to_owned()) }
}

/// Item `item` of one of the functional groups sequences.
fn functional_groups(header: &InMemDicomObject, tag: Tag, item: usize) -> Option<&InMemDicomObject> {
    header.get(tag)?.items()?.get(item)
}

/// Where to look for the attributes of a frame: its own functional groups, those that all share, the plain header.
#[derive(Clone, Copy)]
struct Places<'a> {
    own: Option<&'a InMemDicomObject>,
    shared: Option<&'a InMemDicomObject>,
    header: &'a InMemDicomObject,
}

impl<'a> Places<'a> {
    /// The macro `sequence` of this frame, if the image is an enhanced one.
    fn group(self, sequence: Tag) -> Option<&'a InMemDicomObject> {
        [self.own, self.shared].into_iter().flatten().find_map(|groups| groups.get(sequence)?.items()?.first())
    }

    /// Where attributes outside of functional groups stand: in the plain header, or among those that a converter of
    /// single images kept as they were (PS3.3 C.7.6.16.2.25).
    fn plain(self) -> impl Iterator<Item = &'a InMemDicomObject> {
        let unassigned = |groups: Option<&'a InMemDicomObject>, sequence| groups?.get(sequence)?.items()?.first();
        let own = unassigned(self.own, tags::UNASSIGNED_PER_FRAME_CONVERTED_ATTRIBUTES_SEQUENCE);
        let shared = unassigned(self.shared, tags::UNASSIGNED_SHARED_CONVERTED_ATTRIBUTES_SEQUENCE);
        [Some(self.header), own, shared].into_iter().flatten()
    }

    fn word(self, tag: Tag) -> String {
        self.plain().find_map(|header| text(header, tag)).unwrap_or_default()
    }

    /// Text of an attribute of a functional group; where there is none, of the plain header.
    fn grouped_word(self, sequence: Tag, tag: Tag) -> String {
        self.group(sequence).and_then(|group| text(group, tag)).unwrap_or_else(|| self.word(tag))
    }

    fn number(self, sequence: Tag, grouped: Tag, plain: Tag) -> Option<f64> {
        let grouped = self.group(sequence).and_then(|group| number(group, grouped));
        grouped.or_else(|| self.plain().find_map(|header| number(header, plain)))
    }

    fn numbers<const N: usize>(self, sequence: Tag, tag: Tag) -> Option<[f64; N]> {
        let values = self.group(sequence).map(|group| numbers(group, tag)).filter(|values| !values.is_empty());
        let values = values.unwrap_or_else(|| numbers(self.header, tag));
        let values: [f64; N] = values.get(..N)?.try_into().ok()?;
        values.iter().all(|value| value.is_finite()).then_some(values)
    }

    fn frame(self, frames: usize) -> FrameHeader {
        let position = self.numbers::<3>(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT);
        // Without functional groups, one position cannot serve many frames.
        let position = position.filter(|_| frames == 1 || self.own.is_some());
        let orientation = self.numbers::<6>(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT);
        let frame_type = self
            .group(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE)
            .and_then(|group| text(group, tags::FRAME_TYPE))
            .or_else(|| text(self.header, tags::IMAGE_TYPE));
        let content = self.group(tags::FRAME_CONTENT_SEQUENCE);
        let frame_type = frame_type.unwrap_or_default();
        let component = self.grouped_word(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::COMPLEX_IMAGE_COMPONENT);
        FrameHeader {
            position: position.map(DVec3::from_array),
            orientation: orientation.map(|[a, b, c, d, e, f]| (DVec3::new(a, b, c), DVec3::new(d, e, f))),
            pixel_spacing: self
                .numbers::<2>(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING)
                .filter(|spacing| spacing.iter().all(|spacing| *spacing > 0.0)),
            echo_time_ms: self.echo_time(),
            temporal_position: content
                .and_then(|content| integer(content, tags::TEMPORAL_POSITION_INDEX))
                .or_else(|| self.plain().find_map(|header| integer(header, tags::TEMPORAL_POSITION_IDENTIFIER))),
            echo_number: self.plain().find_map(|header| integer(header, tags::ECHO_NUMBERS)),
            diffusion_b_value: self
                .number(tags::MR_DIFFUSION_SEQUENCE, tags::DIFFUSION_B_VALUE, tags::DIFFUSION_B_VALUE)
                .or_else(|| self.plain().find_map(makers::diffusion_b_value)),
            part: match SignalPart::of_image_type(&frame_type, &component) {
                SignalPart::Magnitude => self.plain().find_map(makers::signal_part).unwrap_or_default(),
                part => part,
            },
            frame_type,
            stack_id: content.and_then(|content| text(content, tags::STACK_ID)),
            acquired_at: self.acquired_at(),
            rescale: self.rescale(),
            window: self.window(),
        }
    }

    /// All that is said of its time, the time of acquisition first: it may be the same for all images of a series.
    fn acquired_at(self) -> Option<String> {
        let frame = self.group(tags::FRAME_CONTENT_SEQUENCE);
        let frame = frame.and_then(|content| text(content, tags::FRAME_ACQUISITION_DATE_TIME));
        let plain = [
            tags::ACQUISITION_DATE_TIME,
            tags::ACQUISITION_DATE,
            tags::ACQUISITION_TIME,
            tags::CONTENT_DATE,
            tags::CONTENT_TIME,
            tags::INSTANCE_CREATION_DATE,
            tags::INSTANCE_CREATION_TIME,
        ];
        let said: Vec<String> = frame.into_iter().chain(plain.map(|tag| self.word(tag))).collect();
        said.iter().any(|text| !text.is_empty()).then(|| said.join(" "))
    }

    /// Scanning Sequence, or what the attributes of enhanced images say in its terms.
    fn scanning_sequence(self) -> String {
        let plain = self.word(tags::SCANNING_SEQUENCE);
        if !plain.is_empty() {
            return plain;
        }
        let pulses = match self.word(tags::ECHO_PULSE_SEQUENCE).as_str() {
            "SPIN" => "SE",
            "GRADIENT" => "GR",
            "BOTH" => "SE\\GR",
            _ => "",
        };
        let is_planar = self.word(tags::ECHO_PLANAR_PULSE_SEQUENCE) == "YES";
        if is_planar { format!("EP\\{pulses}") } else { pulses.to_owned() }
    }

    fn fat_suppression(self) -> String {
        self.grouped_word(tags::MR_MODIFIER_SEQUENCE, tags::SPECTRALLY_SELECTED_SUPPRESSION)
    }

    fn anatomic_regions(self) -> String {
        let of_items = |object: &InMemDicomObject| -> Vec<String> {
            let items =
                object.get(tags::ANATOMIC_REGION_SEQUENCE).and_then(|element| element.items()).unwrap_or_default();
            items
                .iter()
                .flat_map(|item| [text(item, tags::CODE_VALUE), text(item, tags::CODE_MEANING)])
                .flatten()
                .collect()
        };
        let frame = self.group(tags::FRAME_ANATOMY_SEQUENCE).map(of_items).unwrap_or_default();
        [of_items(self.header), frame].concat().join(", ")
    }

    fn echo_time(self) -> Option<f64> {
        self.number(tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME, tags::ECHO_TIME)
    }

    fn rescale(self) -> Rescale {
        let sequence = tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE;
        let value = |tag| self.number(sequence, tag, tag);
        let slope = value(tags::RESCALE_SLOPE).filter(|slope| *slope != 0.0);
        Rescale { slope: slope.unwrap_or(1.0), intercept: value(tags::RESCALE_INTERCEPT).unwrap_or(0.0) }
    }

    fn window(self) -> Option<WindowLevel> {
        let value = |tag| self.number(tags::FRAME_VOILUT_SEQUENCE, tag, tag);
        let (center, width) = (value(tags::WINDOW_CENTER)?, value(tags::WINDOW_WIDTH)?);
        (width > 0.0).then_some(WindowLevel { center: center as f32, width: width as f32 })
    }

    fn texts(self) -> HeaderTexts {
        let word = |tag| self.word(tag);
        let scanner = [tags::MANUFACTURER, tags::MANUFACTURER_MODEL_NAME].map(word).join(" ").trim().to_owned();
        let timing = tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE;
        HeaderTexts {
            patient_name: word(tags::PATIENT_NAME),
            patient_id: word(tags::PATIENT_ID),
            patient_id_issuer: word(tags::ISSUER_OF_PATIENT_ID),
            patient_birth_date: word(tags::PATIENT_BIRTH_DATE),
            patient_sex: word(tags::PATIENT_SEX),
            study_date: word(tags::STUDY_DATE),
            study_description: word(tags::STUDY_DESCRIPTION),
            institution: word(tags::INSTITUTION_NAME),
            scanner,
            series_description: word(tags::SERIES_DESCRIPTION),
            protocol: word(tags::PROTOCOL_NAME),
            repetition_time_ms: self.number(timing, tags::REPETITION_TIME, tags::REPETITION_TIME),
            echo_time_ms: self.echo_time(),
            inversion_time_ms: self.number(tags::MR_MODIFIER_SEQUENCE, tags::INVERSION_TIMES, tags::INVERSION_TIME),
            slice_thickness_mm: self.number(
                tags::PIXEL_MEASURES_SEQUENCE,
                tags::SLICE_THICKNESS,
                tags::SLICE_THICKNESS,
            ),
            field_strength_tesla: self.plain().find_map(|header| number(header, tags::MAGNETIC_FIELD_STRENGTH)),
        }
    }
}
