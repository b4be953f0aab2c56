//! The modules are layers: a module may use only those above it in this table.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// Layers from the bottom up, as in ARCHITECTURE.md.
const LAYERS: &[&str] = &[
    "volume",
    "task",
    "causes",
    "files",
    "memory",
    "words",
    "language",
    "research",
    "spine",
    "records",
    "phantom",
    "dicom",
    "pacs",
    "nn",
    "model",
    "detection",
    "saliency",
    "evaluation",
    "training",
    "picture",
    "pipeline",
    "export",
    "measuring",
    "worker",
    "render",
    "ui",
    "app",
    "cli",
    "main",
];

/// Uses that the table forbids although they point downwards: (module, may not use, why).
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    ("phantom", &["dicom"], "a phantom is voxels and truth; the pipeline writes it as DICOM"),
    ("nn", &["volume", "spine", "phantom", "dicom"], "layers know tensors only"),
    (
        "render",
        &["dicom", "model", "detection", "training", "worker"],
        "drawing knows images, not where they come from",
    ),
    ("ui", &["model", "training", "nn"], "panels show results; the worker computes them"),
    ("worker", &["render", "ui", "app"], "the worker knows no screen"),
];

/// Crates that only the window may name.
const WINDOW_CRATES: &[&str] = &["egui", "eframe", "wgpu", "rfd", "egui_plot"];
const WINDOW_LAYERS: &[&str] = &["render", "ui", "app"];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The top-level module a source file belongs to.
fn layer_of(source: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(source).expect("file lies in src");
    let first = relative.components().next().expect("not empty").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// A name of this crate or of another one, as `crate::name` or `name::` in the code.
#[derive(Debug, PartialEq, Eq)]
enum Used {
    Module(String),
    Crate(String),
}

/// What `tokens` name; `depth` is how many modules lie around them.
fn used(tokens: TokenStream, depth: usize, found: &mut Vec<Used>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let ident =
        |at: usize| if let Some(TokenTree::Ident(ident)) = tokens.get(at) { ident.to_string() } else { String::new() };
    let colons = |at: usize| {
        let colon = |at| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        colon(at) && colon(at + 1)
    };
    for at in 0..tokens.len() {
        if let TokenTree::Group(group) = &tokens[at] {
            let is_module = at >= 2 && ident(at - 2) == "mod";
            used(group.stream(), depth + usize::from(is_module), found);
        }
        let within_path = at >= 2 && colons(at - 2);
        if !colons(at + 1) || within_path {
            continue;
        }
        let supers =
            (0..=depth).take_while(|step| ident(at + 3 * step) == "super" && colons(at + 3 * step + 1)).count();
        let root = match ident(at).as_str() {
            "crate" | "spinenet_viewer" => at + 3,
            "super" if supers == depth => at + 3 * supers,
            "super" | "self" | "" => continue,
            other => {
                found.push(Used::Crate(other.to_owned()));
                continue;
            }
        };
        match tokens.get(root) {
            Some(TokenTree::Group(group)) => {
                let list: Vec<TokenTree> = group.stream().into_iter().collect();
                let parts = list.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','));
                let firsts = parts.filter_map(<[TokenTree]>::first);
                found.extend(firsts.map(|first| Used::Module(first.to_string())));
            }
            Some(name) => found.push(Used::Module(name.to_string())),
            None => (),
        }
    }
}

fn used_in(code: &str, depth: usize) -> Vec<Used> {
    let mut found = Vec::new();
    used(code.parse().expect("Rust"), depth, &mut found);
    found
}

/// How many modules lie around the code of a file.
fn depth_of(source: &Path, file: &Path) -> usize {
    let relative = file.strip_prefix(source).expect("file lies in src");
    let is_own_module = !["mod.rs", "lib.rs", "main.rs"].iter().any(|name| relative.ends_with(name));
    relative.components().count() - 1 + usize::from(is_own_module)
}

#[test]
fn modules_use_only_the_layers_above_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let rank = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let mut faults = Vec::new();
    for file in files {
        let layer = layer_of(&source, &file);
        if layer == "lib" {
            continue;
        }
        let Some(own) = rank(&layer) else {
            faults.push(format!("{}: module `{layer}` is missing from the table", file.display()));
            continue;
        };
        let code = fs::read_to_string(&file).expect("readable source");
        for used in used_in(&code, depth_of(&source, &file)) {
            let mut fault = |what: String| faults.push(format!("{}: `{layer}` {what}", file.display()));
            match used {
                Used::Module(used) => {
                    if used == "*" {
                        fault("imports everything, so its layers cannot be seen".to_owned());
                    }
                    if rank(&used).is_some_and(|used| used > own) {
                        fault(format!("uses `{used}`, which lies above it"));
                    }
                    for (_, _, why) in FORBIDDEN
                        .iter()
                        .filter(|(module, forbidden, _)| *module == layer && forbidden.contains(&used.as_str()))
                    {
                        fault(format!("must not use `{used}`: {why}"));
                    }
                }
                Used::Crate(name) => {
                    if WINDOW_CRATES.contains(&name.as_str()) && !WINDOW_LAYERS.contains(&layer.as_str()) {
                        fault(format!("names the window crate `{name}`"));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn uses_are_recognized() {
    let names = |code: &str, depth: usize| -> Vec<String> {
        let used = used_in(code, depth).into_iter();
        used.filter_map(|used| if let Used::Module(name) = used { Some(name) } else { None }).collect()
    };
    assert_eq!(names("use crate::{spine::Disc, volume::Volume};", 1), ["spine", "volume"]);
    assert_eq!(names("use crate::{\n    spine::{Disc, label::{self, X}},\n    files,\n};", 1), ["spine", "files"]);
    assert_eq!(names("fn f() { let x = crate::nn::relu(crate::model::y); }", 1), ["nn", "model"]);
    assert_eq!(names("fn f() { println!(\"{}\", crate::app::NAME); }", 1), ["app"]);
    assert_eq!(names("// crate::app\n/// crate::app\nconst A: &str = \"crate::app\";", 1), Vec::<String>::new());
    assert_eq!(names("use super::cli; use super::super::app;", 1), ["cli"]);
    assert_eq!(names("mod tests { use super::cli; use super::super::app; }", 1), ["app"]);
    assert_eq!(names("use crate::*;", 1), ["*"]);
    let crates = used_in("use egui::Ui;", 1);
    assert_eq!(crates, [Used::Crate("egui".to_owned())]);
}
