//! The nine slices of the selected disc as the network sees them: turned level, each with its evidence.

use eframe::egui::{Align2, CursorIcon, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};
use glam::{DAffine2, DVec2};

use super::action::{Actions, ViewAction};
use super::language::tr;
use super::slice_view::evidence_paint;
use super::state::{LoadedSeries, ViewerState};
use super::{criteria, theme};
use crate::picture::{ImageFromScreen, SliceLook};
use crate::render::SlicePaint;
use crate::spine::{DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};

/// Between the pictures.
const GAP: f32 = 4.0;
const TITLE_HEIGHT: f32 = 22.0;

/// The nine pictures, as large as fits; a click shows the slice.
pub(crate) fn disc_view_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let (area, _) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    let area = area.shrink(4.0);
    let (Some(series), Some(selection), Some(frame)) =
        (state.loaded(), state.reading.selection, &state.reading.disc_frame)
    else {
        let (text, font) = (tr!("Select a grade or a disc to see its nine slices."), theme::image_font(13.0));
        ui.painter().text(area.center(), Align2::CENTER_CENTER, text, font, theme::TEXT_WEAK);
        return;
    };
    let font = theme::image_font(12.5);
    let (level, grading) = (selection.level, criteria::name(selection.grading));
    let title = tr!("{level}  {grading}  as the network sees it", level = level, grading = grading);
    ui.painter().text(area.left_top(), Align2::LEFT_TOP, title, font.clone(), theme::TEXT_STRONG);
    ui.painter().text(area.right_top(), Align2::RIGHT_TOP, tr!("anterior on the left"), font, theme::ON_IMAGE);
    let grid = Rect::from_min_max(pos2(area.left(), area.top() + TITLE_HEIGHT), area.max);
    for patch_slice in 0..PATCH_SLICES {
        let cell = cell_rect(grid, patch_slice);
        cell_ui(ui, state, series, frame, patch_slice, cell, actions);
    }
}

/// Where a picture lies: in as many columns as make the pictures largest.
fn cell_rect(grid: Rect, index: usize) -> Rect {
    let aspect = PATCH_COLUMNS as f32 / PATCH_ROWS as f32;
    let width_in = |columns: usize| {
        let rows = PATCH_SLICES.div_ceil(columns);
        let by_width = grid.width() / columns as f32 - GAP;
        let by_height = (grid.height() / rows as f32 - GAP) * aspect;
        by_width.min(by_height).max(1.0)
    };
    let columns = (1..=PATCH_SLICES).max_by(|a, b| width_in(*a).total_cmp(&width_in(*b))).unwrap_or(3);
    let size = vec2(width_in(columns), width_in(columns) / aspect);
    let whole = (size + vec2(GAP, GAP)) * vec2(columns as f32, PATCH_SLICES.div_ceil(columns) as f32);
    let start = grid.center() - whole / 2.0;
    let place = vec2((index % columns) as f32, (index / columns) as f32) * (size + vec2(GAP, GAP));
    Rect::from_min_size(start + place + vec2(GAP, GAP) / 2.0, size)
}

fn cell_ui(
    ui: &Ui,
    state: &ViewerState,
    series: &LoadedSeries,
    frame: &DiscFrame,
    patch_slice: usize,
    cell: Rect,
    actions: &mut Actions,
) {
    let painter = ui.painter();
    let Some(slice) = frame.scan_slice(patch_slice).filter(|slice| *slice < series.volume.slices()) else {
        painter.rect_stroke(cell, 0.0, Stroke::new(1.0, theme::LINE), StrokeKind::Inside);
        let font = theme::image_font(11.0);
        painter.text(cell.center(), Align2::CENTER_CENTER, tr!("no slice"), font, theme::TEXT_WEAK);
        return;
    };
    let response = ui.interact(cell, ui.scope_id().with(("patch", patch_slice)), Sense::click());
    response
        .widget_info(|| WidgetInfo::labeled(Role::Button, true, tr!("Disc slice {slice}", slice = patch_slice + 1)));
    if let Some(texture) = &state.reading.image_texture {
        let look =
            SliceLook { invert: state.view.inverted, smooth: state.view.smooth, ..SliceLook::new(state.window()) };
        let paint = SlicePaint {
            series: texture.clone(),
            slice,
            image_from_screen: image_from_screen(frame, cell),
            look,
            evidence: evidence_paint(&state.evidence, &state.evidence.main),
        };
        painter.add(paint.shape(cell));
    }
    let is_shown = state.view.slice == slice;
    let stroke = if is_shown || response.hovered() { theme::ACCENT } else { theme::LINE };
    painter.rect_stroke(cell, 0.0, Stroke::new(if is_shown { 2.0 } else { 1.0 }, stroke), StrokeKind::Outside);
    let at = cell.left_top() + vec2(4.0, 2.0);
    let name = format!("{}", slice + 1);
    painter.text(at + vec2(1.0, 1.0), Align2::LEFT_TOP, &name, theme::image_font(11.0), theme::text_shadow());
    painter.text(at, Align2::LEFT_TOP, name, theme::image_font(11.0), theme::ON_IMAGE);
    if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
        actions.push(ViewAction::ShowSlice(slice));
    }
}

/// The map from a picture's place on the screen to the scan.
fn image_from_screen(frame: &DiscFrame, cell: Rect) -> ImageFromScreen {
    let origin = frame.image_from_patch(0.0, 0.0);
    let column = frame.image_from_patch(0.0, 1.0) - origin;
    let row = frame.image_from_patch(1.0, 0.0) - origin;
    let patch_per_point = PATCH_COLUMNS as f64 / f64::from(cell.width());
    let corner = DVec2::new(f64::from(cell.left()), f64::from(cell.top()));
    // The edge of the picture is half a pixel before the center of the first pixel.
    let start = origin - (column + row) / 2.0;
    let (x, y) = (column * patch_per_point, row * patch_per_point);
    ImageFromScreen::from_affine(DAffine2::from_cols(x, y, start - x * corner.x - y * corner.y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_pictures_fit_into_any_area() {
        for size in [vec2(680.0, 300.0), vec2(300.0, 900.0), vec2(1800.0, 120.0)] {
            let grid = Rect::from_min_size(pos2(10.0, 20.0), size);
            let cells: Vec<Rect> = (0..PATCH_SLICES).map(|index| cell_rect(grid, index)).collect();
            assert!(cells.iter().all(|cell| grid.expand(0.1).contains_rect(*cell)));
            assert!(cells.windows(2).all(|pair| !pair[0].intersects(pair[1])));
            assert!((cells[0].width() / cells[0].height() - 2.0).abs() < 1e-3);
        }
    }
}
