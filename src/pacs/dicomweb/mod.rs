//! DICOMweb (PS3.18): QIDO-RS finds, WADO-RS fetches, STOW-RS stores.

mod answer;

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

use self::answer::{series, stored, study};
use super::Archive;
use super::account::Account;
use super::connection::Connection;
use super::error::PacsError;
use super::inbox::Inbox;
use super::multipart::{Parts, boundary_of};
use super::patience::{Piped, interruptible};
use super::secure::{Credentials, provider};
use super::study::{ArchivedSeries, ArchivedStudy, StudyQuery, sort_studies};
use crate::dicom::ObjectIdentity;
use crate::files::PathError;
use crate::task::{CancelToken, Progress};

const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence; a cancelled request ends after this at the latest.
const SILENCE: Duration = Duration::from_secs(10);
/// Longest wait for the first word of an answer: archives fetch old studies from tape.
const ANSWER: Duration = Duration::from_mins(1);
/// Studies asked for where the question had to be looser than meant.
const LOOSE_LIMIT: usize = 1000;
/// Largest list of studies or series.
const MAX_LIST_BYTES: u64 = 64 << 20;
/// Attributes of a study that servers need not send by themselves.
const STUDY_FIELDS: [&str; 3] = ["StudyDescription", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"];
const SERIES_FIELDS: [&str; 2] = ["SeriesDescription", "NumberOfSeriesRelatedInstances"];
/// Not in any data set: it names this program and is random enough.
const BOUNDARY: &str = "spinenet-viewer-5d2f7a9c41e8b603";
const OBJECT: &str = "application/dicom";
const LIST: &str = "application/dicom+json";

/// A DICOMweb server. Clones talk with it from other threads.
#[derive(Clone)]
pub(super) struct WebArchive {
    agent: Agent,
    url: String,
    place: String,
    authorization: Option<String>,
}

impl WebArchive {
    pub(super) fn new(connection: &Connection, url: String) -> Result<Self, PacsError> {
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

    /// The same on another thread, until cancelled.
    fn listed(
        &self,
        cancel: &CancelToken,
        path: String,
        fields: Vec<(&'static str, String)>,
    ) -> Result<Vec<Value>, PacsError> {
        cancel.check()?;
        let this = self.clone();
        interruptible(cancel, move || this.list(&path, &fields))?
    }

    /// Studies that match, at most `limit`; of those that are sifted here because the question was looser than meant, more.
    fn found(
        &self,
        fields: &[(&'static str, String)],
        limit: usize,
        is_exact: bool,
        cancel: &CancelToken,
    ) -> Result<Vec<Value>, PacsError> {
        let ask = |limit: usize| {
            let mut fields = fields.to_vec();
            fields.push(("limit", limit.to_string()));
            fields.extend(STUDY_FIELDS.map(|field| ("includefield", field.to_owned())));
            self.listed(cancel, "studies".to_owned(), fields)
        };
        if is_exact || limit >= LOOSE_LIMIT {
            return ask(limit);
        }
        match ask(LOOSE_LIMIT) {
            // Some servers refuse long lists.
            Err(PacsError::Rejected { .. }) => ask(limit),
            list => list,
        }
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
    fn store_one(&self, path: &Path, instance_uid: &str) -> Result<(), PacsError> {
        let file = File::open(path).map_err(PathError::at(path))?;
        let length = file.metadata().map_err(PathError::at(path))?.len();
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
        let status = response.status().as_u16();
        let mut response = if status == 409 { response } else { self.checked(response)? };
        let text = response.body_mut().with_config().limit(MAX_LIST_BYTES).read_to_vec();
        let text = text.map_err(|error| self.failure(error))?;
        let refused = |reason: String| PacsError::Rejected { place: self.place.clone(), reason };
        match stored(status, &String::from_utf8_lossy(&text), instance_uid) {
            Ok(()) => Ok(()),
            Err(reason) => Err(refused(reason)),
        }
    }
}

impl Archive for WebArchive {
    fn echo(&mut self, cancel: &CancelToken) -> Result<(), PacsError> {
        self.listed(cancel, "studies".to_owned(), vec![("limit", "1".to_owned())]).map(|_| ())
    }

    fn studies(&mut self, query: &StudyQuery, cancel: &CancelToken) -> Result<Vec<ArchivedStudy>, PacsError> {
        let (fields, mut is_exact) = plain_fields(query);
        let mut list = self.found(&fields, query.limit, is_exact, cancel)?;
        let is_pattern = |(_, value): &(&str, String)| value.contains('*');
        if list.is_empty() && fields.iter().any(is_pattern) {
            // Some servers take `*` for a letter, and some refuse so wide a question.
            let plain: Vec<_> = fields.into_iter().filter(|field| !is_pattern(field)).collect();
            is_exact = false;
            list = match self.found(&plain, query.limit, is_exact, cancel) {
                Err(PacsError::Rejected { .. } | PacsError::TooMuch { .. }) => Vec::new(),
                found => found?,
            };
        }
        let mut studies: Vec<ArchivedStudy> = list.iter().map(study).collect();
        if !is_exact {
            studies.retain(|study| query.is_met_by(study));
        }
        sort_studies(&mut studies);
        studies.truncate(query.limit);
        Ok(studies)
    }

    fn series(&mut self, study_instance_uid: &str, cancel: &CancelToken) -> Result<Vec<ArchivedSeries>, PacsError> {
        let fields = SERIES_FIELDS.map(|field| ("includefield", field.to_owned())).to_vec();
        let path = format!("studies/{}/series", checked_uid(study_instance_uid)?);
        Ok(self.listed(cancel, path, fields)?.iter().map(series).collect())
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
        let this = self.clone();
        let response = interruptible(cancel, move || this.get(&path, &[], &accept))??;
        let content = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (boundary, is_single) = (boundary_of(content), is_object(content));
        let source = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut source = Piped::new(Unwrapped { source, place: self.place.clone() }, cancel);
        let taken = match boundary {
            Some(boundary) => take_parts(Parts::new(source, &boundary, &self.place), inbox, cancel),
            // A series of one object may come as that object.
            None if is_single => inbox.take(|out| {
                let copied = std::io::copy(&mut source, out).map_err(|error| PacsError::of_io(&self.place, &error));
                copied.map(|_| ())
            }),
            None => Err(self.answer("images come without a boundary".to_owned())),
        };
        cancel.check()?;
        taken
    }

    fn store(
        &mut self,
        files: &[PathBuf],
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), PacsError> {
        let mut account = Account::new(&self.place, files.len());
        for path in files {
            on_progress(Progress { step: "Sending", done: account.tried(), total: files.len() });
            let identity = match ObjectIdentity::read(path) {
                Ok(identity) => identity,
                Err(reason) => {
                    account.note(path, "", Err(PacsError::Object { reason, path: path.clone() }))?;
                    continue;
                }
            };
            let (this, file, uid) = (self.clone(), path.clone(), identity.sop_instance_uid);
            let outcome = interruptible(cancel, move || this.store_one(&file, &uid))?;
            account.note(path, &identity.sop_class_uid, outcome)?;
        }
        on_progress(Progress { step: "Sending", done: account.tried(), total: files.len() });
        account.close()
    }
}

fn take_parts(mut parts: Parts<Piped>, inbox: &mut Inbox<'_>, cancel: &CancelToken) -> Result<(), PacsError> {
    while parts.next_part()? {
        cancel.check()?;
        inbox.take(|out| parts.copy_part(out))?;
    }
    Ok(())
}

/// Whether a content type is that of one DICOM object.
fn is_object(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(OBJECT))
}

/// The fields of a query in letters that are the same before and after percent-encoding, and whether they say all that was
/// meant: some servers compare what they get without decoding it, and find nothing.
fn plain_fields(query: &StudyQuery) -> (Vec<(&'static str, String)>, bool) {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~*".contains(letter);
    let mut is_exact = true;
    let mut fields = Vec::new();
    for (keyword, value) in query.matches() {
        let mut plain = String::new();
        for letter in value.chars() {
            let letter = if is_plain(letter) { letter } else { '*' };
            if letter != '*' || !plain.ends_with('*') {
                plain.push(letter);
            }
        }
        is_exact &= value.chars().all(is_plain);
        if plain != "*" {
            fields.push((keyword, plain));
        }
    }
    (fields, is_exact)
}

/// A body whose errors are those of the system again; ureq wraps its own into them.
struct Unwrapped<R> {
    source: R,
    place: String,
}

impl<R: Read> Read for Unwrapped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.source.read(buffer).map_err(|error| {
            let is_timeout = matches!(
                error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()),
                Some(ureq::Error::Timeout(_))
            );
            tracing::debug!(connection = self.place.as_str(), "an answer broke off");
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
            let pem = fs::read(file).map_err(PathError::at(file))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_have_letters_that_need_no_encoding() {
        let named = |name: &str| plain_fields(&StudyQuery { patient_name: name.into(), ..StudyQuery::default() });
        for (name, sent, is_exact) in [
            ("Test", "*Test*", true),
            ("Test^One", "*Test*One*", false),
            ("van Dyke", "*van*Dyke*", false),
            ("Müller", "*M*ller*", false),
            ("T?st", "T*st", false),
        ] {
            let (fields, exact) = named(name);
            assert_eq!((fields[0].1.as_str(), exact), (sent, is_exact), "{name}");
        }
        let (fields, is_exact) = named("洪");
        assert!(fields.iter().all(|(keyword, _)| *keyword != "PatientName") && !is_exact, "all studies, sifted here");
    }

    #[test]
    fn only_uids_become_paths() {
        assert!(checked_uid("1.2.840").is_ok());
        for bad in ["", "1/../2", "1 2", "x"] {
            assert!(checked_uid(bad).is_err(), "{bad}");
        }
    }
}
