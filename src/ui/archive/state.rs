//! What the archive pages show and what can be asked for in them.

use std::sync::Arc;

use crate::pacs::{ArchivedStudy, Connection, Secret, StudyQuery};
use crate::task::Progress;

/// The archive pages.
#[derive(Default)]
pub struct ArchiveState {
    /// The page that is open.
    pub page: Option<ArchivePage>,
    /// Configured connections.
    pub connections: Vec<Connection>,
    /// Place of the one in use.
    pub chosen: usize,
    /// What is searched for.
    pub query: StudyQuery,
    /// What was found; `None` before the first search.
    pub studies: Option<Arc<Vec<ArchivedStudy>>>,
    /// Place of the selected study.
    pub selected: Option<usize>,
    /// The connection that is being edited.
    pub draft: Option<ConnectionDraft>,
    /// The job at work.
    pub progress: Option<Progress>,
    /// How the last job ended.
    pub message: Option<ArchiveMessage>,
}

impl ArchiveState {
    /// The connection in use.
    #[must_use]
    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.connections.get(self.chosen)
    }
}

/// Pages of the archive window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchivePage {
    /// Search and open studies.
    Studies,
    /// Store the results of the open study.
    Send,
    /// Add, change and remove connections.
    Connections,
}

/// A connection while it is edited; the secret is not taken out of the old one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionDraft {
    /// Name that it had; `None` for a new one.
    pub replaces: Option<String>,
    /// Its fields, with the old secrets.
    pub connection: Connection,
    /// A new password or token; empty keeps the old one.
    pub secret: Secret,
    /// Whether the secret is a token.
    pub is_token: bool,
}

impl ConnectionDraft {
    /// A draft of an existing connection.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        Self {
            replaces: Some(connection.name.clone()),
            is_token: !connection.token.is_empty(),
            connection: connection.clone(),
            secret: Secret::default(),
        }
    }

    /// The connection as it shall be.
    #[must_use]
    pub(crate) fn finished(&self) -> Connection {
        let mut connection = self.connection.clone();
        connection.name = connection.name.trim().to_owned();
        connection.address = connection.address.trim().to_owned();
        if self.is_token {
            connection.password = Secret::default();
            connection.user.clear();
            if !self.secret.is_empty() {
                connection.token = self.secret.clone();
            }
        } else {
            connection.token = Secret::default();
            if !self.secret.is_empty() {
                connection.password = self.secret.clone();
            }
            if connection.user.is_empty() {
                connection.password = Secret::default();
            }
        }
        connection
    }
}

/// How a job ended, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveMessage {
    /// Whether it worked.
    pub is_good: bool,
    /// What happened and what to do.
    pub text: String,
}

/// What the user asks for on the archive pages.
#[derive(Clone, PartialEq, Eq)]
pub enum ArchiveAction {
    Show(ArchivePage),
    /// Close the pages.
    Close,
    /// Use the connection at this place.
    Choose(usize),
    /// Search for something else.
    Query(StudyQuery),
    /// Ask the archive.
    Search,
    /// Select the study at this place.
    Select(usize),
    /// Fetch and open the selected study.
    Open,
    /// Stop the job.
    Cancel,
    /// Edit a connection; `None` leaves it as it was.
    Edit(Option<Box<ConnectionDraft>>),
    /// Keep the edited connection.
    Keep,
    /// Ask whether the edited connection works.
    Test,
    /// Remove the edited connection.
    Remove,
    /// Store the results of the open study.
    Send,
}

impl std::fmt::Debug for ArchiveAction {
    /// Leaves out what is searched for: it names patients.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArchiveAction")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_stays_unless_it_is_changed() {
        let user = "ann".to_owned();
        let old = Connection { user, password: Secret::new("old"), ..Connection::default() };
        let mut draft = ConnectionDraft::of(&old);
        assert_eq!(draft.finished().password, Secret::new("old"));
        draft.secret = Secret::new("new");
        assert_eq!(draft.finished().password, Secret::new("new"));
        draft.is_token = true;
        let finished = draft.finished();
        assert!(finished.user.is_empty() && finished.password.is_empty() && finished.token == Secret::new("new"));
    }
}
