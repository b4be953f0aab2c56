//! Archives: the pages, the jobs behind them, and the fetched study that is open.

use std::sync::Arc;

use super::{Command, Event, Viewer};
use crate::causes::with_causes;
use crate::export::OpenStudy;
use crate::pacs::{ArchivedStudy, FetchedStudy};
use crate::pipeline::Evidence;
use crate::ui::archive::{ArchiveAction, ArchiveMessage, ArchivePage};
use crate::ui::language::{in_force, tr};
use crate::worker::{JobError, JobEvent, JobId, Network, NetworkCommand, NetworkEvent, NetworkHandle, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Does what was asked for on the archive pages.
    pub(super) fn archive(&mut self, action: ArchiveAction) {
        let archive = &mut self.state.archive;
        match action {
            ArchiveAction::Show(page) => self.show_archive(page),
            ArchiveAction::Close => (archive.page, archive.draft) = (None, None),
            ArchiveAction::Choose(index) => {
                if index != archive.chosen {
                    (archive.chosen, archive.studies, archive.selected, archive.message) = (index, None, None, None);
                }
            }
            ArchiveAction::Query(query) => archive.query = query,
            ArchiveAction::Select(index) => archive.selected = Some(index),
            ArchiveAction::Edit(draft) => archive.draft = draft.map(|draft| *draft),
            ArchiveAction::Search => {
                (archive.studies, archive.selected) = (None, None);
                if let Some(connection) = archive.connection().cloned() {
                    let query = archive.query.clone();
                    self.network_job(NetworkCommand::Find(connection, query));
                }
            }
            ArchiveAction::Open => self.fetch_selected(),
            ArchiveAction::Cancel => {
                if let Some(network) = &self.network {
                    network.cancel_all();
                }
            }
            ArchiveAction::Test => {
                if let Some(draft) = &archive.draft {
                    let connection = draft.finished();
                    self.network_job(NetworkCommand::Echo(connection));
                }
            }
            ArchiveAction::Keep => self.keep_draft(),
            ArchiveAction::Remove => self.remove_draft(),
            ArchiveAction::Send => self.send_results(),
        }
    }

    /// Shows a page; the connections are read when the first is opened.
    fn show_archive(&mut self, page: ArchivePage) {
        if self.state.archive.page.is_none() {
            match self.store.load_connections() {
                Ok(connections) => self.state.archive.connections = connections.list,
                Err(error) => {
                    self.tell_error(tr!(
                        "The archive connections could not be read. {reason}",
                        reason = with_causes(&error)
                    ));
                    return;
                }
            }
        }
        let archive = &mut self.state.archive;
        (archive.message, archive.draft) = (None, None);
        archive.chosen = archive.chosen.min(archive.connections.len().saturating_sub(1));
        archive.page = Some(page);
    }

    fn keep_draft(&mut self) {
        let archive = &mut self.state.archive;
        let Some(draft) = archive.draft.take() else { return };
        let connection = draft.finished();
        let others = archive.connections.iter().filter(|other| Some(&other.name) != draft.replaces.as_ref());
        if others.clone().any(|other| other.name == connection.name) {
            archive.draft = Some(draft);
            archive.message = note(false, tr!("There is another connection of this name.").to_owned());
            return;
        }
        let place = draft.replaces.and_then(|name| archive.connections.iter().position(|other| other.name == name));
        match place {
            Some(place) => archive.connections[place] = connection,
            None => archive.connections.push(connection),
        }
        self.save_connections();
    }

    fn remove_draft(&mut self) {
        let archive = &mut self.state.archive;
        let Some(name) = archive.draft.take().and_then(|draft| draft.replaces) else { return };
        archive.connections.retain(|other| other.name != name);
        archive.chosen = 0;
        (archive.studies, archive.selected) = (None, None);
        self.save_connections();
    }

    fn save_connections(&mut self) {
        let connections = self.state.archive.connections.clone();
        let message = match self.store.save_connections(connections) {
            Ok(()) => note(true, tr!("The connections are saved.").to_owned()),
            Err(error) => note(false, error.to_owned()),
        };
        self.state.archive.message = message;
    }

    fn fetch_selected(&mut self) {
        let archive = &self.state.archive;
        let study = archive.selected.zip(archive.studies.as_ref()).and_then(|(index, studies)| studies.get(index));
        let (Some(study), Some(connection)) = (study, archive.connection().cloned()) else { return };
        let study_instance_uid = study.study_instance_uid.clone();
        self.network_job(NetworkCommand::Fetch { connection, study_instance_uid });
    }

    fn send_results(&mut self) {
        let Some(connection) = self.state.archive.connection().cloned() else { return };
        match self.open_study() {
            Some(study) => self.network_job(NetworkCommand::Send(connection, Box::new(study))),
            None => self.state.archive.message = note(false, tr!("There are no results to send yet.").to_owned()),
        }
    }

    /// The open study with everything that is known about it; `None` without a series of images.
    pub(super) fn open_study(&self) -> Option<OpenStudy> {
        let report = self.report()?;
        let series = Arc::clone(&self.state.loaded()?.series);
        let evidence: Vec<Evidence> = self.shown_evidence(&report).into_iter().collect();
        let mut boxes = self.state.reading.findings.boxes.clone();
        boxes.extend(evidence.iter().flat_map(Evidence::predicted_boxes));
        let key_evidence = self.key_evidence(&report);
        Some(OpenStudy { report, series, boxes, evidence, key_evidence, language: in_force() })
    }

    /// Starts a job; the thread for it is made with the first one.
    fn network_job(&mut self, command: NetworkCommand) {
        if self.network.is_none() {
            let wake = Arc::clone(&self.wake);
            self.network = NetworkHandle::start("network", Network, move || wake()).ok();
        }
        let archive = &mut self.state.archive;
        archive.message = None;
        match self.network.as_mut().map(|network| network.submit(command)) {
            Some(Ok(job)) => {
                self.network_job = Some(job);
                archive.progress = Some(crate::task::Progress { step: tr!("Connecting"), done: 0, total: 0 });
            }
            Some(Err(error)) => {
                archive.message = note(false, tr!("This could not be started: {reason}.", reason = error));
            }
            None => archive.message = note(false, tr!("The system gives no thread for the network.").to_owned()),
        }
    }

    /// Takes in what came from archives.
    pub(super) fn take_network(&mut self) {
        while let Some(event) = self.network.as_mut().and_then(NetworkHandle::poll) {
            self.receive_network(event);
        }
    }

    fn receive_network(&mut self, JobEvent { job, event, ends_job }: JobEvent<NetworkEvent>) {
        let is_current = self.network_job == Some(job);
        match event {
            NetworkEvent::Progressed(progress) if is_current => self.state.archive.progress = Some(progress),
            NetworkEvent::Echoed if is_current => self.archive_says(true, tr!("The archive answers.").to_owned()),
            NetworkEvent::Found(studies) if is_current => self.studies_found(studies),
            NetworkEvent::Fetched(study) if is_current => self.study_fetched(study),
            NetworkEvent::Sent(count) => {
                self.archive_says(
                    true,
                    tr!(
                        count = count;
                        one "{count} object is stored in the archive.", other "{count} objects are stored in the archive."
                    ),
                );
            }
            NetworkEvent::Failed(error) => self.network_failed(job, &error),
            NetworkEvent::Cancelled if is_current => self.archive_says(false, tr!("Stopped.").to_owned()),
            // Of a job that was left behind.
            NetworkEvent::Progressed(_)
            | NetworkEvent::Echoed
            | NetworkEvent::Found(_)
            | NetworkEvent::Fetched(_)
            | NetworkEvent::Cancelled => {}
        }
        if ends_job && is_current {
            self.network_job = None;
            self.state.archive.progress = None;
        }
    }

    fn studies_found(&mut self, studies: Arc<Vec<ArchivedStudy>>) {
        self.state.archive.studies = Some(studies);
    }

    /// Opens a fetched study like a folder; it is not remembered, because it is gone when it is closed.
    fn study_fetched(&mut self, study: Arc<FetchedStudy>) {
        self.close_study();
        self.state.archive.page = None;
        self.scan_folder(study.folder().to_owned());
        self.study.fetched = Some(study);
    }

    fn network_failed(&mut self, job: JobId, error: &JobError) {
        if self.network_job == Some(job) || self.state.archive.page.is_none() {
            let text = error.chain();
            let mut letters = text.chars();
            let text = letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>());
            self.archive_says(false, text + letters.as_str() + ".");
        }
    }

    /// On the page, or where none is open above the image.
    fn archive_says(&mut self, is_good: bool, text: String) {
        use crate::ui::state::BannerKind;
        if self.state.archive.page.is_some() {
            self.state.archive.message = note(is_good, text);
        } else {
            self.tell(if is_good { BannerKind::Done } else { BannerKind::Error }, text);
        }
    }
}

#[allow(clippy::unnecessary_wraps, reason = "it is put where there may be none")]
fn note(is_good: bool, text: String) -> Option<ArchiveMessage> {
    Some(ArchiveMessage { is_good, text })
}
