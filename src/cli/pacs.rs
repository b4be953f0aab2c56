//! `spinenet pacs`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::Outcome;
use super::console::{Console, complain};
use super::grade_table::aligned;
use crate::dicom::readable_name;
use crate::pacs::{
    ArchivedStudy, Connection, Connections, IMAGES, Secret, StudyQuery, archive, fetch_study_into, is_date_range,
    send_files,
};
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet pacs`.
#[derive(Debug, Args)]
pub(crate) struct PacsArguments {
    #[command(subcommand)]
    command: PacsCommand,
}

#[derive(Debug, Subcommand)]
enum PacsCommand {
    /// List the configured connections; contacts nobody.
    List,
    /// Add a connection, or change the one of this name.
    Add(AddArguments),
    /// Remove a connection.
    Remove {
        /// Name of the connection.
        name: String,
    },
    /// Ask whether an archive is there and lets us in.
    Echo {
        /// Name of the connection.
        name: String,
    },
    /// Find studies.
    Find(FindArguments),
    /// Fetch a study into a folder.
    Get(GetArguments),
    /// Store DICOM objects, such as results.
    Send {
        /// Name of the connection.
        name: String,
        /// Files, or folders with files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct AddArguments {
    /// Name of the connection.
    name: String,
    /// <https://server/dicom-web> (DICOMweb) or <dicom://TITLE@server:104> (DIMSE); dicoms:// is DIMSE through TLS.
    address: String,
    /// User name.
    #[arg(long, default_value = "")]
    user: String,
    /// File with the password; - reads it from standard input. Arguments would be seen by other users.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// File with a bearer token (DICOMweb); - reads it from standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    token_file: Option<PathBuf>,
    /// AE title that we call ourselves (DIMSE); SPINENET if left out.
    #[arg(long, value_name = "TITLE", default_value = "")]
    calling_ae_title: String,
    /// PEM file with the certificates to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// PEM file with our own certificate, where the archive asks for one.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    certificate_file: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct FindArguments {
    /// Name of the connection.
    name: String,
    /// Part of the patient's name.
    #[arg(long, value_name = "TEXT", default_value = "")]
    patient_name: String,
    /// Patient id.
    #[arg(long, value_name = "ID", default_value = "")]
    patient_id: String,
    /// Study date YYYYMMDD, or a range YYYYMMDD-YYYYMMDD.
    #[arg(long, value_name = "DATE", default_value = "", value_parser = date)]
    date: String,
    /// Accession number.
    #[arg(long, value_name = "NUMBER", default_value = "")]
    accession: String,
    /// Modality that the study must have; "any" for all.
    #[arg(long, default_value = "MR")]
    modality: String,
    /// Most studies.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// Print JSON, one study a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct GetArguments {
    /// Name of the connection.
    name: String,
    /// Study instance UID, as `find` prints it.
    study: String,
    /// Folder for the study; must not be there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Fetch results and other objects too, not only images.
    #[arg(long)]
    all: bool,
}

fn date(text: &str) -> Result<String, String> {
    let fits = text.is_empty() || is_date_range(text);
    fits.then(|| text.to_owned()).ok_or_else(|| "write YYYYMMDD or YYYYMMDD-YYYYMMDD".to_owned())
}

/// File of the connections of this user.
fn connections_file() -> anyhow::Result<PathBuf> {
    Connections::file().context("no folder for this user's data was found (set HOME)")
}

/// A configured connection; says once on stderr if the way to it is open.
pub(super) fn connection(name: &str) -> anyhow::Result<Connection> {
    let connection = Connections::read(&connections_file()?)?.named(name)?.clone();
    if let Some(warning) = connection.warning() {
        complain(&format!("warning: the connection \"{name}\" is {warning}"));
    }
    Ok(connection)
}

/// Runs `spinenet pacs`.
pub(super) fn run(arguments: &PacsArguments, console: Console) -> anyhow::Result<Outcome> {
    let cancel = CancelToken::default();
    let line = console.progress("");
    let mut show = |progress: Progress| line.show(progress);
    match &arguments.command {
        PacsCommand::List => list(console)?,
        PacsCommand::Add(add) => console.say(&format!("added: {}", put(add)?)),
        PacsCommand::Remove { name } => remove(name)?,
        PacsCommand::Echo { name } => {
            archive(&connection(name)?)?.echo(&cancel)?;
            console.say(&format!("{name} answers"));
        }
        PacsCommand::Find(find) => {
            let studies = archive(&connection(&find.name)?)?.studies(&query(find), &cancel)?;
            drop(line);
            for text in if find.json { json_lines(&studies)? } else { study_table(&studies) } {
                console.say(&text);
            }
        }
        PacsCommand::Get(get) => {
            let modalities = if get.all { &[] } else { IMAGES };
            let connection = connection(&get.name)?;
            let objects = fetch_study_into(&get.out, &connection, &get.study, modalities, &cancel, &mut show)?;
            drop(line);
            console.say(&format!("{objects} objects in {}", get.out.display()));
        }
        PacsCommand::Send { name, files } => {
            let files = objects(files)?;
            send_files(&connection(name)?, &files, &cancel, &mut show)?;
            drop(line);
            console.say(&format!("{} objects stored", files.len()));
        }
    }
    Ok(Outcome::Done)
}

fn list(console: Console) -> anyhow::Result<()> {
    let connections = Connections::read(&connections_file()?)?;
    let mut rows = vec![["Name", "Address", "Log-in", "Note"].map(str::to_owned).to_vec()];
    rows.extend(connections.list.iter().map(|connection| {
        let log_in = match (connection.user.is_empty(), connection.token.is_empty()) {
            (false, _) => format!("user {}", connection.user),
            (_, false) => "token".to_owned(),
            _ => "none".to_owned(),
        };
        let note = connection.warning().unwrap_or_default().to_owned();
        vec![connection.name.clone(), connection.address.clone(), log_in, note]
    }));
    if connections.list.is_empty() {
        console.say("No connection is configured; `spinenet pacs add` adds one.");
    } else {
        for row in aligned(&rows) {
            console.say(&row);
        }
    }
    Ok(())
}

fn put(add: &AddArguments) -> anyhow::Result<String> {
    let secret = |file: &Option<PathBuf>| file.as_deref().map_or(Ok(Secret::default()), read_secret);
    let connection = Connection {
        name: add.name.clone(),
        address: add.address.clone(),
        user: add.user.clone(),
        password: secret(&add.password_file)?,
        token: secret(&add.token_file)?,
        calling_ae_title: add.calling_ae_title.clone(),
        ca_file: absolute(add.ca_file.as_deref())?,
        certificate_file: absolute(add.certificate_file.as_deref())?,
        key_file: absolute(add.key_file.as_deref())?,
    };
    connection.check()?;
    let file = connections_file()?;
    let mut connections = Connections::read(&file)?;
    connections.put(connection);
    connections.save(&file)?;
    Ok(add.name.clone())
}

/// The connection is used from any folder.
fn absolute(file: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    let found = file.map(|file| fs::canonicalize(file).with_context(|| format!("cannot read: {}", file.display())));
    found.transpose()
}

fn read_secret(file: &Path) -> anyhow::Result<Secret> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        text = fs::read_to_string(file).with_context(|| format!("cannot read: {}", file.display()))?;
    }
    let text = text.trim_end_matches(['\n', '\r']);
    anyhow::ensure!(!text.is_empty(), "the file with the secret is empty: {}", file.display());
    Ok(Secret::new(text))
}

fn remove(name: &str) -> anyhow::Result<()> {
    let file = connections_file()?;
    let mut connections = Connections::read(&file)?;
    connections.named(name)?;
    connections.list.retain(|connection| connection.name != name);
    Ok(connections.save(&file)?)
}

fn query(find: &FindArguments) -> StudyQuery {
    StudyQuery {
        patient_name: find.patient_name.clone(),
        patient_id: find.patient_id.clone(),
        study_date: find.date.clone(),
        accession_number: find.accession.clone(),
        study_instance_uid: String::new(),
        modality: if find.modality == "any" { String::new() } else { find.modality.clone() },
        limit: usize::from(find.limit),
    }
}

fn study_table(studies: &[ArchivedStudy]) -> Vec<String> {
    if studies.is_empty() {
        return vec!["No study matches.".to_owned()];
    }
    let head = ["Date", "Patient", "Id", "Modalities", "Objects", "Description", "Study instance UID"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(studies.iter().map(|study| {
        vec![
            study.study_date.clone(),
            readable_name(&study.patient_name),
            study.patient_id.clone(),
            study.modalities.join(" "),
            study.objects.map(|objects| objects.to_string()).unwrap_or_default(),
            study.description.clone(),
            study.study_instance_uid.clone(),
        ]
    }));
    aligned(&rows)
}

fn json_lines(studies: &[ArchivedStudy]) -> anyhow::Result<Vec<String>> {
    studies.iter().map(|study| Ok(serde_json::to_string(study)?)).collect()
}

/// The files named, and those of the folders named, in order.
fn objects(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = fs::read_dir(path).with_context(|| format!("cannot read: {}", path.display()))?;
            let mut found: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
            found.retain(|path| path.is_file());
            found.sort();
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    if files.is_empty() {
        bail!("there is nothing to send");
    }
    Ok(files)
}
