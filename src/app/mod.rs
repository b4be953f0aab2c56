//! The window: state, worker, and what the user's actions do to them.
//!
//! The frame is always the same: take in what the worker sent ([`Viewer::logic`]), draw the state with the panels of
//! [`crate::ui`], then apply the actions that they collected. Nothing here waits for anything.

mod active;
mod added_study;
mod archive;
mod blind;
mod box_files;
mod companion;
mod copy;
mod correction;
mod dialog;
mod evidence;
mod file;
mod findings;
mod habits;
mod history;
mod key_images;
mod languages;
mod listing;
mod looks;
mod navigation;
mod pictures;
mod planes;
mod present;
mod prior;
mod reader_store;
mod reading;
mod results;
mod review;
mod search;
mod series_reader;
mod settings;
mod study;
#[cfg(test)]
mod testing;
mod thumbnails;
mod vertebrae;
mod viewer;
mod window;

pub use reader_store::ReaderStore;
pub use viewer::Viewer;
pub use window::{AppError, AppOptions, DemoOptions, run};

use crate::worker::{Command, Event};
