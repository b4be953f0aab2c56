//! What the program remembers of its user between runs; a private file, since folders of studies name patients.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use super::looks::Looks;
use crate::files::write_private;
use crate::ui::state::{Approach, NamedWindow, SidePanel};

/// Name of the file in the folder of the user's data.
pub(super) const SETTINGS_FILE: &str = "settings.json";
/// Studies remembered.
const MOST_RECENT: usize = 12;

/// Habits and recent studies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub(crate) struct Settings {
    /// Who reads, as signed.
    pub reader: String,
    /// Light colors around the image.
    pub light_theme: bool,
    /// Code of the language of the texts; an empty one is English.
    pub language: String,
    /// The PDF names the patient.
    pub pdf_names_patient: bool,
    /// What was computed is hidden until the reader asks for it.
    pub reads_blind: bool,
    /// A drag with the right button sets the window instead of zooming.
    pub right_drag_windows: bool,
    /// What becomes of the image when a grade is selected.
    pub approach: Approach,
    /// Display windows that the reader named.
    #[serde(deserialize_with = "readable_windows")]
    pub windows: Vec<NamedWindow>,
    /// Panels that the user showed or hid.
    pub panels: BTreeMap<SidePanel, bool>,
    /// The guided first minute was shown.
    pub tour_was_shown: bool,
    /// Keys that the user changed: names of commands with keys such as `Ctrl+Shift+Z`.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Size of everything relative to the system's; 0 is that of the system.
    pub ui_scale: f32,
    /// How the window looks and images are shown.
    #[serde(deserialize_with = "Looks::lenient")]
    pub looks: Looks,
    /// Studies opened before, newest first.
    pub recent: Vec<PathBuf>,
    /// The study that is open now; still there at the next start if the program did not end by itself.
    pub open_study: Option<PathBuf>,
}

/// Reads the reader's windows; what cannot be shown is left out and takes no other setting along.
fn readable_windows<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<NamedWindow>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    let entries = value.as_array().into_iter().flatten();
    let windows = entries.filter_map(|entry| NamedWindow::deserialize(entry).ok());
    Ok(windows.filter(|named| named.window.is_window()).collect())
}

impl Settings {
    /// Reads the settings; what is missing or cannot be read is as for a new user.
    #[must_use]
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        let settings: Self = serde_json::from_slice(&text).unwrap_or_default();
        let ui_scale = if (0.5..=4.0).contains(&settings.ui_scale) { settings.ui_scale } else { 0.0 };
        Self { ui_scale, ..settings }
    }

    /// Writes the settings for their owner alone.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_private(path, text.as_bytes())
    }

    /// Puts a study on top of the recent ones.
    pub(crate) fn remember(&mut self, study: &Path) {
        self.recent.retain(|other| other != study);
        self.recent.insert(0, study.to_owned());
        self.recent.truncate(MOST_RECENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_and_nobody_else_reads_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings.json");
        assert_eq!(Settings::read(&path), Settings::default());
        let mut settings = Settings { reader: "AB".to_owned(), ui_scale: 1.5, ..Settings::default() };
        for study in ["a", "b", "a"] {
            settings.remember(Path::new(study));
        }
        assert_eq!(settings.recent, [PathBuf::from("a"), PathBuf::from("b")]);
        settings.save(&path).expect("saved");
        assert_eq!(Settings::read(&path), settings);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        }
        let text = r#"{"reader": "CD", "windows": [{"name": "bone", "level": 0.4, "width": 0.8},
            {"name": "none", "level": 0.4, "width": 0.0}, {"name": "another version's"}]}"#;
        std::fs::write(&path, text).expect("written");
        let kept = Settings::read(&path);
        let names: Vec<&str> = kept.windows.iter().map(|named| named.name.as_str()).collect();
        assert_eq!((kept.reader.as_str(), names), ("CD", vec!["bone"]));
        std::fs::write(&path, b"{ broken").expect("written");
        assert_eq!(Settings::read(&path), Settings::default(), "a damaged file does not stop the program");
    }
}
