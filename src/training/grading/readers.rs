//! Readers of different cohorts draw the line between two grades in different places. While the network learns, the logits of each
//! cohort's discs are shifted by a bias of its readers, so that what is shared is learned from all and what is theirs is not mixed
//! into it. The biases are dropped afterwards; where the lines of the finished network lie, its calibration says.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use candle_nn::VarMap;

use super::GradingExample;
use crate::spine::{Grading, PerGrading};

/// What names of variables of readers begin with.
pub(super) const READERS: &str = "readers.";

/// The biases of each cohort's readers, `[classes]` a grading.
pub(super) struct Readers(BTreeMap<Arc<str>, PerGrading<Tensor>>);

impl Readers {
    /// Adds variables, zero at first, for every cohort to `variables`; none where there is only one cohort.
    pub(super) fn new(
        cohorts: impl IntoIterator<Item = Arc<str>>,
        gradings: &BTreeSet<Grading>,
        variables: &VarMap,
        device: &Device,
    ) -> Result<Self> {
        let mut readers: BTreeMap<_, _> = cohorts.into_iter().map(|cohort| (cohort, PerGrading::default())).collect();
        if readers.len() < 2 {
            return Ok(Self(BTreeMap::new()));
        }
        let Ok(mut data) = variables.data().lock() else { bail!("the map of variables is poisoned") };
        for (index, biases) in readers.values_mut().enumerate() {
            for &grading in gradings {
                let bias = Var::zeros(grading.classes(), DType::F32, device)?;
                biases.insert(grading, bias.as_tensor().clone());
                data.insert(format!("{READERS}{index}.{}", grading.key()), bias);
            }
        }
        drop(data);
        Ok(Self(readers))
    }

    /// Logits `[n, classes]` as the readers of each disc's cohort see them.
    pub(super) fn shifted(
        &self,
        logits: PerGrading<Tensor>,
        discs: &[Cow<'_, GradingExample>],
    ) -> Result<PerGrading<Tensor>> {
        if self.0.is_empty() {
            return Ok(logits);
        }
        let shifted = |(grading, logits): (Grading, &Tensor)| {
            let bias = |disc: &Cow<'_, GradingExample>| match self.0.get(&disc.cohort) {
                Some(biases) => Ok(&biases[grading]),
                None => bail!("the readers of {} are not known", disc.cohort),
            };
            let biases = discs.iter().map(bias).collect::<Result<Vec<_>>>()?;
            Ok((grading, (logits + Tensor::stack(&biases, 0)?)?))
        };
        logits.iter().map(shifted).collect()
    }

    /// Takes the biases out of the variables of a network that has learned.
    pub(super) fn drop_from(variables: &VarMap) -> Result<()> {
        let Ok(mut data) = variables.data().lock() else { bail!("the map of variables is poisoned") };
        data.retain(|name, _| !name.starts_with(READERS));
        Ok(())
    }
}
