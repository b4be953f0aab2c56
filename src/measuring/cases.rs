//! Discs that show what a measured overlap means: the best, the middle and the worst, with both boxes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::evidence::PRESENT;
use super::{BoxedScans, EvidenceMeasures, EvidenceRow, EvidenceStudy};
use crate::language::Language;
use crate::model::Grader;
use crate::picture::{CaseFigure, CaseRow, Drawing, cases_sheet, ordinal};
use crate::pipeline::{Evidence, PipelineError, method_in_words, reading_in_words};
use crate::saliency::{SaliencyPlan, SaliencyRequest, explain};
use crate::spine::{BoxSource, DiscLevel, PATCH_SLICES, SliceBox};
use crate::task::{CancelToken, Progress};

/// Overlap on one disc.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct EvidenceCase {
    /// Which of the scans, from 0.
    pub scan: usize,
    pub level: DiscLevel,
    /// Jaccard index over all slices.
    pub iou: f64,
}

/// Two from the front, two from the middle and two from the back; all of six or fewer.
fn typical(cases: &[EvidenceCase]) -> Vec<EvidenceCase> {
    let count = cases.len();
    if count <= 6 {
        return cases.to_vec();
    }
    [0, 1, count / 2 - 1, count / 2, count - 2, count - 1].map(|index| cases[index]).to_vec()
}

impl EvidenceStudy {
    /// Draws the typical discs of each chosen way, one row for each network and grading, from the best to the worst, each on
    /// the slice with the largest true box. `test` are the scans that `measures` were measured on.
    ///
    /// # Errors
    /// As [`EvidenceStudy::measure`].
    pub(crate) fn draw_cases(
        &self,
        graders: &[Grader],
        measures: &EvidenceMeasures,
        test: BoxedScans,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Drawing, PipelineError> {
        let chosen = || measures.rows.iter().filter(|row| row.is_chosen);
        let total = chosen().map(|row| typical(&row.cases).len()).sum();
        let mut done = 0;
        let mut drawn: Vec<(&EvidenceRow, Vec<Evidence>)> = Vec::new();
        for row in chosen() {
            let Some(grader) = graders.iter().find(|grader| grader.info().name == row.network) else { continue };
            let mut maps = Vec::new();
            for case in typical(&row.cases) {
                on_progress(Progress { step: "Drawing cases", done, total });
                done += 1;
                maps.push(self.evidence(grader, row, test, &case, cancel)?);
            }
            drawn.push((row, maps));
        }
        let rows: Vec<CaseRow> = drawn.iter().filter_map(|(row, maps)| case_row(row, maps)).collect();
        let subtitle = format!(
            "Measured on {}; from left to right two of the best, two of the middle, two of the worst",
            measures.test
        );
        let notes = vec![
            "Each map in its own colors, above the percentile of its row; reader: the boxes of the data.".to_owned(),
            "Overlap (IoU) over all slices of the disc volume; shown is the slice with the largest true box."
                .to_owned(),
        ];
        Ok(cases_sheet(&rows, subtitle, notes))
    }

    /// The map of a case, made and boxed as its row was.
    fn evidence(
        &self,
        grader: &Grader,
        row: &EvidenceRow,
        test: BoxedScans,
        case: &EvidenceCase,
        cancel: &CancelToken,
    ) -> Result<Evidence, PipelineError> {
        let scan = test.get(case.scan);
        let (grading, way) = (row.validation.grading, &row.way);
        let disc = scan.discs.iter().find(|disc| disc.level == case.level).expect("a disc that was measured");
        let plan = SaliencyPlan {
            method: way.method,
            layer: Some(way.layer),
            smoothing_mm: way.smoothing_mm,
            augmentations: way.augmentations,
            precision: None,
            seed: self.seed,
        };
        let request = SaliencyRequest { grading, class: PRESENT, plan };
        let map = explain(grader.network(), &scan.volume, disc, &request, cancel, &mut |_| ())?;
        let is_of_finding = |found: &&SliceBox| (found.level, found.grading) == (case.level, grading);
        let truth = scan.boxes.iter().filter(is_of_finding);
        Ok(Evidence {
            map: Arc::new(map),
            probability: None,
            seed: self.seed,
            percentile: row.validation.percentile.unwrap_or(0.0),
            box_rule: way.box_rule,
            reader_boxes: truth.map(|found| SliceBox { source: BoxSource::Reader, ..found.clone() }).collect(),
            volume: Arc::new(scan.volume.into_owned()),
            study_instance_uid: String::new(),
            series_instance_uid: String::new(),
            sop_instance_uids: Vec::new(),
            weights: Vec::new(),
            device: String::new(),
        })
    }
}

/// The maps of a row's typical cases, how they were made and what they reach; `None` without any.
fn case_row<'a>(row: &EvidenceRow, maps: &'a [Evidence]) -> Option<CaseRow<'a>> {
    let measured = row.test.as_ref().map(|test| format!("  ·  IoU {:.3}, {} discs", test.mean_iou, test.discs));
    let first = maps.first()?;
    let detail = format!(
        "{} {}, {} views, {} percentile, {}{}",
        method_in_words(row.way.method),
        reading_in_words(&first.map, Language::ENGLISH),
        row.way.augmentations,
        ordinal(first.percentile),
        row.way.box_rule,
        measured.unwrap_or_default()
    );
    let name = format!("{}, {}", row.validation.grading.name(), row.dimensions);
    let cases = typical(&row.cases).into_iter().zip(maps).filter_map(|(case, evidence)| case_figure(&case, evidence));
    Some(CaseRow { name, detail, cases: cases.collect() })
}

/// A case on the slice of its disc volume with the largest true box.
fn case_figure<'a>(case: &EvidenceCase, evidence: &'a Evidence) -> Option<CaseFigure<'a>> {
    let area = |patch_slice: &usize| {
        let slice = evidence.map.frame.scan_slice(*patch_slice);
        let boxes = evidence.reader_boxes.iter().filter(|found| Some(found.slice) == slice);
        boxes.map(|found| found.rect.area()).fold(0.0, f64::max)
    };
    let patch_slice = (0..PATCH_SLICES).max_by(|a, b| area(a).total_cmp(&area(b)))?;
    let caption = format!("{} of scan {}, IoU {:.2}", case.level, case.scan + 1, case.iou);
    Some(CaseFigure { volume: &evidence.volume, figure: evidence.figure(Language::ENGLISH), patch_slice, caption })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typical_cases_are_of_both_ends_and_the_middle() {
        let cases: Vec<EvidenceCase> =
            (0..9).map(|scan| EvidenceCase { scan, level: DiscLevel::L4L5, iou: 0.0 }).collect();
        let scans = |cases: Vec<EvidenceCase>| cases.iter().map(|case| case.scan).collect::<Vec<_>>();
        assert_eq!(scans(typical(&cases)), [0, 1, 3, 4, 7, 8]);
        assert_eq!(scans(typical(&cases[..4])), [0, 1, 2, 3]);
    }
}
