//! Pictures of series before they are opened: small ones for the list and a larger one of the series that will be read,
//! decoded on a thread of their own so that nothing waits for them.

use std::sync::Arc;

use eframe::egui;

use crate::dicom::{Series, SeriesSummary, load_series};
use crate::picture::{ImageFromScreen, SliceLook, SliceScene};
use crate::task::CancelToken;
use crate::volume::{Volume, VolumeGeometry, WindowLevel};
use crate::worker::{Handle, JobContext, JobError, Notice, Work};

/// Side of a small picture, pixels.
const SIDE: u32 = 96;
/// Longer side of the larger picture, pixels.
const PREVIEW_SIDE: f64 = 640.0;

/// The worker that makes the pictures.
pub(crate) type ThumbnailHandle = Handle<Thumbnails>;

/// What to make pictures of.
pub(crate) struct ThumbnailRequest {
    /// Small ones.
    pub series: Vec<Arc<SeriesSummary>>,
    /// A larger one, made first.
    pub preview: Option<Arc<SeriesSummary>>,
}

/// A picture is there, or the job has ended.
pub(crate) enum ThumbnailEvent {
    /// Of the series at this place.
    Made(usize, egui::ColorImage),
    /// The larger one.
    Preview(egui::ColorImage),
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
pub(crate) struct Thumbnails;

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
        ThumbnailRequest { series, preview }: ThumbnailRequest,
        job: &JobContext<ThumbnailEvent>,
    ) -> Result<ThumbnailEvent, JobError> {
        if let Some(image) = preview.and_then(|summary| preview_of(&summary, job.cancel())) {
            job.emit(ThumbnailEvent::Preview(image)).map_err(JobError::failed)?;
        }
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
    let series = middle_slice(summary, cancel)?;
    let window = WindowLevel::from_percentiles(series.volume.voxels());
    Some(drawn(&series.volume, window, [SIDE; 2]))
}

/// The middle slice of a series in its own proportions and window, as the series will look when it is loaded.
fn preview_of(summary: &SeriesSummary, cancel: &CancelToken) -> Option<egui::ColorImage> {
    let series = middle_slice(summary, cancel)?;
    let volume = &series.volume;
    let window = series.window.unwrap_or_else(|| WindowLevel::from_percentiles(volume.voxels()));
    let size = glam::DVec2::new(volume.columns() as f64, volume.rows() as f64) * volume.geometry().pixel_size_mm();
    let [width, height] = (size * (PREVIEW_SIDE / size.max_element())).to_array();
    Some(drawn(volume, window, [width.round().max(1.0) as u32, height.round().max(1.0) as u32]))
}

fn middle_slice(summary: &SeriesSummary, cancel: &CancelToken) -> Option<Series> {
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
    load_series(&single, cancel, &mut |_| ()).ok()
}

fn drawn(volume: &Volume, window: WindowLevel, [width, height]: [u32; 2]) -> egui::ColorImage {
    let size = glam::DVec2::new(f64::from(width), f64::from(height));
    let pixel_size = volume.geometry().pixel_size_mm();
    let fitted = ImageFromScreen::fit(volume.columns(), volume.rows(), pixel_size, glam::DVec2::ZERO, size);
    let picture = SliceScene::new(&fitted, SliceLook::new(window)).draw(volume, 0, None, width, height);
    egui::ColorImage::from_rgb([width as usize, height as usize], picture.as_raw())
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
        let preview = preview_of(&scan.series[0], &cancel).expect("a picture");
        let longest = preview.size.into_iter().max();
        assert_eq!(longest, Some(640), "{:?}", preview.size);
        let mut broken = scan.series[0].clone();
        broken.instances.clear();
        assert!(picture_of(&broken, &cancel).is_none());
    }
}
