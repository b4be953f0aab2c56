//! The table of grades: a row for each disc, a column for each grading.

use std::sync::Arc;

use eframe::egui::{
    Align2, Color32, CursorIcon, EventFilter, Galley, Id, Painter, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};

use super::action::{Actions, ReadAction, ViewAction};
use super::grade_cell::{cell_ui, scale_ui};
use super::language::{in_force, tr, translated};
use super::state::{Pane, Selection, ViewerState};
use super::theme;
use crate::language::Language;
use crate::records::{DiscMeasures, EXPERIMENTAL_NOTE, slip_in_short};
use crate::spine::{DiscLevel, Grading, MeasuredValue};

const ROW_HEIGHT: f32 = 30.0;
const HEADER_HEIGHT: f32 = 32.0;
/// Size of the headings' letters, where there is room for it.
const HEADING_SIZE: f32 = 10.0;
/// Between two headings at least.
const HEADING_GAP: f32 = 3.0;
/// Width of the levels' names relative to those of the columns' headings.
const LEVEL_SHARE: f32 = 84.0;

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
    let columns = column_edges(area, gradings, in_force());
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
pub(super) fn column_edges(area: Rect, gradings: &[Grading], language: Language) -> Vec<f32> {
    let share = |grading: &Grading| (10.0 + 5.0 * heading(*grading, language).chars().count() as f32).max(36.0);
    let shares: Vec<f32> = std::iter::once(LEVEL_SHARE).chain(gradings.iter().map(share)).collect();
    let scale = area.width() / shares.iter().sum::<f32>();
    let mut edges = vec![area.left()];
    for share in shares {
        edges.push(edges[edges.len() - 1] + share * scale);
    }
    edges
}

fn heading(grading: Grading, language: Language) -> &'static str {
    language.text(grading.spec().heading)
}

/// A heading as large as the room of its columns lets it be.
fn heading_galley(painter: &Painter, text: &str, room: f32, color: Color32) -> Arc<Galley> {
    let galley = |size: f32| painter.layout_no_wrap(text.to_owned(), theme::image_font(size), color);
    let usual = galley(HEADING_SIZE);
    let width = usual.size().x;
    if width <= room { usual } else { galley(HEADING_SIZE * room / width) }
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
        let (room, color) = (columns[last] - columns[first] - HEADING_GAP, theme::of(ui).text);
        let galley = heading_galley(ui.painter(), text, room, color);
        ui.painter().galley(at - galley.size() / 2.0, galley, color);
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
            text(column, column + 1, 23.0, &format!("{}{mark}", heading(grading, in_force())));
            let rect = Rect::from_min_max(pos2(columns[column], top), pos2(columns[column + 1], top + HEADER_HEIGHT));
            let response = ui.interact(rect, ui.scope_id().with(("grade heading", column)), Sense::hover());
            response.on_hover_ui(|ui| scale_ui(ui, state, grading, None));
            column += 1;
        }
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
    let slip = measured.slip_percent.map(slip_in_short);
    height.into_iter().chain(slip).collect::<Vec<_>>().join(", ")
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
    use crate::spine::{DiscPrediction, PerGrading};
    use crate::worker::Loadable;
    use eframe::egui;

    #[test]
    fn columns_fill_the_width() {
        let area = Rect::from_min_size(pos2(10.0, 0.0), vec2(400.0, 100.0));
        let edges = column_edges(area, &Grading::ALL, Language::ENGLISH);
        assert!(edges.len() == Grading::ALL.len() + 2 && (edges[edges.len() - 1] - 410.0).abs() < 1e-3);
        assert!(edges.windows(2).all(|pair| pair[1] > pair[0]));
    }

    /// In the narrowest panel, and with the mark of experimental ones, headings stand apart and stay readable in every
    /// language: those of the paper's gradings nearly as large as ever, all ten a little smaller.
    #[test]
    fn headings_have_room_in_every_language() {
        let area = Rect::from_min_size(pos2(0.0, 0.0), vec2(360.0 - 16.0, 100.0));
        let context = egui::Context::default();
        let output = context.run_ui(egui::RawInput::default(), |ui| {
            let width = |text: &str, size: f32| {
                ui.painter().layout_no_wrap(text.to_owned(), theme::image_font(size), Color32::WHITE).size().x
            };
            for (language, (gradings, smallest)) in Language::shipped().into_iter().flat_map(|language| {
                [(&Grading::PAPER[..], 9.0), (&Grading::ALL[..], 7.5)].map(|case| (language, case))
            }) {
                let edges = column_edges(area, gradings, language);
                for (column, grading) in gradings.iter().copied().enumerate() {
                    let text = format!("{}*", heading(grading, language));
                    let room = edges[column + 2] - edges[column + 1] - HEADING_GAP;
                    let (code, needed) = (language.code(), width(&text, smallest));
                    assert!(needed <= room, "{code}: {text} needs {needed} of {room}");
                    let shown = heading_galley(ui.painter(), &text, room, Color32::WHITE).size().x;
                    assert!(shown <= room + 0.5, "{code}: {text} takes {shown} of {room}");
                }
            }
        });
        output.drop_without_applying_deltas();
    }

    #[test]
    fn the_columns_are_the_gradings_of_the_weights() {
        let mut state = ViewerState::default();
        assert_eq!(state.columns(), Grading::PAPER, "until the weights are loaded");
        state.gradings = vec![Grading::Pfirrmann, Grading::DiscHerniation];
        assert_eq!(state.columns(), [Grading::Pfirrmann, Grading::DiscHerniation]);
        let level = DiscLevel::L4L5;
        let probabilities = PerGrading::from_fn(state.gradings.clone(), |grading| vec![1.0; grading.classes()]);
        let grades = DiscPrediction {
            level,
            probabilities,
            spread: PerGrading::default(),
            at_prevalence: PerGrading::default(),
            is_familiar: true,
        };
        state.reading.grades.insert(level, Loadable::Ready(Arc::new(grades)));
        assert!(state.grade(Selection { level, grading: Grading::DiscHerniation }).is_some());
        assert_eq!(state.grade(Selection { level, grading: Grading::DiscBulging }), None);
    }
}
