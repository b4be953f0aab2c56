//! How much a disc looks like those that the network learned from.
//!
//! The middle slice of the disc volume, as its roughness and means and spreads of 8 × 7 blocks, is compared with the training
//! discs by Mahalanobis distance, in units of the distance that one in a hundred discs of patients left out of training exceeds.
//! Beyond 1 the grades of a disc are uncertain, however probable the network calls them: another sequence, an artefact, a
//! frame that is not on a disc. The same of the network's own features (Lee et al. 2018) noticed noise, but hardly a turned
//! or misplaced frame: pool5 looks alike wherever there is tissue.

use candle_core::{Device, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

use crate::model::Cholesky;
use crate::spine::{PATCH_COLUMNS, PATCH_ROWS};

/// Rows and columns of blocks.
const BLOCKS: [usize; 2] = [8, 7];
/// A mean and a spread of each, and the roughness of the slice.
const FEATURES: usize = 2 * BLOCKS[0] * BLOCKS[1] + 1;

/// Names of the tensors: mean `[113]`, whitening matrix `[113, 113]` and limit `[1]`.
const MEAN: &str = "familiarity.mean";
const WHITENING: &str = "familiarity.whitening";
const LIMIT: &str = "familiarity.limit";

/// Share of the mean variance that is added to every direction: few discs do not know 113 variances well.
const SHRINKAGE: f64 = 0.1;

/// Distribution of the features of the discs that a network learned from.
#[derive(Debug, Clone)]
pub(crate) struct Familiarity {
    mean: Tensor,
    whitening: Tensor,
    limit: Tensor,
}

impl Familiarity {
    /// Names and shapes of its tensors.
    pub(super) fn tensors() -> [(String, Vec<usize>); 3] {
        [(MEAN, vec![FEATURES]), (WHITENING, vec![FEATURES, FEATURES]), (LIMIT, vec![1])]
            .map(|(name, shape)| (name.to_owned(), shape))
    }

    pub(super) fn new(vb: &VarBuilder) -> Result<Self> {
        let get =
            |shape: &[usize], name| vb.get_with_hints(shape, name, Init::Const(0.0)).map(|tensor| tensor.detach());
        let whitening = get(&[FEATURES, FEATURES], WHITENING)?;
        Ok(Self { mean: get(&[FEATURES], MEAN)?, whitening, limit: get(&[1], LIMIT)? })
    }

    /// The distribution of `features`, one row a disc, all of the same length; the limit is to be set.
    ///
    /// # Errors
    /// If there are no features or the device fails.
    pub(crate) fn fit(features: &[Vec<f32>]) -> Result<Self> {
        let Some(length) = features.first().map(Vec::len) else { bail!("there are no discs to be familiar with") };
        let count = features.len() as f64;
        let sum_of = |value: &dyn Fn(&[f32]) -> f64| features.iter().map(|row| value(row)).sum::<f64>() / count;
        let mean: Vec<f64> = (0..length).map(|index| sum_of(&|row| f64::from(row[index]))).collect();
        let mut covariance = vec![vec![0.0; length]; length];
        for (row, line) in covariance.iter_mut().enumerate() {
            for (column, cell) in line.iter_mut().enumerate() {
                *cell = sum_of(&|f| (f64::from(f[row]) - mean[row]) * (f64::from(f[column]) - mean[column]));
            }
        }
        let spread = (0..length).map(|index| covariance[index][index]).sum::<f64>() / length as f64;
        for (row, line) in covariance.iter_mut().enumerate() {
            for cell in line.iter_mut() {
                *cell *= 1.0 - SHRINKAGE;
            }
            // Never zero, so that blocks that never change do no harm.
            line[row] += SHRINKAGE * spread.max(1e-6);
        }
        let device = &Device::Cpu;
        let whitening: Vec<f32> =
            Cholesky::of(covariance).inverse_of_root().concat().iter().map(|value| *value as f32).collect();
        let mean: Vec<f32> = mean.iter().map(|value| *value as f32).collect();
        Ok(Self {
            mean: Tensor::from_vec(mean, length, device)?,
            whitening: Tensor::from_vec(whitening, (length, length), device)?,
            limit: Tensor::ones(1, candle_core::DType::F32, device)?,
        })
    }

    /// The same with distances in units of `limit`.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn with_limit(self, limit: f32) -> Result<Self> {
        Ok(Self { limit: Tensor::new(&[limit], self.mean.device())?, ..self })
    }

    #[must_use]
    pub(crate) fn named(&self) -> [(&'static str, &Tensor); 3] {
        [(MEAN, &self.mean), (WHITENING, &self.whitening), (LIMIT, &self.limit)]
    }

    /// Distance of a disc from those learned from, in units of the limit.
    ///
    /// # Errors
    /// If `features` has another length or the device fails.
    pub(crate) fn distance(&self, features: &[f32]) -> Result<f32> {
        let features = Tensor::new(features, self.mean.device())?;
        let white = self.whitening.matmul(&(features - &self.mean)?.unsqueeze(1)?)?;
        let distance = white.sqr()?.sum_all()?.sqrt()?;
        (distance / self.limit.squeeze(0)?)?.to_scalar()
    }
}

/// What [`Familiarity`] compares: the mean of every block of the middle slice of a disc volume, `[112, 224]`, row by row,
/// then their standard deviations, then how much neighbours in a row differ on average.
#[must_use]
pub(crate) fn appearance(middle: &[f32]) -> Vec<f32> {
    const SLICE: usize = PATCH_ROWS * PATCH_COLUMNS;
    let [height, width] = [PATCH_ROWS / BLOCKS[0], PATCH_COLUMNS / BLOCKS[1]];
    let (mut means, mut spreads, mut roughness) = (vec![0.0; FEATURES / 2], vec![0.0; FEATURES / 2], 0.0);
    for (row, line) in middle.chunks_exact(PATCH_COLUMNS).enumerate() {
        for (block, pixels) in line.chunks_exact(width).enumerate() {
            let block = row / height * BLOCKS[1] + block;
            means[block] += pixels.iter().sum::<f32>();
            spreads[block] += pixels.iter().map(|pixel| pixel * pixel).sum::<f32>();
        }
        roughness += line.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum::<f32>();
    }
    for (mean, spread) in means.iter_mut().zip(&mut spreads) {
        *mean /= (height * width) as f32;
        *spread = (*spread / (height * width) as f32 - *mean * *mean).max(0.0).sqrt();
    }
    means.extend(spreads);
    means.push(roughness / SLICE as f32);
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_means_and_spreads_of_the_slice() {
        let mut voxels = vec![0.0; PATCH_ROWS * PATCH_COLUMNS];
        let at = |row: usize, column: usize| row * PATCH_COLUMNS + column;
        // A quarter of the second block of the third row.
        for row in 28..35 {
            voxels[at(row, 32)..at(row, 48)].fill(0.8);
        }
        let blocks = appearance(&voxels);
        let (mean, spread) = (blocks[2 * 7 + 1], blocks[56 + 2 * 7 + 1]);
        assert!((mean - 0.2).abs() < 1e-6 && (spread - 0.8 * 0.1875_f32.sqrt()).abs() < 1e-6, "{mean} ± {spread}");
        let roughness = blocks[112] * (PATCH_ROWS * PATCH_COLUMNS) as f32;
        assert!((roughness - 7.0 * 2.0 * 0.8).abs() < 1e-3, "two edges in seven rows: {roughness}");
        assert_eq!(blocks.iter().filter(|block| **block > 0.0).count(), 3);
    }

    #[test]
    fn distances_follow_the_spread_of_what_was_learned() {
        // Two blocks that go together, one that never changes.
        let features: Vec<Vec<f32>> = (0..100)
            .map(|index| {
                let (a, b) = ((index as f32 * 0.7).sin(), (index as f32 * 1.3).cos());
                vec![5.0 + 2.0 * a, 3.0 + 2.0 * a + 0.3 * b, 0.0]
            })
            .collect();
        let familiarity = Familiarity::fit(&features).expect("features");
        let distance = |features: &[f32]| familiarity.distance(features).expect("three blocks");
        assert!(distance(&[5.0, 3.0, 0.0]) < 0.2);
        let (along, across) = (distance(&[7.0, 5.0, 0.0]), distance(&[7.0, 1.0, 0.0]));
        assert!(across > 2.0 * along, "{across} across, {along} along");
        assert!(distance(&[5.0, 3.0, 4.0]) > 2.0 * along, "a block that never changed and does is unfamiliar");
        let halved = familiarity.clone().with_limit(2.0).expect("set");
        assert!((halved.distance(&[7.0, 1.0, 0.0]).expect("three blocks") - across / 2.0).abs() < 1e-4);
        assert!(Familiarity::fit(&[]).is_err() && familiarity.distance(&[1.0]).is_err());
    }
}
