//! The view of another series, at the place that the reader looks at.

use eframe::egui::{
    Align2, Button, ComboBox, Frame, Margin, Pos2, Response, Role, Sense, Shape, Stroke, Ui, WidgetInfo, vec2,
};
use glam::DVec2;

use super::{Scene, chrome, image, name_on_image, probe_at, text_on_image};
use crate::ui::action::{Actions, ViewAction};
use crate::ui::camera::{Camera, SliceTransform};
use crate::ui::command::UiCommand;
use crate::ui::companion::{CommonSpace, Companion, CompanionAction, examination_name};
use crate::ui::gesture::{Gesture, dragged_window, gestures, moved_camera};
use crate::ui::language::tr;
use crate::ui::state::{AnnotationLevel, LoadedSeries, Pane, Tool, ViewerState};
use crate::ui::views::dropped_series;
use crate::ui::{plane_view, theme};
use crate::volume::SectionAxis;
use crate::worker::Loadable;

/// A view of another series.
struct Beside<'a> {
    /// Its place among them.
    view: usize,
    companion: &'a Companion,
    scene: Scene<'a>,
}

/// Which series, and whether it is linked, at the top; its slice below. Whatever is asked for here makes it the view that is
/// worked with.
pub(crate) fn companion_view_ui(ui: &mut Ui, state: &ViewerState, view: usize, actions: &mut Actions) {
    let mut asked = Actions::default();
    let response = view_ui(ui, state, view, &mut asked);
    asked.extend(dropped_series(ui, &response).map(CompanionAction::Show));
    if !asked.is_empty() && state.active != view {
        actions.push(CompanionAction::Activate(view));
    }
    // A click gives the keys to a view, even where it asks for nothing else.
    if (!asked.is_empty() || response.clicked()) && state.view.pane != Pane::Beside {
        actions.push(ViewAction::FocusPane(Pane::Beside));
    }
    actions.extend(asked);
}

fn view_ui(ui: &mut Ui, state: &ViewerState, view: usize, actions: &mut Actions) -> Response {
    let bar = Frame::new().fill(theme::of(ui).panel).inner_margin(Margin::symmetric(8, 5));
    bar.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        choices_ui(ui, state, view, actions);
    });
    let companion = &state.companions[view];
    if let Some(axis) = companion.plane {
        return plane_view::plane_alone_ui(ui, state, (view + 1, axis), actions);
    }
    let (viewport, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    let (Some(read), Some(series)) = (state.loaded(), companion.image.ready()) else {
        let words = match companion.image {
            Loadable::Pending(_) => tr!("Loading the series…"),
            Loadable::Failed(_) => tr!("The series could not be loaded."),
            _ => tr!("Choose a series above, or add a prior study."),
        };
        let font = theme::image_font(15.0);
        ui.painter().text(viewport.center(), Align2::CENTER_CENTER, words, font, theme::TEXT_WEAK);
        return response;
    };
    let camera = companion.camera_in(viewport, state).unwrap_or_else(|| Camera::fit(&series.frame()));
    let transform = SliceTransform::new(&series.frame(), viewport, &camera);
    let window = companion.window.unwrap_or(series.default_window);
    let scene = Scene { state, series, transform, slice: companion.slice, window };
    let (slice, count) = (scene.slice + 1, series.volume.slices());
    let name = if view == 0 {
        tr!("Series beside, slice {slice} of {count}", slice = slice, count = count)
    } else {
        tr!("Series in view {view}, slice {slice} of {count}", view = view + 2, slice = slice, count = count)
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &name));
    image::image_ui(ui, &scene, companion.texture.as_ref(), None);
    let beside = Beside { view, companion, scene };
    places_ui(ui, &beside, read);
    texts_ui(ui, &beside, response.hover_pos());
    mouse(ui, &response, &beside, camera, actions);
    response
}

fn choices_ui(ui: &mut Ui, state: &ViewerState, view: usize, actions: &mut Actions) {
    let companion = &state.companions[view];
    ui.horizontal_wrapped(|ui| {
        let label = ui.label(tr!("Series"));
        let series = companion.index.and_then(|index| state.study.series_list.get(index));
        let title = match companion.plane {
            Some(axis) => plane_view::plane_name(axis),
            None => series.map_or(tr!(in "series", "none"), |series| &series.title),
        };
        let choice = ComboBox::from_id_salt(("companion", view)).width(130.0).selected_text(title).show_ui(ui, |ui| {
            for (index, series) in state.study.series_list.iter().enumerate().filter(|(_, series)| !series.shown) {
                let text = format!("{}\n{}, {}", series.title, series.study, series.detail);
                let is_chosen = companion.index == Some(index);
                if ui.selectable_label(is_chosen, text).clicked() && !is_chosen {
                    actions.push(CompanionAction::Show(index));
                }
            }
            for axis in SectionAxis::ALL {
                let is_chosen = companion.plane == Some(axis);
                let text = format!("{}\n{}", plane_view::plane_name(axis), tr!("reconstructed"));
                if ui.selectable_label(is_chosen, text).clicked() && !is_chosen {
                    actions.push(CompanionAction::ShowPlane(axis));
                }
            }
        });
        choice.response.labelled_by(label.id);
        if companion.plane.is_some() {
            return;
        }
        let link = ui.add(Button::selectable(!companion.is_unlinked, tr!("Linked")));
        let hint =
            tr!("Both views show the same place and move together. Unlink, leaf each to its place and link again to \
             put them on each other by hand.");
        let keys = UiCommand::LinkCompanion.keys_text(ui.ctx());
        if link.on_hover_text(format!("{hint} ({keys})")).clicked() {
            actions.push(UiCommand::LinkCompanion.action());
        }
        let add = ui.button(tr!("Add…")).on_hover_text(tr!("Open a prior or another study beside this one"));
        if add.clicked() {
            actions.push(UiCommand::AddStudy.action());
        }
    });
}

/// Where the read slice cuts this one, and the place that is looked at.
fn places_ui(ui: &Ui, Beside { companion, scene, .. }: &Beside, read: &LoadedSeries) {
    if companion.is_unlinked || scene.state.view.annotations == AnnotationLevel::None {
        return;
    }
    let painter = ui.painter_at(scene.transform.viewport);
    if !companion.is_parallel(read)
        && let Some(ends) = companion.line_of(read, scene.state.view.slice)
    {
        painter.add(dashed(ends.map(|end| scene.transform.screen_from_image(end))));
    }
    let [row, column] = scene.state.crosshair();
    let here = read.volume.geometry().lps_from_voxel([scene.state.view.slice as f64, row, column]);
    let [_, row, column] = scene.series.volume.geometry().voxel_from_lps(companion.there(here));
    let at = scene.transform.screen_from_image(DVec2::new(column, row));
    let stroke = Stroke::new(1.5, theme::CROSSHAIR);
    for arm in [vec2(1.0, 0.0), vec2(-1.0, 0.0), vec2(0.0, 1.0), vec2(0.0, -1.0)] {
        painter.line_segment([at + arm * 5.0, at + arm * 11.0], stroke);
    }
}

/// Where the companion's slice cuts the read one, with its number at the end.
pub(crate) fn line_on_slice(ui: &Ui, scene: &Scene, companion: &Companion) {
    if companion.is_unlinked || companion.is_parallel(scene.series) {
        return;
    }
    let Some(ends) = companion.line_on(scene.series, scene.slice) else { return };
    let ends = ends.map(|end| scene.transform.screen_from_image(end));
    let painter = ui.painter_at(scene.transform.viewport);
    painter.add(dashed(ends));
    let end = if ends[0].x > ends[1].x { ends[0] } else { ends[1] };
    let number = (companion.slice + 1).to_string();
    name_on_image(
        &painter,
        end + vec2(6.0, 0.0),
        Align2::LEFT_CENTER,
        &number,
        [theme::CROSSHAIR, theme::text_shadow()],
    );
}

/// A line between two planes, told from outlines and measurements by its dashes.
fn dashed(ends: [Pos2; 2]) -> Shape {
    Shape::Vec(Shape::dashed_line(&ends, Stroke::new(1.5, theme::CROSSHAIR), 9.0, 5.0))
}

fn texts_ui(ui: &Ui, Beside { companion, scene, .. }: &Beside, pointer: Option<Pos2>) {
    let Companion { space, is_unlinked, .. } = companion;
    let probe = pointer.and_then(|pointer| probe_at(scene, pointer));
    let mut next = chrome::texts_beside(ui, scene, probe);
    if *space != CommonSpace::Shared {
        let painter = ui.painter_at(scene.transform.viewport);
        let name = examination_name(scene.state.days_before(companion));
        let place = text_on_image(&painter, next, Align2::LEFT_TOP, &name, 15.0, theme::TEXT_STRONG);
        next.y = place.bottom() + 2.0;
    }
    if let Some(words) = space.caption().filter(|_| !is_unlinked) {
        let painter = ui.painter_at(scene.transform.viewport);
        let is_matched = matches!(space, CommonSpace::BySpine(_));
        let color = if is_matched { theme::CROSSHAIR } else { theme::WARNING };
        text_on_image(&painter, next, Align2::LEFT_TOP, &words, 12.0, color);
    }
}

fn mouse(ui: &Ui, response: &Response, beside: &Beside, camera: Camera, actions: &mut Actions) {
    let Beside { view, companion, scene } = beside;
    let Scene { state, series, transform, .. } = scene;
    if response.double_clicked() {
        actions.push(ViewAction::Maximize(view + 1));
    } else if response.clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        let point = transform.image_from_screen(at);
        actions.push(CompanionAction::PointAt([scene.slice as f64, point.y, point.x]));
    }
    // The tools draw on the read series; here the left button sets the window unless it moves the image.
    let tool = match state.view.tool {
        tool @ (Tool::Pan | Tool::Zoom | Tool::Scroll) => tool,
        _ => Tool::Window,
    };
    let follows = !companion.is_unlinked && state.loaded().is_some_and(|read| companion.is_parallel(read));
    for gesture in gestures(ui, response, tool, state.right_drag_windows) {
        match (gesture, state.view.viewport.filter(|_| follows)) {
            (Gesture::Scroll(slices), _) => actions.push(CompanionAction::Step(slices)),
            (Gesture::Window(delta), _) => {
                let window = dragged_window(scene.window, series.default_window.width, delta);
                actions.push(CompanionAction::SetWindow(Some(window)));
            }
            // Parallel planes are moved by moving the read series; both show the same place at the same size.
            (Gesture::Pan(delta), Some(viewport)) => actions.push(ViewAction::Pan { viewport, delta }),
            (Gesture::Zoom { anchor, factor }, Some(viewport)) => {
                let anchor = viewport.center() + (anchor - transform.viewport.center());
                actions.push(ViewAction::Zoom { viewport, anchor, factor });
            }
            (Gesture::Pan(_) | Gesture::Zoom { .. }, None) => {
                let moved = moved_camera(camera, &series.frame(), transform.viewport, gesture);
                actions.push(CompanionAction::SetCamera(moved));
            }
        }
    }
}
