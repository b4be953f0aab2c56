//! Oddities of a series that do not stop it from being read.

use serde::{Deserialize, Serialize};

/// Something a reader should know about a series; shown beside the image and written into the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesWarning {
    /// Stable `snake_case` name, for programs.
    pub code: String,
    /// What was found, in words and numbers, for people; holds no patient data.
    pub message: String,
}

impl SeriesWarning {
    /// Joins a code and its message.
    #[must_use]
    pub(crate) fn new(code: WarningCode, message: impl Into<String>) -> Self {
        Self { code: code.as_str().to_owned(), message: message.into() }
    }

    /// Whether this is the warning `code`.
    #[must_use]
    pub(crate) fn is(&self, code: WarningCode) -> bool {
        self.code == code.as_str()
    }
}

/// The oddities that reading can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WarningCode {
    /// Distances between adjacent slices differ.
    UnevenSliceSpacing,
    /// A gap is a multiple of the usual one.
    MissingSlices,
    /// Several images lie at one position; the first is kept.
    DuplicatePositions,
    /// The stack is sheared: positions do not follow the slice normal.
    ShearedStack,
    /// The series was split by orientation, matrix, pixel spacing, echo or repetition.
    MixedSeriesSplit,
    /// Every image had a series UID of its own; they were put together.
    SeriesRejoined,
    /// No image position; slices are placed by instance number.
    MissingPosition,
    /// No image orientation; the plane is unknown.
    MissingOrientation,
    /// No pixel spacing; 1 mm is assumed.
    MissingPixelSpacing,
    /// Pixel spacing is far from that of any scan of a patient.
    ImplausiblePixelSpacing,
    /// Orientation vectors were not quite orthogonal unit vectors and were corrected.
    OrientationCorrected,
    /// The pixels went through lossy compression.
    LossyCompression,
    /// The two values of pixel spacing differ.
    AnisotropicPixels,
    /// The source does not tell the contrast.
    ContrastNotKnown,
    /// The header names no modality.
    AssumedModality,
    /// The image shows something else than the header says.
    HeaderContradicted,
    /// Another series is nearly as good as the one that was chosen.
    CloseChoice,
    /// Files of the folder could not be used.
    RefusedFiles,
    /// ZIP files lie in the folder.
    PackedFiles,
    /// The folder holds research files and no images.
    ResearchFiles,
    /// The folder has more files, or is deeper, than is searched.
    FolderNotSearchedFully,
}

impl WarningCode {
    /// The code as written in reports.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::UnevenSliceSpacing => "uneven_slice_spacing",
            Self::MissingSlices => "missing_slices",
            Self::DuplicatePositions => "duplicate_positions",
            Self::ShearedStack => "sheared_stack",
            Self::MixedSeriesSplit => "mixed_series_split",
            Self::SeriesRejoined => "series_rejoined",
            Self::MissingPosition => "missing_position",
            Self::MissingOrientation => "missing_orientation",
            Self::MissingPixelSpacing => "missing_pixel_spacing",
            Self::ImplausiblePixelSpacing => "implausible_pixel_spacing",
            Self::OrientationCorrected => "orientation_corrected",
            Self::LossyCompression => "lossy_compression",
            Self::AnisotropicPixels => "anisotropic_pixels",
            Self::ContrastNotKnown => "contrast_not_known",
            Self::AssumedModality => "assumed_modality",
            Self::HeaderContradicted => "header_contradicted",
            Self::CloseChoice => "close_choice",
            Self::RefusedFiles => "refused_files",
            Self::PackedFiles => "packed_files",
            Self::ResearchFiles => "research_files",
            Self::FolderNotSearchedFully => "folder_not_searched_fully",
        }
    }
}
