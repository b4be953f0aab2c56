//! What can be typed.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use super::{anonymize, demo, evaluate, explain, export, figures, grade, pacs, phantom, train, weights};
use crate::pipeline::DeviceChoice;

/// Grades lumbar discs on MRI and shows where in the image the evidence is. Research use only.
///
/// Without a command it opens the viewer, on FOLDER if one is given.
#[derive(Debug, Parser)]
#[command(name = "spinenet", version, subcommand_precedence_over_arg = true)]
pub struct Arguments {
    /// What to do instead of opening the viewer.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Folder with a DICOM study to open in the viewer.
    pub(super) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(super) models: ModelArguments,
    #[command(flatten)]
    pub(super) talk: TalkArguments,
}

impl Arguments {
    /// What was typed; wrong usage ends the program with status 2, `--help` and `--version` with 0.
    #[must_use]
    pub fn from_command_line() -> Self {
        Self::parse().checked().unwrap_or_else(|error| error.exit())
    }

    /// Refuses what belongs to the viewer before a command, where it would be passed over in silence.
    fn checked(self) -> Result<Self, clap::Error> {
        let for_viewer = self.folder.is_some() || self.models != ModelArguments::default();
        if self.command.is_some() && for_viewer {
            let message = "put a command first; FOLDER, --weights and --device before it are for the viewer";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(self)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a synthetic study and show it graded and explained.
    Demo(demo::DemoArguments),
    /// Find the T2 sagittal series, detect and label discs, grade them.
    Grade(grade::GradeArguments),
    /// Find and label vertebrae and discs only.
    Detect(grade::DetectArguments),
    /// Show where the evidence for a grade is: volume, pictures and boxes.
    Explain(explain::ExplainArguments),
    /// Draw the figures of a grade: methods, thresholds, convergence, unlearning layers.
    Figures(figures::FiguresArguments),
    /// Write a report as PDF, DICOM objects, NIfTI volumes or tables.
    Export(export::ExportArguments),
    /// Copy a study without identity: DICOM PS3.15 basic profile.
    Anonymize(anonymize::AnonymizeArguments),
    /// Find, fetch and store studies in an archive (PACS): DICOMweb or DIMSE.
    Pacs(pacs::PacsArguments),
    /// Compare results with the truth.
    Evaluate(evaluate::EvaluateArguments),
    /// Train a network.
    Train(train::TrainArguments),
    /// Repeat an experiment of the paper on your data: one ingredient changed, the paper's figures beside yours.
    Experiment(train::ExperimentArguments),
    /// Write synthetic studies with their truth.
    Phantom(phantom::PhantomArguments),
    /// What weights there are and whether they are whole.
    Weights(weights::WeightsArguments),
    /// Where the networks could run.
    Devices,
}

/// Which networks, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct ModelArguments {
    /// Folder with your own weights, searched before the shipped ones.
    #[arg(long, value_name = "DIR")]
    pub weights: Option<PathBuf>,
    /// Where the networks run: auto, cpu, cuda or metal.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceChoice,
}

/// How much is said.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TalkArguments {
    /// Print errors only, no progress and no table.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Log more on stderr; twice for most.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Write the log to a file; it holds no patient data.
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())?.checked()
    }

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_folder_alone_opens_the_viewer() {
        let arguments = parse("spinenet /data/study --device cpu").expect("valid");
        assert!(arguments.command.is_none());
        assert_eq!(arguments.folder, Some(PathBuf::from("/data/study")));
        assert_eq!(arguments.models.device, DeviceChoice::Cpu);
    }

    #[test]
    fn commands_of_the_interface_parse() {
        for line in [
            "spinenet",
            "spinenet demo --headless --out demo",
            "spinenet grade a b --out r.jsonl --views 1 --device auto --series 1.2.3 --quiet",
            "spinenet detect a --out r.json -v",
            "spinenet explain a --disc L4-L5 --grading pfirrmann --class 3 --method contrastive-excitation \
             --augmentations 150 --seed 4 --out e",
            "spinenet evaluate grades --truth T.csv --predictions P.json",
            "spinenet explain a --disc L4-L5 --grading all --augmentations auto --layer conv2 --box-rule largest-of-volume \
             --network grading-2d --out e",
            "spinenet figures a --disc L4-L5 --grading upper_marrow_change --augmentations 32 --truth B.json --out f",
            "spinenet evaluate boxes --truth B.json --predictions P.json",
            "spinenet evaluate boxes --truth B.json --predictions P.json --validation-truth B.json \
             --validation-predictions P.json --out m.json --csv m.csv --plot m.png m.svg",
            "spinenet evaluate evidence --networks grading grading-2d --test 4 --validation 2 --out m",
            "spinenet train detector --data M.toml --config C.toml --out D --resume",
            "spinenet train grading --data M.toml --config C.toml --out D",
            "spinenet train log --out D",
            "spinenet experiment dimensions --data M.toml --config C.toml --out D --resume",
            "spinenet phantom --out d --count 3 --seed 5",
            "spinenet weights list",
            "spinenet weights verify weights",
            "spinenet -v devices",
            "spinenet --quiet --log l grade a",
        ] {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).expect_err("printed"));
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        for line in [
            "spinenet grade",
            "spinenet a grade b",
            "spinenet --device cpu grade b",
            "spinenet grade a --views 7",
            "spinenet grade a --device tpu",
            "spinenet grade a --out report.txt",
            "spinenet explain a --disc L9-L10 --grading pfirrmann --out e",
            "spinenet explain a --disc L4-L5 --grading beauty --out e",
            "spinenet explain a --disc L4-L5 --grading pfirrmann --method magic --out e",
            "spinenet evaluate boxes --truth B.json --predictions P.json --validation-truth B.json",
            "spinenet evaluate boxes --truth B --predictions P --validation-truth B --validation-predictions P \
             --percentile 95",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
