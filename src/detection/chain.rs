//! Chooses the spine among the tracks and names its levels.
//!
//! A spine is a chain of bodies from above downwards that may end in the sacrum. Its evidence is the sum of what the
//! network says of each body (that it is one, and which level) and of how plausible each step between neighbours is.
//! The best chain is found by dynamic programming over (track, level).

use glam::DVec2;

use super::decode::Kind;
use super::tracks::Track;
use crate::spine::VertebraLabel;

const LABELS: usize = VertebraLabel::ALL.len();
const SACRUM: usize = LABELS - 1;

/// Evidence of a body of full strength; one of `BREAK_EVEN` strength adds nothing.
const PRESENCE_WEIGHT: f64 = 6.0;
const BREAK_EVEN: f64 = 0.25;
/// Evidence of the sacrum counts more: it decides all levels.
const SACRUM_WEIGHT: f64 = 2.0;
/// Weight of the network's log-probability of the level, and the least it may be.
const LABEL_WEIGHT: f64 = 0.35;
const LEAST_LOG_LABEL: f64 = -5.0;
/// Distance between neighbouring centers over the mean height of the two bodies, and its standard deviation.
const USUAL_SPACING: f64 = 1.33;
const SPACING_DEVIATION: f64 = 0.22;
/// Distance from the lowest body's center to the upper endplate of S1 over the height of that body.
const USUAL_SACRUM_SPACING: f64 = 0.85;
const SACRUM_SPACING_DEVIATION: f64 = 0.2;
/// Angle between the line of two centers and the mean of their own axes, radians.
const ANGLE_DEVIATION: f64 = 0.3;
/// Cost of a body that must be there but was not found.
const GAP_COST: f64 = 3.0;
/// Steps less plausible than this are impossible.
const LARGEST_STEP_COST: f64 = 8.0;

/// A track with its level.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Index of the track.
    pub track: usize,
    /// Level.
    pub label: VertebraLabel,
    /// Probability that the body exists and the level is right.
    pub confidence: f64,
}

/// What the chain fit knows of a track.
struct Node {
    kind: Kind,
    center: DVec2,
    /// Unit vector along the body from superior to inferior.
    axis: DVec2,
    height: f64,
    presence: f64,
    log_labels: [f64; LABELS],
}

impl Node {
    fn new(track: &Track, heaviest: f64) -> Self {
        let [sa, sp, ip, ia] = track.corners();
        let along = (ia + ip) / 2.0 - (sa + sp) / 2.0;
        let (axis, height) = match track.kind {
            Kind::Body => (along.normalize_or(DVec2::Y), along.length()),
            Kind::Sacrum => ((sp - sa).perp().normalize_or(DVec2::Y), 0.0),
        };
        // A body seen on few of the slices that show the spine is less likely to be one.
        let coverage = (track.weight() / heaviest).min(1.0).sqrt();
        let log_labels = track.log_labels().map(|log| log.max(LEAST_LOG_LABEL));
        Self {
            kind: track.kind,
            center: track.center(),
            axis,
            height,
            presence: track.best_score() * coverage,
            log_labels,
        }
    }

    fn evidence(&self, label: usize) -> f64 {
        let weight = if self.kind == Kind::Sacrum { SACRUM_WEIGHT } else { 1.0 };
        weight * PRESENCE_WEIGHT * (self.presence - BREAK_EVEN) + LABEL_WEIGHT * self.log_labels[label]
    }

    fn may_be(&self, label: usize) -> bool {
        (self.kind == Kind::Sacrum) == (label == SACRUM)
    }
}

/// Cost of `lower` following `upper`, `levels` places further down; `None` if impossible.
fn step_cost(upper: &Node, lower: &Node, levels: usize) -> Option<f64> {
    let between = lower.center - upper.center;
    let (usual, deviation, axis) = match lower.kind {
        Kind::Body => {
            let height = f64::midpoint(upper.height, lower.height);
            (USUAL_SPACING * height * levels as f64, SPACING_DEVIATION * height, upper.axis + lower.axis)
        }
        Kind::Sacrum => {
            let skipped = USUAL_SPACING * (levels - 1) as f64;
            let usual = (USUAL_SACRUM_SPACING + skipped) * upper.height;
            (usual, SACRUM_SPACING_DEVIATION * upper.height, upper.axis)
        }
    };
    if usual <= 0.0 || deviation <= 0.0 {
        return None;
    }
    let spread = (levels as f64).sqrt();
    let spacing = (between.length() - usual) / (deviation * spread);
    let angle = between.angle_to(axis) / (ANGLE_DEVIATION * spread);
    let cost = 0.5 * (spacing * spacing + angle * angle) + GAP_COST * (levels - 1) as f64;
    (between.y > 0.0 && cost < LARGEST_STEP_COST).then_some(cost)
}

/// The chain with the most evidence, from above downwards; empty if there is nothing to chain.
#[must_use]
pub fn fit(tracks: &[Track]) -> Vec<Link> {
    let heaviest = tracks.iter().filter(|track| track.kind == Kind::Body).map(Track::weight).fold(0.0, f64::max);
    if heaviest <= 0.0 {
        return Vec::new();
    }
    let nodes: Vec<Node> = tracks.iter().map(|track| Node::new(track, heaviest)).collect();
    let chain = best_chain(&nodes);
    let levels = level_probability(&nodes, &chain);
    chain
        .into_iter()
        .map(|(track, label)| {
            let confidence = nodes[track].presence.clamp(0.0, 1.0) * levels;
            Link { track, label: VertebraLabel::ALL[label], confidence }
        })
        .collect()
}

/// (track, level) of the best chain, from above downwards.
fn best_chain(nodes: &[Node]) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by(|a, b| nodes[*a].center.y.total_cmp(&nodes[*b].center.y));
    // best[track][level]: evidence of the best chain that ends there, and where it came from.
    let mut best = vec![[(f64::NEG_INFINITY, None::<(usize, usize)>); LABELS]; nodes.len()];
    for (rank, &lower) in order.iter().enumerate() {
        for label in (0..LABELS).filter(|label| nodes[lower].may_be(*label)) {
            let own = nodes[lower].evidence(label);
            let mut entry = (own, None);
            for &upper in &order[..rank] {
                for levels in 1..=2.min(label) {
                    let from = label - levels;
                    let Some(cost) = step_cost(&nodes[upper], &nodes[lower], levels) else { continue };
                    let total = best[upper][from].0 - cost + own;
                    if total > entry.0 {
                        entry = (total, Some((upper, from)));
                    }
                }
            }
            best[lower][label] = entry;
        }
    }
    let ends = (0..nodes.len()).flat_map(|track| (0..LABELS).map(move |label| (track, label)));
    let mut at = ends.max_by(|a, b| best[a.0][a.1].0.total_cmp(&best[b.0][b.1].0));
    let mut chain = Vec::new();
    while let Some((track, label)) = at {
        if best[track][label].0 == f64::NEG_INFINITY {
            break;
        }
        chain.push((track, label));
        at = best[track][label].1;
    }
    chain.reverse();
    chain
}

/// Probability that the chain's levels are right rather than all shifted by one or two places. The bodies' votes are
/// far from independent (one look at the sacrum decides them all), so together they count as a few, not as many.
fn level_probability(nodes: &[Node], chain: &[(usize, usize)]) -> f64 {
    let votes = (chain.len() as f64).sqrt();
    let evidence = |shift: isize| -> f64 {
        let sum: f64 = chain
            .iter()
            .map(|(track, label)| {
                let shifted = label.checked_add_signed(shift).filter(|label| *label < LABELS);
                shifted.map_or(LEAST_LOG_LABEL, |label| nodes[*track].log_labels[label])
            })
            .sum();
        sum / chain.len().max(1) as f64 * votes
    };
    let own = evidence(0);
    1.0 / (-2..=2).map(|shift| (evidence(shift) - own).exp()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::decode::Candidate;
    use crate::detection::tracks::Sighting;
    use crate::spine::VertebraLabel::{L1, L2, L3, L4, L5, S1, T12};

    /// A square body of 26 mm (or the sacrum's endplate) at height `y`; `guess` is the level the network favors.
    fn track(kind: Kind, y: f64, score: f32, guess: VertebraLabel) -> Track {
        let center = DVec2::new(100.0, y);
        let at = |x, y| center + DVec2::new(x, y);
        let corners = match kind {
            Kind::Body => [at(-13.0, -13.0), at(13.0, -13.0), at(13.0, 13.0), at(-13.0, 13.0)],
            Kind::Sacrum => [at(-15.0, 0.0), at(15.0, 0.0), at(15.0, 20.0), at(-15.0, 20.0)],
        };
        let mut log_labels = [-3.5f32; LABELS];
        log_labels[guess.index()] = -0.4;
        let candidate = Candidate { kind, score, center, corners, endplate_above: None, log_labels };
        Track { kind, sightings: vec![Sighting { order: 0, candidate }] }
    }

    /// L1 to S1, 35 mm apart.
    fn spine() -> Vec<Track> {
        let mut tracks: Vec<Track> = [L1, L2, L3, L4, L5]
            .into_iter()
            .enumerate()
            .map(|(index, label)| track(Kind::Body, 35.0 * index as f64, 0.9, label))
            .collect();
        tracks.push(track(Kind::Sacrum, 35.0 * 4.0 + 22.0, 0.9, S1));
        tracks
    }

    fn labels(tracks: &[Track]) -> Vec<VertebraLabel> {
        fit(tracks).into_iter().map(|link| link.label).collect()
    }

    #[test]
    fn a_clean_spine_is_named_from_the_sacrum_up() {
        assert_eq!(labels(&spine()), [L1, L2, L3, L4, L5, S1]);
        assert!(fit(&spine()).iter().all(|link| link.confidence > 0.8));
    }

    #[test]
    fn a_missing_body_leaves_a_hole() {
        let mut tracks = spine();
        tracks.remove(2);
        assert_eq!(labels(&tracks), [L1, L2, L4, L5, S1]);
    }

    #[test]
    fn the_sacrum_overrules_wrong_votes_of_the_bodies() {
        let mut tracks: Vec<Track> = [T12, L1, L2, L3]
            .into_iter()
            .enumerate()
            .map(|(index, wrong)| track(Kind::Body, 35.0 * index as f64, 0.9, wrong))
            .collect();
        tracks.push(track(Kind::Sacrum, 35.0 * 3.0 + 22.0, 0.9, S1));
        assert_eq!(labels(&tracks), [L2, L3, L4, L5, S1]);
        // All four bodies vote against it, and that shows.
        assert!(fit(&tracks).iter().all(|link| link.confidence < 0.5));
    }

    #[test]
    fn without_a_sacrum_the_votes_decide() {
        let mut tracks = spine();
        tracks.pop();
        assert_eq!(labels(&tracks), [L1, L2, L3, L4, L5]);
    }

    #[test]
    fn stray_peaks_off_the_spine_are_left_out() {
        let mut tracks = spine();
        let mut stray = track(Kind::Body, 52.0, 0.6, L3);
        stray.sightings[0].candidate.center.x += 60.0;
        tracks.push(stray);
        let mut second_sacrum = track(Kind::Sacrum, 35.0 * 4.0 + 50.0, 0.5, S1);
        second_sacrum.sightings[0].candidate.center.x += 20.0;
        tracks.push(second_sacrum);
        assert_eq!(labels(&tracks), [L1, L2, L3, L4, L5, S1]);
        assert!(fit(&tracks).iter().all(|link| link.track < 6));
        assert!(labels(&[]).is_empty());
    }
}
