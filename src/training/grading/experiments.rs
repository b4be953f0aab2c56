//! The paper's experiments: one ingredient changed at a time, everything else as configured, measured on patients left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::examples::{GradingExample, ScanKind};
use super::measure::{HeldOutPrediction, MeasuredGrading, MeasuredRow, measure_all};
use super::run::{HELD_OUT, read_json};
use super::{CrossValidation, GradingTrainingConfig, GradingTrainingError, train};
use crate::model::{Dimensions, GradingConfig};
use crate::spine::{DiscLevel, Grading};
use crate::task::Progress;
use crate::training::TrainingJob;

/// Units that tell the level, where the configuration has none.
const LEVEL_UNITS: usize = 8;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Experiment {
    /// Gradings learned together, one added at a time (Table 1).
    Tasks,
    /// Two or three dimensions (Table 2).
    Dimensions,
    /// With and without the level of the disc.
    Levels,
    /// One view and 54, of the same networks.
    Views,
}

/// Measures of one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExperimentColumn {
    /// What is special about it.
    pub name: String,
    /// The folder of its training.
    pub folder: String,
    /// Balanced accuracy by grading and kind of scans.
    pub table: Vec<MeasuredRow>,
    /// Stenosis by level; the paper tells it so.
    pub stenosis_by_level: BTreeMap<DiscLevel, Vec<MeasuredRow>>,
}

/// What an experiment found, as `experiment.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExperimentResult {
    pub experiment: Experiment,
    /// Its variants in order.
    pub columns: Vec<ExperimentColumn>,
}

/// The paper's balanced accuracy in two and in three dimensions, percent (Jamaludin et al. 2017, Table 2 and text); of
/// narrowing as yes or no; `None` of gradings that it does not have. The paper tells the two marrows apart; here stands their mean.
#[must_use]
pub(crate) fn published(grading: MeasuredGrading) -> Option<[f64; 2]> {
    match grading {
        MeasuredGrading::One(Grading::Pfirrmann) => Some([71.9, 71.5]),
        MeasuredGrading::One(Grading::DiscNarrowing) => Some([87.8, 90.0]),
        MeasuredGrading::One(Grading::UpperEndplateDefect) => Some([83.7, 85.2]),
        MeasuredGrading::One(Grading::LowerEndplateDefect) => Some([86.9, 87.5]),
        MeasuredGrading::EitherMarrowChange => Some([90.0, 90.65]),
        MeasuredGrading::One(Grading::Spondylolisthesis) => Some([92.9, 95.2]),
        MeasuredGrading::One(Grading::CentralCanalStenosis) => Some([94.3, 94.3]),
        MeasuredGrading::One(_) => None,
    }
}

/// Pfirrmann grades at most one off, in two and in three dimensions, percent.
pub(crate) const PUBLISHED_WITHIN_ONE: [f64; 2] = [96.1, 95.6];

/// Stenosis by level, percent.
pub(crate) const PUBLISHED_STENOSIS: [(DiscLevel, f64); 3] =
    [(DiscLevel::L3L4, 94.7), (DiscLevel::L4L5, 85.9), (DiscLevel::L5S1, 93.7)];

impl Experiment {
    /// Names, folders and configurations of the trainings.
    fn variants(self, config: &GradingTrainingConfig) -> Vec<(String, String, GradingTrainingConfig)> {
        let base = GradingTrainingConfig { final_network: false, ..config.clone() };
        let with_network = |name: &str, folder: &str, network: GradingConfig| {
            (name.to_owned(), folder.to_owned(), GradingTrainingConfig { network, ..base.clone() })
        };
        let network = &base.network;
        match self {
            Self::Tasks => (1..=network.gradings.len())
                .map(|count| {
                    let gradings: Vec<Grading> = network.gradings.iter().copied().take(count).collect();
                    let added = gradings[count - 1].name().to_owned();
                    let tasks = gradings.into_iter().map(|task| (task, config.task_weight(task)));
                    let name = if count == 1 { added } else { format!("+ {added}") };
                    let tasks = Some(tasks.collect());
                    (name, format!("tasks-{count}"), GradingTrainingConfig { tasks, ..base.clone() })
                })
                .collect(),
            Self::Dimensions => {
                let of = |dimensions| GradingConfig { dimensions, ..network.clone() };
                vec![
                    with_network("2-D", "2d", of(Dimensions::Two)),
                    with_network("3-D", "3d", of(Dimensions::Three)),
                    with_network("3-D, all slices", "3d-unreduced", of(Dimensions::ThreeUnreduced)),
                ]
            }
            Self::Levels => {
                let told = if network.level_units > 0 { network.level_units } else { LEVEL_UNITS };
                let of = |level_units| GradingConfig { level_units, ..network.clone() };
                vec![
                    with_network("without level", "levels-unknown", of(0)),
                    with_network("with level", "levels-told", of(told)),
                ]
            }
            Self::Views => vec![("54 views".to_owned(), "views".to_owned(), base)],
        }
    }

    /// Trains and measures every variant in a folder of its own below the job's; where it resumes, what is done stays done.
    ///
    /// # Errors
    /// As [`train`]; also if the configuration has no folds.
    pub(crate) fn run(
        self,
        config: &GradingTrainingConfig,
        examples: &[GradingExample],
        job: &TrainingJob,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<ExperimentResult, GradingTrainingError> {
        if config.folds == 0 {
            return Err(GradingTrainingError::NoFolds);
        }
        let mut columns = Vec::new();
        for (name, folder, config) in self.variants(config) {
            let part = job.part(&folder);
            let outcome = train(&config, examples, &part, on_progress)?;
            let measured: CrossValidation = outcome.cross_validation.ok_or(GradingTrainingError::NoFolds)?;
            let answers: Vec<HeldOutPrediction> = read_json(&part.folder.join(HELD_OUT))?;
            let stenosis_by_level = stenosis_by_level(&answers);
            if self == Self::Views {
                let (name, table) = ("one view".to_owned(), measured.one_view_table);
                columns.push(ExperimentColumn {
                    name,
                    folder: folder.clone(),
                    table,
                    stenosis_by_level: BTreeMap::new(),
                });
            }
            columns.push(ExperimentColumn { name, folder, table: measured.table, stenosis_by_level });
        }
        Ok(ExperimentResult { experiment: self, columns })
    }
}

fn stenosis_by_level(answers: &[HeldOutPrediction]) -> BTreeMap<DiscLevel, Vec<MeasuredRow>> {
    let at = |level: DiscLevel| {
        let answers: Vec<_> = answers.iter().filter(|answer| answer.level == level).cloned().collect();
        let rows = measure_all(&answers).into_iter();
        // Where nobody is stenosed, or everybody, a balanced accuracy says nothing.
        let says_something = |row: &MeasuredRow| row.class_counts.iter().all(|count| *count > 0);
        rows.filter(|row| row.grading == MeasuredGrading::One(Grading::CentralCanalStenosis) && says_something(row))
            .collect::<Vec<_>>()
    };
    DiscLevel::ALL.into_iter().map(|level| (level, at(level))).filter(|(_, rows)| !rows.is_empty()).collect()
}

impl ExperimentResult {
    /// A Markdown table for each kind of scans that was measured, the paper's figures in the columns beside ours.
    #[must_use]
    pub(crate) fn markdown(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for (kind, name) in [(ScanKind::MidSagittal, "Single slices"), (ScanKind::Stack, "Stacks of slices")] {
            let of_kind = |rows: &[MeasuredRow], grading| {
                rows.iter().find(|row| row.scans == kind && row.grading == grading).cloned()
            };
            if self.columns.iter().all(|column| column.table.iter().all(|row| row.scans != kind)) {
                continue;
            }
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            lines.push(format!("{name}: balanced accuracy, percent, mean ± standard deviation of the runs"));
            lines.push(String::new());
            lines.push(format!("| grading | discs | {} | paper 2-D | paper 3-D |", names.join(" | ")));
            lines.push(format!("|---|---|{}---|---|", "---|".repeat(names.len())));
            let mut line = |name: &str, discs: usize, cells: Vec<Option<String>>, paper: [String; 2]| {
                let cells: Vec<String> = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".to_owned())).collect();
                lines.push(format!("| {name} | {discs} | {} | {} | {} |", cells.join(" | "), paper[0], paper[1]));
            };
            for grading in MeasuredGrading::of(Grading::ALL) {
                let rows: Vec<_> = self.columns.iter().map(|column| of_kind(&column.table, grading)).collect();
                let Some(discs) = rows.iter().flatten().map(|row| row.discs).max() else { continue };
                let cell = |row: &MeasuredRow| format!("{:.1} ± {:.1}", row.balanced_accuracy, row.standard_deviation);
                let cells = rows.iter().map(|row| row.as_ref().map(cell)).collect();
                let figure = |dimensions: usize| {
                    published(grading).map_or_else(|| "–".to_owned(), |of| format!("{:.1}", of[dimensions]))
                };
                line(grading.name(), discs, cells, [figure(0), figure(1)]);
                if grading == MeasuredGrading::One(Grading::Pfirrmann) {
                    let within = |row: &MeasuredRow| row.within_one_grade.map(|share| format!("{share:.1}"));
                    let cells = rows.iter().map(|row| row.as_ref().and_then(within)).collect();
                    line("– within one grade", discs, cells, PUBLISHED_WITHIN_ONE.map(|figure| format!("{figure:.1}")));
                }
            }
            for level in DiscLevel::ALL {
                let at = |column: &ExperimentColumn| {
                    of_kind(column.stenosis_by_level.get(&level)?, MeasuredGrading::One(Grading::CentralCanalStenosis))
                };
                let rows: Vec<_> = self.columns.iter().map(at).collect();
                let Some(discs) = rows.iter().flatten().map(|row| row.discs).max() else { continue };
                let cell = |row: &MeasuredRow| format!("{:.1}", row.pooled_balanced_accuracy);
                let cells = rows.iter().map(|row| row.as_ref().map(cell)).collect();
                let paper = PUBLISHED_STENOSIS.iter().find(|(other, _)| *other == level);
                let paper = paper.map_or_else(|| "–".to_owned(), |(_, figure)| format!("{figure:.1}"));
                line(&format!("– stenosis at {level}"), discs, cells, ["–".to_owned(), paper]);
            }
            lines.push(String::new());
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::PerGrading;
    use crate::training::labels::{ClassSet, DiscLabels};

    #[test]
    fn variants_change_one_thing() {
        let config: GradingTrainingConfig =
            toml::from_str(include_str!("../../../assets/training/grading.toml")).expect("the shipped configuration");
        let variants = |experiment: Experiment| experiment.variants(&config);
        let tasks = variants(Experiment::Tasks);
        assert_eq!(tasks.len(), 10);
        let (_, _, second) = &tasks[1];
        assert!(
            second.task_weight(Grading::DiscNarrowing) > 0.0 && second.task_weight(Grading::Spondylolisthesis) < 0.1
        );
        assert!(Grading::ALL.iter().all(|task| tasks[9].2.task_weight(*task) > 0.0));
        let dimensions = variants(Experiment::Dimensions);
        assert_eq!(dimensions[0].2.network.dimensions, Dimensions::Two);
        let same = GradingTrainingConfig { final_network: true, ..dimensions[1].2.clone() };
        assert_eq!(same, config, "the shipped network is 3-D");
        let units: Vec<_> = variants(Experiment::Levels).iter().map(|(_, _, c)| c.network.level_units).collect();
        assert_eq!(units, [0, 8]);
    }
    #[test]
    fn levels_without_both_classes_are_left_out() {
        let answer = |level, stenosed: usize| {
            let mut labels = DiscLabels::default();
            labels.gradings.insert(Grading::CentralCanalStenosis, ClassSet::exactly(stenosed));
            let probabilities =
                PerGrading::from_fn(Grading::PAPER, |grading| vec![1.0 / grading.classes() as f32; grading.classes()]);
            HeldOutPrediction {
                fold: 0,
                cohort: String::new(),
                patient: 1,
                kind: ScanKind::Stack,
                level,
                labels,
                probabilities,
            }
        };
        let answers = [answer(DiscLevel::L1L2, 0), answer(DiscLevel::L4L5, 0), answer(DiscLevel::L4L5, 1)];
        assert_eq!(stenosis_by_level(&answers).into_keys().collect::<Vec<_>>(), [DiscLevel::L4L5]);
    }
}
