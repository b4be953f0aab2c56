//! Discs and vertebral bodies as masks, filled from their corners.

use glam::DVec2;

use crate::spine::{Corners, Disc, DiscLevel, Vertebra, VertebraLabel};

/// A structure of the spine, marked on the slices of the scan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StructureMask {
    pub structure: Structure,
    /// Slices, ascending, each with one value for each pixel, row by row.
    pub slices: Vec<(usize, Vec<bool>)>,
}

/// What can be marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Structure {
    /// A vertebral body.
    Vertebra(VertebraLabel),
    Disc(DiscLevel),
}

impl Structure {
    #[must_use]
    pub(crate) fn label(self) -> String {
        match self {
            Self::Vertebra(label) => label.to_string(),
            Self::Disc(level) => level.to_string(),
        }
    }
}

/// Masks of all bodies and discs: the quadrilateral of a body, and the one between the corners that face a disc, on
/// every slice from a structure's first outline to its last. S1 is left out: only its upper endplate is known.
#[must_use]
pub(crate) fn structure_masks(
    vertebrae: &[Vertebra],
    discs: &[Disc],
    rows: usize,
    columns: usize,
) -> Vec<StructureMask> {
    let mut masks = Vec::new();
    for vertebra in vertebrae.iter().filter(|vertebra| vertebra.label != VertebraLabel::S1) {
        let corners = |slice: usize| vertebra.corners_at(slice as f64);
        masks.push((Structure::Vertebra(vertebra.label), filled(extent(vertebra), corners, rows, columns)));
    }
    for disc in discs {
        let (first, last) = (extent(&disc.upper), extent(&disc.lower));
        let common = first.0.max(last.0)..first.1.min(last.1);
        let corners = |slice: usize| disc_outline(disc, slice);
        masks.push((Structure::Disc(disc.level), filled((common.start, common.end), corners, rows, columns)));
    }
    let is_seen = |(structure, slices): (Structure, Vec<(usize, Vec<bool>)>)| {
        (!slices.is_empty()).then_some(StructureMask { structure, slices })
    };
    masks.into_iter().filter_map(is_seen).collect()
}

/// The quadrilateral between the corners that face a disc, where both bodies have an outline.
#[must_use]
pub(crate) fn disc_outline(disc: &Disc, slice: usize) -> Option<Corners> {
    let (upper, lower) = (disc.upper.corners_at(slice as f64)?, disc.lower.corners_at(slice as f64)?);
    Some(Corners::from_array([upper.ia, upper.ip, lower.sp, lower.sa]))
}

/// First slice with an outline and the one behind the last.
fn extent(vertebra: &Vertebra) -> (usize, usize) {
    let slices = || vertebra.outlines.iter().map(|outline| outline.slice);
    (slices().min().unwrap_or_default(), slices().max().map_or(0, |last| last + 1))
}

fn filled(
    (first, end): (usize, usize),
    corners: impl Fn(usize) -> Option<Corners>,
    rows: usize,
    columns: usize,
) -> Vec<(usize, Vec<bool>)> {
    (first..end)
        .filter_map(|slice| {
            let mask = fill(&corners(slice)?, rows, columns);
            mask.contains(&true).then_some((slice, mask))
        })
        .collect()
}

/// The pixels whose centers lie inside a quadrilateral.
fn fill(corners: &Corners, rows: usize, columns: usize) -> Vec<bool> {
    let mut mask = vec![false; rows * columns];
    let points = corners.as_array();
    let low = points.iter().fold(DVec2::INFINITY, |low, point| low.min(*point)).max(DVec2::ZERO);
    let high = points.iter().fold(DVec2::NEG_INFINITY, |high, point| high.max(*point)).max(DVec2::ZERO);
    for row in low.y.ceil() as usize..rows.min(high.y as usize + 1) {
        for column in low.x.ceil() as usize..columns.min(high.x as usize + 1) {
            mask[row * columns + column] = corners.contains(DVec2::new(column as f64, row as f64));
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{VertebraOutline, discs_between};

    #[test]
    fn bodies_and_the_disc_between_them_are_filled_where_they_are_seen() {
        let body = |label, top: f64, slices: std::ops::Range<usize>| {
            let at = DVec2::new;
            let corners =
                Corners { sa: at(1.5, top), sp: at(5.5, top), ip: at(5.5, top + 3.0), ia: at(1.5, top + 3.0) };
            Vertebra {
                label,
                confidence: 1.0,
                outlines: slices.map(|slice| VertebraOutline { slice, corners }).collect(),
            }
        };
        let vertebrae = [body(VertebraLabel::L5, 0.5, 1..4), body(VertebraLabel::S1, 5.5, 2..5)];
        let masks = structure_masks(&vertebrae, &discs_between(&vertebrae), 12, 8);
        let names: Vec<String> = masks.iter().map(|mask| mask.structure.label()).collect();
        assert_eq!(names, ["L5", "L5-S1"], "S1 is known by its endplate only");
        let slices = |index: usize| masks[index].slices.iter().map(|(slice, _)| *slice).collect::<Vec<_>>();
        assert_eq!((slices(0), slices(1)), (vec![1, 2, 3], vec![2, 3]));
        let marked = |index: usize| masks[index].slices[0].1.iter().filter(|inside| **inside).count();
        assert_eq!((marked(0), marked(1)), (4 * 3, 4 * 2), "pixel centers inside");
        assert!(masks[1].slices[0].1[4 * 8 + 2] && !masks[1].slices[0].1[3 * 8 + 2]);
    }
}
