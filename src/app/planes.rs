//! The views beside the slice: planes through the crosshair and the selected disc, made anew when they move.

use std::sync::Arc;

use super::{Command, Event, Viewer};
use crate::spine::{Disc, DiscFrame};
use crate::ui::state::{PlaneImage, ViewLayout};
use crate::volume::SectionAxis;
use crate::worker::Work;

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Brings the planes up to date with layout, series and crosshair; does nothing where they are.
    pub(super) fn follow_crosshair(&mut self) {
        let [row, column] = self.state.crosshair();
        for (index, (axis, at)) in SectionAxis::ALL.into_iter().zip([row, column]).enumerate() {
            let wanted = self.state.loaded().filter(|_| self.state.shows_plane(axis)).cloned();
            let Some(series) = wanted else {
                self.state.reading.planes[index] = None;
                continue;
            };
            // Whole rows and columns: nothing between them is seen.
            let at = at.round();
            if self.state.reading.planes[index].as_ref().is_some_and(|plane| plane.at == at) {
                continue;
            }
            self.state.reading.planes[index] = series.volume.section(axis, at).map(|section| PlaneImage {
                texture: self.renderer.as_ref().and_then(|renderer| renderer.upload_series(&section.volume).ok()),
                section: Arc::new(section),
                at,
            });
        }
    }

    /// Brings the frame of the selected disc up to date; does nothing where it is.
    pub(super) fn follow_disc(&mut self) {
        let state = &mut self.state;
        let shown = state.reading.selection.filter(|_| state.view.layout == ViewLayout::Disc);
        let disc = shown.and_then(|selection| state.disc(selection.level)).cloned();
        if disc != self.reading.framed_disc {
            let volume = state.loaded().map(|series| Arc::clone(&series.volume));
            // A map of the disc was computed in its frame, which takes milliseconds to find on a large series.
            let maps = &self.reading.finished_maps;
            let frame = |disc: &Disc| {
                let of_map = maps.iter().find(|(_, map)| map.level == disc.level).map(|(_, map)| map.frame.clone());
                of_map.or_else(|| DiscFrame::of_disc(volume.as_ref()?, disc).ok())
            };
            state.reading.disc_frame = disc.as_ref().and_then(frame);
            self.reading.framed_disc = disc;
        }
    }
}
