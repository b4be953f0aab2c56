//! The inner loop of every convolution on the CPU, for whatever vector registers the processor has.
//!
//! A tile is up to 14 outputs that read their inputs at a fixed step, times one block of channels (one or two vector
//! registers). Its sums stay in registers while the loop goes down a panel of filter rows: each row is loaded once, and
//! for each output one input is broadcast and multiplied. Every sum is a chain of fused multiplications and additions in
//! the order of the panel, so results do not depend on the width of the registers, nor on how outputs are tiled.

#![allow(clippy::inline_always, reason = "only what is inlined into the dispatched function sees its registers")]

use pulp::{Arch, Simd, WithSimd};

/// Outputs that are summed together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    /// Input of the first output at offset 0.
    pub(super) start: u32,
    /// Number of outputs, at most [`Block::widest`].
    pub(super) width: u32,
}

/// Channels that are summed together, after the registers of this processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// Channels: one or two registers full.
    pub(super) size: usize,
    /// Most outputs of a tile.
    pub(super) widest: usize,
}

impl Block {
    /// The block that suits this number of channels.
    pub(super) fn for_channels(channels: usize) -> Self {
        let Registers { lanes, widest } = Arch::new().dispatch(AskRegisters);
        Self { size: if channels > lanes { 2 * lanes } else { lanes }, widest }
    }
}

struct Registers {
    lanes: usize,
    widest: usize,
}

struct AskRegisters;

impl WithSimd for AskRegisters {
    type Output = Registers;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Registers {
        Registers { lanes: S::F32_LANES, widest: widest::<S>() }
    }
}

/// 28 of 32 registers hold sums, or 12 of 16; the others hold a panel row and the broadcast input.
const fn widest<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 14 } else { 6 }
}

/// Adds to each tile's sums the products of its inputs and a panel.
pub(super) struct Accumulate<'a> {
    /// Where inputs are read: `tile.start + shift + offset + output · step`.
    pub(super) input: &'a [f32],
    /// Added to every tile's start.
    pub(super) shift: usize,
    /// One for each row of the panel.
    pub(super) offsets: &'a [u32],
    /// Distance of the inputs of neighbouring outputs.
    pub(super) step: usize,
    /// Factors, `[offset, channel of the block]`.
    pub(super) panel: &'a [f32],
    /// Tiles in the order of their sums.
    pub(super) tiles: &'a [Tile],
    /// `[output, channel of the block]`.
    pub(super) sums: &'a mut [f32],
    /// Channels of a panel row and of a sum, from [`Block::for_channels`].
    pub(super) block: usize,
}

impl Accumulate<'_> {
    /// Runs on the widest registers that the processor has.
    pub(super) fn run(self) {
        Arch::new().dispatch(self);
    }

    #[inline(always)]
    fn all_tiles<S: Simd, const VECTORS: usize, const STEP: usize>(self, simd: S) {
        let panel = S::as_simd_f32s(self.panel).0.as_chunks::<VECTORS>().0;
        let mut sums = S::as_mut_simd_f32s(self.sums).0.as_chunks_mut::<VECTORS>().0;
        for tile in self.tiles {
            let (own, rest) = sums.split_at_mut(tile.width as usize);
            sums = rest;
            let input = &self.input[tile.start as usize + self.shift..];
            macro_rules! of_width {
                ($($width:literal)*) => {
                    match tile.width {
                        $($width => one_tile::<S, $width, VECTORS, STEP>(simd, input, self.offsets, panel, own, self.step),)*
                        width => unreachable!("a tile of {width} outputs"),
                    }
                };
            }
            if widest::<S>() == 14 {
                of_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
            } else {
                of_width!(1 2 3 4 5 6);
            }
        }
    }
}

impl WithSimd for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Steps 1 and 2, those of the networks, are known to the compiler; 0 stands for any other.
        match (self.block / S::F32_LANES, self.step) {
            (1, 1) => self.all_tiles::<S, 1, 1>(simd),
            (1, 2) => self.all_tiles::<S, 1, 2>(simd),
            (1, _) => self.all_tiles::<S, 1, 0>(simd),
            (2, 1) => self.all_tiles::<S, 2, 1>(simd),
            (2, 2) => self.all_tiles::<S, 2, 2>(simd),
            (2, _) => self.all_tiles::<S, 2, 0>(simd),
            (vectors, _) => unreachable!("a block of {vectors} registers"),
        }
    }
}

#[inline(always)]
fn one_tile<S: Simd, const WIDTH: usize, const VECTORS: usize, const STEP: usize>(
    simd: S,
    input: &[f32],
    offsets: &[u32],
    panel: &[[S::f32s; VECTORS]],
    sums: &mut [[S::f32s; VECTORS]],
    step: usize,
) {
    let step = if STEP == 0 { step } else { STEP };
    let Some(sums) = sums.first_chunk_mut::<WIDTH>() else { return };
    let mut held = *sums;
    for (offset, row) in offsets.iter().zip(panel) {
        let window = &input[*offset as usize..][..=(WIDTH - 1) * step];
        for output in 0..WIDTH {
            let factor = simd.splat_f32s(window[output * step]);
            for vector in 0..VECTORS {
                held[output][vector] = simd.mul_add_f32s(row[vector], factor, held[output][vector]);
            }
        }
    }
    *sums = held;
}
