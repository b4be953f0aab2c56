//! Opens the viewer or runs a command.

use std::process::ExitCode;

use spinenet_viewer::cli::{self, Arguments, Outcome, ViewerRequest};

fn main() -> ExitCode {
    let outcome = cli::run(Arguments::from_command_line()).and_then(|outcome| match outcome {
        Outcome::OpenViewer(request) => open_viewer(request),
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

/// Opens the window; where the system has none, the command line takes over.
#[cfg(feature = "gui")]
fn open_viewer(request: ViewerRequest) -> anyhow::Result<Outcome> {
    use spinenet_viewer::app::{self, AppError, AppOptions, DemoOptions};

    if let Some(reason) = cli::why_no_display() {
        return cli::without_window(request, reason);
    }
    let options = AppOptions {
        open: request.folder.clone(),
        demo: request.demo.as_ref().map(|demo| DemoOptions { seed: demo.seed, out: demo.out.clone() }),
        weights: request.weights.clone(),
        device: request.device,
    };
    match app::run(options) {
        Ok(()) => Ok(Outcome::Done),
        Err(error @ AppError::Window(_)) => cli::without_window(request, &error.to_string()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(feature = "gui"))]
fn open_viewer(request: ViewerRequest) -> anyhow::Result<Outcome> {
    cli::without_window(request, "the window is not built in")
}
