//! Small pictures of every series for the list, decoded on a thread of their own so that grading does not wait for them.

use std::sync::Arc;

use eframe::egui;

use crate::dicom::{SeriesSummary, load_series};
use crate::picture::{ImageFromScreen, SliceLook, SliceScene};
use crate::task::CancelToken;
use crate::volume::{VolumeGeometry, WindowLevel};
use crate::worker::{Handle, JobContext, JobError, Notice, Work};

/// Side of a picture, pixels.
const SIDE: u32 = 96;

/// The worker that makes the pictures.
pub type ThumbnailHandle = Handle<Thumbnails>;

/// The series to make pictures of.
pub struct ThumbnailRequest(pub Vec<Arc<SeriesSummary>>);

/// A picture is there, or the job has ended.
pub enum ThumbnailEvent {
    /// Of the series at this place.
    Made(usize, egui::ColorImage),
    /// All are made, or it stopped.
    Ended,
}

impl From<Notice> for ThumbnailEvent {
    fn from(_notice: Notice) -> Self {
        // A series without a picture is not worth a message: opening it says what is wrong with it.
        Self::Ended
    }
}

/// Decodes the middle slice of each series.
pub struct Thumbnails;

impl Work for Thumbnails {
    type Command = ThumbnailRequest;
    type Kind = ();
    type Event = ThumbnailEvent;

    fn kind(_command: &ThumbnailRequest) {}

    fn supersedes((): (), (): ()) -> bool {
        true
    }

    fn run(
        &mut self,
        ThumbnailRequest(series): ThumbnailRequest,
        job: &JobContext<ThumbnailEvent>,
    ) -> Result<ThumbnailEvent, JobError> {
        for (index, summary) in series.iter().enumerate() {
            if let Some(image) = picture_of(summary, job.cancel()) {
                job.emit(ThumbnailEvent::Made(index, image)).map_err(JobError::failed)?;
            }
        }
        Ok(ThumbnailEvent::Ended)
    }

    fn reset(&mut self) {}
}

/// The middle slice of a series, fitted into a square; `None` where it cannot be decoded.
fn picture_of(summary: &SeriesSummary, cancel: &CancelToken) -> Option<egui::ColorImage> {
    let middle = summary.slices / 2;
    let stack = &summary.geometry;
    let geometry = VolumeGeometry::new(
        vec![*stack.slice_origins_lps().get(middle)?],
        stack.column_direction(),
        stack.row_direction(),
        stack.row_spacing_mm(),
        stack.column_spacing_mm(),
    );
    let instances = vec![summary.instances.get(middle)?.clone()];
    let single = SeriesSummary { slices: 1, instances, geometry: geometry.ok()?, ..summary.clone() };
    let series = load_series(&single, cancel, &mut |_| ()).ok()?;
    let volume = &series.volume;
    let look = SliceLook::new(WindowLevel::from_percentiles(volume.voxels()));
    let size = glam::DVec2::splat(f64::from(SIDE));
    let pixel_size = volume.geometry().pixel_size_mm();
    let fitted = ImageFromScreen::fit(volume.columns(), volume.rows(), pixel_size, glam::DVec2::ZERO, size);
    let picture = SliceScene::new(&fitted, look).draw(volume, 0, None, SIDE, SIDE);
    Some(egui::ColorImage::from_rgb([SIDE as usize, SIDE as usize], picture.as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::scan_folder;
    use crate::pipeline::prepare_demo;

    #[test]
    fn a_picture_shows_the_middle_of_a_series() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cancel = CancelToken::default();
        let study = prepare_demo(Some(folder.path()), 3, &cancel, &mut |_| ()).expect("a study");
        let scan = scan_folder(study.folder(), &cancel, &mut |_| ()).expect("readable");
        let image = picture_of(&scan.series[0], &cancel).expect("a picture");
        let middle = image.pixels[(SIDE * SIDE / 2 + SIDE / 2) as usize];
        let brightest = image.pixels.iter().map(egui::Color32::r).max();
        assert!(brightest > Some(200) && middle.r() == middle.g(), "gray, with a full range");
        let mut broken = scan.series[0].clone();
        broken.instances.clear();
        assert!(picture_of(&broken, &cancel).is_none());
    }
}
