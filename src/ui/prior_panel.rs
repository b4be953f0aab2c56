//! Grades of the prior and the present examination side by side, by level.

use eframe::egui::{Align2, Label, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::action::Actions;
use super::companion::examination_name;
use super::grade_cell::short_name;
use super::grade_table::column_edges;
use super::language::{in_force, tr};
use super::state::{Selection, ViewerState};
use super::{action::ReadAction, criteria, theme};

const ROW_HEIGHT: f32 = 19.0;

/// The table, in the columns of the table of grades: what was, and what is where that is another class.
pub(super) fn prior_panel_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let reading = &state.reading;
    let Some(prior) = reading.prior.as_ref().filter(|_| !state.evidence.blind) else { return };
    let title = RichText::new(examination_name(prior.days_before)).strong();
    ui.add(Label::new(title)).on_hover_text(tr!("Grades then, and now where they are others"));
    let levels: Vec<_> = reading.compared.chunk_by(|a, b| a.level == b.level).collect();
    let size = vec2(ui.available_width(), ROW_HEIGHT * levels.len() as f32);
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    let columns = state.columns();
    let edges = column_edges(area, columns, in_force());
    let colors = theme::of(ui);
    for (row, grades) in levels.into_iter().enumerate() {
        let top = area.top() + ROW_HEIGHT * row as f32;
        let at = pos2(edges[0], top + ROW_HEIGHT / 2.0);
        let (level, font) = (grades[0].level, theme::image_font(11.5));
        ui.painter().text(at, Align2::LEFT_CENTER, level.to_string(), font.clone(), colors.text);
        for grade in grades {
            let Some(place) = columns.iter().position(|grading| *grading == grade.grading) else { continue };
            let corners = [pos2(edges[place + 1], top), pos2(edges[place + 2], top + ROW_HEIGHT)];
            let cell = Rect::from_min_max(corners[0], corners[1]).shrink(1.0);
            let [before, now] = [grade.before, grade.now].map(|class| short_name(grade.grading, class));
            let (text, color) = if grade.is_change() {
                let severity = grade.grading.severity(grade.now.max(grade.before));
                ui.painter().rect_filled(cell, 3.0, colors.severity_fill(severity));
                (format!("{before} > {now}"), colors.severity_text(severity))
            } else {
                (before.to_owned(), colors.text_weak)
            };
            ui.painter().text(cell.center(), Align2::CENTER_CENTER, text, font.clone(), color);
            let response = ui.interact(cell, ui.scope_id().with(("prior", level, grade.grading)), Sense::click());
            let name = criteria::name(grade.grading);
            let [before, now] = [grade.before, grade.now].map(|class| criteria::class_name(grade.grading, class));
            let words =
                tr!("{level} {name}: {before} then, {now} now", level = level, name = name, before = before, now = now);
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
            if response.on_hover_text(&words).clicked() {
                actions.push(ReadAction::Select(Selection { level, grading: grade.grading }));
            }
        }
    }
}
