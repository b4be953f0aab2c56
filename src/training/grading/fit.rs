//! One training run: the flat stage, inflation, the 3-D stage, with a log and checkpoints.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::checkpoint::{SavedRun, StageName, file_error};
use super::examples::{GradingExample, ScanKind, blank_outer_slices};
use super::flat::FlatNetwork;
use super::log::{LogLine, Watched};
use super::loss::{BatchTargets, LabelWeights};
use super::measure::{HeldOutPrediction, MeasuredGrading, balanced_accuracies};
use super::phantoms::COHORT;
use super::readers::Readers;
use super::{GradingTrainingConfig, GradingTrainingError, Stage};
use crate::memory;
use crate::model::grading::{Dropout, INPUT_MEAN};
use crate::model::weights::WeightsFolder;
use crate::model::{Dimensions, GradingConfig, GradingNetwork, Place, probabilities};
use crate::spine::{
    DiscLevel, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PatchAugmentation, PerGrading, WIDE_COLUMNS, WIDE_ROWS,
    WIDE_SLICE_MARGIN, WIDE_SLICES,
};
use crate::task::Progress;
use crate::training::TrainingJob;
use crate::training::labels::DiscLabels;
use crate::training::optimizer::{Optimizer, WeightAverage, initialize, sorted};
use crate::training::schedule::best_epoch;

/// Discs of patients and of phantoms that the mean voxel is computed from.
const MEAN_SAMPLE: usize = 200;
const MEAN_PHANTOMS: u64 = 60;

/// A disc of an epoch.
#[derive(Clone, Copy)]
enum Source {
    /// Index among the discs of patients.
    Patient(usize),
    /// Number of a synthetic disc.
    Phantom(u64),
}

/// What a run needs to know.
pub(super) struct Run<'a> {
    pub(super) config: &'a GradingTrainingConfig,
    /// Discs of patients to learn from.
    pub(super) examples: Vec<&'a GradingExample>,
    /// Discs of patients set aside to watch training on.
    pub(super) validation: Vec<&'a GradingExample>,
    /// Distinguishes runs of one configuration.
    pub(super) seed: u64,
    pub(super) job: &'a TrainingJob,
}

/// A trained network and the tensors that it is made of.
pub(super) struct Fitted {
    pub(super) network: GradingNetwork,
    pub(super) variables: VarMap,
}

/// What the network says of discs beside what is known of them.
fn labelled_predictions(
    discs: &[Cow<'_, GradingExample>],
    logits: &PerGrading<Tensor>,
) -> candle_core::Result<Vec<HeldOutPrediction>> {
    let answers = discs.iter().zip(probabilities(logits)?);
    Ok(answers.map(|(example, probabilities)| HeldOutPrediction::of(example, 0, probabilities)).collect())
}

/// From discs to pool5.
type Trunk<'a> = &'a dyn Fn(&Tensor) -> candle_core::Result<Tensor>;
/// From what the branches read to logits.
type Heads<'a> = &'a dyn Fn(&Tensor, &[DiscLevel], &mut Dropout) -> candle_core::Result<PerGrading<Tensor>>;

/// From discs to logits, and from those to what the readers of a cohort say.
type Parts<'a> = (Trunk<'a>, Heads<'a>, &'a Readers);

/// What the branches read of pool5: all of it, or of each sample of wide volumes its place.
fn features(pool5: &Tensor, dimensions: Dimensions, places: Option<&[Place]>) -> candle_core::Result<Tensor> {
    let Some(places) = places else { return pool5.flatten_from(1) };
    let slices = dimensions.pooled_slices();
    let views = places.iter().enumerate().map(|(sample, place)| place.features(&pool5.narrow(0, sample, 1)?, slices));
    Tensor::cat(&views.collect::<candle_core::Result<Vec<_>>>()?, 0)
}

impl Run<'_> {
    /// Trains through both stages. `after_flat` sees the flat network before it is inflated.
    pub(super) fn fit(
        &self,
        after_flat: &mut dyn FnMut(&FlatNetwork) -> Result<(), GradingTrainingError>,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Fitted, GradingTrainingError> {
        fs::create_dir_all(&self.job.folder).map_err(|source| file_error(source, &self.job.folder))?;
        // Values, gradients, two moments, the mean, and the copy that is saved.
        memory::check(6 * 4 * self.config.network.parameter_count() as u64)?;
        let device = &self.job.device;
        let variables = self.config.network.initial_variables(self.seed, device)?;
        let vb = VarBuilder::from_varmap(&variables, DType::F32, device);
        self.set_input_mean(&variables)?;
        let network = GradingNetwork::new(&self.config.network, vb)?;
        let readers = self.readers(&variables)?;
        let flat = FlatNetwork::new(&network, &variables)?;
        initialize(flat.variables(), self.seed)?;
        if let Some(start) = &self.config.start {
            flat.start_from(&WeightsFolder::open(start)?.load::<GradingConfig>(device)?.tensors)?;
        }
        let checkpoint = if self.job.resume { self.read_checkpoint()? } else { None };
        let at = checkpoint.as_ref().map(|(checkpoint, _)| checkpoint.stage);
        let mut here = checkpoint;
        if at != Some(StageName::Deep) {
            let trunk = |input: &Tensor| flat.pool5(input);
            let heads = |features: &Tensor, levels: &[DiscLevel], dropout: &mut Dropout| {
                flat.classify(features, levels, dropout)
            };
            self.run_stage(StageName::Flat, flat.variables(), here.take(), on_progress, (&trunk, &heads, &readers))?;
            after_flat(&flat)?;
            flat.inflate_into(&variables)?;
        }
        let trunk = |input: &Tensor| network.pool5(input);
        let heads = |features: &Tensor, levels: &[DiscLevel], dropout: &mut Dropout| {
            network.classify(features, Some(levels), Some(dropout))
        };
        self.run_stage(StageName::Deep, &variables, here, on_progress, (&trunk, &heads, &readers))?;
        Readers::drop_from(&variables)?;
        Ok(Fitted { network, variables })
    }

    /// Mean voxel of a sample of the middle slices, in two dimensions the same for every slice: most scans have one.
    fn set_input_mean(&self, variables: &VarMap) -> Result<(), GradingTrainingError> {
        let step = (self.examples.len() / MEAN_SAMPLE).max(1);
        let mut chosen: Vec<_> = (0..self.examples.len()).step_by(step).map(Source::Patient).collect();
        if self.config.flat.phantom + self.config.deep.phantom > 0 {
            chosen.extend((0..MEAN_PHANTOMS).map(Source::Phantom));
        }
        let mean = |source: &Source| {
            let pixels = self.disc(*source, 0)?.flat_patch(&PatchAugmentation::NONE);
            Ok(pixels.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / pixels.len() as f64)
        };
        let means = chosen.par_iter().map(mean).collect::<Result<Vec<f64>, GradingTrainingError>>()?;
        let mean = means.iter().sum::<f64>() / means.len().max(1) as f64;
        for (name, variable) in sorted(variables) {
            if name == INPUT_MEAN {
                variable.set(&Tensor::full(mean as f32, variable.shape(), variable.device())?)?;
            }
        }
        Ok(())
    }

    fn run_stage(
        &self,
        name: StageName,
        variables: &VarMap,
        resumed: Option<SavedRun>,
        on_progress: &mut dyn FnMut(Progress),
        (trunk, heads, readers): Parts,
    ) -> Result<(), GradingTrainingError> {
        let (stage, dimensions) = (self.stage(name), self.config.network.dimensions);
        let gradings = &self.config.network.gradings;
        let measured = MeasuredGrading::of(gradings.iter().copied());
        let mut optimizer =
            Optimizer::new(self.config.optimizer, variables, self.config.weight_decay, self.config.largest_gradient)?;
        let mut average = WeightAverage::new(variables, self.config.averaging)?;
        let mut first_epoch = 0;
        let mut errors = Vec::new();
        if let Some((checkpoint, tensors)) = resumed {
            optimizer.restore(&tensors, checkpoint.steps)?;
            average.restore(&tensors, checkpoint.steps)?;
            first_epoch = checkpoint.epochs_done;
            errors = checkpoint.errors;
        }
        let weights = self.label_weights();
        let steps = stage.epochs * self.epoch_order(name, 0, &mut self.random(name, 0)).len().div_ceil(stage.batch);
        for epoch in first_epoch..stage.epochs {
            let since_best = best_epoch(&errors).map_or(0, |best| errors.len() - 1 - best);
            if stage.patience.is_some_and(|patience| since_best >= patience) {
                break;
            }
            let start = Instant::now();
            let mut random = self.random(name, epoch);
            let order = self.epoch_order(name, epoch, &mut random);
            let mut sums = PerGrading::from_fn(gradings.iter().copied(), |_| 0.0);
            let mut answers = Vec::new();
            let multiplier = stage.plateau.as_ref().map(|plateau| plateau.multiplier(&errors));
            let batches = order.chunks(stage.batch).count();
            for batch in order.chunks(stage.batch) {
                self.job.cancel.check()?;
                let rate = match multiplier {
                    // Far from the end the cosine is its warm-up and its peak.
                    Some(multiplier) => multiplier * stage.schedule.rate(optimizer.steps(), usize::MAX),
                    None => stage.schedule.rate(optimizer.steps(), steps),
                };
                let discs = self.discs(name, batch)?;
                let (input, places) = self.input(name, &discs, &mut random)?;
                let targets = self.targets(&discs, &weights)?;
                let features = features(&trunk(&input)?, dimensions, places.as_deref())?;
                let mut dropout = Dropout { rate: self.config.dropout, random: &mut random };
                let levels: Vec<DiscLevel> = discs.iter().map(|disc| disc.level).collect();
                let logits = readers.shifted(heads(&features, &levels, &mut dropout)?, &discs)?;
                let losses = targets.loss(&logits)?;
                let mut total: Option<Tensor> = None;
                for (grading, loss) in losses.iter() {
                    sums[grading] += f64::from(loss.to_scalar::<f32>()?) / batches as f64;
                    let loss = (loss * self.config.task_weight(grading))?;
                    total = Some(match total {
                        Some(total) => (total + loss)?,
                        None => loss,
                    });
                }
                if let Some(total) = total {
                    optimizer.step(&total.backward()?, rate)?;
                }
                average.update()?;
                answers.extend(labelled_predictions(&discs, &logits)?);
            }
            let watched = self.watch(name, &weights, (trunk, heads, readers))?;
            errors.push(watched.as_ref().map_or_else(|| self.total(&sums), |watched| watched.loss));
            let learned = Watched { loss: self.total(&sums), accuracies: balanced_accuracies(&answers, &measured) };
            let seconds = start.elapsed().as_secs_f64();
            let steps = optimizer.steps();
            let line = LogLine {
                stage: name.key(),
                epoch,
                steps,
                seconds,
                losses: &sums,
                measured: &measured,
                learned,
                watched,
            };
            line.append_to(&self.job.folder.join("log.csv"))?;
            if stage.patience.is_some() && best_epoch(&errors) == Some(epoch) {
                candle_core::safetensors::save(&average.state()?, self.best_path(name))?;
            }
            self.write_checkpoint(name, epoch + 1, &optimizer, &average, &errors)?;
            on_progress(Progress { step: "Training", done: epoch + 1, total: stage.epochs });
        }
        if stage.patience.is_some() && stage.epochs > 0 {
            let best = candle_core::safetensors::load(self.best_path(name), &Device::Cpu)?;
            average.restore(&best, optimizer.steps())?;
        }
        Ok(average.apply()?)
    }

    /// Loss and accuracy on the patients set aside, of the weights as they are: one view, nothing changed or dropped.
    fn watch(
        &self,
        name: StageName,
        weights: &BTreeMap<Arc<str>, LabelWeights>,
        (trunk, heads, readers): Parts,
    ) -> Result<Option<Watched>, GradingTrainingError> {
        if self.validation.is_empty() {
            return Ok(None);
        }
        let (mut loss, mut answers) = (0.0, Vec::new());
        for batch in self.validation.chunks(self.stage(name).batch) {
            self.job.cancel.check()?;
            let discs: Vec<Cow<'_, GradingExample>> = batch.iter().map(|example| Cow::Borrowed(*example)).collect();
            let voxels: Vec<Vec<f32>> = discs
                .par_iter()
                .map(|example| match name {
                    StageName::Flat => example.flat_patch(&PatchAugmentation::NONE),
                    StageName::Deep => example.disc_volume(&PatchAugmentation::NONE),
                })
                .collect();
            let slices = if name == StageName::Flat { 1 } else { PATCH_SLICES };
            let input =
                Tensor::from_vec(voxels.concat(), (discs.len(), slices, PATCH_ROWS, PATCH_COLUMNS), &self.job.device)?;
            let levels: Vec<DiscLevel> = discs.iter().map(|disc| disc.level).collect();
            let mut unused = self.random(name, 0);
            let mut dropout = Dropout { rate: 0.0, random: &mut unused };
            let logits = heads(&trunk(&input)?.flatten_from(1)?, &levels, &mut dropout)?;
            let logits = readers.shifted(logits, &discs)?;
            let share = discs.len() as f64 / self.validation.len() as f64;
            let losses = self.targets(&discs, weights)?.loss(&logits)?;
            for (grading, of_grading) in losses.iter() {
                loss += share * self.config.task_weight(grading) * f64::from(of_grading.to_scalar::<f32>()?);
            }
            answers.extend(labelled_predictions(&discs, &logits)?);
        }
        let measured = MeasuredGrading::of(self.config.network.gradings.iter().copied());
        Ok(Some(Watched { loss, accuracies: balanced_accuracies(&answers, &measured) }))
    }

    fn total(&self, losses: &PerGrading<f64>) -> f64 {
        losses.iter().map(|(grading, loss)| self.config.task_weight(grading) * loss).sum()
    }

    fn phantom_labels(&self) -> Vec<DiscLabels> {
        self.config.phantoms.usual_labels().iter().map(|labels| self.config.learned(labels)).collect()
    }

    /// Weights that make the labels of each cohort count alike: what is rare in one may be common in another.
    fn label_weights(&self) -> BTreeMap<Arc<str>, LabelWeights> {
        let known = |cohort: &Arc<str>| {
            let of_cohort = self.examples.iter().filter(|example| example.cohort == *cohort);
            LabelWeights::of(of_cohort.map(|example| &example.labels))
        };
        let cohorts = self.examples.iter().chain(&self.validation).map(|example| &example.cohort);
        let mut weights: BTreeMap<_, _> = cohorts.map(|cohort| (Arc::clone(cohort), LabelWeights::default())).collect();
        for (cohort, weights) in &mut weights {
            *weights = known(cohort);
        }
        weights.insert(Arc::from(COHORT), LabelWeights::of(&self.phantom_labels()));
        weights
    }

    /// The readers of all cohorts that are learned from.
    fn readers(&self, variables: &VarMap) -> candle_core::Result<Readers> {
        let mut cohorts: Vec<_> = self.examples.iter().chain(&self.validation).map(|e| Arc::clone(&e.cohort)).collect();
        if self.config.flat.phantom + self.config.deep.phantom > 0 {
            cohorts.push(Arc::from(COHORT));
        }
        Readers::new(cohorts, &self.config.network.gradings, variables, &self.job.device)
    }

    /// Chance of an epoch: the same whether the run was interrupted before it or not.
    fn random(&self, name: StageName, epoch: usize) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(1 + 2 * epoch as u64 + u64::from(name == StageName::Deep));
        random
    }

    fn stage(&self, name: StageName) -> &Stage {
        match name {
            StageName::Flat => &self.config.flat,
            StageName::Deep => &self.config.deep,
        }
    }

    /// Discs of an epoch in random order: of each kind of patients' scans as many as the stage asks for, or all, and
    /// phantoms that no other epoch shows.
    fn epoch_order(&self, name: StageName, epoch: usize, random: &mut ChaCha8Rng) -> Vec<Source> {
        let stage = self.stage(name);
        let mut order = Vec::new();
        for (kind, wanted) in [(ScanKind::MidSagittal, stage.mid_sagittal), (ScanKind::Stack, stage.stack)] {
            let mut of_kind: Vec<usize> =
                (0..self.examples.len()).filter(|index| self.examples[*index].kind == kind).collect();
            of_kind.shuffle(random);
            of_kind.truncate(wanted);
            order.extend(of_kind.into_iter().map(Source::Patient));
        }
        let flat = &self.config.flat;
        let earlier = epoch * stage.phantom + if name == StageName::Deep { flat.epochs * flat.phantom } else { 0 };
        order.extend((earlier..earlier + stage.phantom).map(|number| Source::Phantom(number as u64)));
        order.shuffle(random);
        order
    }

    /// A disc with at most `beside` slices to either side of its middle, if it is made here.
    fn disc(&self, source: Source, beside: usize) -> Result<Cow<'_, GradingExample>, GradingTrainingError> {
        match source {
            Source::Patient(index) => Ok(Cow::Borrowed(self.examples[index])),
            Source::Phantom(number) => {
                let mut disc = self.config.phantoms.disc(number, beside)?;
                disc.labels = self.config.learned(&disc.labels);
                Ok(Cow::Owned(disc))
            }
        }
    }

    /// The discs of a batch; phantoms with the slices that the stage shows.
    fn discs(&self, name: StageName, batch: &[Source]) -> Result<Vec<Cow<'_, GradingExample>>, GradingTrainingError> {
        let shift = self.config.augmentation.shift_slices.unsigned_abs() as usize;
        let beside = match name {
            StageName::Flat => shift,
            StageName::Deep => PATCH_SLICES / 2 + shift.max(WIDE_SLICE_MARGIN),
        };
        batch.par_iter().map(|source| self.disc(*source, beside)).collect()
    }

    /// Changed discs of a batch. A share of the batches shows wide volumes, and the places of the views in them: see
    /// [`GradingTrainingConfig::context_share`].
    fn input(
        &self,
        name: StageName,
        discs: &[Cow<'_, GradingExample>],
        random: &mut ChaCha8Rng,
    ) -> candle_core::Result<(Tensor, Option<Vec<Place>>)> {
        let is_wide = random.random_bool(self.config.context_share);
        let seeds: Vec<u64> = discs.iter().map(|_| random.random()).collect();
        let augmentation = &self.config.augmentation;
        let slices = match (name, is_wide) {
            (StageName::Flat, _) => 1,
            (StageName::Deep, false) => PATCH_SLICES,
            (StageName::Deep, true) => WIDE_SLICES,
        };
        let (patches, places): (Vec<Vec<f32>>, Vec<Place>) = discs
            .par_iter()
            .zip(&seeds)
            .map(|(example, seed)| {
                let mut random = ChaCha8Rng::seed_from_u64(*seed);
                let change = augmentation.draw(&mut random);
                let place = Place(std::array::from_fn(|_| random.random_range(0..3)));
                let voxels = match (name, is_wide) {
                    (StageName::Flat, false) => example.flat_patch(&change),
                    (StageName::Flat, true) => example.flat_wide(&change, place),
                    (StageName::Deep, _) => {
                        // All slices of a wide volume are shown where all of a disc volume would be.
                        let shown = augmentation.draw_shown(&mut random);
                        let shown = if shown == PATCH_SLICES / 2 { slices / 2 } else { shown };
                        let mut voxels =
                            if is_wide { example.wide_volume(&change, place) } else { example.disc_volume(&change) };
                        blank_outer_slices(&mut voxels, slices, shown);
                        voxels
                    }
                };
                (voxels, place)
            })
            .unzip();
        let [rows, columns] = if is_wide { [WIDE_ROWS, WIDE_COLUMNS] } else { [PATCH_ROWS, PATCH_COLUMNS] };
        let input = Tensor::from_vec(patches.concat(), (discs.len(), slices, rows, columns), &self.job.device)?;
        Ok((input, is_wide.then_some(places)))
    }

    fn targets(
        &self,
        discs: &[Cow<'_, GradingExample>],
        weights: &BTreeMap<Arc<str>, LabelWeights>,
    ) -> candle_core::Result<BatchTargets> {
        let discs: Vec<_> = discs
            .iter()
            .map(|example| {
                let phantom = example.kind == ScanKind::Phantom;
                let factor = if phantom { self.config.phantoms.loss_weight } else { 1.0 };
                (&example.labels, &weights[&example.cohort], factor)
            })
            .collect();
        BatchTargets::new(&self.config.network.gradings, &discs, &self.job.device)
    }
}
