//! Learning on single slices first: the cheap way into a 3-D network.
//!
//! Most labelled discs show one slice, and a 3-D network that sees it repeated computes the same nine times. So the
//! convolutions are first learned in two dimensions, some 25 times cheaper, and then inflated as in Carreira &
//! Zisserman 2017: Conv1 to Conv3 carry the flat filter on their middle slice tap, Conv4 spreads it over the nine
//! slices with weights that sum to 1; in the 2-D network Conv1 spreads it over its nine channels and the others are as they
//! are. On a disc volume of nine equal slices the inflated network gives exactly the flat one's logits; from there its
//! training goes on. The heads are those of the final network from the start.

use std::collections::HashMap;

use candle_core::{Result, Tensor, Var, bail};
use candle_nn::VarMap;

use super::readers::READERS;
use crate::model::GradingNetwork;
use crate::model::grading::{ConvolutionLayer, Dropout};
use crate::nn::ConvWindow;
use crate::spine::{DiscLevel, PATCH_SLICES, PerGrading};
use crate::training::optimizer::sorted;

/// Share of each slice in the layer that joins them, after inflation: most evidence of most gradings is near the middle.
const SLICE_SHARES: [f64; PATCH_SLICES] = [0.02, 0.05, 0.12, 0.2, 0.22, 0.2, 0.12, 0.05, 0.02];

/// The five convolutions of a network for a single slice, with its heads.
pub(super) struct FlatNetwork {
    /// Flat convolutions under the names of the deep ones, and the heads' own variables.
    variables: VarMap,
    trunk: Vec<ConvolutionLayer>,
    network: GradingNetwork,
}

impl FlatNetwork {
    /// Flat convolutions for `network`, whose variables are `deep`; all zero until they are initialized or restored.
    pub(super) fn new(network: &GradingNetwork, deep: &VarMap) -> Result<Self> {
        let variables = VarMap::new();
        let mut trunk = Vec::new();
        for layer in network.trunk() {
            let weight = layer.weight.zeros_like()?.narrow(2, 0, 1)?;
            // One slice is one channel.
            let weight = if trunk.is_empty() { weight.narrow(1, 0, 1)? } else { weight };
            let weight = Var::from_tensor(&weight.contiguous()?)?;
            let bias = Var::from_tensor(&layer.bias.zeros_like()?)?;
            let ConvWindow { stride, padding } = layer.window;
            let window = ConvWindow { stride, padding: [0, padding[1], padding[2]] };
            let (name, pooled) = (layer.name, layer.pooled);
            trunk.push(ConvolutionLayer {
                name,
                weight: weight.as_tensor().clone(),
                bias: bias.as_tensor().clone(),
                window,
                pooled,
            });
            insert(&variables, format!("{name}.weight"), weight)?;
            insert(&variables, format!("{name}.bias"), bias)?;
        }
        for (name, variable) in sorted(deep) {
            // The heads, what the level is told through, and the readers' biases.
            if name.contains(".fc") || name.starts_with("level.") || name.starts_with(READERS) {
                insert(&variables, name, variable)?;
            }
        }
        Ok(Self { variables, trunk, network: network.clone() })
    }

    /// Takes over what weights of a deep network have under the same names and in the same shapes. Its filters see nine equal slices
    /// as the flat ones that sum them see one.
    pub(super) fn start_from(&self, deep: &HashMap<String, Tensor>) -> Result<()> {
        for (name, variable) in sorted(&self.variables) {
            let Some(tensor) = deep.get(&name) else { continue };
            let tensor = if tensor.rank() == 5 { tensor.sum_keepdim(2)? } else { tensor.clone() };
            if tensor.dims() == variable.dims() {
                variable.set(&tensor)?;
            }
        }
        Ok(())
    }

    /// What is learned in this stage.
    pub(super) fn variables(&self) -> &VarMap {
        &self.variables
    }

    /// Logits for slices `[n, 1, 112, 224]` of discs of these levels.
    pub(super) fn forward(&self, slices: &Tensor, levels: &[DiscLevel]) -> Result<PerGrading<Tensor>> {
        self.network.classify(&self.pool5(slices)?.flatten_from(1)?, Some(levels), None)
    }

    /// pool5 `[n, channels, slices, rows / 16, columns / 16]` of slices `[n, 1, rows, columns]`: what the deep trunk gives
    /// for equal slices.
    pub(super) fn pool5(&self, slices: &Tensor) -> Result<Tensor> {
        // In two dimensions the means of the slices are equal: `Run::fit` sets them from single ones.
        let mean = self.network.input_mean().narrow(0, 0, 1)?;
        let mut units = slices.broadcast_sub(&mean)?.unsqueeze(1)?;
        for layer in &self.trunk {
            units = layer.forward(&units)?;
        }
        units.repeat((1, 1, self.network.config().dimensions.pooled_slices(), 1, 1))
    }

    /// The branches, from pool5.
    pub(super) fn classify(
        &self,
        features: &Tensor,
        levels: &[DiscLevel],
        dropout: &mut Dropout,
    ) -> Result<PerGrading<Tensor>> {
        self.network.classify(features, Some(levels), Some(dropout))
    }

    /// Writes the flat filters into the variables of the deep network.
    pub(super) fn inflate_into(&self, deep: &VarMap) -> Result<()> {
        for (name, variable) in sorted(deep) {
            let Some(flat) = self.trunk.iter().find_map(|layer| match name.strip_prefix(layer.name)? {
                ".weight" => Some(&layer.weight),
                ".bias" => Some(&layer.bias),
                _ => None,
            }) else {
                continue;
            };
            if flat.rank() == 1 {
                variable.set(flat)?;
                continue;
            }
            // Where the slices of the disc volume come together: its channels, or the depth of its filters.
            let axis = if variable.dim(1)? == flat.dim(1)? { 2 } else { 1 };
            let slices = variable.dim(axis)?;
            let share = |slice: usize| match slices {
                PATCH_SLICES => SLICE_SHARES[slice],
                _ => f64::from(u8::from(slice == slices / 2)),
            };
            let taps = (0..slices).map(|slice| flat * share(slice)).collect::<Result<Vec<_>>>()?;
            variable.set(&Tensor::cat(&taps, axis)?)?;
        }
        Ok(())
    }
}

fn insert(variables: &VarMap, name: String, variable: Var) -> Result<()> {
    let Ok(mut data) = variables.data().lock() else { bail!("the map of variables is poisoned") };
    data.insert(name, variable);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dimensions, GradingConfig};
    use crate::spine::{PATCH_COLUMNS, PATCH_ROWS};
    use crate::training::optimizer::initialize;
    use candle_core::{DType, Device};
    use candle_nn::VarBuilder;

    #[test]
    fn nine_equal_slices_give_the_flat_logits() -> Result<()> {
        for dimensions in Dimensions::ALL {
            nine_equal_slices(dimensions)?;
        }
        Ok(())
    }

    fn nine_equal_slices(dimensions: Dimensions) -> Result<()> {
        let config = GradingConfig {
            dimensions,
            channels: [2, 3, 4, 4, 3],
            fully_connected: 16,
            ..GradingConfig::paper(Dimensions::Three)
        };
        let deep = config.initial_variables(3, &Device::Cpu)?;
        let network = GradingNetwork::new(&config, VarBuilder::from_varmap(&deep, DType::F32, &Device::Cpu))?;
        let flat = FlatNetwork::new(&network, &deep)?;
        initialize(flat.variables(), 5)?;
        flat.inflate_into(&deep)?;
        let values: Vec<f32> = (0..PATCH_ROWS * PATCH_COLUMNS).map(|i| (i as f32 * 0.37).sin().abs()).collect();
        let slice = Tensor::from_vec(values, (1, 1, PATCH_ROWS, PATCH_COLUMNS), &Device::Cpu)?;
        let one = flat.forward(&slice, &[DiscLevel::L4L5])?;
        let nine = network.forward(&slice.repeat((1, PATCH_SLICES, 1, 1))?)?;
        for (grading, logits) in one.iter() {
            let difference = (logits - &nine[grading])?.abs()?.max_all()?.to_scalar::<f32>()?;
            let size = logits.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(size > 1e-4 && difference < 1e-4 * size.max(1.0), "{grading}: {difference} of {size}");
        }
        Ok(())
    }
}
