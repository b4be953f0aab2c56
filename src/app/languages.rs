//! The tables of languages in the folder of the user's data.

use std::path::{Path, PathBuf};

use crate::language::{LanguageError, Table};

/// The tables that can be used, and those that cannot.
#[derive(Debug, Default)]
pub(crate) struct FoundLanguages {
    /// By the names of their files.
    pub tables: Vec<Table>,
    /// Names of files with the reason.
    pub broken: Vec<(String, LanguageError)>,
}

impl FoundLanguages {
    /// Every `*.toml` of a folder; most users have no such folder.
    #[must_use]
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is_table = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "toml");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_table).collect();
        files.sort();
        let mut found = Self::default();
        for file in files {
            match Table::read(&file) {
                Ok(table) => found.tables.push(table),
                Err(error) => {
                    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    found.broken.push((name, error));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_and_broken_ones_are_left_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in [
            ("fr.toml", "name = \"Français\""),
            ("de.toml", "name = \"Deutsch\""),
            ("it.toml", "name ="),
            ("notes.txt", "no table"),
        ] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let found = FoundLanguages::in_folder(folder.path());
        let names: Vec<&str> = found.tables.iter().map(Table::name).collect();
        assert_eq!(names, ["Deutsch", "Français"]);
        assert_eq!(found.broken.len(), 1);
        assert_eq!(found.broken[0].0, "it.toml");
        assert!(FoundLanguages::in_folder(&folder.path().join("none")).tables.is_empty());
    }
}
