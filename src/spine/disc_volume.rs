//! The disc volume: 9 sagittal slices of 112 × 224 pixels around a disc, as the grading network sees it.
//!
//! Jamaludin et al. 2017, section 3: rotated in the sagittal plane so that the disc is horizontal and centered, about
//! 40 % of each neighbouring body visible, aligned on the mid-sagittal slice, zero where the scan has no slice, each
//! slice scaled so that the median of its two bodies is 0.5, clipped to [0, 1]. Column index grows from anterior to
//! posterior, row index from superior to inferior, whatever way the scan is stored.

use std::sync::Arc;

use glam::DVec2;
use rayon::prelude::*;
use thiserror::Error;

use super::brightness::{median_of_bodies, mid_gray};
use super::{Corners, Disc};
use crate::volume::{GeometryError, Volume, VolumeGeometry, WindowLevel};

/// Sagittal slices of a disc volume.
pub const PATCH_SLICES: usize = 9;
/// Rows of each slice of a disc volume.
pub const PATCH_ROWS: usize = 112;
/// Columns of each slice of a disc volume.
pub const PATCH_COLUMNS: usize = 224;
/// Voxels of a disc volume.
pub const PATCH_VOXELS: usize = PATCH_SLICES * PATCH_ROWS * PATCH_COLUMNS;

/// What lies around a disc volume and is seen by views that are shifted by one step of the network's trunk: pixels on
/// each side of a slice.
pub(crate) const WIDE_MARGIN: usize = 16;
/// Slices before and after the disc volume that shifted views see.
pub(crate) const WIDE_SLICE_MARGIN: usize = 1;
/// Slices of the disc volume and its margin.
pub(crate) const WIDE_SLICES: usize = PATCH_SLICES + 2 * WIDE_SLICE_MARGIN;
/// Rows of the disc volume and its margin.
pub(crate) const WIDE_ROWS: usize = PATCH_ROWS + 2 * WIDE_MARGIN;
/// Columns of the disc volume and its margin.
pub(crate) const WIDE_COLUMNS: usize = PATCH_COLUMNS + 2 * WIDE_MARGIN;
/// Voxels of the disc volume and its margin.
pub(crate) const WIDE_VOXELS: usize = WIDE_SLICES * WIDE_ROWS * WIDE_COLUMNS;

const MID_SLICE: f64 = (PATCH_SLICES / 2) as f64;
const MID_ROW: f64 = (PATCH_ROWS as f64 - 1.0) / 2.0;
const MID_COLUMN: f64 = (PATCH_COLUMNS as f64 - 1.0) / 2.0;

/// Share of each body's height that the patch shows.
const VISIBLE_BODY: f64 = 0.4;

/// Scans with thinner slices are read at every n-th slice so that nine slices span the width of a vertebra, as in
/// the paper's data (median spacing 4 mm); 4.4 mm is the usual spacing of clinical sagittal series.
const WIDEST_SLICE_STEP_MM: f64 = 4.4;

/// Why a disc has no usable frame.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum DiscFrameError {
    /// One of the two bodies has no outline.
    #[error("a neighbouring vertebral body has no outline")]
    NoOutline,
    /// The corners do not span a patch (collapsed or crossed outlines).
    #[error("the outlines of the neighbouring bodies are collapsed or crossed")]
    Degenerate,
}

/// Random change of a disc volume, applied while it is resampled (REFERENCES: paper section 4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PatchAugmentation {
    /// In-plane rotation about the patch center, radians.
    pub rotation: f64,
    /// Shift of the field of view along columns and rows, patch pixels.
    pub shift: DVec2,
    /// Shift of the slice window, patch slices.
    pub slice_shift: isize,
    /// Magnification; above 1 shows structures larger.
    pub scale: f64,
    /// Added to every voxel of a present slice before clipping.
    pub intensity: f32,
    /// Reverses the slice order (left-right reflection).
    pub mirror_slices: bool,
}

impl PatchAugmentation {
    /// No change.
    pub(crate) const NONE: Self =
        Self { rotation: 0.0, shift: DVec2::ZERO, slice_shift: 0, scale: 1.0, intensity: 0.0, mirror_slices: false };
}

/// Maps patch coordinates `[slice, row, column]` of a disc volume to the scan and back.
///
/// In-plane it is a similarity in millimeters (rotation, reflection where the scan runs posterior to anterior, one
/// scale), so anisotropic pixels are respected; across slices it picks whole scan slices.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscFrame {
    /// Patch center on the image, pixels.
    center_image: DVec2,
    /// Unit vector anterior to posterior along the disc, in image millimeters.
    posterior: DVec2,
    /// Unit vector superior to inferior, perpendicular to `posterior`, in image millimeters.
    inferior: DVec2,
    /// Edge of a patch pixel, mm.
    mm_per_patch_pixel: f64,
    /// Size of a scan pixel (x, y), mm.
    pixel_size_mm: DVec2,
    /// Scan slice under the middle patch slice (may lie outside the scan after a shift).
    mid_slice: isize,
    /// Scan slices per patch slice; negative where the order is mirrored.
    slice_step: isize,
    /// Factor that brings the signal of each scan slice's vertebrae to 0.5; 0 where it cannot be told.
    slice_scales: Arc<[f32]>,
    /// Value of a scan voxel without signal.
    black: f32,
    /// Added to present voxels.
    intensity: f32,
}

impl DiscFrame {
    /// The frame of a disc of `volume`.
    ///
    /// # Errors
    /// If an outline is missing or the corners collapse.
    pub fn of_disc(volume: &Volume, disc: &Disc) -> Result<Self, DiscFrameError> {
        let geometry = volume.geometry();
        let slice = disc.center_voxel[0];
        let upper = disc.upper.corners_at(slice).ok_or(DiscFrameError::NoOutline)?;
        let lower = disc.lower.corners_at(slice).ok_or(DiscFrameError::NoOutline)?;
        let last = volume.slices() as f64 - 1.0;
        let mid_slice = slice.round().clamp(0.0, last) as isize;
        let step = geometry.slice_spacing_mm().map_or(1.0, |spacing| (WIDEST_SLICE_STEP_MM / spacing).floor().max(1.0));
        let mut frame = Self::in_plane(geometry, &upper, &lower)?;
        frame.mid_slice = mid_slice;
        frame.slice_step = step as isize;
        frame.slice_scales = slice_scales(volume, disc);
        frame.black = volume.black();
        Ok(frame)
    }

    fn in_plane(geometry: &VolumeGeometry, upper: &Corners, lower: &Corners) -> Result<Self, DiscFrameError> {
        let pixel = geometry.pixel_size_mm();
        let mm = |corners: &Corners| corners.as_array().map(|corner| corner * pixel);
        let ([usa, usp, uip, uia], [lsa, lsp, lip, lia]) = (mm(upper), mm(lower));
        let anterior = (uia + lsa) / 2.0;
        let posterior_edge = (uip + lsp) / 2.0;
        let posterior = (posterior_edge - anterior).try_normalize().ok_or(DiscFrameError::Degenerate)?;
        let downward = (lsa + lsp) / 2.0 - (usa + usp) / 2.0;
        let perpendicular = posterior.perp();
        let inferior = if perpendicular.dot(downward) < 0.0 { -perpendicular } else { perpendicular };

        let span = |from: DVec2, to: DVec2| (to - from).dot(inferior);
        let upper_height = span((usa + usp) / 2.0, (uia + uip) / 2.0);
        let lower_height = span((lsa + lsp) / 2.0, (lia + lip) / 2.0);
        let disc_height = span((uia + uip) / 2.0, (lsa + lsp) / 2.0);
        let height_mm = disc_height.max(0.0) + VISIBLE_BODY * (upper_height + lower_height);
        // A vertebra is 15-40 mm high; less than a few millimeters in view means broken outlines.
        if !(height_mm > 4.0 && height_mm.is_finite()) {
            return Err(DiscFrameError::Degenerate);
        }
        Ok(Self {
            center_image: (uia + uip + lsa + lsp) / 4.0 / pixel,
            posterior,
            inferior,
            mm_per_patch_pixel: height_mm / PATCH_ROWS as f64,
            pixel_size_mm: pixel,
            mid_slice: 0,
            slice_step: 1,
            slice_scales: Arc::from([]),
            black: 0.0,
            intensity: 0.0,
        })
    }

    /// The frame that shows the same disc with `change` applied; sampling it augments the disc volume in one resampling.
    #[must_use]
    pub(crate) fn augmented(&self, change: &PatchAugmentation) -> Self {
        let (sin, cos) = change.rotation.sin_cos();
        let mm = self.mm_per_patch_pixel;
        let shift_mm = (self.posterior * change.shift.x + self.inferior * change.shift.y) * mm;
        Self {
            center_image: self.center_image + shift_mm / self.pixel_size_mm,
            posterior: self.posterior * cos + self.inferior * sin,
            inferior: self.inferior * cos - self.posterior * sin,
            mm_per_patch_pixel: mm / change.scale,
            mid_slice: self.mid_slice + change.slice_shift * self.slice_step,
            slice_step: if change.mirror_slices { -self.slice_step } else { self.slice_step },
            intensity: self.intensity + change.intensity,
            ..self.clone()
        }
    }

    /// Image position (x, y) of a patch position.
    #[must_use]
    pub(crate) fn image_from_patch(&self, row: f64, column: f64) -> DVec2 {
        let across = self.posterior * (column - MID_COLUMN) + self.inferior * (row - MID_ROW);
        self.center_image + across * self.mm_per_patch_pixel / self.pixel_size_mm
    }

    /// Patch position `[row, column]` of an image position; inverse of [`Self::image_from_patch`].
    #[must_use]
    pub(crate) fn patch_from_image(&self, image: DVec2) -> [f64; 2] {
        let mm = (image - self.center_image) * self.pixel_size_mm / self.mm_per_patch_pixel;
        [mm.dot(self.inferior) + MID_ROW, mm.dot(self.posterior) + MID_COLUMN]
    }

    /// Scan slice shown by a patch slice; may lie outside the scan.
    #[must_use]
    pub(crate) fn scan_from_patch_slice(&self, slice: f64) -> f64 {
        self.mid_slice as f64 + (slice - MID_SLICE) * self.slice_step as f64
    }

    /// Fractional patch slice of a scan slice; inverse of [`Self::scan_from_patch_slice`].
    #[must_use]
    pub(crate) fn patch_from_scan_slice(&self, slice: f64) -> f64 {
        (slice - self.mid_slice as f64) / self.slice_step as f64 + MID_SLICE
    }

    /// Scan slices from one patch slice to the next; more than one where the scan's are thin.
    #[must_use]
    pub fn slice_step(&self) -> usize {
        self.slice_step.unsigned_abs()
    }

    /// The scan slice under a patch slice, where the scan has one that can be normalized.
    #[must_use]
    pub(crate) fn scan_slice(&self, patch_slice: usize) -> Option<usize> {
        self.scan_slice_beside(patch_slice as isize)
    }

    /// The display window in which the two bodies are mid-gray on a scan slice, as the network sees them; `None` where the
    /// slice cannot be normalized.
    #[must_use]
    pub(crate) fn window(&self, slice: usize) -> Option<WindowLevel> {
        self.slice_scales.get(slice).filter(|scale| **scale > 0.0).map(|scale| mid_gray(self.black, 0.5 / scale))
    }

    /// As [`Self::scan_slice`], also before the first and after the last patch slice.
    fn scan_slice_beside(&self, patch_slice: isize) -> Option<usize> {
        let slice = self.mid_slice + (patch_slice - PATCH_SLICES as isize / 2) * self.slice_step;
        let slice = usize::try_from(slice).ok()?;
        self.slice_scales.get(slice).filter(|scale| **scale > 0.0).map(|_| slice)
    }

    /// The scan slice to read for a patch slice. A scan of a single slice shows it on all of them: the network learns single
    /// slices so, and must not take missing neighbors for a finding.
    fn shown_slice(&self, patch_slice: isize) -> Option<usize> {
        match *self.slice_scales {
            [scale] => (scale > 0.0).then_some(0),
            _ => self.scan_slice_beside(patch_slice),
        }
    }

    /// Whether every slice of the disc volume shows the only one that the scan has.
    #[must_use]
    pub fn repeats_one_slice(&self) -> bool {
        self.slice_scales.len() == 1
    }

    /// Place of the disc volume in the patient: nine slices with their own origins, beyond the ends of the scan as far apart
    /// as its outermost. Columns run to the back, rows down.
    ///
    /// # Errors
    /// If an augmentation scaled the frame to nothing.
    pub(crate) fn geometry(&self, scan: &VolumeGeometry) -> Result<VolumeGeometry, GeometryError> {
        let at = |slice: f64, row: f64, column: f64| {
            let image = self.image_from_patch(row, column);
            scan.lps_from_voxel([self.scan_from_patch_slice(slice), image.y, image.x])
        };
        let along = |row: f64, column: f64| (at(0.0, row, column) - at(0.0, 0.0, 0.0)).normalize_or_zero();
        let origins = (0..PATCH_SLICES).map(|slice| at(slice as f64, 0.0, 0.0)).collect();
        let (across, down) = (along(0.0, PATCH_COLUMNS as f64), along(PATCH_ROWS as f64, 0.0));
        VolumeGeometry::new(origins, across, down, self.mm_per_patch_pixel, self.mm_per_patch_pixel)
    }

    /// Edge of a patch pixel in mm.
    #[must_use]
    pub(crate) fn mm_per_patch_pixel(&self) -> f64 {
        self.mm_per_patch_pixel
    }

    /// Sides of a pixel of the image, in pixels of the disc volume.
    #[must_use]
    pub(crate) fn image_pixel_in_patch(&self) -> DVec2 {
        self.pixel_size_mm / self.mm_per_patch_pixel
    }

    /// Reads the disc volume out of the scan by bilinear interpolation, normalized and clipped.
    #[must_use]
    pub fn sample(&self, volume: &Volume) -> DiscVolume {
        let mut voxels = vec![0.0; PATCH_VOXELS];
        voxels.par_chunks_mut(PATCH_ROWS * PATCH_COLUMNS).enumerate().for_each(|(patch_slice, pixels)| {
            self.sample_slice(volume, patch_slice, pixels);
        });
        DiscVolume { voxels, frame: self.clone() }
    }

    /// Reads one slice of the disc volume into `pixels` (row-major); left as it is, and `false` returned, where the
    /// scan has no slice there.
    ///
    /// # Panics
    /// If `pixels` is shorter than a patch slice.
    pub(crate) fn sample_slice(&self, volume: &Volume, patch_slice: usize, pixels: &mut [f32]) -> bool {
        self.sample_plane(volume, patch_slice as isize, 0, &mut pixels[..PATCH_ROWS * PATCH_COLUMNS])
    }

    /// Reads the disc volume and what lies around it, normalized as the disc volume is:
    /// `[WIDE_SLICES, WIDE_ROWS, WIDE_COLUMNS]`, zero where the scan has nothing.
    #[must_use]
    pub(crate) fn sample_wide(&self, volume: &Volume) -> Vec<f32> {
        let mut voxels = vec![0.0; WIDE_VOXELS];
        voxels.par_chunks_mut(WIDE_ROWS * WIDE_COLUMNS).enumerate().for_each(|(slice, pixels)| {
            self.sample_plane(volume, slice as isize - WIDE_SLICE_MARGIN as isize, WIDE_MARGIN, pixels);
        });
        voxels
    }

    /// Reads one slice of [`Self::sample_wide`], `[WIDE_ROWS, WIDE_COLUMNS]`, by the index of its patch slice; zero, and
    /// `false` returned, where the scan has no slice there.
    #[must_use]
    pub(crate) fn sample_wide_slice(&self, volume: &Volume, patch_slice: isize) -> (Vec<f32>, bool) {
        let mut pixels = vec![0.0; WIDE_ROWS * WIDE_COLUMNS];
        let is_there = self.sample_plane(volume, patch_slice, WIDE_MARGIN, &mut pixels);
        (pixels, is_there)
    }

    /// Reads a slice with `margin` pixels more on every side.
    fn sample_plane(&self, volume: &Volume, patch_slice: isize, margin: usize, pixels: &mut [f32]) -> bool {
        let Some(slice) = self.shown_slice(patch_slice).filter(|slice| *slice < volume.slices()) else {
            return false;
        };
        let scale = self.slice_scales[slice];
        let step = self.posterior * self.mm_per_patch_pixel / self.pixel_size_mm;
        let margin_pixels = margin as f64;
        for (row, line) in pixels.chunks_exact_mut(PATCH_COLUMNS + 2 * margin).enumerate() {
            let start = self.image_from_patch(row as f64 - margin_pixels, -margin_pixels);
            for (column, voxel) in line.iter_mut().enumerate() {
                let at = start + step * column as f64;
                let value = volume.sample_bilinear(slice, at.x, at.y);
                *voxel = value.map_or(0.0, |value| ((value - self.black) * scale + self.intensity).clamp(0.0, 1.0));
            }
        }
        true
    }
}

/// Per scan slice, the factor that brings the median of the disc's two bodies to 0.5.
fn slice_scales(volume: &Volume, disc: &Disc) -> Arc<[f32]> {
    let scale = |slice| median_of_bodies(volume, slice, [&disc.upper, &disc.lower]).map_or(0.0, |median| 0.5 / median);
    (0..volume.slices()).map(scale).collect()
}

/// A disc volume: voxels `[9, 112, 224]` in [0, 1] and the frame they were read with.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscVolume {
    /// Voxels `[slice, row, column]`, slice-major.
    pub voxels: Vec<f32>,
    /// Where they lie in the scan.
    pub frame: DiscFrame,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{DiscLevel, Vertebra, VertebraLabel, VertebraOutline};
    use glam::DVec3;

    /// A body as a rectangle in millimeters around `center`, rotated, on pixels of 0.5 × 0.8 mm.
    fn body(label: VertebraLabel, center: DVec2, angle: f64, mirrored: bool) -> Vertebra {
        let pixel = DVec2::new(0.8, 0.5);
        let (sin, cos) = angle.sin_cos();
        let at = |x: f64, y: f64| {
            let x = if mirrored { -x } else { x };
            (center + DVec2::new(x * cos - y * sin, x * sin + y * cos)) / pixel
        };
        let corners = Corners { sa: at(-17.0, -13.0), sp: at(17.0, -13.0), ip: at(17.0, 13.0), ia: at(-17.0, 13.0) };
        let outlines = (0..5).map(|slice| VertebraOutline { slice, corners }).collect();
        Vertebra { label, confidence: 1.0, outlines }
    }

    fn scan(slices: usize, spacing: f64, value: impl Fn(usize, usize, usize) -> f32) -> Volume {
        let origins = (0..slices).map(|slice| DVec3::new(slice as f64 * spacing, 0.0, 0.0)).collect();
        let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 0.5, 0.8).expect("valid geometry");
        let mut voxels = Vec::new();
        for slice in 0..slices {
            for row in 0..300 {
                voxels.extend((0..150).map(|column| value(slice, row, column)));
            }
        }
        Volume::new(300, 150, voxels, geometry).expect("matching size")
    }

    fn disc(angle: f64, mirrored: bool) -> Disc {
        let down = DVec2::from_angle(angle).perp() * 18.0;
        let center = DVec2::new(60.0, 75.0);
        let upper = body(VertebraLabel::L4, center - down, angle, mirrored);
        let lower = body(VertebraLabel::L5, center + down, angle, mirrored);
        Disc::between(DiscLevel::L4L5, &upper, &lower).expect("outlines")
    }

    #[test]
    fn patch_and_image_coordinates_round_trip() {
        let volume = scan(5, 4.0, |_, _, _| 1.0);
        for (angle, mirrored) in [(0.0, false), (0.4, false), (-0.7, true)] {
            let change = PatchAugmentation {
                rotation: 0.2,
                shift: DVec2::new(30.0, -20.0),
                slice_shift: 1,
                scale: 1.1,
                intensity: 0.0,
                mirror_slices: true,
            };
            let frame = DiscFrame::of_disc(&volume, &disc(angle, mirrored)).expect("good outlines");
            for frame in [frame.clone(), frame.augmented(&change)] {
                for (row, column) in [(0.0, 0.0), (111.0, 223.0), (10.5, 77.25)] {
                    let [r, c] = frame.patch_from_image(frame.image_from_patch(row, column));
                    assert!((r - row).abs() < 1e-9 && (c - column).abs() < 1e-9);
                }
                assert!((frame.patch_from_scan_slice(frame.scan_from_patch_slice(6.5)) - 6.5).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_disc_is_centered_horizontal_and_shows_forty_percent_of_each_body() {
        let volume = scan(5, 4.0, |_, _, _| 1.0);
        let disc = disc(0.3, false);
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        // 10 mm of disc and 0.4 × 26 mm of each body over 112 rows.
        assert!((frame.mm_per_patch_pixel() - 30.8 / 112.0).abs() < 1e-9);
        let corners = disc.upper.corners_at(2.0).expect("outlines");
        let ([ia_row, ia_column], [ip_row, ip_column]) =
            (frame.patch_from_image(corners.ia), frame.patch_from_image(corners.ip));
        assert!((ia_row - ip_row).abs() < 1e-6, "the endplate is horizontal");
        assert!(ia_column < ip_column, "anterior is on the left");
        assert!((0.5 * (ia_column + ip_column) - MID_COLUMN).abs() < 1e-6);
    }

    #[test]
    fn a_mirrored_scan_gives_the_same_patch_orientation() {
        let volume = scan(5, 4.0, |_, _, _| 1.0);
        let disc = disc(0.0, true);
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        let corners = disc.upper.corners_at(2.0).expect("outlines");
        assert!(frame.patch_from_image(corners.ia)[1] < frame.patch_from_image(corners.ip)[1]);
        assert!(frame.patch_from_image(corners.sa)[0] < frame.patch_from_image(corners.ia)[0]);
    }

    #[test]
    fn a_scan_of_one_slice_shows_it_on_every_slice_of_the_disc_volume() {
        let volume = scan(1, 4.0, |_, row, column| 60.0 + (row as f32 * 0.3).sin() * 20.0 + column as f32);
        let mut disc = disc(0.2, false);
        for body in [&mut disc.upper, &mut disc.lower] {
            body.outlines.truncate(1);
        }
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        let patch = frame.sample(&volume);
        let slices: Vec<&[f32]> = patch.voxels.chunks_exact(PATCH_ROWS * PATCH_COLUMNS).collect();
        assert!(slices[0].iter().any(|voxel| *voxel > 0.3) && slices.iter().all(|slice| *slice == slices[0]));
        let wide = frame.sample_wide(&volume);
        let mut planes = wide.chunks_exact(WIDE_ROWS * WIDE_COLUMNS);
        let first = planes.next().expect("slices");
        assert!(planes.all(|plane| plane == first));
        // Only the middle one is the scan's, so what is found there is shown once.
        assert_eq!((frame.scan_slice(3), frame.scan_slice(4), frame.scan_slice(5)), (None, Some(0), None));
    }

    #[test]
    fn each_slice_has_its_vertebral_median_at_one_half_and_missing_slices_are_zero() {
        let volume = scan(5, 4.0, |slice, row, _| if row < 30 { 0.0 } else { 100.0 * (slice + 1) as f32 });
        let patch = DiscFrame::of_disc(&volume, &disc(0.1, false)).expect("good outlines").sample(&volume);
        let slices: Vec<f32> = patch
            .voxels
            .chunks_exact(PATCH_ROWS * PATCH_COLUMNS)
            .map(|pixels| pixels[PATCH_ROWS / 2 * PATCH_COLUMNS + PATCH_COLUMNS / 2])
            .collect();
        assert_eq!(slices, [0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn thin_slices_are_stepped_over_so_that_nine_span_a_vertebra() {
        let volume = scan(30, 0.9, |_, _, _| 1.0);
        let frame = DiscFrame::of_disc(&volume, &disc(0.0, false)).expect("good outlines");
        assert_eq!(frame.scan_from_patch_slice(5.0) - frame.scan_from_patch_slice(4.0), 4.0);
    }

    #[test]
    fn collapsed_outlines_are_refused() {
        let volume = scan(5, 4.0, |_, _, _| 1.0);
        let mut disc = disc(0.0, false);
        for outline in disc.upper.outlines.iter_mut().chain(&mut disc.lower.outlines) {
            outline.corners = Corners::from_array([DVec2::new(5.0, 5.0); 4]);
        }
        assert_eq!(DiscFrame::of_disc(&volume, &disc), Err(DiscFrameError::Degenerate));
        disc.upper.outlines.clear();
        assert_eq!(DiscFrame::of_disc(&volume, &disc), Err(DiscFrameError::NoOutline));
    }
}
