//! The connections that the user has configured, in a file that only the user can read.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::PacsError;
use crate::files::{PathError, make_private_folder, user_data_folder, write_private};

/// Name of the file of connections in the user's data folder.
pub(crate) const CONNECTIONS_FILE: &str = "pacs.toml";
/// Most letters of an application entity title (PS3.5, AE).
const AE_TITLE_LENGTH: usize = 16;
/// Ports of DICOM without and with TLS.
const PORTS: [u16; 2] = [104, 2762];
/// How this program calls itself unless told otherwise.
const AE_TITLE: &str = "SPINENET";

/// A text that is never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "hidden" })
    }
}

/// How an archive is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connection {
    /// What the user calls it.
    pub name: String,
    /// `https://server/dicom-web` (DICOMweb) or `dicom://TITLE@server:104` (DIMSE); `http` and `dicom` are plain,
    /// `https` and `dicoms` go through TLS.
    pub address: String,
    /// User name; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Password of the user.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub password: Secret,
    /// Bearer token instead of user and password; DICOMweb only.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// Application entity title that we call ourselves (DIMSE); empty is `SPINENET`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub calling_ae_title: String,
    /// PEM file with the certificates to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file with our own certificate, where the archive asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

/// Where an archive is and what it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Web {
        /// Root of the service, without a slash at its end.
        url: String,
    },
    Dimse(Peer),
}

/// A DIMSE application entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub ae_title: String,
    /// Its server.
    pub host: String,
    pub port: u16,
    /// Whether it is reached through TLS.
    pub is_secure: bool,
}

impl Connection {
    /// Where the archive is and what it speaks.
    ///
    /// # Errors
    /// What is wrong with the connection.
    pub(crate) fn address(&self) -> Result<Address, PacsError> {
        let wrong = |what: &str| PacsError::Configuration(format!("connection \"{}\": {what}", self.name));
        let (scheme, rest) = self.address.trim().split_once("://").ok_or_else(|| {
            wrong("write the address as https://server/dicom-web (DICOMweb) or dicom://TITLE@server:104 (DIMSE)")
        })?;
        if self.user.is_empty() && !self.password.is_empty() {
            return Err(wrong("a password needs a user name"));
        }
        if !self.user.is_empty() && !self.token.is_empty() {
            return Err(wrong("give either user and password or a token"));
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return Err(wrong("a certificate of our own needs its key, and a key its certificate"));
        }
        match scheme {
            "http" | "https" if rest.contains('@') => {
                Err(wrong("give user and password beside the address, not in it"))
            }
            "http" | "https" if rest.trim_end_matches('/').is_empty() => Err(wrong("the address names no server")),
            "http" | "https" => Ok(Address::Web { url: self.address.trim().trim_end_matches('/').to_owned() }),
            "dicom" | "dicoms" if !self.token.is_empty() => Err(wrong("tokens are for DICOMweb")),
            "dicom" | "dicoms" => peer(rest, scheme == "dicoms").map(Address::Dimse).map_err(|what| wrong(&what)),
            _ => Err(wrong("an address begins with https://, http://, dicoms:// or dicom://")),
        }
    }

    /// What we call ourselves.
    #[must_use]
    pub(crate) fn calling_title(&self) -> &str {
        if self.calling_ae_title.is_empty() { AE_TITLE } else { &self.calling_ae_title }
    }

    /// What the user should know before patient data take this way; `None` for a secure one.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        let scheme = self.address.trim().split("://").next().unwrap_or_default();
        let has_secret = !self.password.is_empty() || !self.token.is_empty();
        match scheme {
            "http" | "dicom" if has_secret => Some("not encrypted: password and patient data can be read on the way"),
            "http" | "dicom" => Some("not encrypted: patient data can be read on the way"),
            _ => None,
        }
    }

    /// Checks everything that can be checked without contacting anybody.
    ///
    /// # Errors
    /// What is wrong with the connection.
    pub(crate) fn check(&self) -> Result<(), PacsError> {
        let is_name = |letter: char| letter.is_alphanumeric() || "-_. ".contains(letter);
        if self.name.trim().is_empty() || !self.name.chars().all(is_name) {
            return Err(PacsError::Configuration("name the connection with letters, digits, -, _ and .".to_owned()));
        }
        if !is_ae_title(self.calling_title()) {
            let text = "an AE title has 1 to 16 letters, without \\ and control characters";
            return Err(PacsError::Configuration(format!("connection \"{}\": {text}", self.name)));
        }
        self.address().map(|_| ())
    }
}

fn is_ae_title(title: &str) -> bool {
    (1..=AE_TITLE_LENGTH).contains(&title.len())
        && title.bytes().all(|byte| (0x20..0x7F).contains(&byte) && byte != b'\\')
}

/// `TITLE@server:port`.
fn peer(text: &str, is_secure: bool) -> Result<Peer, String> {
    let (title, place) = text.split_once('@').ok_or("write the archive's AE title before its server: TITLE@server")?;
    if !is_ae_title(title) {
        return Err("an AE title has 1 to 16 letters, without \\ and control characters".to_owned());
    }
    let place = place.trim_end_matches('/');
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let port = port.parse().ok().filter(|port| *port > 0).ok_or("the port must be a number from 1 to 65535")?;
            (host, port)
        }
        _ => (place, PORTS[usize::from(is_secure)]),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err("the address names no server".to_owned());
    }
    Ok(Peer { ae_title: title.to_owned(), host: host.to_owned(), port, is_secure })
}

/// The configured connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connections {
    /// In the order in which they are offered.
    #[serde(default, rename = "connection")]
    pub list: Vec<Connection>,
}

impl Connections {
    /// The file of this user; `None` if the system names no home.
    #[must_use]
    pub fn file() -> Option<PathBuf> {
        user_data_folder().map(|folder| folder.join(CONNECTIONS_FILE))
    }

    /// Reads the connections; none if there is no file.
    ///
    /// # Errors
    /// If the file cannot be read, holds something else, or holds secrets that other users of the machine can read.
    pub fn read(file: &Path) -> Result<Self, PacsError> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(PathError::at(file)(error).into()),
        };
        let wrong = |what: String| PacsError::Configuration(format!("{what}: {}", file.display()));
        // The parser's message would quote the line, which may hold a password.
        let connections: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
            wrong(format!("not a list of connections (near line {line})"))
        })?;
        for connection in &connections.list {
            connection.check()?;
        }
        if connections.has_secrets() && is_open_to_others(file) {
            return Err(wrong("other users can read the passwords in this file; close it with chmod 600".to_owned()));
        }
        Ok(connections)
    }

    /// Writes the connections for their owner alone.
    ///
    /// # Errors
    /// If one of them is not what it should be, or the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), PacsError> {
        for connection in &self.list {
            connection.check()?;
        }
        let text = toml::to_string_pretty(self)
            .map_err(|error| PacsError::Configuration(format!("the connections cannot be written: {error}")))?;
        let made = file.parent().map_or(Ok(()), make_private_folder);
        Ok(made.and_then(|()| write_private(file, text.as_bytes())).map_err(PathError::at(file))?)
    }

    /// The connection of a name.
    ///
    /// # Errors
    /// If there is none, naming those that there are.
    pub fn named(&self, name: &str) -> Result<&Connection, PacsError> {
        self.list.iter().find(|connection| connection.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.list.iter().map(|connection| connection.name.as_str()).collect();
            let there = if names.is_empty() { "none is configured".to_owned() } else { names.join(", ") };
            PacsError::Configuration(format!("there is no connection \"{name}\" ({there}); see `spinenet pacs add`"))
        })
    }

    /// Adds a connection, or puts it in the place of the one of the same name.
    pub fn put(&mut self, connection: Connection) {
        match self.list.iter_mut().find(|other| other.name == connection.name) {
            Some(other) => *other = connection,
            None => self.list.push(connection),
        }
    }

    fn has_secrets(&self) -> bool {
        self.list.iter().any(|connection| !connection.password.is_empty() || !connection.token.is_empty())
    }
}

#[cfg(unix)]
fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
}

/// Elsewhere the user's folder is closed by the system.
#[cfg(not(unix))]
fn is_open_to_others(_file: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(address: &str) -> Connection {
        Connection { name: "archive".to_owned(), address: address.to_owned(), ..Connection::default() }
    }

    #[test]
    fn addresses_are_understood_or_refused_with_a_reason() {
        let dimse = |title: &str, host: &str, port, is_secure| {
            Address::Dimse(Peer { ae_title: title.to_owned(), host: host.to_owned(), port, is_secure })
        };
        for (text, expected) in [
            ("https://a.b/dicom-web/", Address::Web { url: "https://a.b/dicom-web".to_owned() }),
            ("dicom://ORTHANC@a.b:4242", dimse("ORTHANC", "a.b", 4242, false)),
            ("dicoms://ARCHIVE@a.b", dimse("ARCHIVE", "a.b", 2762, true)),
            ("dicom://A@[::1]:11112", dimse("A", "::1", 11112, false)),
        ] {
            assert_eq!(connection(text).address().expect(text), expected);
        }
        for text in [
            "a.b",
            "ftp://a.b",
            "https://u:p@a.b",
            "https://",
            "dicom://a.b",
            "dicom://A@a:0",
            "dicom://A@:1",
            "dicom://SEVENTEEN-LETTERS@a",
        ] {
            assert!(connection(text).check().is_err(), "{text}");
        }
        let half = Connection { password: Secret::new("x"), ..connection("https://a.b") };
        assert!(half.check().is_err(), "a password without a user");
    }

    #[test]
    fn secrets_are_private_on_disk_and_never_printed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("deep/pacs.toml");
        assert_eq!(Connections::read(&file).expect("no file"), Connections::default());
        let mut connections = Connections::default();
        let secret =
            Connection { user: "ann".into(), password: Secret::new("hush"), ..connection("https://a.b/dicom-web") };
        connections.put(secret);
        connections.save(&file).expect("saved");
        assert_eq!(Connections::read(&file).expect("readable"), connections);
        assert!(!format!("{connections:?}").contains("hush"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("changed");
            let error = Connections::read(&file).expect_err("open to others").to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
        fs::write(&file, "[[connection]]\nname = \"a\"\npassword = hush\n").expect("written");
        let error = Connections::read(&file).expect_err("no TOML").to_string();
        assert!(!error.contains("hush") && error.contains("line 3"), "{error}");
    }

    #[test]
    fn plain_ways_are_warned_of() {
        assert!(connection("https://a.b/x").warning().is_none() && connection("dicoms://A@b").warning().is_none());
        assert!(connection("http://a.b/x").warning().is_some() && connection("dicom://A@b").warning().is_some());
    }
}
