//! The networks: loaded on first use, then kept.

use std::path::PathBuf;

use candle_core::Device;

use super::{DeviceChoice, DeviceError, PipelineError, device_name};
use crate::detection::Detector;
use crate::model::grader::GRADING_WEIGHTS;
use crate::model::weights::{Architecture, CALIBRATION, EXPERIMENTAL_GRADINGS, WeightsMetadata};
use crate::model::{DetectorConfig, Grader, GradingConfig, WeightsError, WeightsFolder, find_weights};
use crate::records::WeightsUsed;
use crate::saliency::EvidenceDefaults;
use crate::spine::{Grading, PerGrading};

/// The detector and the grader with the device they run on.
pub struct Models {
    device: Device,
    user_weights: Option<PathBuf>,
    grading_weights: String,
    detector: Option<Detector>,
    grader: Option<Grader>,
    experimental: PerGrading<String>,
    calibrated: Option<bool>,
    evidence: EvidenceDefaults,
}

/// Which networks were used, where, and what not to rely on.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelsInfo {
    /// Weights of the networks loaded so far, in the order of the chain.
    pub weights: Vec<WeightsUsed>,
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// The gradings that the weights have; empty until they are loaded.
    pub gradings: Vec<Grading>,
    /// Why gradings must not be relied on, where that is so.
    pub experimental: PerGrading<String>,
    /// Whether probabilities are calibrated, as the weights say; `None` until they are loaded.
    pub calibrated: Option<bool>,
    /// How maps of each grading are made unless another way is asked for, as the weights say.
    pub evidence: EvidenceDefaults,
}

impl Models {
    /// Opens the device; nothing is loaded yet. Weights are looked for in `user_weights` first.
    ///
    /// # Errors
    /// If the device is not there.
    pub fn new(device: DeviceChoice, user_weights: Option<PathBuf>) -> Result<Self, DeviceError> {
        Ok(Self {
            device: device.open()?,
            user_weights,
            grading_weights: GRADING_WEIGHTS.to_owned(),
            detector: None,
            grader: None,
            experimental: PerGrading::default(),
            calibrated: None,
            evidence: EvidenceDefaults::default(),
        })
    }

    /// The same with the grading weights of another name, such as those of the 2-D network.
    #[must_use]
    pub(crate) fn grading_with(self, weights: &str) -> Self {
        Self { grading_weights: weights.to_owned(), ..self }
    }

    /// Loads and checks the detector's weights; `false` if that was done before.
    ///
    /// # Errors
    /// If they are missing or damaged.
    pub(crate) fn load_detector(&mut self) -> Result<bool, PipelineError> {
        let is_new = self.detector.is_none();
        if is_new {
            self.detector = Some(Detector::load(self.user_weights.as_deref(), &self.device)?);
        }
        Ok(is_new)
    }

    /// Loads and checks the grader's weights; `false` if that was done before.
    ///
    /// # Errors
    /// If they are missing or damaged.
    pub(crate) fn load_grader(&mut self) -> Result<bool, PipelineError> {
        let is_new = self.grader.is_none();
        if is_new {
            let weights = find_weights(&self.grading_weights, self.user_weights.as_deref())?;
            let grader = Grader::from_folder(&weights, &self.device)?;
            self.experimental = experimental_gradings(&grader, &weights.metadata);
            self.calibrated = Some(!weights.metadata.training.results[CALIBRATION].is_null());
            self.evidence = weights.evidence()?;
            self.grader = Some(grader);
        }
        Ok(is_new)
    }

    /// The detector, loaded now if it was not.
    ///
    /// # Errors
    /// As [`Self::load_detector`].
    ///
    /// # Panics
    /// Never: it is loaded just before.
    pub(crate) fn detector(&mut self) -> Result<&Detector, PipelineError> {
        self.load_detector()?;
        Ok(self.detector.as_ref().expect("loaded one line above"))
    }

    /// The grader, loaded now if it was not.
    ///
    /// # Errors
    /// As [`Self::load_grader`].
    ///
    /// # Panics
    /// Never: it is loaded just before.
    pub(crate) fn grader(&mut self) -> Result<&Grader, PipelineError> {
        self.load_grader()?;
        Ok(self.grader.as_ref().expect("loaded one line above"))
    }

    /// Forgets the networks; they are loaded again on next use.
    pub(crate) fn unload(&mut self) {
        (self.detector, self.grader) = (None, None);
    }

    /// Names what is loaded.
    #[must_use]
    pub(crate) fn info(&self) -> ModelsInfo {
        let detector = self.detector.as_ref().map(Detector::info);
        let grader = self.grader.as_ref().map(Grader::info);
        ModelsInfo {
            weights: [detector, grader].into_iter().flatten().cloned().map(WeightsUsed::from).collect(),
            device: device_name(&self.device).to_owned(),
            gradings: self.grader.iter().flat_map(|grader| grader.network().config().gradings.clone()).collect(),
            experimental: self.experimental.clone(),
            calibrated: self.calibrated,
            evidence: self.evidence.clone(),
        }
    }
}

/// Why gradings must not be relied on, after what the weights say of their training; weights that say nothing claim that
/// all of them were taught and measured.
fn experimental_gradings(grader: &Grader, metadata: &WeightsMetadata) -> PerGrading<String> {
    let reasons = &metadata.training.results[EXPERIMENTAL_GRADINGS];
    let gradings = grader.network().config().gradings.iter();
    gradings.filter_map(|grading| Some((*grading, reasons[grading.key()].as_str()?.to_owned()))).collect()
}

/// Checks size, SHA-256, every tensor and what is said of evidence, of weights whose architecture this program knows.
///
/// # Errors
/// The first check that fails, or an architecture that is not known.
pub(crate) fn verify_weights(weights: &WeightsFolder) -> Result<(), WeightsError> {
    if DetectorConfig::NAMES.contains(&weights.metadata.architecture.as_str()) {
        weights.load::<DetectorConfig>(&Device::Cpu).map(|_| ())
    } else {
        // An unknown architecture fails here, naming what it is.
        weights.load::<GradingConfig>(&Device::Cpu)?;
        weights.evidence::<EvidenceDefaults>().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::grader::GRADING_2D_WEIGHTS;

    #[test]
    fn shipped_weights_say_what_they_grade_and_whether_they_are_calibrated() {
        let all = [
            (GRADING_WEIGHTS, true, Grading::ALL.to_vec()),
            // It says nothing of them: then they are those of the paper.
            (GRADING_2D_WEIGHTS, false, Grading::PAPER.to_vec()),
        ];
        for (name, calibrated, gradings) in all {
            let weights = find_weights(name, None).expect("shipped weights");
            verify_weights(&weights).expect("every tensor in its shape, and no other");
            let mut models = Models::new(DeviceChoice::Cpu, None).expect("a processor").grading_with(name);
            assert!(models.info().gradings.is_empty());
            models.load_grader().expect("shipped weights");
            let info = models.info();
            assert_eq!((info.gradings, info.calibrated), (gradings, Some(calibrated)), "{name}");
        }
    }

    /// Of the discs that weights 0.4.0 were measured on 1,029 do not slip and 25 do.
    #[test]
    fn shipped_weights_say_how_common_a_finding_is() {
        let weights = find_weights(GRADING_WEIGHTS, None).expect("shipped weights");
        let prevalence = weights.prevalence();
        let slip = prevalence.get(Grading::Spondylolisthesis).expect("counted").applied_to(&[0.5, 0.5]);
        assert!((slip[1] - 26.0 / 1056.0).abs() < 1e-6, "{slip:?}");
        let counted: Vec<Grading> = prevalence.gradings().collect();
        let marrow = [Grading::UpperMarrowChange, Grading::LowerMarrowChange];
        assert_eq!(counted, Grading::ALL.into_iter().filter(|one| !marrow.contains(one)).collect::<Vec<_>>());
        let without = find_weights(GRADING_2D_WEIGHTS, None).expect("shipped weights").prevalence();
        assert!(without.is_empty(), "not calibrated");
    }
}
