//! Why weights cannot be used.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::PathError;
use crate::memory::NotEnoughMemory;

/// Why weights cannot be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// No folder holds weights of this name.
    #[error("no weights named \"{name}\"; searched {}", join(searched))]
    NotFound {
        /// What was looked for.
        name: String,
        searched: Vec<PathBuf>,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
    /// `metadata.json` is not what it should be.
    #[error("the metadata is not valid ({reason}): {}", path.display())]
    Metadata {
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// The weights are for another network.
    #[error("architecture \"{got}\" where \"{expected}\" is needed: {}", path.display())]
    Architecture {
        /// In the metadata.
        got: String,
        /// Of this network.
        expected: String,
        /// Which folder.
        path: PathBuf,
    },
    /// The network is larger than the free memory.
    #[error("the network does not fit into the free memory, take a narrower one than {}", path.display())]
    Memory {
        #[source]
        source: NotEnoughMemory,
        /// Which folder.
        path: PathBuf,
    },
    /// The tensors' file is shorter or longer than the metadata says.
    #[error("{got} bytes where {expected} are expected; the file is damaged or incomplete: {}", path.display())]
    Length {
        /// In the metadata.
        expected: u64,
        /// On disk.
        got: u64,
        /// Which file.
        path: PathBuf,
    },
    /// The tensors' file is not the one that the metadata describes.
    #[error("SHA-256 is {got} where {expected} is expected: {}", path.display())]
    Hash {
        /// In the metadata.
        expected: String,
        /// Of the file.
        got: String,
        /// Which file.
        path: PathBuf,
    },
    /// The tensors' file does not parse.
    #[error("not a safetensors file ({reason}): {}", path.display())]
    Format {
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    #[error("tensor \"{name}\" is missing: {}", path.display())]
    MissingTensor {
        /// Which tensor.
        name: String,
        /// Which file.
        path: PathBuf,
    },
    /// A tensor that the network does not have.
    #[error("tensor \"{name}\" does not belong to the network: {}", path.display())]
    UnexpectedTensor {
        /// Which tensor.
        name: String,
        /// Which file.
        path: PathBuf,
    },
    /// A tensor of another shape or of a type other than f16 and f32.
    #[error("tensor \"{name}\" is {got} where {expected:?} of f16 or f32 is expected: {}", path.display())]
    Shape {
        /// Which tensor.
        name: String,
        /// Shape in the network.
        expected: Vec<usize>,
        /// Shape and type in the file.
        got: String,
        /// Which file.
        path: PathBuf,
    },
    /// The device failed.
    #[error("the tensors cannot be put on the device")]
    Device(#[from] candle_core::Error),
}

fn join(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
