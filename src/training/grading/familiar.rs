//! Which discs look unlike those learned from: the limit of familiarity, and what it catches.

use std::collections::BTreeMap;

use candle_nn::VarMap;
use glam::DVec2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::GradingTrainingError;
use super::examples::GradingExample;
use crate::model::grading::{Familiarity, appearance};
use crate::spine::{PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PatchAugmentation};
use crate::task::CancelToken;
use crate::training::optimizer::sorted;

/// Share of the discs of patients left out that may be called unlike.
const FALSE_ALARMS: f64 = 0.01;

/// Ways in which a disc is spoiled to see whether that is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spoiled {
    /// Not at all.
    No,
    /// The frame lies on a vertebra.
    OnVertebra,
    /// Turned by a right angle.
    Turned,
    /// Dark and bright exchanged, as another sequence might.
    Inverted,
    /// Noise instead of an image.
    Noise,
}

impl Spoiled {
    /// All ways.
    pub(crate) const ALL: [Self; 5] = [Self::No, Self::OnVertebra, Self::Turned, Self::Inverted, Self::Noise];

    fn disc_volume(self, example: &GradingExample, random: &mut impl Rng) -> Vec<f32> {
        let change = match self {
            Self::OnVertebra => {
                PatchAugmentation { shift: DVec2::new(0.0, PATCH_ROWS as f64 * 0.6), ..PatchAugmentation::NONE }
            }
            Self::Turned => PatchAugmentation { rotation: std::f64::consts::FRAC_PI_2, ..PatchAugmentation::NONE },
            _ => PatchAugmentation::NONE,
        };
        let mut voxels = example.disc_volume(&change);
        match self {
            Self::Inverted => voxels.iter_mut().for_each(|voxel| *voxel = 1.0 - *voxel),
            Self::Noise => voxels.iter_mut().for_each(|voxel| *voxel = random.random()),
            _ => {}
        }
        voxels
    }
}

/// What the limit of familiarity catches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FamiliarityMeasures {
    /// Distance that one in a hundred discs of patients left out exceeds.
    pub limit: f32,
    /// Discs measured.
    pub discs: usize,
    /// Share of them called unlike, as they are and spoiled.
    pub flagged: BTreeMap<Spoiled, f64>,
}

/// Distances of held-out discs, by how they were spoiled.
#[derive(Default)]
pub(super) struct Distances(BTreeMap<Spoiled, Vec<f32>>);

impl Distances {
    /// Adds the distances of `held_out` from the discs that are familiar.
    pub(super) fn add(
        &mut self,
        familiarity: &Familiarity,
        held_out: &[&GradingExample],
        cancel: &CancelToken,
    ) -> Result<(), GradingTrainingError> {
        for spoiled in Spoiled::ALL {
            for features in appearances(held_out, spoiled, cancel)? {
                self.0.entry(spoiled).or_default().push(familiarity.distance(&features)?);
            }
        }
        Ok(())
    }

    /// The limit, and what it catches; `None` without discs.
    pub(super) fn measure(mut self) -> Option<FamiliarityMeasures> {
        let usual = self.0.get_mut(&Spoiled::No)?;
        usual.sort_by(f32::total_cmp);
        let discs = usual.len();
        let limit = *usual.get(((discs as f64 * (1.0 - FALSE_ALARMS)) as usize).min(discs.checked_sub(1)?))?;
        let share = |distances: &[f32]| {
            distances.iter().filter(|distance| **distance > limit).count() as f64 / distances.len() as f64
        };
        let flagged = self.0.iter().map(|(spoiled, distances)| (*spoiled, share(distances))).collect();
        Some(FamiliarityMeasures { limit, discs, flagged })
    }
}

/// What the discs that a network learned from look like.
pub(super) fn familiarity(
    learned: &[&GradingExample],
    cancel: &CancelToken,
) -> Result<Familiarity, GradingTrainingError> {
    Ok(Familiarity::fit(&appearances(learned, Spoiled::No, cancel)?)?)
}

/// Writes the distribution into the variables of a network that holds one.
pub(super) fn store(familiarity: &Familiarity, variables: &VarMap) -> candle_core::Result<()> {
    let variables = sorted(variables);
    for (name, tensor) in familiarity.named() {
        if let Some((_, variable)) = variables.iter().find(|(other, _)| other == name) {
            variable.set(&tensor.to_device(variable.device())?)?;
        }
    }
    Ok(())
}

fn appearances(
    examples: &[&GradingExample],
    spoiled: Spoiled,
    cancel: &CancelToken,
) -> Result<Vec<Vec<f32>>, GradingTrainingError> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    examples
        .iter()
        .map(|example| {
            cancel.check()?;
            let voxels = spoiled.disc_volume(example, &mut random);
            let middle = voxels.chunks_exact(PATCH_ROWS * PATCH_COLUMNS).nth(PATCH_SLICES / 2);
            Ok(appearance(middle.expect("a disc volume has nine slices")))
        })
        .collect()
}
