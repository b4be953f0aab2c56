//! The figures of one grade: methods, thresholds, convergence, and what is left of the maps when layers unlearn.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ExportError;
use crate::evaluation::rank_correlation;
use crate::files::PathError;
use crate::language::Language;
use crate::model::GradingNetwork;
use crate::picture::{
    ColorMap, Curve, Drawing, EvidenceFigure, LineChart, methods_sheet, steps_sheet, thresholds_sheet,
};
use crate::pipeline::{CURVE_PERCENTILES, Evidence, Models, method_in_words, reading_in_words};
use crate::saliency::{
    CASCADE, EvidenceWay, SaliencyError, SaliencyMap, SaliencyMethod, SaliencyPlan, SaliencyRequest, SaliencyTarget,
    explain, randomized,
};
use crate::spine::{Disc, PATCH_SLICES, SliceBox};
use crate::task::{CancelToken, Progress};
use crate::volume::Volume;

/// Methods from top to bottom.
const METHODS: [SaliencyMethod; 4] = [
    SaliencyMethod::Gradient,
    SaliencyMethod::Guided,
    SaliencyMethod::Excitation,
    SaliencyMethod::ContrastiveExcitation,
];
/// Percentiles on the sheet of thresholds, that of the map in their middle: 95 to 99 around the paper's 97.
const THRESHOLDS: usize = 5;
/// Views that each map of the unlearning network is averaged over.
const RANDOMIZED_VIEWS: usize = 16;
/// Seed of the weights that layers unlearn to.
const RANDOMIZED_SEED: u64 = 1;
/// Numbers of views whose maps the sheet of convergence shows.
const SHOWN_VIEWS: [usize; 6] = [1, 4, 8, 16, 64, usize::MAX];

/// A figure with the name of its files.
#[derive(Debug, Clone)]
pub(crate) struct NamedFigure {
    /// What it shows: `methods`, `thresholds`, `convergence` or `randomization`.
    pub name: &'static str,
    /// The figure.
    pub drawing: Drawing,
}

/// One grade of one disc, to be shown in figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FigureRequest<'a> {
    pub disc: &'a Disc,
    /// Grading and class.
    pub target: SaliencyTarget,
    /// The map of the figures with one method, with all that they say; its class is the one explained.
    pub evidence: &'a Evidence,
    /// Views averaged.
    pub augmentations: usize,
    /// Whether layers are unlearned too, which takes longest.
    pub with_randomization: bool,
}

impl FigureRequest<'_> {
    /// Computes the maps and draws the figures.
    ///
    /// # Errors
    /// As [`crate::saliency::explain`].
    pub(crate) fn draw(
        &self,
        network: &GradingNetwork,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<NamedFigure>, ExportError> {
        let total = METHODS.len() * if self.with_randomization { CASCADE.len() + 2 } else { 1 };
        let mut done = 0;
        let mut step = || {
            on_progress(Progress { step: "Drawing figures", done, total });
            done += 1;
        };
        let mut by_method = Vec::new();
        for method in METHODS {
            step();
            by_method.push(self.refined_maps(network, method, self.augmentations, cancel)?);
        }
        let volume = &self.evidence.volume;
        let shown = &self.evidence.map;
        let is_same = |map: &SaliencyMap| {
            (map.method, map.layer, map.smoothing_mm) == (shown.method, shown.layer, shown.smoothing_mm)
        };
        let others = by_method.iter().filter_map(|maps| maps.last()).filter(|map| !is_same(map));
        let maps: Vec<EvidenceFigure> = std::iter::once(&**shown).chain(others).map(|map| self.figure(map)).collect();
        let above = CURVE_PERCENTILES.iter().position(|percentile| *percentile >= self.evidence.percentile);
        let first = above.unwrap_or(CURVE_PERCENTILES.len()).saturating_sub(THRESHOLDS / 2);
        let first = first.min(CURVE_PERCENTILES.len() - THRESHOLDS);
        let thresholds: Vec<EvidenceFigure> = CURVE_PERCENTILES[first..][..THRESHOLDS]
            .iter()
            .map(|percentile| self.evidence.figure_at(*percentile, Language::ENGLISH))
            .collect();
        let mut figures = vec![
            NamedFigure { name: "methods", drawing: methods_sheet(volume, &maps, "", self.notes()) },
            NamedFigure { name: "thresholds", drawing: thresholds_sheet(volume, &thresholds, "", self.notes()) },
            NamedFigure { name: "convergence", drawing: self.convergence(&by_method) },
        ];
        if self.with_randomization {
            let drawing = self.randomization(network, &mut step, cancel)?;
            figures.push(NamedFigure { name: "randomization", drawing });
        }
        Ok(figures)
    }

    /// What every figure says at its foot.
    fn notes(&self) -> Vec<String> {
        let weights = self.evidence.weights.iter().find(|used| used.name.starts_with("grading"));
        let weights = weights.map(|used| {
            format!("Weights {} {}, SHA-256 {}…", used.name, used.version, used.sha256.get(..12).unwrap_or_default())
        });
        let colors = "Each map in its own colors, from none to its strongest evidence (99.9th percentile).".to_owned();
        let seed = format!("Seed of the augmentations {}.", self.evidence.seed);
        vec![colors, [Some(seed), weights].into_iter().flatten().collect::<Vec<_>>().join("  ·  ")]
    }

    /// The maps of one method after 1, 2, 4, … views and at the end.
    fn refined_maps(
        &self,
        network: &GradingNetwork,
        method: SaliencyMethod,
        augmentations: usize,
        cancel: &CancelToken,
    ) -> Result<Vec<SaliencyMap>, SaliencyError> {
        let SaliencyTarget { grading, class } = self.target;
        let plan = SaliencyPlan {
            method,
            layer: None,
            smoothing_mm: 0.0,
            augmentations,
            precision: None,
            seed: self.evidence.seed,
        };
        let request = SaliencyRequest { grading, class, plan };
        let mut maps = Vec::new();
        explain(network, &self.evidence.volume, self.disc, &request, cancel, &mut |map| maps.push(map))?;
        Ok(maps)
    }

    /// A map without boxes.
    fn figure<'a>(&self, map: &'a SaliencyMap) -> EvidenceFigure<'a> {
        EvidenceFigure {
            language: Language::ENGLISH,
            values: &map.values,
            frame: &map.frame,
            level: map.level,
            grading: map.grading,
            class: map.class,
            probability: self.evidence.probability,
            method: method_in_words(map.method).to_owned(),
            reading: reading_in_words(map, Language::ENGLISH),
            augmentations: map.augmentations,
            percentile: self.evidence.percentile,
            threshold: map.threshold(self.evidence.percentile),
            box_rule: self.evidence.box_rule,
            boxes: Vec::new(),
            color_map: ColorMap::default(),
        }
    }

    fn title(&self) -> String {
        let figure = self.evidence.figure(Language::ENGLISH);
        format!("{}   {}", figure.level, figure.finding())
    }

    /// Maps and standard error against the number of views.
    fn convergence(&self, by_method: &[Vec<SaliencyMap>]) -> Drawing {
        let views = |map: &SaliencyMap| (map.augmentations as f64).log2();
        let curves = by_method.iter().map(|maps| Curve {
            name: maps.first().map(|map| method_in_words(map.method)).unwrap_or_default().to_owned(),
            points: maps.iter().filter_map(|map| Some((views(map), f64::from(map.relative_error?)))).collect(),
            stressed: None,
        });
        let curves: Vec<Curve> = curves.collect();
        let most = curves.iter().flat_map(|curve| &curve.points).map(|(_, error)| *error).fold(0.1, f64::max);
        let ticks = by_method.first().into_iter().flatten().filter(|map| map.augmentations >= 4);
        let chart = LineChart {
            title: "How far the mean is from that of endless views".to_owned(),
            x_name: "Augmented views averaged, N".to_owned(),
            y_name: "Standard error as a share of the map".to_owned(),
            x_ticks: ticks.map(|map| (views(map), map.augmentations.to_string())).collect(),
            y_range: (0.0, most),
            curves,
        };
        let rows: Vec<(String, Vec<(String, EvidenceFigure)>)> = by_method
            .iter()
            .map(|maps| {
                let last = maps.last().map_or(0, |map| map.augmentations);
                let is_shown =
                    |map: &&SaliencyMap| SHOWN_VIEWS.iter().any(|views| (*views).min(last) == map.augmentations);
                let steps = maps.iter().filter(is_shown);
                let steps = steps.map(|map| (format!("N = {}", map.augmentations), self.figure(map))).collect();
                (maps.first().map(|map| method_in_words(map.method)).unwrap_or_default().to_owned(), steps)
            })
            .collect();
        let words = [self.title(), "Supporting evidence by number of augmented views".to_owned(), String::new()];
        steps_sheet(&self.evidence.volume, &rows, false, words, chart, self.notes())
    }

    /// Maps of networks that have unlearned layer by layer, and how their order of voxels agrees with that of the trained
    /// one's (Adebayo et al. 2018).
    fn randomization(
        &self,
        network: &GradingNetwork,
        step: &mut dyn FnMut(),
        cancel: &CancelToken,
    ) -> Result<Drawing, ExportError> {
        let mut maps: Vec<Vec<SaliencyMap>> = METHODS.map(|_| Vec::new()).into();
        for layers in 0..=CASCADE.len() {
            let network = randomized(network, layers, RANDOMIZED_SEED).map_err(SaliencyError::from)?;
            for (method, maps) in METHODS.into_iter().zip(&mut maps) {
                step();
                maps.extend(self.refined_maps(&network, method, RANDOMIZED_VIEWS, cancel)?.pop());
            }
        }
        let name = |layers: usize| layers.checked_sub(1).map_or("trained", |last| CASCADE[last]).to_uppercase();
        let curves = METHODS.into_iter().zip(&maps).map(|(method, maps)| Curve {
            name: method_in_words(method).to_owned(),
            points: similarities(maps).into_iter().enumerate().map(|(at, value)| (at as f64, value)).collect(),
            stressed: None,
        });
        let curves: Vec<Curve> = curves.collect();
        let lowest = curves.iter().flat_map(|curve| &curve.points).map(|(_, value)| *value).fold(0.0, f64::min);
        let chart = LineChart {
            title: "Rank correlation with the map of the trained network".to_owned(),
            x_name: "Layers with the weights of an untrained network: from FC8 down to".to_owned(),
            y_name: "Spearman's ρ over the voxels".to_owned(),
            x_ticks: (0..=CASCADE.len()).map(|layers| (layers as f64, name(layers))).collect(),
            y_range: (lowest, 1.0),
            curves,
        };
        let rows: Vec<(String, Vec<(String, EvidenceFigure)>)> = METHODS
            .into_iter()
            .zip(&maps)
            .map(|(method, maps)| {
                let steps = maps.iter().enumerate().map(|(layers, map)| (name(layers), self.figure(map)));
                (method_in_words(method).to_owned(), steps.collect())
            })
            .collect();
        let subtitle =
            format!("What is left of the evidence when layers unlearn, from the top down; N = {RANDOMIZED_VIEWS}");
        let words = [self.title(), subtitle, String::new()];
        Ok(steps_sheet(&self.evidence.volume, &rows, true, words, chart, self.notes()))
    }
}

/// Rank correlation of each map with the first one, over the slices that the scan has; 0 where a map is level.
fn similarities(maps: &[SaliencyMap]) -> Vec<f64> {
    let present = |map: &SaliencyMap| -> Vec<f32> {
        let slices = (0..PATCH_SLICES).filter(|slice| map.frame.scan_slice(*slice).is_some());
        slices.flat_map(|slice| map.slice(slice).to_vec()).collect()
    };
    let Some(first) = maps.first().map(present) else { return Vec::new() };
    maps.iter().map(|map| rank_correlation(&first, &present(map)).unwrap_or(0.0)).collect()
}

/// Figures that the window asks for: all that they need of a graded scan.
#[derive(Debug, Clone)]
pub struct FigureOrder {
    /// The scan.
    pub volume: Arc<Volume>,
    /// Names the series; stands in no figure.
    pub series_instance_uid: String,
    pub disc: Disc,
    /// Grading and class.
    pub target: SaliencyTarget,
    /// Probability of the class.
    pub probability: Option<f32>,
    /// Views averaged.
    pub augmentations: usize,
    /// Seed of the augmentations.
    pub seed: u64,
    /// How the map of the figures with one method is made and boxed.
    pub way: EvidenceWay,
    /// A reader's boxes.
    pub reader_boxes: Vec<SliceBox>,
    /// Whether layers are unlearned too.
    pub with_randomization: bool,
}

impl FigureOrder {
    /// Computes the maps, draws the figures and writes them into `folder`.
    ///
    /// # Errors
    /// As [`FigureRequest::draw`], and if a file cannot be written.
    pub(crate) fn write(
        &self,
        models: &mut Models,
        folder: &Path,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<PathBuf>, ExportError> {
        let SaliencyTarget { grading, class } = self.target;
        let plan = self.way.plan(self.augmentations, None, self.seed);
        let request = SaliencyRequest { grading, class, plan };
        let network = models.grader()?.network().clone();
        let map = explain(&network, &self.volume, &self.disc, &request, cancel, &mut |_| ())?;
        let info = models.info();
        let evidence = Evidence {
            map: Arc::new(map),
            probability: self.probability,
            seed: self.seed,
            percentile: self.way.percentile,
            box_rule: self.way.box_rule,
            volume: Arc::clone(&self.volume),
            study_instance_uid: String::new(),
            series_instance_uid: self.series_instance_uid.clone(),
            sop_instance_uids: Vec::new(),
            weights: info.weights,
            device: info.device,
            reader_boxes: self.reader_boxes.clone(),
        };
        let request = FigureRequest {
            disc: &self.disc,
            target: self.target,
            evidence: &evidence,
            augmentations: self.augmentations,
            with_randomization: self.with_randomization,
        };
        write_figures(folder, self.target, &self.disc, &request.draw(&network, cancel, on_progress)?)
    }
}

/// Writes each figure as PNG, SVG and PDF into `folder` (made where needed), the names starting with disc and grading.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn write_figures(
    folder: &Path,
    target: SaliencyTarget,
    disc: &Disc,
    figures: &[NamedFigure],
) -> Result<Vec<PathBuf>, ExportError> {
    fs::create_dir_all(folder).map_err(PathError::at(folder))?;
    let mut files = Vec::new();
    for NamedFigure { name, drawing } in figures {
        for ending in ["png", "svg", "pdf"] {
            let file = folder.join(format!("{}_{}_{name}.{ending}", disc.level, target.grading));
            drawing.write(&file)?;
            files.push(file);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dimensions, GradingConfig};
    use crate::phantom::{PhantomDisc, PhantomPatient, PhantomSettings};
    use crate::saliency::SaliencyLayer;
    use crate::spine::{BoxRule, DiscLevel, Grading};
    use candle_core::{DType, Device};
    use candle_nn::VarBuilder;

    #[test]
    fn a_grade_has_four_figures_and_maps_change_as_layers_unlearn() {
        let patient = PhantomPatient::draw(&PhantomSettings::new(930_000));
        let PhantomDisc { volume, disc, .. } = patient.disc(DiscLevel::L4L5, 5).expect("in the image");
        let config = GradingConfig {
            dimensions: Dimensions::Two,
            channels: [3, 4, 5, 6, 7],
            fully_connected: 8,
            ..GradingConfig::paper(Dimensions::Three)
        };
        let variables = config.initial_variables(3, &Device::Cpu).expect("small network");
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let network = GradingNetwork::new(&config, vb).expect("small network");
        let target = SaliencyTarget { grading: Grading::UpperMarrowChange, class: 1 };
        let plan = EvidenceWay::PAPER.plan(2, None, 0);
        let request = SaliencyRequest { grading: target.grading, class: target.class, plan };
        let cancel = CancelToken::default();
        let map = explain(&network, &volume, &disc, &request, &cancel, &mut |_| ()).expect("explained");
        assert_eq!(map.layer, SaliencyLayer::Input, "in two dimensions");
        let evidence = Evidence {
            map: Arc::new(map),
            probability: Some(0.8),
            seed: 0,
            percentile: 97.0,
            box_rule: BoxRule::All,
            volume: Arc::new(volume),
            study_instance_uid: String::new(),
            series_instance_uid: "1.2".to_owned(),
            sop_instance_uids: Vec::new(),
            weights: Vec::new(),
            device: "cpu".to_owned(),
            reader_boxes: Vec::new(),
        };
        let request =
            FigureRequest { disc: &disc, target, evidence: &evidence, augmentations: 8, with_randomization: true };
        let mut told = Vec::new();
        let figures = request.draw(&network, &cancel, &mut |progress| told.push(progress)).expect("drawn");
        let names: Vec<&str> = figures.iter().map(|figure| figure.name).collect();
        assert_eq!(names, ["methods", "thresholds", "convergence", "randomization"]);
        assert!(told.iter().all(|progress| progress.done < progress.total) && told.len() == told[0].total);

        // Every layer that unlearns changes the map.
        let maps: Vec<SaliencyMap> = (0..=CASCADE.len())
            .map(|layers| {
                let network = randomized(&network, layers, 11).expect("small network");
                request.refined_maps(&network, SaliencyMethod::Guided, 1, &cancel).expect("explained").remove(0)
            })
            .collect();
        let similar = similarities(&maps);
        assert_eq!(similar[0], 1.0);
        assert!(similar[1..].iter().all(|value| *value < 0.999), "{similar:?}");
    }
}
