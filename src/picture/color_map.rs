//! Color maps for evidence, made from formulas in a perceptual color space.
//!
//! Each map is a curve in Oklab (Ottosson 2020, "A perceptual color space for image processing") along which lightness
//! only grows, so it reads the same in gray and for color-blind readers; its table takes equal steps of Oklab distance.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Entries of a color table.
pub(crate) const COLOR_ENTRIES: usize = 256;

/// Which colors stand for weak and strong evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColorMap {
    /// Dark violet over red and orange to pale yellow.
    #[default]
    Ember,
    /// Dark blue over teal and green to light yellow.
    Lagoon,
    /// Dark blue over gray to yellow: safest for red-green blindness.
    Dusk,
}

impl ColorMap {
    /// All maps.
    pub const ALL: [Self; 3] = [Self::Ember, Self::Lagoon, Self::Dusk];

    /// Position in [`Self::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Name on screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ember => "Ember",
            Self::Lagoon => "Lagoon",
            Self::Dusk => "Dusk",
        }
    }

    /// The colors from weakest to strongest, sRGB with values 0 to 1.
    #[must_use]
    pub fn table(self) -> &'static [[f32; 3]; COLOR_ENTRIES] {
        static TABLES: LazyLock<[[[f32; 3]; COLOR_ENTRIES]; 3]> =
            LazyLock::new(|| ColorMap::ALL.map(|map| equal_steps(|s| map.curve(s))));
        &TABLES[self.index()]
    }

    /// The color at `strength` 0 to 1 (clamped), sRGB with values 0 to 1; linear between table entries.
    #[must_use]
    pub(crate) fn color(self, strength: f32) -> [f32; 3] {
        let place = strength.clamp(0.0, 1.0) * (COLOR_ENTRIES - 1) as f32;
        let below = place.floor();
        let (from, to) = (below as usize, (below as usize + 1).min(COLOR_ENTRIES - 1));
        let (from, to) = (self.table()[from], self.table()[to]);
        std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * (place - below))
    }

    /// The map's curve in Oklab, `s` from 0 to 1.
    fn curve(self, s: f64) -> [f64; 3] {
        let between = |from: f64, to: f64| from + (to - from) * s;
        let bump = (s * std::f64::consts::PI).sin();
        match self {
            Self::Ember => polar(between(0.17, 0.965), 0.055 + 0.155 * bump, between(285.0, 467.0)),
            Self::Lagoon => polar(between(0.24, 0.94), 0.085 + 0.065 * bump + 0.045 * s, between(292.0, 107.0)),
            Self::Dusk => {
                let (from, to) = (polar(0.25, 0.10, 262.0), polar(0.94, 0.15, 103.0));
                std::array::from_fn(|channel| between(from[channel], to[channel]))
            }
        }
    }
}

/// Oklab of lightness, chroma and hue in degrees.
fn polar(lightness: f64, chroma: f64, hue: f64) -> [f64; 3] {
    let (sin, cos) = hue.to_radians().sin_cos();
    [lightness, chroma * cos, chroma * sin]
}

/// A table that follows `curve` in steps of equal Oklab distance.
fn equal_steps(curve: impl Fn(f64) -> [f64; 3]) -> [[f32; 3]; COLOR_ENTRIES] {
    const FINE: usize = 16_384;
    let points: Vec<[f64; 3]> = (0..=FINE).map(|index| into_gamut(curve(index as f64 / FINE as f64))).collect();
    let mut lengths = vec![0.0];
    for pair in points.windows(2) {
        lengths.push(lengths[lengths.len() - 1] + distance(pair[0], pair[1]));
    }
    let total = lengths[FINE];
    std::array::from_fn(|entry| {
        let target = total * entry as f64 / (COLOR_ENTRIES - 1) as f64;
        let point = lengths.partition_point(|length| *length < target).min(FINE);
        srgb_from_linear(linear_from_oklab(points[point])).map(|channel| channel.clamp(0.0, 1.0) as f32)
    })
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// The color itself, or one of the same lightness and hue with just so little chroma that a screen can show it.
fn into_gamut([lightness, a, b]: [f64; 3]) -> [f64; 3] {
    let shrunk = |share: f64| [lightness, a * share, b * share];
    let shown = |share: f64| linear_from_oklab(shrunk(share)).iter().all(|channel| (-1e-9..=1.0).contains(channel));
    if shown(1.0) {
        return shrunk(1.0);
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..30 {
        let middle = f64::midpoint(low, high);
        if shown(middle) { low = middle } else { high = middle }
    }
    shrunk(low)
}

/// Linear sRGB of an Oklab color; the matrices are those of the color space's definition.
fn linear_from_oklab([lightness, a, b]: [f64; 3]) -> [f64; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ]
}

/// The sRGB transfer curve (IEC 61966-2-1).
fn srgb_from_linear(linear: [f64; 3]) -> [f64; 3] {
    linear.map(|channel| if channel <= 0.003_130_8 { 12.92 * channel } else { 1.055 * channel.powf(1.0 / 2.4) - 0.055 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear_from_srgb(color: [f32; 3]) -> [f64; 3] {
        color.map(|channel| {
            let channel = f64::from(channel);
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// Oklab by its forward definition, which the tables were not made with.
    fn oklab(color: [f32; 3]) -> [f64; 3] {
        let [r, g, b] = linear_from_srgb(color);
        let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        [
            0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
            1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
            0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
        ]
    }

    #[test]
    fn lightness_only_grows_and_steps_are_equal() {
        for map in ColorMap::ALL {
            let colors: Vec<[f64; 3]> = map.table().iter().map(|color| oklab(*color)).collect();
            let steps: Vec<f64> = colors.windows(2).map(|pair| distance(pair[0], pair[1])).collect();
            let mean = steps.iter().sum::<f64>() / steps.len() as f64;
            assert!(colors.windows(2).all(|pair| pair[1][0] > pair[0][0]), "{map:?} gets darker somewhere");
            assert!(steps.iter().all(|step| (step / mean - 1.0).abs() < 0.1), "{map:?} has uneven steps");
            assert!(colors[255][0] - colors[0][0] > 0.6, "{map:?} spans too little lightness");
        }
    }

    /// Luminance is what every reader sees, color-blind or not: it alone must tell a tenth of the map apart.
    #[test]
    fn luminance_alone_tells_the_steps_apart() {
        for map in ColorMap::ALL {
            let seen: Vec<f64> = map
                .table()
                .iter()
                .map(|color| {
                    let [r, g, b] = linear_from_srgb(*color);
                    0.2126 * r + 0.7152 * g + 0.0722 * b
                })
                .map(f64::cbrt)
                .collect();
            for index in 0..COLOR_ENTRIES - 26 {
                assert!(seen[index + 26] - seen[index] > 0.04, "{map:?} is flat near {index}");
            }
        }
    }

    #[test]
    fn colors_between_entries_are_interpolated_and_ends_clamped() {
        let map = ColorMap::Ember;
        assert_eq!(map.color(-3.0), map.table()[0]);
        assert_eq!(map.color(2.0), map.table()[255]);
        let (a, b) = (map.table()[100], map.table()[101]);
        assert!((map.color(100.5 / 255.0)[0] - f32::midpoint(a[0], b[0])).abs() < 1e-5);
    }
}
