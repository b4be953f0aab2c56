//! Discs as the grading network learns and is measured on: frames over shared scans, augmented on the fly.

use std::sync::Arc;

use glam::DVec2;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::model::Place;
use crate::spine::{
    Disc, DiscFrame, DiscFrameError, DiscLevel, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PatchAugmentation,
};
use crate::training::labels::DiscLabels;
use crate::training::spider::{LabelledDisc, ScanCase};
use crate::volume::Volume;
use crate::words::words;

/// Pixels of one patch slice.
const SLICE_PIXELS: usize = PATCH_ROWS * PATCH_COLUMNS;
const MIDDLE: usize = PATCH_SLICES / 2;

/// What kind of scan a disc was seen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub(crate) enum ScanKind {
    /// One mid-sagittal slice of a clinical scan.
    MidSagittal,
    /// A stack of sagittal slices.
    Stack,
    /// A synthetic study.
    Phantom,
}

words!(ScanKind, "kind of scan", [MidSagittal "mid_sagittal", Stack "stack", Phantom "phantom"]);

/// A disc to learn from or to be measured on.
#[derive(Debug, Clone)]
pub(crate) struct GradingExample {
    /// The set that it belongs to, read by the same readers.
    pub cohort: Arc<str>,
    /// Patient number; splits go by it.
    pub patient: u32,
    pub kind: ScanKind,
    pub level: DiscLevel,
    /// The scan.
    pub volume: Arc<Volume>,
    /// The disc's frame in it.
    pub frame: DiscFrame,
    /// What is known of its gradings.
    pub labels: DiscLabels,
}

impl GradingExample {
    /// A disc of `volume`.
    ///
    /// # Errors
    /// If the outlines of the neighbouring bodies do not span a frame.
    pub(crate) fn new(
        cohort: &Arc<str>,
        patient: u32,
        kind: ScanKind,
        volume: Arc<Volume>,
        disc: &Disc,
        labels: DiscLabels,
    ) -> Result<Self, DiscFrameError> {
        let frame = DiscFrame::of_disc(&volume, disc)?;
        Ok(Self { cohort: Arc::clone(cohort), patient, kind, level: disc.level, volume, frame, labels })
    }

    /// All discs of the scans of a cohort.
    ///
    /// # Errors
    /// If a disc has no frame.
    pub(crate) fn of_cases(cohort: &str, cases: Vec<ScanCase>) -> Result<Vec<Self>, DiscFrameError> {
        let cohort = Arc::from(cohort);
        let mut examples = Vec::new();
        for case in cases {
            let kind = if case.volume.slices() == 1 { ScanKind::MidSagittal } else { ScanKind::Stack };
            let volume = Arc::new(case.volume);
            for LabelledDisc { disc, labels } in case.discs {
                examples.push(Self::new(&cohort, case.patient, kind, Arc::clone(&volume), &disc, labels)?);
            }
        }
        Ok(examples)
    }

    /// One slice `[112, 224]` of the disc: the middle one, or, where `change` shifts the window, that one if the scan
    /// has it.
    #[must_use]
    pub(crate) fn flat_patch(&self, change: &PatchAugmentation) -> Vec<f32> {
        let mut pixels = vec![0.0; SLICE_PIXELS];
        if !self.frame.augmented(change).sample_slice(&self.volume, MIDDLE, &mut pixels) {
            let unshifted = PatchAugmentation { slice_shift: 0, ..*change };
            self.frame.augmented(&unshifted).sample_slice(&self.volume, MIDDLE, &mut pixels);
        }
        pixels
    }

    /// The wide volume of the disc (see [`DiscFrame::sample_wide`]) that shows it changed as `change` says at `place`;
    /// its slice window stays that of the disc.
    #[must_use]
    pub(crate) fn wide_volume(&self, change: &PatchAugmentation, place: Place) -> Vec<f32> {
        self.wide_frame(change, place).sample_wide(&self.volume)
    }

    /// One slice of the wide volume, as [`Self::flat_patch`] is one of the disc volume.
    #[must_use]
    pub(crate) fn flat_wide(&self, change: &PatchAugmentation, place: Place) -> Vec<f32> {
        match self.wide_frame(change, place).sample_wide_slice(&self.volume, MIDDLE as isize + change.slice_shift) {
            (pixels, true) => pixels,
            _ => self.wide_frame(change, place).sample_wide_slice(&self.volume, MIDDLE as isize).0,
        }
    }

    fn wide_frame(&self, change: &PatchAugmentation, place: Place) -> DiscFrame {
        let back = PatchAugmentation { shift: -place.shift(), ..PatchAugmentation::NONE };
        self.frame.augmented(&PatchAugmentation { slice_shift: 0, ..*change }).augmented(&back)
    }

    /// The disc volume `[9, 112, 224]`, changed as `change` says.
    #[must_use]
    pub(crate) fn disc_volume(&self, change: &PatchAugmentation) -> Vec<f32> {
        self.frame.augmented(change).sample(&self.volume).voxels
    }
}

/// Ranges of the random changes; each is drawn evenly from minus to plus its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Augmentation {
    /// In-plane rotation, degrees.
    pub rotation_degrees: f64,
    /// Shift along columns, patch pixels.
    pub shift_columns: f64,
    /// Shift along rows, patch pixels.
    pub shift_rows: f64,
    /// Shift of the slice window, slices.
    pub shift_slices: i32,
    /// Magnification, as a share of 1.
    pub scale: f64,
    /// Added intensity.
    pub intensity: f32,
    /// Whether the slice order is reversed half of the time.
    pub mirror_slices: bool,
    /// Chance that the outermost shown slices of a disc volume are blanked, again and again until it fails once: scans
    /// show between one and nine slices of a disc.
    pub drop_slices: f64,
}

impl Augmentation {
    /// Draws a change.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> PatchAugmentation {
        let mut even = |range: f64| if range > 0.0 { random.random_range(-range..=range) } else { 0.0 };
        let rotation = even(self.rotation_degrees).to_radians();
        let shift = DVec2::new(even(self.shift_columns), even(self.shift_rows));
        let scale = 1.0 + even(self.scale);
        let intensity = even(f64::from(self.intensity)) as f32;
        let slice_shift = random.random_range(-self.shift_slices..=self.shift_slices) as isize;
        let mirror_slices = self.mirror_slices && random.random_bool(0.5);
        PatchAugmentation { rotation, shift, slice_shift, scale, intensity, mirror_slices }
    }

    /// Draws how many slices stay on each side of the middle: 4 at most, 0 at least.
    pub(crate) fn draw_shown(&self, random: &mut impl Rng) -> usize {
        let mut shown = MIDDLE;
        while shown > 0 && random.random_bool(self.drop_slices) {
            shown -= 1;
        }
        shown
    }
}

/// Blanks the slices more than `shown` from the middle of `slices` slices.
pub(crate) fn blank_outer_slices(voxels: &mut [f32], slices: usize, shown: usize) {
    let pixels = voxels.len() / slices;
    for (slice, pixels) in voxels.chunks_exact_mut(pixels).enumerate() {
        if slice.abs_diff(slices / 2) > shown {
            pixels.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::grading::tests::scan_case;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const AUGMENTATION: Augmentation = Augmentation {
        rotation_degrees: 15.0,
        shift_columns: 32.0,
        shift_rows: 24.0,
        shift_slices: 2,
        scale: 0.1,
        intensity: 0.1,
        mirror_slices: true,
        drop_slices: 0.5,
    };

    fn slices(voxels: &[f32]) -> Vec<bool> {
        voxels.chunks_exact(SLICE_PIXELS).map(|pixels| pixels.iter().any(|pixel| *pixel > 0.0)).collect()
    }

    #[test]
    fn a_single_slice_is_shown_everywhere_and_a_stack_shows_what_it_has() {
        let examples = GradingExample::of_cases("made", vec![scan_case(1, 1), scan_case(2, 5)]).expect("frames");
        let (single, stack) = (&examples[0], examples.last().expect("discs"));
        assert_eq!((single.kind, stack.kind), (ScanKind::MidSagittal, ScanKind::Stack));
        let mut volume = single.disc_volume(&PatchAugmentation::NONE);
        assert_eq!(slices(&volume), [true; 9]);
        assert_eq!(volume[3 * SLICE_PIXELS..4 * SLICE_PIXELS], single.flat_patch(&PatchAugmentation::NONE));
        blank_outer_slices(&mut volume, PATCH_SLICES, 1);
        assert_eq!(slices(&volume), [false, false, false, true, true, true, false, false, false]);
        let volume = stack.disc_volume(&PatchAugmentation::NONE);
        assert_eq!(slices(&volume), [false, false, true, true, true, true, true, false, false]);
        let shifted = PatchAugmentation { slice_shift: 1, ..PatchAugmentation::NONE };
        assert_eq!(single.flat_patch(&shifted), single.flat_patch(&PatchAugmentation::NONE), "it has no other slice");
        assert_ne!(stack.flat_patch(&shifted), stack.flat_patch(&PatchAugmentation::NONE));
    }

    #[test]
    fn changes_stay_in_their_ranges_and_follow_the_seed() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let changes: Vec<_> = (0..200).map(|_| AUGMENTATION.draw(&mut random)).collect();
        assert!(changes.iter().all(|change| change.rotation.abs() <= 15f64.to_radians()));
        assert!(changes.iter().all(|change| (0.9..=1.1).contains(&change.scale) && change.slice_shift.abs() <= 2));
        assert!(
            changes.iter().any(|change| change.shift.x > 20.0) && changes.iter().any(|change| change.shift.y < -15.0)
        );
        let mirrored = changes.iter().filter(|change| change.mirror_slices).count();
        assert!((60..140).contains(&mirrored));
        assert_eq!(changes[0], AUGMENTATION.draw(&mut ChaCha8Rng::seed_from_u64(1)));
        let shown: Vec<usize> = (0..200).map(|_| AUGMENTATION.draw_shown(&mut random)).collect();
        assert!((0..=4).all(|count| shown.contains(&count)));
    }
}
