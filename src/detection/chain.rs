//! Chooses the spine among the tracks and names its levels.
//!
//! A spine is a chain of bodies from above downwards that may end in the sacrum. Its evidence is the sum of what the
//! network says of each body (that it is one, and which level) and of how plausible each step between neighbours is.
//! The best chain is found by dynamic programming over (track, level), and so is the probability of each level of
//! each body: the share of all chains, weighted by their evidence, that name it so.

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
/// The evidence is divided by this where it is read as the logarithm of odds: what the network says of the bodies of one
/// spine is far from independent.
const TEMPERATURE: f64 = 2.0;
/// Steps less plausible than this are impossible.
const LARGEST_STEP_COST: f64 = 8.0;

/// A track with its level.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Link {
    /// Index of the track.
    pub track: usize,
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

/// The spine among the tracks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Chain {
    /// The bodies, from above downwards; empty if there is nothing to chain.
    pub links: Vec<Link>,
    /// Probability that the same bodies should have names further up, or down.
    pub shifted: [f64; 2],
}

/// The chain with the most evidence.
#[must_use]
pub(super) fn fit(tracks: &[Track]) -> Chain {
    let heaviest = tracks.iter().filter(|track| track.kind == Kind::Body).map(Track::weight).fold(0.0, f64::max);
    if heaviest <= 0.0 {
        return Chain::default();
    }
    let lattice = Lattice::new(tracks.iter().map(|track| Node::new(track, heaviest)).collect());
    let chain = lattice.best_chain();
    let probabilities = lattice.probabilities();
    let link = |&(track, label): &(usize, usize)| Link {
        track,
        label: VertebraLabel::ALL[label],
        confidence: probabilities[track][label],
    };
    // S1 is a kind of its own and cannot be named otherwise; the bodies tell.
    let bodies: Vec<(usize, usize)> = chain.iter().copied().filter(|(_, label)| *label != SACRUM).collect();
    let mean = |labels: fn(usize) -> std::ops::Range<usize>| {
        let probability = |&(track, label): &(usize, usize)| probabilities[track][labels(label)].iter().sum::<f64>();
        bodies.iter().map(probability).sum::<f64>() / bodies.len().max(1) as f64
    };
    let shifted = [mean(|label| 0..label), mean(|label| label + 1..SACRUM)];
    Chain { links: chain.iter().map(link).collect(), shifted }
}

/// What each pair of track and label says of itself, and of following another one.
struct Lattice {
    nodes: Vec<Node>,
    /// Tracks from above downwards.
    order: Vec<usize>,
}

/// A value per track and label.
type PerState<T> = Vec<[T; LABELS]>;

impl Lattice {
    fn new(nodes: Vec<Node>) -> Self {
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by(|a, b| nodes[*a].center.y.total_cmp(&nodes[*b].center.y));
        Self { nodes, order }
    }

    /// Calls `visit` for each possible step, with the place of the lower state in [`Self::order`] ascending: (upper
    /// track, its label), (lower track, its label), cost.
    fn steps_to(&self, rank: usize, label: usize, mut visit: impl FnMut(usize, usize, f64)) {
        let lower = &self.nodes[self.order[rank]];
        for &upper in &self.order[..rank] {
            for levels in 1..=2.min(label) {
                if let Some(cost) = step_cost(&self.nodes[upper], lower, levels) {
                    visit(upper, label - levels, cost);
                }
            }
        }
    }

    /// The labels a track may have.
    fn labels(&self, track: usize) -> impl Iterator<Item = usize> + '_ {
        (0..LABELS).filter(move |label| self.nodes[track].may_be(*label))
    }

    /// (track, label) of the chain with the most evidence, from above downwards.
    fn best_chain(&self) -> Vec<(usize, usize)> {
        // Evidence of the best chain that ends in a state, and the state before it.
        let mut best: PerState<_> = vec![[(f64::NEG_INFINITY, None::<(usize, usize)>); LABELS]; self.nodes.len()];
        for (rank, &lower) in self.order.iter().enumerate() {
            for label in self.labels(lower) {
                let own = self.nodes[lower].evidence(label);
                let mut entry = (own, None);
                self.steps_to(rank, label, |upper, from, cost| {
                    let total = best[upper][from].0 - cost + own;
                    if total > entry.0 {
                        entry = (total, Some((upper, from)));
                    }
                });
                best[lower][label] = entry;
            }
        }
        let ends = (0..self.nodes.len()).flat_map(|track| self.labels(track).map(move |label| (track, label)));
        let mut at = ends.max_by(|a, b| best[a.0][a.1].0.total_cmp(&best[b.0][b.1].0));
        let mut chain = Vec::new();
        while let Some((track, label)) = at {
            chain.push((track, label));
            at = best[track][label].1;
        }
        chain.reverse();
        chain
    }

    /// Probability of each state to be part of the spine, were chains drawn with odds `exp(evidence / TEMPERATURE)`:
    /// sums over all chains through a state (the forward-backward algorithm).
    fn probabilities(&self) -> PerState<f64> {
        // Logarithm of the sum over all chains that end in a state, and over all ways to go on from it.
        let mut above: PerState<f64> = vec![[f64::NEG_INFINITY; LABELS]; self.nodes.len()];
        let mut below: PerState<f64> = vec![[f64::NEG_INFINITY; LABELS]; self.nodes.len()];
        let own = |track: usize, label: usize| self.nodes[track].evidence(label) / TEMPERATURE;
        for (rank, &lower) in self.order.iter().enumerate() {
            for label in self.labels(lower) {
                let mut before = 0.0;
                self.steps_to(rank, label, |upper, from, cost| {
                    before = log_sum(before, above[upper][from] - cost / TEMPERATURE);
                });
                above[lower][label] = before + own(lower, label);
            }
        }
        for (rank, &lower) in self.order.iter().enumerate().rev() {
            for label in self.labels(lower) {
                // All ways on from here are known: they come from further down.
                let on = log_sum(below[lower][label], 0.0);
                below[lower][label] = on;
                let through = on + own(lower, label);
                self.steps_to(rank, label, |upper, from, cost| {
                    below[upper][from] = log_sum(below[upper][from], through - cost / TEMPERATURE);
                });
            }
        }
        let all = above.iter().flatten().copied().fold(f64::NEG_INFINITY, log_sum);
        let probability = |(above, below): (&[f64; LABELS], &[f64; LABELS])| {
            std::array::from_fn(|label| (above[label] + below[label] - all).exp())
        };
        above.iter().zip(&below).map(probability).collect()
    }
}

/// ln(eᵃ + eᵇ).
fn log_sum(a: f64, b: f64) -> f64 {
    let (larger, smaller) = if a > b { (a, b) } else { (b, a) };
    if larger == f64::NEG_INFINITY { larger } else { larger + (smaller - larger).exp().ln_1p() }
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
        fit(tracks).links.into_iter().map(|link| link.label).collect()
    }

    #[test]
    fn a_clean_spine_is_named_from_the_sacrum_up() {
        assert_eq!(labels(&spine()), [L1, L2, L3, L4, L5, S1]);
        assert!(fit(&spine()).links.iter().all(|link| link.confidence > 0.8));
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
        let chain = fit(&tracks);
        assert!(chain.links[..4].iter().all(|link| link.confidence < 0.9), "{chain:?}");
        assert!(chain.shifted[0] > 0.1 && chain.shifted[1] < 0.01, "{:?}", chain.shifted);
        assert!(fit(&spine()).shifted.iter().all(|probability| *probability < 0.05));
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
        assert!(fit(&tracks).links.iter().all(|link| link.track < 6));
        assert!(labels(&[]).is_empty());
    }
}
