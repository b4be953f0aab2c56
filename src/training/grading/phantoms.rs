//! Synthetic discs for training, made when a batch needs them: none is seen twice, none is kept.

use std::sync::Arc;

use super::examples::{GradingExample, ScanKind};
use super::{GradingTrainingError, PhantomMix};
use crate::phantom::{Phantom, PhantomPatient, PhantomSettings};
use crate::spine::DiscLevel;
use crate::training::labels::DiscLabels;

/// Cohort of synthetic discs.
pub(super) const COHORT: &str = "synthetic";
/// Patient numbers of phantoms start here.
const FIRST_PHANTOM: u32 = 1_000_000;
/// Patients whose grades stand for those of all phantoms.
const COUNTED_PATIENTS: u64 = 500;

impl PhantomMix {
    fn settings(&self, patient: u64) -> PhantomSettings {
        PhantomSettings::new(self.first_seed.wrapping_add(patient))
    }

    /// The disc with a number, six to a patient, with at most `beside` slices to either side of its middle; every grading
    /// known.
    pub(super) fn disc(&self, number: u64, beside: usize) -> Result<GradingExample, GradingTrainingError> {
        let levels = DiscLevel::ALL.len() as u64;
        let settings = self.settings(number / levels);
        let patient = PhantomPatient::draw(&settings);
        // A disc at the edge of the image is replaced by its neighbour.
        let in_turn = (number..number + levels).map(|turn| DiscLevel::ALL[(turn % levels) as usize]);
        let found = in_turn.into_iter().find_map(|level| patient.disc(level, beside));
        let found = found.ok_or(GradingTrainingError::NoPhantomDisc { seed: settings.seed })?;
        let (number, labels) = (FIRST_PHANTOM.wrapping_add((number / levels) as u32), DiscLabels::exact(&found.grades));
        Ok(GradingExample::new(
            &Arc::from(COHORT),
            number,
            ScanKind::Phantom,
            Arc::new(found.volume),
            &found.disc,
            labels,
        )?)
    }

    /// Labels of the discs of many phantoms, to weigh classes by.
    pub(super) fn usual_labels(&self) -> Vec<DiscLabels> {
        let grades = (0..COUNTED_PATIENTS).flat_map(|patient| Phantom::grades(&self.settings(patient)).into_values());
        grades.map(|grades| DiscLabels::exact(&grades)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::PatchAugmentation;

    /// A number says which disc, however many of its slices are asked for.
    #[test]
    fn a_number_names_a_disc() {
        let mix = PhantomMix { first_seed: 40, loss_weight: 1.0 };
        let disc = |number, beside| mix.disc(number, beside).expect("a disc");
        let (flat, deep, again, next) = (disc(8, 0), disc(8, 5), disc(8, 0), disc(9, 0));
        assert_eq!(flat.level, DiscLevel::L2L3);
        assert_eq!((flat.labels.clone(), flat.volume.slices()), (deep.labels.clone(), 1));
        assert!((9..=11).contains(&deep.volume.slices()), "{}", deep.volume.slices());
        assert_eq!(flat.flat_patch(&PatchAugmentation::NONE), again.flat_patch(&PatchAugmentation::NONE));
        assert_ne!(flat.flat_patch(&PatchAugmentation::NONE), next.flat_patch(&PatchAugmentation::NONE));
        assert_ne!(disc(8, 0).patient, disc(14, 0).patient);
    }
}
