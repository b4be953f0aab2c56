//! Network output of one slice → candidate bodies with corners.

use glam::DVec2;

use crate::model::detector::{DetectorHead, OFFSET_UNIT_MM, OUTPUT_STRIDE};
use crate::spine::{Corners, VertebraLabel};

/// Peaks below this probability are not looked at.
const PEAK_THRESHOLD: f32 = 0.2;

/// A corner peak replaces the predicted offset within this distance, mm.
const CORNER_RADIUS_MM: f64 = 6.0;

/// Disc height at which the endplate above a body is looked for, and the least it may have, mm.
const USUAL_DISC_MM: f64 = 7.0;
const THINNEST_DISC_MM: f64 = 1.5;

/// Corners of a body that the image cuts off must be at least this probable.
const ENDPLATE_THRESHOLD: f32 = 0.4;

/// Depth given to S1 below its upper endplate, mm.
const SACRUM_HEIGHT_MM: f64 = 25.0;

/// What the network's peak says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A vertebral body with four corners.
    Body,
    /// The upper endplate of S1: the first two corners are seen, the others follow from the endplate.
    Sacrum,
}

/// A body seen on one slice.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Body or sacrum.
    pub kind: Kind,
    /// Probability of the peak, 0 to 1.
    pub score: f32,
    /// Position of the peak on the canvas, pixels.
    pub center: DVec2,
    /// Corners SA, SP, IP, IA on the canvas, pixels.
    pub corners: [DVec2; 4],
    /// Lower endplate (IP, IA) of a body above this one, where its corners are seen; tells of a body that the image cuts
    /// off, whose center it does not show.
    pub endplate_above: Option<[DVec2; 2]>,
    /// Log-probability of each level, in the order of [`VertebraLabel::ALL`].
    pub log_labels: [f32; VertebraLabel::ALL.len()],
}

/// Raw output of one slice, `[DetectorHead::TOTAL, rows, columns]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SliceOutput<'a> {
    /// Values, channel-major.
    pub values: &'a [f32],
    /// Cell rows.
    pub rows: usize,
    /// Cell columns.
    pub columns: usize,
    /// Edge of a canvas pixel, mm.
    pub pixel_mm: f64,
}

/// Canvas position of the middle of an output cell.
#[must_use]
pub(crate) fn canvas_from_cell(cell: DVec2) -> DVec2 {
    let stride = OUTPUT_STRIDE as f64;
    cell * stride + (stride - 1.0) / 2.0
}

/// Fractional output cell of a canvas position; inverse of [`canvas_from_cell`].
#[must_use]
pub(crate) fn cell_from_canvas(canvas: DVec2) -> DVec2 {
    let stride = OUTPUT_STRIDE as f64;
    (canvas - (stride - 1.0) / 2.0) / stride
}

impl SliceOutput<'_> {
    /// All candidates of the slice, strongest first.
    #[must_use]
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (kind, head) in [(Kind::Body, DetectorHead::Body), (Kind::Sacrum, DetectorHead::Sacrum)] {
            for (row, column) in self.peaks(head.channels().0, PEAK_THRESHOLD) {
                found.push(self.candidate(kind, head.channels().0, row, column));
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found
    }

    fn value(&self, channel: usize, row: usize, column: usize) -> f32 {
        self.values[(channel * self.rows + row) * self.columns + column]
    }

    fn probability(&self, channel: usize, row: usize, column: usize) -> f32 {
        1.0 / (1.0 + (-self.value(channel, row, column)).exp())
    }

    /// Cells that are the largest of their 3 × 3 neighbourhood and above the threshold.
    fn peaks(&self, channel: usize, threshold: f32) -> Vec<(usize, usize)> {
        let logit = (threshold / (1.0 - threshold)).ln();
        let mut peaks = Vec::new();
        for row in 0..self.rows {
            for column in 0..self.columns {
                let value = self.value(channel, row, column);
                // On a plateau the first cell wins.
                let beaten = |(r, c): (usize, usize)| {
                    let other = self.value(channel, r, c);
                    other > value || (other == value && (r, c) < (row, column))
                };
                if value > logit && !self.around(row, column).any(beaten) {
                    peaks.push((row, column));
                }
            }
        }
        peaks
    }

    /// The up to nine cells around and including a cell.
    fn around(&self, row: usize, column: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = row.saturating_sub(1)..=(row + 1).min(self.rows - 1);
        let columns = column.saturating_sub(1)..=(column + 1).min(self.columns - 1);
        rows.flat_map(move |r| columns.clone().map(move |c| (r, c)))
    }

    fn candidate(&self, kind: Kind, channel: usize, row: usize, column: usize) -> Candidate {
        let mut weight = 0f64;
        let mut corners = [DVec2::ZERO; 4];
        let mut log_labels = [0f32; VertebraLabel::ALL.len()];
        let peak = self.probability(channel, row, column);
        for (r, c) in self.around(row, column) {
            let probability = self.probability(channel, r, c);
            // Far from the center offsets and levels are not learned.
            if probability < 0.5 * peak {
                continue;
            }
            let share = f64::from(probability);
            weight += share;
            let here = canvas_from_cell(DVec2::new(c as f64, r as f64));
            for (corner, sum) in corners.iter_mut().enumerate() {
                *sum += (here + self.offset(corner, r, c)) * share;
            }
            for (sum, log) in log_labels.iter_mut().zip(self.log_softmax(r, c)) {
                *sum += log * share as f32;
            }
        }
        let mut corners = corners.map(|sum| sum / weight);
        for (corner, position) in corners.iter_mut().enumerate() {
            *position = self.refined_corner(corner, *position);
        }
        if kind == Kind::Sacrum {
            let pixel = DVec2::splat(self.pixel_mm);
            // Both ends of the endplate on one point: no outline, and no place in any chain.
            corners = Corners::from_upper_endplate(corners[0], corners[1], pixel, SACRUM_HEIGHT_MM)
                .map_or([corners[0]; 4], |closed| closed.as_array());
        }
        Candidate {
            kind,
            score: peak,
            center: self.sub_cell_peak(channel, row, column),
            corners,
            endplate_above: if kind == Kind::Body { self.endplate_above(corners) } else { None },
            log_labels: log_labels.map(|sum| sum / weight as f32),
        }
    }

    /// The inferior corners of the next body above, looked for over the superior corners of this one.
    fn endplate_above(&self, [sa, sp, ip, ia]: [DVec2; 4]) -> Option<[DVec2; 2]> {
        let find = |corner: usize, below: DVec2, up: DVec2| {
            let start = below + up * (USUAL_DISC_MM / self.pixel_mm);
            let (position, probability) = self.corner_peak(corner, start)?;
            let height_mm = (position - below).dot(up) * self.pixel_mm;
            (probability > ENDPLATE_THRESHOLD && height_mm > THINNEST_DISC_MM).then_some(position)
        };
        let (up_anterior, up_posterior) = ((sa - ia).try_normalize()?, (sp - ip).try_normalize()?);
        Some([find(2, sp, up_posterior)?, find(3, sa, up_anterior)?])
    }

    /// Predicted offset to a corner, canvas pixels.
    fn offset(&self, corner: usize, row: usize, column: usize) -> DVec2 {
        let first = DetectorHead::Offsets.channels().0 + 2 * corner;
        let units = DVec2::new(self.value(first, row, column).into(), self.value(first + 1, row, column).into());
        units * (OFFSET_UNIT_MM / self.pixel_mm)
    }

    fn log_softmax(&self, row: usize, column: usize) -> [f32; VertebraLabel::ALL.len()] {
        let first = DetectorHead::Labels.channels().0;
        let logits: [f32; VertebraLabel::ALL.len()] = std::array::from_fn(|i| self.value(first + i, row, column));
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let log_sum = logits.iter().map(|logit| (logit - largest).exp()).sum::<f32>().ln() + largest;
        logits.map(|logit| logit - log_sum)
    }

    /// Position of a peak from the parabola through the log-probabilities around it; canvas pixels.
    fn sub_cell_peak(&self, channel: usize, row: usize, column: usize) -> DVec2 {
        let log = |r: usize, c: usize| self.probability(channel, r, c).max(1e-6).ln();
        let shift = |before: f32, here: f32, after: f32| {
            let curvature = before + after - 2.0 * here;
            if curvature < -1e-6 { f64::from((before - after) / (2.0 * curvature)).clamp(-0.5, 0.5) } else { 0.0 }
        };
        let here = log(row, column);
        let inner = |index: usize, count: usize| index > 0 && index + 1 < count;
        let x = if inner(column, self.columns) { shift(log(row, column - 1), here, log(row, column + 1)) } else { 0.0 };
        let y = if inner(row, self.rows) { shift(log(row - 1, column), here, log(row + 1, column)) } else { 0.0 };
        canvas_from_cell(DVec2::new(column as f64 + x, row as f64 + y))
    }

    /// The corner's own peak near the position that the body's offsets predict, as far as it is one.
    fn refined_corner(&self, corner: usize, predicted: DVec2) -> DVec2 {
        match self.corner_peak(corner, predicted) {
            Some((peak, probability)) => predicted.lerp(peak, f64::from((probability / 0.5).min(1.0)).powi(2)),
            None => predicted,
        }
    }

    /// Position and probability of the strongest peak of a corner near `predicted`.
    fn corner_peak(&self, corner: usize, predicted: DVec2) -> Option<(DVec2, f32)> {
        let channel = DetectorHead::Corners.channels().0 + corner;
        let cell = cell_from_canvas(predicted);
        let radius = CORNER_RADIUS_MM / self.pixel_mm / OUTPUT_STRIDE as f64;
        let range = |center: f64, count: usize| {
            let low = (center - radius).ceil().max(0.0) as usize;
            let high = ((center + radius).floor() + 1.0).clamp(0.0, count as f64) as usize;
            low..high
        };
        let mut best: Option<(f64, usize, usize)> = None;
        for row in range(cell.y, self.rows) {
            for column in range(cell.x, self.columns) {
                let distance = (DVec2::new(column as f64, row as f64) - cell).length() / radius;
                let score = f64::from(self.probability(channel, row, column)) * (-0.5 * (distance / 0.5).powi(2)).exp();
                if best.is_none_or(|(largest, ..)| score > largest) {
                    best = Some((score, row, column));
                }
            }
        }
        let (_, row, column) = best?;
        Some((self.sub_cell_peak(channel, row, column), self.probability(channel, row, column)))
    }
}
