//! The overlap that a box reaches which never looks at the image: always where other patients have theirs.

use std::collections::BTreeMap;

/// Boxes of one finding by slice of its disc volume, each as four numbers in a frame that all discs share.
pub(crate) type PlacedBoxes = BTreeMap<usize, [f64; 4]>;

/// The slices that at least half of the findings have a box on, ascending.
#[must_use]
pub(crate) fn usual_slices(findings: &[&PlacedBoxes]) -> Vec<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for slice in findings.iter().flat_map(|boxes| boxes.keys()) {
        *counts.entry(*slice).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| 2 * count >= findings.len()).map(|(slice, _)| slice).collect()
}

/// For each finding the usual boxes of the findings of other patients: on every one of their [`usual_slices`] the median of
/// each number. Empty if there is no other patient.
#[must_use]
pub(crate) fn fixed_places(findings: &[(u32, PlacedBoxes)]) -> Vec<PlacedBoxes> {
    let place = |patient: u32| {
        let others: Vec<&PlacedBoxes> =
            findings.iter().filter(|(other, _)| *other != patient).map(|(_, boxes)| boxes).collect();
        let usual = usual_slices(&others).into_iter().map(|slice| {
            let median = |number: usize| {
                let boxes = others.iter().filter_map(|boxes| boxes.get(&slice));
                let mut values: Vec<f64> = boxes.map(|values| values[number]).collect();
                values.sort_by(f64::total_cmp);
                f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
            };
            (slice, [0, 1, 2, 3].map(median))
        });
        usual.collect()
    };
    findings.iter().map(|(patient, _)| place(*patient)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_has_no_say_in_the_place_that_is_measured_on_it() {
        let boxes = |slices: &[(usize, f64)]| slices.iter().map(|(slice, at)| (*slice, [*at; 4])).collect();
        let findings = [
            (1, boxes(&[(4, 100.0)])),
            (2, boxes(&[(4, 1.0), (5, 7.0)])),
            (3, boxes(&[(4, 3.0)])),
            (3, boxes(&[(4, 8.0)])),
        ];
        let places = fixed_places(&findings);
        // Of three others one alone has a box on slice 5.
        assert_eq!(places[0], boxes(&[(4, 3.0)]));
        assert_eq!(places[2], boxes(&[(4, 50.5), (5, 7.0)]));
        assert_eq!(places[2], places[3]);
        assert_eq!(fixed_places(&findings[2..]), [PlacedBoxes::new(), PlacedBoxes::new()]);
    }
}
