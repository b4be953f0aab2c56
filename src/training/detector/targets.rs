//! What the network should say of a view.

use glam::DVec2;

use crate::detection::decode::{canvas_from_cell, cell_from_canvas};
use crate::model::detector::{OFFSET_UNIT_MM, OUTPUT_STRIDE};
use crate::spine::VertebraLabel;

/// Standard deviations of the peaks, mm.
const CENTER_DEVIATION_MM: f64 = 5.0;
const CORNER_DEVIATION_MM: f64 = 4.0;
/// Offsets and levels are learned where a center's peak is higher than this.
const NEAR_CENTER: f32 = 0.3;
/// Above the topmost labelled body there may be others without labels: nothing is learned further above it, mm.
const SEEN_ABOVE_TOP_MM: f64 = 8.0;

/// Channels with peaks: body, sacrum, four corners, in the order of the network's first heads.
pub(crate) const PEAK_CHANNELS: usize = 6;

/// A labelled body on a canvas.
#[derive(Debug, Clone)]
pub(crate) struct CanvasBody {
    pub label: VertebraLabel,
    /// Corners SA, SP, IP, IA, canvas pixels; the lower two of S1 are not used.
    pub corners: [DVec2; 4],
    /// Whether the upper corners are real; where not, only the lower ones are learned.
    pub upper_is_seen: bool,
}

/// Dense targets of one view, cells row-major.
#[derive(Debug, Clone)]
pub(crate) struct Targets {
    /// Cell rows.
    pub rows: usize,
    /// Cell columns.
    pub columns: usize,
    /// Peak heights 0 to 1, `[PEAK_CHANNELS, rows, columns]`.
    pub peaks: Vec<f32>,
    /// Whether the peaks of a cell are known.
    pub known: Vec<bool>,
    /// Offsets to the corners, `[8, rows, columns]`, in the network's unit.
    pub offsets: Vec<f32>,
    /// Weight of the first four and of the last four offsets, `[2, rows, columns]`.
    pub offset_weights: Vec<f32>,
    /// Level of the body a cell belongs to (index in [`VertebraLabel::ALL`]).
    pub labels: Vec<usize>,
    /// Weight of the level.
    pub label_weights: Vec<f32>,
    /// Peaks of each channel within the canvas.
    pub counts: [usize; PEAK_CHANNELS],
}

impl Targets {
    /// Targets of a canvas of `edge` × `edge` pixels of `pixel_mm`, its bodies ordered from the thorax down.
    #[must_use]
    pub(crate) fn new(edge: usize, pixel_mm: f64, bodies: &[CanvasBody]) -> Self {
        let side = edge / OUTPUT_STRIDE;
        let cells = side * side;
        let mut targets = Self {
            rows: side,
            columns: side,
            peaks: vec![0.0; PEAK_CHANNELS * cells],
            known: vec![true; cells],
            offsets: vec![0.0; 8 * cells],
            offset_weights: vec![0.0; 2 * cells],
            labels: vec![0; cells],
            label_weights: vec![0.0; cells],
            counts: [0; PEAK_CHANNELS],
        };
        for body in bodies {
            targets.add(body, pixel_mm);
        }
        if let Some(top) = bodies.first() {
            targets.forget_above(top, pixel_mm);
        }
        targets
    }

    fn add(&mut self, body: &CanvasBody, pixel_mm: f64) {
        let [sa, sp, ip, ia] = body.corners;
        let is_sacrum = body.label == VertebraLabel::S1;
        let corners: &[usize] = match (is_sacrum, body.upper_is_seen) {
            (true, _) => &[0, 1],
            (false, true) => &[0, 1, 2, 3],
            (false, false) => &[2, 3],
        };
        for &corner in corners {
            self.add_peak(2 + corner, body.corners[corner], CORNER_DEVIATION_MM / pixel_mm, |_, _, _| {});
        }
        if !body.upper_is_seen {
            return;
        }
        let (channel, center) = if is_sacrum { (1, (sa + sp) / 2.0) } else { (0, (sa + sp + ip + ia) / 4.0) };
        let cells = self.rows * self.columns;
        let unit = OFFSET_UNIT_MM / pixel_mm;
        self.add_peak(channel, center, CENTER_DEVIATION_MM / pixel_mm, |targets, cell, height| {
            if height < NEAR_CENTER || height <= targets.label_weights[cell] {
                return;
            }
            let here = DVec2::new((cell % targets.columns) as f64, (cell / targets.columns) as f64);
            for (corner, position) in body.corners.iter().enumerate() {
                let offset = (*position - canvas_from_cell(here)) / unit;
                targets.offsets[2 * corner * cells + cell] = offset.x as f32;
                targets.offsets[(2 * corner + 1) * cells + cell] = offset.y as f32;
            }
            targets.offset_weights[cell] = height;
            targets.offset_weights[cells + cell] = if is_sacrum { 0.0 } else { height };
            targets.labels[cell] = body.label.index();
            targets.label_weights[cell] = height;
        });
    }

    /// Raises a Gaussian peak and shows each of its cells, with the height there, to `visit`.
    fn add_peak(
        &mut self,
        channel: usize,
        center: DVec2,
        deviation: f64,
        mut visit: impl FnMut(&mut Self, usize, f32),
    ) {
        let middle = cell_from_canvas(center);
        let size = DVec2::new(self.columns as f64, self.rows as f64);
        if middle.cmplt(DVec2::splat(-0.5)).any() || middle.cmpgt(size - 0.5).any() {
            return;
        }
        self.counts[channel] += 1;
        let reach = 3.0 * deviation / OUTPUT_STRIDE as f64;
        let range = |center: f64, count: usize| {
            let low = (center - reach).ceil().max(0.0) as usize;
            low..((center + reach).floor() as usize + 1).min(count)
        };
        for row in range(middle.y, self.rows) {
            for column in range(middle.x, self.columns) {
                let here = canvas_from_cell(DVec2::new(column as f64, row as f64));
                let height = (-0.5 * here.distance_squared(center) / (deviation * deviation)).exp() as f32;
                let cell = row * self.columns + column;
                let peak = &mut self.peaks[channel * self.rows * self.columns + cell];
                *peak = peak.max(height);
                visit(self, cell, height);
            }
        }
    }

    fn forget_above(&mut self, top: &CanvasBody, pixel_mm: f64) {
        let [sa, sp, ip, ia] = top.corners;
        let (anterior, posterior) = if top.upper_is_seen { (sa, sp) } else { (ia, ip) };
        let Some(down) = (posterior - anterior).perp().try_normalize() else { return };
        for cell in 0..self.rows * self.columns {
            let here = canvas_from_cell(DVec2::new((cell % self.columns) as f64, (cell / self.columns) as f64));
            if (here - anterior).dot(down) * pixel_mm < -SEEN_ABOVE_TOP_MM {
                self.known[cell] = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::decode::{Kind, SliceOutput};
    use crate::model::detector::DetectorHead;

    fn body(label: VertebraLabel, y: f64) -> CanvasBody {
        let at = |x, dy| DVec2::new(x, y + dy);
        let corners = [at(40.3, -10.2), at(66.0, -9.0), at(67.0, 11.0), at(41.0, 10.0)];
        CanvasBody { label, corners, upper_is_seen: true }
    }

    /// The targets, written as a network's raw output.
    fn as_output(targets: &Targets) -> Vec<f32> {
        let cells = targets.rows * targets.columns;
        let mut values = vec![0f32; DetectorHead::TOTAL * cells];
        for (value, peak) in values.iter_mut().zip(&targets.peaks) {
            let probability = peak.clamp(1e-4, 1.0 - 1e-4);
            *value = (probability / (1.0 - probability)).ln();
        }
        let offsets = DetectorHead::Offsets.channels().0 * cells;
        values[offsets..offsets + 8 * cells].copy_from_slice(&targets.offsets);
        for cell in 0..cells {
            values[(DetectorHead::Labels.channels().0 + targets.labels[cell]) * cells + cell] = 9.0;
        }
        values
    }

    #[test]
    fn perfect_output_decodes_to_the_labelled_bodies() {
        let bodies = [body(VertebraLabel::L4, 30.0), body(VertebraLabel::L5, 63.0), body(VertebraLabel::S1, 90.0)];
        let targets = Targets::new(128, 1.25, &bodies);
        let values = as_output(&targets);
        let output = SliceOutput { values: &values, rows: 32, columns: 32, pixel_mm: 1.25 };
        let mut candidates = output.candidates();
        candidates.sort_by(|a, b| a.center.y.total_cmp(&b.center.y));
        assert_eq!(candidates.len(), 3);
        for (candidate, body) in candidates.iter().zip(&bodies) {
            let seen = if candidate.kind == Kind::Sacrum { 2 } else { 4 };
            for (a, b) in candidate.corners.iter().zip(&body.corners).take(seen) {
                assert!(a.distance(*b) < 0.15, "{a} is not {b}");
            }
            assert!(candidate.log_labels[body.label.index()] > -0.3, "{:?}", candidate.log_labels);
            // Between four cells a peak is seen from 3.5 mm away.
            assert!(candidate.score > 0.75);
        }
        assert_eq!(candidates[2].kind, Kind::Sacrum);
    }

    #[test]
    fn nothing_is_claimed_above_the_topmost_body() {
        let mut top = body(VertebraLabel::L1, 60.0);
        let targets = Targets::new(128, 1.25, &[top.clone()]);
        assert!(!targets.known[2 * 32 + 10] && targets.known[20 * 32 + 10]);
        assert_eq!(targets.counts, [1, 0, 1, 1, 1, 1]);
        top.upper_is_seen = false;
        let targets = Targets::new(128, 1.25, &[top]);
        assert_eq!(targets.counts, [0, 0, 0, 0, 1, 1]);
        assert!(!targets.known[13 * 32 + 10] && targets.label_weights.iter().all(|w| *w == 0.0));
    }

    #[test]
    fn bodies_outside_the_canvas_leave_no_trace() {
        let targets = Targets::new(128, 1.25, &[body(VertebraLabel::L4, 400.0)]);
        assert_eq!(targets.counts, [0; PEAK_CHANNELS]);
        assert!(targets.peaks.iter().all(|peak| *peak == 0.0));
    }
}
