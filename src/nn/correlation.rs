//! The kernel under every convolution on the CPU: correlation of a batch with a bank of filters.
//!
//! The input is copied once into rows with zeros at both ends (nothing is copied where nothing is padded, and no
//! column matrix of the input is ever made). Filters are turned into panels, block of channels by block, in the order in
//! which the inner loop (`kernel`) goes down them. A task is one block of channels for some whole output rows: it keeps
//! its sums in memory of its own, goes through the panels one after the other, each small enough for the first-level
//! cache, and writes its channels out at the end. Taps that read padding slices or rows are left out.
//!
//! Tasks and the order of sums depend on sizes only, so results are the same with any number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::kernel::{Accumulate, Block, Tile};
use super::scratch::{SharedOutput, with_scratch};
use super::turn::Turned;

/// Rows of a panel aimed at: with 32 channels 32 KB, what a first-level cache holds.
const PANEL_ROWS: usize = 256;
/// Output pixels of a task: its sums (128 bytes a pixel) shall stay in the second-level cache, and a panel shall be
/// used often enough to be worth loading.
const TASK_PIXELS: Range<usize> = 98..896;
/// Tasks wanted, so that every thread finds work.
const WANTED_TASKS: usize = 16;
/// Pixels that are turned from channels-last to planes together.
const TURNED_PIXELS: usize = 32;

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

/// Filters inside a slice: the weight of (filter, channel, slice tap, row tap, column tap) lies at `first` plus each
/// index times its stride.
#[derive(Clone, Copy)]
pub(super) struct Filters<'a> {
    pub(super) data: &'a [f32],
    pub(super) first: usize,
    pub(super) strides: [isize; 5],
}

impl<'a> Filters<'a> {
    /// Weights `[filter, channel, slice, row, column]` as they lie in memory.
    pub(super) fn contiguous(data: &'a [f32], channels: usize, kernel: [usize; 3]) -> Self {
        Self { data, first: 0, strides: weight_strides(channels, kernel) }
    }

    /// The same weights with filters and channels exchanged and taps reversed, as the way back needs them.
    pub(super) fn mirrored(data: &'a [f32], channels: usize, kernel: [usize; 3]) -> Self {
        let [filter, channel, slice, row, column] = weight_strides(channels, kernel);
        let last: usize =
            [slice, row, column].iter().zip(kernel).map(|(stride, taps)| *stride as usize * (taps - 1)).sum();
        Self { data, first: last, strides: [channel, filter, -slice, -row, -column] }
    }
}

/// Strides of weights `[filter, channel, slice, row, column]`.
fn weight_strides(channels: usize, kernel: [usize; 3]) -> [isize; 5] {
    let [depth, height, width] = kernel;
    [channels * depth * height * width, depth * height * width, height * width, width, 1].map(|stride| stride as isize)
}

/// Filter rows that are summed together: one slice tap of some channels with all their row and column taps, in the
/// order row tap, channel, column tap.
struct Panel {
    slice_tap: usize,
    channels: Range<usize>,
    /// Where it lies in a packed bank.
    start: usize,
}

/// Some rows that read the same slices and row taps.
struct RowRun {
    rows: Range<usize>,
    source_slice: usize,
    row_taps: Range<usize>,
}

/// Divides `length` into the fewest nearly equal pieces of at most `most`.
pub(super) fn pieces(length: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = length.div_ceil(most.max(1)).max(1);
    (0..count).map(move |piece| piece * length / count..(piece + 1) * length / count)
}

impl Correlation {
    pub(super) fn output_pixels(&self) -> usize {
        self.output.iter().product()
    }

    /// Output rows of all slices and samples.
    pub(super) fn output_rows(&self) -> usize {
        self.samples * self.output[0] * self.output[1]
    }

    /// Rows and columns that outputs read, those in the padding included.
    pub(super) fn framed(&self) -> [usize; 2] {
        [1, 2].map(|axis| (self.output[axis] - 1) * self.stride[axis] + self.kernel[axis])
    }

    /// Taps of output `index` along an axis that read the input and not the padding.
    pub(super) fn inside_taps(&self, axis: usize, index: usize) -> Range<usize> {
        let first = (index * self.stride[axis]) as isize + self.offset[axis];
        let start = (-first).clamp(0, self.kernel[axis] as isize);
        let end = (self.input[axis] as isize - first).clamp(start, self.kernel[axis] as isize);
        start as usize..end as usize
    }

    fn task_rows(&self, blocks: usize) -> usize {
        let (rows, width) = (self.output_rows(), self.output[2]);
        let pixels = (rows * width * blocks / WANTED_TASKS).clamp(TASK_PIXELS.start, TASK_PIXELS.end);
        pixels.div_ceil(width).min(rows)
    }

    fn panels(&self, block: usize) -> Vec<Panel> {
        let taps = self.kernel[1] * self.kernel[2];
        let mut start = 0;
        let mut panels = Vec::new();
        for slice_tap in 0..self.kernel[0] {
            for channels in pieces(self.in_channels, PANEL_ROWS / taps) {
                let size = channels.len() * taps * block;
                panels.push(Panel { slice_tap, channels, start });
                start += size;
            }
        }
        panels
    }

    fn panel_size(&self, panel: &Panel, block: usize) -> usize {
        panel.channels.len() * self.kernel[1] * self.kernel[2] * block
    }

    /// Turns the filters of a block into the rows of a panel, zero beyond the last filter.
    fn pack(&self, filters: &Filters, block: &Range<usize>, panel: &Panel, packed: &mut [f32]) {
        let [_, height, width] = self.kernel;
        let [filter, channel, slice, row, column] = filters.strides;
        let filled = block.end.min(self.out_channels) - block.start;
        let at = |strides: [isize; 2], indices: [usize; 2]| {
            strides[0] * indices[0] as isize + strides[1] * indices[1] as isize
        };
        let base = filters.first as isize + at([filter, slice], [block.start, panel.slice_tap]);
        let mut rows = packed.chunks_exact_mut(block.len());
        for row_tap in 0..height {
            for from in panel.channels.clone() {
                for column_tap in 0..width {
                    let Some(packed) = rows.next() else { return };
                    let start = base + at([channel, row], [from, row_tap]) + column * column_tap as isize;
                    let (values, beyond) = packed.split_at_mut(filled);
                    beyond.fill(0.0);
                    for (index, value) in values.iter_mut().enumerate() {
                        *value = filters.data[(start + index as isize * filter) as usize];
                    }
                }
            }
        }
    }

    /// Copies the rows of the input into `framed` with zeros for the padding.
    fn frame(&self, input: &[f32], framed: &mut [f32]) {
        let [height, width] = self.framed();
        let [_, rows, columns] = self.input;
        let planes = framed.par_chunks_mut(height * width).zip(input.par_chunks(rows * columns));
        planes.for_each(|(framed, plane)| {
            for (line, target) in framed.chunks_exact_mut(width).enumerate() {
                match usize::try_from(line as isize + self.offset[1]).ok().filter(|row| *row < rows) {
                    Some(row) => self.frame_row(&plane[row * columns..][..columns], target),
                    None => target.fill(0.0),
                }
            }
        });
    }

    fn frame_row(&self, source: &[f32], target: &mut [f32]) {
        let (before, skipped) = ((-self.offset[2]).max(0) as usize, self.offset[2].max(0) as usize);
        let before = before.min(target.len());
        let length = (target.len() - before).min(source.len().saturating_sub(skipped));
        target[..before].fill(0.0);
        target[before..before + length].copy_from_slice(&source[skipped..skipped + length]);
        target[before + length..].fill(0.0);
    }

    /// Runs of `rows` in which every row reads the same slice through `slice_tap`, and through the same row taps.
    fn row_runs(&self, rows: Range<usize>, slice_tap: usize) -> Vec<RowRun> {
        let [slices, height, _] = self.output;
        let mut runs: Vec<RowRun> = Vec::new();
        for row in rows {
            let slice = row / height % slices;
            let row_taps = self.inside_taps(1, row % height);
            if !self.inside_taps(0, slice).contains(&slice_tap) || row_taps.is_empty() {
                continue;
            }
            let source_slice = ((slice * self.stride[0] + slice_tap) as isize + self.offset[0]) as usize;
            match runs.last_mut() {
                Some(run) if run.rows.end == row && run.source_slice == source_slice && run.row_taps == row_taps => {
                    run.rows.end += 1;
                }
                _ => runs.push(RowRun { rows: row..row + 1, source_slice, row_taps }),
            }
        }
        runs
    }

    /// The correlation, `[sample, out channel, slice, row, column]`; `bias` is per out channel.
    pub(super) fn run(&self, input: &[f32], filters: &Filters, bias: Option<&[f32]>) -> Vec<f32> {
        let mut output = vec![0.0; self.samples * self.out_channels * self.output_pixels()];
        let expected = self.samples * self.in_channels * self.input.iter().product::<usize>();
        assert_eq!(input.len(), expected, "the input has the stated size");
        if output.is_empty() {
            return output;
        }
        let [height, width] = self.framed();
        if self.offset[1..] == [0, 0] && self.input[1..] == [height, width] {
            self.run_framed(input, filters, bias, &mut output);
        } else {
            let planes = self.samples * self.in_channels * self.input[0];
            with_scratch(planes * height * width, |framed| {
                self.frame(input, framed);
                self.run_framed(framed, filters, bias, &mut output);
            });
        }
        output
    }

    fn run_framed(&self, framed: &[f32], filters: &Filters, bias: Option<&[f32]>, output: &mut [f32]) {
        let block = Block::for_channels(self.out_channels);
        let blocks = self.out_channels.div_ceil(block.size);
        let (rows, task_rows) = (self.output_rows(), self.task_rows(blocks));
        let tasks_per_block = rows.div_ceil(task_rows);
        let panels = self.panels(block.size);
        let bank: usize = panels.iter().map(|panel| self.panel_size(panel, block.size)).sum();
        let channels = |index: usize| index * block.size..(index + 1) * block.size;
        let rows_of = |task: usize| task * task_rows..((task + 1) * task_rows).min(rows);
        // Panels that several tasks use are packed once for all; those of a single task while they are needed.
        let uses: usize = (0..tasks_per_block)
            .flat_map(|task| panels.iter().map(move |panel| (task, panel)))
            .filter(|(task, panel)| !self.row_runs(rows_of(*task), panel.slice_tap).is_empty())
            .count();
        let is_shared = 2 * uses > 3 * panels.len();
        let whole = Work { sizes: self, framed, tiles: &self.tiles(block.widest), filters, panels: &panels };
        let shared = SharedOutput::new(output);
        with_scratch(if is_shared { bank * blocks } else { 0 }, |packed| {
            if is_shared {
                packed.par_chunks_mut(bank).enumerate().for_each(|(index, packed)| {
                    for panel in &panels {
                        let packed = &mut packed[panel.start..][..self.panel_size(panel, block.size)];
                        self.pack(filters, &channels(index), panel, packed);
                    }
                });
            }
            let packed: &[f32] = packed;
            (0..blocks * tasks_per_block).into_par_iter().for_each(|task| {
                let (index, task) = (task / tasks_per_block, task % tasks_per_block);
                let packed = is_shared.then(|| &packed[index * bank..(index + 1) * bank]);
                whole.run_task(&channels(index), rows_of(task), packed, bias, shared);
            });
        });
    }

    /// Tiles of all output rows; a start is that of slice 0 and channel 0 of the framed input.
    fn tiles(&self, widest: usize) -> Vec<Tile> {
        let [slices, height, width] = self.output;
        let [framed_rows, framed_columns] = self.framed();
        let sample = self.in_channels * self.input[0] * framed_rows * framed_columns;
        assert!(u32::try_from(self.samples * sample).is_ok(), "the input of a convolution has at most 2^32 values");
        (0..self.output_rows())
            .flat_map(|row| {
                let start = row / (slices * height) * sample + row % height * self.stride[1] * framed_columns;
                pieces(width, widest).map(move |columns| Tile {
                    start: (start + columns.start * self.stride[2]) as u32,
                    width: columns.len() as u32,
                })
            })
            .collect()
    }
}

/// What all tasks of a correlation read.
struct Work<'a> {
    sizes: &'a Correlation,
    framed: &'a [f32],
    tiles: &'a [Tile],
    filters: &'a Filters<'a>,
    panels: &'a [Panel],
}

impl Work<'_> {
    /// Computes one block of channels for some rows; `packed` are its panels where they are packed already.
    fn run_task(
        &self,
        channels: &Range<usize>,
        rows: Range<usize>,
        packed: Option<&[f32]>,
        bias: Option<&[f32]>,
        output: SharedOutput,
    ) {
        let block = channels.len();
        let filled = channels.start..channels.end.min(self.sizes.out_channels);
        let pixels = rows.len() * self.sizes.output[2];
        let largest = self.panels.iter().map(|panel| self.sizes.panel_size(panel, block)).max().unwrap_or(0);
        with_scratch(pixels * block + largest, |scratch| {
            let (sums, own_panel) = scratch.split_at_mut(pixels * block);
            sums.fill(0.0);
            if let Some(bias) = bias {
                for sum in sums.chunks_exact_mut(block) {
                    sum[..filled.len()].copy_from_slice(&bias[filled.clone()]);
                }
            }
            let mut offsets = Vec::new();
            for panel in self.panels {
                let runs = self.sizes.row_runs(rows.clone(), panel.slice_tap);
                if runs.is_empty() {
                    continue;
                }
                let size = self.sizes.panel_size(panel, block);
                let values: &[f32] = if let Some(packed) = packed {
                    &packed[panel.start..panel.start + size]
                } else {
                    self.sizes.pack(self.filters, channels, panel, &mut own_panel[..size]);
                    &own_panel[..size]
                };
                self.offsets(panel.channels.len(), &mut offsets);
                for run in runs {
                    self.accumulate(panel, values, &offsets, &run, rows.start, sums);
                }
            }
            self.write(sums, &filled, block, rows, output);
        });
    }

    /// Where the rows of a panel of so many channels read, from the first input of its first channel.
    fn offsets(&self, channels: usize, offsets: &mut Vec<u32>) {
        let [height, width] = self.sizes.framed();
        let channel_step = self.sizes.input[0] * height * width;
        let [_, row_taps, column_taps] = self.sizes.kernel;
        if offsets.len() == channels * row_taps * column_taps {
            return;
        }
        offsets.clear();
        for row in 0..row_taps {
            for channel in 0..channels {
                let start = channel * channel_step + row * width;
                offsets.extend((start..start + column_taps).map(|offset| offset as u32));
            }
        }
    }

    fn accumulate(
        &self,
        panel: &Panel,
        values: &[f32],
        offsets: &[u32],
        run: &RowRun,
        first_row: usize,
        sums: &mut [f32],
    ) {
        let sizes = self.sizes;
        let [height, width] = sizes.framed();
        let (columns, tiles_per_row) = (sizes.output[2], self.tiles.len() / sizes.output_rows());
        let per_row_tap = offsets.len() / sizes.kernel[1];
        let block = values.len() / offsets.len();
        let used = run.row_taps.start * per_row_tap..run.row_taps.end * per_row_tap;
        let pixels = (run.rows.start - first_row) * columns..(run.rows.end - first_row) * columns;
        Accumulate {
            input: self.framed,
            shift: (panel.channels.start * sizes.input[0] + run.source_slice) * height * width,
            offsets: &offsets[used.clone()],
            step: sizes.stride[2],
            panel: &values[used.start * block..used.end * block],
            tiles: &self.tiles[run.rows.start * tiles_per_row..run.rows.end * tiles_per_row],
            sums: &mut sums[pixels.start * block..pixels.end * block],
            block,
        }
        .run();
    }

    /// Turns sums `[pixel, channel]` into planes of the output.
    fn write(&self, sums: &[f32], channels: &Range<usize>, block: usize, rows: Range<usize>, output: SharedOutput) {
        let sizes = self.sizes;
        let (plane, columns) = (sizes.output_pixels(), sizes.output[2]);
        let rows_per_sample = sizes.output[0] * sizes.output[1];
        let mut planes = vec![0.0; block * TURNED_PIXELS];
        let mut row = rows.start;
        while row < rows.end {
            let sample = row / rows_per_sample;
            let end = ((sample + 1) * rows_per_sample).min(rows.end);
            let sums = &sums[(row - rows.start) * columns * block..(end - rows.start) * columns * block];
            let start = (sample * sizes.out_channels + channels.start) * plane + row % rows_per_sample * columns;
            for (run, sums) in sums.chunks(TURNED_PIXELS * block).enumerate() {
                let pixels = sums.len() / block;
                Turned { source: sums, step: block, rows: pixels, columns: channels.len() }
                    .write(&mut planes, TURNED_PIXELS);
                for (channel, values) in planes.chunks_exact(TURNED_PIXELS).take(channels.len()).enumerate() {
                    #[allow(unsafe_code, reason = "tasks partition the output")]
                    // SAFETY: each task has its own rows of its own channels.
                    let line = unsafe { output.line(start + channel * plane + run * TURNED_PIXELS, pixels) };
                    line.copy_from_slice(&values[..pixels]);
                }
            }
            row = end;
        }
    }
}
