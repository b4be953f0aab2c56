//! `spinenet phantom`.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use super::console::Console;
use crate::pipeline::prepare_demo;
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet phantom`.
#[derive(Debug, Args)]
pub struct PhantomArguments {
    /// Folder for the studies; each gets a folder of its own in it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number of studies.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// Seed of the first study; the others count up.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs `spinenet phantom`.
pub fn run(arguments: &PhantomArguments, console: Console) -> anyhow::Result<Outcome> {
    let line = console.progress("");
    for index in 0..arguments.count {
        let seed = arguments.seed.wrapping_add(index);
        line.show(Progress { step: "Making synthetic studies", done: index as usize, total: arguments.count as usize });
        let folder = arguments.out.join(format!("phantom-{seed:06}"));
        prepare_demo(Some(&folder), seed, &CancelToken::default(), &mut |_| ())?;
    }
    drop(line);
    console.say(&format!("{} synthetic studies in {}", arguments.count, arguments.out.display()));
    Ok(Outcome::Done)
}
