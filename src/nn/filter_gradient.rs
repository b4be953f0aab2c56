//! Gradient of a loss to the filters of a correlation, on the CPU.
//!
//! The gradient of (filter, channel, tap) is a sum over output pixels. The input is turned once so that the channels of
//! a pixel lie side by side, in groups of one tile; a task is one group or a few with one block of filters. It takes the
//! output's gradient some rows at a time, turned into a panel with the filters side by side, and adds the panel's
//! products with the input at every tap (`kernel`) to the sums of that tap, which stay in the second-level cache.

use std::ops::Range;

use rayon::prelude::*;

use super::correlation::{Correlation, pieces};
use super::kernel::{Accumulate, Block, Tile};
use super::scratch::{SharedOutput, with_scratch};
use super::turn::Turned;

/// Output pixels of a panel aimed at: with 32 filters 32 KB, what a first-level cache holds.
const PANEL_PIXELS: usize = 256;
/// Tasks wanted, so that every thread finds work.
const WANTED_TASKS: usize = 16;
/// Sums of a task at most: half a second-level cache.
const TASK_SUMS: usize = 1 << 17;
/// Output pixels below which the sum over them is not divided between tasks.
const FEWEST_PIXELS: usize = 512;
/// With fewer channels the column taps of all channels make up a tile.
const FEW_CHANNELS: usize = 4;

impl Correlation {
    /// Gradient to the filters, `[out channel, in channel, slice, row, column]`, from that to the output.
    pub(super) fn filter_gradient(&self, input: &[f32], grad_output: &[f32]) -> Vec<f32> {
        let taps: usize = self.kernel.iter().product();
        let mut gradient = vec![0.0; self.out_channels * self.in_channels * taps];
        assert_eq!(grad_output.len(), self.samples * self.out_channels * self.output_pixels());
        if gradient.is_empty() || grad_output.is_empty() {
            return gradient;
        }
        let [height, width] = self.framed();
        let pixels = self.samples * self.input[0] * height * width;
        let block = Block::for_channels(self.out_channels);
        let widest = if self.in_channels < FEW_CHANNELS { FEW_CHANNELS } else { block.widest };
        let groups: Vec<Range<usize>> = pieces(self.in_channels, widest).collect();
        with_scratch(pixels * self.in_channels, |turned| {
            self.turn_input(input, &groups, turned);
            let shared = SharedOutput::new(&mut gradient);
            let work = FilterGradient { sizes: self, turned, grad_output, block };
            let blocks = self.out_channels.div_ceil(block.size);
            let together = work.groups_per_task(groups.len(), blocks);
            let tasks: Vec<(usize, &[Range<usize>])> =
                (0..blocks).flat_map(|index| groups.chunks(together).map(move |groups| (index, groups))).collect();
            let parts = work.parts(tasks.len());
            tasks.par_iter().for_each(|(index, groups)| {
                let filters = index * block.size..((index + 1) * block.size).min(self.out_channels);
                work.run_task(&filters, groups, parts, shared);
            });
        });
        gradient
    }

    /// Input with its padding, `[group][sample][slice][row][column][channel of the group]`.
    fn turn_input(&self, input: &[f32], groups: &[Range<usize>], turned: &mut [f32]) {
        let [height, width] = self.framed();
        let [slices, rows, columns] = self.input;
        let (before, skipped) = ((-self.offset[2]).max(0) as usize, self.offset[2].max(0) as usize);
        let mut rest = turned;
        let mut parts = Vec::new();
        for group in groups {
            let (own, others) = rest.split_at_mut(self.samples * slices * height * width * group.len());
            parts.extend(own.chunks_exact_mut(height * width * group.len()).enumerate().map(|part| (group, part)));
            rest = others;
        }
        parts.into_par_iter().for_each(|(group, (plane, turned))| {
            let (sample, slice) = (plane / slices, plane % slices);
            for (line, target) in turned.chunks_exact_mut(width * group.len()).enumerate() {
                target.fill(0.0);
                let Some(row) = usize::try_from(line as isize + self.offset[1]).ok().filter(|row| *row < rows) else {
                    continue;
                };
                let step = slices * rows * columns;
                let start = (sample * self.in_channels + group.start) * step + (slice * rows + row) * columns + skipped;
                let length = columns.saturating_sub(skipped).min(width.saturating_sub(before));
                if length > 0 {
                    let values = Turned { source: &input[start..], step, rows: group.len(), columns: length };
                    values.write(&mut target[before * group.len()..], group.len());
                }
            }
        });
    }
}

/// What all tasks of a filter gradient read.
struct FilterGradient<'a> {
    sizes: &'a Correlation,
    turned: &'a [f32],
    grad_output: &'a [f32],
    block: Block,
}

impl FilterGradient<'_> {
    /// Column taps that are summed apart; those of few channels lie side by side and are one run.
    fn separate_column_taps(&self) -> usize {
        if self.sizes.in_channels < FEW_CHANNELS { 1 } else { self.sizes.kernel[2] }
    }

    /// Sums of one group of channels side by side for one (slice, row, separate column) tap.
    fn run_length(&self, channels: usize) -> usize {
        channels * self.sizes.kernel[2] / self.separate_column_taps()
    }

    fn groups_per_task(&self, groups: usize, blocks: usize) -> usize {
        let taps: usize = self.sizes.kernel.iter().product();
        let fitting = TASK_SUMS / (taps * self.block.widest * self.block.size);
        (groups * blocks / WANTED_TASKS).min(fitting).clamp(1, groups)
    }

    /// Into how many parts the sum over pixels is divided, so that there is work for every thread.
    fn parts(&self, tasks: usize) -> usize {
        let pixels = self.sizes.output_rows() * self.sizes.output[2];
        (WANTED_TASKS / tasks.max(1)).min(pixels / FEWEST_PIXELS).clamp(1, self.sizes.output_rows())
    }

    fn run_task(&self, filters: &Range<usize>, groups: &[Range<usize>], parts: usize, gradient: SharedOutput) {
        let [slice_taps, row_taps, _] = self.sizes.kernel;
        let per_channel = slice_taps * row_taps * self.sizes.kernel[2] * self.block.size;
        let channels: usize = groups.iter().map(Range::len).sum();
        let rows = self.sizes.output_rows();
        let sum_part = |part: usize, sums: &mut [f32]| {
            sums.fill(0.0);
            self.sum_rows(filters, groups, part * rows / parts..(part + 1) * rows / parts, sums);
        };
        with_scratch(parts * channels * per_channel, |sums| {
            if parts == 1 {
                sum_part(0, sums);
            } else {
                let parts = sums.par_chunks_mut(channels * per_channel).enumerate();
                parts.for_each(|(part, sums)| sum_part(part, sums));
            }
            let mut start = 0;
            for group in groups {
                let parts = sums.chunks_mut(channels * per_channel).map(|sums| &mut sums[start..]);
                self.write(filters, group, &mut parts.collect::<Vec<_>>(), gradient);
                start += group.len() * per_channel;
            }
        });
    }

    /// Adds the products of some output rows, a panel at a time.
    fn sum_rows(&self, filters: &Range<usize>, groups: &[Range<usize>], rows: Range<usize>, sums: &mut [f32]) {
        let [_, height, width] = self.sizes.output;
        let panel_rows = (PANEL_PIXELS / width).max(1);
        with_scratch(panel_rows * width * self.block.size, |panel| {
            let mut row = rows.start;
            while row < rows.end {
                // All rows of a panel belong to one slice.
                let end = (row + panel_rows).min(rows.end).min((row / height + 1) * height);
                let panel = &mut panel[..(end - row) * width * self.block.size];
                self.turn_gradient(filters, row..end, panel);
                let mut start = 0;
                for group in groups {
                    start += self.add_panel(group, row..end, panel, &mut sums[start..]);
                }
                row = end;
            }
        });
    }

    /// Gradient of some rows of one slice, `[pixel, filter of the block]`.
    fn turn_gradient(&self, filters: &Range<usize>, rows: Range<usize>, panel: &mut [f32]) {
        let (plane, columns) = (self.sizes.output_pixels(), self.sizes.output[2]);
        let rows_per_sample = self.sizes.output[0] * self.sizes.output[1];
        let sample = rows.start / rows_per_sample;
        let start = (sample * self.sizes.out_channels + filters.start) * plane + rows.start % rows_per_sample * columns;
        if filters.len() < self.block.size {
            panel.fill(0.0);
        }
        let pixels = panel.len() / self.block.size;
        let source = &self.grad_output[start..];
        Turned { source, step: plane, rows: filters.len(), columns: pixels }.write(panel, self.block.size);
    }

    /// Adds the products of one panel with one group of channels at every tap; returns how many sums they are.
    fn add_panel(&self, group: &Range<usize>, rows: Range<usize>, panel: &[f32], sums: &mut [f32]) -> usize {
        let sizes = self.sizes;
        let [slices, height, width] = sizes.output;
        let [framed_rows, framed_columns] = sizes.framed();
        let [slice_taps, row_taps, _] = sizes.kernel;
        let (column_taps, length) = (self.separate_column_taps(), self.run_length(group.len()));
        let pixels = sizes.samples * sizes.input[0] * framed_rows * framed_columns;
        let input = &self.turned[pixels * group.start..pixels * group.end];
        let (sample, slice, first_row) =
            (rows.start / height / slices, rows.start / height % slices, rows.start % height);
        let pitch = sizes.stride[1] * framed_columns * group.len();
        let step = sizes.stride[2] * group.len();
        let offsets: Vec<u32> = (0..rows.len())
            .flat_map(|row| (0..width).map(move |column| (row * pitch + column * step) as u32))
            .collect();
        let tiles: Vec<Tile> = pieces(length, self.block.widest)
            .map(|piece| Tile { start: piece.start as u32, width: piece.len() as u32 })
            .collect();
        for slice_tap in sizes.inside_taps(0, slice) {
            let source = ((slice * sizes.stride[0] + slice_tap) as isize + sizes.offset[0]) as usize;
            for row_tap in 0..row_taps {
                let inside = |row: &usize| sizes.inside_taps(1, first_row + row).contains(&row_tap);
                let Some(first) = (0..rows.len()).find(inside) else { continue };
                let end = (first..rows.len()).find(|row| !inside(row)).unwrap_or(rows.len());
                let line = (sample * sizes.input[0] + source) * framed_rows + first_row * sizes.stride[1] + row_tap;
                for column_tap in 0..column_taps {
                    let run = ((slice_tap * row_taps + row_tap) * column_taps + column_tap) * length * self.block.size;
                    Accumulate {
                        input,
                        shift: (line * framed_columns + column_tap) * group.len(),
                        offsets: &offsets[first * width..end * width],
                        step: 1,
                        panel: &panel[first * width * self.block.size..end * width * self.block.size],
                        tiles: &tiles,
                        sums: &mut sums[run..run + length * self.block.size],
                        block: self.block.size,
                    }
                    .run();
                }
            }
        }
        slice_taps * row_taps * column_taps * length * self.block.size
    }

    /// Adds up the parts of the sums of a group, `[slice tap, row tap, column tap, channel, filter]`, and writes them as
    /// filters.
    fn write(&self, filters: &Range<usize>, group: &Range<usize>, parts: &mut [&mut [f32]], gradient: SharedOutput) {
        let taps: usize = self.sizes.kernel.iter().product();
        let (size, step) = (self.block.size, group.len() * self.block.size);
        let Some((sums, others)) = parts.split_first_mut() else { return };
        for other in others {
            for (sum, value) in sums[..taps * step].iter_mut().zip(other.iter()) {
                *sum += value;
            }
        }
        with_scratch(size * taps, |turned| {
            for (index, channel) in group.clone().enumerate() {
                let source = &sums[index * size..];
                Turned { source, step, rows: taps, columns: filters.len() }.write(turned, taps);
                for (filter, values) in filters.clone().zip(turned.chunks_exact(taps)) {
                    #[allow(unsafe_code, reason = "tasks partition the gradient")]
                    // SAFETY: each task has its own filters and channels.
                    let line = unsafe { gradient.line((filter * self.sizes.in_channels + channel) * taps, taps) };
                    line.copy_from_slice(values);
                }
            }
        });
    }
}
