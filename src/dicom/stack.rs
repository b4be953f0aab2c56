//! Orders the slices of one stack by position and says what is odd about their places.

use std::collections::BTreeSet;

use glam::DVec3;

use super::partition::SAME_POSITION_MM;
use super::series::SourceFrame;
use super::warning::{SeriesWarning, WarningCode};
use crate::language::message;
use crate::volume::VolumeGeometry;

/// Sizes of pixels that scans of patients have, mm.
const PLAUSIBLE_SPACING_MM: std::ops::RangeInclusive<f64> = 0.05..=5.0;

/// Parallel slices in order, at most one at each position.
pub(super) struct Stack<'a> {
    pub frames: Vec<SourceFrame<'a>>,
    pub geometry: VolumeGeometry,
    pub has_orientation: bool,
    pub warnings: Vec<SeriesWarning>,
}

impl<'a> Stack<'a> {
    /// Sorts frames along their normal, keeps one at each position, and measures the gaps.
    ///
    /// Without positions or orientation the order is that of instance numbers, which a warning says.
    pub(super) fn sort(mut frames: Vec<SourceFrame<'a>>) -> Self {
        // Numbers that several images share may be those of several acquisitions, which files keep apart better.
        let numbers: BTreeSet<_> = frames.iter().map(number_of).collect();
        let are_numbered = numbers.len() == frames.len();
        let order = |frame: &SourceFrame| are_numbered.then(|| number_of(frame));
        let file = |frame: &SourceFrame<'a>| (&frame.image.path, frame.index);
        frames.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| file(a).cmp(&file(b))));
        let mut warnings = Vec::new();
        let orientation = frames[0].header().orientation.and_then(|axes| orthonormal(axes, &mut warnings));
        if orientation.is_none() {
            let message = message!("the header has no usable image orientation; the plane is unknown");
            warnings.push(SeriesWarning::new(WarningCode::MissingOrientation, message));
        }
        let (column, row) = orientation.unwrap_or((DVec3::X, DVec3::Y));
        let normal = column.cross(row);
        let positions: Option<Vec<DVec3>> = frames.iter().map(|frame| frame.header().position).collect();
        let origins = if let Some(positions) = positions {
            let mut placed: Vec<_> = frames.into_iter().zip(positions).collect();
            placed.sort_by(|a, b| a.1.dot(normal).total_cmp(&b.1.dot(normal)));
            drop_duplicates(&mut placed, normal, &mut warnings);
            let (sorted, origins): (Vec<_>, Vec<_>) = placed.into_iter().unzip();
            frames = sorted;
            check_gaps(&origins, normal, &mut warnings);
            origins
        } else {
            let message =
                message!("the header has no image position; slices stand 1 mm apart in the order of their numbers");
            warnings.push(SeriesWarning::new(WarningCode::MissingPosition, message));
            (0..frames.len()).map(|slice| normal * slice as f64).collect()
        };
        let spacing = frames[0].header().pixel_spacing.unwrap_or_else(|| {
            let message = message!("the header has no pixel spacing; 1 mm is assumed");
            warnings.push(SeriesWarning::new(WarningCode::MissingPixelSpacing, message));
            [1.0, 1.0]
        });
        if spacing.iter().any(|spacing| !PLAUSIBLE_SPACING_MM.contains(spacing)) {
            let [row, column] = spacing.map(|mm| format!("{mm:.3}"));
            let message = message!(
                "pixels of {row} x {column} mm are no size of a spine image; distances and boxes may be wrong",
                row = row,
                column = column
            );
            warnings.push(SeriesWarning::new(WarningCode::ImplausiblePixelSpacing, message));
        }
        if (spacing[0] - spacing[1]).abs() > 1e-3 * spacing[0] {
            let [row, column] = spacing.map(|mm| format!("{mm:.4}"));
            let message = message!("pixels are {row} mm high and {column} mm wide", row = row, column = column);
            warnings.push(SeriesWarning::new(WarningCode::AnisotropicPixels, message));
        }
        let thickness = frames[0].image.header.texts.slice_thickness_mm;
        let geometry = VolumeGeometry::new(origins, column, row, spacing[0], spacing[1])
            .expect("axes and spacing were made valid above")
            .with_slice_thickness(thickness);
        Self { frames, geometry, has_orientation: orientation.is_some(), warnings }
    }
}

/// Number of the image in its series, and of the frame in the image.
fn number_of(frame: &SourceFrame) -> (Option<i64>, usize) {
    (frame.image.header.instance_number, frame.index)
}

/// Exactly orthogonal unit vectors next to the given ones; `None` where they are too far from that.
fn orthonormal((column, row): (DVec3, DVec3), warnings: &mut Vec<SeriesWarning>) -> Option<(DVec3, DVec3)> {
    let (unit_column, unit_row) = (column.try_normalize()?, row.try_normalize()?);
    let skew = unit_column.dot(unit_row).abs();
    let stretch = (column.length() - 1.0).abs().max((row.length() - 1.0).abs());
    if skew > 0.05 || stretch > 0.05 {
        return None;
    }
    if skew > 1e-4 || stretch > 1e-4 {
        let message = message!("image orientation was not two orthogonal unit vectors; it was corrected");
        warnings.push(SeriesWarning::new(WarningCode::OrientationCorrected, message));
    } else {
        return Some((column, row));
    }
    let straight_row = (unit_row - unit_column * unit_column.dot(unit_row)).try_normalize()?;
    Some((unit_column, straight_row))
}

/// Keeps the first of the frames at each position.
fn drop_duplicates(placed: &mut Vec<(SourceFrame, DVec3)>, normal: DVec3, warnings: &mut Vec<SeriesWarning>) {
    let before = placed.len();
    placed.dedup_by(|next, kept| (next.1 - kept.1).dot(normal) < SAME_POSITION_MM);
    let dropped = before - placed.len();
    if dropped > 0 {
        let message = message!(
            "{dropped} of {total} images lie where another one lies and are left out",
            dropped = dropped,
            total = before
        );
        warnings.push(SeriesWarning::new(WarningCode::DuplicatePositions, message));
    }
}

/// Warns of gaps that differ, of missing slices and of shear.
fn check_gaps(origins: &[DVec3], normal: DVec3, warnings: &mut Vec<SeriesWarning>) {
    let gaps: Vec<f64> = origins.windows(2).map(|pair| (pair[1] - pair[0]).dot(normal)).collect();
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    let Some(&usual) = sorted.get(sorted.len().saturating_sub(1) / 2) else { return };
    let tolerance = (0.02 * usual).max(0.02);
    let missing: usize = gaps
        .iter()
        .map(|gap| gap / usual)
        .filter(|ratio| ratio.round() >= 2.0 && (ratio - ratio.round()).abs() < 0.1)
        .map(|ratio| ratio.round() as usize - 1)
        .sum();
    let (smallest, largest) = (sorted[0], sorted[sorted.len() - 1]);
    if missing > 0 {
        let message = message!(
            "{missing} slices seem to be missing: gaps of up to {largest} mm, usually {usual} mm",
            missing = missing,
            largest = format!("{largest:.2}"),
            usual = format!("{usual:.2}")
        );
        warnings.push(SeriesWarning::new(WarningCode::MissingSlices, message));
    }
    if largest - smallest > tolerance {
        let message = message!(
            "slices are {smallest} to {largest} mm apart",
            smallest = format!("{smallest:.2}"),
            largest = format!("{largest:.2}")
        );
        warnings.push(SeriesWarning::new(WarningCode::UnevenSliceSpacing, message));
    }
    let sideways = origins
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) - normal * (pair[1] - pair[0]).dot(normal))
        .map(DVec3::length)
        .fold(0.0, f64::max);
    if sideways > 0.1 * usual {
        let message = message!(
            "the stack is sheared: slices shift by up to {shift} mm against their neighbors",
            shift = format!("{sideways:.2}")
        );
        warnings.push(SeriesWarning::new(WarningCode::ShearedStack, message));
    }
}
