//! What the documents claim of the source tree is true of it.

use std::fs;
use std::path::{Path, PathBuf};

use spinenet_viewer::spine::Grading;
use spinenet_viewer::training::detector::DetectorTrainingConfig;
use spinenet_viewer::training::grading::GradingTrainingConfig;
use spinenet_viewer::training::manifest::DataManifest;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

/// The words in backticks of the last column of a table.
fn last_column(text: &str) -> Vec<&str> {
    let rows = text.lines().filter(|line| line.starts_with('|') && line.ends_with('|'));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_test_that_a_risk_relies_on_exists() {
    let text = fs::read_to_string(root().join("docs/safety.md")).expect("the document");
    let named = last_column(&text);
    assert!(named.len() > 15, "{named:?}");
    let sources: String = ["src", "tests"]
        .iter()
        .flat_map(|folder| files_below(&root().join(folder), "rs"))
        .map(|path| fs::read_to_string(path).expect("readable"))
        .collect();
    let missing: Vec<_> = named.into_iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Names of the direct dependencies that are linked in, from the manifest.
fn linked_libraries() -> Vec<String> {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    let tables = manifest["dependencies"].as_table().expect("a table");
    let package = |name: &String, wanted: &toml::Value| {
        wanted.get("package").and_then(toml::Value::as_str).map_or_else(|| name.clone(), str::to_owned)
    };
    tables.iter().map(|(name, wanted)| package(name, wanted)).collect()
}

#[test]
fn every_library_is_listed_with_its_version() {
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock")).expect("the lock").parse().expect("TOML");
    let packages = lock["package"].as_array().expect("packages");
    let text = fs::read_to_string(root().join("docs/soup.md")).expect("the document");
    let total = format!("all of them, {} with", packages.len() - 1);
    assert!(text.contains(&total), "the number of libraries: {total}");
    let libraries = linked_libraries();
    assert!(libraries.len() > 40);
    for library in libraries {
        let versions = packages.iter().filter(|package| package["name"].as_str() == Some(library.as_str()));
        let versions: Vec<_> = versions.filter_map(|package| package["version"].as_str()).collect();
        let listed = |version: &&str| {
            let version = version.split('+').next().unwrap_or_default();
            text.contains(&format!("`{library}` {version}"))
        };
        assert!(versions.iter().any(listed), "{library} of {versions:?} is not in docs/soup.md");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = files_below(&root().join("docs"), "md");
    documents.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)));
    for document in documents {
        let text = fs::read_to_string(&document).expect("readable");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let path = document.parent().expect("a folder").join(file);
            assert!(path.exists(), "{} links to {target}", document.display());
        }
    }
}

#[test]
fn every_training_configuration_is_valid() {
    for path in files_below(&root().join("assets/training"), "toml") {
        let text = fs::read_to_string(&path).expect("readable");
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let problem = if text.contains("[[data]]") {
            DataManifest::read(&path).err().map(|error| error.to_string())
        } else if name.contains("grading") {
            toml::from_str::<GradingTrainingConfig>(&text).err().map(|error| error.to_string())
        } else {
            toml::from_str::<DetectorTrainingConfig>(&text).err().map(|error| error.to_string())
        };
        assert_eq!(problem, None, "{name}");
    }
}

/// The gradings as the program has them, from its own table.
fn gradings_document() -> String {
    let head = "# Gradings\n\n\
        Written from the table in `src/spine/grading/table.rs`; `SPINENET_UPDATE_TEXTS=1 cargo test --test documents` writes it\n\
        anew. Weights have some of them; those that the weights lack appear nowhere. What counts as a finding begins at the class\n\
        in bold.\n";
    let mut lines = vec![head.to_owned()];
    for grading in Grading::ALL {
        let spec = grading.spec();
        lines.push(format!("## {}\n", spec.name));
        lines.push(format!("`{}`, code `{}`. {}\n{}.\n", spec.key, spec.code, spec.about, spec.source));
        lines.push("| grade | class | criterion |\n|---|---|---|".to_owned());
        for (class, (name, criterion)) in spec.classes.iter().enumerate() {
            let name = if class == spec.first_abnormal { format!("**{name}**") } else { (*name).to_owned() };
            lines.push(format!("| {} | {name} | {criterion} |", grading.grade_from_class(class)));
        }
        lines.push(String::new());
    }
    lines.join("\n")
}

#[test]
fn the_gradings_are_described_as_they_are() {
    let file = root().join("docs/gradings.md");
    if std::env::var_os("SPINENET_UPDATE_TEXTS").is_some() {
        fs::write(&file, gradings_document()).expect("written");
    }
    let found = fs::read_to_string(&file).expect("docs/gradings.md").replace("\r\n", "\n");
    assert_eq!(found, gradings_document(), "SPINENET_UPDATE_TEXTS=1 writes docs/gradings.md anew");
}
