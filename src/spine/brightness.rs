//! How bright vertebral bodies are on a slice: what images are scaled and shown by.

use glam::DVec2;

use super::{Corners, Vertebra};
use crate::volume::{Volume, WindowLevel};

/// The display window of a slice in which the vertebral bodies are mid-gray and no signal is black; `None` where no body is
/// seen, or they are black.
#[must_use]
pub(crate) fn vertebral_window(volume: &Volume, vertebrae: &[Vertebra], slice: usize) -> Option<WindowLevel> {
    median_of_bodies(volume, slice, vertebrae).map(|signal| mid_gray(volume.black(), signal))
}

/// The window that shows a `signal` above `black` mid-gray.
pub(super) fn mid_gray(black: f32, signal: f32) -> WindowLevel {
    WindowLevel { center: black + signal, width: 2.0 * signal }
}

/// The median of the signal inside the bodies on a slice, counted from [`Volume::black`]; `None` where nothing does, or it is not above zero: a body that
/// is black there (outside the saturation-free field) cannot set a scale.
pub(super) fn median_of_bodies<'a>(
    volume: &Volume,
    slice: usize,
    bodies: impl IntoIterator<Item = &'a Vertebra>,
) -> Option<f32> {
    let mut values = Vec::new();
    for corners in bodies.into_iter().filter_map(|body| body.corners_at(slice as f64)) {
        collect_inside(volume, slice, &corners, &mut values);
    }
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    Some(*median - volume.black()).filter(|median| *median > 0.0 && median.is_finite())
}

fn collect_inside(volume: &Volume, slice: usize, corners: &Corners, values: &mut Vec<f32>) {
    let points = corners.as_array();
    let low = points.iter().fold(DVec2::INFINITY, |low, point| low.min(*point)).max(DVec2::ZERO);
    let high = points.iter().fold(DVec2::NEG_INFINITY, |high, point| high.max(*point));
    let (columns, rows) = (volume.columns(), volume.rows());
    let pixels = volume.slice(slice);
    for row in low.y.ceil() as usize..rows.min((high.y.max(0.0) as usize).saturating_add(1)) {
        for column in low.x.ceil() as usize..columns.min((high.x.max(0.0) as usize).saturating_add(1)) {
            if corners.contains(DVec2::new(column as f64, row as f64)) {
                values.push(pixels[row * columns + column]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use glam::DVec3;

    use super::*;
    use crate::spine::{VertebraLabel, VertebraOutline};
    use crate::volume::VolumeGeometry;

    #[test]
    fn bodies_are_mid_gray_whatever_the_rest_of_the_image() {
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
        let inside = |index: usize| (10..=20).contains(&(index % 40)) && (5..=15).contains(&(index / 40));
        let voxels = |body: f32| (0..40 * 40).map(|index| if inside(index) { body } else { 900.0 }).collect();
        let volume = |body| Volume::new(40, 40, voxels(body), geometry.clone()).expect("matching size");
        let at = DVec2::new;
        let corners = Corners { sa: at(10.0, 5.0), sp: at(20.0, 5.0), ip: at(20.0, 15.0), ia: at(10.0, 15.0) };
        let outlines = vec![VertebraOutline { slice: 0, corners }];
        let body = [Vertebra { label: VertebraLabel::L4, confidence: 1.0, outlines }];
        let window = vertebral_window(&volume(120.0), &body, 0).expect("a body");
        assert_eq!((window.apply(120.0), window.apply(0.0), window.apply(900.0)), (0.5, 0.0, 1.0));
        assert_eq!(vertebral_window(&volume(0.0), &body, 0), None, "a black body");
        // Of 1,000 more, the same gray.
        let moved: Vec<f32> =
            volume(120.0).voxels().iter().map(|value| if *value == 900.0 { 1000.0 } else { 1700.0 }).collect();
        let moved = Volume::new(40, 40, moved, geometry.clone()).expect("matching size");
        let window = vertebral_window(&moved, &body, 0).expect("a body");
        assert_eq!((window.apply(1700.0), window.apply(1000.0)), (0.5, 0.0));
        assert_eq!(vertebral_window(&volume(120.0), &[], 0), None);
    }
}
