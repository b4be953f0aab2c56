//! The modules are layers: a module may use only those above it in this table.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the bottom up, as in ARCHITECTURE.md.
const LAYERS: &[&str] = &[
    "volume",
    "task",
    "files",
    "memory",
    "words",
    "research",
    "spine",
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

/// Names that follow `crate::` or `spinenet_viewer::` in `line`, in braces too.
fn used_modules(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut modules = Vec::new();
    for prefix in ["crate::", "spinenet_viewer::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let list = rest.strip_prefix('{').map_or(rest, |inner| inner.split('}').next().unwrap_or_default());
            let several = rest.starts_with('{');
            for part in list.split(',').take(if several { usize::MAX } else { 1 }) {
                let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                modules.push(name);
            }
        }
    }
    modules
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
        for (number, line) in fs::read_to_string(&file).expect("readable source").lines().enumerate() {
            let place = || format!("{}:{}", file.display(), number + 1);
            for used in used_modules(line) {
                if rank(&used).is_some_and(|used| used > own) {
                    faults.push(format!("{}: `{layer}` uses `{used}`, which lies above it", place()));
                }
                for (module, forbidden, why) in FORBIDDEN {
                    if *module == layer && forbidden.contains(&used.as_str()) {
                        faults.push(format!("{}: `{layer}` must not use `{used}`: {why}", place()));
                    }
                }
            }
            let names_window = WINDOW_CRATES.iter().any(|name| line.contains(&format!("{name}::")));
            if names_window && !WINDOW_LAYERS.contains(&layer.as_str()) && !line.trim_start().starts_with("//") {
                faults.push(format!("{}: `{layer}` names a window crate", place()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn uses_are_recognized() {
    assert_eq!(used_modules("use crate::{spine::Disc, volume::Volume};"), ["spine", "volume"]);
    assert_eq!(used_modules("    let x = crate::nn::relu(crate::model::y);"), ["nn", "model"]);
    assert_eq!(used_modules("// crate::app is not used here"), Vec::<String>::new());
}
