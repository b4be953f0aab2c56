//! The slices that a reader marked, as pictures: window and command line make the same from the report and its images.

use std::path::Path;

use image::RgbImage;

use super::{ExportError, ExportOptions, ReportedStudy, Written};
use crate::files::PathError;
use crate::language::{Language, say};
use crate::picture::{MarkedSlice, SliceLook, captioned, marked_slice, write_png};
use crate::pipeline::{Evidence, Explanation, Models};
use crate::records::{DiscEntry, KeyImage, KeyMap, KeySubject};
use crate::saliency::{CONVERGED, EvidenceWay, MOST_VIEWS, SaliencyMap, SaliencyTarget, WayChoice};
use crate::spine::SliceBox;
use crate::task::{CancelToken, Progress};
use crate::words::UnknownWord;

/// Longer side of a picture: sharp in print over half a page, with letters that can be read there.
const PIXELS: u32 = 800;

/// A key image as it leaves.
pub(super) struct KeyPicture {
    pub(crate) picture: RgbImage,
    /// Slice, disc and grading.
    pub(crate) title: String,
    /// What the reader had to say; often empty.
    pub(crate) comment: String,
    /// Display window, and how the map was made.
    pub(crate) detail: String,
}

impl KeyMap {
    /// How a map was made that a reader sees.
    #[cfg(feature = "gui")]
    #[must_use]
    pub(crate) fn of(map: &SaliencyMap, way: &EvidenceWay) -> Self {
        Self {
            grade: map.grading.grade_from_class(map.class),
            method: map.method.key().to_owned(),
            layer: Some(map.layer.key().to_owned()),
            smoothing_mm: map.smoothing_mm,
            box_rule: way.box_rule,
            percentile: way.percentile,
        }
    }

    /// The way to make it again.
    pub(crate) fn way(&self) -> Result<EvidenceWay, UnknownWord> {
        let Self { smoothing_mm, box_rule, percentile, .. } = *self;
        let layer = self.layer.as_ref().map(|layer| layer.parse()).transpose()?;
        Ok(EvidenceWay { method: self.method.parse()?, layer, smoothing_mm, box_rule, percentile })
    }
}

/// Computes the maps of key images that the study does not hold yet, as the window computes them.
///
/// # Errors
/// If a key image names a method that there is not, the weights cannot be loaded, or the work is cancelled.
pub(crate) fn explain_key_images(
    study: &mut ReportedStudy,
    models: &mut Models,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), ExportError> {
    for subject in study.report.key_images.clone().into_iter().filter_map(|image| image.subject) {
        let (Some(map), Some(class)) = (&subject.map, subject.class()) else { continue };
        if evidence_of(study, &subject)?.is_some() {
            continue;
        }
        let entry = study.report.discs.iter().find(|entry| entry.level == subject.level);
        let disc = study.discs.iter().find(|disc| disc.level == subject.level);
        // Without its disc or its grades the picture says that it has no map.
        let (Some(disc), Some(prediction)) = (disc, entry.and_then(DiscEntry::prediction)) else { continue };
        let explanation = Explanation {
            series: &study.series,
            choice: WayChoice::exactly(map.way()?),
            augmentations: MOST_VIEWS,
            precision: Some(CONVERGED),
            seed: 0,
        };
        let target = [SaliencyTarget { grading: subject.grading, class }];
        let found = explanation.evidence(models, disc, &prediction, &target, cancel, on_progress)?;
        study.key_evidence.extend(found);
    }
    Ok(())
}

/// The evidence of a key image, if the study holds its map.
fn evidence_of(study: &ReportedStudy, subject: &KeySubject) -> Result<Option<Evidence>, UnknownWord> {
    let (Some(map), Some(class)) = (&subject.map, subject.class()) else { return Ok(None) };
    let way = map.way()?;
    let is_it = |evidence: &&Evidence| {
        let found = evidence.map.as_ref();
        (found.level, found.grading, found.class) == (subject.level, subject.grading, class)
            && (found.method, found.smoothing_mm) == (way.method, way.smoothing_mm)
            && way.layer.is_none_or(|layer| layer == found.layer)
    };
    let found = study.key_evidence.iter().chain(&study.evidence).find(is_it);
    let cut = |evidence: &Evidence| Evidence {
        percentile: way.percentile,
        box_rule: way.box_rule,
        reader_boxes: Vec::new(),
        ..evidence.clone()
    };
    Ok(found.map(cut))
}

/// The key images of a report in order.
pub(super) fn key_pictures(study: &ReportedStudy) -> Result<Vec<KeyPicture>, UnknownWord> {
    study.report.key_images.iter().map(|image| key_picture(study, image)).collect()
}

fn key_picture(study: &ReportedStudy, image: &KeyImage) -> Result<KeyPicture, UnknownWord> {
    let (language, volume) = (study.language, &study.series.volume);
    let subject = image.subject.as_ref();
    let evidence = subject.map(|subject| evidence_of(study, subject)).transpose()?.flatten();
    let figure = evidence.as_ref().map(|evidence| evidence.figure(language));
    let entries = study.report.measurements.iter();
    let measurements: Vec<_> = entries.map(|entry| (entry.measurement(), entry.in_words(language))).collect();
    let is_of_subject =
        |drawn: &&SliceBox| subject.is_some_and(|it| (it.level, it.grading) == (drawn.level, drawn.grading));
    let readers = study.boxes.iter().filter(|drawn| drawn.source == crate::spine::BoxSource::Reader);
    let boxes: Vec<SliceBox> = readers.filter(is_of_subject).cloned().collect();
    let marked = MarkedSlice {
        slice: image.slice,
        look: SliceLook { invert: image.inverted, ..SliceLook::new(image.window) },
        region: image.region,
        vertebrae: &study.vertebrae,
        measurements: &measurements,
        boxes: &boxes,
        figure: figure.as_ref(),
    };
    let title = match &figure {
        Some(figure) => format!("{}, {} {}", slice_in_words(study, image), figure.level, figure.finding()),
        None => in_words(study, image),
    };
    let mut detail = vec![window_in_words(image, language)];
    match &figure {
        Some(figure) => detail.push(figure.making()),
        None if subject.is_some_and(|subject| subject.map.is_some()) => {
            detail.push(say!(language, "without the evidence map that it was marked with").to_owned());
        }
        None => {}
    }
    let picture = marked_slice(volume, &marked, PIXELS);
    let comment = image.comment.trim().to_owned();
    Ok(KeyPicture { picture, title, comment, detail: detail.join("; ") })
}

fn slice_in_words(study: &ReportedStudy, image: &KeyImage) -> String {
    let count = study.series.volume.slices();
    say!(study.language, "Slice {slice} of {count}", slice = image.slice + 1, count = count)
}

/// Slice, disc and grading of a key image: "Slice 6 of 11, L4-L5 Pfirrmann grade".
pub(super) fn in_words(study: &ReportedStudy, image: &KeyImage) -> String {
    let slice = slice_in_words(study, image);
    match &image.subject {
        Some(subject) => format!("{slice}, {} {}", subject.level, study.language.text(subject.grading.name())),
        None => slice,
    }
}

/// "window 600, level 300, inverted".
fn window_in_words(image: &KeyImage, language: Language) -> String {
    let [width, level] = [image.window.width, image.window.center].map(|value| format!("{value:.0}"));
    let window = say!(language, "window {width}, level {level}", width = width, level = level);
    if image.inverted { format!("{window}, {}", say!(language, "inverted")) } else { window }
}

/// Writes the key images as `key-image-1.png` and so on into `folder`; returns the files.
///
/// # Errors
/// If a key image names a method that there is not, or a file cannot be written.
pub(super) fn write_key_images(
    study: &ReportedStudy,
    _options: &ExportOptions,
    folder: &Path,
) -> Result<Written, ExportError> {
    std::fs::create_dir_all(folder).map_err(PathError::at(folder))?;
    let mut files = Vec::new();
    for (index, key) in key_pictures(study)?.into_iter().enumerate() {
        let file = folder.join(format!("key-image-{}.png", index + 1));
        write_png(&key.captioned(), &file)?;
        files.push(file);
    }
    Ok(Written { files, note: None })
}

impl KeyPicture {
    /// The picture over its title and comment.
    pub(crate) fn captioned(&self) -> RgbImage {
        if self.comment.is_empty() {
            return captioned(&self.picture, &self.title);
        }
        captioned(&self.picture, &format!("{}: {}", self.title, self.comment))
    }
}
