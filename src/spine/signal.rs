//! How bright a disc is: what Pfirrmann's grade is read from.

use glam::DVec2;

use super::{Corners, Disc};
use crate::volume::Volume;

/// Part of the disc that is looked at, from front to back and from endplate to endplate: the nucleus, without the fibers
/// of the annulus and the partial volume of the endplates.
const NUCLEUS: [[f64; 2]; 2] = [[0.3, 0.7], [0.3, 0.7]];
/// Where the fluid of the canal lies behind the posterior wall of a body, mm.
const FLUID_MM: [f64; 2] = [3.0, 14.0];
/// Distance between looks into the canal, mm.
const STEP_MM: f64 = 0.5;
/// Looks along a line.
const LOOKS: usize = 16;

/// Mean signal of the nucleus of a disc on its middle slice as a share of that of the fluid in the canal behind the bodies
/// above and below; `None` where either is not in the image, or the canal is black.
///
/// Pfirrmann (Spine 26, 2001) compares the two. The fluid is the median, over the heights of both bodies, of the
/// brightest that lies behind them: neither a root nor a little fat decides. In a collapsed disc, which is hardly thicker
/// than a pixel, the bone beside it counts too.
#[must_use]
pub fn signal_of_fluid(volume: &Volume, disc: &Disc) -> Option<f64> {
    let slice = disc.center_voxel[0].round().max(0.0);
    let (above, below) = (disc.upper.corners_at(slice)?, disc.lower.corners_at(slice)?);
    let slice = (slice as usize).min(volume.slices() - 1);
    let value = |point: DVec2| pixel(volume, slice, point);
    let space = Corners { sa: above.ia, sp: above.ip, ip: below.sp, ia: below.sa };
    let [along, across] = NUCLEUS.map(|[from, to]| move |look: usize| from + (to - from) * share(look));
    let nucleus = (0..LOOKS).flat_map(|row| (0..LOOKS).map(move |column| [row, column]));
    let nucleus: Vec<f64> = nucleus
        .filter_map(|[row, column]| {
            let (ahead, down) = (along(column), across(row));
            value(space.sa.lerp(space.sp, ahead).lerp(space.ia.lerp(space.ip, ahead), down))
        })
        .collect();
    // The lower corners of S1 are an extrapolation, so of the lower body the upper half counts.
    let walls = [(above, [0.0, 1.0]), (below, [0.0, 0.5])];
    let mut fluid: Vec<f64> = walls
        .into_iter()
        .flat_map(|(body, [from, to])| (0..LOOKS).map(move |look| (body, from + (to - from) * share(look))))
        .filter_map(|(body, down)| brightest_behind(volume, slice, &body, down))
        .collect();
    if nucleus.is_empty() || fluid.is_empty() {
        return None;
    }
    let middle = fluid.len() / 2;
    let fluid = *fluid.select_nth_unstable_by(middle, f64::total_cmp).1;
    let mean = nucleus.iter().sum::<f64>() / nucleus.len() as f64;
    (fluid > 0.0).then(|| mean.max(0.0) / fluid)
}

/// Place of a look along its line, 0 to 1.
fn share(look: usize) -> f64 {
    (look as f64 + 0.5) / LOOKS as f64
}

/// The brightest pixel of the canal behind a body, `down` its posterior wall (0 to 1); `None` outside the image.
fn brightest_behind(volume: &Volume, slice: usize, body: &Corners, down: f64) -> Option<f64> {
    let (front, wall) = (body.sa.lerp(body.ia, down), body.sp.lerp(body.ip, down));
    let pixel_mm = volume.geometry().pixel_size_mm();
    let backward = ((wall - front) * pixel_mm).try_normalize()? / pixel_mm;
    let [near, far] = FLUID_MM;
    let steps = ((far - near) / STEP_MM) as usize;
    let values = (0..=steps).map(|step| wall + backward * (near + STEP_MM * step as f64));
    values.filter_map(|point| pixel(volume, slice, point)).reduce(f64::max)
}

/// The signal at an image point; `None` outside the image.
fn pixel(volume: &Volume, slice: usize, point: DVec2) -> Option<f64> {
    let [column, row] = point.round().to_array();
    let inside = column >= 0.0 && row >= 0.0 && column < volume.columns() as f64 && row < volume.rows() as f64;
    inside.then(|| f64::from(volume.slice(slice)[row as usize * volume.columns() + column as usize] - volume.black()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{DiscLevel, Vertebra, VertebraLabel, VertebraOutline};
    use crate::volume::VolumeGeometry;
    use glam::DVec3;

    /// A slice of 1 mm pixels: bodies of 30 × 20 mm ten apart, a disc of 150 between them, fluid of 600 behind.
    #[test]
    fn the_share_is_that_of_the_image() {
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
        let at = |index: usize| (index % 80, index / 80);
        let voxels = |index| match at(index) {
            (56..=66, _) => 600.0,
            (20..=50, 40..=50) => 150.0,
            _ => 20.0,
        };
        let volume = Volume::new(80, 80, (0..80 * 80).map(voxels).collect(), geometry).expect("matching size");
        let body = |label, top: f64| {
            let at = |x, y| DVec2::new(x, top + y);
            let corners = Corners { sa: at(20.0, 0.0), sp: at(50.0, 0.0), ip: at(50.0, 20.0), ia: at(20.0, 20.0) };
            Vertebra { label, confidence: 1.0, outlines: vec![VertebraOutline { slice: 0, corners }] }
        };
        let disc = |top| {
            Disc::between(DiscLevel::L4L5, &body(VertebraLabel::L4, top), &body(VertebraLabel::L5, top + 30.0))
                .expect("outlines")
        };
        assert_eq!(signal_of_fluid(&volume, &disc(20.0)), Some(0.25));
        assert_eq!(signal_of_fluid(&volume, &disc(400.0)), None, "outside the image");
    }
}
