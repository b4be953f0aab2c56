//! Work on one series from two windows, joined so that what was done in either counts.
//!
//! Both began with the same file, which each of them changed. Where only one changed something, its change counts; where
//! both changed the same grade or text, the one that is saved later does, as if all had been done in one window.

use serde_json::{Map, Value};

/// Values that are one decision: nobody made half of them.
const WHOLE: [&str; 3] = ["vertebrae", SIGN_OFF, FINISHED];
/// The signature, which stands for one content.
const SIGN_OFF: &str = "sign_off";
/// The end of a blind reading, after which no grade changes.
const FINISHED: &str = "finished";
/// The list that has one entry at most for each of these.
const BOXES: &str = "boxes";
const PLACE: [&str; 3] = ["level", "grading", "slice"];

/// What stands in a file of work after `ours` is saved over `theirs`, both made from `base`.
///
/// # Errors
/// If one of them is not JSON.
pub(super) fn joined(base: &[u8], ours: &[u8], theirs: &[u8]) -> serde_json::Result<Vec<u8>> {
    let [base, ours, theirs]: [Value; 3] =
        [serde_json::from_slice(base)?, serde_json::from_slice(ours)?, serde_json::from_slice(theirs)?];
    if theirs.get(FINISHED).is_some() && base.get(FINISHED).is_none() {
        return serde_json::to_vec(&theirs);
    }
    let mut joined = value("", Some(&base), Some(&ours), Some(&theirs)).unwrap_or_default();
    let signed = if base.get(SIGN_OFF) == ours.get(SIGN_OFF) { &theirs } else { &ours };
    if let Some(fields) = joined.as_object_mut().filter(|fields| !is_content_of(signed, fields)) {
        fields.remove(SIGN_OFF);
    }
    serde_json::to_vec(&joined)
}

/// Whether these are the fields of `file`, the signature aside.
fn is_content_of(file: &Value, fields: &Map<String, Value>) -> bool {
    let unsigned = |fields: &Map<String, Value>| {
        let mut fields = fields.clone();
        fields.remove(SIGN_OFF);
        fields
    };
    file.as_object().is_some_and(|file| unsigned(file) == unsigned(fields))
}

/// A value called `name`; none where it is absent.
fn value(name: &str, base: Option<&Value>, ours: Option<&Value>, theirs: Option<&Value>) -> Option<Value> {
    if ours == theirs || base == theirs {
        return ours.cloned();
    }
    if base == ours {
        return theirs.cloned();
    }
    // What is empty is left out of files.
    match (ours, theirs) {
        _ if WHOLE.contains(&name) => ours.cloned(),
        (Some(Value::Object(_)) | None, Some(Value::Object(_))) | (Some(Value::Object(_)), None) => {
            let none = Map::new();
            let [base, ours, theirs] =
                [base, ours, theirs].map(|side| side.and_then(Value::as_object).unwrap_or(&none));
            let names = ours.keys().chain(theirs.keys().filter(|name| !ours.contains_key(*name)));
            let field =
                |name: &String| Some((name.clone(), value(name, base.get(name), ours.get(name), theirs.get(name))?));
            let fields: Map<String, Value> = names.filter_map(field).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        (Some(Value::Array(_)) | None, Some(Value::Array(_))) | (Some(Value::Array(_)), None) => {
            let items = |side: Option<&Value>| side.and_then(Value::as_array).cloned().unwrap_or_default();
            let items = list(name, &items(base), &items(ours), &items(theirs));
            (!items.is_empty() || name == BOXES).then_some(Value::Array(items))
        }
        _ => ours.cloned(),
    }
}

/// Their list without what we took away, and with what we added.
fn list(name: &str, base: &[Value], ours: &[Value], theirs: &[Value]) -> Vec<Value> {
    let new: Vec<&Value> = ours.iter().filter(|item| !base.contains(item) && !theirs.contains(item)).collect();
    let is_replaced = |item: &Value| {
        name == BOXES && new.iter().any(|other| PLACE.iter().all(|field| other.get(field) == item.get(field)))
    };
    let stays = |item: &&Value| (!base.contains(item) || ours.contains(item)) && !is_replaced(item);
    theirs.iter().filter(stays).chain(new.iter().copied()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn join(base: &Value, ours: &Value, theirs: &Value) -> Value {
        let bytes = |value: &Value| value.to_string().into_bytes();
        serde_json::from_slice(&joined(&bytes(base), &bytes(ours), &bytes(theirs)).expect("JSON")).expect("JSON")
    }

    #[test]
    fn grades_and_comments_of_both_windows_count() {
        let base = json!({"schema": "x", "discs": {"L4-L5": {"grades": {"pfirrmann": 3}}}});
        let ours = json!({"schema": "x", "discs": {"L4-L5": {"grades": {"pfirrmann": 4}, "comment": "ours"}}});
        let theirs = json!({"schema": "x", "discs": {"L4-L5": {"grades": {"pfirrmann": 3, "disc_narrowing": 2}},
            "L5-S1": {"comment": "theirs"}}});
        let both = json!({"schema": "x", "discs": {
            "L4-L5": {"grades": {"pfirrmann": 4, "disc_narrowing": 2}, "comment": "ours"}, "L5-S1": {"comment": "theirs"}}});
        assert_eq!(join(&base, &ours, &theirs), both);
        // Of two grades of the same cell the later counts; one that is taken back is not there again.
        let theirs = json!({"schema": "x", "discs": {"L4-L5": {"grades": {"pfirrmann": 5}}}});
        assert_eq!(join(&base, &ours, &theirs)["discs"]["L4-L5"]["grades"]["pfirrmann"], 4);
        let taken_back = json!({"schema": "x"});
        let theirs =
            json!({"schema": "x", "discs": {"L4-L5": {"grades": {"pfirrmann": 3}}, "L1-L2": {"comment": "c"}}});
        assert_eq!(join(&base, &taken_back, &theirs)["discs"], json!({"L1-L2": {"comment": "c"}}));
    }

    #[test]
    fn lists_lose_what_either_deleted_and_have_what_either_added() {
        let base = json!({"measurements": [{"slice": 1}, {"slice": 2}, {"slice": 3}]});
        let ours = json!({"measurements": [{"slice": 1}, {"slice": 3}, {"slice": 4}]});
        let theirs = json!({"measurements": [{"slice": 2}, {"slice": 3}, {"slice": 5}]});
        let both = json!({"measurements": [{"slice": 3}, {"slice": 5}, {"slice": 4}]});
        assert_eq!(join(&base, &ours, &theirs), both);
        // At most one box at a place.
        let a_box =
            |level: &str, x: u32| json!({"level": level, "grading": "pfirrmann", "slice": 2, "box": [x, 1, 9, 9]});
        let [base, ours, theirs] = [vec![], vec![a_box("L4-L5", 1)], vec![a_box("L4-L5", 2), a_box("L5-S1", 3)]]
            .map(|list| json!({"boxes": list}));
        assert_eq!(join(&base, &ours, &theirs), json!({"boxes": [a_box("L5-S1", 3), a_box("L4-L5", 1)]}));
        assert_eq!(join(&theirs, &json!({"boxes": []}), &theirs), json!({"boxes": []}));
    }

    #[test]
    fn a_signature_stands_for_what_was_signed_and_for_nothing_else() {
        let signature = json!({"reader": "A", "signed_at": "2026-05-04T10:00:00Z"});
        let base = json!({"narrative": {"impression": "one"}});
        let signed = json!({"narrative": {"impression": "one"}, "sign_off": signature});
        let changed = json!({"narrative": {"impression": "one", "indication": "pain"}});
        for (ours, theirs) in [(&signed, &changed), (&changed, &signed)] {
            assert_eq!(join(&base, ours, theirs), changed);
        }
        // Where nothing else was done, it stays.
        assert_eq!(join(&base, &base, &signed), signed);
        assert_eq!(join(&base, &signed, &base), signed);
    }

    #[test]
    fn a_finished_blind_reading_stays_as_it_was_finished() {
        let base = json!({"grades": {"L4-L5": {"pfirrmann": 3}}});
        let ours = json!({"grades": {"L4-L5": {"pfirrmann": 4}}});
        let theirs =
            json!({"grades": {"L4-L5": {"pfirrmann": 3}}, "finished": {"finished_at": "2026-05-04T10:00:00Z"}});
        assert_eq!(join(&base, &ours, &theirs), theirs);
    }

    #[test]
    fn corrected_vertebrae_are_those_of_one_window() {
        let bodies = |y: u32| json!([{"label": "L5", "y": y}, {"label": "S1", "y": y + 40}]);
        let [base, ours, theirs] = [10, 11, 12].map(|y| json!({"vertebrae": bodies(y)}));
        assert_eq!(join(&base, &ours, &theirs), ours);
        assert_eq!(join(&json!({}), &json!({"discs": {}}), &theirs)["vertebrae"], bodies(12));
    }
}
