//! Networks that have unlearned: does a map show what was learned, or only the image?
//!
//! Adebayo et al. 2018, "Sanity checks for saliency maps", cascading randomization: the layers get the weights of an
//! untrained network one after the other, from the top down. A map that stays the same explains nothing.

use candle_core::{DType, Result};
use candle_nn::VarBuilder;

use crate::model::grading::GradingNetwork;

/// The layers from the top down, in the order in which they unlearn; those of the branches in all branches at once.
pub(crate) const CASCADE: [&str; 8] = ["fc8", "fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1"];

/// The network with the first `layers` of [`CASCADE`] as they are before training, drawn by `seed`; what `seed` gives a
/// layer does not depend on how many have unlearned.
///
/// # Errors
/// If the device fails.
pub(crate) fn randomized(network: &GradingNetwork, layers: usize, seed: u64) -> Result<GradingNetwork> {
    let config = network.config();
    let untrained = config.initial_variables(seed, network.device())?;
    let Ok(untrained) = untrained.data().lock() else { candle_core::bail!("the map of variables is poisoned") };
    let mut tensors = network.tensors();
    for (name, tensor) in &mut tensors {
        // A name is "conv1.weight" or "pfirrmann.fc6.bias".
        let is_unlearned = CASCADE.iter().take(layers).any(|layer| name.split('.').any(|part| part == *layer));
        if let (true, Some(fresh)) = (is_unlearned, untrained.get(name)) {
            *tensor = fresh.as_detached_tensor();
        }
    }
    GradingNetwork::new(config, VarBuilder::from_tensors(tensors, DType::F32, network.device()))
}
