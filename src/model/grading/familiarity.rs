//! How much a disc looks like those that the network learned from.
//!
//! The mean of each pool5 channel over the patch is compared with its distribution over the training discs by Mahalanobis
//! distance (Lee et al. 2018), in units of the distance that one in a hundred discs of patients left out of training
//! exceeds. Beyond 1 the grades of a disc are uncertain, however probable the network calls them: a wrong sequence, an
//! artefact, a frame that is not on a disc.

use candle_core::{Device, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

/// Names of the tensors: mean `[channels]`, whitening matrix `[channels, channels]` and limit `[1]`.
const MEAN: &str = "familiarity.mean";
const WHITENING: &str = "familiarity.whitening";
const LIMIT: &str = "familiarity.limit";

/// Share of the mean variance that is added to every direction: few discs do not know 64 variances well.
const SHRINKAGE: f64 = 0.1;

/// Distribution of the features of the discs that a network learned from.
#[derive(Debug, Clone)]
pub struct Familiarity {
    mean: Tensor,
    whitening: Tensor,
    limit: Tensor,
}

impl Familiarity {
    /// Names and shapes of its tensors for a network with this many pool5 channels.
    pub(super) fn tensors(channels: usize) -> [(String, Vec<usize>); 3] {
        [(MEAN, vec![channels]), (WHITENING, vec![channels, channels]), (LIMIT, vec![1])]
            .map(|(name, shape)| (name.to_owned(), shape))
    }

    pub(super) fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        let get = |shape: &[usize], name| {
            Ok::<_, candle_core::Error>(vb.get_with_hints(shape, name, Init::Const(0.0))?.detach())
        };
        Ok(Self {
            mean: get(&[channels], MEAN)?,
            whitening: get(&[channels, channels], WHITENING)?,
            limit: get(&[1], LIMIT)?,
        })
    }

    /// The distribution of `features`, one row a disc, all of the same length; the limit is to be set.
    ///
    /// # Errors
    /// If there are no features or the device fails.
    pub fn fit(features: &[Vec<f32>]) -> Result<Self> {
        let Some(channels) = features.first().map(Vec::len) else { bail!("there are no discs to be familiar with") };
        let count = features.len() as f64;
        let sum_of = |value: &dyn Fn(&[f32]) -> f64| features.iter().map(|row| value(row)).sum::<f64>() / count;
        let mean: Vec<f64> = (0..channels).map(|channel| sum_of(&|row| f64::from(row[channel]))).collect();
        let mut covariance = vec![vec![0.0; channels]; channels];
        for (row, line) in covariance.iter_mut().enumerate() {
            for (column, cell) in line.iter_mut().enumerate() {
                *cell = sum_of(&|f| (f64::from(f[row]) - mean[row]) * (f64::from(f[column]) - mean[column]));
            }
        }
        let spread = (0..channels).map(|channel| covariance[channel][channel]).sum::<f64>() / channels as f64;
        for (row, line) in covariance.iter_mut().enumerate() {
            line.iter_mut().for_each(|cell| *cell *= 1.0 - SHRINKAGE);
            // Never zero, so that channels that are always silent do no harm.
            line[row] += SHRINKAGE * spread.max(1e-6);
        }
        let device = &Device::Cpu;
        let whitening: Vec<f32> = inverse_of_root(&covariance).concat().iter().map(|value| *value as f32).collect();
        let mean: Vec<f32> = mean.iter().map(|value| *value as f32).collect();
        Ok(Self {
            mean: Tensor::from_vec(mean, channels, device)?,
            whitening: Tensor::from_vec(whitening, (channels, channels), device)?,
            limit: Tensor::ones(1, candle_core::DType::F32, device)?,
        })
    }

    /// The same with distances in units of `limit`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn with_limit(self, limit: f32) -> Result<Self> {
        Ok(Self { limit: Tensor::new(&[limit], self.mean.device())?, ..self })
    }

    /// The tensors by name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &Tensor); 3] {
        [(MEAN, &self.mean), (WHITENING, &self.whitening), (LIMIT, &self.limit)]
    }

    /// Distance of a disc from those learned from, in units of the limit.
    ///
    /// # Errors
    /// If `features` has another length or the device fails.
    pub fn distance(&self, features: &[f32]) -> Result<f32> {
        let features = Tensor::new(features, self.mean.device())?;
        let white = self.whitening.matmul(&(features - &self.mean)?.unsqueeze(1)?)?;
        let distance = white.sqr()?.sum_all()?.sqrt()?;
        (distance / self.limit.squeeze(0)?)?.to_scalar()
    }
}

/// What [`Familiarity`] compares: the mean of every channel over the places of pool5, from features
/// `[1, channels · places]`.
///
/// # Errors
/// If the device fails.
pub fn channel_means(features: &Tensor, channels: usize) -> Result<Vec<f32>> {
    features.reshape((channels, ()))?.mean(1)?.to_vec1()
}

/// The inverse of the lower triangular root of a symmetric positive definite matrix (Cholesky), row by row.
fn inverse_of_root(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let size = matrix.len();
    let mut root = vec![vec![0.0; size]; size];
    for row in 0..size {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| root[row][k] * root[column][k]).sum();
            let rest: f64 = matrix[row][column] - known;
            root[row][column] = if row == column { rest.sqrt() } else { rest / root[column][column] };
        }
    }
    let mut inverse = vec![vec![0.0; size]; size];
    for column in 0..size {
        for row in column..size {
            let known: f64 = (column..row).map(|k| root[row][k] * inverse[k][column]).sum();
            let unit = f64::from(u8::from(row == column));
            inverse[row][column] = (unit - known) / root[row][row];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_inverted() {
        let matrix = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.0], [0.6, 1.0, 3.0]].map(Vec::from);
        let inverse = inverse_of_root(&matrix);
        // inverse · matrix · inverseᵀ is the unit matrix.
        for row in 0..3 {
            for column in 0..3 {
                let value: f64 = (0..3)
                    .flat_map(|i| (0..3).map(move |j| (i, j)))
                    .map(|(i, j)| inverse[row][i] * matrix[i][j] * inverse[column][j])
                    .sum();
                assert!((value - f64::from(u8::from(row == column))).abs() < 1e-12, "{value}");
            }
        }
    }

    #[test]
    fn distances_follow_the_spread_of_what_was_learned() {
        // Two channels that go together, one that is always silent.
        let features: Vec<Vec<f32>> = (0..100)
            .map(|index| {
                let (a, b) = ((index as f32 * 0.7).sin(), (index as f32 * 1.3).cos());
                vec![5.0 + 2.0 * a, 3.0 + 2.0 * a + 0.3 * b, 0.0]
            })
            .collect();
        let familiarity = Familiarity::fit(&features).expect("features");
        let distance = |features: &[f32]| familiarity.distance(features).expect("three channels");
        assert!(distance(&[5.0, 3.0, 0.0]) < 0.2);
        let (along, across) = (distance(&[7.0, 5.0, 0.0]), distance(&[7.0, 1.0, 0.0]));
        assert!(across > 2.0 * along, "{across} across, {along} along");
        assert!(distance(&[5.0, 3.0, 4.0]) > 2.0 * along, "a silent channel that speaks is unfamiliar");
        let halved = familiarity.clone().with_limit(2.0).expect("set");
        assert!((halved.distance(&[7.0, 1.0, 0.0]).expect("three channels") - across / 2.0).abs() < 1e-4);
        assert!(Familiarity::fit(&[]).is_err() && familiarity.distance(&[1.0]).is_err());
    }
}
