//! One slice through the patient, painted from front to back: what is covered wholly is never computed.

use std::ops::Range;

use glam::DVec3;

use super::contrast::Signal;

/// Edge of the blocks that are tested as a whole, pixels.
const BLOCK: usize = 4;
/// Edge of the parts of a block over which a surface leans the same way across the slice, pixels.
const LEAN: usize = 2;
/// Distances to solids change at most this many times as fast as the place (arches and tubes are bent).
const STEEPEST: f64 = 2.0;
/// Planes beside the middle one, at most.
const MOST_PLANES: usize = 2;

/// A solid to paint.
pub(super) struct Solid<T, D, C, S> {
    /// Signed distance to the surface at a position, about right near it, and the thickness of the rim.
    pub distance: D,
    /// What of a pixel the solid covers, and what of that is content, not rim; by the two distances.
    pub coverage: C,
    /// Value of the content at a position, given the distance.
    pub content: S,
    pub rim: T,
    /// How far outside of the surface a pixel may be covered, and how far inside it may be anything but content, mm.
    pub reach_mm: [f64; 2],
    /// Whether the edge is averaged over the planes.
    pub is_averaged: bool,
    /// Steps of the distance over no way at all, such as the walls of dents, mm.
    pub slack_mm: f64,
    /// Whether the content depends on the distance.
    pub is_layered: bool,
}

/// What can be painted.
pub(super) trait Paint: Copy {
    const NONE: Self;

    /// This with a share of `other` added.
    fn plus(self, other: Self, share: f32) -> Self;
}

impl Paint for Signal {
    const NONE: Self = Self::ZERO;

    fn plus(self, other: Self, share: f32) -> Self {
        self + other * share
    }
}

impl Paint for u8 {
    const NONE: Self = 0;

    fn plus(self, other: Self, share: f32) -> Self {
        if share >= 0.5 { other } else { self }
    }
}

/// Where the pixels of a slice lie in the patient.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    /// Position of the first pixel, on the middle plane.
    pub origin: DVec3,
    /// Step to the next column.
    pub right: DVec3,
    /// Step to the next row.
    pub down: DVec3,
    pub rows: usize,
    pub columns: usize,
}

impl Grid {
    /// Patient position of a pixel.
    pub(super) fn place(&self, row: f64, column: f64) -> DVec3 {
        self.origin + self.down * row + self.right * column
    }

    /// Edge of a square pixel of the same area, mm.
    pub(super) fn pixel_mm(&self) -> f64 {
        (self.right.length() * self.down.length()).sqrt()
    }

    /// Rows and columns near the projection of a box; `None` if it lies further than `reach` mm off the plane.
    fn bounds(&self, corners: &[DVec3; 8], reach: f64) -> Option<[Range<usize>; 2]> {
        let normal = self.right.cross(self.down).normalize();
        let (mut low, mut high) = (DVec3::INFINITY, DVec3::NEG_INFINITY);
        for corner in corners {
            let from = *corner - self.origin;
            let along = |step: DVec3| from.dot(step) / step.length_squared();
            let at = DVec3::new(along(self.down), along(self.right), from.dot(normal));
            (low, high) = (low.min(at), high.max(at));
        }
        let range = |low: f64, high: f64, count: usize| {
            low.floor().max(0.0) as usize..((high + 2.0).max(0.0) as usize).min(count)
        };
        let is_near = low.z <= reach && high.z >= -reach;
        is_near.then(|| [range(low.x, high.x, self.rows), range(low.y, high.y, self.columns)])
    }
}

/// A slice on its way to being painted.
pub(super) struct Canvas<T> {
    /// Where its pixels lie.
    pub grid: Grid,
    /// Steps from the middle plane to the others that are averaged across the thickness, two at most.
    pub planes: Vec<DVec3>,
    values: Vec<T>,
    /// Share of each pixel that nothing covers yet.
    open: Vec<f32>,
}

impl<T: Paint> Canvas<T> {
    /// An empty canvas.
    pub(super) fn new(grid: Grid, planes: Vec<DVec3>) -> Self {
        let pixels = grid.rows * grid.columns;
        Self { grid, planes, values: vec![T::NONE; pixels], open: vec![1.0; pixels] }
    }

    /// Paints what is still open, to the mean over the planes beside the middle one where `is_fine`, and gives the values
    /// row by row.
    pub(super) fn fill(mut self, value: impl Fn(DVec3) -> T, is_fine: impl Fn(DVec3) -> bool) -> Vec<T> {
        let share = 1.0 / self.planes.len() as f32;
        for row in 0..self.grid.rows {
            for column in 0..self.grid.columns {
                let index = row * self.grid.columns + column;
                let open = self.open[index];
                if open <= 0.0 {
                    continue;
                }
                let point = self.grid.place(row as f64, column as f64);
                let painted = &mut self.values[index];
                if self.planes.is_empty() || !is_fine(point) {
                    *painted = painted.plus(value(point), open);
                } else {
                    for plane in &self.planes {
                        *painted = painted.plus(value(point + *plane), open * share);
                    }
                }
            }
        }
        self.values
    }

    /// Paints a solid behind what is painted already, on the pixels near the projection of the box `corners`. Its edge
    /// is averaged over the planes, its content is that of the middle plane.
    pub(super) fn draw<D, C, S>(&mut self, corners: &[DVec3; 8], solid: &Solid<T, D, C, S>)
    where
        D: Fn(DVec3) -> (f64, f64),
        C: Fn(f64, f64) -> (f64, f64),
        S: Fn(DVec3, f64) -> T,
    {
        let across = self.planes.iter().map(|plane| plane.length()).fold(0.0, f64::max);
        let Some([rows, columns]) = self.grid.bounds(corners, across) else { return };
        let across = if solid.is_averaged { across } else { 0.0 };
        let [outside, inside] = solid.reach_mm.map(|reach| reach + across);
        let half = (BLOCK as f64 - 1.0) / 2.0;
        let unsure = solid.slack_mm + STEEPEST * half * self.grid.right.length().hypot(self.grid.down.length());
        for top in rows.clone().step_by(BLOCK) {
            for left in columns.clone().step_by(BLOCK) {
                let block = [top..(top + BLOCK).min(rows.end), left..(left + BLOCK).min(columns.end)];
                if !self.is_open(&block) {
                    continue;
                }
                let (distance, _) = (solid.distance)(self.grid.place(top as f64 + half, left as f64 + half));
                if distance > outside + unsure {
                    continue;
                }
                if distance < -inside - unsure {
                    self.draw_inside(block, solid, distance);
                } else {
                    self.draw_edge(block, solid, [outside, inside]);
                }
            }
        }
    }

    fn is_open(&self, [rows, columns]: &[Range<usize>; 2]) -> bool {
        rows.clone().any(|row| {
            let start = row * self.grid.columns;
            self.open[start + columns.start..start + columns.end].iter().any(|open| *open > 0.0)
        })
    }

    /// Paints a block that lies wholly under the surface, about as deep as given.
    fn draw_inside<D, C, S>(&mut self, [rows, columns]: [Range<usize>; 2], solid: &Solid<T, D, C, S>, depth: f64)
    where
        D: Fn(DVec3) -> (f64, f64),
        S: Fn(DVec3, f64) -> T,
    {
        for row in rows {
            for column in columns.clone() {
                let index = row * self.grid.columns + column;
                if self.open[index] > 0.0 {
                    let point = self.grid.place(row as f64, column as f64);
                    let distance = if solid.is_layered { (solid.distance)(point).0 } else { depth };
                    self.values[index] = self.values[index].plus((solid.content)(point, distance), self.open[index]);
                    self.open[index] = 0.0;
                }
            }
        }
    }

    /// Paints a block that the surface may cross.
    fn draw_edge<D, C, S>(&mut self, [rows, columns]: [Range<usize>; 2], solid: &Solid<T, D, C, S>, reach: [f64; 2])
    where
        D: Fn(DVec3) -> (f64, f64),
        C: Fn(f64, f64) -> (f64, f64),
        S: Fn(DVec3, f64) -> T,
    {
        let [outside, inside] = reach;
        for top in rows.clone().step_by(LEAN) {
            for left in columns.clone().step_by(LEAN) {
                // How much nearer the surface is on the other planes; the same over these few pixels.
                let mut leans: Option<[f64; MOST_PLANES]> = None;
                for row in top..(top + LEAN).min(rows.end) {
                    for column in left..(left + LEAN).min(columns.end) {
                        if self.open[row * self.grid.columns + column] <= 0.0 {
                            continue;
                        }
                        let point = self.grid.place(row as f64, column as f64);
                        let (distance, rim) = (solid.distance)(point);
                        if distance > outside {
                            continue;
                        }
                        let (mut covered, content) = (solid.coverage)(distance, rim);
                        let mut content = content * covered;
                        if solid.is_averaged && distance > -inside && !self.planes.is_empty() {
                            let leans = leans.get_or_insert_with(|| {
                                let mut leans = [0.0; MOST_PLANES];
                                for (lean, plane) in leans.iter_mut().zip(&self.planes) {
                                    *lean = (solid.distance)(point + *plane).0 - distance;
                                }
                                leans
                            });
                            for lean in &leans[..self.planes.len()] {
                                let (share, inner) = (solid.coverage)(distance + lean, rim);
                                (covered, content) = (covered + share, content + share * inner);
                            }
                            let count = (self.planes.len() + 1) as f64;
                            (covered, content) = (covered / count, content / count);
                        }
                        self.lay(row * self.grid.columns + column, solid, point, distance, [covered, content]);
                    }
                }
            }
        }
    }

    /// Lays content and rim on shares of a pixel.
    fn lay<D, C, S>(
        &mut self,
        index: usize,
        solid: &Solid<T, D, C, S>,
        point: DVec3,
        distance: f64,
        [covered, content]: [f64; 2],
    ) where
        S: Fn(DVec3, f64) -> T,
    {
        if covered <= 0.0 {
            return;
        }
        let open = self.open[index];
        let value = &mut self.values[index];
        if content > 0.0 {
            *value = value.plus((solid.content)(point, distance.min(0.0)), open * content as f32);
        }
        *value = value.plus(solid.rim, open * (covered - content) as f32);
        self.open[index] = if covered >= 1.0 { 0.0 } else { open * (1.0 - covered) as f32 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ball(point: DVec3) -> (f64, f64) {
        (point.length() - 9.0, 0.0)
    }

    fn canvas() -> Canvas<Signal> {
        let grid = Grid {
            origin: DVec3::new(0.0, -16.0, 16.0),
            right: DVec3::Y * 0.5,
            down: DVec3::NEG_Z * 0.8,
            rows: 41,
            columns: 65,
        };
        Canvas::new(grid, vec![DVec3::X * 2.0, DVec3::X * -2.0])
    }

    fn paint_ball(canvas: &mut Canvas<Signal>, value: f32) {
        let corner = |index: usize| {
            DVec3::from_array(std::array::from_fn(|axis| if index >> axis & 1 == 0 { -9.0 } else { 9.0 }))
        };
        canvas.draw(
            &std::array::from_fn(corner),
            &Solid {
                distance: ball,
                coverage: |distance: f64, _| ((0.5 - distance / 0.6).clamp(0.0, 1.0), 1.0),
                content: |_, _| Signal::splat(value),
                rim: Signal::ZERO,
                reach_mm: [0.3; 2],
                is_averaged: true,
                slack_mm: 0.0,
                is_layered: false,
            },
        );
    }

    /// Blocks change nothing, and what is painted first stays in front.
    #[test]
    fn every_pixel_is_what_its_own_planes_say() {
        let mut painted = canvas();
        paint_ball(&mut painted, 1.0);
        paint_ball(&mut painted, 5.0);
        let values = painted.fill(|point| Signal::splat(0.25 + point.x as f32), |_| true);
        let canvas = canvas();
        for (index, value) in values.iter().enumerate() {
            let point = canvas.grid.place((index / 65) as f64, (index % 65) as f64);
            let cover = |step: f64| (0.5 - ball(point + DVec3::X * step).0 / 0.6).clamp(0.0, 1.0) as f32;
            let share = (cover(-2.0) + cover(0.0) + cover(2.0)) / 3.0;
            let expected = share + (1.0 - share) * (share * 5.0 + (1.0 - share) * 0.25);
            // Within two pixels the surface leans a little more or less.
            assert!((value.x - expected).abs() < 0.25, "{index}: {} instead of {expected}", value.x);
        }
    }
}
