//! Reports as JSON and JSON lines; one file may hold many scans, failed ones too.

use serde::Serialize;

use crate::records::ReportEntry;

/// One object for one entry, an array for several.
pub(super) fn json(entries: &[ReportEntry]) -> Vec<u8> {
    fn text<T: Serialize + ?Sized>(value: &T) -> String {
        serde_json::to_string_pretty(value).expect("reports hold no maps with other keys than text") + "\n"
    }
    let text = if let [single] = entries { text(single) } else { text(entries) };
    text.into_bytes()
}

/// One object a line.
pub(super) fn json_lines(entries: &[ReportEntry]) -> Vec<u8> {
    entries.iter().map(ReportEntry::line).collect::<String>().into_bytes()
}
