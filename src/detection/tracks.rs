//! Follows each body from slice to slice.

use glam::DVec2;

use super::decode::{Candidate, Kind};
use crate::spine::VertebraLabel;

/// A body does not move further than this between neighbouring slices, mm (oblique stacks and scoliosis included).
const LARGEST_STEP_MM: f64 = 8.0;

/// Slices a track may miss.
const LARGEST_GAP: usize = 2;

/// One slice's candidate in millimeters of the stack's standard plane (posterior, inferior).
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    /// Position of the slice in the list of looked-at slices.
    pub order: usize,
    /// What was seen, positions in mm of the standard plane.
    pub candidate: Candidate,
}

/// The same body on several slices.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    /// Body or sacrum.
    pub kind: Kind,
    /// Ascending by slice.
    pub sightings: Vec<Sighting>,
}

impl Track {
    /// Sum of the sightings' probabilities.
    #[must_use]
    pub(super) fn weight(&self) -> f64 {
        self.sightings.iter().map(|sighting| f64::from(sighting.candidate.score)).sum()
    }

    /// Weighted mean over the sightings.
    fn mean(&self, value: impl Fn(&Candidate) -> DVec2) -> DVec2 {
        let sum: DVec2 = self.sightings.iter().map(|s| value(&s.candidate) * f64::from(s.candidate.score)).sum();
        sum / self.weight()
    }

    /// Center, mm of the standard plane.
    #[must_use]
    pub(super) fn center(&self) -> DVec2 {
        self.mean(|candidate| candidate.center)
    }

    /// Corners SA, SP, IP, IA, mm of the standard plane.
    #[must_use]
    pub(super) fn corners(&self) -> [DVec2; 4] {
        std::array::from_fn(|corner| self.mean(|candidate| candidate.corners[corner]))
    }

    /// Mean log-probability of each level.
    #[must_use]
    pub(crate) fn log_labels(&self) -> [f64; VertebraLabel::ALL.len()] {
        std::array::from_fn(|label| {
            let weighted = |s: &Sighting| f64::from(s.candidate.log_labels[label] * s.candidate.score);
            self.sightings.iter().map(weighted).sum::<f64>() / self.weight()
        })
    }

    /// Mean probability of the best half of the sightings: how sure the network is where the body is seen best.
    #[must_use]
    pub(crate) fn best_score(&self) -> f64 {
        let mut scores: Vec<f64> = self.sightings.iter().map(|s| f64::from(s.candidate.score)).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let count = scores.len().div_ceil(2);
        scores[..count].iter().sum::<f64>() / count as f64
    }
}

/// Links the candidates of all looked-at slices (in order) into tracks: from the strongest candidate outwards, always
/// to the nearest one of the same kind. Each candidate belongs to one track.
#[must_use]
pub(crate) fn link(slices: Vec<Vec<Candidate>>) -> Vec<Track> {
    let mut free: Vec<Vec<Option<Candidate>>> =
        slices.into_iter().map(|candidates| candidates.into_iter().map(Some).collect()).collect();
    let mut tracks = Vec::new();
    while let Some((order, index)) = strongest(&free) {
        let Some(seed) = free[order][index].take() else { break };
        let (kind, start) = (seed.kind, seed.center);
        let mut sightings = vec![Sighting { order, candidate: seed }];
        let upward: Vec<usize> = (order + 1..free.len()).collect();
        let downward: Vec<usize> = (0..order).rev().collect();
        for direction in [upward, downward] {
            follow(&mut free, kind, start, &direction, &mut sightings);
        }
        sightings.sort_by_key(|sighting| sighting.order);
        tracks.push(Track { kind, sightings });
    }
    tracks
}

fn strongest(free: &[Vec<Option<Candidate>>]) -> Option<(usize, usize)> {
    let all = free.iter().enumerate().flat_map(|(order, slice)| {
        slice.iter().enumerate().filter_map(move |(index, slot)| Some((slot.as_ref()?.score, order, index)))
    });
    all.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)))
        .map(|(_, order, index)| (order, index))
}

fn follow(
    free: &mut [Vec<Option<Candidate>>],
    kind: Kind,
    start: DVec2,
    direction: &[usize],
    sightings: &mut Vec<Sighting>,
) {
    let (mut last, mut missed) = (start, 0);
    for &order in direction {
        let near = free[order]
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| Some((slot.as_ref().filter(|c| c.kind == kind)?.center.distance(last), index)))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        match near {
            Some((distance, index)) if distance < LARGEST_STEP_MM => {
                if let Some(candidate) = free[order][index].take() {
                    last = candidate.center;
                    missed = 0;
                    sightings.push(Sighting { order, candidate });
                }
            }
            _ => {
                missed += 1;
                if missed > LARGEST_GAP {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(y: f64, score: f32) -> Candidate {
        let center = DVec2::new(100.0, y);
        Candidate {
            kind: Kind::Body,
            score,
            center,
            corners: [center; 4],
            endplate_above: None,
            log_labels: [-2.4; 11],
        }
    }

    #[test]
    fn bodies_that_drift_across_slices_stay_themselves() {
        let slices = (0..6).map(|i| vec![seen(50.0 + 4.0 * f64::from(i), 0.9), seen(85.0 + 4.0 * f64::from(i), 0.8)]);
        let tracks = link(slices.collect());
        assert_eq!(tracks.len(), 2);
        assert!(tracks.iter().all(|track| track.sightings.len() == 6));
        assert!((tracks[0].center().y - 60.0).abs() < 1e-9);
    }

    #[test]
    fn a_missed_slice_does_not_break_a_track_but_a_wide_gap_does() {
        let mut slices: Vec<Vec<Candidate>> = (0..9).map(|_| vec![seen(50.0, 0.9)]).collect();
        slices[1].clear();
        assert_eq!(link(slices.clone()).len(), 1);
        slices[4].clear();
        slices[5].clear();
        slices[6].clear();
        assert_eq!(link(slices).len(), 2);
    }
}
