//! Lumbar MRI in, radiological gradings of every disc out, with the evidence for each shown in the image.
//!
//! The modules are layers; each uses only those listed above it (`tests/layering.rs` holds the table).
//! ARCHITECTURE.md explains why they are cut this way.

// What the window alone uses lies idle in a build without it; the build with it finds what nothing uses.
#![cfg_attr(not(feature = "gui"), allow(dead_code, unreachable_pub, unused_imports))]

#[cfg(feature = "gui")]
pub mod app;
pub(crate) mod causes;
pub mod cli;
pub mod detection;
pub mod dicom;
pub mod evaluation;
pub mod export;
pub mod files;
pub mod language;
pub mod measuring;
pub(crate) mod memory;
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
pub(crate) mod words;
#[cfg(feature = "gui")]
pub mod worker;
