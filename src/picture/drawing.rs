//! A finished figure: pictures under lines and letters, as pixels, SVG or PDF.

use std::fmt::Write as _;
use std::io::{self, Cursor};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{Rgb, RgbImage, imageops};
use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{Path as PdfPath, PathBuilder, Size, Transform};
use krilla::image::Image;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, LineCap, LineJoin, Stroke as PdfStroke};
use vello_cpu::color::AlphaColor;
use vello_cpu::kurbo::{BezPath, Cap, Join, PathEl, Stroke};
use vello_cpu::{Pixmap, RenderContext, Resources};

use super::canvas::{Ink, PAPER};
use super::{PictureError, write_png};
use crate::files::write_whole;

/// Points of a PDF to a pixel: a sheet of 2,000 pixels is about as wide as A4 is long.
const POINTS_PER_PIXEL: f32 = 0.4;

/// A finished figure.
#[derive(Debug, Clone)]
pub(crate) struct Drawing {
    width: u16,
    height: u16,
    /// Pictures with their corners.
    pub(super) pictures: Vec<(RgbImage, [u32; 2])>,
    /// What lies above them, in order.
    pub(super) marks: Vec<Mark>,
}

/// A filled or stroked path.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) path: BezPath,
    /// Of the stroke; `None` fills.
    pub(super) width: Option<f64>,
    pub(super) ink: Ink,
}

impl Drawing {
    /// An empty sheet of paper.
    pub(super) fn new(width: u16, height: u16) -> Self {
        Self { width, height, pictures: Vec::new(), marks: Vec::new() }
    }

    /// Width in pixels.
    #[must_use]
    pub(crate) fn width(&self) -> u32 {
        self.width.into()
    }

    /// Height in pixels.
    #[must_use]
    pub(crate) fn height(&self) -> u32 {
        self.height.into()
    }

    /// The figure as pixels.
    #[must_use]
    pub(crate) fn raster(&self) -> RgbImage {
        let mut picture = RgbImage::from_pixel(self.width(), self.height(), Rgb(PAPER));
        for (part, [x, y]) in &self.pictures {
            imageops::replace(&mut picture, part, i64::from(*x), i64::from(*y));
        }
        let mut shapes = RenderContext::new(self.width, self.height);
        for Mark { path, width, ink: Ink([red, green, blue, alpha]) } in &self.marks {
            shapes.set_paint(AlphaColor::from_rgba8(*red, *green, *blue, *alpha));
            match width {
                None => shapes.fill_path(path),
                Some(width) => {
                    shapes.set_stroke(Stroke::new(*width).with_join(Join::Round).with_caps(Cap::Round));
                    shapes.stroke_path(path);
                }
            }
        }
        let mut layer = Pixmap::new(self.width, self.height);
        shapes.flush();
        shapes.render(&mut layer, &mut Resources::new());
        for (pixel, over) in picture.pixels_mut().zip(layer.data()) {
            let rest = 255 - u16::from(over.a);
            let mix = |below: u8, above: u8| (u16::from(above) + (u16::from(below) * rest + 127) / 255).min(255) as u8;
            *pixel = Rgb([mix(pixel.0[0], over.r), mix(pixel.0[1], over.g), mix(pixel.0[2], over.b)]);
        }
        picture
    }

    /// The figure as SVG; letters are outlines, pictures are embedded.
    ///
    /// # Panics
    /// Never: text and pictures are written to memory.
    #[must_use]
    pub(crate) fn svg(&self) -> String {
        let (width, height) = (self.width, self.height);
        let [red, green, blue] = PAPER;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#{red:02x}{green:02x}{blue:02x}\"/>\n"
        );
        for (part, [x, y]) in &self.pictures {
            let mut png = Vec::new();
            part.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).expect("written to memory");
            let (width, height, png) = (part.width(), part.height(), BASE64.encode(png));
            let place = format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
            writeln!(text, "<image {place} href=\"data:image/png;base64,{png}\"/>").expect("written to memory");
        }
        for Mark { path, width, ink: Ink([red, green, blue, alpha]) } in &self.marks {
            let path = svg_path(path);
            let (color, opacity) = (format!("#{red:02x}{green:02x}{blue:02x}"), f32::from(*alpha) / 255.0);
            match width {
                None => writeln!(text, "<path d=\"{path}\" fill=\"{color}\" fill-opacity=\"{opacity:.3}\"/>"),
                Some(width) => writeln!(
                    text,
                    "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-opacity=\"{opacity:.3}\" \
                     stroke-width=\"{width:.2}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
                ),
            }
            .expect("written to memory");
        }
        text + "</svg>\n"
    }

    /// The figure as a PDF of one page. The same figure gives the same bytes.
    ///
    /// # Errors
    /// If the document cannot be put together.
    pub(crate) fn pdf(&self) -> io::Result<Vec<u8>> {
        let failed = || io::Error::other("the PDF cannot be put together");
        let [width, height] = [self.width, self.height].map(|side| f32::from(side) * POINTS_PER_PIXEL);
        let mut document = Document::new();
        let mut page = document.start_page_with(PageSettings::from_wh(width, height).ok_or_else(failed)?);
        let mut surface = page.surface();
        surface.push_transform(&Transform::from_scale(POINTS_PER_PIXEL, POINTS_PER_PIXEL));
        for (part, [x, y]) in &self.pictures {
            let pixels = part.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], 255]).collect();
            let size = Size::from_wh(part.width() as f32, part.height() as f32).ok_or_else(failed)?;
            surface.push_transform(&Transform::from_translate(*x as f32, *y as f32));
            surface.draw_image(Image::from_rgba8(pixels, part.width(), part.height()), size);
            surface.pop();
        }
        for Mark { path, width, ink: Ink([red, green, blue, alpha]) } in &self.marks {
            let Some(path) = pdf_path(path) else { continue };
            let paint = rgb::Color::new(*red, *green, *blue);
            let opacity = NormalizedF32::new(f32::from(*alpha) / 255.0).unwrap_or(NormalizedF32::ONE);
            surface.set_fill(width.is_none().then(|| Fill { paint: paint.into(), opacity, ..Fill::default() }));
            surface.set_stroke(width.map(|width| PdfStroke {
                paint: paint.into(),
                width: width as f32,
                opacity,
                line_cap: LineCap::Round,
                line_join: LineJoin::Round,
                ..PdfStroke::default()
            }));
            surface.draw_path(&path);
        }
        surface.pop();
        surface.finish();
        page.finish();
        document.finish().map_err(|error| io::Error::other(format!("{error:?}")))
    }

    /// Writes the figure as PNG, SVG or PDF by the ending of the name; PNG where it has another.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), PictureError> {
        let failed =
            |source: io::Error| PictureError { source: image::ImageError::IoError(source), path: path.to_owned() };
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => write_whole(path, self.svg().as_bytes()).map_err(failed),
            Some("pdf") => self.pdf().and_then(|bytes| write_whole(path, &bytes)).map_err(failed),
            _ => write_png(&self.raster(), path),
        }
    }
}

/// A path in SVG's words, to a hundredth of a pixel.
fn svg_path(path: &BezPath) -> String {
    let mut text = String::new();
    for element in path.elements() {
        let (word, points) = match element {
            PathEl::MoveTo(to) => ("M", vec![to]),
            PathEl::LineTo(to) => ("L", vec![to]),
            PathEl::QuadTo(control, to) => ("Q", vec![control, to]),
            PathEl::CurveTo(first, second, to) => ("C", vec![first, second, to]),
            PathEl::ClosePath => ("Z", Vec::new()),
        };
        text.push_str(word);
        let numbers = points.iter().map(|point| format!("{:.2} {:.2}", point.x, point.y)).collect::<Vec<_>>();
        text.push_str(&numbers.join(" "));
    }
    text
}

/// The path for a PDF; `None` for one without a segment.
fn pdf_path(path: &BezPath) -> Option<PdfPath> {
    let mut builder = PathBuilder::new();
    for element in path.elements() {
        match element {
            PathEl::MoveTo(to) => builder.move_to(to.x as f32, to.y as f32),
            PathEl::LineTo(to) => builder.line_to(to.x as f32, to.y as f32),
            PathEl::QuadTo(control, to) => {
                builder.quad_to(control.x as f32, control.y as f32, to.x as f32, to.y as f32);
            }
            PathEl::CurveTo(first, second, to) => {
                let [first, second] = [first, second].map(|point| (point.x as f32, point.y as f32));
                builder.cubic_to(first.0, first.1, second.0, second.1, to.x as f32, to.y as f32);
            }
            PathEl::ClosePath => builder.close(),
        }
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::canvas::{Canvas, TextStyle};
    use glam::DVec2;

    fn drawing() -> Drawing {
        let mut canvas = Canvas::new(120, 60);
        canvas.place(&RgbImage::from_pixel(20, 20, Rgb([0, 0, 200])), 10, 5);
        canvas.line(DVec2::new(0.0, 50.0), DVec2::new(120.0, 50.0), 2.0, Ink([255, 0, 0, 128]));
        canvas.text(DVec2::new(50.0, 30.0), TextStyle::new(20.0, Ink::TEXT), "L4-L5");
        canvas.into_drawing()
    }

    #[test]
    fn a_drawing_is_the_same_as_pixels_vectors_and_pages() {
        let drawing = drawing();
        assert_eq!(drawing.raster().dimensions(), (120, 60));
        assert_eq!(drawing.raster().get_pixel(15, 10).0, [0, 0, 200]);
        let svg = drawing.svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("<image x=\"10\" y=\"5\" width=\"20\" height=\"20\" href=\"data:image/png;base64,iVBOR"));
        assert!(
            svg.contains("d=\"M0.00 50.00L120.00 50.00\" fill=\"none\" stroke=\"#ff0000\" stroke-opacity=\"0.502\"")
        );
        assert_eq!(svg.matches("<path").count(), 2, "the line and the text");
        let pdf = drawing.pdf().expect("whole");
        assert!(pdf.starts_with(b"%PDF-") && pdf == drawing.pdf().expect("whole"));
    }

    #[test]
    fn the_ending_of_the_name_decides_the_format() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, start) in [("a.svg", &b"<svg"[..]), ("a.pdf", b"%PDF"), ("a.png", b"\x89PNG")] {
            let path = folder.path().join(name);
            drawing().write(&path).expect("written");
            assert!(std::fs::read(&path).expect("readable").starts_with(start), "{name}");
        }
        assert!(drawing().write(&folder.path().join("none/a.svg")).is_err());
    }
}
