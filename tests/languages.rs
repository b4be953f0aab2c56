//! The languages of window and reports: a table that the user has is shown and left again, the English table holds every
//! text, those of the other languages translate each, and no text is written without a look into the table.
//!
//! Only one test here may choose a language, since that is the language of the whole process.
#![cfg(feature = "gui")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use spinenet_viewer::app::{ReaderStore, Viewer};
use spinenet_viewer::language::{Language, Table};
use spinenet_viewer::picture::{DISCLAIMER, Face};
use spinenet_viewer::pipeline::method_in_words;
use spinenet_viewer::records::EXPERIMENTAL_NOTE;
use spinenet_viewer::saliency::SaliencyMethod;
use spinenet_viewer::spine::{Grading, MeasurementKind};
use spinenet_viewer::ui::action::ProgramAction;
use spinenet_viewer::ui::command::UiCommand;
use spinenet_viewer::ui::state::ColorMap;
use spinenet_viewer::worker::{Command, Event, Handle, JobContext, JobError, Work};

/// Comment at the top of the English table.
const HEAD: &str = "\
# Every text of window and reports in English. For another language copy this file to `languages/<code>.toml` in the
# folder of the user's data, change `name`, and translate what stands right of each `=`. Words in braces are places for
# values: a translation has the same ones, in any order. Counts have a form for each plural category of the language
# (CLDR: zero, one, two, few, many, other). What is left out stays English.
# `SPINENET_UPDATE_TEXTS=1 cargo test --test languages` writes this file anew.
";

/// Comment at the top of the other tables.
const HEAD_OF_OTHERS: &str = "\
# See en.toml. `SPINENET_UPDATE_TEXTS=1 cargo test --test languages` sorts this file, drops what is no longer shown and
# adds new texts, to be translated between the empty quotes.
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
    // A language that comes with the program.
    again.get_by_label("View").click();
    again.run();
    again.get_by_label("Language").click();
    again.run();
    again.get_by_label("Français").click();
    again.run();
    again.get_by_label("Ouvrir un dossier…");
    again.get_by_label("Ouvrir la démo");
    again.state_mut().apply(&context, ProgramAction::SetLanguage("en".to_owned()));
    again.run();
    again.get_by_label("Open folder…");
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
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Folders with texts for readers of images; the others speak to those who run and train the program.
const SPEAKING: [&str; 13] = [
    "app",
    "cli",
    "detection",
    "dicom",
    "export",
    "pacs",
    "picture",
    "pipeline",
    "records",
    "saliency",
    "spine",
    "ui",
    "worker",
];

/// The code of a file without its tests and without lines that are comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What a string literal at the start of `code` stands for, and the code after it; `None` if there is none.
fn literal(code: &str) -> Option<(String, &str)> {
    let mut letters = code.trim_start().strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match letters.next()? {
            '"' => return Some((text, letters.as_str())),
            '\\' => match letters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'u' => {
                    let (number, rest) = letters.as_str().strip_prefix('{')?.split_once('}')?;
                    text.push(u32::from_str_radix(number, 16).ok().and_then(char::from_u32)?);
                    letters = rest.chars();
                }
                '\n' => letters = letters.as_str().trim_start().chars(),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

/// A row of a table: which texts it is found under, and what a translation has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    context: Option<String>,
    english: String,
    /// The English text for one, where the text depends on a count.
    one: Option<String>,
}

impl Row {
    fn plain(english: &str) -> Self {
        Self { context: None, english: english.to_owned(), one: None }
    }

    fn in_context(context: &str, english: &str) -> Self {
        Self { context: Some(context.to_owned()), ..Self::plain(english) }
    }

    /// What English has in its table.
    fn english_value(&self) -> toml::Value {
        match &self.one {
            None => toml::Value::String(self.english.clone()),
            Some(one) => forms(&[("one", one), ("other", &self.english)]),
        }
    }

    /// A translation yet to be made.
    fn empty_value(&self) -> toml::Value {
        match &self.one {
            None => toml::Value::String(String::new()),
            Some(_) => forms(&[("one", ""), ("other", "")]),
        }
    }

    /// What a table has for it.
    fn value_in<'a>(&self, table: &'a toml::Table) -> Option<&'a toml::Value> {
        match &self.context {
            None => table.get("texts")?.get(&self.english),
            Some(context) => table.get("contexts")?.get(context)?.get(&self.english),
        }
    }
}

fn forms(forms: &[(&str, &str)]) -> toml::Value {
    forms
        .iter()
        .map(|(category, form)| ((*category).to_owned(), toml::Value::String((*form).to_owned())))
        .collect::<toml::Table>()
        .into()
}

/// The rows of a table.
fn rows_of(table: &toml::Table) -> BTreeSet<Row> {
    let row = |context: Option<&String>, (english, value): (&String, &toml::Value)| Row {
        context: context.cloned(),
        english: english.clone(),
        one: value.as_table().map(|_| String::new()),
    };
    let texts = table.get("texts").and_then(toml::Value::as_table).expect("texts");
    let contexts = table.get("contexts").and_then(toml::Value::as_table).into_iter().flatten();
    let in_contexts = contexts
        .flat_map(|(context, texts)| texts.as_table().expect("texts").iter().map(move |text| row(Some(context), text)));
    texts.iter().map(|text| row(None, text)).chain(in_contexts).collect()
}

/// A table as its file is written, its rows in order.
fn file_of(
    head: &str,
    [name, decimal_mark]: [&str; 2],
    rows: &BTreeSet<Row>,
    value: impl Fn(&Row) -> toml::Value,
) -> String {
    let mut file = format!("{head}name = {}\ndecimal_mark = {}\n\n[texts]\n", quoted(name), quoted(decimal_mark));
    let mut context = &None;
    for row in rows {
        if row.context != *context {
            context = &row.context;
            let name = quoted(context.as_deref().expect("contexts come last"));
            let _ = writeln!(file, "\n[contexts.{name}]");
        }
        let value = match value(row) {
            toml::Value::Table(forms) => {
                let form = |(category, form): (&String, &toml::Value)| format!("{category} = {}", quoted(text(form)));
                format!("{{ {} }}", forms.iter().map(form).collect::<Vec<_>>().join(", "))
            }
            value => quoted(text(&value)),
        };
        let _ = writeln!(file, "{} = {value}", quoted(&row.english));
    }
    file
}

fn text(value: &toml::Value) -> &str {
    value.as_str().expect("a text")
}

/// A text as keys and values are written, in one line.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn table_file(code: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/languages").join(format!("{code}.toml"))
}

fn read_table(code: &str) -> (String, toml::Table) {
    let text = fs::read_to_string(table_file(code)).unwrap_or_default().replace("\r\n", "\n");
    let table = text.parse().unwrap_or_else(|error| panic!("{code}.toml: {error}"));
    (text, table)
}

fn is_update() -> bool {
    std::env::var_os("SPINENET_UPDATE_TEXTS").is_some()
}

/// The texts of all `tr!`, `say!` and `message!` in some code.
fn texts_in(code: &str) -> Vec<Row> {
    let is_call = |at: usize| !code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let calls = ["tr!(", "say!(", "message!("].into_iter().flat_map(|call| code.match_indices(call));
    let row = |(at, call): (usize, &str)| {
        let inside = code[at + call.len()..].trim_start();
        // `say!` has the language first; the others are made of it.
        let inside = if call == "say!(" { inside.split_once(',')?.1.trim_start() } else { inside };
        if inside.starts_with('$') {
            return None;
        }
        let row = text_of_call(inside)
            .unwrap_or_else(|| panic!("`{call}` takes literals: {}", inside.lines().next().unwrap_or_default()));
        Some(if call == "message!(" { Row { context: Some("message".to_owned()), ..row } } else { row })
    };
    calls.filter(|(at, _)| is_call(*at)).filter_map(row).collect()
}

/// The text of a call: `"text"`, `in "context", "text"`, `count = number; one "text", other "text"`.
fn text_of_call(inside: &str) -> Option<Row> {
    if let Some((english, _)) = literal(inside) {
        return Some(Row::plain(&english));
    }
    if let Some(inside) = inside.strip_prefix("in ") {
        let (context, rest) = literal(inside)?;
        return Some(Row::in_context(&context, &literal(rest.trim_start().strip_prefix(',')?)?.0));
    }
    let (one, rest) = literal(inside.split_once(';')?.1.trim_start().strip_prefix("one")?)?;
    let (other, _) = literal(rest.trim_start().strip_prefix(',')?.trim_start().strip_prefix("other")?)?;
    Some(Row { one: Some(one), ..Row::plain(&other) })
}

/// Names that the layers below the window give, and that are looked up in the table.
fn names_from_below() -> impl Iterator<Item = Row> {
    let of_grading = |grading: Grading| {
        let spec = grading.spec();
        let (names, criteria): (Vec<_>, Vec<_>) = spec.classes.iter().copied().unzip();
        // Numbers, Roman ones too, are the same in every language.
        let names = names.into_iter().filter(|name| name.contains(char::is_lowercase));
        let texts = [spec.name, spec.group, spec.heading, spec.title, spec.in_sentence, spec.about, spec.source];
        texts.into_iter().filter(|text| !text.is_empty()).chain(names).chain(criteria)
    };
    let points = |kind: MeasurementKind| (0..8).map(move |placed| kind.next_point(placed));
    Grading::ALL
        .into_iter()
        .flat_map(of_grading)
        .chain(MeasurementKind::ALL.into_iter().flat_map(points))
        .chain(ColorMap::ALL.map(ColorMap::name))
        .chain(SaliencyMethod::ALL.map(method_in_words))
        .chain([DISCLAIMER, EXPERIMENTAL_NOTE])
        .chain(include_str!("../assets/report-template.txt").lines().filter_map(|line| line.strip_prefix("# ")))
        .map(Row::plain)
        .chain(MeasurementKind::ALL.map(|kind| Row::in_context("measurement", kind.name())))
}

/// The rows that every table has.
fn every_row() -> BTreeSet<Row> {
    let commands = UiCommand::ALL.iter().map(|command| Row::plain(command.english()));
    let words = UiCommand::ALL.iter().map(|command| command.english_words()).filter(|words| !words.is_empty());
    let groups = UiCommand::GROUPS.iter().map(|(group, _)| *group);
    let mut rows: BTreeSet<Row> =
        commands.chain(names_from_below()).chain(words.chain(groups).map(Row::plain)).collect();
    for file in sources(&SPEAKING) {
        let code = code(&fs::read_to_string(file).expect("readable source"));
        rows.extend(texts_in(&code));
        let steps = code.match_indices("step: \"").filter_map(|(at, _)| literal(&code[at + "step: ".len()..]));
        rows.extend(steps.map(|(step, _)| Row::in_context("step", &step)));
    }
    assert!(rows.iter().all(|row| !row.english.is_empty()), "an empty text is no text");
    rows
}

/// Rows that a table lacks, and those that nothing shows.
fn differences(rows: &BTreeSet<Row>, table: &toml::Table) -> (Vec<String>, Vec<String>) {
    let bare = |row: &Row| (row.context.clone(), row.english.clone(), row.one.is_some());
    let [wanted, held] = [rows, &rows_of(table)].map(|rows| rows.iter().map(bare).collect::<BTreeSet<_>>());
    let named = |(context, english, _): &(Option<String>, String, bool)| match context {
        None => english.clone(),
        Some(context) => format!("{english} [{context}]"),
    };
    (wanted.difference(&held).map(named).collect(), held.difference(&wanted).map(named).collect())
}

#[test]
fn the_english_table_holds_every_text() {
    let rows = every_row();
    let table = file_of(HEAD, [Language::ENGLISH.name(), "."], &rows, Row::english_value);
    if is_update() {
        fs::write(table_file("en"), &table).expect("written");
    }
    let (found, held) = read_table("en");
    let (missing, superfluous) = differences(&rows, &held);
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "missing in en.toml: {missing:#?}\nno longer shown: {superfluous:#?}\nSPINENET_UPDATE_TEXTS=1 writes the file anew"
    );
    assert!(
        found == table,
        "en.toml is sorted and says the same on both sides; SPINENET_UPDATE_TEXTS=1 writes it anew"
    );
    assert!(Table::parse("en", &found).expect("a table").refused().is_empty());
}

#[test]
fn the_other_tables_translate_every_text_and_lose_no_value() {
    let rows = every_row();
    let face = Face::bundled();
    for language in Language::shipped().into_iter().filter(|language| *language != Language::ENGLISH) {
        let code = language.code();
        let (_, held) = read_table(code);
        if is_update() {
            let is_same_kind = |row: &Row, value: &toml::Value| value.is_table() == row.one.is_some();
            let value = |row: &Row| {
                let kept = row.value_in(&held).filter(|value| is_same_kind(row, value)).cloned();
                kept.unwrap_or_else(|| row.empty_value())
            };
            let decimal_mark = held.get("decimal_mark").and_then(toml::Value::as_str).unwrap_or(".");
            let file = file_of(HEAD_OF_OTHERS, [language.name(), decimal_mark], &rows, value);
            fs::write(table_file(code), file).expect("written");
        }
        let (file, held) = read_table(code);
        let (missing, superfluous) = differences(&rows, &held);
        assert!(
            missing.is_empty() && superfluous.is_empty(),
            "missing in {code}.toml: {missing:#?}\nno longer shown: {superfluous:#?}\nSPINENET_UPDATE_TEXTS=1 helps"
        );
        let table = Table::parse(code, &file).expect("a table");
        assert!(table.refused().is_empty(), "places lost in {code}.toml: {:#?}", table.refused());
        // A million and more may have a form of their own; nothing here is counted so far.
        let categories: BTreeSet<&str> = (0..=1000).map(|count| table.category(count)).collect();
        for row in &rows {
            let value = row.value_in(&held).expect("found above");
            let made: Vec<(&str, &str)> = match value {
                toml::Value::Table(forms) => {
                    forms.iter().map(|(category, form)| (category.as_str(), text(form))).collect()
                }
                value => vec![("", text(value))],
            };
            assert!(made.iter().all(|(_, form)| !form.trim().is_empty()), "not translated in {code}.toml: {row:?}");
            if row.one.is_some() {
                let has: BTreeSet<&str> = made.iter().map(|(category, _)| *category).collect();
                assert_eq!(has, categories, "plural forms in {code}.toml: {row:?}");
            }
            for (_, form) in &made {
                let lacking: Vec<char> =
                    form.chars().filter(|letter| !letter.is_control() && !face.has(*letter)).collect();
                assert!(lacking.is_empty(), "letters that the face lacks in {code}.toml: {lacking:?} of {form:?}");
            }
        }
    }
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
                let shown = literal(&code[at + call.len()..]).map(|(shown, _)| shown).unwrap_or_default();
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
    assert_eq!(texts_in(code), ["one two", "… {x}\n", "a \"b\""].map(Row::plain));
    let code = "tr!(in \"window\", \"Level\"); say!(self.language, count = a.len(); one \"{count} cut\", other \"{count} cuts\")";
    let plural = Row { one: Some("{count} cut".to_owned()), ..Row::plain("{count} cuts") };
    assert_eq!(texts_in(code), [Row::in_context("window", "Level"), plural]);
    assert_eq!(texts_in("message!(\"{gap} mm\", gap = 1)"), [Row::in_context("message", "{gap} mm")]);
    assert_eq!(without_places("{a:.1} × {b} px"), " ×  px");
}
