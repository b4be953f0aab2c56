//! DICOMweb (PS3.18): QIDO-RS finds, WADO-RS fetches, STOW-RS stores.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use ureq::http::Response;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use super::Archive;
use super::connection::Connection;
use super::error::PacsError;
use super::inbox::Inbox;
use super::multipart::{Parts, boundary_of};
use super::secure::{Credentials, provider};
use super::study::{SeriesEntry, StudyEntry, StudyQuery, sort_studies};
use crate::dicom::ObjectIdentity;
use crate::task::{CancelToken, Progress};

const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence; a cancelled request ends after this at the latest.
const SILENCE: Duration = Duration::from_secs(10);
/// Longest wait for the first word of an answer: archives fetch old studies from tape.
const ANSWER: Duration = Duration::from_mins(1);
/// Largest list of studies or series.
const MAX_LIST_BYTES: u64 = 64 << 20;
/// Attributes of a study that servers need not send by themselves.
const STUDY_FIELDS: [&str; 3] = ["StudyDescription", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"];
const SERIES_FIELDS: [&str; 2] = ["SeriesDescription", "NumberOfSeriesRelatedInstances"];
/// Not in any data set: it names this program and is random enough.
const BOUNDARY: &str = "spinenet-viewer-5d2f7a9c41e8b603";
const OBJECT: &str = "application/dicom";
const LIST: &str = "application/dicom+json";

/// A DICOMweb server.
pub(super) struct WebArchive {
    agent: Agent,
    url: String,
    place: String,
    authorization: Option<String>,
}

impl WebArchive {
    pub fn new(connection: &Connection, url: String) -> Result<Self, PacsError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(url.starts_with("https://"))
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE))
            .timeout_per_write(Some(SILENCE))
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        if url.starts_with("https://") {
            config = config.tls_config(tls(connection)?);
        }
        let authorization = if !connection.token.is_empty() {
            Some(format!("Bearer {}", connection.token.reveal()))
        } else if !connection.user.is_empty() {
            let pair = format!("{}:{}", connection.user, connection.password.reveal());
            Some(format!("Basic {}", BASE64.encode(pair)))
        } else {
            None
        };
        Ok(Self { agent: config.build().new_agent(), url, place: connection.name.clone(), authorization })
    }

    fn get(&self, path: &str, fields: &[(&str, String)], accept: &str) -> Result<Response<Body>, PacsError> {
        let mut request = self.agent.get(format!("{}/{path}", self.url)).header("Accept", accept);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let request = request.query_pairs(fields.iter().map(|(name, value)| (*name, value.as_str())));
        self.checked(request.call().map_err(|error| self.failure(error))?)
    }

    /// A list of data sets in the JSON model; nothing found is an empty one.
    fn list(&self, path: &str, fields: &[(&str, String)]) -> Result<Vec<Value>, PacsError> {
        let mut response = self.get(path, fields, LIST)?;
        if response.status() == 204 {
            return Ok(Vec::new());
        }
        let text = response.body_mut().with_config().limit(MAX_LIST_BYTES).read_to_vec();
        let text = text.map_err(|error| self.failure(error))?;
        if text.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&text)
            .map_err(|error| self.answer(format!("no list in JSON ({error}); is the address that of DICOMweb?")))
    }

    fn answer(&self, reason: String) -> PacsError {
        PacsError::Answer { place: self.place.clone(), reason }
    }

    /// A response that says yes.
    fn checked(&self, response: Response<Body>) -> Result<Response<Body>, PacsError> {
        let status = response.status();
        let place = self.place.clone();
        match status.as_u16() {
            200..=299 => Ok(response),
            401 | 403 => Err(PacsError::Unauthorized { place, reason: status.to_string() }),
            404 => Err(PacsError::NotFound { place, what: "such study, or no DICOMweb at this address".to_owned() }),
            300..=399 => {
                Err(PacsError::Rejected { place, reason: format!("{status}: it has moved; correct the address") })
            }
            _ => Err(PacsError::Rejected { place, reason: status.to_string() }),
        }
    }

    fn failure(&self, error: ureq::Error) -> PacsError {
        let place = self.place.clone();
        match error {
            ureq::Error::Io(error) => PacsError::of_io(&place, &error),
            ureq::Error::Timeout(_) => PacsError::Timeout { place },
            ureq::Error::HostNotFound => {
                PacsError::Unreachable { place, reason: "there is no server of this name".to_owned() }
            }
            ureq::Error::ConnectionFailed => PacsError::Refused { place },
            ureq::Error::Rustls(error) => PacsError::Tls { place, reason: error.to_string() },
            ureq::Error::Tls(reason) => PacsError::Tls { place, reason: reason.to_owned() },
            ureq::Error::BodyExceedsLimit(limit) => PacsError::TooMuch { place, limit, of: "bytes" },
            ureq::Error::BadUri(reason) => PacsError::Configuration(format!("connection \"{place}\": {reason}")),
            other => PacsError::Lost { place, reason: other.to_string() },
        }
    }

    /// Stores one object.
    fn store_one(&self, path: &Path) -> Result<(), PacsError> {
        ObjectIdentity::read(path).map_err(|reason| PacsError::Object { reason, path: path.to_owned() })?;
        let file = File::open(path).map_err(PacsError::file(path))?;
        let length = file.metadata().map_err(PacsError::file(path))?.len();
        let head = format!("--{BOUNDARY}\r\nContent-Type: {OBJECT}\r\n\r\n");
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let total = head.len() as u64 + length + tail.len() as u64;
        let mut body = Cursor::new(head).chain(file.take(length)).chain(Cursor::new(tail));
        let mut request = self
            .agent
            .post(format!("{}/studies", self.url))
            .header("Accept", LIST)
            .header("Content-Type", format!("multipart/related; type=\"{OBJECT}\"; boundary={BOUNDARY}"))
            .header("Content-Length", total.to_string());
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.send(SendBody::from_reader(&mut body)).map_err(|error| self.failure(error))?;
        let place = || self.place.clone();
        if response.status() == 409 {
            return Err(PacsError::Rejected { place: place(), reason: "it did not store an object (409)".to_owned() });
        }
        let mut response = self.checked(response)?;
        let text = response.body_mut().with_config().limit(MAX_LIST_BYTES).read_to_vec();
        let text = text.map_err(|error| self.failure(error))?;
        // 200 and 202 may both tell of objects that were not stored (PS3.18 10.5.3).
        let answer: Value = serde_json::from_slice(&text).unwrap_or_default();
        match failure_reason(&answer) {
            Some(reason) => {
                Err(PacsError::Rejected { place: place(), reason: format!("it did not store an object ({reason})") })
            }
            None => Ok(()),
        }
    }
}

impl Archive for WebArchive {
    fn echo(&mut self, cancel: &CancelToken) -> Result<(), PacsError> {
        cancel.check()?;
        self.list("studies", &[("limit", "1".to_owned())]).map(|_| ())
    }

    fn studies(&mut self, query: &StudyQuery, cancel: &CancelToken) -> Result<Vec<StudyEntry>, PacsError> {
        cancel.check()?;
        let mut fields = query.matches();
        fields.push(("limit", query.limit.to_string()));
        fields.extend(STUDY_FIELDS.map(|field| ("includefield", field.to_owned())));
        let mut studies: Vec<StudyEntry> = self.list("studies", &fields)?.iter().map(study).collect();
        cancel.check()?;
        sort_studies(&mut studies);
        studies.truncate(query.limit);
        Ok(studies)
    }

    fn series(&mut self, study_instance_uid: &str, cancel: &CancelToken) -> Result<Vec<SeriesEntry>, PacsError> {
        cancel.check()?;
        let fields = SERIES_FIELDS.map(|field| ("includefield", field.to_owned()));
        let path = format!("studies/{}/series", checked_uid(study_instance_uid)?);
        Ok(self.list(&path, &fields)?.iter().map(series).collect())
    }

    fn fetch_series(
        &mut self,
        study_instance_uid: &str,
        series_instance_uid: &str,
        inbox: &mut Inbox<'_>,
        cancel: &CancelToken,
    ) -> Result<(), PacsError> {
        cancel.check()?;
        let path = format!("studies/{}/series/{}", checked_uid(study_instance_uid)?, checked_uid(series_instance_uid)?);
        let accept = format!("multipart/related; type=\"{OBJECT}\"; transfer-syntax=*");
        let response = self.get(&path, &[], &accept)?;
        let content = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = boundary_of(content).ok_or_else(|| self.answer("images come without a boundary".to_owned()))?;
        let source = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut parts = Parts::new(Unwrapped { source, place: &self.place }, &boundary, &self.place);
        while parts.next_part()? {
            cancel.check()?;
            inbox.take(|out| parts.copy_part(out))?;
        }
        Ok(())
    }

    fn store(
        &mut self,
        files: &[PathBuf],
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), PacsError> {
        for (done, file) in files.iter().enumerate() {
            cancel.check()?;
            on_progress(Progress { step: "Sending", done, total: files.len() });
            self.store_one(file)?;
        }
        on_progress(Progress { step: "Sending", done: files.len(), total: files.len() });
        Ok(())
    }
}

/// A body whose errors are those of the system again; ureq wraps its own into them.
struct Unwrapped<'a, R> {
    source: R,
    place: &'a str,
}

impl<R: Read> Read for Unwrapped<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.source.read(buffer).map_err(|error| {
            let is_timeout = matches!(
                error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()),
                Some(ureq::Error::Timeout(_))
            );
            tracing::debug!(connection = self.place, "an answer broke off");
            if is_timeout { std::io::ErrorKind::TimedOut.into() } else { error }
        })
    }
}

fn tls(connection: &Connection) -> Result<TlsConfig, PacsError> {
    let Credentials { roots, own } = Credentials::of(connection)?;
    let owned = |der: &[u8]| Certificate::from_der(der).to_owned();
    let roots: Vec<Certificate<'static>> = roots.iter().map(|root| owned(root)).collect();
    let client = match (own, &connection.key_file) {
        (Some((chain, _)), Some(file)) => {
            let pem = fs::read(file).map_err(PacsError::file(file))?;
            let unreadable = |error| PacsError::Configuration(format!("connection \"{}\": {error}", connection.name));
            let chain: Vec<Certificate<'static>> = chain.iter().map(|one| owned(one)).collect();
            Some(ClientCert::new_with_certs(&chain, PrivateKey::from_pem(&pem).map_err(unreadable)?))
        }
        _ => None,
    };
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .client_cert(client)
        .unversioned_rustls_crypto_provider(provider())
        .build())
}

/// A UID that may stand in a path.
fn checked_uid(uid: &str) -> Result<&str, PacsError> {
    let is_uid = (1..=64).contains(&uid.len()) && uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_uid.then_some(uid).ok_or_else(|| PacsError::Configuration("a UID has digits and points, at most 64".to_owned()))
}

/// First value of an attribute in the JSON model (PS3.18 F.2).
fn value<'a>(data: &'a Value, tag: &str) -> Option<&'a Value> {
    data.get(tag)?.get("Value")?.get(0)
}

fn word(data: &Value, tag: &str) -> String {
    let word = value(data, tag).map(|value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        // A person's name has three representations.
        other => other.get("Alphabetic").and_then(Value::as_str).unwrap_or_default().to_owned(),
    });
    word.unwrap_or_default().trim().to_owned()
}

fn count(data: &Value, tag: &str) -> Option<usize> {
    word(data, tag).parse().ok()
}

fn study(data: &Value) -> StudyEntry {
    let modalities = data.get("00080061").and_then(|element| element.get("Value")).and_then(Value::as_array);
    StudyEntry {
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

fn series(data: &Value) -> SeriesEntry {
    SeriesEntry {
        series_instance_uid: word(data, "0020000E"),
        modality: word(data, "00080060"),
        description: word(data, "0008103E"),
        objects: count(data, "00201209"),
    }
}

/// Why an object was not stored, if one was not: an item of the failed SOP sequence, or none of the referenced.
fn failure_reason(answer: &Value) -> Option<String> {
    let failed = value(answer, "00081198")?;
    Some(match value(failed, "00081197").and_then(Value::as_u64) {
        Some(code @ 0xA700..=0xA7FF) => format!("out of resources, {code:04X}"),
        Some(code @ (0xA900..=0xA9FF | 0xC000..=0xCFFF)) => format!("it does not understand it, {code:04X}"),
        Some(0x0122) => "it does not take objects of this class".to_owned(),
        Some(code) => format!("reason {code:04X}"),
        None => "no reason given".to_owned(),
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
        assert_eq!((study.modalities.join(" "), study.objects, study.series), ("MR SR".to_owned(), Some(12), None));
        let failed: Value =
            serde_json::from_str(r#"{"00081198": {"Value": [{"00081197": {"Value": [290]}}]}}"#).expect("JSON");
        assert_eq!(failure_reason(&failed).as_deref(), Some("it does not take objects of this class"));
        assert_eq!(failure_reason(&Value::Null), None);
    }

    #[test]
    fn only_uids_become_paths() {
        assert!(checked_uid("1.2.840").is_ok());
        for bad in ["", "1/../2", "1 2", "x"] {
            assert!(checked_uid(bad).is_err(), "{bad}");
        }
    }
}
