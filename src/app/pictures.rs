//! The image as it is shown, on the clipboard or as PNG: what the reader sees, without who the patient is.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use eframe::egui::{self, ColorImage, Rect};
use image::RgbImage;

use super::{Command, Event, Viewer};
use crate::picture::captioned;
use crate::ui::language::tr;
use crate::ui::state::{AnnotationLevel, BannerKind, PathPurpose};
use crate::worker::Work;

/// Where a picture goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PictureTarget {
    Clipboard,
    /// Into a PNG file.
    File(PathBuf),
}

/// A picture that the next frame will give.
pub(super) struct AwaitedPicture {
    target: PictureTarget,
    /// What to show again afterwards.
    annotations: AnnotationLevel,
    /// Comes with the frame after the one in which it is asked for; `None` until it was asked for.
    shot: Option<Receiver<Arc<ColorImage>>>,
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Asks where to save the picture.
    pub(super) fn ask_for_image_file(&mut self) {
        if self.state.loaded().is_some() {
            self.open_dialog(PathPurpose::SaveImage);
        }
    }

    /// Takes a picture of the next frame, in which the texts that name the patient are left out.
    pub(super) fn picture(&mut self, ctx: &egui::Context, target: PictureTarget) {
        if self.state.loaded().is_none() || self.awaited_picture.is_some() {
            return;
        }
        let annotations = self.state.view.annotations;
        if annotations == AnnotationLevel::All {
            self.state.view.annotations = AnnotationLevel::Minimal;
        }
        // Asked for when the next frame begins, so that no frame with the texts can be meant.
        self.awaited_picture = Some(AwaitedPicture { target, annotations, shot: None });
        ctx.request_repaint();
    }

    /// Hands the picture on once it is there.
    pub(super) fn take_picture(&mut self, ctx: &egui::Context) {
        let Some(awaited) = &mut self.awaited_picture else { return };
        let Some(shot) = &awaited.shot else {
            let (sender, shot) = bounded(1);
            awaited.shot = Some(shot);
            let wake = Arc::clone(&self.wake);
            ctx.request_screenshot(move |image| {
                // The window may have been closed meanwhile.
                let _ = sender.send(image);
                wake();
            });
            return;
        };
        let Ok(image) = shot.try_recv() else { return };
        let Some(AwaitedPicture { target, annotations, .. }) = self.awaited_picture.take() else { return };
        self.state.view.annotations = annotations;
        let (Some(area), Some(series)) = (self.state.view.viewport, self.state.loaded()) else { return };
        let place = format!("Slice {} of {}", self.state.view.slice + 1, series.volume.slices());
        let picture = captioned(&cut(&image, area, ctx.pixels_per_point()), &place);
        match target {
            PictureTarget::Clipboard => {
                let size = [picture.width() as usize, picture.height() as usize];
                ctx.copy_image(ColorImage::from_rgb(size, picture.as_raw()));
                self.tell(
                    BannerKind::Done,
                    tr!("The image is on the clipboard, without the patient's name.").to_owned(),
                );
            }
            PictureTarget::File(file) => {
                let file = if file.extension().is_none() { file.with_extension("png") } else { file };
                self.submit(Command::SavePicture { picture: Arc::new(picture), file });
            }
        }
    }
}

/// The part of a picture of the window that shows the slice, `area` being in points.
fn cut(image: &ColorImage, area: Rect, pixels_per_point: f32) -> RgbImage {
    let [width, height] = image.size;
    let at = |points: f32, limit: usize| ((points * pixels_per_point).round().max(0.0) as usize).min(limit);
    let (left, right) = (at(area.min.x, width), at(area.max.x, width));
    let (top, bottom) = (at(area.min.y, height), at(area.max.y, height));
    RgbImage::from_fn((right - left) as u32, (bottom - top) as u32, |x, y| {
        let pixel = image.pixels[(top + y as usize) * width + left + x as usize];
        image::Rgb([pixel.r(), pixel.g(), pixel.b()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{Color32, pos2};

    #[test]
    fn the_slice_is_cut_out_of_the_window() {
        let mut image = ColorImage::filled([20, 10], Color32::BLACK);
        image.pixels[4 * 20 + 6] = Color32::WHITE;
        let picture = cut(&image, Rect::from_min_max(pos2(3.0, 2.0), pos2(9.0, 4.0)), 2.0);
        assert_eq!((picture.width(), picture.height()), (12, 4));
        assert_eq!(picture.get_pixel(0, 0).0, [255; 3]);
        let all = cut(&image, Rect::from_min_max(pos2(-5.0, 0.0), pos2(90.0, 40.0)), 1.0);
        assert_eq!((all.width(), all.height()), (20, 10), "no more than there is");
    }
}
