//! Headers in words: the series list and the corners of the image.

use std::path::Path;
use std::sync::Arc;

use crate::dicom::{FolderScan, HeaderTexts, Series, SeriesSummary, readable_name};
use crate::ui::language::{in_force, tr};
use crate::ui::state::{LoadedSeries, SeriesEntry};
use crate::volume::{PlaneOrientation, WindowLevel};

/// The list of `series`; `shown` is the place of the one on the screen.
pub(crate) fn series_list(series: &[SeriesSummary], shown: Option<usize>) -> Vec<SeriesEntry> {
    let several_patients = series.iter().any(|other| !other.is_of_patient(&series[0]));
    let begins_study =
        |index: usize| index == 0 || series[index].study_instance_uid != series[index - 1].study_instance_uid;
    let several_studies = (1..series.len()).any(begins_study);
    let entry = |(index, series): (usize, &SeriesSummary)| SeriesEntry {
        title: title(series),
        detail: detail(series),
        reason: capitalized(&in_force().message(&series.choice.reason)),
        shown: shown == Some(index),
        study: study(series, several_patients),
        begins_study: several_studies && begins_study(index),
    };
    series.iter().enumerate().map(entry).collect()
}

/// Oddities of a folder in plain words; refused files by name only, since the rest of the path may identify a patient.
pub(crate) fn folder_warnings(scan: &FolderScan) -> Vec<String> {
    const NAMED: usize = 5;
    let mut lines: Vec<String> =
        scan.warnings.iter().map(|warning| capitalized(&in_force().message(&warning.message))).collect();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    lines.extend(scan.refused.iter().take(NAMED).map(|file| format!("{}: {}", name(&file.path), file.reason)));
    if scan.refused.len() > NAMED {
        lines.push(tr!(
            count = scan.refused.len() - NAMED;
            one "… and {count} more file that could not be used", other "… and {count} more files that could not be used"
        ));
    }
    lines
}

/// A series with the texts for the corners.
pub(crate) fn loaded_series(series: Arc<Series>) -> LoadedSeries {
    let default_window = series.window.unwrap_or_else(|| WindowLevel::from_percentiles(series.volume.voxels()));
    told(series, default_window)
}

/// The same in the language that is in force now.
pub(super) fn told_again(loaded: &LoadedSeries) -> LoadedSeries {
    told(Arc::clone(&loaded.series), loaded.default_window)
}

fn told(series: Arc<Series>, default_window: WindowLevel) -> LoadedSeries {
    let summary = &series.summary;
    let texts = &summary.texts;
    LoadedSeries {
        default_window,
        patient_lines: patient_lines(texts),
        study_lines: filled(&[
            readable_date(&texts.study_date),
            texts.study_description.clone(),
            texts.institution.clone(),
        ]),
        series_lines: series_lines(summary),
        warnings: summary.warnings.iter().map(|warning| capitalized(&in_force().message(&warning.message))).collect(),
        volume: Arc::clone(&series.volume),
        series,
    }
}

fn title(series: &SeriesSummary) -> String {
    let description = series.description.trim();
    if description.is_empty() {
        series
            .series_number
            .map_or_else(|| tr!("Series without a name").to_owned(), |number| tr!("Series {title}", title = number))
    } else {
        description.to_owned()
    }
}

/// Date and description of a series' examination, and whose it is where that is not clear.
fn study(series: &SeriesSummary, with_patient: bool) -> String {
    let texts = &series.texts;
    let patient =
        if with_patient { patient_lines(texts).into_iter().next().unwrap_or_default() } else { String::new() };
    let words =
        filled(&[readable_date(&texts.study_date), texts.study_description.trim().to_owned(), patient]).join("  ");
    if words.is_empty() { tr!("Examination without a date").to_owned() } else { words }
}

fn detail(series: &SeriesSummary) -> String {
    let plane = match series.plane {
        Some(PlaneOrientation::Sagittal) => tr!("sagittal"),
        Some(PlaneOrientation::Coronal) => tr!("coronal"),
        Some(PlaneOrientation::Axial) => tr!("axial"),
        None => tr!("unknown plane"),
    };
    let weighting = series.weighting.name();
    let slices = tr!(count = series.slices; one "{count} slice", other "{count} slices");
    format!("{weighting} {plane}, {slices}, {} × {}", series.columns, series.rows)
}

fn patient_lines(texts: &HeaderTexts) -> Vec<String> {
    let name = readable_name(&texts.patient_name);
    let id = if texts.patient_id.trim() == name { String::new() } else { texts.patient_id.clone() };
    let born = readable_date(&texts.patient_birth_date);
    let born_and_sex = filled(&[born, texts.patient_sex.clone()]).join("  ");
    filled(&[name, id, born_and_sex])
}

fn series_lines(series: &SeriesSummary) -> Vec<String> {
    let texts = &series.texts;
    let milliseconds = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {value:.0}"));
    let times = [milliseconds("TR", texts.repetition_time_ms), milliseconds("TE", texts.echo_time_ms)];
    let spacing = series.geometry.slice_spacing_mm().map(|mm| tr!("{mm} mm apart", mm = in_force().decimal(mm, 1)));
    let thickness = texts.slice_thickness_mm.map(|mm| tr!("{mm} mm thick", mm = in_force().decimal(mm, 1)));
    let slices = [thickness, spacing].into_iter().flatten().collect::<Vec<_>>().join(", ");
    filled(&[title(series), times.into_iter().flatten().collect::<Vec<_>>().join("  "), slices])
}

fn filled(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| !line.trim().is_empty()).cloned().collect()
}

/// `YYYYMMDD` as `YYYY-MM-DD`; anything else as it is.
fn readable_date(date: &str) -> String {
    let date = date.trim();
    if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..])
    } else {
        date.to_owned()
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_and_odd_ones_stay() {
        assert_eq!(readable_date("20240131"), "2024-01-31");
        assert_eq!(readable_date("2024"), "2024");
        assert_eq!(readable_date(""), "");
    }

    #[test]
    fn reasons_begin_with_a_capital() {
        assert_eq!(capitalized("chosen: T2 sagittal"), "Chosen: T2 sagittal");
        assert_eq!(capitalized(""), "");
    }
}
