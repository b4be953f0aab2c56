//! The series of the open folder, with the reason why each was or was not chosen.

use eframe::egui::{self, Frame, Image, Label, Margin, RichText, Sense, Stroke, TextureHandle, Ui, UiBuilder};

use super::action::{Actions, FileAction};
use super::companion::CompanionAction;
use super::language::{in_force, tr};
use super::state::{SeriesEntry, ViewerState};
use super::theme;
use super::views::DraggedSeries;
use crate::worker::Loadable;

/// Side of the small pictures, in points.
const THUMBNAIL_SIDE: f32 = 96.0;

/// The list along the left side.
pub(crate) fn series_panel_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    ui.label(RichText::new(tr!(in "list", "Series")).strong());
    ui.add_space(2.0);
    if state.study.series_list.is_empty() {
        let text = match &state.study.folder {
            Loadable::Pending(_) => tr!("Looking for images…"),
            Loadable::Failed(_) => tr!("The folder could not be read."),
            _ => tr!("No series found."),
        };
        ui.label(RichText::new(text).color(theme::of(ui).text_weak));
    }
    for (index, series) in state.study.series_list.iter().enumerate() {
        if series.begins_study {
            ui.add_space(4.0);
            ui.add(Label::new(RichText::new(&series.study).small().strong()).wrap());
        }
        let place = place_of(state, index, series);
        let response = entry_ui(ui, index, series, place, state.study.thumbnails.get(&index));
        if state.loaded().is_some() {
            response.dnd_set_drag_payload(DraggedSeries(index));
        }
        if response.clicked() && place == Place::Nowhere {
            actions.push(FileAction::ShowSeries(index));
        }
        response.context_menu(|ui| {
            let can_stand_beside = state.loaded().is_some() && place == Place::Nowhere;
            if ui.add_enabled(can_stand_beside, egui::Button::new(tr!("Show beside"))).clicked() {
                actions.push(FileAction::ShowSeries(index));
                ui.close();
            }
            for view in 0..state.view.layout.beside() {
                let there = egui::Button::new(tr!("Show in view {number}", number = view + 2));
                if ui.add_enabled(state.companions[view].index != Some(index), there).clicked() {
                    actions.push(CompanionAction::Activate(view));
                    actions.push(CompanionAction::Show(index));
                    ui.close();
                }
            }
            let instead = egui::Button::new(tr!("Grade this series instead"));
            let hint = tr!("The grades of the series that is read go; what you decided about it is kept on disk.");
            if ui.add_enabled(!series.shown, instead).on_hover_text(hint).clicked() {
                actions.push(FileAction::GradeInstead(Some(index)));
                ui.close();
            }
        });
        ui.add_space(3.0);
    }
    let doubts: Vec<String> = state.open_doubts().iter().map(|doubt| in_force().message(&doubt.to_string())).collect();
    let series = state.loaded();
    let judgement = series.zip(state.reading.judgement.as_ref());
    let shown: Vec<String> = judgement
        .map_or_else(Vec::new, |(series, judgement)| judgement.warnings(&series.series.summary))
        .into_iter()
        .map(|warning| in_force().message(&warning.message))
        .collect();
    let series_warnings = series.map_or(&[][..], |series| &series.warnings);
    warnings_ui(ui, shown.iter().chain(&doubts).chain(series_warnings).chain(&state.study.folder_warnings));
}

/// Where a series is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is not.
    Nowhere,
    /// It is the one that is read.
    Read,
    /// Beside that.
    Beside,
}

fn place_of(state: &ViewerState, index: usize, series: &SeriesEntry) -> Place {
    if series.shown {
        Place::Read
    } else if state.shown_beside().iter().any(|beside| beside.index == Some(index)) {
        Place::Beside
    } else {
        Place::Nowhere
    }
}

/// One series.
fn entry_ui(
    ui: &mut Ui,
    index: usize,
    series: &SeriesEntry,
    place: Place,
    thumbnail: Option<&TextureHandle>,
) -> egui::Response {
    let builder = UiBuilder::new().id_salt(("series", index)).sense(Sense::click_and_drag());
    let response = ui
        .scope_builder(builder, |ui| {
            let hovered = ui.response().hovered();
            let colors = theme::of(ui);
            let fill = match place {
                Place::Read => colors.accent_dim,
                Place::Beside | Place::Nowhere if hovered => colors.button,
                Place::Beside | Place::Nowhere => colors.raised,
            };
            let stroke = if place == Place::Nowhere { Stroke::NONE } else { Stroke::new(1.0, colors.accent) };
            Frame::new().fill(fill).stroke(stroke).corner_radius(4.0).inner_margin(Margin::same(6)).show(ui, |ui| {
                ui.set_min_width(ui.available_width());
                ui.spacing_mut().item_spacing.y = 2.0;
                if let Some(thumbnail) = thumbnail {
                    let size = egui::Vec2::splat(THUMBNAIL_SIDE);
                    ui.vertical_centered(|ui| ui.add(Image::new((thumbnail.id(), size)).corner_radius(2.0)));
                }
                ui.add(Label::new(RichText::new(&series.title).color(theme::of(ui).text_strong)).wrap());
                ui.add(Label::new(RichText::new(&series.detail).small()).wrap());
                ui.add(Label::new(RichText::new(&series.reason).small().color(theme::of(ui).text_weak)).wrap());
            });
        })
        .response;
    let label = tr!("Series {title}", title = series.title);
    let is_shown = place != Place::Nowhere;
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_shown, &label));
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

fn warnings_ui<'a>(ui: &mut Ui, warnings: impl Iterator<Item = &'a String>) {
    let mut warnings = warnings.peekable();
    if warnings.peek().is_none() {
        return;
    }
    ui.add_space(8.0);
    ui.label(RichText::new(tr!("Warnings")).strong().color(theme::of(ui).warning));
    for warning in warnings {
        ui.add(Label::new(RichText::new(warning).small()).wrap());
    }
}
