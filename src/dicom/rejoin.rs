//! Series that came apart: some exporters and anonymizers give every image a series UID of its own.

use std::collections::BTreeMap;

use super::frames::HeaderTexts;
use super::partition::{height, share_positions, stacks_with};
use super::series::SourceFrame;

/// Fewer images than this are left as they are.
const FEWEST_IMAGES: usize = 3;

/// Joins single images that were one series, by study, patient, number and description; where they have no number, or each
/// one of its own, by description, place and how they were made. What comes together stands where the first of it stood.
pub(super) fn rejoined(series: Vec<Vec<SourceFrame>>) -> Vec<Vec<SourceFrame>> {
    let number = |frame: SourceFrame| frame.image.header.series_number;
    let numbered = join(series, number, |frames| number(frames[0]).is_some() || is_one_stack(frames));
    join(numbered, |_| None, is_one_stack)
}

/// Joins the single images that bear one name and `number`, where `belongs` says that they are one.
fn join<'a>(
    series: Vec<Vec<SourceFrame<'a>>>,
    number: impl Fn(SourceFrame) -> Option<i64>,
    belongs: impl Fn(&[SourceFrame]) -> bool,
) -> Vec<Vec<SourceFrame<'a>>> {
    let name = |frames: &[SourceFrame<'a>]| match frames {
        [frame] if frame.image.header.frames.len() == 1 && height(*frame).is_some() => {
            let header = &frame.image.header;
            let HeaderTexts { patient_id, patient_name, series_description, .. } = &header.texts;
            let whose = [&header.study_instance_uid, patient_id, patient_name];
            Some((whose, number(*frame), [series_description, &header.modality]))
        }
        _ => None,
    };
    let mut together: BTreeMap<_, Vec<SourceFrame>> = BTreeMap::new();
    for frames in &series {
        if let Some(name) = name(frames) {
            together.entry(name).or_default().extend(frames);
        }
    }
    together.retain(|_, frames| frames.len() >= FEWEST_IMAGES && belongs(frames));
    let mut joined = Vec::with_capacity(series.len());
    for frames in series {
        match name(&frames) {
            Some(name) if together.contains_key(&name) => joined.extend(together.get_mut(&name).map(std::mem::take)),
            _ => joined.push(frames),
        }
    }
    joined.retain(|frames| !frames.is_empty());
    joined
}

/// Whether frames are slices of one stack, made alike, each at a position of its own.
fn is_one_stack(frames: &[SourceFrame]) -> bool {
    let made = |frame: SourceFrame| {
        let header = &frame.image.header;
        let times = [header.texts.repetition_time_ms, header.texts.inversion_time_ms];
        (times, header.scan_options.clone(), frame.header().frame_type.clone())
    };
    let are_alike = frames.iter().all(|frame| stacks_with(frames[0], *frame) && made(*frame) == made(frames[0]));
    are_alike && !share_positions(frames)
}
