//! Which data a training reads: a small TOML file, so that the configuration does not depend on where data lie.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::spider::{ScanCase, SpiderError, load_cases};

/// Why the data cannot be read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The manifest cannot be read.
    #[error("cannot read the data manifest ({source}): {}", path.display())]
    File {
        /// What went wrong.
        source: std::io::Error,
        /// The manifest.
        path: PathBuf,
    },
    /// The manifest is not valid.
    #[error("the data manifest is not valid ({source}): {}", path.display())]
    Format {
        /// What is wrong.
        source: Box<toml::de::Error>,
        /// The manifest.
        path: PathBuf,
    },
    /// The data set cannot be read.
    #[error(transparent)]
    Spider(#[from] SpiderError),
}

/// How a data set is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataKind {
    /// The part of SPIDER prepared for development: see [`super::spider`].
    SpiderDev,
}

/// What the scans of a data set are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataUse {
    /// To learn from and, by folds, to measure on.
    #[default]
    Learn,
    /// To measure on only: the network learns from phantoms alone.
    Measure,
}

/// A data set: `kind = "spider-dev"` and `folder = "…"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataManifest {
    /// Layout.
    pub kind: DataKind,
    /// Whether the network learns from it.
    #[serde(default, rename = "use")]
    pub purpose: DataUse,
    /// Its folder; in the file relative to the manifest's own.
    pub folder: PathBuf,
}

impl DataManifest {
    /// Reads a manifest and resolves its folder.
    ///
    /// # Errors
    /// If it cannot be read or does not parse.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ManifestError::File { source, path: path.to_owned() })?;
        let manifest: Self = toml::from_str(&text)
            .map_err(|source| ManifestError::Format { source: Box::new(source), path: path.to_owned() })?;
        let folder = path.parent().unwrap_or(Path::new("")).join(&manifest.folder);
        Ok(Self { folder, ..manifest })
    }

    /// Reads all scans.
    ///
    /// # Errors
    /// If the data set is not whole.
    pub fn load(&self) -> Result<Vec<ScanCase>, ManifestError> {
        match self.kind {
            DataKind::SpiderDev => Ok(load_cases(&self.folder)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_relative_to_the_manifest_and_mistakes_are_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("data.toml");
        let write = |text: &str| std::fs::write(&path, text).expect("writable");
        write("kind = \"spider-dev\"\nfolder = \"scans\"");
        let manifest = DataManifest::read(&path).expect("valid");
        assert_eq!(
            manifest,
            DataManifest { kind: DataKind::SpiderDev, purpose: DataUse::Learn, folder: folder.path().join("scans") }
        );
        assert!(matches!(manifest.load(), Err(ManifestError::Spider(_))), "no such folder");
        write("kind = \"spider-dev\"\nuse = \"measure\"\nfolder = \"scans\"");
        assert_eq!(DataManifest::read(&path).expect("valid").purpose, DataUse::Measure);
        write("kind = \"spider-dev\"\nfolder = \"scans\"\nsize = 3");
        assert!(matches!(DataManifest::read(&path), Err(ManifestError::Format { .. })));
        assert!(matches!(DataManifest::read(folder.path()), Err(ManifestError::File { .. })));
    }
}
