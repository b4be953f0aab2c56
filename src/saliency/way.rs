//! How maps are made and boxed for a grading: the paper's own way, and the one that lies best on readers' boxes.

use serde::{Deserialize, Serialize};

use super::{SaliencyLayer, SaliencyMethod, SaliencyPlan};
use crate::spine::{BoxRule, Grading, PerGrading};

/// A way to make a map and to box it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EvidenceWay {
    pub method: SaliencyMethod,
    /// Layer to read it off at; [`SaliencyLayer::usual`] if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<SaliencyLayer>,
    /// Standard deviation of the Gaussian that it is smoothed by within its slices, mm; 0 for none.
    pub smoothing_mm: f64,
    /// Which hotspots a box encloses.
    pub box_rule: BoxRule,
    /// Percentile of the map above which a voxel is a hotspot.
    pub percentile: f64,
}

impl EvidenceWay {
    /// Jamaludin et al. 2017: contrastive excitation at Conv1, a box around all hotspots of a slice, cut at the 97th percentile.
    pub const PAPER: Self = Self {
        method: SaliencyMethod::ContrastiveExcitation,
        layer: None,
        smoothing_mm: 0.0,
        box_rule: BoxRule::All,
        percentile: 97.0,
    };

    /// How its maps are computed.
    #[must_use]
    pub fn plan(&self, augmentations: usize, precision: Option<f32>, seed: u64) -> SaliencyPlan {
        let Self { method, layer, smoothing_mm, .. } = *self;
        SaliencyPlan { method, layer, smoothing_mm, augmentations, precision, seed }
    }
}

/// How well the boxes of a way lie on true ones: what a reader must know of a map. `IoU` is the mean over discs of the Jaccard
/// index on the slices with a true box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredEvidence {
    /// Whose boxes, such as "readers' boxes, 40 patients of Sudirman".
    pub on: String,
    pub discs: usize,
    pub iou: f64,
    /// Its interval of 95 %, by resampling patients.
    pub iou_interval: [f64; 2],
    /// `IoU` of a box that is always where other patients have theirs, whatever the image shows.
    pub fixed_place_iou: f64,
    /// `IoU` of [`EvidenceWay::PAPER`].
    pub paper_iou: f64,
}

impl MeasuredEvidence {
    /// Whether the map finds the place better than anatomy alone does.
    #[must_use]
    pub(crate) fn beats_fixed_place(&self) -> bool {
        self.iou_interval[0] > self.fixed_place_iou
    }
}

/// What weights say of the evidence for a grading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradingEvidence {
    /// The way that was best on the patients it was chosen on.
    #[serde(flatten)]
    pub way: EvidenceWay,
    /// How good it is on others.
    pub measured: MeasuredEvidence,
}

/// What weights say of their evidence: the optional block `evidence` of their metadata.
pub(crate) type EvidenceDefaults = PerGrading<GradingEvidence>;

/// What is asked of a way; the rest is as the weights say for the grading, and the paper's where they say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct WayChoice {
    /// The rest is the paper's in any case.
    pub is_paper: bool,
    /// Method; it brings its usual layer along.
    pub method: Option<SaliencyMethod>,
    pub layer: Option<SaliencyLayer>,
    pub smoothing_mm: Option<f64>,
    /// Which hotspots a box encloses.
    pub box_rule: Option<BoxRule>,
    pub percentile: Option<f64>,
}

impl WayChoice {
    /// This way and no other.
    #[must_use]
    pub(crate) fn exactly(way: EvidenceWay) -> Self {
        let EvidenceWay { method, layer, smoothing_mm, box_rule, percentile } = way;
        Self {
            is_paper: false,
            method: Some(method),
            layer,
            smoothing_mm: Some(smoothing_mm),
            box_rule: Some(box_rule),
            percentile: Some(percentile),
        }
    }

    /// The way for a grading.
    #[must_use]
    pub(crate) fn way(&self, grading: Grading, defaults: &EvidenceDefaults) -> EvidenceWay {
        let default = defaults.get(grading).filter(|_| !self.is_paper).map_or(EvidenceWay::PAPER, |found| found.way);
        EvidenceWay {
            method: self.method.unwrap_or(default.method),
            layer: self.layer.or(if self.method.is_some() { None } else { default.layer }),
            smoothing_mm: self.smoothing_mm.unwrap_or(default.smoothing_mm),
            box_rule: self.box_rule.unwrap_or(default.box_rule),
            percentile: self.percentile.unwrap_or(default.percentile),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = r#"{"central_canal_stenosis": {
        "method": "gradient", "layer": "conv3", "smoothing_mm": 2.0, "box_rule": "largest-of-slice", "percentile": 88.0,
        "measured": {"on": "readers' boxes", "discs": 9, "iou": 0.4, "iou_interval": [0.3, 0.5],
                     "fixed_place_iou": 0.45, "paper_iou": 0.1}}}"#;

    #[test]
    fn weights_choose_the_way_of_a_grading_and_the_paper_the_others() {
        let defaults: EvidenceDefaults = serde_json::from_str(BLOCK).expect("as documented");
        let stenosis = EvidenceWay {
            method: SaliencyMethod::Gradient,
            layer: Some(SaliencyLayer::Conv3),
            smoothing_mm: 2.0,
            box_rule: BoxRule::LargestOfSlice,
            percentile: 88.0,
        };
        let way = |choice: WayChoice| choice.way(Grading::CentralCanalStenosis, &defaults);
        assert_eq!(way(WayChoice::default()), stenosis);
        assert_eq!(WayChoice::default().way(Grading::Pfirrmann, &defaults), EvidenceWay::PAPER);
        assert_eq!(way(WayChoice { is_paper: true, ..WayChoice::default() }), EvidenceWay::PAPER);
        let guided = WayChoice { method: Some(SaliencyMethod::Guided), ..WayChoice::default() };
        assert_eq!(way(guided), EvidenceWay { method: SaliencyMethod::Guided, layer: None, ..stenosis });
        let lower = WayChoice { percentile: Some(80.0), is_paper: true, ..WayChoice::default() };
        assert_eq!(way(lower), EvidenceWay { percentile: 80.0, ..EvidenceWay::PAPER });
    }

    #[test]
    fn a_map_beats_the_fixed_place_where_its_whole_interval_does() {
        let defaults: EvidenceDefaults = serde_json::from_str(BLOCK).expect("as documented");
        let mut measured = defaults[Grading::CentralCanalStenosis].measured.clone();
        assert!(!measured.beats_fixed_place());
        measured.fixed_place_iou = 0.29;
        assert!(measured.beats_fixed_place());
    }
}
