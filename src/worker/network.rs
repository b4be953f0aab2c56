//! Work with archives, on a thread of its own: a slow network delays neither images nor grades.

use std::sync::Arc;

use chrono::Utc;

use super::Notice;
use super::handle::{Handle, JobContext, Work};
use super::job::JobError;
use crate::export::{OpenStudy, write_dicom};
use crate::pacs::{ArchivedStudy, Connection, FetchedStudy, IMAGES, StudyQuery, archive, fetch_study, send_files};
use crate::task::Progress;

/// The worker for archives.
pub(crate) type NetworkHandle = Handle<Network>;

/// Talks with archives; every job makes its own connection.
#[derive(Debug, Default)]
pub(crate) struct Network;

/// What can be asked of an archive. It has no `Debug`: queries name patients.
pub(crate) enum NetworkCommand {
    /// Is it there, and does it let us in?
    Echo(Connection),
    /// Which studies match?
    Find(Connection, StudyQuery),
    /// Bring the images of a study.
    Fetch { connection: Connection, study_instance_uid: String },
    /// Store the results on a study.
    Send(Connection, Box<OpenStudy>),
}

/// Sorts jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkKind {
    /// Asks something.
    Ask,
    /// Brings a study.
    Fetch,
    /// Stores results.
    Send,
}

/// What came of it.
#[derive(Clone)]
pub(crate) enum NetworkEvent {
    /// The job came this far.
    Progressed(Progress),
    /// It stopped because it was asked to, or newer work made it pointless.
    Cancelled,
    /// It could not be done.
    Failed(Arc<JobError>),
    /// The archive answers.
    Echoed,
    /// The studies that match.
    Found(Arc<Vec<ArchivedStudy>>),
    /// The study is here, whole.
    Fetched(Arc<FetchedStudy>),
    /// So many objects were stored.
    Sent(usize),
}

impl From<Notice> for NetworkEvent {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Progressed(progress) => Self::Progressed(progress),
            Notice::Cancelled => Self::Cancelled,
            Notice::Failed(error) => Self::Failed(error),
        }
    }
}

impl Work for Network {
    type Command = NetworkCommand;
    type Kind = NetworkKind;
    type Event = NetworkEvent;

    fn kind(command: &NetworkCommand) -> NetworkKind {
        match command {
            NetworkCommand::Echo(_) | NetworkCommand::Find(..) => NetworkKind::Ask,
            NetworkCommand::Fetch { .. } => NetworkKind::Fetch,
            NetworkCommand::Send(..) => NetworkKind::Send,
        }
    }

    /// Results that are on their way are always stored.
    fn supersedes(newer: NetworkKind, older: NetworkKind) -> bool {
        newer != NetworkKind::Send && older != NetworkKind::Send
    }

    fn run(&mut self, command: NetworkCommand, job: &JobContext<NetworkEvent>) -> Result<NetworkEvent, JobError> {
        let cancel = job.cancel();
        let mut on_progress = |progress| job.progress(progress);
        match command {
            NetworkCommand::Echo(connection) => {
                archive(&connection).and_then(|mut archive| archive.echo(cancel)).map_err(JobError::failed)?;
                Ok(NetworkEvent::Echoed)
            }
            NetworkCommand::Find(connection, query) => {
                on_progress(Progress { step: "Searching", done: 0, total: 0 });
                let mut archive = archive(&connection).map_err(JobError::failed)?;
                let studies = archive.studies(&query, cancel).map_err(JobError::failed)?;
                Ok(NetworkEvent::Found(Arc::new(studies)))
            }
            NetworkCommand::Fetch { connection, study_instance_uid } => {
                let study = fetch_study(&connection, &study_instance_uid, IMAGES, cancel, &mut on_progress);
                Ok(NetworkEvent::Fetched(Arc::new(study.map_err(JobError::failed)?)))
            }
            NetworkCommand::Send(connection, study) => {
                on_progress(Progress { step: "Preparing results", done: 0, total: 0 });
                let study = study.join().map_err(JobError::failed)?;
                let folder = tempfile::tempdir().map_err(JobError::failed)?;
                let files = write_dicom(&study, Utc::now(), folder.path()).map_err(JobError::failed)?;
                send_files(&connection, &files, cancel, &mut on_progress).map_err(JobError::failed)?;
                Ok(NetworkEvent::Sent(files.len()))
            }
        }
    }

    fn reset(&mut self) {}
}
