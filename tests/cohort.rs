//! Cohorts: lists, shards, going on after an interruption, and the recipes for schedulers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const PROGRAM: &str = env!("CARGO_BIN_EXE_spinenet");
const RECIPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cohorts");

fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

fn grade(folder: &Path, arguments: &[&str]) -> Output {
    let fixed = ["grade", "--list", "studies.txt", "--views", "1", "--no-times"];
    run(Command::new(PROGRAM).current_dir(folder).args(fixed).args(arguments))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two synthetic studies and one folder without any, with their list.
fn studies() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static READY: OnceLock<PathBuf> = OnceLock::new();
    READY.get_or_init(|| {
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder")).path().to_owned();
        let made = run(Command::new(PROGRAM).current_dir(&folder).args(["phantom", "--out", ".", "--count", "2"]));
        assert!(made.status.success(), "{}", text(&made.stderr));
        fs::create_dir(folder.join("empty")).expect("writable");
        let list = "# a cohort\nphantom-000000/dicom\nempty\n\nphantom-000001/dicom\n";
        fs::write(folder.join("studies.txt"), list).expect("writable");
        folder
    })
}

/// A folder of its own for results, with the list's studies linked.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["phantom-000000", "phantom-000001", "empty", "studies.txt"] {
        std::os::unix::fs::symlink(studies().join(name), folder.path().join(name)).expect("linked");
    }
    folder
}

/// Lines of all results, in an order that does not depend on shards.
fn lines(files: &[PathBuf]) -> Vec<String> {
    let read = |file: &PathBuf| fs::read_to_string(file).expect("readable").lines().map(str::to_owned).collect();
    let mut lines: Vec<String> = files.iter().flat_map(|file| -> Vec<String> { read(file) }).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn shards_give_what_one_run_gives_and_done_studies_are_skipped() {
    let place = place();
    let at = |name: &str| place.path().join(name);
    let output = grade(place.path(), &["--out", "all.jsonl"]);
    assert_eq!(output.status.code(), Some(1), "one study fails, the others do not: {}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("2 studies graded, 1 failed, 0 done before") && said.contains("studies per hour"), "{said}");
    let all = lines(&[at("all.jsonl")]);
    assert_eq!(all.len(), 3);
    assert!(!all.concat().contains("phantom-000000"), "paths are left out");
    for shards in [2, 3, 5] {
        let files: Vec<PathBuf> = (1..=shards)
            .map(|index| {
                let name = format!("part-{shards}-{index}.jsonl");
                grade(place.path(), &["--out", &name, "--shard", &format!("{index}/{shards}")]);
                at(&name)
            })
            .collect();
        assert_eq!(lines(&files), all, "{shards} shards");
    }
    // As if the run had been killed in the middle of its last line.
    let whole = fs::read_to_string(at("all.jsonl")).expect("readable");
    fs::write(at("all.jsonl"), &whole[..whole.len() - 40]).expect("writable");
    let said = text(&grade(place.path(), &["--out", "all.jsonl"]).stdout);
    assert!(said.contains("1 studies graded, 0 failed, 2 done before"), "{said}");
    assert_eq!(fs::read_to_string(at("all.jsonl")).expect("readable"), whole, "the same bytes");

    let table = at("all.csv");
    let export = ["export", "all.jsonl", "--csv", "all.csv"];
    assert!(run(Command::new(PROGRAM).current_dir(place.path()).args(export)).status.success());
    let rows = fs::read_to_string(&table).expect("readable").lines().count();
    assert!(rows > 10, "{rows} rows: a head, a failure and the discs of two studies");
}

#[test]
fn wrong_use_of_lists_is_told() {
    let place = place();
    let output = grade(place.path(), &["--out", "all.json"]);
    assert!(!output.status.success() && text(&output.stderr).contains(".jsonl"), "{}", text(&output.stderr));
    let output = grade(place.path(), &["--out", "all.jsonl", "--shard", "4/3"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let output = run(Command::new(PROGRAM).args(["grade", "x", "--shard", "1/2"]));
    assert_eq!(output.status.code(), Some(2), "shards are of lists");
}

/// Runs a shell text with `spinenet` in the path, as a scheduler would; grades with one view to be quick.
fn shell(folder: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
    let programs = folder.join("bin");
    fs::create_dir_all(&programs).expect("writable");
    let wrapper =
        format!("#!/bin/sh\nif [ \"$1\" = grade ]; then set -- \"$@\" --views 1; fi\nexec {PROGRAM} \"$@\"\n");
    let program = programs.join("spinenet");
    fs::write(&program, wrapper).expect("writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    command.current_dir(folder).args(["-c", script]).env("PATH", path).envs(variables.iter().copied());
    run(&mut command)
}

#[test]
fn the_recipes_run_as_their_schedulers_start_them() {
    let place = place();
    let recipe = |name: &str| fs::read_to_string(Path::new(RECIPES).join(name)).expect("readable");
    let at = |name: &str| place.path().join(name);

    for task in ["1", "2"] {
        let variables = [("SLURM_ARRAY_TASK_ID", task), ("SLURM_ARRAY_TASK_COUNT", "2"), ("SLURM_CPUS_PER_TASK", "1")];
        let output = shell(place.path(), &recipe("slurm.sh"), &variables);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let slurm = lines(&[at("grades-1.jsonl"), at("grades-2.jsonl")]);
    assert_eq!(slurm.len(), 3);
    fs::remove_file(at("grades-1.jsonl")).and_then(|()| fs::remove_file(at("grades-2.jsonl"))).expect("removed");

    let yaml = recipe("kubernetes.yaml");
    let script = yaml.split("            - |\n").nth(1).expect("a script").split("          resources:").next();
    let script = script.expect("the script ends").replace("              ", "");
    for index in ["0", "1"] {
        let output = shell(place.path(), &script, &[("JOB_COMPLETION_INDEX", index), ("SHARDS", "2")]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(lines(&[at("grades-1.jsonl"), at("grades-2.jsonl")]), slurm, "Kubernetes and Slurm give the same");

    // Snakemake fills its templates in; the commands are those of the file.
    let snakefile = recipe("Snakefile");
    let command: String = snakefile.split("shell:\n").nth(2).expect("a command").replace(['"', '\n'], " ");
    let filled = command
        .replace("{threads}", "1")
        .replace("{input}", "studies.txt")
        .replace("{wildcards.shard}/{params.shards}", "1/1")
        .replace("{output}", "snake.jsonl")
        .replace("{{", "{")
        .replace("}}", "}");
    let output = shell(place.path(), filled.trim(), &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(lines(&[at("snake.jsonl")]), slurm, "Snakemake gives the same");
}
