//! Lumbar MRI in, radiological gradings of every disc out, with the evidence for each shown in the image.
//!
//! The modules are layers; each uses only those listed above it (`tests/layering.rs` holds the table).
//! ARCHITECTURE.md explains why they are cut this way.

pub mod volume;
pub mod task;
pub mod spine;
pub mod phantom;
pub mod dicom;
pub mod nn;
pub mod model;
pub mod detection;
pub mod saliency;
pub mod evaluation;
pub mod training;
pub mod picture;
pub mod pipeline;
pub mod worker;
#[cfg(feature = "gui")]
pub mod render;
pub mod cli;
