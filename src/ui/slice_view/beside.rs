//! The slice again with a second evidence map of the same disc: another method, or another grading.

use eframe::egui::{Align2, ComboBox, Frame, Margin, Role, Sense, Ui, WidgetInfo, vec2};

use super::{Scene, boxes, chrome, image, input};
use crate::spine::Grading;
use crate::ui::action::{Actions, EvidenceAction};
use crate::ui::camera::{Camera, SliceTransform};
use crate::ui::evidence_panel::{METHODS, method_name, views_text};
use crate::ui::language::tr;
use crate::ui::state::ViewerState;
use crate::ui::{criteria, theme};

/// Choices at the top, the image below; it is zoomed and leafed through together with the first.
pub(crate) fn beside_view_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let bar = Frame::new().fill(theme::of(ui).panel).inner_margin(Margin::symmetric(8, 5));
    bar.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        choices_ui(ui, state, actions);
    });
    let (viewport, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    let Some(series) = state.loaded() else { return };
    let frame = series.frame();
    let camera = state.view.camera.unwrap_or_else(|| Camera::fit(&frame));
    let transform = SliceTransform::new(&frame, viewport, &camera);
    let slice = state.view.slice.min(series.volume.slices() - 1);
    let scene = Scene { state, series, transform, slice, window: state.window() };
    response
        .widget_info(|| WidgetInfo::labeled(Role::Canvas, true, tr!("Second map, slice {slice}", slice = slice + 1)));
    let map = &state.evidence.beside;
    let evidence = image::evidence_paint(&state.evidence, map);
    image::image_ui(ui, &scene, state.reading.image_texture.as_ref(), evidence);
    input::gestures_ui(ui, &response, &scene, actions);
    let painter = ui.painter_at(viewport);
    boxes::predicted(&painter, &scene, map);
    boxes::learned(&painter, &scene, map);
    chrome::legend(&painter, &scene, map);
    let words = match (state.reading.selection, &map.map) {
        (None, _) => tr!("Select a grade in the table to compare its maps.").to_owned(),
        (_, None) if map.request.error().is_some() => tr!("The second map could not be computed.").to_owned(),
        (_, None) => tr!("computing…").to_owned(),
        (_, Some(map)) => views_text(map.augmentations),
    };
    let font = theme::image_font(12.0);
    painter.text(viewport.left_bottom() + vec2(10.0, -10.0), Align2::LEFT_BOTTOM, words, font, theme::ON_IMAGE);
}

fn choices_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let choice = state.evidence.beside_choice;
    // In a narrow window the second choice stands below the first.
    ui.horizontal_wrapped(|ui| {
        let mut chosen = choice;
        let label = ui.label(tr!("Beside it"));
        let methods = ComboBox::from_id_salt("beside method").width(170.0).selected_text(method_name(choice.method));
        let methods = methods.show_ui(ui, |ui| {
            for method in METHODS {
                ui.selectable_value(&mut chosen.method, method, method_name(method));
            }
        });
        methods.response.labelled_by(label.id);
        let name = |grading: Option<Grading>| grading.map_or(tr!("the same grading"), criteria::name);
        let gradings = ComboBox::from_id_salt("beside grading").width(170.0).selected_text(name(choice.grading));
        let gradings = gradings.show_ui(ui, |ui| {
            for grading in std::iter::once(None).chain(state.columns().iter().copied().map(Some)) {
                ui.selectable_value(&mut chosen.grading, grading, name(grading));
            }
        });
        gradings.response.labelled_by(label.id);
        if chosen != choice {
            actions.push(EvidenceAction::SetBeside(chosen));
        }
    });
}
