//! DIMSE (PS3.4, PS3.7): C-ECHO, C-FIND and C-GET at the study root, C-STORE.
//!
//! C-GET brings images on the association that asked for them; C-MOVE would need a port of this machine open to the
//! archive, and this program registered there.

mod association;
mod contexts;
mod message;

use std::fs::File;
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject, open_file};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use dicom_ul::association::client::ClientAssociationOptions;

use association::Association;
use contexts::{GET, PLAIN, proposals, retrieval};
use message::{C_ECHO, C_FIND, C_GET, C_STORE, CANNOT_UNDERSTAND, CommandSet, RESPONSE, SUCCESS};

use super::Archive;
use super::account::Account;
use super::connection::{Connection, Peer};
use super::error::PacsError;
use super::inbox::Inbox;
use super::study::{ArchivedSeries, ArchivedStudy, StudyQuery, sort_studies};
use crate::dicom::{ObjectIdentity, read_message};
use crate::files::PathError;
use crate::task::{CancelToken, Progress};

const FIND: &str = uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND;
/// Largest entry of a list.
const MAX_ENTRY_BYTES: usize = 1 << 20;
const STUDY_KEYS: [(Tag, VR); 12] = [
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::MODALITIES_IN_STUDY, VR::CS),
    (tags::STUDY_DESCRIPTION, VR::LO),
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::STUDY_INSTANCE_UID, VR::UI),
    (tags::STUDY_ID, VR::SH),
    (tags::NUMBER_OF_STUDY_RELATED_SERIES, VR::IS),
    (tags::NUMBER_OF_STUDY_RELATED_INSTANCES, VR::IS),
];
const SERIES_KEYS: [(Tag, VR); 5] = [
    (tags::MODALITY, VR::CS),
    (tags::SERIES_DESCRIPTION, VR::LO),
    (tags::SERIES_INSTANCE_UID, VR::UI),
    (tags::SERIES_NUMBER, VR::IS),
    (tags::NUMBER_OF_SERIES_RELATED_INSTANCES, VR::IS),
];

/// A DIMSE archive; every request has an association of its own.
pub(super) struct DimseArchive {
    connection: Connection,
    peer: Peer,
}

impl DimseArchive {
    pub(super) fn new(connection: &Connection, peer: Peer) -> Result<Self, PacsError> {
        connection.check()?;
        Ok(Self { connection: connection.clone(), peer })
    }

    fn open(&self, options: ClientAssociationOptions<'_>) -> Result<Association, PacsError> {
        Association::open(&self.connection, &self.peer, options)
    }

    /// Asks with C-FIND; `on_entry` says whether to go on.
    fn find(
        &self,
        identifier: &InMemDicomObject,
        cancel: &CancelToken,
        on_entry: &mut dyn FnMut(InMemDicomObject) -> bool,
    ) -> Result<(), PacsError> {
        let mut association =
            self.open(ClientAssociationOptions::new().with_presentation_context(FIND, PLAIN.to_vec()))?;
        let (context, syntax) = association.context(FIND)?;
        let message = association.next_message();
        association.send(context, &CommandSet::request(C_FIND, FIND, message, true))?;
        let bytes = encoded(identifier, &syntax).map_err(|reason| association.answer(&reason))?;
        association.send_data(context, &mut Cursor::new(bytes), cancel)?;
        loop {
            let (_, response) = association.receive(cancel)?;
            if response.kind() != C_FIND | RESPONSE {
                return Err(association.answer("an answer to another question"));
            }
            if response.is_pending() {
                let bytes = association.receive_small(cancel, MAX_ENTRY_BYTES)?;
                let entry = read_message(bytes, syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN)
                    .map_err(|error| association.answer(&format!("an entry that is no data set ({error})")))?;
                if !on_entry(entry) {
                    // Closing without a release ends the search on the other side, too.
                    return Ok(());
                }
            } else if response.is_success() {
                association.release();
                return Ok(());
            } else {
                return Err(association.rejected(&response.failure()));
            }
        }
    }

    /// Receives the objects that a C-GET request asked for.
    fn take_in(
        &self,
        association: &mut Association,
        inbox: &mut Inbox<'_>,
        cancel: &CancelToken,
    ) -> Result<(), PacsError> {
        loop {
            let (context, command) = association.receive(cancel)?;
            match command.kind() {
                C_STORE => {
                    let syntax = association
                        .transfer_syntax(context)
                        .ok_or_else(|| association.answer("an object in a way that was not agreed on"))?;
                    let taken = inbox.take(|out| {
                        write_head(&command, &syntax, &self.connection.name, out)?;
                        association.receive_data(cancel, out)
                    });
                    let status = if taken.is_ok() { SUCCESS } else { CANNOT_UNDERSTAND };
                    if taken.is_err() && cancel.is_cancelled() {
                        return taken;
                    }
                    association.send(context, &CommandSet::stored(&command, status))?;
                    taken?;
                }
                kind if kind == C_GET | RESPONSE => {
                    if command.is_pending() {
                        continue;
                    }
                    // Final answers may list what failed; that it did is enough here.
                    if command.has_data() {
                        association.receive_small(cancel, MAX_ENTRY_BYTES)?;
                    }
                    let failed = command.number(tags::NUMBER_OF_FAILED_SUBOPERATIONS).unwrap_or_default();
                    if command.status() == SUCCESS && failed == 0 {
                        return Ok(());
                    }
                    let reason = format!("{}, {failed} objects did not come", command.failure());
                    return Err(association.rejected(&reason));
                }
                _ => return Err(association.answer("an answer to another question")),
            }
        }
    }
}

impl Archive for DimseArchive {
    fn echo(&mut self, cancel: &CancelToken) -> Result<(), PacsError> {
        let mut association = self.open(ClientAssociationOptions::new().with_abstract_syntax(uids::VERIFICATION))?;
        let (context, _) = association.context(uids::VERIFICATION)?;
        let message = association.next_message();
        association.send(context, &CommandSet::request(C_ECHO, uids::VERIFICATION, message, false))?;
        let (_, response) = association.receive(cancel)?;
        if !response.is_success() {
            return Err(association.rejected(&response.failure()));
        }
        association.release();
        Ok(())
    }

    fn studies(&mut self, query: &StudyQuery, cancel: &CancelToken) -> Result<Vec<ArchivedStudy>, PacsError> {
        let mut identifier = keys("STUDY", &STUDY_KEYS);
        for (keyword, value) in query.matches() {
            let (tag, vr) = match keyword {
                "PatientName" => (tags::PATIENT_NAME, VR::PN),
                "PatientID" => (tags::PATIENT_ID, VR::LO),
                "StudyDate" => (tags::STUDY_DATE, VR::DA),
                "AccessionNumber" => (tags::ACCESSION_NUMBER, VR::SH),
                "StudyInstanceUID" => (tags::STUDY_INSTANCE_UID, VR::UI),
                _ => (tags::MODALITIES_IN_STUDY, VR::CS),
            };
            identifier.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        }
        let mut studies = Vec::new();
        self.find(&identifier, cancel, &mut |entry| {
            studies.push(study(&entry));
            studies.len() < query.limit
        })?;
        sort_studies(&mut studies);
        Ok(studies)
    }

    fn series(&mut self, study_instance_uid: &str, cancel: &CancelToken) -> Result<Vec<ArchivedSeries>, PacsError> {
        let mut identifier = keys("SERIES", &SERIES_KEYS);
        put(&mut identifier, tags::STUDY_INSTANCE_UID, VR::UI, study_instance_uid);
        let mut series = Vec::new();
        self.find(&identifier, cancel, &mut |entry| {
            series.push(ArchivedSeries {
                series_instance_uid: word(&entry, tags::SERIES_INSTANCE_UID),
                modality: word(&entry, tags::MODALITY),
                description: word(&entry, tags::SERIES_DESCRIPTION),
                objects: word(&entry, tags::NUMBER_OF_SERIES_RELATED_INSTANCES).parse().ok(),
            });
            true
        })?;
        Ok(series)
    }

    fn fetch_series(
        &mut self,
        study_instance_uid: &str,
        series_instance_uid: &str,
        inbox: &mut Inbox<'_>,
        cancel: &CancelToken,
    ) -> Result<(), PacsError> {
        let mut association = self.open(retrieval())?;
        let (context, syntax) = association.context(GET)?;
        let mut identifier = keys("SERIES", &[]);
        put(&mut identifier, tags::STUDY_INSTANCE_UID, VR::UI, study_instance_uid);
        put(&mut identifier, tags::SERIES_INSTANCE_UID, VR::UI, series_instance_uid);
        let message = association.next_message();
        association.send(context, &CommandSet::request(C_GET, GET, message, true))?;
        let bytes = encoded(&identifier, &syntax).map_err(|reason| association.answer(&reason))?;
        association.send_data(context, &mut Cursor::new(bytes), cancel)?;
        self.take_in(&mut association, inbox, cancel)?;
        association.release();
        Ok(())
    }

    fn store(
        &mut self,
        files: &[PathBuf],
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), PacsError> {
        let place = self.connection.name.clone();
        let mut account = Account::new(&place, files.len());
        let mut objects = Vec::with_capacity(files.len());
        for path in files {
            cancel.check()?;
            match ObjectIdentity::read(path) {
                Ok(identity) => objects.push((path, identity)),
                Err(reason) => account.note(path, "", Err(PacsError::Object { reason, path: path.clone() }))?,
            }
        }
        let mut rest = objects.as_slice();
        let mut last_broke_off = false;
        while !rest.is_empty() {
            let (options, count) = proposals(rest);
            let mut association = match self.open(options) {
                Ok(association) => association,
                Err(PacsError::NotOffered { .. }) => {
                    for (path, identity) in &rest[..count] {
                        let refused = Err(PacsError::NotOffered { place: place.clone() });
                        account.note(path, &identity.sop_class_uid, refused)?;
                    }
                    rest = &rest[count..];
                    continue;
                }
                Err(error) => return Err(account.stopped(error)),
            };
            let mut is_open = true;
            for (path, identity) in &rest[..count] {
                cancel.check()?;
                on_progress(Progress { step: "Sending", done: account.tried(), total: files.len() });
                rest = &rest[1..];
                match store_one(&mut association, path, identity, cancel) {
                    // Some archives hang up on an object that they do not like; others may follow on another association.
                    Err(PacsError::Lost { reason, .. }) if !last_broke_off => {
                        account.refuse(path, &identity.sop_class_uid, reason);
                        (last_broke_off, is_open) = (true, false);
                        break;
                    }
                    outcome => account.note(path, &identity.sop_class_uid, outcome)?,
                }
                last_broke_off = false;
            }
            if is_open {
                association.release();
            }
        }
        on_progress(Progress { step: "Sending", done: account.tried(), total: files.len() });
        account.close()
    }
}

fn store_one(
    association: &mut Association,
    path: &Path,
    identity: &ObjectIdentity,
    cancel: &CancelToken,
) -> Result<(), PacsError> {
    let fits = |syntax: &str| syntax == identity.transfer_syntax_uid || (identity.is_native && PLAIN.contains(&syntax));
    let trimmed = |text: &str| text.trim_end_matches(['\0', ' ']).to_owned();
    let of_class = association.contexts().iter().filter(|context| context.abstract_syntax == identity.sop_class_uid);
    let context =
        of_class.map(|context| (context.id, trimmed(&context.transfer_syntax))).find(|(_, syntax)| fits(syntax));
    let (context, syntax) = context.ok_or_else(|| association.rejected("it does not take objects of this class"))?;
    let message = association.next_message();
    let request = CommandSet::request(C_STORE, &identity.sop_class_uid, message, true);
    association.send(context, &request.with_instance(&identity.sop_instance_uid))?;
    if syntax == identity.transfer_syntax_uid {
        let mut file = File::open(path).map_err(PathError::at(path))?;
        file.seek(SeekFrom::Start(identity.data_set_start)).map_err(PathError::at(path))?;
        association.send_data(context, &mut file, cancel)?;
    } else {
        let object = open_file(path).map_err(|error| association.answer(&error.to_string()))?;
        let bytes = encoded(&object, &syntax).map_err(|reason| association.answer(&reason))?;
        association.send_data(context, &mut Cursor::new(bytes), cancel)?;
    }
    let (_, response) = association.receive(cancel)?;
    if response.kind() != C_STORE | RESPONSE {
        return Err(association.answer("an answer to another question"));
    }
    if response.is_success() { Ok(()) } else { Err(association.rejected(&response.failure())) }
}

/// Preamble and file meta information of a received object.
fn write_head(command: &CommandSet, syntax: &str, place: &str, out: &mut dyn Write) -> Result<(), PacsError> {
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(syntax)
        .media_storage_sop_class_uid(command.text(tags::AFFECTED_SOP_CLASS_UID))
        .media_storage_sop_instance_uid(command.text(tags::AFFECTED_SOP_INSTANCE_UID))
        .build()
        .map_err(|error| PacsError::Answer { place: place.to_owned(), reason: error.to_string() })?;
    let mut head = vec![0; 128];
    head.extend(b"DICM");
    meta.write(&mut head).map_err(|error| PacsError::Answer { place: place.to_owned(), reason: error.to_string() })?;
    Ok(out.write_all(&head).map_err(PathError::at("received object"))?)
}

/// An identifier that asks for `wanted`.
fn keys(level: &str, wanted: &[(Tag, VR)]) -> InMemDicomObject {
    let mut identifier = InMemDicomObject::new_empty();
    put(&mut identifier, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    put(&mut identifier, tags::QUERY_RETRIEVE_LEVEL, VR::CS, level);
    for (tag, vr) in wanted {
        put(&mut identifier, *tag, *vr, "");
    }
    identifier
}

fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

fn encoded(object: &InMemDicomObject, syntax: &str) -> Result<Vec<u8>, String> {
    let syntax = TransferSyntaxRegistry.get(syntax).ok_or("a transfer syntax that is not known")?;
    let mut bytes = Vec::new();
    object.write_dataset_with_ts(&mut bytes, syntax).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn word(entry: &InMemDicomObject, tag: Tag) -> String {
    let text = entry.get(tag).and_then(|element| element.to_str().ok()).unwrap_or_default();
    text.trim_matches(['\0', ' ']).to_owned()
}

fn study(entry: &InMemDicomObject) -> ArchivedStudy {
    let text = |tag| word(entry, tag);
    ArchivedStudy {
        study_instance_uid: text(tags::STUDY_INSTANCE_UID),
        patient_name: text(tags::PATIENT_NAME),
        patient_id: text(tags::PATIENT_ID),
        patient_birth_date: text(tags::PATIENT_BIRTH_DATE),
        study_date: text(tags::STUDY_DATE),
        study_time: text(tags::STUDY_TIME),
        description: text(tags::STUDY_DESCRIPTION),
        accession_number: text(tags::ACCESSION_NUMBER),
        modalities: text(tags::MODALITIES_IN_STUDY)
            .split('\\')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
        series: text(tags::NUMBER_OF_STUDY_RELATED_SERIES).parse().ok(),
        objects: text(tags::NUMBER_OF_STUDY_RELATED_INSTANCES).parse().ok(),
    }
}
