//! A real archive on this machine: Orthanc with DICOMweb and DIMSE, with and without TLS, in a folder of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::needs;

const PROGRAMS: [&str; 2] = ["/usr/sbin/Orthanc", "/usr/bin/Orthanc"];
const DICOMWEB: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
pub(crate) const USER: &str = "ann";
pub(crate) const PASSWORD: &str = "correct horse";

/// A running Orthanc; stops when dropped.
pub(crate) struct Orthanc {
    process: Child,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) web_port: u16,
    pub(crate) dicom_port: u16,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody uses.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound").port()
}

impl Orthanc {
    /// Starts an Orthanc; `None` where it is not installed.
    pub(crate) fn start(is_secure: bool) -> Option<Self> {
        let program = PROGRAMS.iter().find(|program| Path::new(program).exists() && Path::new(DICOMWEB).exists());
        let missing = "Orthanc with DICOMweb is not installed (Debian, Ubuntu: apt install orthanc orthanc-dicomweb)";
        let program = needs::found(program, missing)?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (web_port, dicom_port) = (free_port(), free_port());
        let mut configuration = json!({
            "Name": "test", "StorageDirectory": folder.path(), "IndexDirectory": folder.path(),
            "HttpPort": web_port, "DicomPort": dicom_port, "DicomAet": "ORTHANC", "RemoteAccessAllowed": false,
            "AuthenticationEnabled": true, "RegisteredUsers": { USER: PASSWORD },
            "DicomScpTimeout": 5, "DicomCheckCalledAet": true, "DicomCheckModalityHost": false,
            "DicomAlwaysAllowEcho": false, "DicomAlwaysAllowStore": false,
            "DicomModalities": { "us": ["SPINENET", "127.0.0.1", 104] },
            "Plugins": [DICOMWEB], "DicomWeb": { "Enable": true, "Root": "/dicom-web/" },
        });
        let mut ca_file = None;
        if is_secure {
            needs::program("openssl", "openssl")?;
            let ca = certificates(folder.path());
            let at = |name: &str| json!(folder.path().join(name));
            for (key, value) in [
                ("DicomTlsEnabled", json!(true)),
                ("DicomTlsCertificate", at("server.pem")),
                ("DicomTlsPrivateKey", at("server.key")),
                ("DicomTlsTrustedCertificates", at("ca.pem")),
                ("DicomTlsRemoteCertificateRequired", json!(true)),
            ] {
                configuration[key] = value;
            }
            ca_file = Some(ca);
        }
        let file = folder.path().join("orthanc.json");
        fs::write(&file, configuration.to_string()).expect("writable");
        let log = fs::File::create(folder.path().join("orthanc.log")).expect("writable");
        let process =
            Command::new(program).arg(&file).stdout(Stdio::null()).stderr(log).spawn().expect("Orthanc starts");
        let orthanc = Self { process, folder, web_port, dicom_port, ca_file };
        let begun = Instant::now();
        for port in [web_port, dicom_port] {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(begun.elapsed() < Duration::from_secs(90), "Orthanc does not start: {}", orthanc.log());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Some(orthanc)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("orthanc.log")).unwrap_or_default()
    }

    /// What Orthanc's own interface says, which this program does not use.
    pub(crate) fn ask(&self, path: &str) -> Value {
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        let mut response = agent
            .get(format!("http://127.0.0.1:{}{path}", self.web_port))
            .header("Authorization", "Basic YW5uOmNvcnJlY3QgaG9yc2U=")
            .call()
            .expect("Orthanc answers");
        let text = response.body_mut().read_to_string().expect("a text");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Modalities of all series.
    pub(crate) fn modalities(&self) -> Vec<String> {
        let series = self.ask("/series");
        let ids = series.as_array().expect("a list").iter().map(|id| id.as_str().expect("an id").to_owned());
        let modality = |id: String| self.ask(&format!("/series/{id}"))["MainDicomTags"]["Modality"].clone();
        let mut found: Vec<String> = ids.map(|id| modality(id).as_str().unwrap_or_default().to_owned()).collect();
        found.sort();
        found
    }
}

/// An authority, a certificate of it for this machine, and one for us; the authority's file.
fn certificates(folder: &Path) -> PathBuf {
    let script = "set -e
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj '/CN=Test authority' \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
        for name in server client; do
            openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=localhost
            printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\nextendedKeyUsage=serverAuth,clientAuth\\n' > ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $name.pem
        done";
    let made = Command::new("bash").current_dir(folder).args(["-c", script]).output().expect("bash starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder.join("ca.pem")
}
