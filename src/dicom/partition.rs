//! Parts the frames of a series into stacks of parallel slices with one slice at each position.

use std::collections::{BTreeMap, BTreeSet};

use glam::{DVec2, DVec3};

use super::series::SourceFrame;

/// Slices nearer than this along the normal lie at one position, mm.
pub(super) const SAME_POSITION_MM: f64 = 0.01;
/// Orientations whose components differ by less belong to one stack.
const ORIENTATION_TOLERANCE: f64 = 2e-3;
/// Slices that are shifted further than this in their own plane were taken at another position of the table, mm.
const STATION_SHIFT_MM: f64 = 50.0;

/// Parts frames by orientation, matrix, spacing, echo, part of the signal, stack, station of the table, and repetition.
pub(super) fn stacks(frames: Vec<SourceFrame>) -> Vec<Vec<SourceFrame>> {
    let mut alike: Vec<Vec<SourceFrame>> = Vec::new();
    for frame in frames {
        match alike.iter_mut().find(|stack| stacks_with(stack[0], frame)) {
            Some(stack) => stack.push(frame),
            None => alike.push(vec![frame]),
        }
    }
    alike.into_iter().flat_map(split_stations).flat_map(split_repetitions).collect()
}

/// Whether two frames can be slices of one stack.
pub(super) fn stacks_with(one: SourceFrame, other: SourceFrame) -> bool {
    let (a, b) = (one.header(), other.header());
    let close = |a: f64, b: f64, tolerance: f64| (a - b).abs() < tolerance;
    let same = |a: DVec3, b: DVec3| (a - b).abs().max_element() < ORIENTATION_TOLERANCE;
    let size = |frame: SourceFrame| (frame.image.header.format.rows, frame.image.header.format.columns);
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
    size(one) == size(other)
        && orientation
        && spacing
        && echo
        && a.part == b.part
        && a.stack_id == b.stack_id
        && a.position.is_some() == b.position.is_some()
}

/// Parts frames of parallel planes that were taken at several positions of the table. The slices of one stack shift
/// little by little in their plane, if at all; the next station lies a field of view further on.
fn split_stations(mut frames: Vec<SourceFrame>) -> Vec<Vec<SourceFrame>> {
    let Some((column, row)) = frames[0].header().orientation else { return vec![frames] };
    let in_plane =
        |frame: &SourceFrame| frame.header().position.map_or(DVec2::ZERO, |at| DVec2::new(at.dot(column), at.dot(row)));
    let mut stations = Vec::new();
    for axis in [DVec2::Y, DVec2::X] {
        let along = |frame: &SourceFrame| in_plane(frame).dot(axis);
        frames.sort_by(|a, b| along(a).total_cmp(&along(b)));
        let jump = frames.windows(2).position(|pair| along(&pair[1]) - along(&pair[0]) > STATION_SHIFT_MM);
        if let Some(last) = jump {
            let rest = frames.split_off(last + 1);
            stations.extend(split_stations(frames));
            stations.extend(split_stations(rest));
            return stations;
        }
    }
    vec![frames]
}

/// Distance of a frame along its normal, mm; `None` without position or orientation.
pub(super) fn height(frame: SourceFrame) -> Option<f64> {
    let header = frame.header();
    let (column, row) = header.orientation?;
    Some(header.position?.dot(column.cross(row).normalize_or_zero()))
}

/// Number of frames that lie where another one lies already.
fn duplicates(frames: &[SourceFrame]) -> usize {
    let mut heights: Vec<f64> = frames.iter().filter_map(|frame| height(*frame)).collect();
    heights.sort_by(f64::total_cmp);
    heights.windows(2).filter(|pair| pair[1] - pair[0] < SAME_POSITION_MM).count()
}

/// Whether several of the frames lie at one position.
pub(super) fn share_positions(frames: &[SourceFrame]) -> bool {
    duplicates(frames) > 0
}

/// Parts frames that share positions by what distinguishes echoes and repetitions: frame type, echo, time, diffusion
/// weighting, acquisition.
/// Where only the clock distinguishes them, the images of each position are counted in the order in which they were taken.
fn split_repetitions(frames: Vec<SourceFrame>) -> Vec<Vec<SourceFrame>> {
    if duplicates(&frames) == 0 {
        return vec![frames];
    }
    let marks: [fn(SourceFrame) -> String; 5] = [
        |frame| frame.header().frame_type.clone(),
        |frame| frame.header().echo_number.map_or_else(String::new, |number| format!("{number:08}")),
        |frame| frame.header().temporal_position.map_or_else(String::new, |time| format!("{time:08}")),
        |frame| frame.header().diffusion_b_value.map_or_else(String::new, |b| format!("{b:09.1}")),
        |frame| frame.image.header.acquisition_number.map_or_else(String::new, |number| format!("{number:08}")),
    ];
    for mark in marks {
        let mut parts: BTreeMap<String, Vec<SourceFrame>> = BTreeMap::new();
        for frame in &frames {
            parts.entry(mark(*frame)).or_default().push(*frame);
        }
        if parts.len() > 1 && parts.values().all(|part| duplicates(&without_copies(part)) == 0) {
            return parts.into_values().collect();
        }
    }
    by_clock(&frames).unwrap_or_else(|| vec![frames])
}

/// The frames without further copies of the same image.
fn without_copies<'a>(frames: &[SourceFrame<'a>]) -> Vec<SourceFrame<'a>> {
    let mut seen = BTreeSet::new();
    let is_new = |frame: &&SourceFrame<'a>| seen.insert((frame.image.header.sop_instance_uid.as_str(), frame.index));
    frames.iter().filter(is_new).copied().collect()
}

/// The first, second, … image that was taken at each position; `None` if two of them bear the same time.
fn by_clock<'a>(frames: &[SourceFrame<'a>]) -> Option<Vec<Vec<SourceFrame<'a>>>> {
    let mut placed = Vec::with_capacity(frames.len());
    for frame in without_copies(frames) {
        placed.push((height(frame)?, frame.header().acquired_at.as_deref()?, frame));
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut repetitions: Vec<Vec<SourceFrame>> = Vec::new();
    for position in placed.chunk_by_mut(|a, b| b.0 - a.0 < SAME_POSITION_MM) {
        position.sort_by_key(|(_, time, _)| *time);
        if position.windows(2).any(|pair| pair[0].1 == pair[1].1) {
            return None;
        }
        for (repetition, (.., frame)) in position.iter().enumerate() {
            match repetitions.get_mut(repetition) {
                Some(frames) => frames.push(*frame),
                None => repetitions.push(vec![*frame]),
            }
        }
    }
    (repetitions.len() > 1).then_some(repetitions)
}
