//! One grade as it stands in the table, with its meaning and its menu.

use eframe::egui::{
    self, Align2, CursorIcon, Pos2, Rect, Response, RichText, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo,
    vec2,
};

use super::action::{Actions, ReadAction, ViewAction};
use super::grade_table::unfamiliar_text;
use super::language::{in_force, tr};
use super::state::{Pane, Selection, ShownGrade, ViewerState};
use super::theme::{self, Palette};
use super::{criteria, review_panel};
use crate::spine::{ClassIndex, DiscPrediction, Grading};
use crate::worker::Loadable;

/// What a cell shows.
enum Cell {
    /// Not computed yet.
    Waiting,
    /// There is no such disc in the scan.
    Absent,
    /// Computed, and perhaps changed by the reader.
    Grade(ShownGrade),
    /// The reader reads blind and has not graded it yet.
    Hidden,
    /// The reader's blind grade, while what was computed is hidden.
    Blind(ClassIndex),
    /// Grading failed.
    Failed(String),
}

/// Why a grade disagrees with what was measured, if it does.
fn conflict_of(state: &ViewerState, Selection { level, grading }: Selection) -> Option<String> {
    let found = state.reading.summary.disc(level).filter(|_| !state.evidence.blind)?;
    let conflict = found.conflicts.iter().find(|conflict| conflict.finding.grading == grading)?;
    Some(conflict.text(in_force()))
}

/// While reading blind: the reader's own grade and nothing else.
fn blind_cell_of(state: &ViewerState, selection: Selection) -> Cell {
    let searched = state.reading.detection.ready().is_some();
    match state.own_reading().and_then(|reading| reading.class_of(selection.level, selection.grading)) {
        Some(class) => Cell::Blind(class),
        None if state.disc(selection.level).is_some() => Cell::Hidden,
        None if searched => Cell::Absent,
        None => Cell::Waiting,
    }
}

fn cell_of(state: &ViewerState, selection: Selection) -> Cell {
    if state.evidence.blind {
        return blind_cell_of(state, selection);
    }
    match state.reading.grades.get(&selection.level) {
        Some(Loadable::Ready(_)) => match state.grade(selection) {
            Some(grade) => Cell::Grade(grade),
            None => Cell::Waiting,
        },
        Some(Loadable::Failed(error)) => Cell::Failed(error.chain()),
        Some(Loadable::Pending(_)) => Cell::Waiting,
        Some(Loadable::Idle) | None => {
            let searched = state.reading.detection.ready().is_some();
            if searched && state.disc(selection.level).is_none() { Cell::Absent } else { Cell::Waiting }
        }
    }
}

/// A class in the table: a sign for the two-class gradings, the reader's word for the others.
pub(super) fn short_name(grading: Grading, class: ClassIndex) -> &'static str {
    match class {
        _ if !grading.is_presence() => criteria::class_name(grading, class),
        0 => "–",
        _ => "+",
    }
}

/// A cell; a click selects its grade, a right click changes it.
pub(super) fn cell_ui(ui: &Ui, state: &ViewerState, selection: Selection, rect: Rect, actions: &mut Actions) {
    let Selection { level, grading } = selection;
    let cell = cell_of(state, selection);
    let response = ui.interact(rect, ui.scope_id().with(("grade", level, grading)), Sense::CLICK);
    let (painter, colors) = (ui.painter(), theme::of(ui));
    match &cell {
        Cell::Waiting | Cell::Absent => {
            painter.rect_filled(rect, 3.0, colors.panel.lerp_to_gamma(colors.raised, 0.7));
            if matches!(cell, Cell::Waiting) {
                painter.text(rect.center(), Align2::CENTER_CENTER, "…", theme::image_font(12.0), colors.line);
            }
        }
        Cell::Hidden => {
            painter.rect_filled(rect, 3.0, colors.raised);
            painter.text(rect.center(), Align2::CENTER_CENTER, "?", theme::image_font(12.0), colors.text_weak);
        }
        Cell::Blind(class) => {
            let severity = grading.severity(*class);
            painter.rect_filled(rect, 3.0, colors.severity_fill(severity));
            let text = colors.severity_text(severity);
            let font = theme::image_font(14.5);
            painter.text(rect.center(), Align2::CENTER_CENTER, short_name(grading, *class), font, text);
        }
        Cell::Failed(_) => {
            painter.rect_filled(rect, 3.0, colors.error_fill);
            painter.text(rect.center(), Align2::CENTER_CENTER, "!", theme::image_font(14.0), colors.error);
        }
        Cell::Grade(grade) => {
            let uncertain = state.experimental.contains(grading) || state.is_unfamiliar(level);
            let dimmed = uncertain && grade.edited.is_none();
            let read = state.finished_blind_class(selection);
            let disagrees = conflict_of(state, selection).is_some();
            // The mark stands beside the grade, never on it.
            let beside = if disagrees { rect.with_min_x(rect.left() + 9.0) } else { rect };
            grade_ui(painter, colors, [rect, beside], grading, (grade, read), dimmed);
            if disagrees {
                let at = rect.left_top() + vec2(6.5, 7.5);
                painter.circle_filled(at, 5.5, colors.warning_fill);
                painter.text(at, Align2::CENTER_CENTER, "≠", theme::image_font(10.5), colors.warning);
            }
        }
    }
    let selected = state.reading.selection == Some(selection);
    if selected || response.hovered() && matches!(cell, Cell::Grade { .. }) {
        // The cell that the arrow keys move is framed more strongly.
        let width = if !selected {
            1.0
        } else if state.view.pane == Pane::Table {
            3.0
        } else {
            2.0
        };
        painter.rect_stroke(rect, 3.0, Stroke::new(width, colors.accent), StrokeKind::Inside);
    }
    let ready = matches!(cell, Cell::Grade { .. });
    let label = cell_label(state, selection, &cell);
    response.widget_info(|| WidgetInfo::selected(Role::Button, ready, selected, label.clone()));
    let response = cell_tooltip(response, state, selection, &cell);
    if matches!(cell, Cell::Hidden | Cell::Blind(_)) && response.clicked() {
        actions.push(ReadAction::Select(selection));
        actions.push(ViewAction::FocusPane(Pane::Table));
    }
    if let Cell::Grade(grade) = cell {
        response.context_menu(|ui| review_panel::grade_menu_ui(ui, selection, grade, actions));
        if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
            actions.push(ReadAction::Select(selection));
            actions.push(ViewAction::FocusPane(Pane::Table));
        }
    }
}

/// A grade in the room of its cell that is free, and beside it the reader's blind class where that reading is finished.
fn grade_ui(
    painter: &egui::Painter,
    colors: &Palette,
    [rect, room]: [Rect; 2],
    grading: Grading,
    (grade, read): (&ShownGrade, Option<ClassIndex>),
    dimmed: bool,
) {
    let severity = grading.severity(grade.class());
    let (mut fill, mut text) = (colors.severity_fill(severity), colors.severity_text(severity));
    if dimmed {
        (fill, text) = (colors.panel.lerp_to_gamma(fill, 0.35), colors.text_weak);
    }
    painter.rect_filled(rect, 3.0, fill);
    let at = |dy: f32| Pos2::new(rect.center().x, rect.center().y + dy);
    let class = Pos2::new(room.center().x, at(-6.0).y);
    painter.text(class, Align2::CENTER_CENTER, short_name(grading, grade.class()), theme::image_font(14.0), text);
    let small = theme::image_font(10.0);
    if grade.edited.is_none() {
        let percent = format!("{:.0}%", grade.probability * 100.0);
        let below = match read {
            None => percent,
            Some(read) if read == grade.computed => format!("= {percent}"),
            Some(read) => format!("≠ {}", short_name(grading, read)),
        };
        painter.text(at(6.5), Align2::CENTER_CENTER, below, small, text);
        return;
    }
    // The computed value stays in sight; a corner marks the reader's hand.
    let was = tr!("was {class}", class = short_name(grading, grade.computed));
    painter.text(at(6.5), Align2::CENTER_CENTER, was, small, text);
    let corner = rect.right_top();
    let triangle = vec![corner, corner + vec2(-9.0, 0.0), corner + vec2(0.0, 9.0)];
    painter.add(Shape::convex_polygon(triangle, colors.accent, Stroke::NONE));
}

/// The cell in words, for screen readers and tests.
fn cell_label(state: &ViewerState, selection: Selection, cell: &Cell) -> String {
    let Selection { level, grading } = selection;
    let value = match cell {
        Cell::Waiting => tr!("waiting").to_owned(),
        Cell::Absent => tr!("not in the scan").to_owned(),
        Cell::Hidden => tr!("hidden").to_owned(),
        Cell::Blind(class) => tr!("{class}, read blind", class = criteria::class_name(grading, *class)),
        Cell::Failed(_) => tr!("failed").to_owned(),
        Cell::Grade(ShownGrade { computed, edited: Some(edited), .. }) => {
            let [edited, computed] = [*edited, *computed].map(|class| criteria::class_name(grading, class));
            tr!("{class} by the reader, computed {computed}", class = edited, computed = computed)
        }
        Cell::Grade(grade) => {
            let computed = criteria::class_name(grading, grade.computed);
            let percent = format!("{:.0}", grade.probability * 100.0);
            match state.finished_blind_class(selection).map(|class| criteria::class_name(grading, class)) {
                None => format!("{computed}, {percent} %"),
                Some(read) => tr!(
                    "{computed}, {percent} %, read blind {class}",
                    computed = computed,
                    percent = percent,
                    class = read
                ),
            }
        }
    };
    format!("{level} {}: {value}", criteria::name(grading))
}

fn cell_tooltip(response: Response, state: &ViewerState, selection: Selection, cell: &Cell) -> Response {
    match cell {
        Cell::Waiting => response,
        Cell::Hidden | Cell::Blind(_) => response.on_hover_ui(|ui| scale_ui(ui, state, selection.grading, None)),
        Cell::Absent => response.on_hover_text(tr!("This disc was not found in the scan.")),
        Cell::Failed(reason) => response.on_hover_text(tr!("Grading failed: {reason}", reason = reason)),
        Cell::Grade(grade) => response.on_hover_ui(|ui| {
            ui.label(RichText::new(selection.level.to_string()).strong());
            if let Some(conflict) = conflict_of(state, selection) {
                let text = tr!("Grade and measurement disagree: {conflict}.", conflict = conflict);
                ui.label(RichText::new(text).color(theme::of(ui).warning));
            }
            if let Some(class) = state.finished_blind_class(selection) {
                let class = criteria::class_name(selection.grading, class);
                ui.label(tr!("Your blind grade: {class}", class = class));
            }
            let grades = state.grades_of(selection.level).map(|grades| (grades, *grade));
            scale_ui(ui, state, selection.grading, grades);
        }),
    }
}

/// A grading explained: every class in words, the definition's source, and the probabilities of one disc.
pub(super) fn scale_ui(
    ui: &mut Ui,
    state: &ViewerState,
    grading: Grading,
    grades: Option<(&DiscPrediction, ShownGrade)>,
) {
    ui.set_max_width(430.0);
    ui.label(RichText::new(criteria::name(grading)).strong());
    ui.label(criteria::about(grading));
    egui::Grid::new("classes").num_columns(3).spacing(vec2(10.0, 3.0)).show(ui, |ui| {
        for class in 0..grading.classes() {
            let name = RichText::new(criteria::class_name(grading, class));
            let counts = grades.is_some_and(|(_, grade)| grade.class() == class);
            ui.label(if counts { name.strong().color(theme::of(ui).accent) } else { name });
            if let Some((grades, _)) = grades {
                ui.label(format!("{:.0} %", grades.probability(grading, class).unwrap_or_default() * 100.0));
            }
            ui.add(egui::Label::new(criteria::criterion(grading, class)).wrap());
            ui.end_row();
        }
    });
    let spread = grades.and_then(|(grades, _)| grades.spread.get(grading)).filter(|spread| **spread > 0.0);
    if let (Some((_, grade)), Some(spread)) = (grades, spread) {
        let class = criteria::class_name(grading, grade.computed);
        let percent = format!("{:.0}", grade.probability * 100.0);
        let spread = format!("{:.0}", spread * 100.0);
        ui.label(tr!(
            "{class}: {percent} %, over the views ± {spread} (standard deviation)",
            class = class,
            percent = percent,
            spread = spread
        ));
    }
    if let Some((_, ShownGrade { computed, edited: Some(edited), .. })) = grades {
        let [edited, computed] = [edited, computed].map(|class| criteria::class_name(grading, class));
        let text = tr!("Reader: {class}. Computed: {computed}.", class = edited, computed = computed);
        ui.label(RichText::new(text).color(theme::of(ui).accent));
    }
    ui.label(RichText::new(criteria::source(grading)).small().color(theme::of(ui).text_weak));
    if grades.is_some_and(|(grades, _)| !grades.is_familiar) {
        ui.label(RichText::new(unfamiliar_text()).color(theme::of(ui).warning));
    }
    if let Some(reason) = state.experimental.get(grading) {
        ui.label(RichText::new(tr!("Experimental: {reason}", reason = reason)).color(theme::of(ui).warning));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{DiscLevel, PerGrading};
    use std::sync::Arc;

    #[test]
    fn cells_tell_waiting_from_found_and_missing() {
        let mut state = ViewerState::default();
        let selection = Selection { level: DiscLevel::L4L5, grading: Grading::Pfirrmann };
        assert!(matches!(cell_of(&state, selection), Cell::Waiting));
        state.reading.detection = Loadable::Ready(Arc::new(()));
        assert!(matches!(cell_of(&state, selection), Cell::Absent));
        let grades = PerGrading::from_fn(Grading::PAPER, |grading| {
            let mut probabilities = vec![0.1; grading.classes()];
            probabilities[1] = 0.6;
            probabilities
        });
        let (level, spread) = (selection.level, PerGrading::default());
        let grades = DiscPrediction {
            level,
            probabilities: grades,
            spread,
            at_prevalence: PerGrading::default(),
            is_familiar: true,
        };
        state.reading.grades.insert(DiscLevel::L4L5, Loadable::Ready(Arc::new(grades)));
        let cell = cell_of(&state, selection);
        assert_eq!(cell_label(&state, selection, &cell), "L4-L5 Pfirrmann grade: II, 60 %");
    }
}
