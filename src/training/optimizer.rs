//! `AdamW` and SGD with momentum, seeded initialization, and a state that can be saved.

use std::collections::HashMap;
use std::f64::consts::PI;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, Device, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, bail};
use candle_nn::VarMap;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// How gradients change the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UpdateRule {
    /// Loshchilov & Hutter 2019.
    #[default]
    AdamW,
    /// Stochastic gradient descent with momentum 0.9, as in the paper.
    Sgd,
}

/// An optimizer with decoupled weight decay on matrices and kernels, none on vectors (biases, norms).
pub(crate) struct Optimizer {
    rule: UpdateRule,
    parameters: Vec<Parameter>,
    weight_decay: f64,
    largest_gradient: f64,
    steps: usize,
}

struct Parameter {
    name: String,
    value: Var,
    first: Var,
    second: Var,
}

impl Optimizer {
    /// An optimizer of all variables of the map, in the order of their names. Gradients are scaled down to a total
    /// Euclidean norm of `largest_gradient`.
    ///
    /// # Errors
    /// If a tensor cannot be allocated.
    pub(crate) fn new(rule: UpdateRule, variables: &VarMap, weight_decay: f64, largest_gradient: f64) -> Result<Self> {
        let parameters = sorted(variables)
            .into_iter()
            .map(|(name, value)| {
                let zeros = || Var::from_tensor(&value.zeros_like()?);
                Ok(Parameter { first: zeros()?, second: zeros()?, name, value })
            })
            .collect::<Result<_>>()?;
        Ok(Self { rule, parameters, weight_decay, largest_gradient, steps: 0 })
    }

    /// Steps taken.
    #[must_use]
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// Changes every variable that has a gradient; returns the gradients' norm before it was limited.
    ///
    /// # Errors
    /// If a gradient is not finite (nothing is changed then) or a tensor operation fails.
    pub(crate) fn step(&mut self, gradients: &GradStore, learning_rate: f64) -> Result<f64> {
        let mut norm = 0f64;
        for parameter in &self.parameters {
            if let Some(gradient) = gradients.get(&parameter.value) {
                norm += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        let norm = norm.sqrt();
        if !norm.is_finite() {
            bail!("the gradient is not finite after {} steps", self.steps)
        }
        self.steps += 1;
        let shrink = (self.largest_gradient / norm.max(1e-12)).min(1.0);
        let first_correction = 1.0 / (1.0 - FIRST_DECAY.powf(self.steps as f64));
        let second_correction = 1.0 / (1.0 - SECOND_DECAY.powf(self.steps as f64));
        let descend = Descend {
            decay: 1.0,
            rate: learning_rate as f32,
            first_correction: first_correction as f32,
            second_correction: second_correction as f32,
        };
        for Parameter { value, first, second, .. } in &self.parameters {
            let Some(gradient) = gradients.get(value) else { continue };
            let gradient = gradient.contiguous()?;
            let decay = if value.rank() > 1 { 1.0 - learning_rate * self.weight_decay } else { 1.0 };
            if self.rule == UpdateRule::Sgd {
                let next = ((first.as_tensor() * FIRST_DECAY)? + (gradient * shrink)?)?;
                value.set(&((value.as_tensor() * decay)? - (&next * learning_rate)?)?)?;
                first.set(&next)?;
                continue;
            }
            if value.device().is_cpu() && value.dtype() == DType::F32 {
                // In place: composed of tensor operations, these few lines took half of a training step.
                first.inplace_op2(
                    &gradient,
                    &Blend { decay: FIRST_DECAY as f32, shrink: shrink as f32, squared: false },
                )?;
                second.inplace_op2(
                    &gradient,
                    &Blend { decay: SECOND_DECAY as f32, shrink: shrink as f32, squared: true },
                )?;
                value.inplace_op3(first, second, &Descend { decay: decay as f32, ..descend })?;
                continue;
            }
            let gradient = (gradient * shrink)?;
            let next_first = ((first.as_tensor() * FIRST_DECAY)? + (&gradient * (1.0 - FIRST_DECAY))?)?;
            let next_second = ((second.as_tensor() * SECOND_DECAY)? + (gradient.sqr()? * (1.0 - SECOND_DECAY))?)?;
            let deviation = ((&next_second * second_correction)?.sqrt()? + EPSILON)?;
            let change = ((&next_first * first_correction)? / deviation)?;
            let next = ((value.as_tensor() * decay)? - (change * learning_rate)?)?;
            first.set(&next_first)?;
            second.set(&next_second)?;
            value.set(&next)?;
        }
        Ok(norm)
    }

    /// Parameters and moments by name (`parameter.`, `first.`, `second.` before the variable's), to be saved.
    ///
    /// # Errors
    /// If a tensor cannot be copied (the variables go on changing in place).
    pub(crate) fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut tensors = HashMap::new();
        for Parameter { name, value, first, second } in &self.parameters {
            for (kind, variable) in [("parameter", value), ("first", first), ("second", second)] {
                tensors.insert(format!("{kind}.{name}"), variable.as_tensor().copy()?);
            }
        }
        Ok(tensors)
    }

    /// Goes back to a saved state after `steps` steps.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub(crate) fn restore(&mut self, state: &HashMap<String, Tensor>, steps: usize) -> Result<()> {
        for Parameter { name, value, first, second } in &self.parameters {
            for (kind, variable) in [("parameter", value), ("first", first), ("second", second)] {
                match state.get(&format!("{kind}.{name}")) {
                    Some(tensor) => variable.set(&tensor.to_device(variable.device())?)?,
                    None => bail!("the checkpoint has no tensor {kind}.{name}"),
                }
            }
        }
        self.steps = steps;
        Ok(())
    }
}

/// A running mean of the variables over the last steps, which generalizes better than the last of them (Polyak & Juditsky
/// 1992; as an exponential mean in Tarvainen & Valpola 2017).
pub(crate) struct WeightAverage {
    decay: f64,
    updates: usize,
    /// Variable and its mean, in the order of their names.
    means: Vec<(String, Var, Var)>,
}

impl WeightAverage {
    /// The mean over about `1 / (1 - decay)` steps; 0 keeps the last step alone.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub(crate) fn new(variables: &VarMap, decay: f64) -> Result<Self> {
        let means = sorted(variables)
            .into_iter()
            .map(|(name, variable)| Ok((name, variable.clone(), Var::from_tensor(&variable.as_tensor().copy()?)?)))
            .collect::<Result<_>>()?;
        Ok(Self { decay, updates: 0, means })
    }

    /// Takes the variables as they are after a step into the mean. The first steps, far from any good weights, are
    /// forgotten sooner.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub(crate) fn update(&mut self) -> Result<()> {
        let early = (1.0 + self.updates as f64) / (10.0 + self.updates as f64);
        let decay = self.decay.min(early) as f32;
        self.updates += 1;
        for (_, variable, mean) in &self.means {
            if variable.device().is_cpu() && variable.dtype() == DType::F32 {
                mean.inplace_op2(variable, &Blend { decay, shrink: 1.0, squared: false })?;
            } else {
                let decay = f64::from(decay);
                mean.set(&((mean.as_tensor() * decay)? + (variable.as_tensor() * (1.0 - decay))?)?)?;
            }
        }
        Ok(())
    }

    /// Sets the variables to their means.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub(crate) fn apply(&self) -> Result<()> {
        self.means.iter().try_for_each(|(_, variable, mean)| variable.set(mean.as_tensor()))
    }

    /// The means by name (`mean.` before the variable's), to be saved.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub(crate) fn state(&self) -> Result<HashMap<String, Tensor>> {
        self.means.iter().map(|(name, _, mean)| Ok((format!("mean.{name}"), mean.as_tensor().copy()?))).collect()
    }

    /// Goes back to a saved state after `updates` steps.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub(crate) fn restore(&mut self, state: &HashMap<String, Tensor>, updates: usize) -> Result<()> {
        for (name, _, mean) in &self.means {
            match state.get(&format!("mean.{name}")) {
                Some(tensor) => mean.set(&tensor.to_device(mean.device())?)?,
                None => bail!("the checkpoint has no tensor mean.{name}"),
            }
        }
        self.updates = updates;
        Ok(())
    }
}

/// Moves a running mean towards a value or its square, in place.
struct Blend {
    decay: f32,
    shrink: f32,
    squared: bool,
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "adamw-blend"
    }

    fn cpu_fwd(&self, mean: &mut CpuStorage, to: &Layout, gradient: &CpuStorage, from: &Layout) -> Result<()> {
        let gradient = &gradient.as_slice::<f32>()?[contiguous(from)?];
        for (mean, gradient) in elements_mut(mean, to)?.iter_mut().zip(gradient) {
            let gradient = gradient * self.shrink;
            let value = if self.squared { gradient * gradient } else { gradient };
            *mean = *mean * self.decay + value * (1.0 - self.decay);
        }
        Ok(())
    }
}

/// Takes the step, in place.
#[derive(Clone, Copy)]
struct Descend {
    decay: f32,
    rate: f32,
    first_correction: f32,
    second_correction: f32,
}

impl InplaceOp3 for Descend {
    fn name(&self) -> &'static str {
        "adamw-descend"
    }

    fn cpu_fwd(
        &self,
        value: &mut CpuStorage,
        to: &Layout,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
    ) -> Result<()> {
        let first = &first.as_slice::<f32>()?[contiguous(first_layout)?];
        let second = &second.as_slice::<f32>()?[contiguous(second_layout)?];
        for ((value, first), second) in elements_mut(value, to)?.iter_mut().zip(first).zip(second) {
            let deviation = (second * self.second_correction).sqrt() + EPSILON as f32;
            *value = *value * self.decay - self.rate * (first * self.first_correction) / deviation;
        }
        Ok(())
    }
}

fn contiguous(layout: &Layout) -> Result<std::ops::Range<usize>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(start..end),
        None => bail!("the optimizer needs contiguous tensors"),
    }
}

fn elements_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let range = contiguous(layout)?;
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[range]),
        _ => bail!("the optimizer works on f32"),
    }
}

/// The map's variables in the order of their names.
#[must_use]
pub(crate) fn sorted(variables: &VarMap) -> Vec<(String, Var)> {
    // The map is only read here: a thread that panicked while holding the lock has left it whole.
    let data = variables.data().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut named: Vec<(String, Var)> = data.iter().map(|(name, variable)| (name.clone(), variable.clone())).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named
}

/// Draws every matrix and kernel anew from a normal distribution of variance 2 / fan-in (He et al. 2015), in the order
/// of their names, so that a seed decides them; Candle's own CPU generator cannot be seeded. Vectors stay as they are.
///
/// # Errors
/// If a tensor cannot be set.
pub(crate) fn initialize(variables: &VarMap, seed: u64) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for (_, variable) in sorted(variables) {
        if variable.rank() > 1 {
            let fan_in: usize = variable.dims()[1..].iter().product();
            let deviation = (2.0 / fan_in as f32).sqrt();
            let values: Vec<f32> = (0..variable.elem_count()).map(|_| normal(&mut random) * deviation).collect();
            variable.set(&Tensor::from_vec(values, variable.shape(), &Device::Cpu)?.to_device(variable.device())?)?;
        }
    }
    Ok(())
}

/// A draw from the standard normal distribution (Box and Muller 1958). Those of a library would be others, and weights name the
/// seed that makes them.
pub(crate) fn normal(random: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    (radius * (2.0 * PI * random.random::<f64>()).cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::{Init, VarBuilder};

    fn variables() -> VarMap {
        let variables = VarMap::new();
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        vb.get_with_hints((2, 3), "weight", Init::Const(1.0)).expect("weight");
        vb.get_with_hints(3, "bias", Init::Const(0.5)).expect("bias");
        variables
    }

    fn loss(variables: &VarMap) -> Tensor {
        let named = sorted(variables);
        let (bias, weight) = (&named[0].1, &named[1].1);
        weight.broadcast_add(bias).and_then(|sum| (sum - 3.0)?.sqr()?.mean_all()).expect("loss")
    }

    // import torch
    // w = torch.ones(2, 3, requires_grad=True); b = torch.full((3,), 0.5, requires_grad=True)
    // o = torch.optim.AdamW([{"params": [w], "weight_decay": 0.1}, {"params": [b], "weight_decay": 0.0}], lr=0.01)
    // for _ in range(5): o.zero_grad(); ((w + b - 3) ** 2).mean().backward(); o.step()
    // print(w, b)
    #[test]
    fn five_steps_equal_those_of_pytorch() {
        let variables = variables();
        let mut optimizer = Optimizer::new(UpdateRule::AdamW, &variables, 0.1, f64::INFINITY).expect("optimizer");
        for _ in 0..5 {
            let gradients = loss(&variables).backward().expect("backward");
            optimizer.step(&gradients, 0.01).expect("step");
        }
        let first = |variable: &Var| variable.flatten_all().and_then(|v| v.to_vec1::<f32>()).expect("values")[0];
        let named = sorted(&variables);
        assert!((first(&named[0].1) - 0.549_940_6).abs() < 2e-6, "bias {}", first(&named[0].1));
        assert!((first(&named[1].1) - 1.044_850_8).abs() < 2e-6, "weight {}", first(&named[1].1));
    }

    #[test]
    fn a_restored_optimizer_goes_on_where_it_was() {
        let run = |variables: &VarMap, optimizer: &mut Optimizer, steps: usize| {
            for _ in 0..steps {
                let gradients = loss(variables).backward().expect("backward");
                optimizer.step(&gradients, 0.02).expect("step");
            }
        };
        let (straight, broken) = (variables(), variables());
        let mut optimizer = Optimizer::new(UpdateRule::AdamW, &straight, 0.1, 1.0).expect("optimizer");
        run(&straight, &mut optimizer, 3);
        let state = optimizer.state().expect("copies");
        run(&straight, &mut optimizer, 3);
        let mut resumed = Optimizer::new(UpdateRule::AdamW, &broken, 0.1, 1.0).expect("optimizer");
        resumed.restore(&state, 3).expect("complete state");
        run(&broken, &mut resumed, 3);
        assert_eq!(resumed.steps(), 6);
        for ((_, a), (_, b)) in sorted(&straight).iter().zip(sorted(&broken)) {
            let values = |v: &Var| v.flatten_all().and_then(|v| v.to_vec1::<f32>()).expect("values");
            assert_eq!(values(a), values(&b));
        }
    }

    #[test]
    fn the_average_follows_the_steps_and_goes_on_where_it_was() {
        let (straight, broken) = (variables(), variables());
        let values = |v: &VarMap| sorted(v)[0].1.to_vec1::<f32>().expect("values");
        let set = |v: &VarMap, value: f32| {
            sorted(v)[0].1.set(&Tensor::full(value, 3, &Device::Cpu).expect("bias")).expect("same shape");
        };
        let run = |v: &VarMap, average: &mut WeightAverage, steps: std::ops::Range<u8>| {
            for step in steps {
                set(v, f32::from(step));
                average.update().expect("mean");
            }
        };
        let mut average = WeightAverage::new(&straight, 0.5).expect("copies");
        run(&straight, &mut average, 0..30);
        let state = average.state().expect("copies");
        run(&straight, &mut average, 30..60);
        average.apply().expect("same shapes");
        // The mean of a line lags decay / (1 - decay) steps behind.
        assert!((values(&straight)[0] - 58.0).abs() < 1e-3, "{:?}", values(&straight));
        let mut resumed = WeightAverage::new(&broken, 0.5).expect("copies");
        resumed.restore(&state, 30).expect("complete state");
        run(&broken, &mut resumed, 30..60);
        resumed.apply().expect("same shapes");
        assert_eq!(values(&straight), values(&broken));
        assert!(resumed.restore(&HashMap::new(), 0).is_err());
    }

    #[test]
    fn a_seed_decides_the_weights() {
        let (a, b) = (variables(), variables());
        initialize(&a, 7).expect("set");
        initialize(&b, 7).expect("set");
        let values = |v: &VarMap| sorted(v)[1].1.flatten_all().and_then(|v| v.to_vec1::<f32>()).expect("values");
        assert_eq!(values(&a), values(&b));
        initialize(&b, 8).expect("set");
        assert_ne!(values(&a), values(&b));
    }

    /// v ← 0.9 v + g, w ← w − rate · v: two steps on w² from 1.
    #[test]
    fn momentum_is_that_of_the_paper() {
        let variables = VarMap::new();
        let w = Var::new(&[1.0_f32], &Device::Cpu).expect("a number");
        variables.data().lock().expect("ours alone").insert("w".to_owned(), w.clone());
        let mut optimizer = Optimizer::new(UpdateRule::Sgd, &variables, 0.0, f64::INFINITY).expect("one variable");
        for expected in [0.8, 0.46] {
            let loss = w.sqr().and_then(|square| square.sum_all()).expect("a number");
            optimizer.step(&loss.backward().expect("a gradient"), 0.1).expect("a step");
            let value = w.to_vec1::<f32>().expect("a number")[0];
            assert!((value - expected).abs() < 1e-6, "{value}");
        }
    }
}
