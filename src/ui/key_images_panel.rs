//! The slices that were marked for the report.

use eframe::egui::{Grid, RichText, Ui, vec2};

use super::action::Actions;
use super::command::UiCommand;
use super::criteria;
use super::language::tr;
use super::state::ViewerState;
use super::theme;

/// What can be done with key images; an index is a place in the list of the review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyImageAction {
    /// Mark the slice as it is shown, or take its mark away.
    Toggle,
    /// Show one as it was marked.
    Show(usize),
    /// Take one from the list.
    Delete(usize),
}

/// The list; a click shows a key image as it was marked.
pub(crate) fn key_images_panel_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let images = &state.reading.findings.review.key_images;
    if images.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Key images")).strong());
        let hint = tr!(
            "They stand in the report as you saw them ({keys} marks one)",
            keys = UiCommand::KeyImage.keys_text(ui.ctx())
        );
        ui.label(RichText::new(hint).small().color(theme::of(ui).text_weak));
    });
    let here = state.key_image_here();
    Grid::new("key images").num_columns(3).spacing(vec2(12.0, 3.0)).show(ui, |ui| {
        for (index, image) in images.iter().enumerate() {
            let slice = tr!("Slice {slice}", slice = image.slice + 1);
            let name = match &image.subject {
                Some(subject) => format!("{slice}, {} {}", subject.level, criteria::name(subject.grading)),
                None => slice,
            };
            if ui.selectable_label(here == Some(index), &name).clicked() {
                actions.push(KeyImageAction::Show(index));
            }
            let has_map = image.subject.as_ref().is_some_and(|subject| subject.map.is_some());
            let words = if has_map { tr!("with evidence") } else { "" };
            ui.label(RichText::new(words).small().color(theme::of(ui).text_weak));
            let delete = ui.small_button("×").on_hover_text(tr!("Remove key image: {name}", name = name));
            if delete.clicked() {
                actions.push(KeyImageAction::Delete(index));
            }
            ui.end_row();
        }
    });
    ui.add_space(4.0);
}
