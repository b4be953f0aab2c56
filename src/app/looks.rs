//! How the window looks and images are shown: what the reader chose stays for the next run.

use std::collections::BTreeMap;

use eframe::egui::{self, Vec2};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Command, Event, Viewer};
use crate::picture::{ColorMap, EvidenceFill};
use crate::ui::companion::MOST_BESIDE;
use crate::ui::state::{SidePanel, ViewLayout, ViewerState, WindowPreset};
use crate::volume::SectionAxis;
use crate::worker::Work;

/// Sizes, layout, window and colors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Looks {
    /// Width and height of the window in points of the system; `None` before it was known.
    pub(crate) window_size: Option<[f32; 2]>,
    /// The window fills the screen's free area.
    pub(crate) is_maximized: bool,
    /// Widths of the panels that were dragged, points.
    pub(crate) panel_widths: BTreeMap<SidePanel, f32>,
    /// Which views are shown.
    pub(crate) layout: ViewLayout,
    /// Planes that were chosen for the views beside the slice.
    pub(crate) planes: [Option<SectionAxis>; MOST_BESIDE],
    /// The ready-made display window of each new series.
    pub(crate) preset: WindowPreset,
    /// Bilinear between pixels.
    pub(crate) smooth: bool,
    /// Colors of evidence.
    pub(crate) color_map: ColorMap,
    /// Filled, or a contour.
    pub(crate) fill: EvidenceFill,
    /// How strongly evidence covers the image, 0 to 1.
    pub(crate) opacity: f32,
}

impl Default for Looks {
    fn default() -> Self {
        Self::of(&ViewerState::default())
    }
}

impl Looks {
    /// What the state has of it; nothing of the window.
    fn of(state: &ViewerState) -> Self {
        Self {
            window_size: None,
            is_maximized: false,
            panel_widths: state.panel_widths.clone(),
            layout: state.view.layout,
            planes: state.view.planes,
            preset: state.view.preset,
            smooth: state.view.smooth,
            color_map: state.evidence.color_map,
            fill: state.evidence.fill,
            opacity: state.evidence.opacity,
        }
    }

    /// Takes the size of the window; a window that fills the screen or is hidden leaves it as it was.
    fn with_window(mut self, before: &Self, ctx: &egui::Context) -> Self {
        let zoom = ctx.zoom_factor();
        let (rect, is_maximized, is_other) = ctx.input(|input| {
            let window = input.viewport();
            let is_other = window.fullscreen == Some(true) || window.minimized == Some(true);
            (window.inner_rect, window.maximized == Some(true), is_other)
        });
        (self.window_size, self.is_maximized) = (before.window_size, before.is_maximized);
        if !is_other {
            self.is_maximized = is_maximized;
            let size = rect.filter(|rect| !is_maximized && rect.is_positive()).map(|rect| rect.size() * zoom);
            self.window_size = size.map(|size| [size.x.round(), size.y.round()]).or(self.window_size);
        }
        self
    }

    /// Puts it into the state.
    pub(super) fn apply(&self, state: &mut ViewerState) {
        state.panel_widths.clone_from(&self.panel_widths);
        (state.view.layout, state.view.preset, state.view.smooth) = (self.layout, self.preset, self.smooth);
        state.view.planes = self.planes;
        let evidence = &mut state.evidence;
        (evidence.color_map, evidence.fill) = (self.color_map, self.fill);
        evidence.opacity = if (0.0..=1.0).contains(&self.opacity) { self.opacity } else { evidence.opacity };
    }

    /// The size that the window opens with, points of the system.
    #[must_use]
    pub(crate) fn first_size(&self) -> Option<Vec2> {
        let [width, height] = self.window_size.filter(|size| size.iter().all(|side| (1.0..=1e5).contains(side)))?;
        Some(Vec2::new(width, height))
    }

    /// Reads it; what another version wrote and this one does not know is as for a new user, and takes no other setting along.
    pub(super) fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        Ok(serde_json::from_value(value).unwrap_or_default())
    }
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Keeps how it looks, once it has looked so for two frames: what is being dragged changes with each.
    pub(super) fn keep_looks(&mut self, ctx: &egui::Context) {
        let now = Looks::of(&self.state).with_window(&self.settings.looks, ctx);
        if now == self.settings.looks {
            self.new_looks = None;
        } else if self.new_looks.as_ref() == Some(&now) {
            self.new_looks = None;
            self.settings.looks = now;
        } else {
            self.new_looks = Some(now);
            ctx.request_repaint();
        }
    }
}

#[cfg(test)]
mod tests {
    use eframe::egui::{RawInput, Rect, ViewportId, pos2};

    use super::*;
    use crate::app::settings::Settings;

    #[test]
    fn what_was_chosen_comes_back_into_the_state() {
        let mut state = ViewerState::default();
        assert_eq!(Looks::of(&state), Looks::default());
        state.view.layout = ViewLayout::Planes;
        state.view.planes[1] = Some(SectionAxis::Column);
        state.view.preset = WindowPreset::Wide;
        state.evidence.opacity = 0.4;
        state.evidence.fill = EvidenceFill::Contour;
        state.panel_widths.insert(SidePanel::Findings, 512.0);
        let kept = serde_json::to_string(&Looks::of(&state)).expect("written");
        let mut other = ViewerState::default();
        serde_json::from_str::<Looks>(&kept).expect("read").apply(&mut other);
        assert_eq!(Looks::of(&other), Looks::of(&state));
    }

    #[test]
    fn looks_of_another_version_take_no_other_setting_along() {
        let text = r#"{"reader": "AB", "looks": {"layout": "hologram", "smooth": false}}"#;
        let settings: Settings = serde_json::from_str(text).expect("readable");
        assert_eq!((settings.reader.as_str(), settings.looks), ("AB", Looks::default()));
        let text = r#"{"looks": {"smooth": false, "opacity": 7.0}}"#;
        let settings: Settings = serde_json::from_str(text).expect("readable");
        let mut state = ViewerState::default();
        settings.looks.apply(&mut state);
        assert_eq!((state.view.smooth, state.evidence.opacity), (false, 0.7), "what cannot be is left out");
    }

    #[test]
    fn the_window_opens_as_large_as_it_was_and_not_as_large_as_the_screen() {
        let ctx = egui::Context::default();
        let show = |width: f32, maximized: bool| {
            let mut input = RawInput::default();
            let window = input.viewports.entry(ViewportId::ROOT).or_default();
            window.inner_rect = Some(Rect::from_min_size(pos2(5.0, 5.0), Vec2::new(width, 700.0)));
            window.maximized = Some(maximized);
            // Nothing is drawn, so textures have nowhere to go.
            ctx.run_ui(input, |_| ()).textures_delta.clear();
        };
        show(1100.0, false);
        let small = Looks::default().with_window(&Looks::default(), &ctx);
        assert_eq!((small.first_size(), small.is_maximized), (Some(Vec2::new(1100.0, 700.0)), false));
        show(2560.0, true);
        let large = Looks::default().with_window(&small, &ctx);
        assert_eq!((large.first_size(), large.is_maximized), (Some(Vec2::new(1100.0, 700.0)), true));
    }
}
