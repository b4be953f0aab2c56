//! Colors and text sizes of the window: the only place that writes a color as numbers.

use eframe::egui::{self, Color32, CornerRadius, FontFamily, FontId, Stroke, TextStyle, Theme, Visuals, vec2};

/// Opaque color from its sRGB bytes.
#[allow(clippy::disallowed_methods, reason = "the one place that makes colors from numbers")]
const fn rgb(red: u8, green: u8, blue: u8) -> Color32 {
    Color32::from_rgb(red, green, blue)
}

/// Behind the image.
pub const IMAGE_BACKGROUND: Color32 = Color32::BLACK;
/// Behind panels.
pub const PANEL: Color32 = rgb(22, 25, 29);
/// Behind menus, pop-ups and raised parts of a panel.
pub const RAISED: Color32 = rgb(31, 35, 41);
/// Behind buttons at rest.
pub const BUTTON: Color32 = rgb(43, 49, 57);
/// Behind buttons under the pointer.
pub const BUTTON_HOVERED: Color32 = rgb(55, 63, 73);
/// Lines between parts.
pub const LINE: Color32 = rgb(48, 54, 62);
/// Ordinary text.
pub const TEXT: Color32 = rgb(208, 213, 219);
/// Text that matters most.
pub const TEXT_STRONG: Color32 = rgb(243, 245, 247);
/// Text that explains; still above 4.5:1 on [`PANEL`].
pub const TEXT_WEAK: Color32 = rgb(150, 159, 170);
/// Dark text on bright cells.
pub const TEXT_ON_BRIGHT: Color32 = rgb(20, 20, 20);
/// What is selected or active.
pub const ACCENT: Color32 = rgb(102, 178, 238);
/// Fill of what is selected.
pub const ACCENT_DIM: Color32 = rgb(36, 66, 92);
/// Something to be careful about.
pub const WARNING: Color32 = rgb(232, 184, 84);
/// Something failed.
pub const ERROR: Color32 = rgb(242, 128, 116);
/// Fill behind a warning.
pub const WARNING_FILL: Color32 = rgb(58, 48, 26);
/// Fill behind an error.
pub const ERROR_FILL: Color32 = rgb(66, 33, 31);
/// Outlines and names of vertebral bodies.
pub const VERTEBRA: Color32 = rgb(126, 208, 178);
/// Names of discs.
pub const DISC: Color32 = rgb(222, 226, 231);
/// Boxes drawn by the reader.
pub const BOX_READER: Color32 = rgb(86, 180, 233);
/// Boxes computed from evidence.
pub const BOX_PREDICTED: Color32 = rgb(240, 228, 66);
/// Orientation letters and corner texts on the image.
pub const ON_IMAGE: Color32 = rgb(226, 219, 188);

/// Severity from normal to worst: lightness rises all the way, so the scale reads without seeing hue.
const SEVERITY: [Color32; 5] =
    [rgb(38, 43, 50), rgb(74, 64, 42), rgb(128, 92, 34), rgb(198, 128, 38), rgb(250, 178, 74)];

/// Fill of a grade cell; `severity` runs from 0 (normal) to 1 (worst).
#[must_use]
pub fn severity_fill(severity: f32) -> Color32 {
    let place = severity.clamp(0.0, 1.0) * (SEVERITY.len() - 1) as f32;
    let lower = (place as usize).min(SEVERITY.len() - 2);
    SEVERITY[lower].lerp_to_gamma(SEVERITY[lower + 1], place - lower as f32)
}

/// Text color that reads well on [`severity_fill`].
#[must_use]
pub fn severity_text(severity: f32) -> Color32 {
    if severity > 0.6 { TEXT_ON_BRIGHT } else { TEXT_STRONG }
}

/// Color from sRGB parts between 0 and 1, for legends of color maps that live elsewhere.
#[must_use]
pub fn from_unit_rgb(parts: [f32; 3]) -> Color32 {
    let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0).round() as u8;
    rgb(byte(parts[0]), byte(parts[1]), byte(parts[2]))
}

/// Dark backing under text that lies on the image.
#[must_use]
pub fn text_shadow() -> Color32 {
    Color32::from_black_alpha(200)
}

/// Dark backing of a whole name on the image, through which the tissue is still seen.
#[must_use]
pub fn name_backing() -> Color32 {
    Color32::from_black_alpha(130)
}

/// Font of labels painted on the image.
#[must_use]
pub fn image_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Applies the look to a context, once at the start.
pub fn install(ctx: &egui::Context) {
    ctx.set_theme(Theme::Dark);
    ctx.style_mut_of(Theme::Dark, |style| {
        style.visuals = visuals();
        style.spacing.item_spacing = vec2(8.0, 5.0);
        style.spacing.button_padding = vec2(8.0, 3.0);
        style.spacing.interact_size.y = 22.0;
        style.spacing.slider_width = 120.0;
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

fn visuals() -> Visuals {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = PANEL;
    visuals.window_fill = RAISED;
    visuals.window_stroke = Stroke::new(1.0, LINE);
    visuals.extreme_bg_color = rgb(13, 15, 18);
    visuals.faint_bg_color = rgb(27, 31, 36);
    visuals.weak_text_color = Some(TEXT_WEAK);
    visuals.warn_fg_color = WARNING;
    visuals.error_fg_color = ERROR;
    visuals.hyperlink_color = ACCENT;
    visuals.selection.bg_fill = ACCENT_DIM;
    visuals.selection.stroke = Stroke::new(1.0, TEXT_STRONG);
    visuals.slider_trailing_fill = true;
    let widgets = &mut visuals.widgets;
    widgets.noninteractive.bg_fill = PANEL;
    widgets.noninteractive.weak_bg_fill = PANEL;
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, LINE);
    widgets.noninteractive.fg_stroke = Stroke::new(1.0, TEXT);
    let states = [
        (&mut widgets.inactive, BUTTON, TEXT),
        (&mut widgets.hovered, BUTTON_HOVERED, TEXT_STRONG),
        (&mut widgets.active, ACCENT_DIM, TEXT_STRONG),
        (&mut widgets.open, BUTTON_HOVERED, TEXT_STRONG),
    ];
    for (state, fill, text) in states {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::NONE;
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = CornerRadius::same(4);
        state.expansion = 0.0;
    }
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
        for background in [PANEL, RAISED] {
            for text in [TEXT, TEXT_STRONG, TEXT_WEAK, WARNING, ERROR, ACCENT] {
                assert!(contrast(text, background) >= 4.5, "{text:?} on {background:?}");
            }
        }
        for step in 0..=20 {
            let severity = step as f32 / 20.0;
            let ratio = contrast(severity_text(severity), severity_fill(severity));
            assert!(ratio >= 4.0, "severity {severity}: {ratio}");
        }
    }

    #[test]
    fn severity_gets_lighter_all_the_way() {
        let steps: Vec<f32> = (0..=20).map(|step| luminance(severity_fill(step as f32 / 20.0))).collect();
        assert!(steps.windows(2).all(|pair| pair[1] > pair[0]));
    }
}
