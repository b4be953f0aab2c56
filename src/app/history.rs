//! Undo and redo of what the reader changes.

use crate::spine::DiscLevel;
use crate::ui::state::Findings;

/// Steps that can be taken back at most.
const DEPTH: usize = 200;

/// A text of the reader; what is typed into one is one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypedInto {
    /// The comment on a disc.
    Disc(DiscLevel),
    /// The comment on the key image at this place of the list.
    KeyImage(usize),
    Indication,
    Comparison,
    Impression,
}

/// A change and the findings on its other side.
struct Step {
    label: &'static str,
    /// What was typed into, so that a word is taken back whole and not letter by letter.
    typed_into: Option<TypedInto>,
    findings: Findings,
}

/// Findings before each change, to go back to, and after it, to go forward again.
#[derive(Default)]
pub(crate) struct History {
    undo: Vec<Step>,
    redo: Vec<Step>,
}

impl History {
    /// Remembers the findings before a change called `label`.
    pub(crate) fn record(&mut self, label: &'static str, before: Findings) {
        self.push(label, before, None);
    }

    /// Remembers the findings before typing; further letters into the same text join the step.
    pub(super) fn record_typing(&mut self, label: &'static str, text: TypedInto, before: Findings) {
        if self.undo.last().is_none_or(|step| step.typed_into != Some(text)) {
            self.push(label, before, Some(text));
        }
        self.redo.clear();
    }

    fn push(&mut self, label: &'static str, findings: Findings, typed_into: Option<TypedInto>) {
        self.undo.push(Step { label, typed_into, findings });
        if self.undo.len() > DEPTH {
            self.undo.remove(0);
        }
        self.redo.clear();
    }

    /// Takes back the last change: the findings before it. `now` is kept for redo.
    pub(crate) fn undo(&mut self, now: Findings) -> Option<Findings> {
        let step = self.undo.pop()?;
        self.redo.push(Step { label: step.label, findings: now, typed_into: None });
        Some(step.findings)
    }

    /// Makes the change again that was taken back last.
    pub(crate) fn redo(&mut self, now: Findings) -> Option<Findings> {
        let step = self.redo.pop()?;
        self.undo.push(Step { label: step.label, findings: now, typed_into: None });
        Some(step.findings)
    }

    /// What undo would take back.
    #[must_use]
    pub(super) fn undo_label(&self) -> Option<&'static str> {
        self.undo.last().map(|step| step.label)
    }

    /// What redo would make again.
    #[must_use]
    pub(crate) fn redo_label(&self) -> Option<&'static str> {
        self.redo.last().map(|step| step.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{Vertebra, VertebraLabel};

    fn findings(labels: &[VertebraLabel]) -> Findings {
        let body = |label: &VertebraLabel| Vertebra { label: *label, confidence: 1.0, outlines: Vec::new() };
        Findings { vertebrae: labels.iter().map(body).collect(), ..Findings::default() }
    }

    #[test]
    fn undo_and_redo_walk_the_same_way_and_a_new_change_cuts_it() {
        let [a, b, c] = [&[][..], &[VertebraLabel::L5], &[VertebraLabel::L4]].map(findings);
        let mut history = History::default();
        history.record("first", a.clone());
        history.record("second", b.clone());
        assert_eq!(history.undo_label(), Some("second"));
        assert_eq!(history.undo(c.clone()), Some(b.clone()));
        assert_eq!(history.undo(b.clone()), Some(a.clone()));
        assert_eq!(history.undo(a.clone()), None);
        assert_eq!(history.redo_label(), Some("first"));
        assert_eq!(history.redo(a.clone()), Some(b.clone()));
        history.record("other", b.clone());
        assert_eq!(history.redo(c), None);
    }

    #[test]
    fn typing_is_one_step_for_each_text() {
        let mut history = History::default();
        let none = findings(&[]);
        let discs = [DiscLevel::L4L5, DiscLevel::L4L5, DiscLevel::L5S1].map(TypedInto::Disc);
        for text in discs {
            history.record_typing("comment", text, none.clone());
        }
        assert!(history.undo(none.clone()).is_some() && history.undo(none.clone()).is_some());
        assert_eq!(history.undo(none), None);
    }
}
