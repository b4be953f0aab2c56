//! The evidence maps on the screen and how they are shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::picture::{ColorMap, EvidenceFill};
use crate::render::EvidenceHandle;
use crate::saliency::{EvidenceDefaults, EvidenceWay, SaliencyMap, SaliencyMethod, WayChoice};
use crate::spine::{ClassIndex, DiscLevel, Grading, SliceBox};
use crate::worker::Loadable;

/// One map on the screen.
#[derive(Default)]
pub struct MapState {
    /// The newest map; gets sharper while [`Self::request`] is pending.
    pub map: Option<Arc<SaliencyMap>>,
    /// Its values on the GPU.
    pub texture: Option<EvidenceHandle>,
    /// Value of the map at the percentile in force.
    pub threshold: f32,
    /// Value of the map with the strongest color.
    pub peak: f32,
    /// The map asked for.
    pub request: Loadable<SaliencyMap>,
    /// Boxes of the hotspots above the percentile in force.
    pub predicted_boxes: Vec<SliceBox>,
    /// Where readers would probably box the finding, learned from their boxes; empty unless that is wanted and the grade abnormal.
    pub learned_boxes: Vec<SliceBox>,
}

/// What the reader wants to see of a disc.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvidenceChoice {
    pub grading: Grading,
    /// The class explained; `None` is the predicted one.
    pub class: Option<ClassIndex>,
    /// The reader's own way to make maps; `None` is that of the weights.
    pub own_way: Option<EvidenceWay>,
}

/// What the second map shows: the same disc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BesideChoice {
    /// Grading, its predicted class; `None` is the grading and class of the first map.
    pub grading: Option<Grading>,
    pub method: SaliencyMethod,
}

/// The evidence maps and how they are shown.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct EvidenceState {
    /// The map of the selection.
    pub main: MapState,
    /// The map beside it, in the layout that compares two.
    pub beside: MapState,
    /// What that shows.
    pub beside_choice: BesideChoice,
    /// What was last looked at of each disc.
    pub choices: BTreeMap<DiscLevel, EvidenceChoice>,
    /// Boxes of the finished map of the selection at the first percentiles of the curve; grows frame by frame.
    pub by_percentile: Vec<(f64, Vec<SliceBox>)>,
    /// How maps of each grading are made unless the reader chooses a way, as the weights say.
    pub defaults: EvidenceDefaults,
    /// The reader's own way to make maps; `None` is that of the weights, for each grading another.
    pub own_way: Option<EvidenceWay>,
    /// The class explained; `None` is the predicted one.
    pub class: Option<ClassIndex>,
    /// How strongly it covers the image, 0 to 1.
    pub opacity: f32,
    /// Filled, or a contour.
    pub fill: EvidenceFill,
    pub color_map: ColorMap,
    /// Whether it is shown.
    pub shown: bool,
    /// Hidden while a key is held.
    pub held_back: bool,
    /// Whether learned locations are wanted, which are no evidence.
    pub learned_location: bool,
    /// Nothing that was computed is shown, not even grades: the reader judges without knowing it.
    pub blind: bool,
}

impl Default for EvidenceState {
    fn default() -> Self {
        Self {
            main: MapState::default(),
            beside: MapState::default(),
            beside_choice: BesideChoice { grading: None, method: SaliencyMethod::Guided },
            choices: BTreeMap::new(),
            by_percentile: Vec::new(),
            defaults: EvidenceDefaults::default(),
            own_way: None,
            class: None,
            opacity: 0.7,
            fill: EvidenceFill::default(),
            color_map: ColorMap::default(),
            shown: true,
            held_back: false,
            learned_location: false,
            blind: false,
        }
    }
}

impl EvidenceState {
    /// How evidence is shown, without the maps: for another series.
    #[must_use]
    pub(crate) fn of_another_series(&self) -> Self {
        let Self { beside_choice, own_way, opacity, fill, color_map, learned_location, blind, .. } = *self;
        let defaults = self.defaults.clone();
        Self { beside_choice, defaults, own_way, opacity, fill, color_map, learned_location, blind, ..Self::default() }
    }

    /// How the map of a grading is made and boxed.
    #[must_use]
    pub(crate) fn way(&self, grading: Grading) -> EvidenceWay {
        self.own_way.unwrap_or_else(|| WayChoice::default().way(grading, &self.defaults))
    }

    /// A map to draw now, if it is not hidden.
    #[must_use]
    pub fn visible<'a>(&self, map: &'a MapState) -> Option<&'a Arc<SaliencyMap>> {
        map.map.as_ref().filter(|_| self.shown && !self.held_back && !self.blind)
    }
}
