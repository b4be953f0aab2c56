//! The table of grades: a row for each disc, a column for each grading.

use eframe::egui::{
    self, Align2, CursorIcon, EventFilter, Id, Pos2, Rect, Response, RichText, Role, Sense, Shape, Stroke, StrokeKind,
    Ui, WidgetInfo,
};
use eframe::egui::{pos2, vec2};

use super::action::{Actions, ReadAction, ViewAction};
use super::language::{in_force, tr, translated};
use super::state::{Pane, Selection, ShownGrade, ViewerState};
use super::theme::{self, Palette};
use super::{criteria, review_panel};
use crate::records::{DiscMeasures, EXPERIMENTAL_NOTE};
use crate::spine::{ClassIndex, DiscLevel, DiscPrediction, Grading, MeasuredValue};
use crate::worker::Loadable;

const ROW_HEIGHT: f32 = 30.0;
const HEADER_HEIGHT: f32 = 32.0;
/// Width of the levels' names relative to those of the columns' headings.
const LEVEL_SHARE: f32 = 84.0;

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

/// The table; a click on a grade asks for its evidence.
pub(crate) fn grade_table_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Grades")).strong());
        if can_grade(state) {
            if ui.button(tr!("Grade this series")).clicked() {
                actions.push(ReadAction::Grade);
            }
        } else {
            let text = if state.evidence.blind {
                tr!("computed grades are hidden; give yours by digits")
            } else {
                tr!("click: evidence, right click: change")
            };
            ui.label(RichText::new(text).small().color(theme::of(ui).text_weak));
        }
    });
    let levels = state.reading.findings.levels();
    let size = vec2(ui.available_width(), HEADER_HEIGHT + ROW_HEIGHT * levels.len() as f32);
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    keyboard_ui(ui, state, area, actions);
    let gradings = state.columns();
    let columns = column_edges(area, gradings);
    header_ui(ui, state, area.top(), &columns);
    for (row, level) in levels.iter().copied().enumerate() {
        let top = area.top() + HEADER_HEIGHT + ROW_HEIGHT * row as f32;
        level_ui(ui, state, level, cell_rect(&columns, 0, top), actions);
        for (place, grading) in gradings.iter().copied().enumerate() {
            let rect = cell_rect(&columns, place + 1, top);
            cell_ui(ui, state, Selection { level, grading }, rect, actions);
        }
    }
    footnote_ui(ui, state);
}

/// Where the keyboard finds the table.
#[must_use]
pub(super) fn id() -> Id {
    Id::unique("grades")
}

/// The whole table is one stop of Tab: with it come the arrow keys, which move over the grades.
fn keyboard_ui(ui: &Ui, state: &ViewerState, area: Rect, actions: &mut Actions) {
    let response = ui.interact(area, id(), Sense::focusable_noninteractive());
    response.widget_info(|| WidgetInfo::labeled(Role::Grid, true, tr!("Table of grades")));
    if !response.has_focus() {
        return;
    }
    let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id(), arrows));
    let line = Stroke::new(1.5, theme::of(ui).accent);
    ui.painter().rect_stroke(area.expand(2.0), 3.0, line, StrokeKind::Outside);
    if state.view.pane != Pane::Table {
        actions.push(ViewAction::FocusPane(Pane::Table));
    }
    if state.reading.selection.is_none() && !state.reading.discs.is_empty() {
        actions.push(ReadAction::MoveSelection { discs: 0, gradings: 0 });
    }
}

/// Whether there is something to grade and nobody is at it: the series was not chosen, or a job was cancelled or failed.
fn can_grade(state: &ViewerState) -> bool {
    let is_under_way =
        state.reading.detection.pending().is_some() || state.reading.grades.values().any(|one| one.pending().is_some());
    let is_done =
        state.reading.detection.ready().is_some() && state.reading.grades.values().all(|one| one.ready().is_some());
    state.loaded().is_some() && !is_under_way && !is_done
}

/// Edges of the columns: the level's name, then each grading as wide as its heading needs.
pub(super) fn column_edges(area: Rect, gradings: &[Grading]) -> Vec<f32> {
    let share = |grading: &Grading| (10.0 + 5.0 * grading.spec().heading.chars().count() as f32).max(36.0);
    let shares: Vec<f32> = std::iter::once(LEVEL_SHARE).chain(gradings.iter().map(share)).collect();
    let scale = area.width() / shares.iter().sum::<f32>();
    let mut edges = vec![area.left()];
    for share in shares {
        edges.push(edges[edges.len() - 1] + share * scale);
    }
    edges
}

fn cell_rect(columns: &[f32], column: usize, top: f32) -> Rect {
    Rect::from_min_max(pos2(columns[column], top), pos2(columns[column + 1], top + ROW_HEIGHT)).shrink(1.0)
}

/// What a disc is called that looks unlike those the network learned from.
pub(super) fn unfamiliar_text() -> &'static str {
    tr!("Looks unlike the discs that the network learned from; the grades are uncertain.")
}

fn header_ui(ui: &Ui, state: &ViewerState, top: f32, columns: &[f32]) {
    let text = |first: usize, last: usize, y: f32, text: &str| {
        let at = pos2(f32::midpoint(columns[first], columns[last]), top + y);
        ui.painter().text(at, Align2::CENTER_CENTER, text, theme::image_font(10.0), theme::of(ui).text);
    };
    ui.painter().text(
        pos2(columns[0], top + 23.0),
        Align2::LEFT_CENTER,
        tr!("height, slip"),
        theme::image_font(9.5),
        theme::of(ui).text_weak,
    );
    let mut column = 1;
    for group in state.columns().chunk_by(|a, b| a.spec().group == b.spec().group) {
        text(column, column + group.len(), 8.0, translated(group[0].spec().group));
        for grading in group.iter().copied() {
            let mark = if state.experimental.contains(grading) { "*" } else { "" };
            text(column, column + 1, 23.0, &format!("{}{mark}", translated(grading.spec().heading)));
            let rect = Rect::from_min_max(pos2(columns[column], top), pos2(columns[column + 1], top + HEADER_HEIGHT));
            let response = ui.interact(rect, ui.scope_id().with(("grade heading", column)), Sense::hover());
            response.on_hover_ui(|ui| scale_ui(ui, state, grading, None));
            column += 1;
        }
    }
}

/// A grading explained: every class in words, the definition's source, and the probabilities of one disc.
fn scale_ui(ui: &mut Ui, state: &ViewerState, grading: Grading, grades: Option<(&DiscPrediction, ShownGrade)>) {
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

fn level_ui(ui: &Ui, state: &ViewerState, level: DiscLevel, rect: Rect, actions: &mut Actions) {
    let colors = theme::of(ui);
    let found = state.disc(level).is_some();
    let response = ui.interact(rect, ui.scope_id().with(("grade row", level)), Sense::CLICK);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, found, tr!("Show {level}", level = level)));
    let selected = state.reading.selection.is_some_and(|selection| selection.level == level);
    let color = if selected || response.hovered() && found {
        colors.accent
    } else if found {
        colors.text_strong
    } else {
        colors.text_weak
    };
    let unfamiliar = state.is_unfamiliar(level);
    let name = if unfamiliar { format!("{level}?") } else { level.to_string() };
    let found_here = state.reading.summary.disc(level).filter(|_| !state.evidence.blind);
    let measures = found_here.map(|found| measures_in_short(found.measured)).unwrap_or_default();
    let lift = if measures.is_empty() { 0.0 } else { -6.0 };
    let at = |dy: f32| rect.left_center() + vec2(0.0, dy);
    ui.painter().text(at(lift), Align2::LEFT_CENTER, name, theme::image_font(13.0), color);
    ui.painter().text(at(8.0), Align2::LEFT_CENTER, measures, theme::image_font(9.5), colors.text_weak);
    let response = match found_here {
        Some(found) => response.on_hover_text(found.sentence(in_force())),
        None => response,
    };
    let response = if unfamiliar { response.on_hover_text(unfamiliar_text()) } else { response };
    // A comment may be that of another reader.
    let comment = state.reading.findings.review.comment_of(level);
    let response = if comment.is_empty() || state.evidence.blind {
        response
    } else {
        ui.painter().circle_filled(rect.right_top() + vec2(-4.0, 7.0), 3.0, colors.accent);
        response.on_hover_text(comment)
    };
    if found && response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
        actions.push(ReadAction::SelectDisc(level));
    }
}

/// "7.2 mm, +12 %": height and slip.
fn measures_in_short(measured: DiscMeasures) -> String {
    let height = measured.height_mm.map(|height| MeasuredValue::Millimeters(height).in_words(in_force()));
    let slip = measured.slip_percent.map(|percent| format!("{percent:+.0} %"));
    height.into_iter().chain(slip).collect::<Vec<_>>().join(", ")
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

fn cell_ui(ui: &Ui, state: &ViewerState, selection: Selection, rect: Rect, actions: &mut Actions) {
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
            grade_ui(painter, colors, rect, grading, (grade, read), dimmed);
            if conflict_of(state, selection).is_some() {
                let at = rect.left_top() + vec2(8.0, 9.0);
                painter.circle_filled(at, 7.0, colors.warning_fill);
                painter.text(at, Align2::CENTER_CENTER, "≠", theme::image_font(13.0), colors.warning);
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

/// A grade, and beside it the reader's blind class where that reading is finished.
fn grade_ui(
    painter: &egui::Painter,
    colors: &Palette,
    rect: Rect,
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
    painter.text(at(-6.0), Align2::CENTER_CENTER, short_name(grading, grade.class()), theme::image_font(14.0), text);
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

fn footnote_ui(ui: &mut Ui, state: &ViewerState) {
    if state.reading.discs.iter().any(|disc| state.is_unfamiliar(disc.level)) {
        ui.label(RichText::new(format!("? {}", unfamiliar_text())).small().color(theme::of(ui).warning));
    }
    if !state.evidence.blind && state.own_reading().is_some_and(|reading| reading.finished.is_some()) {
        ui.label(RichText::new(tr!("= and ≠: your blind grade")).small().color(theme::of(ui).text_weak));
    }
    if !state.experimental.is_empty() {
        ui.label(RichText::new(translated(EXPERIMENTAL_NOTE)).small().color(theme::of(ui).warning));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::PerGrading;
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
        let grades = DiscPrediction { level, probabilities: grades, spread, is_familiar: true };
        state.reading.grades.insert(DiscLevel::L4L5, Loadable::Ready(Arc::new(grades)));
        let cell = cell_of(&state, selection);
        assert_eq!(cell_label(&state, selection, &cell), "L4-L5 Pfirrmann grade: II, 60 %");
    }

    #[test]
    fn columns_fill_the_width() {
        let area = Rect::from_min_size(pos2(10.0, 0.0), vec2(400.0, 100.0));
        let edges = column_edges(area, &Grading::ALL);
        assert!(edges.len() == Grading::ALL.len() + 2 && (edges[edges.len() - 1] - 410.0).abs() < 1e-3);
        assert!(edges.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn the_columns_are_the_gradings_of_the_weights() {
        let mut state = ViewerState::default();
        assert_eq!(state.columns(), Grading::PAPER, "until the weights are loaded");
        state.gradings = vec![Grading::Pfirrmann, Grading::DiscHerniation];
        assert_eq!(state.columns(), [Grading::Pfirrmann, Grading::DiscHerniation]);
        let level = DiscLevel::L4L5;
        let probabilities = PerGrading::from_fn(state.gradings.clone(), |grading| vec![1.0; grading.classes()]);
        let grades = DiscPrediction { level, probabilities, spread: PerGrading::default(), is_familiar: true };
        state.reading.grades.insert(level, Loadable::Ready(Arc::new(grades)));
        assert!(state.grade(Selection { level, grading: Grading::DiscHerniation }).is_some());
        assert_eq!(state.grade(Selection { level, grading: Grading::DiscBulging }), None);
    }
}
