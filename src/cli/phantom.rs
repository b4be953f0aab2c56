//! `spinenet phantom`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::Outcome;
use super::console::Console;
use crate::phantom::{Phantom, PhantomError, PhantomSettings, PhantomStudy};
use crate::picture::{contact_sheet, write_png};
use crate::pipeline::write_phantom;
use crate::spine::{DiscLevel, Grading};
use crate::task::{CancelToken, Progress};
use crate::training::manifest::DataManifest;
use crate::training::realism::{
    Comparison, Measures, compare, is_for_tuning, mean_distance, measure_case, measure_phantom, middle_slice,
};
use crate::training::spider::ScanCase;

/// Scans in a row of the contact sheet.
const SHEET_COLUMNS: usize = 6;

/// Arguments of `spinenet phantom`.
#[derive(Debug, Args)]
pub(crate) struct PhantomArguments {
    /// Folder for the studies; each gets a folder of its own in it.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["sheet", "compare"])]
    out: Option<PathBuf>,
    /// Number of studies.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// Seed of the first study; the others count up.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Fix every grade of every disc to its healthy value, but for those of --grade.
    #[arg(long)]
    healthy: bool,
    /// Fix a grade of a disc, for example L4-L5:pfirrmann=5; can be given several times.
    #[arg(long = "grade", value_name = "LEVEL:GRADING=GRADE", value_parser = fixed_grade)]
    grades: Vec<(DiscLevel, Grading, u8)>,
    /// Draw the middle slices of the studies on one sheet; with --compare, patients' scans in every other row.
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Data manifest (TOML) of patients' scans to compare intensities, textures and shapes with.
    #[arg(long, value_name = "MANIFEST")]
    compare: Option<PathBuf>,
}

impl PhantomArguments {
    /// What the study of a seed shall show.
    fn settings(&self, seed: u64) -> Result<PhantomSettings, PhantomError> {
        let settings = PhantomSettings::new(seed);
        let settings = if self.healthy { settings.healthy() } else { settings };
        self.grades
            .iter()
            .try_fold(settings, |settings, (level, grading, grade)| settings.with_grade(*level, *grading, *grade))
    }
}

/// Reads `LEVEL:GRADING=GRADE`.
fn fixed_grade(text: &str) -> anyhow::Result<(DiscLevel, Grading, u8)> {
    let (level, rest) = text.split_once(':').context("write LEVEL:GRADING=GRADE, for example L4-L5:pfirrmann=5")?;
    let (grading, grade) = rest.split_once('=').context("the grade is missing, for example =5")?;
    Ok((level.parse()?, grading.parse()?, grade.parse().context("a grade is a number")?))
}

/// Runs `spinenet phantom`.
pub(super) fn run(arguments: &PhantomArguments, console: Console) -> anyhow::Result<Outcome> {
    let seeds = (0..arguments.count).map(|index| arguments.seed.wrapping_add(index));
    let line = console.progress("");
    let show = |step: &'static str, done: usize| {
        line.show(Progress { step, done, total: arguments.count as usize });
    };
    if let Some(out) = &arguments.out {
        for (index, seed) in seeds.clone().enumerate() {
            show("Making synthetic studies", index);
            let folder = out.join(format!("phantom-{seed:06}"));
            write_phantom(&folder, &arguments.settings(seed)?, &CancelToken::default())?;
        }
        console.say(&format!("{} synthetic studies in {}", arguments.count, out.display()));
    }
    if arguments.sheet.is_none() && arguments.compare.is_none() {
        return Ok(Outcome::Done);
    }
    let mut studies = Vec::new();
    for (index, seed) in seeds.enumerate() {
        show("Imaging synthetic patients", index);
        studies.push((seed, Phantom::with_settings(&arguments.settings(seed)?)));
    }
    let read = |manifest| DataManifest::read(manifest)?.load(&CancelToken::default(), &mut |_| ());
    let patients = arguments
        .compare
        .as_deref()
        .map(read)
        .transpose()?
        .map(|data| data.cohorts.into_iter().flat_map(|cohort| cohort.cases).collect::<Vec<_>>());
    drop(line);
    if let Some(sheet) = &arguments.sheet {
        write_sheet(sheet, &studies, patients.as_deref().unwrap_or_default())?;
        console.say(&format!("contact sheet in {}", sheet.display()));
    }
    if let Some(patients) = &patients {
        print_comparison(&studies, patients, console);
    }
    Ok(Outcome::Done)
}

fn write_sheet(file: &Path, studies: &[(u64, PhantomStudy)], patients: &[ScanCase]) -> anyhow::Result<()> {
    let phantom = |(seed, study): &(u64, PhantomStudy)| {
        let grades: Vec<String> =
            DiscLevel::ALL.iter().map(|level| study.grades[level][Grading::Pfirrmann].to_string()).collect();
        let name = format!("phantom {seed}, Pfirrmann {}", grades.join(" "));
        (name, study.volume.clone(), middle_slice(&study.vertebrae, &study.volume))
    };
    // As many patients as phantoms, spread over the data set.
    let step = (patients.len() / studies.len().max(1)).max(1);
    let mut chosen = patients.iter().step_by(step);
    let mut tiles = Vec::new();
    for row in studies.chunks(SHEET_COLUMNS) {
        tiles.extend(row.iter().map(phantom));
        for case in chosen.by_ref().take(row.len()) {
            tiles.push((case.name.clone(), case.volume.clone(), middle_slice(&case.vertebrae, &case.volume)));
        }
    }
    let scans: Vec<_> = tiles.iter().map(|(name, volume, slice)| (name.clone(), volume, *slice)).collect();
    write_png(&contact_sheet(&scans, SHEET_COLUMNS.min(studies.len())), file).context("contact sheet")
}

fn print_comparison(studies: &[(u64, PhantomStudy)], patients: &[ScanCase], console: Console) {
    let mut phantoms = Measures::new();
    for (_, study) in studies {
        measure_phantom(study, &mut phantoms);
    }
    let compared = |tuning: bool| {
        let mut real = Measures::new();
        for case in patients.iter().filter(|case| is_for_tuning(case.patient) == tuning) {
            measure_case(case, &mut real);
        }
        compare(&phantoms, &real)
    };
    let tuned = compared(true);
    console.say(&format!(
        "{:<40}{:>7}{:>20}{:>7}{:>20}{:>6}",
        "against marrow; 10 50 90 %", "n", "phantoms", "n", "patients", "KS"
    ));
    for Comparison { name, counts, phantoms, patients, distance } in &tuned {
        let three = |values: &[f64; 3]| values.map(|value| format!("{value:.2}")).join(" ");
        console.say(&format!(
            "{name:<40}{:>7}{:>20}{:>7}{:>20}{distance:>6.2}",
            counts[0],
            three(phantoms),
            counts[1],
            three(patients)
        ));
    }
    console.say("Mean Kolmogorov-Smirnov distance (0: as patients' scans, 1: nothing in common):");
    for (patients, rows) in [("even numbers, which phantoms were tuned to", tuned), ("odd numbers", compared(false))] {
        for kind in ["TSE", "SPACE"] {
            let rows: Vec<_> = rows.iter().filter(|row| row.name.starts_with(kind)).cloned().collect();
            console.say(&format!("{kind:<6} {:.3} patients of {patients}", mean_distance(&rows)));
        }
    }
}
