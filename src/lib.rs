//! Lumbar MRI in, radiological gradings of every disc out, with the evidence for each shown in the image.
//!
//! The modules are layers; each uses only those listed above it (`tests/layering.rs` holds the table).
//! ARCHITECTURE.md explains why they are cut this way.

#[cfg(feature = "gui")]
pub mod app;
pub mod cli;
pub mod detection;
pub mod dicom;
pub mod evaluation;
pub mod export;
pub mod files;
pub mod language;
pub mod measuring;
pub mod memory;
pub mod model;
#[cfg(test)]
#[path = "../tests/needs/mod.rs"]
mod needs;
pub mod nn;
pub mod pacs;
pub mod phantom;
pub mod picture;
pub mod pipeline;
pub mod records;
#[cfg(feature = "gui")]
pub mod render;
pub mod research;
pub mod saliency;
pub mod spine;
pub mod task;
pub mod training;
#[cfg(feature = "gui")]
pub mod ui;
pub mod volume;
pub mod words;
pub mod worker;
