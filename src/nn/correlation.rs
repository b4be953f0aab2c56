//! The kernel under every convolution on the CPU: correlation of a batch with a bank of filters, and its gradient to
//! the filters, as matrix products over tiles of the output.
//!
//! A tile is some whole output rows of one slice of one sample. Its input is packed once into a matrix with one column
//! per (slice tap, column tap, channel) and one row per output pixel; strided rows are split by phase so that each
//! row tap reads the same matrix at another row offset. Every row tap is then one product, with no padding columns and
//! straight into the output. Padding slices cost nothing: their taps are left out of the product.
//!
//! Tiles and the order of sums depend on sizes only, so results are the same with any number of threads.

use std::cell::Cell;
use std::ops::Range;

use gemm::Parallelism;
use rayon::prelude::*;

use super::product::{Matrix, OutputTile, ProductSize, SharedOutput};

/// Floats of packed input aimed at per tile: what fits a second-level cache beside the output.
const PACKED_TARGET: usize = 192 * 1024;
/// Output pixels of a tile, at most.
const MOST_PIXELS: usize = 4096;
/// Output pixels below which a tile is not split further for the sake of parallelism.
const FEWEST_PIXELS: usize = 96;
/// Tiles wanted, so that every thread finds work.
const WANTED_TILES: usize = 16;
/// With fewer tiles the products themselves are parallel.
const FEWEST_PARALLEL_TILES: usize = 4;
/// Filter banks above this are read once per plane: reading them again for every tile would cost more than it gains.
const LARGE_BANK: usize = 1 << 20;
/// Partial sums of the filter gradient (their number sets the parallelism), within this many floats.
const MOST_PARTIAL_SUMS: usize = 16;
const PARTIAL_SUM_FLOATS: usize = 1 << 23;

/// Sizes of a correlation. Arrays are `[slice, row, column]`; tap `k` of output `o` reads input `o · stride + k + offset`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlation {
    pub(super) samples: usize,
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    pub(super) input: [usize; 3],
    pub(super) kernel: [usize; 3],
    pub(super) stride: [usize; 3],
    /// Minus the padding.
    pub(super) offset: [isize; 3],
    pub(super) output: [usize; 3],
}

/// Whole output rows of one slice of one sample.
struct Tile {
    sample: usize,
    slice: usize,
    rows: Range<usize>,
}

/// Where the packed input of one row phase begins and how long its columns are.
#[derive(Clone, Copy)]
struct Phase {
    start: usize,
    column_length: usize,
}

impl Correlation {
    fn input_pixels(&self) -> usize {
        self.input.iter().product()
    }

    fn output_pixels(&self) -> usize {
        self.output.iter().product()
    }

    /// Columns of the packed matrix when no slice tap falls into the padding.
    fn columns(&self) -> usize {
        self.kernel[0] * self.kernel[2] * self.in_channels
    }

    /// Slice taps of an output slice that read the input and not the padding.
    fn slice_taps(&self, slice: usize) -> Range<usize> {
        let first = (slice * self.stride[0]) as isize + self.offset[0];
        let start = (-first).clamp(0, self.kernel[0] as isize);
        let end = (self.input[0] as isize - first).clamp(start, self.kernel[0] as isize);
        start as usize..end as usize
    }

    /// Output columns whose column tap reads the input and not the padding.
    fn inside_columns(&self, tap: usize) -> Range<usize> {
        let (stride, first) = (self.stride[2] as isize, tap as isize + self.offset[2]);
        let start = (-first).max(0).div_euclid(stride) + isize::from((-first).max(0) % stride != 0);
        let room = self.input[2] as isize - first;
        let end = if room <= 0 { 0 } else { (room - 1) / stride + 1 };
        let start = start.clamp(0, self.output[2] as isize);
        start as usize..end.clamp(start, self.output[2] as isize) as usize
    }

    fn rows_per_tile(&self) -> usize {
        let [slices, rows, columns] = self.output;
        if self.columns() * self.kernel[1] * self.out_channels > LARGE_BANK {
            return rows;
        }
        let fitting = (PACKED_TARGET / self.columns()).min(MOST_PIXELS);
        let sharing = (rows * columns * slices * self.samples / WANTED_TILES).max(FEWEST_PIXELS);
        let wanted = (fitting.min(sharing) / columns).max(1);
        // Matrices with a multiple of 16 rows need no second packing inside the product.
        let aligned = 16 / gcd(columns, 16);
        (wanted.div_ceil(aligned) * aligned).min(rows)
    }

    fn tiles(&self) -> Vec<Tile> {
        let [slices, rows, _] = self.output;
        let step = self.rows_per_tile();
        let mut tiles = Vec::new();
        for sample in 0..self.samples {
            for slice in 0..slices {
                for start in (0..rows).step_by(step) {
                    tiles.push(Tile { sample, slice, rows: start..(start + step).min(rows) });
                }
            }
        }
        tiles
    }

    /// Phases of the row taps for a tile, and the floats that they take together.
    fn phases(&self, tile: &Tile) -> (Vec<Phase>, usize) {
        let columns = self.slice_taps(tile.slice).len() * self.kernel[2] * self.in_channels;
        let mut start = 0;
        let phases = (0..self.stride[1].min(self.kernel[1]))
            .map(|phase| {
                let rows = tile.rows.len() + (self.kernel[1] - 1 - phase) / self.stride[1];
                let column_length = rows * self.output[2];
                let here = Phase { start, column_length };
                start += column_length * columns;
                here
            })
            .collect();
        (phases, start)
    }

    /// Copies the input of a tile into `packed`, zero where it lies outside.
    fn pack(&self, tile: &Tile, input: &[f32], phases: &[Phase], packed: &mut [f32]) {
        let [_, in_rows, in_columns] = self.input;
        let (width, taps) = (self.output[2], self.slice_taps(tile.slice));
        let inside: Vec<Range<usize>> = (0..self.kernel[2]).map(|tap| self.inside_columns(tap)).collect();
        let first_slice = (tile.slice * self.stride[0]) as isize + self.offset[0];
        let first_row = (tile.rows.start * self.stride[1]) as isize + self.offset[1];
        for (row_phase, phase) in phases.iter().enumerate() {
            for (slice_index, tap) in taps.clone().enumerate() {
                let slice = (first_slice + tap as isize) as usize;
                for channel in 0..self.in_channels {
                    let plane = ((tile.sample * self.in_channels + channel) * self.input[0] + slice) * in_rows;
                    for line in 0..phase.column_length / width {
                        let row = first_row + (line * self.stride[1] + row_phase) as isize;
                        let source = usize::try_from(row).ok().filter(|row| *row < in_rows).map(|row| {
                            let start = (plane + row) * in_columns;
                            &input[start..start + in_columns]
                        });
                        for (column_tap, inside) in inside.iter().enumerate() {
                            let column = (slice_index * self.kernel[2] + column_tap) * self.in_channels + channel;
                            let start = phase.start + column * phase.column_length + line * width;
                            let target = &mut packed[start..start + width];
                            match source {
                                Some(source) => self.pack_line(source, column_tap, inside, target),
                                None => target.fill(0.0),
                            }
                        }
                    }
                }
            }
        }
    }

    fn pack_line(&self, source: &[f32], tap: usize, inside: &Range<usize>, target: &mut [f32]) {
        target[..inside.start].fill(0.0);
        target[inside.end..].fill(0.0);
        if inside.is_empty() {
            return;
        }
        let first = ((inside.start * self.stride[2] + tap) as isize + self.offset[2]) as usize;
        let target = &mut target[inside.clone()];
        match self.stride[2] {
            1 => target.copy_from_slice(&source[first..first + target.len()]),
            stride => {
                for (value, source) in target.iter_mut().zip(source[first..].iter().step_by(stride)) {
                    *value = *source;
                }
            }
        }
    }

    /// Matrix of the packed input that a row tap reads, and its size.
    fn packed_matrix<'a>(&self, tap: usize, phases: &[Phase], packed: &'a [f32]) -> Matrix<'a> {
        let phase = phases[tap % self.stride[1]];
        let shift = tap / self.stride[1] * self.output[2];
        Matrix { data: &packed[phase.start + shift..], row_stride: 1, column_stride: phase.column_length }
    }

    /// The correlation, `[sample, out channel, slice, row, column]`. `filters` are ordered as [`arrange_filters`] does;
    /// `bias` is per out channel.
    pub(super) fn run(&self, input: &[f32], filters: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let mut output = vec![0.0; self.samples * self.out_channels * self.output_pixels()];
        if output.is_empty() {
            return output;
        }
        assert_eq!(input.len(), self.samples * self.in_channels * self.input_pixels());
        assert_eq!(filters.len(), self.columns() * self.kernel[1] * self.out_channels);
        let shared = SharedOutput::new(&mut output);
        let tiles = self.tiles();
        if tiles.len() < FEWEST_PARALLEL_TILES {
            for tile in &tiles {
                self.run_tile(tile, input, filters, bias, shared, Parallelism::Rayon(0));
            }
        } else {
            tiles.par_iter().for_each(|tile| self.run_tile(tile, input, filters, bias, shared, Parallelism::None));
        }
        output
    }

    fn run_tile(
        &self,
        tile: &Tile,
        input: &[f32],
        filters: &[f32],
        bias: Option<&[f32]>,
        shared: SharedOutput,
        parallelism: Parallelism,
    ) {
        let [_, rows, width] = self.output;
        let plane = self.output_pixels();
        let offset = tile.sample * self.out_channels * plane + (tile.slice * rows + tile.rows.start) * width;
        let pixels = tile.rows.len() * width;
        #[allow(unsafe_code, reason = "tiles partition the output")]
        // SAFETY: each tile has its own rows of its own slice and sample.
        let mut target = unsafe { shared.tile(offset, pixels, self.out_channels, plane) };
        if let Some(bias) = bias {
            target.fill_columns(|channel| bias[channel]);
        }
        let taps = self.slice_taps(tile.slice);
        let per_slice_tap = self.kernel[2] * self.in_channels;
        let size = ProductSize { rows: pixels, columns: self.out_channels, inner: taps.len() * per_slice_tap };
        if size.inner == 0 {
            return;
        }
        let (phases, floats) = self.phases(tile);
        with_scratch(floats, |packed| {
            self.pack(tile, input, &phases, packed);
            for tap in 0..self.kernel[1] {
                let start = tap * self.out_channels * self.columns() + taps.start * per_slice_tap;
                let rhs = Matrix { data: &filters[start..], row_stride: 1, column_stride: self.columns() };
                target.add_product(size, self.packed_matrix(tap, &phases, packed), rhs, parallelism);
            }
        });
    }

    /// Gradient of a loss to the filters, `[out channel, in channel, slice, row, column]`, from that to the output.
    pub(super) fn filter_gradient(&self, input: &[f32], grad_output: &[f32]) -> Vec<f32> {
        let floats = self.out_channels * self.columns() * self.kernel[1];
        assert_eq!(grad_output.len(), self.samples * self.out_channels * self.output_pixels());
        let tiles = if floats == 0 || grad_output.is_empty() { Vec::new() } else { self.tiles() };
        let partial_sums = (PARTIAL_SUM_FLOATS / floats.max(1)).clamp(1, MOST_PARTIAL_SUMS).min(tiles.len().max(1));
        let parallelism = if partial_sums < FEWEST_PARALLEL_TILES { Parallelism::Rayon(0) } else { Parallelism::None };
        let share = tiles.len().div_ceil(partial_sums).max(1);
        let add_tiles = |tiles: &[Tile]| {
            let mut sum = vec![0.0; floats];
            for tile in tiles {
                self.add_filter_gradient(tile, input, grad_output, &mut sum, parallelism);
            }
            sum
        };
        let sums: Vec<Vec<f32>> = match parallelism {
            Parallelism::None => tiles.par_chunks(share).map(add_tiles).collect(),
            Parallelism::Rayon(_) => tiles.chunks(share).map(add_tiles).collect(),
        };
        self.join_partial_sums(&sums)
    }

    /// Adds the part of one tile to `sum`, ordered `[row tap][slice tap][column tap][in channel][out channel]`.
    fn add_filter_gradient(
        &self,
        tile: &Tile,
        input: &[f32],
        grad_output: &[f32],
        sum: &mut [f32],
        parallelism: Parallelism,
    ) {
        let [_, rows, width] = self.output;
        let (plane, pixels) = (self.output_pixels(), tile.rows.len() * width);
        let taps = self.slice_taps(tile.slice);
        let per_slice_tap = self.kernel[2] * self.in_channels;
        let size = ProductSize { rows: self.out_channels, columns: taps.len() * per_slice_tap, inner: pixels };
        if size.columns == 0 {
            return;
        }
        let (phases, floats) = self.phases(tile);
        with_scratch(floats + pixels * self.out_channels, |scratch| {
            let (packed, transposed) = scratch.split_at_mut(floats);
            self.pack(tile, input, &phases, packed);
            let offset = tile.sample * self.out_channels * plane + (tile.slice * rows + tile.rows.start) * width;
            transpose(&grad_output[offset..], plane, self.out_channels, transposed);
            for tap in 0..self.kernel[1] {
                let packed = self.packed_matrix(tap, &phases, packed);
                let lhs = Matrix { data: transposed, row_stride: 1, column_stride: self.out_channels };
                let start = (tap * self.columns() + taps.start * per_slice_tap) * self.out_channels;
                let part = &mut sum[start..start + size.columns * self.out_channels];
                OutputTile::of_slice(part, self.out_channels).add_product(size, lhs, packed, parallelism);
            }
        });
    }

    fn join_partial_sums(&self, sums: &[Vec<f32>]) -> Vec<f32> {
        let [depth, height, width] = self.kernel;
        let (channels, filters) = (self.in_channels, self.out_channels);
        let taps = depth * height * width;
        let mut joined = vec![0.0; filters * channels * taps];
        if joined.is_empty() {
            return joined;
        }
        joined.par_chunks_mut(channels * taps).enumerate().for_each(|(filter, gradient)| {
            for (index, value) in gradient.iter_mut().enumerate() {
                let (channel, tap) = (index / taps, index % taps);
                let (slice, row, column) = (tap / (height * width), tap / width % height, tap % width);
                let place = (((row * depth + slice) * width + column) * channels + channel) * filters + filter;
                *value = sums.iter().map(|sum| sum[place]).sum();
            }
        });
        joined
    }
}

/// Filters in the order `[row tap][filter][slice tap][column tap][channel]` that [`Correlation::run`] reads, from a
/// function of (filter, channel, `[slice, row, column]` tap).
pub(super) fn arrange_filters(
    filters: usize,
    channels: usize,
    kernel: [usize; 3],
    weight: impl Fn(usize, usize, [usize; 3]) -> f32 + Sync,
) -> Vec<f32> {
    let [depth, height, width] = kernel;
    let columns = depth * width * channels;
    let mut arranged = vec![0.0; height * filters * columns];
    if arranged.is_empty() {
        return arranged;
    }
    arranged.par_chunks_mut(columns).enumerate().for_each(|(index, chunk)| {
        let (row, filter) = (index / filters, index % filters);
        for (tap, values) in chunk.chunks_exact_mut(channels).enumerate() {
            for (channel, value) in values.iter_mut().enumerate() {
                *value = weight(filter, channel, [tap / width, row, tap % width]);
            }
        }
    });
    arranged
}

/// Writes `columns` runs, `column_stride` apart in `source`, as the columns of a row-major matrix.
fn transpose(source: &[f32], column_stride: usize, columns: usize, target: &mut [f32]) {
    const BLOCK: usize = 16;
    let rows = target.len() / columns;
    for first_row in (0..rows).step_by(BLOCK) {
        for first_column in (0..columns).step_by(BLOCK) {
            for row in first_row..(first_row + BLOCK).min(rows) {
                let end = (first_column + BLOCK).min(columns);
                let line = &mut target[row * columns + first_column..row * columns + end];
                for (index, value) in line.iter_mut().enumerate() {
                    *value = source[(first_column + index) * column_stride + row];
                }
            }
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

thread_local! {
    /// Packing space of this thread, kept between tiles.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Lends `length` floats of unspecified content. The buffer is taken out of its place meanwhile, so a thread that helps
/// with other work while it waits finds an empty one instead of a borrowed one.
fn with_scratch<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut buffer = SCRATCH.take();
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    let result = work(&mut buffer[..length]);
    SCRATCH.set(buffer);
    result
}
