//! Reading voxels of any type as numbers.

use std::io::Read;

use super::ResearchError;

/// Type of a stored voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Sample {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Reads `count` voxels from `source`, which may end early or go on; memory grows with what is really there.
    pub(super) fn read(self, source: impl Read, count: u64, big_endian: bool) -> Result<Vec<f32>, ResearchError> {
        let expected = count * self.bytes() as u64;
        let mut bytes = Vec::new();
        source.take(expected).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < expected {
            return Err(ResearchError::Truncated { expected, got: bytes.len() as u64 });
        }
        if big_endian {
            bytes.chunks_exact_mut(self.bytes()).for_each(<[u8]>::reverse);
        }
        Ok(self.values(&bytes))
    }

    fn values(self, bytes: &[u8]) -> Vec<f32> {
        fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
        }
        match self {
            Self::U8 => each(bytes, |[byte]| f32::from(byte)),
            Self::I8 => each(bytes, |[byte]| f32::from(byte.cast_signed())),
            Self::U16 => each(bytes, |chunk| f32::from(u16::from_le_bytes(chunk))),
            Self::I16 => each(bytes, |chunk| f32::from(i16::from_le_bytes(chunk))),
            Self::U32 => each(bytes, |chunk| u32::from_le_bytes(chunk) as f32),
            Self::I32 => each(bytes, |chunk| i32::from_le_bytes(chunk) as f32),
            Self::U64 => each(bytes, |chunk| u64::from_le_bytes(chunk) as f32),
            Self::I64 => each(bytes, |chunk| i64::from_le_bytes(chunk) as f32),
            Self::F32 => each(bytes, f32::from_le_bytes),
            Self::F64 => each(bytes, |chunk| f64::from_le_bytes(chunk) as f32),
        }
    }
}
