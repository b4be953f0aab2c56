//! What weights say of their evidence, from what was measured.

use super::{EvidenceMeasures, EvidenceRow, GradingOverlap};
use crate::model::Dimensions;
use crate::records::rounded;
use crate::saliency::{EvidenceDefaults, EvidenceWay, GradingEvidence, MeasuredEvidence, SaliencyLayer};
use crate::spine::Grading;

/// The way of each grading that is best on the validation scans, with its measures on the others. The first of `measured` that
/// has the grading counts; those measured on the same scans count with it as one.
#[must_use]
pub(crate) fn chosen_ways(network: &str, measured: &[EvidenceMeasures]) -> EvidenceDefaults {
    let chosen = |grading: Grading| {
        let has_grading = |measures: &&EvidenceMeasures| rows(network, grading, measures).next().is_some();
        let first = measured.iter().find(has_grading)?;
        let scans = |measures: &EvidenceMeasures| (measures.validation.clone(), measures.test.clone());
        let together: Vec<&EvidenceMeasures> =
            measured.iter().filter(|other| has_grading(other) && scans(other) == scans(first)).collect();
        let all = || together.iter().flat_map(|measures| rows(network, grading, measures));
        let best =
            all().reduce(|best, next| if iou(&next.validation) > iou(&best.validation) { next } else { best })?;
        let test = best.test.as_ref()?;
        let fixed_place = first.fixed_places.iter().find(|place| place.grading == grading)?;
        let paper = all().find(|row| is_paper(row)).and_then(|row| row.test.as_ref());
        let paper = paper.and_then(|overlap| {
            overlap.curve.iter().find(|point| point.percentile == Some(EvidenceWay::PAPER.percentile))
        });
        let way = EvidenceWay {
            method: best.way.method,
            layer: Some(best.way.layer),
            smoothing_mm: best.way.smoothing_mm,
            box_rule: best.way.box_rule,
            percentile: test.percentile?,
        };
        let measured = MeasuredEvidence {
            on: first.test.clone(),
            discs: test.discs,
            iou: rounded(test.mean_iou, 3),
            iou_interval: test.mean_iou_interval.map(|end| rounded(end, 3)),
            fixed_place_iou: rounded(fixed_place.mean_iou, 3),
            paper_iou: rounded(paper?.mean_iou, 3),
        };
        Some((grading, GradingEvidence { way, measured }))
    };
    Grading::ALL.into_iter().filter_map(chosen).collect()
}

/// Measures of a network's maps of one grading, averaged over the greatest number of views: what a reader looks at.
fn rows<'a>(
    network: &'a str,
    grading: Grading,
    measures: &'a EvidenceMeasures,
) -> impl Iterator<Item = &'a EvidenceRow> {
    let most = measures.study.augmentations.iter().copied().max().unwrap_or(1);
    measures
        .rows
        .iter()
        .filter(move |row| row.network == network && row.validation.grading == grading && row.way.augmentations == most)
}

fn iou(overlap: &GradingOverlap) -> f64 {
    overlap.mean_iou
}

/// Whether maps were made and boxed as the paper does, but for the percentile.
fn is_paper(row: &EvidenceRow) -> bool {
    let EvidenceWay { method, smoothing_mm, box_rule, .. } = EvidenceWay::PAPER;
    let dimensions = [Dimensions::Two, Dimensions::Three, Dimensions::ThreeUnreduced];
    let dimensions = dimensions.into_iter().find(|dimensions| dimensions.name() == row.dimensions);
    (row.way.method, row.way.smoothing_mm, row.way.box_rule) == (method, smoothing_mm, box_rule)
        && dimensions.is_some_and(|dimensions| SaliencyLayer::usual(method, dimensions) == row.way.layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measuring::boxes::CurvePoint;
    use crate::measuring::evidence::MeasuredWay;
    use crate::measuring::{EvidenceStudy, MEASURES_SCHEMA, PercentileFrom};
    use crate::records::Software;
    use crate::saliency::SaliencyMethod;
    use crate::spine::BoxRule;

    const GRADING: Grading = Grading::CentralCanalStenosis;

    fn overlap(iou: f64, percentile: f64, at_97: f64) -> GradingOverlap {
        let point = |percentile, iou| CurvePoint { percentile, mean_iou: iou, mean_iou_slices_with_truth: iou };
        GradingOverlap {
            grading: GRADING,
            discs: 9,
            patients: 4,
            discs_without_prediction: 0,
            percentile: Some(percentile),
            percentile_from: PercentileFrom::Validation,
            mean_iou: iou,
            mean_iou_interval: [iou - 0.1, iou + 0.1],
            mean_iou_slices_with_truth: iou,
            mean_iou_slices_with_truth_interval: [iou - 0.1, iou + 0.1],
            share_located: 0.5,
            whole_slice_iou: Some(0.1),
            times_whole_slice: None,
            pointing_game: None,
            pointing_game_interval: None,
            curve: vec![point(Some(percentile), iou), point(Some(97.0), at_97)],
        }
    }

    /// A row whose boxes are the largest of a slice, but for those made as in the paper.
    fn row(method: SaliencyMethod, layer: SaliencyLayer, validation: f64, test: f64, at_97: f64) -> EvidenceRow {
        let box_rule = if layer == SaliencyLayer::Conv1 { BoxRule::All } else { BoxRule::LargestOfSlice };
        EvidenceRow {
            network: "grading".to_owned(),
            dimensions: "3-D".to_owned(),
            way: MeasuredWay { method, layer, augmentations: 8, smoothing_mm: 0.0, box_rule },
            is_chosen: false,
            validation: overlap(validation, 88.0, 0.0),
            test: Some(overlap(test, 88.0, at_97)),
            test_found: None,
            cases: Vec::new(),
        }
    }

    fn measures(test: &str, rows: Vec<EvidenceRow>) -> EvidenceMeasures {
        let maps = Vec::new();
        let study = EvidenceStudy {
            gradings: vec![GRADING],
            maps,
            smoothings_mm: vec![0.0],
            augmentations: vec![1, 8],
            seed: 0,
        };
        EvidenceMeasures {
            schema: MEASURES_SCHEMA.to_owned(),
            software: Software::this(),
            study,
            validation: "other scans".to_owned(),
            test: test.to_owned(),
            weights: Vec::new(),
            rows,
            fixed_places: vec![overlap(0.6, 88.0, 0.0)],
            learned_locations: vec![],
        }
    }

    #[test]
    fn validation_chooses_among_the_maps_of_the_first_scans_and_the_test_measures() {
        use SaliencyMethod::{ContrastiveExcitation, Gradient, Guided, LayerCam};
        let first = vec![
            row(ContrastiveExcitation, SaliencyLayer::Conv1, 0.2, 0.25, 0.15),
            row(Gradient, SaliencyLayer::Conv3, 0.4, 0.35, 0.1),
            // Better on the test, which has no say.
            row(Guided, SaliencyLayer::Conv3, 0.3, 0.55, 0.1),
        ];
        let same_scans = vec![row(LayerCam, SaliencyLayer::Conv4, 0.45, 0.3, 0.1)];
        let phantoms = vec![row(Guided, SaliencyLayer::Conv3, 0.9, 0.9, 0.9)];
        let files = [measures("readers", first), measures("readers", same_scans), measures("phantoms", phantoms)];
        let chosen = chosen_ways("grading", &files);
        let expected = GradingEvidence {
            way: EvidenceWay {
                method: LayerCam,
                layer: Some(SaliencyLayer::Conv4),
                smoothing_mm: 0.0,
                box_rule: BoxRule::LargestOfSlice,
                percentile: 88.0,
            },
            measured: MeasuredEvidence {
                on: "readers".to_owned(),
                discs: 9,
                iou: 0.3,
                iou_interval: [0.2, 0.4],
                fixed_place_iou: 0.6,
                paper_iou: 0.15,
            },
        };
        assert_eq!(chosen, EvidenceDefaults::from_fn([GRADING], |_| expected.clone()));
        assert!(chosen_ways("grading-2d", &files).is_empty());
        // Files keep it all.
        let text = serde_json::to_string(&files[0]).expect("plain values");
        let read: EvidenceMeasures = serde_json::from_str(&text).expect("as written");
        assert_eq!(chosen_ways("grading", &[read])[GRADING].way.method, Gradient);
    }
}
