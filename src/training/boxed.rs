//! Single slices with boxes around discs, and a table of what readers said of each.
//!
//! | file | columns |
//! |---|---|
//! | `images.csv` | `image`, `patient`, `weighting` (`t2`; others are passed over), `mm_per_px`; the picture is `<weighting>/<image>.png`, anterior on the left |
//! | `discs.csv` | `image`, `level`, `center_x`, `center_y` in pixels, then 1 or 0: `normal`, `degenerated`, `bulge`, `stenosis`, `spondylolisthesis`; `pfirrmann` (1–5) or nothing |
//! | `boxes.csv` | `image`, `class`, `x`, `y`, `width`, `height` in pixels, (0, 0) being the corner of the picture; `stenosis` and `spondylolisthesis` say where those lie, other classes are passed over; may be missing |
//! | `ATTRIBUTION.md` | how weights must cite the set; may be missing |
//!
//! Boxes say where discs lie and what they are called; the detector finds their corners. Whoever counts levels upward from the lowest
//! box is wrong by one where that box is missing or too many, so a scan is left out whose discs the detector names otherwise.

use std::collections::HashMap;
use std::path::Path;

use glam::DVec2;
use serde::Deserialize;

use super::labels::{ClassSet, DiscLabels};
use super::located::{DiscFinder, ScanError};
use super::manifest::{ManifestError, Reading};
use super::spider::{LabelledDisc, ScanCase, SpiderError, read_image, read_table, stack_volume};
use crate::spine::{
    BoxSource, Disc, DiscFrame, DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, PixelBox, SliceBox, discs_between,
};
use crate::volume::Volume;

/// A box names a disc if their centers are that near, mm: a quarter of the distance between two discs.
const REACH_MM: f64 = 9.0;

#[derive(Deserialize)]
struct ImageRow {
    image: String,
    patient: String,
    weighting: String,
    mm_per_px: f64,
}

#[derive(Deserialize)]
struct BoxRow {
    image: String,
    class: String,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl BoxRow {
    fn grading(&self) -> Option<Grading> {
        match self.class.as_str() {
            "stenosis" => Some(Grading::CentralCanalStenosis),
            "spondylolisthesis" => Some(Grading::Spondylolisthesis),
            _ => None,
        }
    }

    /// In our pixels, whose centers are whole numbers.
    fn rect(&self) -> PixelBox {
        PixelBox { x: self.x - 0.5, y: self.y - 0.5, width: self.width, height: self.height }
    }
}

/// What readers said of one disc.
#[derive(Deserialize)]
struct DiscRow {
    image: String,
    level: String,
    center_x: f64,
    center_y: f64,
    normal: u8,
    degenerated: u8,
    bulge: u8,
    stenosis: u8,
    spondylolisthesis: u8,
    pfirrmann: Option<u8>,
}

impl DiscRow {
    /// A disc that was boxed at all was looked at for all classes. One that is narrowed and not said to bulge may do either: those
    /// boxes stand for the canal.
    fn labels(&self) -> DiscLabels {
        let mut labels = DiscLabels::default();
        let present = |flag: u8| ClassSet::exactly(usize::from(flag > 0));
        if let Some(grade) = self.pfirrmann.and_then(|grade| Grading::Pfirrmann.class_from_grade(grade)) {
            labels.gradings.insert(Grading::Pfirrmann, ClassSet::exactly(grade));
        }
        labels.gradings.insert(Grading::Spondylolisthesis, present(self.spondylolisthesis));
        if self.normal + self.degenerated + self.bulge > 0 {
            labels.gradings.insert(Grading::CentralCanalStenosis, present(self.stenosis));
            if self.bulge > 0 || self.stenosis == 0 {
                labels.gradings.insert(Grading::DiscBulging, present(self.bulge));
            }
        }
        labels
    }
}

/// A picture and what it shows.
pub(super) struct Picture {
    pub(super) patient: String,
    pub(super) image: String,
    /// `t1`, `t2`.
    pub(super) weighting: String,
    pub(super) volume: Volume,
    /// Centers of the boxes around discs of the six graded levels, in pixels.
    pub(super) discs: Vec<(DiscLevel, DVec2)>,
}

/// All pictures of the set in `folder`, of whatever weighting.
pub(super) fn pictures(folder: &Path) -> Result<Vec<Picture>, SpiderError> {
    let rows = disc_rows(folder)?;
    let read = |row: ImageRow| {
        let ImageRow { image, patient, weighting, mm_per_px } = row;
        let picture = read_image(&folder.join(&weighting).join(format!("{image}.png")))?;
        let volume = stack_volume(0, &[picture], DVec2::splat(mm_per_px))?;
        let disc = |row: &DiscRow| Some((row.level.parse().ok()?, DVec2::new(row.center_x, row.center_y)));
        let discs = rows.get(&image).into_iter().flatten().filter_map(disc).collect();
        Ok(Picture { patient, image, weighting, volume, discs })
    };
    read_table(&folder.join("images.csv"))?.into_iter().map(read).collect()
}

/// What readers said of each disc, by picture.
fn disc_rows(folder: &Path) -> Result<HashMap<String, Vec<DiscRow>>, SpiderError> {
    let mut discs: HashMap<String, Vec<DiscRow>> = HashMap::new();
    for row in read_table::<DiscRow>(&folder.join("discs.csv"))? {
        discs.entry(row.image.clone()).or_default().push(row);
    }
    Ok(discs)
}

/// Reads the set in `folder` into `reading`.
pub(super) fn load(folder: &Path, finder: &DiscFinder, reading: &mut Reading) -> Result<(), ManifestError> {
    let discs = disc_rows(folder)?;
    let mut boxes: HashMap<String, Vec<BoxRow>> = HashMap::new();
    let file = folder.join("boxes.csv");
    for row in if file.exists() { read_table::<BoxRow>(&file)? } else { Vec::new() } {
        boxes.entry(row.image.clone()).or_default().push(row);
    }
    for ImageRow { image, patient, weighting, mm_per_px } in read_table(&folder.join("images.csv"))? {
        let Some(rows) = discs.get(&image).filter(|_| weighting == "t2") else { continue };
        let path = folder.join(weighting).join(format!("{image}.png"));
        let patient = reading.patient(&patient);
        reading.add(&path, || {
            let volume = stack_volume(patient, &[read_image(&path)?], DVec2::splat(mm_per_px))?;
            let vertebrae = finder.vertebrae(&volume)?;
            let mut discs = Vec::new();
            for disc in discs_between(&vertebrae) {
                let Some(row) = row_of(rows, &volume, &disc) else { continue };
                if row.level.parse() != Ok(disc.level) {
                    return Err(ScanError::OtherNames { boxed: row.level.clone(), detected: disc.level });
                }
                discs.push(LabelledDisc { labels: row.labels(), disc });
            }
            let boxes = boxes.get(&image).map_or_else(Vec::new, |rows| boxes_of(rows, &volume, &discs));
            Ok(ScanCase { patient, name: image, volume, vertebrae, top_is_extrapolated: false, discs, boxes })
        })?;
    }
    Ok(())
}

/// The boxes of findings that readers see at these discs, each at the disc that it is nearest to along the spine. Of two boxes
/// of one finding the first counts.
fn boxes_of(rows: &[BoxRow], volume: &Volume, discs: &[LabelledDisc]) -> Vec<SliceBox> {
    const MID_ROW: f64 = (PATCH_ROWS as f64 - 1.0) / 2.0;
    let mut boxes: Vec<SliceBox> = Vec::new();
    for row in rows {
        let (Some(grading), rect) = (row.grading(), row.rect()) else { continue };
        let middle = DVec2::new(rect.x + rect.width / 2.0, rect.y + rect.height / 2.0);
        let away = |disc: &Disc| {
            let [row, column] = DiscFrame::of_disc(volume, disc).ok()?.patch_from_image(middle);
            let is_beside = (0.0..PATCH_COLUMNS as f64).contains(&column) && (row - MID_ROW).abs() < MID_ROW / 2.0;
            is_beside.then_some((row - MID_ROW).abs())
        };
        let distances = discs.iter().filter_map(|labelled| Some((away(&labelled.disc)?, labelled)));
        let nearest = distances.min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((_, LabelledDisc { disc, labels })) = nearest else { continue };
        let is_present = labels.of(grading) == ClassSet::exactly(1);
        let is_first = !boxes.iter().any(|found| (found.level, found.grading) == (disc.level, grading));
        if is_present && is_first {
            let (level, source) = (disc.level, BoxSource::Reader);
            boxes.push(SliceBox { level, grading, slice: 0, rect, source, percentile: None });
        }
    }
    boxes
}

/// The row of the box around a disc.
fn row_of<'r>(rows: &'r [DiscRow], volume: &Volume, disc: &Disc) -> Option<&'r DiscRow> {
    let size = volume.geometry().pixel_size_mm();
    let center = DVec2::new(disc.center_voxel[2], disc.center_voxel[1]);
    let distance = |row: &&DiscRow| ((DVec2::new(row.center_x, row.center_y) - center) * size).length();
    let nearest = rows.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    (distance(&nearest) <= REACH_MM).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;

    use image::GrayImage;

    use super::*;
    use crate::phantom::Phantom;
    use crate::task::CancelToken;
    use crate::training::manifest::DataManifest;

    /// A synthetic patient's middle slice as a boxed set; gives back where L4-L5 lies on it, (x, y).
    fn write_set(folder: &Path) -> DVec2 {
        let study = Phantom::generate(910_000);
        let (volume, discs) = (&study.volume, discs_between(&study.vertebrae));
        let middle = volume.slice(volume.slices() / 2);
        let brightest = middle.iter().copied().fold(0.0, f32::max);
        let pixels = middle.iter().map(|value| (value / brightest * 255.0) as u8).collect();
        let picture = GrayImage::from_raw(volume.columns() as u32, volume.rows() as u32, pixels).expect("every pixel");
        fs::create_dir_all(folder.join("t2")).expect("writable");
        picture.save(folder.join("t2/one.png")).expect("writable");
        let spacing = volume.geometry().pixel_size_mm().x;
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("writable");
        write("images.csv", &format!("image,patient,weighting,mm_per_px\none,7,t2,{spacing}\n"));
        let mut table =
            "image,level,center_x,center_y,normal,degenerated,bulge,stenosis,spondylolisthesis,pfirrmann\n".to_owned();
        for disc in &discs {
            let [_, y, x] = disc.center_voxel;
            let (normal, narrowed) = if disc.level == DiscLevel::L4L5 { (0, 1) } else { (1, 0) };
            writeln!(table, "one,{},{x},{y},{normal},0,{narrowed},{narrowed},0,", disc.level).expect("in memory");
        }
        write("discs.csv", &table);
        let place = |level| {
            let [_, y, x] = discs.iter().find(|disc| disc.level == level).expect("six discs").center_voxel;
            DVec2::new(x, y)
        };
        // The canal lies behind the disc. L3-L4 is not narrowed, as its readers say, whatever a box there claims.
        let (behind, above) = (place(DiscLevel::L4L5), place(DiscLevel::L3L4));
        let mut boxes = "image,class,x,y,width,height\n".to_owned();
        for (class, at) in [("bulge", behind), ("stenosis", above), ("stenosis", behind), ("stenosis", behind + 3.0)] {
            writeln!(boxes, "one,{class},{},{},14,18", at.x + 20.0, at.y - 9.0).expect("in memory");
        }
        write("boxes.csv", &boxes);
        behind
    }

    #[test]
    fn a_box_belongs_to_the_disc_it_lies_beside_where_readers_see_the_finding() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let disc = write_set(folder.path());
        let manifest = folder.path().join("data.toml");
        fs::write(&manifest, "[[data]]\nkind = \"boxed\"\nname = \"made\"\nfolder = \".\"\n").expect("writable");
        let load = || {
            let manifest = DataManifest::read(&manifest).expect("valid");
            let mut cohorts = manifest.load(&CancelToken::default(), &mut |_| {}).expect("found").cohorts;
            let mut cases = cohorts.remove(0).cases;
            assert_eq!((cohorts.len(), cases.len()), (0, 1));
            cases.remove(0).boxes
        };
        // Pixels are counted from the corner of the picture there, from the middle of its first pixel here.
        let rect = PixelBox { x: disc.x + 20.0 - 0.5, y: disc.y - 9.0 - 0.5, width: 14.0, height: 18.0 };
        let boxes = load();
        assert_eq!(boxes.len(), 1, "{boxes:?}");
        let found = &boxes[0];
        assert_eq!(
            (found.level, found.grading, found.slice, found.source, found.percentile),
            (DiscLevel::L4L5, Grading::CentralCanalStenosis, 0, BoxSource::Reader, None)
        );
        let apart = <[f64; 4]>::from(found.rect).into_iter().zip(<[f64; 4]>::from(rect));
        assert!(apart.into_iter().all(|(got, expected)| (got - expected).abs() < 1e-6), "{found:?} is not {rect:?}");
        fs::remove_file(folder.path().join("boxes.csv")).expect("there");
        assert!(load().is_empty());
    }
}
