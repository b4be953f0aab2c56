//! The languages of the window: a table that the user has is shown and left again, the English table holds every text,
//! and no text is written without a look into the table.
//!
//! Only one test here may choose a language, since that is the language of the whole process.
#![cfg(feature = "gui")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use spinenet_viewer::app::{ReaderStore, Viewer};
use spinenet_viewer::spine::{Grading, MeasurementKind};
use spinenet_viewer::ui::action::ProgramAction;
use spinenet_viewer::ui::command::UiCommand;
use spinenet_viewer::ui::language;
use spinenet_viewer::ui::state::ColorMap;
use spinenet_viewer::worker::{Command, Event, Handle, JobContext, JobError, Work};

/// Comment at the top of the English table.
const HEAD: &str = "\
# Every text of the window in English. For another language copy this file to `languages/<code>.toml` in the folder of
# the user's data, change `name`, and translate what stands right of each `=`. Words in braces are places for values: a
# translation has the same ones, in any order. What is left out stays English.
# `SPINENET_UPDATE_TEXTS=1 cargo test --test languages` writes this file anew.
";

/// A worker that is asked for nothing.
struct Idle;

impl Work for Idle {
    type Command = Command;
    type Kind = ();
    type Event = Event;

    fn kind(_command: &Command) {}

    fn supersedes((): (), (): ()) -> bool {
        false
    }

    fn run(&mut self, _command: Command, _job: &JobContext<Event>) -> Result<Event, JobError> {
        Err(JobError::failed("not asked for in these tests"))
    }

    fn reset(&mut self) {}
}

type Window = Harness<'static, Viewer<Idle>>;

/// A window with nothing open, as the program makes it at its start.
fn window(folder: &Path) -> Window {
    let worker = Handle::start("idle", Idle, || ()).expect("a thread");
    let store = ReaderStore::start(Some(folder.to_owned()), || ()).expect("a thread");
    let viewer = Viewer::new(worker, store, None, Arc::new(|| ()));
    let builder = Harness::builder().with_size(egui::vec2(1280.0, 800.0)).with_max_steps(40);
    let mut window = builder.with_context_setup(spinenet_viewer::ui::install).build_ui_state(
        |ui, viewer: &mut Viewer<Idle>| {
            viewer.logic(ui.ctx());
            viewer.ui(ui);
        },
        viewer,
    );
    window.state().apply_settings(&window.ctx.clone());
    window.run();
    window
}

#[test]
fn the_window_speaks_the_language_that_is_chosen_and_remembers_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tables = folder.path().join("languages");
    fs::create_dir(&tables).expect("a folder");
    let table = r#"
        name = "Deutsch"
        [texts]
        "View" = "Ansicht"
        "Language" = "Sprache"
        "Open folder…" = "Ordner öffnen…"
        "{done} of {total}" = "{done}"
    "#;
    fs::write(tables.join("de.toml"), table).expect("written");
    fs::write(tables.join("broken.toml"), "name =").expect("written");

    let mut shown = window(folder.path());
    shown.get_by_label("Open folder…");
    shown.get_by_label("The language file broken.toml cannot be used.");
    shown.get_by_label_contains("Some texts of Deutsch stay English (1)");
    shown.get_by_label("View").click();
    shown.run();
    shown.get_by_label("Language").click();
    shown.run();
    shown.get_by_label("Deutsch").click();
    shown.run();
    shown.get_by_label("Ansicht");
    shown.get_by_label("Ordner öffnen…");
    shown.get_by_label("Open demo");
    assert!(shown.query_by_label("Open folder…").is_none());
    // The store saves what it was given before it ends.
    drop(shown);

    let mut again = window(folder.path());
    again.get_by_label("Ordner öffnen…");
    let context = again.ctx.clone();
    again.state_mut().apply(&context, ProgramAction::SetLanguage(String::new()));
    again.run();
    again.get_by_label("Open folder…");
    again.get_by_label("View");
}

/// Rust files of the window.
fn sources(folders: &[&str]) -> Vec<PathBuf> {
    let mut waiting: Vec<PathBuf> =
        folders.iter().map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The code of a file without its tests and without lines that are comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What a string literal at the start of `code` stands for; `None` if there is none.
fn literal(code: &str) -> Option<String> {
    let mut letters = code.strip_prefix('"')?.chars().peekable();
    let mut text = String::new();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => match letters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'u' => {
                    let number: String = letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
                    text.push(u32::from_str_radix(&number, 16).ok().and_then(char::from_u32)?);
                }
                '\n' => while letters.next_if(|letter| letter.is_whitespace()).is_some() {},
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

/// The texts of all `tr!` in some code.
fn texts_in(code: &str) -> Vec<String> {
    let is_call = |at: usize| !code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let calls = code.match_indices("tr!(").filter(|(at, _)| is_call(*at));
    let text = |(at, call): (usize, &str)| {
        let inside = code[at + call.len()..].trim_start();
        literal(inside)
            .unwrap_or_else(|| panic!("`tr!` takes a literal: {}", inside.lines().next().unwrap_or_default()))
    };
    calls.map(text).collect()
}

/// Names that the layers below the window give, and that it looks up in the table.
fn names_from_below() -> impl Iterator<Item = String> {
    let of_grading = |grading: Grading| {
        let spec = grading.spec();
        let (names, criteria): (Vec<_>, Vec<_>) = spec.classes.iter().copied().unzip();
        // Numbers, Roman ones too, are the same in every language.
        let names = names.into_iter().filter(|name| name.contains(char::is_lowercase));
        let texts = [spec.name, spec.group, spec.heading, spec.about, spec.source];
        texts.into_iter().filter(|text| !text.is_empty()).chain(names).chain(criteria)
    };
    let points = |kind: MeasurementKind| (0..8).map(move |placed| kind.next_point(placed));
    Grading::ALL
        .into_iter()
        .flat_map(of_grading)
        .chain(MeasurementKind::ALL.map(MeasurementKind::name))
        .chain(MeasurementKind::ALL.into_iter().flat_map(points))
        .chain(ColorMap::ALL.map(ColorMap::name))
        .map(str::to_owned)
}

#[test]
fn the_english_table_holds_every_text_of_the_window() {
    let mut texts: BTreeSet<String> = UiCommand::ALL.iter().map(|command| command.english().to_owned()).collect();
    texts.extend(names_from_below());
    for file in sources(&["ui", "app"]) {
        texts.extend(texts_in(&code(&fs::read_to_string(file).expect("readable source"))));
    }
    assert!(!texts.contains(""), "an empty text is no text");
    let quoted = |text: &String| toml::Value::String(text.clone()).to_string();
    let rows: Vec<String> = texts.iter().map(|text| format!("{0} = {0}\n", quoted(text))).collect();
    let table = format!("{HEAD}name = \"{}\"\n\n[texts]\n{}", language::ENGLISH, rows.concat());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/languages/en.toml");
    if std::env::var_os("SPINENET_UPDATE_TEXTS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, &table).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let file: toml::Table = found.parse().expect("a table");
    let held: BTreeMap<&String, &toml::Value> =
        file.get("texts").and_then(toml::Value::as_table).expect("texts").iter().collect();
    let missing: Vec<&String> = texts.iter().filter(|text| !held.contains_key(text)).collect();
    let superfluous: Vec<&&String> = held.keys().filter(|text| !texts.contains(**text)).collect();
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "missing in en.toml: {missing:#?}\nno longer shown: {superfluous:#?}\nSPINENET_UPDATE_TEXTS=1 writes the file anew"
    );
    assert!(
        found == table,
        "en.toml is sorted and says the same on both sides; SPINENET_UPDATE_TEXTS=1 writes it anew"
    );
    let language = language::Language::parse("en", &found).expect("a table");
    assert!(language.refused().is_empty());
}

#[test]
fn no_text_is_shown_without_a_look_into_the_table() {
    const CALLS: [&str; 13] = [
        "ui.label(",
        ".button(",
        "RichText::new(",
        ".on_hover_text(",
        ".on_disabled_hover_text(",
        ".hint_text(",
        "Button::new(",
        "small_button(",
        "menu_button(",
        "Window::new(",
        "selectable_label(",
        "checkbox(",
        "format!(",
    ];
    let mut faults = Vec::new();
    for file in sources(&["ui"]) {
        let code = code(&fs::read_to_string(&file).expect("readable source"));
        for call in CALLS {
            for (at, _) in code.match_indices(call) {
                let shown = literal(code[at + call.len()..].trim_start()).unwrap_or_default();
                // Between the places of `format!` stand signs and units only.
                let words = if call == "format!(" { without_places(&shown) } else { shown.clone() };
                if words.contains(char::is_alphabetic)
                    && !["px", "cm", "Ctrl"].contains(&words.trim_matches([' ', '×']))
                {
                    faults.push(format!("{}: {call}{shown:?}", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "use `tr!` for these:\n{}", faults.join("\n"));
}

/// A format without what stands in braces.
fn without_places(format: &str) -> String {
    let mut depth = 0_usize;
    let mut outside = |letter: &char| {
        match letter {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                return false;
            }
            _ => {}
        }
        depth == 0
    };
    format.chars().filter(|letter| outside(letter)).collect()
}

#[test]
fn literals_are_found_as_the_compiler_reads_them() {
    let code = "a(tr!(\"one \\\n            two\"), tr!(\n    \"\\u{2026} {x}\\n\",\n    x = tr!(\"a \\\"b\\\"\")), attr!(no))";
    assert_eq!(texts_in(code), ["one two", "… {x}\n", "a \"b\""]);
    assert_eq!(without_places("{a:.1} × {b} px"), " ×  px");
}
