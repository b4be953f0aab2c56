//! The overlap that a box reaches which never looks at the image: always where other patients have theirs.

use std::collections::BTreeMap;

/// Boxes of one finding by slice of its disc volume, each as four numbers in a frame that all discs share.
pub(crate) type PlacedBoxes = BTreeMap<usize, [f64; 4]>;

/// For each finding the usual boxes of the findings of other patients: on every slice that at least half of them have a
/// box on, the median of each number. Empty if there is no other patient.
#[must_use]
pub(crate) fn fixed_places(findings: &[(u32, PlacedBoxes)]) -> Vec<PlacedBoxes> {
    let place = |patient: u32| {
        let others: Vec<&PlacedBoxes> =
            findings.iter().filter(|(other, _)| *other != patient).map(|(_, boxes)| boxes).collect();
        let mut slices: Vec<usize> = others.iter().flat_map(|boxes| boxes.keys().copied()).collect();
        slices.sort_unstable();
        slices.dedup();
        let usual = slices.into_iter().filter_map(|slice| {
            let boxes: Vec<[f64; 4]> = others.iter().filter_map(|boxes| boxes.get(&slice).copied()).collect();
            let median = |number: usize| {
                let mut values: Vec<f64> = boxes.iter().map(|values| values[number]).collect();
                values.sort_by(f64::total_cmp);
                f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
            };
            (2 * boxes.len() >= others.len()).then(|| (slice, [0, 1, 2, 3].map(median)))
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
