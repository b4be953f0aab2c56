//! Colors and text sizes of the window: the only place that writes a color as numbers.

use eframe::egui::style::ScrollStyle;
use eframe::egui::{self, Color32, CornerRadius, FontFamily, FontId, Stroke, TextStyle, Theme, Visuals, vec2};

/// Opaque color from its sRGB bytes.
#[allow(clippy::disallowed_methods, reason = "the one place that makes colors from numbers")]
const fn rgb(red: u8, green: u8, blue: u8) -> Color32 {
    Color32::from_rgb(red, green, blue)
}

/// Behind the image.
pub(crate) const IMAGE_BACKGROUND: Color32 = Color32::BLACK;
/// Behind panels.
pub(crate) const PANEL: Color32 = rgb(22, 25, 29);
/// Behind menus, pop-ups and raised parts of a panel.
pub(crate) const RAISED: Color32 = rgb(31, 35, 41);
/// Lines between parts.
pub(crate) const LINE: Color32 = rgb(48, 54, 62);
/// Text that matters most.
pub(crate) const TEXT_STRONG: Color32 = rgb(243, 245, 247);
/// Text that explains; still above 4.5:1 on [`PANEL`].
pub(crate) const TEXT_WEAK: Color32 = rgb(150, 159, 170);
/// What is selected or active.
pub(crate) const ACCENT: Color32 = rgb(102, 178, 238);
/// Fill of what is selected.
pub(crate) const ACCENT_DIM: Color32 = rgb(36, 66, 92);
/// Something to be careful about.
pub(crate) const WARNING: Color32 = rgb(232, 184, 84);
/// Outlines and names of vertebral bodies.
pub(crate) const VERTEBRA: Color32 = rgb(126, 208, 178);
/// Names of discs.
pub(crate) const DISC: Color32 = rgb(222, 226, 231);
/// Boxes drawn by the reader.
pub(crate) const BOX_READER: Color32 = rgb(86, 180, 233);
/// Boxes computed from evidence.
pub(crate) const BOX_PREDICTED: Color32 = rgb(240, 228, 66);
/// Where readers would probably box a finding, learned from their boxes.
pub(crate) const BOX_LEARNED: Color32 = rgb(226, 150, 240);
/// Orientation letters and corner texts on the image.
pub(crate) const ON_IMAGE: Color32 = rgb(226, 219, 188);

/// Lines and values that the reader measured.
pub(crate) const MEASUREMENT: Color32 = rgb(255, 214, 102);
/// Where the other planes cross.
pub(crate) const CROSSHAIR: Color32 = rgb(120, 200, 120);

/// The colors around the image; on the image, which is dark in every theme, the constants above apply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Palette {
    /// Behind panels.
    pub panel: Color32,
    /// Behind menus, pop-ups and raised parts of a panel.
    pub raised: Color32,
    /// Behind buttons at rest.
    pub button: Color32,
    /// Behind buttons under the pointer.
    pub button_hovered: Color32,
    /// Behind text fields.
    pub field: Color32,
    /// Lines between parts.
    pub line: Color32,
    /// Ordinary text.
    pub text: Color32,
    /// Text that matters most.
    pub text_strong: Color32,
    /// Text that explains.
    pub text_weak: Color32,
    /// What is selected or active.
    pub accent: Color32,
    /// Fill of what is selected.
    pub accent_dim: Color32,
    /// Something to be careful about.
    pub warning: Color32,
    /// Something failed.
    pub error: Color32,
    /// Something is well.
    pub good: Color32,
    /// Fill behind a warning.
    pub warning_fill: Color32,
    /// Fill behind an error.
    pub error_fill: Color32,
    /// Fill behind good news.
    pub good_fill: Color32,
    /// Severity from normal to worst: lightness goes one way all along, so the scale reads without seeing hue.
    severity: [Color32; 5],
    /// Severity above which text on the fill takes the other lightness.
    severity_turn: f32,
    /// Text on fills below and above [`Self::severity_turn`].
    severity_text: [Color32; 2],
}

/// Colors for a dark room.
pub(crate) static DARK: Palette = Palette {
    panel: PANEL,
    raised: RAISED,
    button: rgb(43, 49, 57),
    button_hovered: rgb(55, 63, 73),
    field: rgb(13, 15, 18),
    line: LINE,
    text: rgb(208, 213, 219),
    text_strong: TEXT_STRONG,
    text_weak: TEXT_WEAK,
    accent: ACCENT,
    accent_dim: ACCENT_DIM,
    warning: WARNING,
    error: rgb(242, 128, 116),
    good: rgb(126, 208, 178),
    warning_fill: rgb(58, 48, 26),
    error_fill: rgb(66, 33, 31),
    good_fill: rgb(24, 52, 46),
    severity: [rgb(38, 43, 50), rgb(74, 64, 42), rgb(128, 92, 34), rgb(198, 128, 38), rgb(250, 178, 74)],
    severity_turn: 0.6,
    severity_text: [TEXT_STRONG, rgb(20, 20, 20)],
};

/// Colors for a bright room.
pub(crate) static LIGHT: Palette = Palette {
    panel: rgb(244, 245, 247),
    raised: rgb(255, 255, 255),
    button: rgb(225, 229, 234),
    button_hovered: rgb(212, 218, 225),
    field: rgb(233, 237, 241),
    line: rgb(203, 209, 216),
    text: rgb(45, 51, 58),
    text_strong: rgb(12, 15, 19),
    text_weak: rgb(92, 101, 112),
    accent: rgb(18, 97, 160),
    accent_dim: rgb(194, 222, 245),
    warning: rgb(138, 88, 0),
    error: rgb(176, 40, 28),
    good: rgb(12, 112, 82),
    warning_fill: rgb(255, 241, 204),
    error_fill: rgb(253, 224, 220),
    good_fill: rgb(212, 241, 230),
    severity: [rgb(232, 235, 239), rgb(246, 221, 168), rgb(234, 172, 82), rgb(186, 101, 14), rgb(122, 52, 4)],
    severity_turn: 0.7,
    severity_text: [rgb(12, 15, 19), rgb(255, 255, 255)],
};

/// The colors in force.
#[must_use]
pub(crate) fn of(ui: &egui::Ui) -> &'static Palette {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

impl Palette {
    /// Fill of a grade cell; `severity` runs from 0 (normal) to 1 (worst).
    #[must_use]
    pub(crate) fn severity_fill(&self, severity: f32) -> Color32 {
        let place = severity.clamp(0.0, 1.0) * (self.severity.len() - 1) as f32;
        let lower = (place as usize).min(self.severity.len() - 2);
        self.severity[lower].lerp_to_gamma(self.severity[lower + 1], place - lower as f32)
    }

    /// Text color that reads well on [`Self::severity_fill`].
    #[must_use]
    pub(crate) fn severity_text(&self, severity: f32) -> Color32 {
        self.severity_text[usize::from(severity > self.severity_turn)]
    }
}

/// Color from sRGB parts between 0 and 1, for legends of color maps that live elsewhere.
#[must_use]
pub(crate) fn from_unit_rgb(parts: [f32; 3]) -> Color32 {
    let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0).round() as u8;
    rgb(byte(parts[0]), byte(parts[1]), byte(parts[2]))
}

/// Dark backing under text that lies on the image.
#[must_use]
pub(crate) fn text_shadow() -> Color32 {
    Color32::from_black_alpha(200)
}

/// Dark backing of a whole name on the image, through which the tissue is still seen.
#[must_use]
pub(crate) fn name_backing() -> Color32 {
    Color32::from_black_alpha(130)
}

/// Font of labels painted on the image.
#[must_use]
pub(crate) fn image_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Applies the look to a context, once at the start.
pub fn install(ctx: &egui::Context) {
    ctx.set_theme(Theme::Dark);
    for (theme, palette, base) in [(Theme::Dark, &DARK, Visuals::dark()), (Theme::Light, &LIGHT, Visuals::light())] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(palette, base);
            style.spacing.item_spacing = vec2(8.0, 5.0);
            style.spacing.button_padding = vec2(8.0, 3.0);
            style.spacing.interact_size.y = 22.0;
            style.spacing.slider_width = 120.0;
            // A list that is cut off shows its bar without being pointed at; nothing moves when it appears.
            style.spacing.scroll = ScrollStyle { dormant_handle_opacity: 0.6, ..ScrollStyle::floating() };
            style.interaction.selectable_labels = false;
            style.interaction.tooltip_delay = 0.4;
            let proportional = |size| FontId::new(size, FontFamily::Proportional);
            style.text_styles.insert(TextStyle::Small, proportional(11.0));
            style.text_styles.insert(TextStyle::Body, proportional(13.5));
            style.text_styles.insert(TextStyle::Button, proportional(13.5));
            style.text_styles.insert(TextStyle::Heading, proportional(16.0));
            style.text_styles.insert(TextStyle::Monospace, FontId::new(12.5, FontFamily::Monospace));
        });
    }
}

/// Chooses between the light and the dark colors.
pub(crate) fn set_light(ctx: &egui::Context, is_light: bool) {
    ctx.set_theme(if is_light { Theme::Light } else { Theme::Dark });
}

fn visuals(palette: &Palette, base: Visuals) -> Visuals {
    let mut visuals = base;
    visuals.panel_fill = palette.panel;
    visuals.window_fill = palette.raised;
    visuals.window_stroke = Stroke::new(1.0, palette.line);
    visuals.extreme_bg_color = palette.field;
    visuals.faint_bg_color = palette.panel.lerp_to_gamma(palette.raised, 0.5);
    visuals.weak_text_color = Some(palette.text_weak);
    visuals.warn_fg_color = palette.warning;
    visuals.error_fg_color = palette.error;
    visuals.hyperlink_color = palette.accent;
    visuals.selection.bg_fill = palette.accent_dim;
    visuals.selection.stroke = Stroke::new(1.0, palette.text_strong);
    visuals.slider_trailing_fill = true;
    let widgets = &mut visuals.widgets;
    widgets.noninteractive.bg_fill = palette.panel;
    widgets.noninteractive.weak_bg_fill = palette.panel;
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, palette.line);
    widgets.noninteractive.fg_stroke = Stroke::new(1.0, palette.text);
    let states = [
        (&mut widgets.inactive, palette.button, palette.text),
        (&mut widgets.hovered, palette.button_hovered, palette.text_strong),
        (&mut widgets.active, palette.accent_dim, palette.text_strong),
        (&mut widgets.open, palette.button_hovered, palette.text_strong),
    ];
    for (state, fill, text) in states {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::NONE;
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = CornerRadius::same(4);
        state.expansion = 0.0;
    }
    // Pressed, or with the keyboard: where the keyboard is must be seen.
    widgets.active.bg_stroke = Stroke::new(1.5, palette.accent);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: Color32) -> f32 {
        let linear = |byte: u8| (f32::from(byte) / 255.0).powf(2.2);
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_is_readable_on_everything_it_stands_on() {
        for palette in [&DARK, &LIGHT] {
            let Palette { text, text_strong, text_weak, warning, error, accent, good, .. } = *palette;
            for background in [palette.panel, palette.raised] {
                for text in [text, text_strong, text_weak, warning, error, accent, good] {
                    assert!(contrast(text, background) >= 4.5, "{text:?} on {background:?}");
                }
            }
            for text in [text, text_strong, text_weak] {
                assert!(contrast(text, palette.field) >= 4.5, "{text:?} in a field");
            }
            assert!(contrast(palette.field, palette.raised) > 1.15, "a field is seen as one");
            for (text, fill) in
                [(warning, palette.warning_fill), (error, palette.error_fill), (good, palette.good_fill)]
            {
                assert!(contrast(text, fill) >= 4.5, "{text:?} on {fill:?}");
            }
            for step in 0..=20 {
                let severity = step as f32 / 20.0;
                let ratio = contrast(palette.severity_text(severity), palette.severity_fill(severity));
                assert!(ratio >= 4.0, "severity {severity}: {ratio}");
            }
        }
    }

    #[test]
    fn severity_goes_one_way_in_lightness() {
        let steps = |palette: &Palette| -> Vec<f32> {
            (0..=20).map(|step| luminance(palette.severity_fill(step as f32 / 20.0))).collect()
        };
        assert!(steps(&DARK).windows(2).all(|pair| pair[1] > pair[0]));
        assert!(steps(&LIGHT).windows(2).all(|pair| pair[1] < pair[0]));
    }
}
