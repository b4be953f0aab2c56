//! The slices that were marked for the report.

use eframe::egui::{Align, Label, Layout, RichText, Role, TextEdit, Ui, WidgetInfo};

use super::action::Actions;
use super::command::UiCommand;
use super::criteria;
use super::language::tr;
use super::state::ViewerState;
use super::theme;
use crate::records::KeyImage;

/// What can be done with key images; an index is a place in the list of the review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyImageAction {
    /// Mark the slice as it is shown, or take its mark away.
    Toggle,
    /// Show one as it was marked.
    Show(usize),
    /// What the reader has to say about one.
    Comment { index: usize, text: String },
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
    for (index, image) in images.iter().enumerate() {
        key_image_ui(ui, state, (index, image), actions);
    }
    ui.add_space(4.0);
}

/// One of them, and what the reader has to say about it.
fn key_image_ui(ui: &mut Ui, state: &ViewerState, (index, image): (usize, &KeyImage), actions: &mut Actions) {
    let slice = tr!("Slice {slice}", slice = image.slice + 1);
    let name = match &image.subject {
        Some(subject) => format!("{slice}, {} {}", subject.level, criteria::name(subject.grading)),
        None => slice,
    };
    ui.horizontal(|ui| {
        if ui.selectable_label(state.key_image_here() == Some(index), &name).clicked() {
            actions.push(KeyImageAction::Show(index));
        }
        if image.subject.as_ref().is_some_and(|subject| subject.map.is_some()) {
            ui.label(RichText::new(tr!("with evidence")).small().color(theme::of(ui).text_weak));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let delete = ui.small_button("×").on_hover_text(tr!("Remove key image: {name}", name = name));
            if delete.clicked() {
                actions.push(KeyImageAction::Delete(index));
            }
        });
    });
    // A comment may be that of another reader.
    if state.evidence.blind {
        return;
    }
    // Only the one that is shown has a field, so that the findings below stay in sight.
    if state.key_image_here() != Some(index) {
        if !image.comment.is_empty() {
            let comment = RichText::new(&image.comment).small().color(theme::of(ui).text_weak);
            ui.indent(("comment", index), |ui| ui.add(Label::new(comment).truncate()));
        }
        return;
    }
    let mut text = image.comment.clone();
    let field = TextEdit::singleline(&mut text).id_salt(("key image", index)).desired_width(f32::INFINITY);
    let field = ui.add(field.hint_text(tr!("Comment on this image, for the report")));
    let name = tr!("Comment on key image {number}", number = index + 1);
    field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, &name));
    if field.changed() {
        actions.push(KeyImageAction::Comment { index, text });
    }
}
