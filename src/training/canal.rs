//! Width of the spinal canal behind a disc, read off a mask: a label of stenosis where no reader gave one.
//!
//! Verbiest 1977 calls a canal of 10 mm or less from front to back stenosed and one of 10 to 12 mm relatively so; the
//! Framingham Study (Kalichman et al., Spine J 9:545, 2009) used the same limits. Between the two nothing is claimed.

use glam::DVec2;
use image::GrayImage;

use super::labels::ClassSet;
use crate::spine::Corners;

/// Value of the canal in the masks of the data set.
const CANAL: u8 = 150;

/// At most this wide: stenosed.
const STENOSED_MM: f64 = 10.0;
/// At least this wide: not stenosed.
const WIDE_MM: f64 = 12.0;

/// How far above and below the middle of the disc the canal is measured.
const REACH_MM: f64 = 6.0;
/// How far in front of and behind the disc's posterior border the canal is looked for.
const BEFORE_MM: f64 = 6.0;
const BEHIND_MM: f64 = 40.0;
const STEP_MM: f64 = 0.25;

/// The narrowest front-to-back width of the canal at the disc between two bodies on one sagittal slice, in mm; `None` if
/// the mask shows no canal there. `pixel_size_mm` is (x, y).
pub(super) fn canal_width_mm(mask: &GrayImage, upper: &Corners, lower: &Corners, pixel_size_mm: DVec2) -> Option<f64> {
    let posterior = (upper.ip + lower.sp) * 0.5 * pixel_size_mm;
    let anterior = (upper.ia + lower.sa) * 0.5 * pixel_size_mm;
    let backward = (posterior - anterior).try_normalize()?;
    let along = backward.perp();
    let is_canal = |at: DVec2| {
        let pixel = (at / pixel_size_mm).round();
        let inside = pixel.cmpge(DVec2::ZERO).all();
        inside && mask.get_pixel_checked(pixel.x as u32, pixel.y as u32).is_some_and(|value| value.0[0] == CANAL)
    };
    let steps =
        |from: f64, to: f64| (0..=((to - from) / STEP_MM) as usize).map(move |step| from + step as f64 * STEP_MM);
    let width = |offset: f64| {
        let on_line = steps(-BEFORE_MM, BEHIND_MM).filter(|t| is_canal(posterior + along * offset + backward * *t));
        on_line.count() as f64 * STEP_MM
    };
    steps(-REACH_MM, REACH_MM).map(width).filter(|width| *width > 0.0).min_by(f64::total_cmp)
}

/// What the widths on several slices say: the widest is that of the midline.
pub(super) fn stenosis_label(widths_mm: impl IntoIterator<Item = f64>) -> ClassSet {
    match widths_mm.into_iter().max_by(f64::total_cmp) {
        Some(width) if width <= STENOSED_MM => ClassSet::exactly(1),
        Some(width) if width >= WIDE_MM => ClassSet::exactly(0),
        _ => ClassSet::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    #[test]
    fn the_narrowest_place_behind_the_disc_is_measured() {
        // Pixels of 0.5 mm (x) and 1 mm (y). The canal is 14 mm wide, at the disc 9 mm.
        let pixel = DVec2::new(0.5, 1.0);
        let mask = GrayImage::from_fn(200, 100, |x, y| {
            let front = if (48..=52).contains(&y) { 90 } else { 80 };
            Luma([if (front..108).contains(&x) { CANAL } else { 0 }])
        });
        let body = |top: f64, bottom: f64| Corners {
            sa: DVec2::new(10.0, top),
            sp: DVec2::new(78.0, top),
            ip: DVec2::new(78.0, bottom),
            ia: DVec2::new(10.0, bottom),
        };
        let (upper, lower) = (body(20.0, 46.0), body(54.0, 80.0));
        let width = canal_width_mm(&mask, &upper, &lower, pixel).expect("a canal");
        assert!((width - 9.0).abs() <= 0.5, "{width}");
        assert_eq!(canal_width_mm(&GrayImage::new(200, 100), &upper, &lower, pixel), None);
    }

    #[test]
    fn the_midline_decides_and_the_borderline_says_nothing() {
        assert_eq!(stenosis_label([4.0, 9.5, 8.0]), ClassSet::exactly(1));
        assert_eq!(stenosis_label([4.0, 13.0]), ClassSet::exactly(0));
        assert_eq!(stenosis_label([11.0]), ClassSet::UNKNOWN);
        assert_eq!(stenosis_label([]), ClassSet::UNKNOWN);
    }
}
