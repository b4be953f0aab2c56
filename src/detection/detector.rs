//! Runs the detector over a scan.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use glam::{DVec2, DVec3};
use rayon::prelude::*;

use super::DetectionError;
use super::canvas::{CanvasFrame, SlicePicture, standard_directions};
use super::chain::{self, Chain};
use super::contrast::{ImageContrast, contrast_of};
use super::decode::{Candidate, SliceOutput};
use super::tracks::{Sighting, Track, link};
use crate::model::WeightsInfo;
use crate::model::detector::{DETECTOR_WEIGHTS, DetectorConfig, DetectorNetwork, OUTPUT_STRIDE};
use crate::model::find_weights;
use crate::spine::{Corners, Vertebra, VertebraOutline};
use crate::task::{CancelToken, Progress};
use crate::volume::{PlaneOrientation, Volume, VolumeGeometry};

/// Slices looked at in stacks that have more.
const MOST_SLICES: usize = 24;
/// Distance from the middle of the stack up to which slices are looked at, mm: vertebral bodies are some 45 mm wide.
const FARTHEST_SLICE_MM: f64 = 40.0;
/// Fewer labelled bodies than this are no spine.
const FEWEST_BODIES: usize = 3;
/// An outline whose corner lies this far from the body's median outline is left out, mm.
const LARGEST_DEVIATION_MM: f64 = 7.0;

/// Height given to a topmost body of which only the lower endplate is in the image, mm.
const CUT_OFF_HEIGHT_MM: f64 = 25.0;
/// A body known by one endplate only is that much less certain.
const CUT_OFF_SCORE: f32 = 0.5;

/// The labelled vertebrae of a scan, from the thorax down; at least three.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// Labelled bodies; a level that was not found is missing.
    pub vertebrae: Vec<Vertebra>,
    /// Probability that the bodies should have names further up, or down.
    pub shifted: [f64; 2],
    /// Contrast of the image, whatever its header says.
    pub contrast: ImageContrast,
}

/// Finds and labels the vertebral bodies of sagittal scans.
pub struct Detector {
    network: DetectorNetwork,
    config: DetectorConfig,
    device: Device,
    info: WeightsInfo,
}

impl Detector {
    /// The detector with the newest weights of the first folder that has any: `user_folder`, then where the program's
    /// own lie (see [`find_weights`]).
    ///
    /// # Errors
    /// If there are no weights, they fail a check, or the device does.
    pub fn load(user_folder: Option<&Path>, device: &Device) -> Result<Self, DetectionError> {
        let loaded = find_weights(DETECTOR_WEIGHTS, user_folder)?.load::<DetectorConfig>(device)?;
        let vb = VarBuilder::from_tensors(loaded.tensors, DType::F32, device);
        let network = DetectorNetwork::new(&loaded.config, vb)?;
        Ok(Self { network, config: loaded.config, device: device.clone(), info: loaded.info })
    }

    /// A detector from a network that is already built, on the device of its tensors; `info` names it in reports.
    #[must_use]
    pub(crate) fn new(network: DetectorNetwork, config: DetectorConfig, device: Device, info: WeightsInfo) -> Self {
        Self { network, config, device, info }
    }

    /// Name, version and hash of the weights.
    #[must_use]
    pub(crate) fn info(&self) -> &WeightsInfo {
        &self.info
    }

    /// Finds the vertebral bodies on the middle slices of a sagittal volume and names them.
    ///
    /// # Errors
    /// If the volume is not sagittal, no spine is found, the work is cancelled, or a tensor operation fails.
    pub fn detect(
        &self,
        volume: &Volume,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Detection, DetectionError> {
        let plane = volume.geometry().plane();
        if plane != PlaneOrientation::Sagittal {
            return Err(DetectionError::NotSagittal(plane));
        }
        let slices = slices_to_look_at(volume.geometry());
        let frame = CanvasFrame::whole_slice(volume, self.config.pixel_mm);
        let standard = StandardPlane::new(volume.geometry());
        let mut seen = Vec::with_capacity(slices.len());
        // Each slice is little work for all threads together, so threads take slices; a GPU takes one at a time.
        let at_once = if self.device.is_cpu() { rayon::current_num_threads() } else { 1 };
        for (batch, slices_of_batch) in slices.chunks(at_once).enumerate() {
            cancel.check()?;
            on_progress(Progress { step: "Finding vertebrae", done: batch * at_once, total: slices.len() });
            let found = |slice: &usize| -> Result<Vec<Candidate>, DetectionError> {
                let picture = SlicePicture::new(volume, *slice, self.config.pixel_mm);
                let on_plane = |canvas: DVec2| standard.of_image(*slice, frame.image_from_canvas(canvas));
                let candidates = self.candidates(&picture, &frame)?;
                Ok(candidates.into_iter().map(|candidate| moved(&candidate, on_plane)).collect())
            };
            let found: Vec<_> = slices_of_batch.par_iter().map(found).collect::<Result<_, _>>()?;
            seen.extend(found);
        }
        on_progress(Progress { step: "Finding vertebrae", done: slices.len(), total: slices.len() });
        let tracks = link(seen);
        let Chain { links, shifted } = chain::fit(&tracks);
        if links.len() < FEWEST_BODIES {
            return Err(DetectionError::NoSpine { bodies: links.len() });
        }
        let named = |label, confidence: f64, track: &Track| Vertebra {
            label,
            confidence: confidence as f32,
            outlines: outlines(track, &slices, &standard),
        };
        let top = &links[0];
        let cut_off = top.label.above(1).zip(cut_off_body(&tracks[top.track]));
        let mut vertebrae: Vec<Vertebra> = cut_off
            .map(|(label, track)| named(label, top.confidence * track.best_score(), &track))
            .into_iter()
            .collect();
        vertebrae.extend(links.iter().map(|link| named(link.label, link.confidence, &tracks[link.track])));
        let contrast = contrast_of(volume, &vertebrae);
        Ok(Detection { vertebrae, shifted, contrast })
    }

    /// Candidates of one slice, positions in canvas pixels of `frame`.
    fn candidates(&self, picture: &SlicePicture, frame: &CanvasFrame) -> Result<Vec<Candidate>, DetectionError> {
        let [rows, columns] = frame.size();
        let input = Tensor::from_vec(picture.sample(frame), (1, 1, rows, columns), &self.device)?;
        let output: Vec<f32> = self.network.forward(&input)?.flatten_all()?.to_vec1()?;

        let output = SliceOutput {
            values: &output,
            rows: rows / OUTPUT_STRIDE,
            columns: columns / OUTPUT_STRIDE,
            pixel_mm: self.config.pixel_mm,
        };
        Ok(output.candidates())
    }
}

/// Slices around the middle of the stack, ascending, evenly thinned to at most [`MOST_SLICES`].
fn slices_to_look_at(geometry: &VolumeGeometry) -> Vec<usize> {
    let count = geometry.slices();
    let middle = (count as f64 - 1.0) / 2.0;
    let reach = geometry.slice_spacing_mm().map_or(0.0, |spacing| FARTHEST_SLICE_MM / spacing.max(1e-3)).min(middle);
    let (first, last) = ((middle - reach).ceil(), (middle + reach).floor());
    let wanted = ((last - first) as usize + 1).min(MOST_SLICES);
    let step = if wanted > 1 { (last - first) / (wanted as f64 - 1.0) } else { 0.0 };
    let mut slices: Vec<usize> = (0..wanted).map(|index| (first + step * index as f64).round() as usize).collect();
    slices.dedup();
    slices
}

/// Millimeters along posterior and inferior, shared by all slices of a stack.
struct StandardPlane {
    posterior: DVec3,
    inferior: DVec3,
    geometry: VolumeGeometry,
}

impl StandardPlane {
    fn new(geometry: &VolumeGeometry) -> Self {
        let [posterior, inferior] = standard_directions(geometry);
        Self { posterior, inferior, geometry: geometry.clone() }
    }

    fn of_lps(&self, lps: DVec3) -> DVec2 {
        DVec2::new(lps.dot(self.posterior), lps.dot(self.inferior))
    }

    fn of_image(&self, slice: usize, image: DVec2) -> DVec2 {
        self.of_lps(self.geometry.lps_from_voxel([slice as f64, image.y, image.x]))
    }

    fn to_image(&self, slice: usize, standard: DVec2) -> DVec2 {
        let from_origin = standard - self.of_lps(self.geometry.slice_origins_lps()[slice]);
        let lps = self.posterior * from_origin.x + self.inferior * from_origin.y;
        let along = DVec2::new(lps.dot(self.geometry.column_direction()), lps.dot(self.geometry.row_direction()));
        along / self.geometry.pixel_size_mm()
    }
}

fn moved(candidate: &Candidate, map: impl Fn(DVec2) -> DVec2) -> Candidate {
    Candidate {
        center: map(candidate.center),
        corners: candidate.corners.map(&map),
        endplate_above: candidate.endplate_above.map(|ends| ends.map(&map)),
        ..candidate.clone()
    }
}

/// The body above the topmost one, where most slices show its lower endplate but the image cuts off its center; its
/// upper corners are extrapolated. The disc between the two is whole, so the body is worth having.
fn cut_off_body(top: &Track) -> Option<Track> {
    let closed = |sighting: &Sighting| {
        let [ip, ia] = sighting.candidate.endplate_above?;
        let corners = Corners::from_lower_endplate(ip, ia, DVec2::ONE, CUT_OFF_HEIGHT_MM)?;
        let candidate = Candidate {
            center: corners.center(),
            corners: corners.as_array(),
            score: sighting.candidate.score * CUT_OFF_SCORE,
            endplate_above: None,
            ..sighting.candidate.clone()
        };
        Some(Sighting { order: sighting.order, candidate })
    };
    let sightings: Vec<Sighting> = top.sightings.iter().filter_map(closed).collect();
    (2 * sightings.len() > top.sightings.len()).then_some(Track { kind: top.kind, sightings })
}

/// The track's outlines in image pixels without those far from their median.
fn outlines(track: &Track, slices: &[usize], standard: &StandardPlane) -> Vec<VertebraOutline> {
    let typical: [DVec2; 4] = std::array::from_fn(|corner| {
        let of = |pick: fn(DVec2) -> f64| {
            median(track.sightings.iter().map(|s| pick(s.candidate.corners[corner])).collect())
        };
        DVec2::new(of(|p| p.x), of(|p| p.y))
    });
    let deviation = |candidate: &Candidate| -> f64 {
        candidate.corners.iter().zip(&typical).map(|(a, b)| a.distance(*b)).fold(0.0, f64::max)
    };
    let mut kept: Vec<_> = track.sightings.iter().filter(|s| deviation(&s.candidate) < LARGEST_DEVIATION_MM).collect();
    if kept.is_empty() {
        kept = track.sightings.iter().collect();
    }
    kept.into_iter()
        .map(|sighting| {
            let slice = slices[sighting.order];
            let corners = sighting.candidate.corners.map(|corner| standard.to_image(slice, corner));
            VertebraOutline { slice, corners: Corners::from_array(corners) }
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] }
}
