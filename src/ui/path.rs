//! Paths that are asked for, in the dialog of the system or, where it has none, in a field.

use super::language::tr;

/// What a path is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathPurpose {
    /// A folder to open.
    OpenStudy,
    /// A folder to add to the open study.
    AddStudy,
    /// A NIfTI or MetaImage file to open.
    OpenFile,
    /// A file to write the report to.
    SaveReport,
    /// A folder to write the figures of the selection into.
    SaveFigures,
    /// A file to write the image to.
    SaveImage,
    /// An empty folder for a copy without identity.
    SaveCopy,
}

impl PathPurpose {
    /// Title of the dialog.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::OpenStudy => tr!("Open the folder of a study"),
            Self::AddStudy => tr!("Add the folder of another study"),
            Self::OpenFile => tr!("Open a volume"),
            Self::SaveReport => tr!("Save the report"),
            Self::SaveFigures => tr!("Folder for the figures"),
            Self::SaveImage => tr!("Save the image"),
            Self::SaveCopy => tr!("Choose an empty folder for the copy without identity"),
        }
    }

    /// What a path may look like.
    #[must_use]
    pub fn example(self) -> &'static str {
        match self {
            Self::OpenStudy | Self::AddStudy => tr!("/path/to/study"),
            Self::OpenFile => tr!("/path/to/scan.nii.gz (or .mha)"),
            Self::SaveReport => tr!("/path/to/report.pdf (or .json, .csv, .parquet)"),
            Self::SaveFigures => tr!("/path/to/figures"),
            Self::SaveImage => tr!("/path/to/image.png"),
            Self::SaveCopy => tr!("/path/to/an/empty/folder"),
        }
    }
}

/// A path that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathEntry {
    /// What for.
    pub purpose: PathPurpose,
    /// What is typed so far.
    pub text: String,
}
