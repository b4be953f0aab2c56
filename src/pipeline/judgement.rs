//! What is told of images that were judged before they were graded.

use crate::detection::Unfit;
use crate::dicom::{SeriesSummary, SeriesWarning};
use crate::language::message;
use crate::records::ReportWarning;

/// What the image of a series says, whatever its header does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageJudgement {
    /// Whether it is a T2 image of the lumbar spine, or why not.
    pub fitness: Result<(), Unfit>,
    /// The series that were preferred by their headers, each with what its image shows.
    pub passed_over: Vec<String>,
}

impl ImageJudgement {
    /// What a reader of the report should know. Where header and image disagree the image counts.
    #[must_use]
    pub fn warnings(&self, series: &SeriesSummary) -> Vec<ReportWarning> {
        let warning = |code: &str, message: String| ReportWarning { code: code.to_owned(), message };
        let mut warnings: Vec<ReportWarning> =
            self.passed_over.iter().map(|told| warning("series_passed_over", told.clone())).collect();
        if let Err(unfit) = self.fitness {
            warnings.push(warning(
                unfit.code(),
                message!("{reason}; {learned_on} and do not hold here", reason = unfit, learned_on = learned_on()),
            ));
        } else {
            let told = series.contradicted_by_lumbar_t2().into_iter();
            warnings.extend(told.map(|SeriesWarning { code, message }| ReportWarning { code, message }));
        }
        warnings
    }
}

/// What grades hold for.
pub(super) fn learned_on() -> &'static str {
    message!("grades were learned on sagittal T2 images of the lumbar spine with bright fat")
}

/// A series that was preferred by its header, and why it is not graded.
pub(crate) fn passed_over(series: &SeriesSummary, reason: &str) -> String {
    message!("{series} is not graded: {reason}", series = series.short_name(), reason = reason)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use dicom_core::value::PrimitiveValue;
    use dicom_core::{DataElement, VR};
    use dicom_dictionary_std::tags;
    use dicom_object::{InMemDicomObject, open_file};

    use super::super::{AnalysisOptions, DeviceChoice, Models, OpenSeries, PipelineError, analyze_folder};
    use super::*;
    use crate::dicom::{Series, SeriesHeader, Weighting, write_series};
    use crate::model::Views;
    use crate::phantom::{Phantom, PhantomPatient, PhantomSettings, Sequence};
    use crate::records::DiscEntry;
    use crate::spine::VertebraLabel;
    use crate::task::{CancelToken, Progress};
    use crate::volume::{Volume, VolumeGeometry};

    #[test]
    fn the_image_counts_where_its_header_says_otherwise() {
        let mut series = Series::of_volume(Phantom::generate(3).volume).summary;
        series.weighting = Weighting::Stir;
        series.series_number = Some(4);
        let codes = |judged: &ImageJudgement| {
            judged.warnings(&series).into_iter().map(|warning| warning.code).collect::<Vec<_>>()
        };
        let fit = ImageJudgement { fitness: Ok(()), passed_over: vec![passed_over(&series, "the image is blank")] };
        assert_eq!(fit.passed_over, ["series 4 is not graded: the image is blank"]);
        assert_eq!(codes(&fit), ["series_passed_over", "header_contradicted"]);
        let told = &fit.warnings(&series)[1].message;
        assert!(told.contains("STIR") && told.contains("looks T2-weighted"), "{told}");
        let unfit = ImageJudgement { fitness: Err(Unfit::T1), passed_over: Vec::new() };
        assert_eq!(codes(&unfit), ["contrast_t1"]);
    }

    fn patient() -> PhantomPatient {
        PhantomPatient::draw(&PhantomSettings::new(41).healthy())
    }

    /// Writes a series under a description and its times.
    fn write(folder: &Path, volume: &Volume, number: u32, description: &str, times: [f64; 2]) {
        let mut header = SeriesHeader::synthetic_t2_sagittal("judged");
        header.series_number = number;
        description.clone_into(&mut header.texts.series_description);
        (header.texts.repetition_time_ms, header.texts.echo_time_ms) = (Some(times[0]), Some(times[1]));
        write_series(&folder.join(number.to_string()), volume, &header).expect("written");
    }

    fn analyzed(folder: &Path, grades_anyway: bool) -> Result<OpenSeries, PipelineError> {
        let mut models = Models::new(DeviceChoice::Cpu, None).expect("a processor");
        let options = AnalysisOptions { views: Some(Views::One), grades_anyway, ..AnalysisOptions::default() };
        analyze_folder(folder, &mut models, options, &CancelToken::default(), &mut |_: Progress| ())
    }

    #[test]
    fn a_t1_image_is_not_graded_whatever_its_header_says_unless_that_is_asked_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let t1 = patient().with_contrast(Sequence::T1Tse).volume;
        write(folder.path(), &t1, 2, "T2 TSE SAG LWS", [3500.0, 100.0]);
        let Err(refused) = analyzed(folder.path(), false) else { panic!("a T1 image was graded") };
        assert_eq!(refused.code(), Some("contrast_t1"));
        let told = refused.to_string();
        assert!(told.starts_with("series 2 is not graded: the image looks T1-weighted"), "{told}");
        assert!(told.contains("--grade-anyway"), "{told}");
        let report = analyzed(folder.path(), true).expect("graded all the same").report();
        assert!(report.warnings.iter().any(|warning| warning.code == "contrast_t1"));
        assert!(!report.discs.is_empty() && report.discs.iter().all(|disc| disc.unlike_training_data));
    }

    #[test]
    fn of_two_series_the_one_is_graded_whose_image_is_a_t2_image() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let patient = patient();
        let t1 = patient.with_contrast(Sequence::T1Tse).volume;
        write(folder.path(), &t1, 2, "T2 TSE SAG", [3500.0, 100.0]);
        write(folder.path(), &patient.t2().volume, 3, "T1 TSE SAG", [600.0, 11.0]);
        let found = analyzed(folder.path(), false).expect("graded");
        assert_eq!(found.series.summary.series_number, Some(3));
        let codes: Vec<String> = found.report().warnings.into_iter().map(|warning| warning.code).collect();
        for expected in ["series_passed_over", "header_contradicted"] {
            assert!(codes.iter().any(|code| code == expected), "{expected}: {codes:?}");
        }
        assert!(found.report().discs.iter().all(|disc| !disc.unlike_training_data));
    }

    /// `MONOCHROME1` says that high values are dark, and not which one is black; an intercept moves them all.
    #[test]
    fn images_whose_values_do_not_begin_at_zero_are_graded_as_those_that_do() {
        let noisy = patient().t2().volume;
        let [_, rows, columns] = noisy.shape();
        // Without noise in the upper rows, so that no signal is zero in each of them.
        let is_masked = |index: usize| index / columns % rows < rows / 20;
        let masked =
            noisy.voxels().iter().enumerate().map(|(index, value)| if is_masked(index) { 0.0 } else { *value });
        let volume = Volume::new(rows, columns, masked.collect(), noisy.geometry().clone()).expect("as before");
        let highest = volume.voxels().iter().copied().fold(0.0, f32::max).round() as u16;
        let grades = |change: &dyn Fn(&mut InMemDicomObject)| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            write(folder.path(), &volume, 2, "T2 TSE SAG LWS", [3500.0, 100.0]);
            for file in std::fs::read_dir(folder.path().join("2")).expect("written") {
                let path = file.expect("a file").path();
                let mut object = open_file(&path).expect("readable");
                change(&mut object);
                object.write_to_file(&path).expect("written");
            }
            let report = analyzed(folder.path(), false).expect("graded").report();
            let grade = |disc: &DiscEntry| disc.gradings.as_ref().expect("graded").map(|_, entry| entry.grade);
            let signal = |disc: &DiscEntry| disc.measured.and_then(|measured| measured.signal_of_fluid);
            let discs = report.discs.iter().map(|disc| (disc.level, grade(disc), signal(disc)));
            (discs.collect::<Vec<_>>(), report.warnings)
        };
        let text = |object: &mut InMemDicomObject, tag, vr, value: &str| {
            object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        };
        let upright = grades(&|_| ());
        let inverted = grades(&|object| {
            text(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
            let pixels =
                object.element(tags::PIXEL_DATA).expect("pixels").value().to_multi_int::<u16>().expect("words");
            let pixels: Vec<u16> = pixels.into_iter().map(|value| highest - value).collect();
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())));
        });
        assert_eq!(inverted, upright);
        let moved = grades(&|object| {
            text(object, tags::RESCALE_INTERCEPT, VR::DS, "-30000");
            text(object, tags::RESCALE_SLOPE, VR::DS, "1");
        });
        assert_eq!(moved, upright);
    }

    #[test]
    fn a_spine_without_a_sacrum_is_not_graded() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let patient = patient();
        let volume = patient.t2().volume;
        let bodies = patient.vertebrae();
        let l4 = bodies.iter().find(|body| body.label == VertebraLabel::L4).expect("there");
        let rows = l4.corners_at(l4.center_slice()).expect("outlined").center().y as usize;
        let upper: Vec<f32> =
            (0..volume.slices()).flat_map(|slice| volume.slice(slice)[..rows * volume.columns()].to_vec()).collect();
        let from = volume.geometry();
        let geometry = VolumeGeometry::new(
            from.slice_origins_lps().to_vec(),
            from.column_direction(),
            from.row_direction(),
            from.row_spacing_mm(),
            from.column_spacing_mm(),
        );
        let upper = Volume::new(rows, volume.columns(), upper, geometry.expect("as before")).expect("as many voxels");
        write(folder.path(), &upper, 2, "T2 TSE SAG LWS", [3500.0, 100.0]);
        let Err(refused) = analyzed(folder.path(), false) else { panic!("graded without a sacrum") };
        assert_eq!(refused.code(), Some("region_not_lumbar"), "{refused}");
    }
}
