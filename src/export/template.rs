//! What the text of a report says and in which order: a text file that a department may change.

use std::io;
use std::path::Path;

use thiserror::Error;

use super::ReportedStudy;
use super::report_text::parts;
use crate::files::read_text;
use crate::language::say;
use crate::pipeline::StudySummary;
use crate::words::words;

/// Name of the user's template in the folder of the user's data.
pub const TEMPLATE_FILE: &str = "report-template.txt";

/// The template of the program.
const BUILT_IN: &str = include_str!("../../assets/report-template.txt");

/// Why a template cannot be used.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("the report template cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A line that is no place of the template.
    #[error("line {line} of the report template: there is no place {{{place}}}")]
    Place {
        /// Line, from 1.
        line: usize,
        /// What stands in the braces.
        place: String,
    },
    /// A place that every report must have.
    #[error("the report template lacks {{{0}}}, which every report has")]
    Missing(&'static str),
}

/// What is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Why the patient was examined.
    Indication,
    /// Against what.
    Comparison,
    /// How the images were made and graded.
    Technique,
    /// A sentence for each disc, with the reader's comment.
    Levels,
    /// What disagrees, must not be relied on, and was not assessed.
    Closing,
    /// What a reader measured.
    Measurements,
    /// The slices that a reader marked.
    KeyImages,
    /// The reader's conclusion, or the program's.
    Impression,
    /// Who stands for the report.
    Signature,
}

words!(Place, "place of a report template", [
    Indication "indication",
    Comparison "comparison",
    Technique "technique",
    Levels "levels",
    Closing "closing",
    Measurements "measurements",
    KeyImages "key-images",
    Impression "impression",
    Signature "signature",
]);

/// A line of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Printed as it is.
    Text(String),
    /// Filled in.
    Place(Place),
}

/// A heading, empty where lines come before the first one, with its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub title: String,
    pub lines: Vec<Line>,
}

/// The order of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTemplate {
    sections: Vec<Section>,
}

impl Default for ReportTemplate {
    fn default() -> Self {
        Self::parse(BUILT_IN).expect("the program's own template is tested")
    }
}

impl ReportTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// If the file cannot be read, has a place that does not exist, or lacks one that every report has.
    pub fn read(file: &Path) -> Result<Self, TemplateError> {
        Self::parse(&read_text(file)?)
    }

    /// Parses the text of a template.
    ///
    /// # Errors
    /// If it has a place that does not exist, or lacks one that every report has.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut sections = vec![Section::default()];
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with("//") {
                continue;
            }
            if let Some(title) = line.strip_prefix('#') {
                sections.push(Section { title: title.trim().to_owned(), lines: Vec::new() });
                continue;
            }
            let place = line.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let unknown = |place: &str| TemplateError::Place { line: index + 1, place: place.to_owned() };
            let line = match place {
                Some(place) => Line::Place(place.trim().parse().map_err(|_| unknown(place))?),
                None => Line::Text(line.to_owned()),
            };
            if let Some(section) = sections.last_mut() {
                section.lines.push(line);
            }
        }
        let template = Self { sections };
        for (place, name) in [(Place::Closing, "closing"), (Place::Signature, "signature")] {
            if !template.sections.iter().any(|section| section.lines.contains(&Line::Place(place))) {
                return Err(TemplateError::Missing(name));
            }
        }
        Ok(template)
    }

    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The report as plain text.
    #[must_use]
    pub fn text(&self, study: &ReportedStudy) -> String {
        let summary = StudySummary::of_report(&study.report);
        let mut blocks = Vec::new();
        for section in &self.sections {
            let mut lines = Vec::new();
            for line in &section.lines {
                match line {
                    Line::Text(text) => lines.push(text.clone()),
                    Line::Place(place) => {
                        let parts = parts(*place, study, &summary);
                        lines.extend(parts.into_iter().map(|part| part.text));
                    }
                }
            }
            if !lines.is_empty() {
                lines.splice(..0, (!section.title.is_empty()).then(|| section.title_of(study).to_uppercase()));
                blocks.push(lines.join("\n"));
            }
        }
        blocks.join("\n\n") + "\n"
    }
}

impl Section {
    /// The heading; that of an impression which nobody wrote says so.
    pub(super) fn title_of(&self, study: &ReportedStudy) -> String {
        // Headings of the program's own template have rows in the tables; a user's own stay as they are.
        let title = study.language.text(&self.title);
        let is_impression = self.lines.contains(&Line::Place(Place::Impression));
        if is_impression && study.report.narrative.impression.trim().is_empty() {
            say!(study.language, "{title} (by the program)", title = title)
        } else {
            title.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_what_is_wrong_with_it() {
        let template = ReportTemplate::default();
        let titles: Vec<&str> = template.sections().iter().map(|section| section.title.as_str()).collect();
        assert_eq!(titles, ["", "Indication", "Comparison", "Technique", "Findings", "Impression"]);
        let error = |text: &str| ReportTemplate::parse(text).expect_err("refused").to_string();
        assert_eq!(
            error("{closing}\n{grades}\n{signature}"),
            "line 2 of the report template: there is no place {grades}"
        );
        assert_eq!(
            error("# Findings\n{levels}\n{closing}"),
            "the report template lacks {signature}, which every report has"
        );
    }
}
