//! Archives: against a real Orthanc where it is installed, and against servers that break off or lie.

#[path = "../needs/mod.rs"]
mod needs;
mod orthanc;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use orthanc::{Orthanc, PASSWORD, USER, free_port};
use spinenet_viewer::dicom::{Series, load_series, scan_folder};
use spinenet_viewer::pacs::{Connection, Connections, PacsError, Secret, fetch_study};
use spinenet_viewer::task::CancelToken;

/// A user with connections of their own and a folder for temporary files.
struct User {
    home: tempfile::TempDir,
}

impl User {
    fn new(connections: &[(&str, Connection)]) -> Self {
        let user = Self { home: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(user.home.path().join("tmp")).expect("writable");
        let list = connections
            .iter()
            .map(|(name, connection)| Connection { name: (*name).to_owned(), ..connection.clone() })
            .collect();
        let file = user.home.path().join("spinenet-viewer/pacs.toml");
        Connections { list }.save(&file).expect("saved");
        user
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spinenet"));
        command.env("XDG_DATA_HOME", self.home.path()).env("TMPDIR", self.home.path().join("tmp"));
        command.current_dir(self.home.path()).args(arguments).output().expect("the program starts")
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(PASSWORD), "{said}");
        said
    }

    /// Whether nothing of a study lies about.
    fn is_tidy(&self) -> bool {
        fs::read_dir(self.home.path().join("tmp")).expect("readable").next().is_none()
    }
}

/// A synthetic study: five series, one of them the T2 sagittal one.
fn study() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static READY: OnceLock<PathBuf> = OnceLock::new();
    READY.get_or_init(|| {
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder")).path();
        let user = User::new(&[]);
        user.succeed(&["phantom", "--out", text(folder), "--seed", "11", "--quiet"]);
        folder.join("phantom-000011/dicom")
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn series_folders() -> Vec<String> {
    let entries = fs::read_dir(study()).expect("readable");
    let mut folders: Vec<String> = entries.map(|entry| text(&entry.expect("readable").path()).to_owned()).collect();
    folders.sort();
    folders
}

fn t2_sagittal(folder: &Path) -> Series {
    let scan = scan_folder(folder, &CancelToken::default(), &mut |_| ()).expect("readable");
    load_series(scan.t2_sagittal().expect("a T2 series"), &CancelToken::default(), &mut |_| ()).expect("decodable")
}

fn web(port: u16) -> Connection {
    let address = format!("http://127.0.0.1:{port}/dicom-web");
    Connection { address, user: USER.to_owned(), password: Secret::new(PASSWORD), ..Connection::default() }
}

fn dimse(port: u16) -> Connection {
    Connection { address: format!("dicom://ORTHANC@127.0.0.1:{port}"), ..Connection::default() }
}

/// Pushes, finds, fetches, grades and reports back, over one connection.
fn whole_way(user: &User, name: &str, orthanc: Option<&Orthanc>) {
    user.succeed(&["pacs", "echo", name]);
    let mut send = vec!["pacs", "send", name];
    let folders = series_folders();
    send.extend(folders.iter().map(String::as_str));
    user.succeed(&send);
    let original = t2_sagittal(study());
    let uid = original.summary.study_instance_uid.as_str();

    let patient = original.summary.texts.patient_name.split('^').next().unwrap_or_default();
    let found = user.succeed(&["pacs", "find", name, "--patient-name", &patient.to_lowercase(), "--json"]);
    let entry: serde_json::Value = serde_json::from_str(found.lines().next().expect("a study")).expect("JSON");
    assert_eq!(entry["study_instance_uid"], uid);
    assert_eq!(entry["patient_id"], original.summary.texts.patient_id.as_str());
    assert!(user.succeed(&["pacs", "find", name, "--patient-id", "nobody"]).contains("No study matches"));
    assert!(user.succeed(&["pacs", "find", name, "--date", "19000101-19001231"]).contains("No study matches"));

    let out = user.home.path().join(format!("{name}-study"));
    user.succeed(&["pacs", "get", name, uid, "--out", text(&out)]);
    assert_eq!(t2_sagittal(&out).volume, original.volume, "the same voxels in the same place");
    assert!(user.fail(&["pacs", "get", name, uid, "--out", text(&out)]).contains("there already"));

    let report = format!("{name}.json");
    let said = user.succeed(&["grade", uid, "--pacs", name, "--send", "--views", "1", "--out", &report, "--no-times"]);
    assert!(said.contains("3 objects stored"), "{said}");
    assert!(user.is_tidy(), "the fetched study is removed");
    user.succeed(&["grade", text(study()), "--views", "1", "--out", "local.json", "--no-times", "--quiet"]);
    let read = |file: &str| fs::read_to_string(user.home.path().join(file)).expect("readable");
    assert_eq!(read(&report), read("local.json"), "grades do not depend on the way that images came");
    if let Some(orthanc) = orthanc {
        let modalities = orthanc.modalities();
        for modality in ["MR", "OT", "SEG", "SR"] {
            assert!(modalities.iter().any(|found| found == modality), "{modality} is missing: {modalities:?}");
        }
        assert_eq!(orthanc.ask("/studies").as_array().map(Vec::len), Some(1), "results lie in the study of the images");
    }
    // Results come back as they were sent, and are not taken for images.
    let all = user.home.path().join(format!("{name}-all"));
    user.succeed(&["pacs", "get", name, uid, "--out", text(&all), "--all"]);
    let count = |folder: &Path| fs::read_dir(folder).expect("readable").count();
    assert!(count(&all) >= count(&out) + 3);
}

#[test]
fn studies_and_results_go_both_ways_over_dicomweb() {
    let Some(orthanc) = Orthanc::start(false) else { return };
    whole_way(&User::new(&[("web", web(orthanc.web_port))]), "web", Some(&orthanc));
}

#[test]
fn studies_and_results_go_both_ways_over_dimse() {
    let Some(orthanc) = Orthanc::start(false) else { return };
    whole_way(&User::new(&[("dimse", dimse(orthanc.dicom_port))]), "dimse", Some(&orthanc));
}

#[test]
fn both_ways_go_through_tls_with_certificates_of_an_authority() {
    let Some(orthanc) = Orthanc::start(true) else { return };
    let at = |name: &str| Some(orthanc.folder.path().join(name));
    // Debian's Orthanc 1.10.1 crashes when it speaks HTTPS itself; archives stand behind such a server anyway.
    let secure_port = secure_server(orthanc.folder.path(), orthanc.web_port);
    let secure_web = Connection {
        address: format!("https://localhost:{secure_port}/dicom-web"),
        ca_file: orthanc.ca_file.clone(),
        ..web(0)
    };
    let secure_dimse = Connection {
        address: format!("dicoms://ORTHANC@localhost:{}", orthanc.dicom_port),
        ca_file: orthanc.ca_file.clone(),
        certificate_file: at("client.pem"),
        key_file: at("client.key"),
        ..Connection::default()
    };
    let unknown_to_us = Connection { ca_file: at("client.pem"), ..secure_web.clone() };
    let unknown_to_them = Connection { certificate_file: None, key_file: None, ..secure_dimse.clone() };
    let plain = dimse(orthanc.dicom_port);
    let user = User::new(&[
        ("web", secure_web),
        ("dimse", secure_dimse),
        ("untrusted", unknown_to_us),
        ("stranger", unknown_to_them),
        ("plain", plain),
    ]);
    whole_way(&user, "web", None);
    user.succeed(&["pacs", "echo", "dimse"]);
    whole_way(&user, "dimse", None);
    let said = user.fail(&["pacs", "echo", "untrusted"]);
    assert!(said.contains("no secure connection to untrusted"), "{said}");
    user.fail(&["pacs", "echo", "stranger"]);
    user.fail(&["pacs", "echo", "plain"]);
}

/// A server that speaks TLS with its clients and passes everything on to `port`.
fn secure_server(folder: &Path, port: u16) -> u16 {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_file_iter(folder.join("server.pem")).expect("readable");
    let chain = chain.map(|one| one.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("a key");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate with its key");
    let config = std::sync::Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let own = listener.local_addr().expect("bound").port();
    let accept = move || {
        for client in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(std::sync::Arc::clone(&config)).expect("a connection");
            let server = TcpStream::connect(("127.0.0.1", port)).expect("the archive listens");
            let pass = move || pass_on(rustls::StreamOwned::new(connection, client), server);
            std::thread::Builder::new().spawn(pass).expect("a thread");
        }
    };
    std::thread::Builder::new().spawn(accept).expect("a thread");
    own
}

/// Passes bytes both ways until either side ends.
fn pass_on(mut client: rustls::StreamOwned<rustls::ServerConnection, TcpStream>, mut server: TcpStream) {
    let turn = Some(std::time::Duration::from_millis(5));
    client.sock.set_read_timeout(turn).and_then(|()| server.set_read_timeout(turn)).expect("a socket");
    let mut buffer = vec![0; 64 << 10];
    let is_waiting =
        |error: &std::io::Error| matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) if server.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if is_waiting(&error) => {}
            _ => return,
        }
        match server.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) if client.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if is_waiting(&error) => {}
            _ => return,
        }
    }
}

#[test]
fn refusals_say_what_to_do() {
    let Some(orthanc) = Orthanc::start(false) else { return };
    let mut wrong_password = web(orthanc.web_port);
    wrong_password.password = Secret::new("wrong");
    let user = User::new(&[
        ("web", web(orthanc.web_port)),
        ("dimse", dimse(orthanc.dicom_port)),
        ("wrong password", wrong_password),
        ("no dicomweb", Connection { address: format!("http://127.0.0.1:{}/nothing", orthanc.web_port), ..web(0) }),
        ("wrong title", Connection { address: format!("dicom://OTHER@127.0.0.1:{}", orthanc.dicom_port), ..dimse(1) }),
        ("stranger", Connection { calling_ae_title: "STRANGER".to_owned(), ..dimse(orthanc.dicom_port) }),
        ("nobody", dimse(free_port())),
        ("no server", web(free_port())),
        ("http as dimse", dimse(orthanc.web_port)),
    ]);
    for (name, expected) in [
        ("wrong password", "does not let us in"),
        ("no dicomweb", "no DICOMweb at this address"),
        ("wrong title", "called AE title not recognized"),
        ("nobody", "refuses the connection"),
        ("no server", "refuses the connection"),
        ("not configured", "there is no connection \"not configured\""),
    ] {
        let said = user.fail(&["pacs", "find", name]);
        assert!(said.contains(expected), "{name}: {said}");
    }
    user.fail(&["pacs", "find", "stranger"]);
    user.fail(&["pacs", "echo", "http as dimse"]);
    for name in ["web", "dimse"] {
        let said = user.fail(&["grade", "1.2.3.4", "--pacs", name, "--views", "1"]);
        assert!(said.contains("has no such study"), "{name}: {said}");
    }
    let said = user.succeed(&["pacs", "list"]);
    assert!(said.contains("not encrypted") && !said.contains(PASSWORD), "{said}");
}

/// Passes bytes on between a client and `port`, and hangs up after `limit` bytes of answers.
fn cutting_proxy(port: u16, limit: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let own = listener.local_addr().expect("bound").port();
    let pass = move |client: TcpStream| {
        let server = TcpStream::connect(("127.0.0.1", port)).expect("the archive listens");
        let (mut up, mut down) = (client.try_clone().expect("cloned"), client);
        let (mut to_server, mut from_server) = (server.try_clone().expect("cloned"), server);
        let forward = move || {
            let _ = std::io::copy(&mut up, &mut to_server);
        };
        std::thread::Builder::new().spawn(forward).expect("a thread");
        let mut buffer = [0; 4096];
        let mut passed = 0;
        while let Ok(count @ 1..) = from_server.read(&mut buffer) {
            let count = count.min(limit - passed);
            if down.write_all(&buffer[..count]).is_err() {
                break;
            }
            passed += count;
            if passed == limit {
                break;
            }
        }
        let _ = down.shutdown(std::net::Shutdown::Both);
        let _ = from_server.shutdown(std::net::Shutdown::Both);
    };
    let accept = move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::Builder::new().spawn(move || pass(client)).expect("a thread");
        }
    };
    std::thread::Builder::new().spawn(accept).expect("a thread");
    own
}

#[test]
fn a_connection_that_breaks_leaves_no_half_study() {
    let Some(orthanc) = Orthanc::start(false) else { return };
    let (cut_web, cut_dimse) = (cutting_proxy(orthanc.web_port, 200_000), cutting_proxy(orthanc.dicom_port, 200_000));
    let user = User::new(&[("web", web(orthanc.web_port)), ("cut web", web(cut_web)), ("cut dimse", dimse(cut_dimse))]);
    let mut send = vec!["pacs", "send", "web"];
    let folders = series_folders();
    send.extend(folders.iter().map(String::as_str));
    user.succeed(&send);
    let uid = t2_sagittal(study()).summary.study_instance_uid;
    for name in ["cut web", "cut dimse"] {
        let out = user.home.path().join("study");
        let said = user.fail(&["pacs", "get", name, &uid, "--out", text(&out)]);
        assert!(said.contains("was lost"), "{name}: {said}");
        let left: Vec<_> =
            fs::read_dir(user.home.path()).expect("readable").map(|e| e.expect("readable").file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains("pacs-") && name != "study"), "{left:?}");
        let said = user.fail(&["grade", &uid, "--pacs", name, "--views", "1"]);
        assert!(said.contains("was lost"), "{name}: {said}");
        assert!(user.is_tidy());
    }
}

/// A web server that answers the first line of a request with a status, a kind of content, that content, and the length to
/// declare.
fn server(answer: impl Fn(&str) -> (&'static str, &'static str, Vec<u8>, usize) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let serve = move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let count = client.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..count]).into_owned();
            let (status, kind, body, length) = answer(request.lines().next().unwrap_or_default());
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body));
        }
    };
    std::thread::Builder::new().spawn(serve).expect("a thread");
    port
}

/// One that gives the same answers to everybody: what to answer to a list of series, and to images.
fn web_server(series: &'static str, images: Vec<u8>, is_cut: bool) -> u16 {
    server(move |request| {
        if request.contains("/series?") {
            return ("200 OK", "application/dicom+json", series.as_bytes().to_vec(), series.len());
        }
        let length = images.len() + if is_cut { 1000 } else { 0 };
        ("200 OK", "multipart/related; type=\"application/dicom\"; boundary=b1", images.clone(), length)
    })
}

#[test]
fn servers_that_know_no_wildcard_are_asked_without() {
    let study = |name: &str, number: usize| {
        format!(
            r#"{{"0020000D": {{"vr": "UI", "Value": ["1.2.{number}"]}}, "00100010": {{"vr": "PN", "Value": [{{"Alphabetic": "{name}"}}]}}}}"#
        )
    };
    let all = format!("[{}, {}]", study("Tester^Ann", 1), study("Muster^Eva", 2));
    let port = server(move |request| {
        let list = if request.contains("PatientName") { "[]" } else { &all };
        // It refuses long lists, too.
        let status = if request.contains("limit=1000") { "400 Bad Request" } else { "200 OK" };
        (status, "application/dicom+json", list.as_bytes().to_vec(), list.len())
    });
    let user = User::new(&[("literal", web(port))]);
    let found = user.succeed(&["pacs", "find", "literal", "--patient-name", "Tester^Ann"]);
    assert!(found.contains("1.2.1") && !found.contains("1.2.2"), "{found}");
    let found = user.succeed(&["pacs", "find", "literal", "--patient-name", "Nobody"]);
    assert!(!found.contains("1.2."), "{found}");
}

const ONE_SERIES: &str = r#"[{"0020000E": {"vr": "UI", "Value": ["1.2.3"]}, "00080060": {"vr": "CS", "Value": ["MR"]},
    "00201209": {"vr": "IS", "Value": [2]}}]"#;

fn part(content: &[u8]) -> Vec<u8> {
    [b"--b1\r\nContent-Type: application/dicom\r\n\r\n", content, b"\r\n"].concat()
}

fn fetched(study: &str, images: Vec<u8>, is_cut: bool) -> PacsError {
    let connection = Connection { name: "fake".into(), ..web(web_server(ONE_SERIES, images, is_cut)) };
    let fetched = fetch_study(&connection, study, &["MR"], &CancelToken::default(), &mut |_| ());
    fetched.map(|study| study.objects).expect_err("nothing of this may be opened")
}

#[test]
fn what_archives_send_is_not_believed() {
    let original = t2_sagittal(study());
    let uid = original.summary.study_instance_uid.as_str();
    let object = fs::read(&original.summary.instances[0].path).expect("readable");
    let one = [part(&object), b"--b1--".to_vec()].concat();
    assert!(matches!(fetched(uid, one.clone(), false), PacsError::Incomplete { got: 1, expected: 2, .. }));
    assert!(matches!(fetched(uid, one[..one.len() / 2].to_vec(), false), PacsError::Lost { .. }));
    assert!(matches!(fetched(uid, one[..one.len() / 2].to_vec(), true), PacsError::Lost { .. }));
    assert!(matches!(fetched("1.2.3.4", one, false), PacsError::Answer { .. }), "an object of another study");
    let page = [part(b"<html>sorry</html>"), b"--b1--".to_vec()].concat();
    assert!(matches!(fetched(uid, page, false), PacsError::Answer { .. }));
    let connection = Connection { name: "fake".into(), ..web(web_server(ONE_SERIES, Vec::new(), false)) };
    let cancel = CancelToken::default();
    cancel.cancel();
    let error = fetch_study(&connection, uid, &["MR"], &cancel, &mut |_| ()).map(|study| study.objects);
    assert!(matches!(error.expect_err("cancelled"), PacsError::Cancelled(_)));
}
