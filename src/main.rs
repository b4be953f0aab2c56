//! Opens the viewer or runs a command.

use std::process::ExitCode;

use clap::Parser;
use spinenet_viewer::cli::{self, Arguments, Outcome};

fn main() -> ExitCode {
    // Wrong usage ends here with status 2, --help and --version with 0.
    let arguments = Arguments::parse();
    let outcome = cli::run(arguments).and_then(|outcome| match outcome {
        Outcome::OpenViewer(request) => cli::without_window(request, "the window is not built in"),
        done => Ok(done),
    });
    match outcome {
        Ok(Outcome::Done | Outcome::OpenViewer(_)) => ExitCode::SUCCESS,
        Ok(Outcome::PartlyFailed) => ExitCode::FAILURE,
        Err(error) => {
            cli::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
