//! The study at one glance: the middle slice with labelled bodies, and what was found at each disc.

use glam::DVec2;
use image::RgbImage;

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::figure::DISCLAIMER;
use super::marks::{draw_body, draw_measurements};
use super::overlay::{orientation, whole_slice};
use super::{SliceLook, SliceScene};
use crate::language::{Language, say};
use crate::spine::{DiscLevel, Measurement, Vertebra, discs_between, vertebral_window};
use crate::volume::{Volume, WindowLevel};

const IMAGE_HEIGHT: u32 = 1200;
const NOTES_WIDTH: f64 = 560.0;
const TITLE_HEIGHT: f64 = 76.0;
const CAPTION_HEIGHT: f64 = 56.0;
/// Least distance between the notes of two discs.
const NOTE_SPACING: f64 = 92.0;

/// What is written beside a disc.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscNote {
    pub level: DiscLevel,
    /// First line, in large letters: "Pfirrmann IV".
    pub headline: String,
    /// Second line: "narrowing 3, upper endplate defect, stenosis"; may be empty.
    pub detail: String,
    /// How abnormal the disc is, 0 to 1; colors its dot.
    pub severity: f32,
}

/// Draws the middle slice with the outlines and labels of `vertebrae`, and `notes` beside their discs.
/// `title` stands above it; it and the notes are in `language` already.
#[must_use]
pub(crate) fn study_overview(
    volume: &Volume,
    vertebrae: &[Vertebra],
    notes: &[DiscNote],
    title: &str,
    language: Language,
) -> RgbImage {
    let slice = middle_slice(volume, vertebrae);
    let (view, size) = whole_slice(volume, IMAGE_HEIGHT);
    let notes_width = if notes.is_empty() { 0.0 } else { NOTES_WIDTH };
    let width = size.x + notes_width;
    let mut canvas = Canvas::new(width as u32, (TITLE_HEIGHT + size.y + CAPTION_HEIGHT) as u32);
    canvas.place(&key_image(volume, vertebrae, slice, &[], &[], IMAGE_HEIGHT), 0, TITLE_HEIGHT as u32);

    let offset = DVec2::new(0.0, TITLE_HEIGHT);
    let placed: Vec<(&DiscNote, DVec2)> = discs_between(vertebrae)
        .iter()
        .filter_map(|disc| {
            let note = notes.iter().find(|note| note.level == disc.level)?;
            let (upper, lower) = (disc.upper.corners_at(slice as f64)?, disc.lower.corners_at(slice as f64)?);
            // The posterior edge, where a line to the right crosses no body.
            Some((note, view.screen((upper.ip + lower.sp) / 2.0) + offset))
        })
        .collect();
    let heights = spread(&placed.iter().map(|(_, at)| at.y).collect::<Vec<_>>(), (TITLE_HEIGHT, TITLE_HEIGHT + size.y));
    for ((note, at), height) in placed.iter().zip(heights) {
        disc_note(&mut canvas, note, *at, DVec2::new(size.x, height));
    }

    let large = TextStyle::new(30.0, Ink::TEXT).bold();
    canvas.text(DVec2::new(20.0, 48.0), large, &large.shortened(title, width - 40.0));
    let below = TITLE_HEIGHT + size.y + 35.0;
    let quiet = TextStyle::new(18.0, Ink::QUIET);
    let name = say!(language, "Slice {slice} of {count}", slice = slice + 1, count = volume.slices());
    canvas.text(DVec2::new(20.0, below), quiet, &name);
    let disclaimer = quiet.bold().aligned(Align::Right);
    canvas.text(DVec2::new(width - 20.0, below), disclaimer, language.text(DISCLAIMER));
    canvas.finish()
}

/// The slice that shows most of what a reader measured, else the one through the middle of the bodies.
#[must_use]
pub fn key_slice(volume: &Volume, vertebrae: &[Vertebra], measurements: &[Measurement]) -> usize {
    let count = |slice| measurements.iter().filter(|measured| measured.slice == slice).count();
    let most = (0..volume.slices()).rev().max_by_key(|slice| count(*slice));
    most.filter(|slice| count(*slice) > 0).unwrap_or_else(|| middle_slice(volume, vertebrae))
}

/// Draws a slice alone, `height` pixels high, with the outlines and labels of `vertebrae`, in front of each disc of
/// `notes` its level and headline, and what was measured on this slice with its words.
#[must_use]
pub fn key_image(
    volume: &Volume,
    vertebrae: &[Vertebra],
    slice: usize,
    notes: &[DiscNote],
    measurements: &[(Measurement, String)],
    height: u32,
) -> RgbImage {
    let (view, size) = whole_slice(volume, height);
    let window = vertebral_window(volume, vertebrae, slice);
    let look = SliceLook::new(window.unwrap_or_else(|| WindowLevel::from_percentiles(volume.slice(slice))));
    let mut picture = Canvas::new(size.x as u32, size.y as u32);
    picture.place(&SliceScene::new(&view, look).draw(volume, slice, None, size.x as u32, size.y as u32), 0, 0);
    for vertebra in vertebrae {
        draw_body(&mut picture, vertebra, slice, size, |image| view.screen(image));
    }
    let style = TextStyle::new(f64::from(height) / 42.0, Ink::WHITE).halo().aligned(Align::Right);
    for disc in discs_between(vertebrae) {
        let Some(note) = notes.iter().find(|note| note.level == disc.level) else { continue };
        let corners = disc.upper.corners_at(slice as f64).zip(disc.lower.corners_at(slice as f64));
        let Some((upper, lower)) = corners else { continue };
        let [front, back] = [(upper.ia + lower.sa) / 2.0, (upper.ip + lower.sp) / 2.0].map(|point| view.screen(point));
        // In front of the disc, whichever side that is.
        let (side, align) = if front.x < back.x { (-1.0, Align::Right) } else { (1.0, Align::Left) };
        picture.dot(front + DVec2::new(side * 9.0, 0.0), 6.0, Ink::SHADE);
        picture.dot(front + DVec2::new(side * 9.0, 0.0), 5.0, severity_ink(note.severity));
        let at = front + DVec2::new(side * 20.0, style.size * 0.35);
        picture.text(at, style.aligned(align), &format!("{} {}", note.level, note.headline));
    }
    draw_measurements(&mut picture, measurements, slice, style.size, size, |image| view.screen(image));
    // Away from the outlines and from the lines to the notes.
    orientation(&mut picture, volume, size, size * DVec2::new(0.12, 0.92));
    picture.finish()
}

/// The slice nearest to the middle of the bodies.
fn middle_slice(volume: &Volume, vertebrae: &[Vertebra]) -> usize {
    let last = volume.slices() - 1;
    if vertebrae.is_empty() {
        return last / 2;
    }
    let mean = vertebrae.iter().map(Vertebra::center_slice).sum::<f64>() / vertebrae.len() as f64;
    (mean.round().max(0.0) as usize).min(last)
}

/// Heights near the wanted ones (ascending) with room for a note at each, inside the limits where they can be.
fn spread(wanted: &[f64], (top, bottom): (f64, f64)) -> Vec<f64> {
    let half = NOTE_SPACING / 2.0;
    let mut heights = wanted.to_vec();
    let mut floor = top + half;
    for height in &mut heights {
        *height = height.max(floor);
        floor = *height + NOTE_SPACING;
    }
    let mut ceiling = bottom - half;
    for height in heights.iter_mut().rev() {
        *height = height.min(ceiling);
        ceiling = *height - NOTE_SPACING;
    }
    heights
}

/// A leader from the disc to the image's right edge and the note there.
fn disc_note(canvas: &mut Canvas, note: &DiscNote, disc: DVec2, edge: DVec2) {
    let ink = severity_ink(note.severity);
    let knee = DVec2::new(edge.x - 40.0, disc.y.mul_add(0.5, edge.y * 0.5));
    let knee = if (disc.y - edge.y).abs() < 1.0 { DVec2::new(knee.x, edge.y) } else { knee };
    canvas.polyline(&[disc, DVec2::new(edge.x - 90.0, disc.y), knee, edge], false, 1.5, Ink::WHITE.faded(0.55));
    canvas.line(edge, edge + DVec2::new(26.0, 0.0), 1.5, Ink::QUIET.faded(0.6));
    canvas.dot(disc, 5.0, Ink::SHADE);
    canvas.dot(disc, 4.0, ink);
    canvas.dot(edge + DVec2::new(38.0, 0.0), 9.0, ink);
    let left = edge + DVec2::new(62.0, 0.0);
    let lift = if note.detail.is_empty() { 9.0 } else { -3.0 };
    let level = TextStyle::new(26.0, Ink::TEXT).bold();
    canvas.text(left + DVec2::new(0.0, lift), level, &note.level.to_string());
    canvas.text(left + DVec2::new(118.0, lift), TextStyle::new(26.0, Ink::TEXT), &note.headline);
    let small = TextStyle::new(18.0, Ink::QUIET);
    canvas.text(left + DVec2::new(0.0, 25.0), small, &small.shortened(&note.detail, NOTES_WIDTH - 82.0));
}

/// Calm blue-green for normal over amber to red for severe, alike in lightness.
fn severity_ink(severity: f32) -> Ink {
    const STOPS: [[f32; 3]; 3] = [[84.0, 168.0, 150.0], [226.0, 164.0, 64.0], [205.0, 72.0, 66.0]];
    let place = severity.clamp(0.0, 1.0) * 2.0;
    let below = (place.floor() as usize).min(1);
    let mixed: [f32; 3] = std::array::from_fn(|channel| {
        STOPS[below][channel] + (STOPS[below + 1][channel] - STOPS[below][channel]) * (place - below as f32)
    });
    let [red, green, blue] = mixed.map(|channel| channel.round() as u8);
    Ink([red, green, blue, 255])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_never_overlap_and_stay_on_the_sheet() {
        let heights = spread(&[10.0, 20.0, 500.0, 980.0, 990.0], (0.0, 1000.0));
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= NOTE_SPACING - 1e-9), "{heights:?}");
        assert!(heights[0] >= NOTE_SPACING / 2.0 && heights[4] <= 1000.0 - NOTE_SPACING / 2.0);
        assert_eq!(heights[2], 500.0);
    }
}
