//! The views of a disc that are averaged when it is graded, and how 54 of them cost a few passes.
//!
//! Jamaludin et al. 2017, section 5: the centered patch and eight shifted by ±16 pixels, each also with reversed slices,
//! each at the slice windows −1, 0 and +1. 16 pixels are one step of pool5 and one slice is one step of Conv4, so all
//! shifts and windows are places of one pool5: the trunk reads the disc volume with a margin once as it is and once with
//! reversed slices, and the branches read 27 places of each.
//!
//! What lies beyond a view's border is then the scan itself, where a patch alone has zeros. So a view is defined as a
//! patch with one step of the scan around it, as far as the margin reaches; training shows the network such views beside
//! bare patches. The reference computes each of the 54 in a pass of its own. It differs from the shared passes only by
//! what the trunk sees more than a step beyond a border. Bare patches, as the paper has them, can be asked for too.

use candle_core::{Result, Tensor};
use glam::DVec2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::grader::GraderError;
use super::grading::disc_tensor;
use super::{GradingNetwork, probabilities};
use crate::spine::{
    DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PATCH_VOXELS, PatchAugmentation, PerGrading, WIDE_COLUMNS,
    WIDE_MARGIN, WIDE_ROWS, WIDE_SLICES,
};
use crate::task::CancelToken;
use crate::volume::Volume;
use crate::words::words;

/// Pixels between neighbouring places of pool5: the stride of the trunk.
const STEP: usize = 16;
/// Rows and columns of a patch's pool5.
const POOLED: [usize; 2] = [PATCH_ROWS / STEP, PATCH_COLUMNS / STEP];
/// Places of pool5 along an axis that a view can take: shifted back, centered, shifted on.
const PLACES: usize = 3;

/// How many views of a disc are averaged, and how they are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Views {
    /// The centered view.
    One,
    /// The paper's 54, which share their way through the trunk.
    #[default]
    FiftyFour,
    /// The same 54 views, each in a pass of its own: the reference.
    FiftyFourSeparate,
    /// 54 bare patches, each in a pass of its own, with zeros beyond their borders.
    FiftyFourBare,
}

/// Class probabilities over the views of a disc.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ViewAverage {
    /// Mean of each class.
    pub probabilities: PerGrading<Vec<f32>>,
    /// Standard deviation of each class; 0 of a single view.
    pub deviations: PerGrading<Vec<f32>>,
}

words!(Views, "views", [
    One "1",
    FiftyFour "54",
    FiftyFourSeparate "54-separate",
    FiftyFourBare "54-bare",
]);

impl Views {
    /// Number of views.
    #[must_use]
    pub fn count(self) -> usize {
        self.shifts().len() * self.arrangements().len()
    }

    /// Class probabilities of the disc in `frame`, over the views.
    ///
    /// # Errors
    /// If the device fails, or `cancel` was asked between shifts.
    pub(crate) fn average(
        self,
        network: &GradingNetwork,
        frame: &DiscFrame,
        volume: &Volume,
        cancel: &CancelToken,
    ) -> std::result::Result<ViewAverage, GraderError> {
        let gradings = &network.config().gradings;
        let zeros = || PerGrading::from_fn(gradings.iter().copied(), |grading| vec![0.0_f64; grading.classes()]);
        let (mut sums, mut squares, mut count) = (zeros(), zeros(), 0.0);
        self.classify(network, frame, volume, cancel, &mut |view| {
            count += 1.0;
            for (grading, probabilities) in view.iter() {
                for (class, probability) in probabilities.iter().enumerate() {
                    let probability = f64::from(*probability);
                    sums[grading][class] += probability;
                    squares[grading][class] += probability * probability;
                }
            }
        })?;
        let deviation = |sum: f64, square: f64| (square / count - (sum / count).powi(2)).max(0.0).sqrt() as f32;
        let deviations = squares.map(|grading, squares| {
            sums[grading].iter().zip(squares).map(|(sum, square)| deviation(*sum, *square)).collect()
        });
        let probabilities = sums.map(|_, sums| sums.iter().map(|sum| (sum / count) as f32).collect());
        Ok(ViewAverage { probabilities, deviations })
    }

    /// Gives class probabilities of each view of the disc in `frame` to `on_view`.
    fn classify(
        self,
        network: &GradingNetwork,
        frame: &DiscFrame,
        volume: &Volume,
        cancel: &CancelToken,
        on_view: &mut dyn FnMut(PerGrading<Vec<f32>>),
    ) -> std::result::Result<(), GraderError> {
        let classify = |features: &Tensor, on_view: &mut dyn FnMut(PerGrading<Vec<f32>>)| -> Result<()> {
            probabilities(&network.classify(features, None, None)?)?.into_iter().for_each(on_view);
            Ok(())
        };
        if matches!(self, Self::One | Self::FiftyFourBare) {
            for shift in self.shifts() {
                cancel.check()?;
                let voxels = self.read(frame, volume, shift);
                let input = disc_tensor(voxels.chunks_exact(PATCH_VOXELS), network.device())?;
                classify(&network.pool5(&input)?.flatten_from(1)?, on_view)?;
            }
            return Ok(());
        }
        cancel.check()?;
        let slices = network.config().dimensions.pooled_slices();
        let wide_volumes = || {
            let wide = with_reversed(&frame.sample_wide(volume));
            Tensor::from_vec(wide, (2, WIDE_SLICES, WIDE_ROWS, WIDE_COLUMNS), network.device())
        };
        if self == Self::FiftyFour {
            // The only slice of a scan is the same at every window, reversed or not.
            let (pool5, reflections) = if frame.repeats_one_slice() {
                let (slice, _) = frame.sample_wide_slice(volume, PATCH_SLICES as isize / 2);
                let slice = Tensor::from_vec(slice, (1, WIDE_ROWS, WIDE_COLUMNS), network.device())?;
                (network.pool5_of_equal(&slice, WIDE_SLICES)?, 2)
            } else {
                (network.pool5(&wide_volumes()?)?, 1)
            };
            cancel.check()?;
            let places: Vec<Tensor> =
                Place::all().map(|place| place.features(&pool5, slices)).collect::<Result<_>>()?;
            classify(&Tensor::cat(&places, 0)?, &mut |view| {
                (0..reflections).for_each(|_| on_view(view.clone()));
            })?;
        } else {
            let wide = wide_volumes()?;
            for place in Place::all() {
                cancel.check()?;
                let (surrounded, inside) = place.surrounded(&wide)?;
                classify(&inside.features(&network.pool5(&surrounded)?, slices)?, on_view)?;
            }
        }
        Ok(())
    }

    /// In-plane shifts, patch pixels; the center first.
    fn shifts(self) -> Vec<DVec2> {
        let steps = [0.0, -(STEP as f64), STEP as f64];
        match self {
            Self::One => vec![DVec2::ZERO],
            _ => steps.iter().flat_map(|y| steps.map(|x| DVec2::new(x, *y))).collect(),
        }
    }

    /// Slice windows with and without reflection.
    fn arrangements(self) -> Vec<(isize, bool)> {
        match self {
            Self::One => vec![(0, false)],
            _ => [0, -1, 1].into_iter().flat_map(|window| [(window, false), (window, true)]).collect(),
        }
    }

    /// The disc volumes of one in-plane shift, one after the other. Each slice is read once: windows and reflections
    /// only arrange slices anew.
    fn read(self, frame: &DiscFrame, volume: &Volume, shift: DVec2) -> Vec<f32> {
        const PLANE: usize = PATCH_ROWS * PATCH_COLUMNS;
        let at_window =
            |slice_shift| frame.augmented(&PatchAugmentation { shift, slice_shift, ..PatchAugmentation::NONE });
        let windows = [at_window(-1), at_window(0), at_window(1)];
        // Planes −1 to 9 of the centered window; the outer two are seen through the shifted windows.
        let mut planes = vec![0.0; (PATCH_SLICES + 2) * PLANE];
        planes.par_chunks_mut(PLANE).enumerate().for_each(|(plane, pixels)| {
            let (window, slice) = match plane {
                0 => (&windows[0], 0),
                plane if plane <= PATCH_SLICES => (&windows[1], plane - 1),
                _ => (&windows[2], PATCH_SLICES - 1),
            };
            // Slices that the scan does not have stay zero.
            let _ = window.sample_slice(volume, slice, pixels);
        });
        let mut voxels = Vec::with_capacity(self.arrangements().len() * PATCH_VOXELS);
        for (window, mirrored) in self.arrangements() {
            for slice in 0..PATCH_SLICES {
                let slice = if mirrored { PATCH_SLICES - 1 - slice } else { slice };
                let plane = (slice + 1).saturating_add_signed(window);
                voxels.extend_from_slice(&planes[plane * PLANE..(plane + 1) * PLANE]);
            }
        }
        voxels
    }
}

/// A wide disc volume followed by itself with reversed slices.
fn with_reversed(wide: &[f32]) -> Vec<f32> {
    let slices = wide.chunks_exact(WIDE_ROWS * WIDE_COLUMNS);
    slices.clone().chain(slices.rev()).flatten().copied().collect()
}

/// Where in the pool5 of a wide disc volume a view lies: 0 to 2 along slices, rows and columns, 1 the center.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(pub [usize; 3]);

impl Place {
    /// All places.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let axis = || 0..PLACES;
        axis().flat_map(move |slice| axis().flat_map(move |row| axis().map(move |column| Self([slice, row, column]))))
    }

    /// Patch pixels (columns, rows) by which a view at this place is shifted.
    #[must_use]
    pub(crate) fn shift(self) -> DVec2 {
        let [_, row, column] = self.0.map(|place| (place as f64 - 1.0) * STEP as f64);
        DVec2::new(column, row)
    }

    /// What branches that take `slices` of pool5 read of `pool5` `[n, channels, slices.., rows, columns]` at this place:
    /// `[n, channels · slices · 7 · 14]`. A pool5 of no more slices has one place along them, which every place then
    /// means.
    ///
    /// # Errors
    /// If `pool5` is not that of a wide volume or the device fails.
    pub(crate) fn features(self, pool5: &Tensor, slices: usize) -> Result<Tensor> {
        let [slice, row, column] = self.0;
        let slice = slice.min(pool5.dim(2)?.saturating_sub(slices));
        let [rows, columns] = POOLED;
        pool5.narrow(2, slice, slices)?.narrow(3, row, rows)?.narrow(4, column, columns)?.flatten_from(1)
    }

    /// The part of wide volumes `[n, slices, rows, columns]` that holds the view at this place and one step around it,
    /// and the view's place in that part.
    fn surrounded(self, wide: &Tensor) -> Result<(Tensor, Self)> {
        let steps = [1, STEP, STEP];
        let sizes = [PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS];
        let (mut part, mut inside) = (wide.clone(), [0; 3]);
        for axis in 0..3 {
            let first = self.0[axis].saturating_sub(1);
            inside[axis] = self.0[axis] - first;
            let end = (self.0[axis] + 1).min(PLACES - 1) * steps[axis] + sizes[axis];
            part = part.narrow(axis + 1, first * steps[axis], end - first * steps[axis])?;
        }
        Ok((part.contiguous()?, Self(inside)))
    }
}

const _: () = assert!(WIDE_MARGIN == STEP, "a view is shifted by one step at most");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dimensions, GradingConfig};
    use crate::spine::{Corners, Disc, DiscLevel, Vertebra, VertebraLabel, VertebraOutline};
    use crate::volume::VolumeGeometry;
    use candle_core::{DType, Device};
    use candle_nn::VarBuilder;
    use glam::DVec3;

    /// Eight slices of a pattern that differs everywhere, and a disc in its middle.
    /// The place of the centered view.
    const CENTER: Place = Place([1; 3]);

    fn scan() -> (Volume, Disc) {
        let origins = (0..8).map(|slice| DVec3::X * (4.0 * f64::from(slice))).collect();
        let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
        let value = |index: usize| 60.0 + 40.0 * ((index as f32 * 0.37).sin() + (index as f32 * 0.011).cos());
        let volume = Volume::new(90, 80, (0..8 * 90 * 80).map(value).collect(), geometry).expect("matching size");
        let body = |label, top: f64| {
            let at = |x, y| DVec2::new(x, top + y);
            let corners = Corners { sa: at(20.0, 0.0), sp: at(54.0, 1.0), ip: at(53.0, 26.0), ia: at(21.0, 25.0) };
            Vertebra {
                label,
                confidence: 1.0,
                outlines: (1..6).map(|slice| VertebraOutline { slice, corners }).collect(),
            }
        };
        let (upper, lower) = (body(VertebraLabel::L4, 10.0), body(VertebraLabel::L5, 46.0));
        (volume, Disc::between(DiscLevel::L4L5, &upper, &lower).expect("outlines"))
    }

    #[test]
    fn the_views_are_the_papers_fifty_four() {
        let (volume, disc) = scan();
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        let mut seen = Vec::new();
        for shift in Views::FiftyFourBare.shifts() {
            let voxels = Views::FiftyFourBare.read(&frame, &volume, shift);
            let arrangements = Views::FiftyFourBare.arrangements();
            for (view, (slice_shift, mirror_slices)) in voxels.chunks_exact(PATCH_VOXELS).zip(arrangements) {
                let change = PatchAugmentation { shift, slice_shift, mirror_slices, ..PatchAugmentation::NONE };
                assert_eq!(view, frame.augmented(&change).sample(&volume).voxels, "{change:?}");
                assert!(!seen.contains(&change));
                seen.push(change);
            }
        }
        assert_eq!((seen.len(), Views::FiftyFour.count(), Views::One.count()), (54, 54, 1));
        assert!(seen.contains(&PatchAugmentation::NONE));
        assert!(seen.iter().all(|change| change.shift.abs().max_element() <= 16.0 && change.slice_shift.abs() <= 1));
        assert_eq!(Views::One.read(&frame, &volume, DVec2::ZERO), frame.sample(&volume).voxels);
    }

    #[test]
    fn views_of_a_scan_of_one_slice_are_those_of_equal_slices() {
        let (volume, disc) = scan();
        let rows_of = |slice: usize| volume.slice(slice).to_vec();
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
        let single = Volume::new(90, 80, rows_of(4), geometry).expect("matching size");
        let mut disc = disc;
        for body in [&mut disc.upper, &mut disc.lower] {
            body.outlines.truncate(1);
            body.outlines[0].slice = 0;
        }
        let frame = DiscFrame::of_disc(&single, &disc).expect("good outlines");
        for dimensions in Dimensions::ALL {
            let network = network(dimensions);
            // As of any scan: every slice of the wide volume, and the same reversed.
            let wide = with_reversed(&frame.sample_wide(&single));
            let wide = Tensor::from_vec(wide, (2, WIDE_SLICES, WIDE_ROWS, WIDE_COLUMNS), &Device::Cpu).expect("sizes");
            let pool5 = network.pool5(&wide).expect("pool5");
            let slices = dimensions.pooled_slices();
            let views = Place::all().flat_map(|place| {
                let features = place.features(&pool5, slices).expect("a place");
                probabilities(&network.classify(&features, None, None).expect("logits")).expect("probabilities")
            });
            let views: Vec<_> = views.collect();
            assert_eq!(views_of(dimensions, Views::FiftyFour, &single, &frame), views, "{dimensions:?}");
        }
    }

    fn network(dimensions: Dimensions) -> GradingNetwork {
        let config = GradingConfig {
            dimensions,
            channels: [3, 4, 5, 6, 7],
            fully_connected: 8,
            ..GradingConfig::paper(Dimensions::Three)
        };
        let variables = config.initial_variables(3, &Device::Cpu).expect("small network");
        GradingNetwork::new(&config, VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu)).expect("shapes")
    }

    fn views_of(dimensions: Dimensions, views: Views, volume: &Volume, frame: &DiscFrame) -> Vec<PerGrading<Vec<f32>>> {
        let mut seen = Vec::new();
        views
            .classify(&network(dimensions), frame, volume, &CancelToken::default(), &mut |view| seen.push(view))
            .expect("classified");
        seen
    }

    #[test]
    fn a_wide_volume_holds_the_disc_volume_in_its_middle_and_every_view_in_its_place() {
        let (volume, disc) = scan();
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        let wide = frame.sample_wide(&volume);
        for place in Place::all() {
            let [slice_start, row_start, column_start] = place.0;
            let change = PatchAugmentation {
                shift: place.shift(),
                slice_shift: slice_start as isize - 1,
                ..PatchAugmentation::NONE
            };
            let patch = frame.augmented(&change).sample(&volume).voxels;
            for (index, value) in patch.iter().enumerate() {
                let (slice, row) = (index / (PATCH_ROWS * PATCH_COLUMNS), index / PATCH_COLUMNS % PATCH_ROWS);
                let row = (slice + slice_start) * WIDE_ROWS + row + row_start * STEP;
                let there = wide[row * WIDE_COLUMNS + index % PATCH_COLUMNS + column_start * STEP];
                assert!((there - value).abs() < 1e-5, "{place:?} at {index}");
            }
        }
    }

    #[test]
    fn without_borders_shared_and_separate_views_agree() {
        // A trunk whose filters see one voxel only has no border: then both ways agree exactly.
        let (volume, disc) = scan();
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        let config = GradingConfig {
            dimensions: Dimensions::Three,
            channels: [3, 4, 5, 6, 7],
            fully_connected: 8,
            ..GradingConfig::paper(Dimensions::Three)
        };
        let variables = config.initial_variables(3, &Device::Cpu).expect("small network");
        for (name, variable) in variables.data().lock().expect("not poisoned").iter() {
            if let ([_, _, depth, height, width], true) = (variable.dims(), name.ends_with("weight")) {
                let taps: Vec<f32> = (0..depth * height * width)
                    .map(|tap| {
                        let (slice, row, column) = (tap / (height * width), tap / width % height, tap % width);
                        // Conv4 joins nine slices without padding and may use them all.
                        let middle = (*depth == 9 || slice == depth / 2) && row == height / 2 && column == width / 2;
                        f32::from(u8::from(middle))
                    })
                    .collect();
                let mask = Tensor::from_vec(taps, (1, 1, *depth, *height, *width), &Device::Cpu).expect("mask");
                variable.set(&variable.broadcast_mul(&mask).expect("masked")).expect("same shape");
            }
        }
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let network = GradingNetwork::new(&config, vb).expect("shapes");
        let collect = |views: Views| {
            let mut seen = Vec::new();
            let token = CancelToken::default();
            views.classify(&network, &frame, &volume, &token, &mut |view| seen.push(view)).expect("classified");
            seen
        };
        let [shared, separate, bare] = [Views::FiftyFour, Views::FiftyFourSeparate, Views::FiftyFourBare].map(collect);
        assert_eq!((shared.len(), separate.len(), bare.len()), (54, 54, 54));
        let key = |view: &PerGrading<Vec<f32>>| view[crate::spine::Grading::Pfirrmann].clone();
        for view in separate.iter().chain(&bare) {
            let nearest = shared
                .iter()
                .map(|other| key(view).iter().zip(key(other)).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max));
            assert!(nearest.fold(f32::INFINITY, f32::min) < 1e-5, "every separate view is among the shared ones");
        }
        let mean = |views: &[PerGrading<Vec<f32>>]| views.iter().map(|view| key(view)[0]).sum::<f32>() / 54.0;
        assert!((mean(&shared) - mean(&separate)).abs() < 1e-5 && (mean(&shared) - mean(&bare)).abs() < 1e-5);
    }

    #[test]
    fn a_separate_view_differs_from_a_shared_one_only_beyond_a_step_around_it() {
        let (volume, disc) = scan();
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        for dimensions in [Dimensions::Three, Dimensions::ThreeUnreduced] {
            let views = |views| views_of(dimensions, views, &volume, &frame);
            let (shared, separate) = (views(Views::FiftyFour), views(Views::FiftyFourSeparate));
            // Places come in the same order, the scan and its reflection by turns.
            let largest = |a: &[PerGrading<Vec<f32>>], b: &[PerGrading<Vec<f32>>]| {
                let pairs =
                    a.iter().zip(b).flat_map(|(a, b)| a.iter().map(|(grading, p)| (p.clone(), b[grading].clone())));
                let differences = pairs.flat_map(|(a, b)| a.into_iter().zip(b).map(|(a, b)| (a - b).abs()));
                differences.fold(0.0_f32, f32::max)
            };
            let order = |seen: &[PerGrading<Vec<f32>>], place: usize| seen[2 * place..2 * place + 2].to_vec();
            // The centered view reaches one step to every side of the wide volume: both ways are the same pass.
            let center = Place::all().position(|place| place == CENTER).expect("a place");
            assert!(largest(&order(&shared, center), &order(&separate, center)) < 1e-6);
            assert!(largest(&shared, &separate) < 0.02);
            let bare = views(Views::FiftyFourBare);
            assert_eq!(bare.len(), 54);
        }
    }

    #[test]
    fn places_are_the_shifts_of_the_papers_views() {
        let mut shifts: Vec<DVec2> = Place::all().map(Place::shift).collect();
        assert_eq!((shifts.len(), CENTER.shift()), (27, DVec2::ZERO));
        shifts.dedup();
        let papers = Views::FiftyFourBare.shifts();
        assert!(papers.iter().all(|shift| shifts.contains(shift)));
        let (volume, disc) = scan();
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        assert_eq!(views_of(Dimensions::Three, Views::One, &volume, &frame).len(), 1);
    }

    #[test]
    fn the_average_tells_how_far_views_are_apart() {
        let (volume, disc) = scan();
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        let network = network(Dimensions::Three);
        let average = |views: Views| views.average(&network, &frame, &volume, &CancelToken::default()).expect("graded");
        assert!(average(Views::One).deviations.iter().all(|(_, deviations)| deviations.iter().all(|d| *d == 0.0)));
        let all = average(Views::FiftyFour);
        let seen = views_of(Dimensions::Three, Views::FiftyFour, &volume, &frame);
        let of: Vec<f64> = seen.iter().map(|view| f64::from(view[crate::spine::Grading::Pfirrmann][2])).collect();
        let mean = of.iter().sum::<f64>() / 54.0;
        let deviation = (of.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / 54.0).sqrt();
        let told = &all.deviations[crate::spine::Grading::Pfirrmann][2];
        assert!(deviation > 0.0 && (f64::from(*told) - deviation).abs() < 1e-6, "{told} and {deviation}");
    }
}
