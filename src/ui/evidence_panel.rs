//! How the evidence map is computed and shown.

use std::ops::RangeInclusive;

use eframe::egui::emath::Numeric;
use eframe::egui::{CollapsingHeader, ComboBox, Grid, RichText, Slider, Ui, vec2};

use super::action::{Actions, EvidenceAction, VertebraAction};
use super::language::{in_force, tr, translated};
use super::state::{ColorMap, Selection, ViewerState};
use super::{criteria, theme};
use crate::saliency::{EvidenceWay, GradingEvidence, MeasuredEvidence, SaliencyLayer, SaliencyMethod};
use crate::spine::{BoxRule, ClassIndex, DiscLevel, Grading};

/// Methods in the order of the list.
pub(crate) const METHODS: [SaliencyMethod; 6] = [
    SaliencyMethod::ContrastiveExcitation,
    SaliencyMethod::Excitation,
    SaliencyMethod::Guided,
    SaliencyMethod::Gradient,
    SaliencyMethod::HiResCam,
    SaliencyMethod::LayerCam,
];

/// Name of a method on the screen.
#[must_use]
pub(crate) fn method_name(method: SaliencyMethod) -> &'static str {
    match method {
        SaliencyMethod::Gradient => tr!("Gradient"),
        SaliencyMethod::Guided => tr!("Guided backpropagation"),
        SaliencyMethod::Excitation => tr!("Excitation"),
        SaliencyMethod::ContrastiveExcitation => tr!("Contrastive excitation"),
        SaliencyMethod::HiResCam => tr!("HiResCAM"),
        SaliencyMethod::LayerCam => tr!("LayerCAM"),
    }
}

/// Name of a layer on the screen.
fn layer_name(layer: SaliencyLayer) -> &'static str {
    if layer == SaliencyLayer::Input { tr!("the voxels") } else { layer.name() }
}

/// Name of a rule of boxes on the screen.
fn rule_name(rule: BoxRule) -> &'static str {
    match rule {
        BoxRule::All => tr!("all hotspots of a slice"),
        BoxRule::LargestOfSlice => tr!("the largest of a slice"),
        BoxRule::LargestOfVolume => tr!("the largest of the disc"),
    }
}

/// Windows from this height on have room for what is otherwise folded.
const TALL: f32 = 1000.0;

/// How the map is made and boxed, and what it is worth; folded where the window is low.
pub(super) fn evidence_panel_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    // Even which class is explained would tell what was computed.
    let Some(selection) = state.reading.selection.filter(|_| !state.evidence.blind) else { return };
    let is_tall = ui.ctx().content_rect().height() >= TALL;
    let title = RichText::new(tr!("Evidence in detail")).strong();
    CollapsingHeader::new(title).id_salt("evidence").default_open(is_tall).show_unindented(ui, |ui| {
        Grid::new("evidence").num_columns(2).spacing(vec2(10.0, 5.0)).show(ui, |ui| {
            level_ui(ui, selection, actions);
            computation_ui(ui, state, selection, actions);
            display_ui(ui, state, actions);
        });
        let note = tr!("Supporting evidence of the network, not a segmentation.");
        for text in [worth(state, selection.grading), note.to_owned()] {
            ui.label(RichText::new(text).small().color(theme::of(ui).text_weak));
        }
    });
}

/// What a map of this grading can say, and what it cannot.
fn worth(state: &ViewerState, grading: Grading) -> String {
    let Some(GradingEvidence { measured, .. }) = state.evidence.defaults.get(grading) else {
        return tr!("Where maps of this grading point was never measured: take them as a hint.").to_owned();
    };
    let MeasuredEvidence { on, discs, iou, fixed_place_iou, paper_iou, .. } = measured;
    let [iou, fixed_place, paper] = [iou, fixed_place_iou, paper_iou].map(|value| in_force().decimal(*value, 2));
    match state.evidence.own_way {
        None => {
            let overlap = tr!(
                discs = *discs;
                one "Measured on {discs} disc ({on}): its boxes overlap true ones by {iou} (IoU), a box that is always at \
                     the usual place by {fixed_place}.",
                other "Measured on {discs} discs ({on}): its boxes overlap true ones by {iou} (IoU), a box that is always \
                       at the usual place by {fixed_place}.",
                on = on,
                iou = iou,
                fixed_place = fixed_place
            );
            let verdict = if measured.beats_fixed_place() {
                tr!("So it tells where the finding lies.")
            } else {
                tr!("So it shows what the network looked at, but where the finding lies no better than anatomy does.")
            };
            format!("{overlap} {verdict}")
        }
        Some(EvidenceWay::PAPER) => tr!(
            discs = *discs;
            one "Measured on {discs} disc ({on}): boxes of the paper's own maps overlap true ones by {paper} (IoU), those \
                 of the best maps by {iou}.",
            other "Measured on {discs} discs ({on}): boxes of the paper's own maps overlap true ones by {paper} (IoU), \
                   those of the best maps by {iou}.",
            on = on,
            paper = paper,
            iou = iou
        ),
        Some(_) => {
            tr!("Maps made so were not measured; boxes of the best ones overlap true ones by {iou} (IoU).", iou = iou)
        }
    }
}

/// Where the learned location of the selection lies, if there is one.
fn learned_slices(state: &ViewerState) -> String {
    let slices: Vec<usize> = state.evidence.main.learned_boxes.iter().map(|found| found.slice + 1).collect();
    match slices[..] {
        [] => tr!("none of this grade").to_owned(),
        [only] => tr!("on slice {slice}", slice = only),
        [first, .., last] => tr!("on slices {first} to {last}", first = first.min(last), last = first.max(last)),
    }
}

/// What the map shows and how far it has come.
pub(super) fn progress_text(state: &ViewerState, selection: Selection) -> String {
    let evidence = &state.evidence;
    let is_pending = evidence.main.request.pending().is_some();
    match &evidence.main.map {
        Some(map) => {
            let class = criteria::class_name(selection.grading, map.class);
            let views = views_text(map.augmentations);
            if is_pending {
                tr!("{class}, {views}, getting sharper", class = class, views = views)
            } else {
                format!("{class}, {views}")
            }
        }
        None if is_pending => tr!("computing…").to_owned(),
        None => String::new(),
    }
}

/// How many views a map is the mean of.
pub(crate) fn views_text(views: usize) -> String {
    tr!(count = views; one "{count} view", other "{count} views")
}

/// One line of the grid: a label and the control that it names.
fn row_ui(ui: &mut Ui, label: &str, hint: &str, control: impl FnOnce(&mut Ui)) {
    let mut label = ui.label(label);
    if !hint.is_empty() {
        label = label.on_hover_text(hint);
    }
    ui.label_inputs_by(label.id, control);
    ui.end_row();
}

/// A list to choose from; gives back what is chosen now.
fn choice_ui<T: PartialEq + Clone>(ui: &mut Ui, salt: &str, now: &T, choices: &[T], name: impl Fn(&T) -> String) -> T {
    let mut chosen = now.clone();
    ComboBox::from_id_salt(salt).width(200.0).selected_text(name(now)).show_ui(ui, |ui| {
        for choice in choices {
            ui.selectable_value(&mut chosen, choice.clone(), name(choice));
        }
    });
    chosen
}

/// Corrects the level of the selected disc.
fn level_ui(ui: &mut Ui, selection: Selection, actions: &mut Actions) {
    row_ui(ui, tr!("This disc is"), tr!("Correct a wrong level here; the other discs follow"), |ui| {
        let levels: Vec<DiscLevel> = DiscLevel::every().collect();
        let level = choice_ui(ui, "level", &selection.level, &levels, ToString::to_string);
        if level != selection.level {
            actions.push(VertebraAction::RelabelDisc { from: selection.level, to: level });
        }
    });
}

fn computation_ui(ui: &mut Ui, state: &ViewerState, selection: Selection, actions: &mut Actions) {
    let (evidence, grading) = (&state.evidence, selection.grading);
    let way = state.evidence_way();
    row_ui(ui, tr!("Made"), tr!("How the map is made and boxed, all at once"), |ui| {
        ui.horizontal(|ui| {
            for (own, name) in [(None, tr!("as measured best")), (Some(EvidenceWay::PAPER), tr!("as in the paper"))] {
                if ui.selectable_label(evidence.own_way == own, name).clicked() {
                    actions.push(EvidenceAction::SetWay(own));
                }
            }
        });
    });
    row_ui(ui, tr!("Method"), tr!("How the network is asked for its evidence"), |ui| {
        let method = choice_ui(ui, "method", &way.method, &METHODS, |method| method_name(*method).to_owned());
        if method != way.method {
            actions.push(EvidenceAction::SetMethod(method));
        }
    });
    if let Some(map) = &evidence.main.map {
        row_ui(
            ui,
            tr!("Read off"),
            tr!("Where in the network, and how far the map is smoothed within its slices"),
            |ui| {
                let layer = layer_name(map.layer);
                let text = match map.smoothing_mm {
                    0.0 => tr!("at {layer}", layer = layer),
                    smoothing => tr!("at {layer}, smoothed by {smoothing} mm", layer = layer, smoothing = smoothing),
                };
                ui.label(text);
            },
        );
    }
    row_ui(ui, tr!("Class"), tr!("Which grade the evidence speaks for"), |ui| {
        let predicted = state.grades_of(selection.level).and_then(|grades| grades.class(grading));
        let name = |class: &Option<ClassIndex>| match (class, predicted) {
            (Some(class), _) => criteria::class_name(grading, *class).to_owned(),
            (None, Some(predicted)) => tr!("predicted ({class})", class = criteria::class_name(grading, predicted)),
            (None, None) => tr!("predicted").to_owned(),
        };
        let choices: Vec<Option<ClassIndex>> = std::iter::once(None).chain((0..grading.classes()).map(Some)).collect();
        let class = choice_ui(ui, "class", &evidence.class, &choices, name);
        if class != evidence.class {
            actions.push(EvidenceAction::SetClass(class));
        }
    });
}

/// A slider whose number has so many digits after the decimal mark of the language, and takes either mark.
fn slider<N: Numeric>(value: &mut N, range: RangeInclusive<N>, digits: usize) -> Slider<'_> {
    Slider::new(value, range)
        .fixed_decimals(digits)
        .custom_formatter(move |value, _| in_force().decimal(value, digits))
        .custom_parser(|text| text.trim().replace(',', ".").parse().ok())
}

fn display_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let (evidence, way) = (&state.evidence, state.evidence_way());
    row_ui(ui, tr!("Opacity"), "", |ui| {
        let mut opacity = evidence.opacity;
        if ui.add(slider(&mut opacity, 0.0..=1.0, 2)).changed() {
            actions.push(EvidenceAction::SetOpacity(opacity));
        }
    });
    row_ui(ui, tr!("Percentile"), tr!("Evidence above this percentile of the disc volume is shown and boxed"), |ui| {
        let mut percentile = way.percentile;
        if ui.add(slider(&mut percentile, 70.0..=99.5, 1).step_by(0.1)).changed() {
            actions.push(EvidenceAction::SetPercentile(percentile));
        }
    });
    row_ui(ui, tr!("Boxes around"), tr!("Which hotspots of a slice its box encloses"), |ui| {
        let rule = choice_ui(ui, "box rule", &way.box_rule, &BoxRule::ALL, |rule| rule_name(*rule).to_owned());
        if rule != way.box_rule {
            actions.push(EvidenceAction::SetBoxRule(rule));
        }
    });
    row_ui(ui, tr!("Colors"), "", |ui| {
        let color_map =
            choice_ui(ui, "colors", &evidence.color_map, &ColorMap::ALL, |map| translated(map.name()).to_owned());
        if color_map != evidence.color_map {
            actions.push(EvidenceAction::SetColorMap(color_map));
        }
    });
    let hint = tr!(
        "Where readers would probably box the finding, learned from their boxes on other patients. Drawn where the grade is \
         abnormal and such boxes were there to learn from; it says nothing of why the grade was given."
    );
    row_ui(ui, tr!("Learned location"), hint, |ui| {
        ui.horizontal(|ui| {
            let mut wanted = evidence.learned_location;
            if ui.checkbox(&mut wanted, tr!("shown (not evidence)")).on_hover_text(hint).changed() {
                actions.push(EvidenceAction::ToggleLearnedLocation);
            }
            if wanted {
                ui.label(RichText::new(learned_slices(state)).small().color(theme::of(ui).text_weak));
            }
        });
    });
}
