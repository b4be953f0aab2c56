//! What a server answers: studies and series in the JSON model (PS3.18 F), and what became of a stored object.

use roxmltree::{Document, Node};
use serde_json::{Map, Value, json};

use crate::pacs::study::{ArchivedSeries, ArchivedStudy};

/// First value of an attribute in the JSON model (PS3.18 F.2).
fn value<'a>(data: &'a Value, tag: &str) -> Option<&'a Value> {
    data.get(tag)?.get("Value")?.get(0)
}

fn word(data: &Value, tag: &str) -> String {
    let word = value(data, tag).map(|value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        // A person's name has three representations, any of which may be missing (PS3.18 F.2.2).
        other => {
            let group = |name| other.get(name).and_then(Value::as_str).unwrap_or_default();
            let groups = ["Alphabetic", "Ideographic", "Phonetic"].map(group).join("=");
            groups.trim_end_matches('=').to_owned()
        }
    });
    word.unwrap_or_default().trim().to_owned()
}

fn count(data: &Value, tag: &str) -> Option<usize> {
    word(data, tag).parse().ok()
}

pub(super) fn study(data: &Value) -> ArchivedStudy {
    let modalities = data.get("00080061").and_then(|element| element.get("Value")).and_then(Value::as_array);
    ArchivedStudy {
        study_instance_uid: word(data, "0020000D"),
        patient_name: word(data, "00100010"),
        patient_id: word(data, "00100020"),
        patient_birth_date: word(data, "00100030"),
        study_date: word(data, "00080020"),
        study_time: word(data, "00080030"),
        description: word(data, "00081030"),
        accession_number: word(data, "00080050"),
        modalities: modalities.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        series: count(data, "00201206"),
        objects: count(data, "00201208"),
    }
}

pub(super) fn series(data: &Value) -> ArchivedSeries {
    ArchivedSeries {
        series_instance_uid: word(data, "0020000E"),
        modality: word(data, "00080060"),
        description: word(data, "0008103E"),
        objects: count(data, "00201209"),
    }
}

/// Whether an answer of STOW-RS says that the object is stored (PS3.18 10.5.3), else why not. 202 says that something is
/// amiss, so then the object must be named as stored.
pub(super) fn stored(status: u16, answer: &str, instance_uid: &str) -> Result<(), String> {
    let not_stored = |reason: &str| Err(format!("it did not store the object ({reason})"));
    let Some(answer) = data_set(answer) else {
        return not_stored(&format!("{status}, and its answer cannot be understood"));
    };
    match (failure_reason(&answer), status) {
        (Some(reason), _) => not_stored(&reason),
        (None, 409) => not_stored("409"),
        (None, 202) if !is_referenced(&answer, instance_uid) => {
            not_stored("202, and it does not say that it is stored")
        }
        (None, _) => Ok(()),
    }
}

/// The data set of an answer, in JSON or XML; an empty answer is an empty one.
fn data_set(answer: &str) -> Option<Value> {
    if answer.trim().is_empty() {
        return Some(Value::Null);
    }
    match serde_json::from_str(answer) {
        // Some servers answer with a list of one data set.
        Ok(Value::Array(list)) => Some(list.into_iter().next().unwrap_or_default()),
        Ok(data) => Some(data),
        Err(_) => {
            let document = Document::parse(answer.trim()).ok()?;
            let root = document.root_element();
            (root.tag_name().name() == "NativeDicomModel").then(|| of_native_model(root))
        }
    }
}

/// A data set of the native model in XML (PS3.19 A.1) in the JSON model.
fn of_native_model(data: Node) -> Value {
    let attribute = |node: Node| {
        let value = |child: Node| match child.tag_name().name() {
            "Item" => Some(of_native_model(child)),
            "Value" => Some(child.text().unwrap_or_default().trim().into()),
            _ => None,
        };
        let values: Vec<Value> = node.children().filter_map(value).collect();
        Some((node.attribute("tag")?.to_uppercase(), json!({ "Value": values })))
    };
    data.children().filter_map(attribute).collect::<Map<_, _>>().into()
}

/// Whether the referenced SOP sequence names an object.
fn is_referenced(answer: &Value, instance_uid: &str) -> bool {
    let items = answer.get("00081199").and_then(|sequence| sequence.get("Value")).and_then(Value::as_array);
    items.into_iter().flatten().any(|item| word(item, "00081155") == instance_uid)
}

/// Why an object was not stored, if there is an item in one of the sequences of what failed.
fn failure_reason(answer: &Value) -> Option<String> {
    let failed = ["00081198", "0008119A"].iter().find_map(|sequence| value(answer, sequence))?;
    Some(match word(failed, "00081197").parse() {
        Ok(code @ 0xA700..=0xA7FF) => format!("out of resources, {code:04X}"),
        Ok(code @ (0xA900..=0xA9FF | 0xC000..=0xCFFF)) => format!("it does not understand it, {code:04X}"),
        Ok(0x0122) => "it does not take objects of this class".to_owned(),
        Ok(0x0110) => "it failed to process it".to_owned(),
        Ok(code @ 0..=0xFFFF_u32) => format!("reason {code:04X}"),
        Ok(_) | Err(_) => "no reason given".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_from_the_json_model() {
        let data: Value = serde_json::from_str(
            r#"{"0020000D": {"vr": "UI", "Value": ["1.2"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
                "00080061": {"vr": "CS", "Value": ["MR", "SR"]}, "00201208": {"vr": "IS", "Value": ["12"]},
                "00100020": {"vr": "LO"}}"#,
        )
        .expect("JSON");
        let study = study(&data);
        assert_eq!((study.study_instance_uid.as_str(), study.patient_name.as_str()), ("1.2", "A^B"));
        let groups = serde_json::json!({"00100010": {"vr": "PN", "Value": [{"Ideographic": "洪^吉洞"}]}});
        assert_eq!(super::study(&groups).patient_name, "=洪^吉洞");
        assert_eq!((study.modalities.join(" "), study.objects, study.series), ("MR SR".to_owned(), Some(12), None));
        let failed: Value =
            serde_json::from_str(r#"{"00081198": {"Value": [{"00081197": {"Value": [290]}}]}}"#).expect("JSON");
        assert_eq!(failure_reason(&failed).as_deref(), Some("it does not take objects of this class"));
        assert_eq!(failure_reason(&Value::Null), None);
    }

    #[test]
    fn only_what_is_said_to_be_stored_counts_as_stored() {
        let named = r#"{"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]}}"#;
        let failed = r#"{"00081198": {"Value": [{"00081197": {"Value": [290]}}]}}"#;
        let elsewhere = r#"{"0008119A": {"Value": [{"00081197": {"Value": ["272"]}}]}}"#;
        // As archives write it, with the sequence of failures empty or filled.
        let xml = |failed: &str, uid: &str| {
            format!(
                r#"<?xml version="1.0" encoding="UTF-8"?>
                <NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">
                <DicomAttribute tag="00081198" vr="SQ">{failed}</DicomAttribute>
                <DicomAttribute tag="00081199" vr="SQ"><Item number="1">
                <DicomAttribute tag="00081155" vr="UI"><Value number="1">{uid}</Value></DicomAttribute>
                </Item></DicomAttribute></NativeDicomModel>"#
            )
        };
        let full = r#"<Item number="1"><DicomAttribute tag="00081197" vr="US"><Value number="1">42752</Value></DicomAttribute></Item>"#;
        for (status, answer, is_stored) in [
            (200, named, true),
            (200, "{}", true),
            (200, "", true),
            (202, named, true),
            (202, &format!("[{named}]"), true),
            (202, "{}", false),
            (202, "", false),
            (200, failed, false),
            (202, failed, false),
            (409, failed, false),
            (409, "", false),
            (200, "<html>Welcome</html>", false),
            (200, elsewhere, false),
            (409, named, false),
            (200, &xml("", "1.2.3"), true),
            (202, &xml("", "1.2.3"), true),
            (202, &xml("", "1.2.4"), false),
            (202, &xml(full, "1.2.3"), false),
            (200, "<NativeDicomModel/>", true),
            (202, "<NativeDicomModel/>", false),
            (200, "<NativeDicomModel>", false),
        ] {
            assert_eq!(stored(status, answer, "1.2.3").is_ok(), is_stored, "{status} {answer}");
        }
        let reason = |answer: &str| stored(409, answer, "1.2.3").expect_err("refused");
        assert_eq!(reason(&xml(full, "")), "it did not store the object (out of resources, A700)");
        assert_eq!(reason(elsewhere), "it did not store the object (it failed to process it)");
    }
}
