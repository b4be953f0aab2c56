//! One association: messages out and in, with an end to every wait.

use std::collections::VecDeque;
use std::error::Error as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use dicom_ul::association::client::{ClientAssociation, ClientAssociationOptions, TlsStream};
use dicom_ul::association::{CloseSocket, Error};
use dicom_ul::pdu::{
    AssociationRJ, AssociationRJServiceUserReason, AssociationRJSource, PDataValue, PDataValueType, Pdu,
    PresentationContextNegotiated,
};

use super::message::CommandSet;
use crate::files::PathError;
use crate::pacs::PacsError;
use crate::pacs::connection::{Connection, Peer};
use crate::pacs::secure::Credentials;
use crate::task::CancelToken;

const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for the next message.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a wait looks whether the work was cancelled.
const TURN: Duration = Duration::from_millis(300);
/// Bytes sent between two looks.
const CHUNK: usize = 256 << 10;
/// Largest command set; real ones have a few hundred bytes.
const MAX_COMMAND_BYTES: usize = 64 << 10;
/// Larger pieces than the default spare round trips.
const MAX_PDU_BYTES: u32 = 128 << 10;

/// An association with an archive.
pub(super) struct Association {
    peer: Box<dyn Wire>,
    place: String,
    waiting: VecDeque<PDataValue>,
    messages: u16,
}

/// What plain and secure associations have in common.
trait Wire {
    fn send(&mut self, pdu: &Pdu) -> Result<(), Error>;
    fn receive(&mut self) -> Result<Pdu, Error>;
    fn send_data(&mut self, context: u8, data: &mut dyn Read, cancel: &CancelToken) -> io::Result<()>;
    fn contexts(&self) -> &[PresentationContextNegotiated];
    fn release(self: Box<Self>) -> Result<(), Error>;
}

impl<S: CloseSocket + Read + Write> Wire for ClientAssociation<S> {
    fn send(&mut self, pdu: &Pdu) -> Result<(), Error> {
        ClientAssociation::send(self, pdu)
    }

    fn receive(&mut self) -> Result<Pdu, Error> {
        ClientAssociation::receive(self)
    }

    fn send_data(&mut self, context: u8, data: &mut dyn Read, cancel: &CancelToken) -> io::Result<()> {
        let mut writer = self.send_pdata(context);
        let mut chunk = vec![0; CHUNK];
        let mut copy = || -> io::Result<()> {
            loop {
                if cancel.is_cancelled() {
                    return Err(io::Error::other("cancelled"));
                }
                match data.read(&mut chunk)? {
                    0 => return Ok(()),
                    count => writer.write_all(&chunk[..count])?,
                }
            }
        };
        match copy() {
            Ok(()) => writer.finish(),
            Err(error) => {
                // The rest must not look like the end of the object.
                writer.abandon();
                Err(error)
            }
        }
    }

    fn contexts(&self) -> &[PresentationContextNegotiated] {
        self.presentation_contexts()
    }

    fn release(self: Box<Self>) -> Result<(), Error> {
        ClientAssociation::release(*self)
    }
}

impl Association {
    /// Opens an association; `options` says what is proposed.
    pub(super) fn open(
        connection: &Connection,
        peer: &Peer,
        options: ClientAssociationOptions<'_>,
    ) -> Result<Self, PacsError> {
        let place = connection.name.clone();
        let mut options = options
            .calling_ae_title(connection.calling_title().to_owned())
            .called_ae_title(peer.ae_title.clone())
            .max_pdu_length(MAX_PDU_BYTES)
            .connection_timeout(CONNECT)
            .read_timeout(PATIENCE)
            .write_timeout(PATIENCE);
        if !connection.user.is_empty() {
            options = options.username_password(connection.user.clone(), connection.password.reveal().to_owned());
        }
        let address = (peer.host.as_str(), peer.port);
        let failed = |error: Error| failure(&place, &error);
        let peer: Box<dyn Wire> = if peer.is_secure {
            let config = Credentials::of(connection)?.client(&place)?;
            let options = options.tls_config(config).server_name(&peer.host);
            let mut secure: ClientAssociation<TlsStream> = options.establish_tls(address).map_err(failed)?;
            secure
                .inner_stream()
                .sock
                .set_read_timeout(Some(TURN))
                .map_err(|error| PacsError::of_io(&place, &error))?;
            Box::new(secure)
        } else {
            let mut plain: ClientAssociation<TcpStream> = options.establish(address).map_err(failed)?;
            plain.inner_stream().set_read_timeout(Some(TURN)).map_err(|error| PacsError::of_io(&place, &error))?;
            Box::new(plain)
        };
        Ok(Self { peer, place, waiting: VecDeque::new(), messages: 0 })
    }

    /// The accepted contexts.
    pub(crate) fn contexts(&self) -> &[PresentationContextNegotiated] {
        self.peer.contexts()
    }

    /// The first accepted context of an abstract syntax.
    pub(super) fn context(&self, abstract_syntax: &str) -> Result<(u8, String), PacsError> {
        let found = self.contexts().iter().find(|context| context.abstract_syntax == abstract_syntax);
        let found = found.map(|context| (context.id, uid(&context.transfer_syntax)));
        found.ok_or_else(|| self.rejected("it does not offer this service"))
    }

    /// The transfer syntax of an accepted context.
    pub(super) fn transfer_syntax(&self, context: u8) -> Option<String> {
        self.contexts().iter().find(|other| other.id == context).map(|other| uid(&other.transfer_syntax))
    }

    /// A number for the next request.
    pub(crate) fn next_message(&mut self) -> u16 {
        self.messages = self.messages.wrapping_add(1);
        self.messages
    }

    pub(super) fn send(&mut self, context: u8, command: &CommandSet) -> Result<(), PacsError> {
        let value = PDataValue {
            presentation_context_id: context,
            value_type: PDataValueType::Command,
            is_last: true,
            data: command.bytes(),
        };
        self.peer.send(&Pdu::PData { data: vec![value] }).map_err(|error| failure(&self.place, &error))
    }

    /// Sends the data set of the command sent last.
    pub(crate) fn send_data(
        &mut self,
        context: u8,
        data: &mut dyn Read,
        cancel: &CancelToken,
    ) -> Result<(), PacsError> {
        self.peer.send_data(context, data, cancel).map_err(|error| {
            cancel.check().err().map_or_else(|| PacsError::of_io(&self.place, &error), PacsError::from)
        })
    }

    /// The next command and its context.
    pub(crate) fn receive(&mut self, cancel: &CancelToken) -> Result<(u8, CommandSet), PacsError> {
        let mut bytes = Vec::new();
        loop {
            let value = self.next_value(cancel)?;
            if value.value_type != PDataValueType::Command {
                return Err(self.answer("a data set without a command"));
            }
            bytes.extend(&value.data);
            if bytes.len() > MAX_COMMAND_BYTES {
                return Err(self.answer("a command that does not end"));
            }
            if value.is_last {
                let command = CommandSet::parse(&bytes).ok_or_else(|| self.answer("a command that is none"))?;
                return Ok((value.presentation_context_id, command));
            }
        }
    }

    /// Writes the data set of the command received last to `out`.
    pub(crate) fn receive_data(&mut self, cancel: &CancelToken, out: &mut dyn Write) -> Result<(), PacsError> {
        loop {
            let value = self.next_value(cancel)?;
            if value.value_type != PDataValueType::Data {
                return Err(self.answer("a command in the middle of a data set"));
            }
            out.write_all(&value.data).map_err(PathError::at("received object"))?;
            if value.is_last {
                return Ok(());
            }
        }
    }

    /// The data set of the command received last, of at most `limit` bytes.
    pub(crate) fn receive_small(&mut self, cancel: &CancelToken, limit: usize) -> Result<Vec<u8>, PacsError> {
        let mut bytes = Small { bytes: Vec::new(), limit };
        self.receive_data(cancel, &mut bytes).map_err(|error| match error {
            PacsError::File(_) => PacsError::TooMuch { place: self.place.clone(), limit: limit as u64, of: "bytes" },
            other => other,
        })?;
        Ok(bytes.bytes)
    }

    fn next_value(&mut self, cancel: &CancelToken) -> Result<PDataValue, PacsError> {
        let begun = Instant::now();
        loop {
            if let Some(value) = self.waiting.pop_front() {
                return Ok(value);
            }
            cancel.check()?;
            match self.peer.receive() {
                Ok(Pdu::PData { data }) => self.waiting.extend(data),
                Ok(Pdu::AbortRQ { .. }) => {
                    return Err(PacsError::Lost { place: self.place.clone(), reason: "it aborted".to_owned() });
                }
                Ok(_) => return Err(self.answer("an end of the association in the middle")),
                Err(error) if is_timeout(&error) && begun.elapsed() < PATIENCE => {}
                Err(error) => return Err(failure(&self.place, &error)),
            }
        }
    }

    /// Ends the association; what was done is done, so an archive that does not answer is not an error.
    pub(crate) fn release(self) {
        if self.peer.release().is_err() {
            tracing::debug!(connection = self.place, "the association was not released properly");
        }
    }

    pub(crate) fn rejected(&self, reason: &str) -> PacsError {
        PacsError::Rejected { place: self.place.clone(), reason: reason.to_owned() }
    }

    pub(super) fn answer(&self, reason: &str) -> PacsError {
        PacsError::Answer { place: self.place.clone(), reason: reason.to_owned() }
    }
}

struct Small {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other("too large"));
        }
        self.bytes.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn uid(text: &str) -> String {
    text.trim_end_matches(['\0', ' ']).to_owned()
}

/// The system's error somewhere below.
fn io_error(error: &Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref::<io::Error>() {
            return Some(found);
        }
        source = cause.source();
    }
    None
}

fn is_timeout(error: &Error) -> bool {
    io_error(error).is_some_and(|error| matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock))
}

/// An error of the protocol in words; those of dicom-rs print whole PDUs, which may name patients.
fn failure(place: &str, error: &Error) -> PacsError {
    let owned = place.to_owned();
    match error {
        Error::Rejected { association_rj: AssociationRJ { source, .. }, .. } => match source {
            AssociationRJSource::ServiceUser(
                reason @ (AssociationRJServiceUserReason::CallingAETitleNotRecognized
                | AssociationRJServiceUserReason::CalledAETitleNotRecognized),
            ) => PacsError::Unauthorized { place: owned, reason: reason.to_string() },
            source => PacsError::Rejected { place: owned, reason: source.to_string() },
        },
        Error::NoAcceptedPresentationContexts { .. } => PacsError::NotOffered { place: owned },
        Error::ConnectionClosed { .. } => {
            PacsError::Lost { place: owned, reason: "it closed the connection".to_owned() }
        }
        Error::TlsNotSupported => {
            PacsError::Tls { place: owned, reason: "it wants TLS; begin the address with dicoms://".to_owned() }
        }
        Error::TlsConnection { source, .. } => PacsError::Tls { place: owned, reason: source.to_string() },
        Error::TlsHandshake { source, .. } => PacsError::Tls { place: owned, reason: source.to_string() },
        Error::InvalidServerName { .. } => {
            PacsError::Tls { place: owned, reason: "the name of the server cannot be checked".to_owned() }
        }
        Error::ToAddress { source, .. } => PacsError::Unreachable { place: owned, reason: source.to_string() },
        Error::UnexpectedPdu { .. } | Error::UnknownPdu { .. } => {
            PacsError::Answer { place: owned, reason: "an unexpected message".to_owned() }
        }
        other => match io_error(other) {
            Some(error) => PacsError::of_io(place, error),
            None => PacsError::Answer { place: owned, reason: "a message that is not DICOM".to_owned() },
        },
    }
}
