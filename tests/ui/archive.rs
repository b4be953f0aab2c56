//! The archive pages, over a real network on this machine: a small server that lists studies, and Orthanc where it is
//! installed.

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use spinenet_viewer::pacs::{Connection, Connections, Secret, send_files};
use spinenet_viewer::pipeline::{DEMO_SEED, DeviceChoice, prepare_demo};
use spinenet_viewer::task::CancelToken;
use spinenet_viewer::ui::action::FileAction;
use spinenet_viewer::ui::archive::{ArchiveAction, ArchivePage, ConnectionDraft};
use spinenet_viewer::ui::state::PathPurpose;
use spinenet_viewer::worker::WorkerHandle;

use super::orthanc::{Orthanc, PASSWORD, USER, free_port};

const STUDIES: &str = r#"[
  {"0020000D": {"vr": "UI", "Value": ["1.2.1"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Muster^Erika"}]},
   "00100020": {"vr": "LO", "Value": ["P-1001"]}, "00080020": {"vr": "DA", "Value": ["20260301"]},
   "00080061": {"vr": "CS", "Value": ["MR", "SR"]}, "00201208": {"vr": "IS", "Value": [142]},
   "00081030": {"vr": "LO", "Value": ["MRI lumbar spine without contrast, follow-up of a much longer description"]}},
  {"0020000D": {"vr": "UI", "Value": ["1.2.2"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Beispiel^Karl-Heinz von und zu"}]},
   "00100020": {"vr": "LO", "Value": ["P-1002"]}, "00080020": {"vr": "DA", "Value": ["20260715"]},
   "00080061": {"vr": "CS", "Value": ["MR"]}, "00201208": {"vr": "IS", "Value": [96]},
   "00081030": {"vr": "LO", "Value": ["LWS MRT"]}}]"#;

/// A web server that lists two studies to whoever knows the password.
fn list_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let serve = move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let count = client.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..count]).to_lowercase();
            let is_known = request.contains("authorization: basic yw5uomnvcnjly3qgag9yc2u=");
            let (status, body) = if is_known { ("200 OK", STUDIES) } else { ("401 Unauthorized", "") };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/dicom+json\r\nContent-Length: {length}");
            let _ = client.write_all(format!("{head}\r\nConnection: close\r\n\r\n{body}").as_bytes());
        }
    };
    std::thread::Builder::new().spawn(serve).expect("a thread");
    port
}

fn web(name: &str, port: u16, password: &str) -> Connection {
    Connection {
        name: name.to_owned(),
        address: format!("http://127.0.0.1:{port}/dicom-web"),
        user: USER.to_owned(),
        password: Secret::new(password),
        ..Connection::default()
    }
}

fn configure(folder: &Path, list: Vec<Connection>) {
    Connections { list }.save(&folder.join("pacs.toml")).expect("saved");
}

fn archive<W: Work<Command = Command, Event = worker::Event>>(window: &mut WindowOf<W>, action: ArchiveAction) {
    let context = window.ctx.clone();
    window.state_mut().apply(&context, action);
    // Waiting for the network shows a spinner, which never comes to rest.
    window.step();
}

fn settle<W: Work<Command = Command, Event = worker::Event>>(window: &mut WindowOf<W>, what: &str) {
    wait_for_steps(window, what, |viewer| viewer.state.archive.progress.is_none());
    window.run();
}

fn wait_for_steps<W: Work<Command = Command, Event = worker::Event>>(
    window: &mut WindowOf<W>,
    what: &str,
    done: impl Fn(&Viewer<W>) -> bool,
) {
    let begun = Instant::now();
    while !done(window.state()) {
        assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
        window.step();
    }
}

#[test]
fn a_connection_is_made_tested_used_and_removed() {
    let folder = scratch();
    let port = list_server();
    let mut window = window(folder.path());
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::O);
    window.run();
    window.get_by_label_contains("No archive is configured.");
    window.get_by_label("Connections…").click();
    window.run();
    window.get_by_label("Add archive").click();
    window.run();
    let mut draft = ConnectionDraft { connection: web("hospital", port, ""), ..ConnectionDraft::default() };
    draft.secret = Secret::new("wrong");
    archive(&mut window, ArchiveAction::Edit(Some(Box::new(draft.clone()))));
    window.get_by_label("Not encrypted: password and patient data can be read on the way");
    window.get_by_label("Test connection").click();
    window.step();
    settle(&mut window, "the refusal");
    window.get_by_label_contains("does not let us in (401 Unauthorized)");
    draft.secret = Secret::new(PASSWORD);
    archive(&mut window, ArchiveAction::Edit(Some(Box::new(draft))));
    window.get_by_label("Test connection").click();
    window.step();
    settle(&mut window, "the answer");
    window.get_by_label("The archive answers.");
    window.get_by_label("Save").click();
    window.run();
    window.get_by_label("The connections are saved.");
    window.get_by_label("Back to search").click();
    window.run();
    window.get_by_label("Search").click();
    window.step();
    settle(&mut window, "the list");
    window.get_by_label("Study of 20260715 Beispiel Karl-Heinz von und zu").click();
    window.run();
    assert_eq!(window.state().state.archive.selected, Some(0), "the newest comes first");
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(window.state().state.archive.page, None);
    drop(window);
    let saved = Connections::read(&folder.path().join("pacs.toml")).expect("private and readable");
    assert_eq!(saved.list, [web("hospital", port, PASSWORD)]);
    let mut window = super::window(folder.path());
    archive(&mut window, ArchiveAction::Show(ArchivePage::Connections));
    window.run();
    window.get_by_label("Edit hospital").click();
    window.run();
    window.get_by_label("Remove").click();
    window.run();
    window.get_by_label_contains("No archive is configured");
    drop(window);
    assert!(Connections::read(&folder.path().join("pacs.toml")).expect("readable").list.is_empty());
}

#[test]
fn an_archive_that_is_not_there_is_told_and_nothing_is_lost() {
    let folder = scratch();
    configure(folder.path(), vec![web("gone", free_port(), PASSWORD)]);
    let mut window = graded_window(folder.path());
    archive(&mut window, ArchiveAction::Show(ArchivePage::Studies));
    archive(&mut window, ArchiveAction::Search);
    settle(&mut window, "the refusal");
    window.get_by_label_contains("Gone refuses the connection");
    archive(&mut window, ArchiveAction::Show(ArchivePage::Send));
    window.run();
    window.get_by_label("Not signed off: the report is sent as preliminary and unverified.");
    archive(&mut window, ArchiveAction::Close);
    assert!(window.state().state.is_graded(), "the open study stays");
}

#[test]
fn a_study_is_opened_from_orthanc_graded_and_reported_back() {
    let Some(orthanc) = Orthanc::start(false) else { return };
    let folder = scratch();
    let connection = web("orthanc", orthanc.web_port, PASSWORD);
    configure(folder.path(), vec![connection.clone()]);
    let study = prepare_demo(Some(&folder.path().join("study")), DEMO_SEED, &CancelToken::default(), &mut |_| ());
    let study = study.expect("a study");
    let mut files: Vec<PathBuf> = Vec::new();
    for series in std::fs::read_dir(study.folder()).expect("readable") {
        let entries = std::fs::read_dir(series.expect("readable").path()).expect("readable");
        files.extend(entries.map(|entry| entry.expect("readable").path()));
    }
    send_files(&connection, &files, &CancelToken::default(), &mut |_| ()).expect("stored");
    let worker = WorkerHandle::spawn(DeviceChoice::Cpu, None, || ()).expect("the processor and a thread");
    let mut window = window_of(worker, folder.path(), SIZE, 1.0);
    archive(&mut window, ArchiveAction::Show(ArchivePage::Studies));
    archive(&mut window, ArchiveAction::Search);
    settle(&mut window, "the list");
    archive(&mut window, ArchiveAction::Select(0));
    archive(&mut window, ArchiveAction::Open);
    wait_for_steps(&mut window, "grades of all discs", |viewer| viewer.state.is_graded());
    assert!(window.state().state.recent.is_empty(), "a folder that will be gone is not remembered");
    archive(&mut window, ArchiveAction::Show(ArchivePage::Send));
    archive(&mut window, ArchiveAction::Send);
    settle(&mut window, "the results");
    let said = window.state().state.archive.message.clone().expect("a message");
    assert!(said.is_good && said.text.contains("objects are stored"), "{}", said.text);
    let modalities = orthanc.modalities();
    assert!(["SR", "SEG", "OT"].iter().all(|kind| modalities.iter().any(|found| found == kind)), "{modalities:?}");
}

/// The pages as pictures, to be looked at: `cargo test --test ui -- --ignored archive_pages`.
#[test]
#[ignore = "writes target/pictures"]
fn archive_pages_as_pictures() {
    let folder = scratch();
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    std::fs::create_dir_all(&out).expect("writable");
    let mut secure = web("university hospital", 1, PASSWORD);
    secure.address = "https://pacs.example.org/dicom-web".to_owned();
    configure(folder.path(), vec![web("hospital", list_server(), PASSWORD), secure]);
    let mut window = explained_window(folder.path());
    let save = |window: &mut Window, name: &str| {
        picture(window).save(out.join(format!("{name}.png"))).expect("written");
    };
    let context = window.ctx.clone();
    window.state_mut().apply(&context, FileAction::Chosen(PathPurpose::SaveImage, out.join("image.png")));
    wait_for(&mut window, "the picture", |viewer| !viewer.state.banners.is_empty());
    archive(&mut window, ArchiveAction::Show(ArchivePage::Studies));
    save(&mut window, "archive-empty");
    archive(&mut window, ArchiveAction::Search);
    settle(&mut window, "the list");
    archive(&mut window, ArchiveAction::Select(1));
    save(&mut window, "archive-studies");
    archive(&mut window, ArchiveAction::Show(ArchivePage::Send));
    save(&mut window, "archive-send");
    archive(&mut window, ArchiveAction::Show(ArchivePage::Connections));
    save(&mut window, "archive-connections");
    let draft = ConnectionDraft::of(&window.state().state.archive.connections[0]);
    archive(&mut window, ArchiveAction::Edit(Some(Box::new(draft))));
    save(&mut window, "archive-draft");
}
