//! The window: state, worker, and what the user's actions do to them.
//!
//! The frame is always the same: take in what the worker sent ([`Viewer::logic`]), draw the state with the panels of
//! [`crate::ui`], then apply the actions that they collected. Nothing here waits for anything.

mod box_store;
mod correction;
mod dialog;
mod evidence;
mod findings;
mod history;
mod navigation;
mod present;
mod results;
mod study;
#[cfg(test)]
mod testing;
mod viewer;
mod window;

pub use box_store::{BoxStore, user_boxes_folder};
pub use viewer::Viewer;
pub use window::{AppError, AppOptions, DemoOptions, run};

use crate::worker::{Command, Event};
