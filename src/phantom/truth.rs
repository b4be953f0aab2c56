//! What a perfect reader would draw: outlines of bodies and boxes of findings on every slice.

use glam::{DVec2, DVec3};

use super::body::Body;
use super::disc::DiscBody;
use super::imaging::Acquisition;
use super::pathology::{EndplateLesions, Pathology};
use super::scene::Scene;
use crate::spine::{BoxSource, Corners, Grading, PixelBox, SliceBox, Vertebra, VertebraOutline};

/// A dent shallower than this is not boxed, mm.
const LEAST_DEPTH_MM: f64 = 1.0;
/// Room that a reader leaves around a finding, mm.
const ROOM_MM: f64 = 1.0;

/// Projects patient positions onto one slice.
struct SlicePlane<'a> {
    acquisition: &'a Acquisition,
    slice: usize,
}

impl SlicePlane<'_> {
    /// Image position of a patient position, and its distance from the slice along the normal.
    fn project(&self, lps: DVec3) -> (DVec2, f64) {
        let geometry = &self.acquisition.geometry;
        let from = lps - geometry.slice_origins_lps()[self.slice];
        let image = DVec2::new(from.dot(geometry.column_direction()), from.dot(geometry.row_direction()));
        (image / geometry.pixel_size_mm(), from.dot(geometry.normal()))
    }

    /// How far left of the origin of a structure (own coordinates) the slice cuts it, near its own point (0, y, z).
    fn lateral(&self, lps_from_local: impl Fn(DVec3) -> DVec3, near: DVec2) -> f64 {
        let offset = |x: f64| self.project(lps_from_local(DVec3::new(x, near.x, near.y))).1;
        // The offset is linear in x.
        let (at_0, at_1) = (offset(0.0), offset(1.0));
        at_0 / (at_0 - at_1)
    }

    /// The smallest box around patient positions, with the reader's room, cut at the image's edge; `None` off it.
    fn rect(&self, points: &[DVec3]) -> Option<PixelBox> {
        let room = DVec2::splat(ROOM_MM) / self.acquisition.geometry.pixel_size_mm();
        let images = points.iter().map(|point| self.project(*point).0);
        let (low, high) = images.fold((DVec2::INFINITY, DVec2::NEG_INFINITY), |(low, high), image| {
            (low.min(image - room), high.max(image + room))
        });
        let edge = DVec2::new(self.acquisition.columns() as f64 - 0.5, self.acquisition.rows() as f64 - 0.5);
        let (low, high) = (low.max(DVec2::splat(-0.5)), high.min(edge));
        (low.x < high.x && low.y < high.y).then(|| PixelBox::from_corners(low.into(), high.into()))
    }
}

/// Outlines of the labelled bodies that lie wholly in the image, from the thorax down.
pub(super) fn vertebrae(scene: &Scene, acquisition: &Acquisition) -> Vec<Vertebra> {
    scene
        .spine
        .bodies
        .iter()
        .filter_map(|body| {
            let outlines: Vec<VertebraOutline> =
                (0..acquisition.geometry.slices()).filter_map(|slice| outline(body, acquisition, slice)).collect();
            let label = body.label.filter(|_| !outlines.is_empty())?;
            Some(Vertebra { label, confidence: 1.0, outlines })
        })
        .collect()
}

fn outline(body: &Body, acquisition: &Acquisition, slice: usize) -> Option<VertebraOutline> {
    let plane = SlicePlane { acquisition, slice };
    let mut corners = [DVec2::ZERO; 4];
    for (index, corner) in corners.iter_mut().enumerate() {
        // An oblique slice cuts each corner at another distance from the midline.
        let near = body.measures.corners[index];
        let lateral = plane.lateral(|local| body.frame.lps(local), near);
        let at = body.visible_corners(lateral)?[index];
        *corner = plane.project(body.frame.lps(DVec3::new(lateral, at.x, at.y))).0;
    }
    let edge = DVec2::new(acquisition.columns() as f64 - 2.0, acquisition.rows() as f64 - 2.0);
    let inside = corners.iter().all(|corner| corner.cmpge(DVec2::ONE).all() && corner.cmple(edge).all());
    inside.then_some(VertebraOutline { slice, corners: Corners::from_array(corners) })
}

/// Boxes of endplate defects, marrow changes, slips and stenoses.
pub(super) fn boxes(scene: &Scene, acquisition: &Acquisition, pathology: &Pathology) -> Vec<SliceBox> {
    let mut found = Vec::new();
    for (level, finding) in &pathology.discs {
        let (upper, lower) = (scene.spine.body(level.upper()), scene.spine.body(level.lower()));
        let Some(disc) = scene.spine.discs.iter().find(|disc| disc.level == Some(*level)) else {
            continue;
        };
        for slice in 0..acquisition.geometry.slices() {
            let plane = SlicePlane { acquisition, slice };
            let mut add = |grading: Grading, points: &[DVec3]| {
                if let Some(rect) = plane.rect(points).filter(|_| finding.grades[grading] == 1 && !points.is_empty()) {
                    let (level, source) = (*level, BoxSource::Reader);
                    found.push(SliceBox { level, grading, slice, rect, source, percentile: None });
                }
            };
            let (defect, marrow) = endplate_points(&plane, upper, false, &finding.upper);
            add(Grading::UpperEndplateDefect, &defect);
            add(Grading::UpperMarrowChange, &marrow);
            let (defect, marrow) = endplate_points(&plane, lower, true, &finding.lower);
            add(Grading::LowerEndplateDefect, &defect);
            add(Grading::LowerMarrowChange, &marrow);
            add(Grading::Spondylolisthesis, &slip_points(&plane, upper, lower));
            add(Grading::CentralCanalStenosis, &stenosis_points(&plane, scene, disc));
        }
    }
    found
}

/// Outer points of the dents and of the changed marrow of an endplate on a slice.
fn endplate_points(
    plane: &SlicePlane<'_>,
    body: &Body,
    superior: bool,
    lesions: &EndplateLesions,
) -> (Vec<DVec3>, Vec<DVec3>) {
    let near = body.endplate_point(superior, 0.0, 0.0);
    let lateral = plane.lateral(|local| body.frame.lps(local), near);
    // A lesion counts only where there is bone to hold it.
    let Some(corners) = body.visible_corners(lateral) else {
        return (Vec::new(), Vec::new());
    };
    let middle = body.endplate_point(superior, 0.0, 0.0).x;
    let ends = if superior { [corners[0].x, corners[1].x] } else { [corners[3].x, corners[2].x] };
    let [front, back] = ends.map(|end| end - middle);
    let points = |depth_at: &dyn Fn(f64) -> f64| {
        let steps = ((back - front) / 0.5).max(0.0) as usize;
        let mut points = Vec::new();
        for along in (0..=steps).map(|step| front + 0.5 * step as f64) {
            let depth = depth_at(along);
            if depth >= LEAST_DEPTH_MM {
                for at in [0.0, depth].map(|depth| body.endplate_point(superior, along, depth)) {
                    points.push(body.frame.lps(DVec3::new(lateral, at.x, at.y)));
                }
            }
        }
        points
    };
    let dent = |along: f64| lesions.notches.iter().map(|notch| notch.depth_at(along, lateral)).fold(0.0, f64::max);
    let marrow = |along: f64| lesions.marrow.map_or(0.0, |change| change.thickness_at(along, lateral));
    (points(&dent), points(&marrow))
}

/// The corners facing each other across a slipped disc.
fn slip_points(plane: &SlicePlane<'_>, upper: &Body, lower: &Body) -> Vec<DVec3> {
    let mut points = Vec::new();
    for (body, indices) in [(upper, [2, 3]), (lower, [0, 1])] {
        for index in indices {
            let lateral = plane.lateral(|local| body.frame.lps(local), body.measures.corners[index]);
            let Some(corners) = body.visible_corners(lateral) else {
                return Vec::new();
            };
            points.push(body.frame.lps(DVec3::new(lateral, corners[index].x, corners[index].y)));
        }
    }
    points
}

/// The canal behind a disc, on the slices that cut the sac.
fn stenosis_points(plane: &SlicePlane<'_>, scene: &Scene, disc: &DiscBody) -> Vec<DVec3> {
    let behind = DVec2::new(disc.half_depth, 0.0);
    let lateral = plane.lateral(|local| disc.frame.lps(local), behind);
    let at = disc.frame.lps(DVec3::new(lateral, behind.x, behind.y));
    let station = scene.surroundings.profile().at(at.z);
    if (at.x - station.x).abs() > 0.8 * station.sac_half_width {
        return Vec::new();
    }
    // Beyond it the sac has two thirds of its narrowing or less (see `profile`).
    let half_height = disc.half_gaps[1] + 1.0;
    [(0.0, -half_height), (station.canal_depth, -half_height), (0.0, half_height), (station.canal_depth, half_height)]
        .into_iter()
        .map(|(depth, height)| disc.frame.lps(DVec3::new(lateral, behind.x + depth, height)))
        .collect()
}
