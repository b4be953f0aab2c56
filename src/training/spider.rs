//! The SPIDER data set as prepared for this project: mid-sagittal slices and T2 SPACE stacks with corner landmarks and
//! radiological grades.
//!
//! van der Graaf et al., Sci Data 11, 264 (2024), doi:10.1038/s41597-024-03090-w, CC BY 4.0. Images run from anterior
//! (left) to posterior and from superior (top) to inferior; which side the slices of a stack start from is not told.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use glam::{DVec2, DVec3};
use serde::Deserialize;
use thiserror::Error;

use super::canal::{canal_width_mm, stenosis_label};
use super::labels::{ClassSet, DiscLabels};
use crate::spine::{
    Corners, Disc, DiscLevel, Grading, SliceBox, Vertebra, VertebraLabel, VertebraOutline, discs_between,
};
use crate::volume::{GeometryError, Volume, VolumeGeometry};

/// How weights trained on the data set must cite it, with what was changed.
pub(crate) const ATTRIBUTION: &str = "SPIDER: van der Graaf J.W., van Hooff M.L., Buckens C.F.M., et al., \"Lumbar spine segmentation in \
    MR images: a dataset and a public benchmark\", Sci Data 11, 264 (2024), doi:10.1038/s41597-024-03090-w, CC BY 4.0. \
    Changed: 8-bit slices, some of each volume; corner landmarks added.";

/// Distance between the slices of the T2 SPACE stacks, mm.
const SPACE_SLICE_SPACING_MM: f64 = 0.9;

/// Height given to a body of which only one endplate is marked, mm: about that of a lumbar vertebra.
const ASSUMED_BODY_HEIGHT_MM: f64 = 25.0;

/// Why the data set could not be read.
#[derive(Debug, Error)]
pub enum SpiderError {
    /// A table is missing or malformed.
    #[error("cannot read the table {}", path.display())]
    Table {
        source: csv::Error,
        /// The table.
        path: PathBuf,
    },
    /// An image is missing or not a picture.
    #[error("cannot read the image {}", path.display())]
    Image {
        source: image::ImageError,
        /// The image.
        path: PathBuf,
    },
    /// A folder cannot be listed.
    #[error("cannot list the folder {}", path.display())]
    Folder {
        source: std::io::Error,
        /// The folder.
        path: PathBuf,
    },
    /// The slices of a stack do not agree, or its spacing is impossible.
    #[error("the images of patient {patient} do not form a volume: {reason}")]
    Stack {
        /// Patient number of the data set.
        patient: u32,
        /// What does not fit.
        reason: String,
    },
}

/// A scan with everything known about it.
#[derive(Debug, Clone)]
pub struct ScanCase {
    /// Patient number of the data set; the same patient may have two scans.
    pub patient: u32,
    /// Name of the scan in the data set, such as `12_t2` or `12_t2_SPACE`.
    pub name: String,
    /// The scan: one slice, or a stack 0.9 mm apart.
    pub volume: Volume,
    /// Labelled bodies, from the thorax down. The lower corners of S1 are extrapolated.
    pub vertebrae: Vec<Vertebra>,
    /// Whether the upper corners of the topmost body are extrapolated because the image cuts it off.
    pub top_is_extrapolated: bool,
    /// The discs among the six graded levels that have labels, from the thorax down.
    pub discs: Vec<LabelledDisc>,
    /// Boxes of findings of these discs, where the set has any.
    pub boxes: Vec<SliceBox>,
}

/// A disc and what is known of its gradings.
#[derive(Debug, Clone)]
pub struct LabelledDisc {
    pub disc: Disc,
    /// Admissible outcomes.
    pub labels: DiscLabels,
}

/// Reads every usable scan below `folder` (the `spider-dev` folder), ordered by patient, then name.
///
/// Mid-sagittal images whose landmarks are marked `rejected` are left out; of the stacks those with landmarks are read.
///
/// # Errors
/// If a table or image cannot be read or the slices of a stack differ in size.
pub fn load_cases(folder: &Path) -> Result<Vec<ScanCase>, SpiderError> {
    let grades = read_grades(&folder.join("radiological_gradings.csv"))?;
    let mut cases = Vec::new();
    for (image, landmarks) in read_landmarks(&folder.join("landmarks/midsag_t2.csv"))? {
        cases.push(mid_sagittal_case(&folder.join("midsag_t2"), image, &landmarks, &grades)?);
    }
    let mut stacks: BTreeMap<u32, Vec<(String, ImageLandmarks)>> = BTreeMap::new();
    for (image, landmarks) in read_landmarks(&folder.join("landmarks/t2_SPACE.csv"))? {
        stacks.entry(landmarks.patient).or_default().push((image, landmarks));
    }
    let files = stack_files(&folder.join("t2_SPACE/images"))?;
    for (patient, landmarks) in stacks {
        let slices = files.get(&patient).map(Vec::as_slice).unwrap_or_default();
        let mut case = stack_case(patient, slices, &landmarks, &grades)?;
        label_stenosis(&mut case, &folder.join("t2_SPACE/masks"), &landmarks)?;
        cases.push(case);
    }
    cases.sort_by(|a, b| (a.patient, &a.name).cmp(&(b.patient, &b.name)));
    Ok(cases)
}

/// Labels by patient and level.
pub(super) type Grades = HashMap<(u32, DiscLevel), DiscLabels>;

#[derive(Deserialize)]
struct GradeRow {
    #[serde(rename = "Patient")]
    patient: u32,
    #[serde(rename = "IVD label")]
    disc: usize,
    #[serde(rename = "Modic")]
    modic: u8,
    #[serde(rename = "UP endplate")]
    upper_endplate: u8,
    #[serde(rename = "LOW endplate")]
    lower_endplate: u8,
    #[serde(rename = "Spondylolisthesis")]
    spondylolisthesis: u8,
    #[serde(rename = "Disc herniation")]
    herniation: u8,
    #[serde(rename = "Disc narrowing")]
    narrowing: u8,
    #[serde(rename = "Disc bulging")]
    bulging: u8,
    #[serde(rename = "Pfirrman grade")]
    pfirrmann: u8,
}

impl GradeRow {
    fn labels(&self) -> DiscLabels {
        let binary = |value: u8| match value {
            0 | 1 => ClassSet::exactly(usize::from(value)),
            _ => ClassSet::UNKNOWN,
        };
        let pfirrmann = Grading::Pfirrmann.class_from_grade(self.pfirrmann);
        let marrow = if self.modic == 0 { ClassSet::exactly(0) } else { ClassSet::UNKNOWN };
        let gradings = [
            (Grading::Pfirrmann, pfirrmann.map_or(ClassSet::UNKNOWN, ClassSet::exactly)),
            (Grading::DiscNarrowing, if self.narrowing == 0 { ClassSet::exactly(0) } else { ClassSet::of(1..=3) }),
            (Grading::UpperEndplateDefect, binary(self.upper_endplate)),
            (Grading::LowerEndplateDefect, binary(self.lower_endplate)),
            (Grading::UpperMarrowChange, marrow),
            (Grading::LowerMarrowChange, marrow),
            (Grading::Spondylolisthesis, binary(self.spondylolisthesis)),
            (Grading::DiscBulging, binary(self.bulging)),
            (Grading::DiscHerniation, binary(self.herniation)),
        ];
        let gradings = gradings.into_iter().collect();
        DiscLabels { gradings, either_marrow_changed: self.modic > 0 }
    }
}

pub(super) fn read_grades(path: &Path) -> Result<Grades, SpiderError> {
    let rows: Vec<GradeRow> = read_table(path)?;
    Ok(rows.iter().filter_map(|row| Some(((row.patient, level_counted_upward(row.disc)?), row.labels()))).collect())
}

/// The level of a disc as SPIDER counts them, upward from L5-S1 (1); `None` for discs outside the six graded ones.
pub(super) fn level_counted_upward(disc: usize) -> Option<DiscLevel> {
    DiscLevel::ALL.into_iter().rev().nth(disc.checked_sub(1)?)
}

/// The rows of a table with a header.
pub(super) fn read_table<Row: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<Row>, SpiderError> {
    let failed = |source| SpiderError::Table { source, path: path.to_owned() };
    csv::Reader::from_path(path).map_err(failed)?.deserialize().collect::<Result<_, _>>().map_err(failed)
}

/// One row of either landmark table; the stacks have square pixels and only the first spacing.
#[derive(Deserialize)]
struct LandmarkRow {
    image: String,
    patient: u32,
    mm_per_px: f64,
    vertebra: String,
    corner: String,
    x: Option<f64>,
    y: Option<f64>,
    status: String,
    mm_per_px_x: Option<f64>,
    mm_per_px_y: Option<f64>,
}

/// Corners marked on one image.
struct ImageLandmarks {
    patient: u32,
    /// Pixel size (x, y), mm.
    pixel_size_mm: DVec2,
    /// Marked corners in the order SA, SP, IP, IA.
    bodies: BTreeMap<VertebraLabel, [Option<DVec2>; 4]>,
}

fn read_landmarks(path: &Path) -> Result<BTreeMap<String, ImageLandmarks>, SpiderError> {
    let mut images = BTreeMap::new();
    for row in read_table::<LandmarkRow>(path)? {
        if row.status == "rejected" {
            continue;
        }
        let corner = ["SA", "SP", "IP", "IA"].iter().position(|name| *name == row.corner);
        let (Ok(label), Some(corner), Some(x), Some(y)) = (row.vertebra.parse(), corner, row.x, row.y) else {
            continue;
        };
        let size = |along: Option<f64>| along.unwrap_or(row.mm_per_px);
        let landmarks = images.entry(row.image).or_insert_with(|| ImageLandmarks {
            patient: row.patient,
            pixel_size_mm: DVec2::new(size(row.mm_per_px_x), size(row.mm_per_px_y)),
            bodies: BTreeMap::new(),
        });
        landmarks.bodies.entry(label).or_insert([None; 4])[corner] = Some(DVec2::new(x, y));
    }
    Ok(images)
}

impl ImageLandmarks {
    /// The body's outline on `slice` and whether all of it was marked; `None` if neither endplate is complete.
    fn outline(&self, label: VertebraLabel, slice: usize) -> Option<(VertebraOutline, bool)> {
        let (corners, complete) = match *self.bodies.get(&label)? {
            [Some(sa), Some(sp), Some(ip), Some(ia)] => (Corners { sa, sp, ip, ia }, true),
            [Some(sa), Some(sp), ..] => {
                (Corners::from_upper_endplate(sa, sp, self.pixel_size_mm, ASSUMED_BODY_HEIGHT_MM)?, false)
            }
            [_, _, Some(ip), Some(ia)] => {
                (Corners::from_lower_endplate(ip, ia, self.pixel_size_mm, ASSUMED_BODY_HEIGHT_MM)?, false)
            }
            _ => return None,
        };
        Some((VertebraOutline { slice, corners }, complete))
    }
}

/// Joins the outlines of each body over the slices. A body marked wholly on some slices and partly on others keeps
/// the whole outlines only. The flag tells whether the topmost body's upper corners are extrapolated.
fn vertebrae_of(images: &[(usize, &ImageLandmarks)]) -> (Vec<Vertebra>, bool) {
    let mut top_is_extrapolated = None;
    let mut vertebrae = Vec::new();
    for label in VertebraLabel::ALL {
        let outlines: Vec<_> = images.iter().filter_map(|(slice, image)| image.outline(label, *slice)).collect();
        if outlines.is_empty() {
            continue;
        }
        let any_complete = outlines.iter().any(|(_, complete)| *complete);
        top_is_extrapolated.get_or_insert(!any_complete);
        let mut outlines: Vec<_> = outlines
            .into_iter()
            .filter(|(_, complete)| *complete || !any_complete)
            .map(|(outline, _)| outline)
            .collect();
        outlines.sort_by_key(|outline| outline.slice);
        vertebrae.push(Vertebra { label, confidence: 1.0, outlines });
    }
    (vertebrae, top_is_extrapolated.unwrap_or(false))
}

fn labelled_discs(patient: u32, vertebrae: &[Vertebra], grades: &Grades) -> Vec<LabelledDisc> {
    discs_between(vertebrae)
        .into_iter()
        .filter_map(|disc| {
            let labels = grades.get(&(patient, disc.level))?.clone();
            Some(LabelledDisc { disc, labels })
        })
        .collect()
}

fn mid_sagittal_case(
    folder: &Path,
    image: String,
    landmarks: &ImageLandmarks,
    grades: &Grades,
) -> Result<ScanCase, SpiderError> {
    let patient = landmarks.patient;
    let slice = read_image(&folder.join(format!("{image}.png")))?;
    let volume = stack_volume(patient, &[slice], landmarks.pixel_size_mm)?;
    let (vertebrae, top_is_extrapolated) = vertebrae_of(&[(0, landmarks)]);
    let discs = labelled_discs(patient, &vertebrae, grades);
    Ok(ScanCase { patient, name: image, volume, vertebrae, top_is_extrapolated, discs, boxes: Vec::new() })
}

fn stack_case(
    patient: u32,
    files: &[PathBuf],
    landmarks: &[(String, ImageLandmarks)],
    grades: &Grades,
) -> Result<ScanCase, SpiderError> {
    let mut marked = Vec::new();
    for (image, landmarks) in landmarks {
        let slice = files.iter().position(|file| file.file_stem().is_some_and(|stem| stem == image.as_str()));
        let slice = slice.ok_or_else(|| SpiderError::Stack { patient, reason: format!("no slice {image}") })?;
        marked.push((slice, landmarks));
    }
    let slices = files.iter().map(PathBuf::as_path).map(read_image).collect::<Result<Vec<_>, _>>()?;
    let pixel_size_mm = marked.first().map_or(DVec2::ZERO, |(_, landmarks)| landmarks.pixel_size_mm);
    let volume = stack_volume(patient, &slices, pixel_size_mm)?;
    let (vertebrae, top_is_extrapolated) = vertebrae_of(&marked);
    let discs = labelled_discs(patient, &vertebrae, grades);
    let name = format!("{patient}_t2_SPACE");
    Ok(ScanCase { patient, name, volume, vertebrae, top_is_extrapolated, discs, boxes: Vec::new() })
}

/// Labels stenosis by the width of the canal on the masks, where no reader graded it.
fn label_stenosis(
    case: &mut ScanCase,
    masks: &Path,
    landmarks: &[(String, ImageLandmarks)],
) -> Result<(), SpiderError> {
    let mut widths: BTreeMap<DiscLevel, Vec<f64>> = BTreeMap::new();
    for (image, landmarks) in landmarks {
        let path = masks.join(format!("{image}.png"));
        if !path.exists() {
            continue;
        }
        let mask = read_image(&path)?;
        for LabelledDisc { disc, .. } in &case.discs {
            let [upper, lower] = [&disc.upper, &disc.lower].map(|body| landmarks.outline(body.label, 0));
            if let (Some((upper, _)), Some((lower, _))) = (upper, lower) {
                let pixel = landmarks.pixel_size_mm;
                widths.entry(disc.level).or_default().extend(canal_width_mm(
                    &mask,
                    &upper.corners,
                    &lower.corners,
                    pixel,
                ));
            }
        }
    }
    for LabelledDisc { disc, labels } in &mut case.discs {
        let stenosis = labels.gradings.entry(Grading::CentralCanalStenosis);
        if stenosis.is_unknown() {
            *stenosis = stenosis_label(widths.remove(&disc.level).unwrap_or_default());
        }
    }
    Ok(())
}

/// The slices of each stack, by patient, in their sagittal order.
fn stack_files(folder: &Path) -> Result<HashMap<u32, Vec<PathBuf>>, SpiderError> {
    let failed = |source| SpiderError::Folder { source, path: folder.to_owned() };
    let mut stacks: HashMap<u32, Vec<(u32, PathBuf)>> = HashMap::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let parts = path.file_stem().and_then(|stem| stem.to_str()?.split_once("_t2_SPACE_slice"));
        let Some((Ok(patient), Ok(slice))) = parts.map(|(patient, slice)| (patient.parse(), slice.parse())) else {
            continue;
        };
        stacks.entry(patient).or_default().push((slice, path));
    }
    let in_order = |mut slices: Vec<(u32, PathBuf)>| {
        slices.sort();
        slices.into_iter().map(|(_, path)| path).collect()
    };
    Ok(stacks.into_iter().map(|(patient, slices)| (patient, in_order(slices))).collect())
}

pub(super) fn read_image(path: &Path) -> Result<image::GrayImage, SpiderError> {
    let image = image::open(path).map_err(|source| SpiderError::Image { source, path: path.to_owned() })?;
    Ok(image.into_luma8())
}

/// Slices 0.9 mm apart, anterior on the left, as a volume; `pixel_size_mm` is (x, y).
pub(super) fn stack_volume(
    patient: u32,
    slices: &[image::GrayImage],
    pixel_size_mm: DVec2,
) -> Result<Volume, SpiderError> {
    let failed = |reason: String| SpiderError::Stack { patient, reason };
    let (columns, rows) = slices.first().ok_or_else(|| failed("no image".to_owned()))?.dimensions();
    if slices.iter().any(|slice| slice.dimensions() != (columns, rows)) {
        return Err(failed("the slices differ in size".to_owned()));
    }
    let voxels = slices.iter().flat_map(image::GrayImage::as_raw).map(|value| f32::from(*value)).collect();
    let normal = DVec3::Y.cross(-DVec3::Z);
    let origins = (0..slices.len()).map(|slice| normal * (slice as f64 * SPACE_SLICE_SPACING_MM)).collect();
    VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, pixel_size_mm.y, pixel_size_mm.x)
        .and_then(|geometry| Volume::new(rows as usize, columns as usize, voxels, geometry))
        .map_err(|error: GeometryError| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::DiscFrame;

    #[test]
    fn the_whole_set_is_read_and_joined_with_its_grades() {
        let Some(folder) = crate::needs::data("spider-dev") else { return };
        let cases = load_cases(&folder).expect("the data are whole");
        let (stacks, singles): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.volume.slices() > 1);
        assert_eq!((stacks.len(), singles.len()), (20, 133));
        let mut patients: Vec<u32> = cases.iter().map(|case| case.patient).collect();
        patients.dedup();
        assert_eq!(patients.len(), 135);
        let discs = |cases: &[&ScanCase]| cases.iter().map(|case| case.discs.len()).sum::<usize>();
        assert_eq!((discs(&stacks), discs(&singles)), (120, 797));
        for case in &cases {
            for disc in &case.discs {
                assert!(Grading::ALL.iter().any(|grading| !disc.labels.of(*grading).is_unknown()));
                let frame = DiscFrame::of_disc(&case.volume, &disc.disc).expect("outlines are whole");
                assert!(frame.scan_slice(4).is_some(), "{}: the middle slice can be normalized", case.name);
            }
            let positions: Vec<f64> = case.vertebrae.iter().map(|body| body.outlines[0].corners.center().y).collect();
            assert!(positions.is_sorted(), "{}: bodies run downward", case.name);
        }
        landmarks_and_labels_arrive_unchanged(&cases);
    }

    fn landmarks_and_labels_arrive_unchanged(cases: &[ScanCase]) {
        let case = cases.iter().find(|case| case.name == "4_t2").expect("patient 4");
        assert_eq!(case.volume.geometry().pixel_size_mm(), DVec2::new(0.625, 0.5063));
        let disc = case.discs.iter().find(|disc| disc.disc.level == DiscLevel::L3L4).expect("graded");
        assert_eq!(disc.labels.of(Grading::Pfirrmann).single(), Some(4));
        assert_eq!(disc.labels.of(Grading::DiscNarrowing), ClassSet::of(1..=3));
        assert_eq!(disc.labels.of(Grading::Spondylolisthesis).single(), Some(1));
        assert!(disc.labels.of(Grading::UpperMarrowChange).is_unknown() && disc.labels.either_marrow_changed);
        assert!(disc.labels.of(Grading::CentralCanalStenosis).is_unknown());
        let corners = case.vertebrae.iter().find(|body| body.label == VertebraLabel::S1).expect("sacrum");
        let corners = corners.outlines[0].corners;
        let height = ((corners.ia - corners.sa) * case.volume.geometry().pixel_size_mm()).length();
        assert!((height - ASSUMED_BODY_HEIGHT_MM).abs() < 1e-9);

        let stack = cases.iter().find(|case| case.name == "65_t2_SPACE").expect("patient 65");
        assert_eq!(stack.volume.shape(), [24, 640, 512]);
        let marked: Vec<usize> = stack.vertebrae.last().expect("sacrum").outlines.iter().map(|o| o.slice).collect();
        assert_eq!(marked, [8, 10, 14]);
    }
}
