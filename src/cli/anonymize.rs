//! `spinenet anonymize`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::Outcome;
use super::console::{Console, complain};
use crate::dicom::anonymize_folder;
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet anonymize`.
#[derive(Debug, Args)]
pub(crate) struct AnonymizeArguments {
    /// Folder with DICOM images.
    folder: PathBuf,
    /// Folder for the copies; empty or new.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A file with a secret that gives the same new UIDs and pseudonyms every time; a random secret if left out.
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
}

/// Runs `spinenet anonymize`.
pub(super) fn run(arguments: &AnonymizeArguments, console: Console) -> anyhow::Result<Outcome> {
    let secret = match &arguments.secret {
        Some(file) => fs::read_to_string(file).with_context(|| format!("cannot read: {}", file.display()))?,
        None => format!("{:032x}", rand::random::<u128>()),
    };
    anyhow::ensure!(secret.trim().len() >= 16, "a secret of fewer than 16 letters can be guessed");
    let line = console.progress("");
    let mut show = |progress: Progress| line.show(progress);
    let done = anonymize_folder(&arguments.folder, &arguments.out, &secret, &CancelToken::default(), &mut show)?;
    drop(line);
    console.say(&format!("{} images copied, {} UIDs replaced", done.copied, done.uids));
    if !done.removed.is_empty() {
        console.say("Removed or emptied (and all private attributes, overlays and sequences):");
        for (keyword, images) in &done.removed {
            console.say(&format!("  {keyword} in {images} images"));
        }
    }
    for (reason, files) in &done.left_out {
        console.say(&format!("  {files} files left out: {reason}"));
    }
    if done.passed_over > 0 {
        console.say(&format!("  {} files that are not DICOM left out", done.passed_over));
    }
    if done.burned_in_unknown > 0 {
        complain(&format!(
            "warning: {} images do not say whether text is burned into their pixels; look at the copies before they leave",
            done.burned_in_unknown
        ));
    }
    anyhow::ensure!(done.copied > 0, "no image could be copied");
    Ok(Outcome::Done)
}
