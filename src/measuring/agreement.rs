//! How well blind readings agree with what was computed and with each other, schema `spinenet-agreement/1`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::evaluation::{CONFIDENCE, ConfusionMatrix, KappaWeights, bootstrap_by_patient};
use crate::files::write_private;
use crate::records::{BlindReading, GradesByDisc, Software, WeightsUsed, rounded};
use crate::spine::{ClassIndex, DiscLevel, Grading};

/// Name and version of the schema of agreements.
pub(crate) const AGREEMENT_SCHEMA: &str = "spinenet-agreement/1";
/// The rater that is the program, in files.
pub(crate) const COMPUTED: &str = "computed";
/// Samples of the studies that an interval is drawn from.
const RESAMPLES: usize = 1000;

/// Agreement of the finished readings that a reader may know of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// [`AGREEMENT_SCHEMA`].
    pub schema: String,
    /// The program that measured it.
    pub software: Software,
    /// Always true.
    pub research_use_only: bool,
    /// Whose readings it is about.
    pub reader: String,
    /// Weights that gave the computed grades; more than one set where readings are older than a change of weights.
    pub weights: Vec<WeightsUsed>,
    /// The reader with the program first, then with each other reader, each of whom follows with the program.
    pub comparisons: Vec<Comparison>,
    /// All single grades.
    pub ratings: Vec<Rating>,
    /// Files of readings that could not be read and take no part.
    #[serde(default)]
    pub unreadable_files: usize,
}

/// Two raters, over all discs that both graded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Rows of the tables of counts, then columns; [`COMPUTED`] is the program.
    pub raters: [String; 2],
    /// Series that both graded.
    pub series: usize,
    /// One entry for each grading that both gave.
    pub gradings: Vec<GradingAgreement>,
}

/// Agreement on one grading; a measure that the grades do not define is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradingAgreement {
    /// Grading.
    pub grading: Grading,
    /// Discs with a grade of both.
    pub discs: u64,
    /// Share of equal grades.
    pub exact: Option<f64>,
    /// Cohen's kappa, every disagreement alike.
    pub kappa: Option<f64>,
    /// 95 % of it over samples of the studies, drawn whole; none of a single study.
    pub kappa_interval: Option<[f64; 2]>,
    /// With linear weights; only of scales of several grades.
    pub kappa_linear: Option<f64>,
    /// With quadratic weights; only of scales of several grades.
    pub kappa_quadratic: Option<f64>,
    /// 95 % of the kappa with quadratic weights.
    pub kappa_quadratic_interval: Option<[f64; 2]>,
    /// Number of discs by class of the first rater (row) and of the second (column).
    pub confusion: Vec<Vec<u64>>,
}

/// One grade of one reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// Study.
    pub study_instance_uid: String,
    /// Series.
    pub series_instance_uid: String,
    /// Disc.
    pub level: DiscLevel,
    /// Grading.
    pub grading: Grading,
    /// Who graded.
    pub reader: String,
    /// The grade in a reader's counting.
    pub grade: u8,
    /// The computed grade; `null` where the disc was not graded.
    pub computed: Option<u8>,
    /// The reader had seen computed grades of the series before.
    pub computed_seen_before: bool,
}

/// Two grades of the same disc: the study's number, and both classes.
type Pair = (u32, (ClassIndex, ClassIndex));

impl Agreement {
    /// Measures the readings kept in `folder`. Those in `open` are newer than their files.
    #[must_use]
    pub fn gather(folder: &Path, open: &[BlindReading], reader: &str) -> Self {
        let (mut readings, unreadable_files) = BlindReading::read_all(folder);
        let is_newer = |old: &BlindReading, new: &BlindReading| old.reader == new.reader && old.is_of_images_of(new);
        readings.retain(|old| !open.iter().any(|new| is_newer(old, new)));
        readings.extend_from_slice(open);
        // The same folder gives the same file, whatever order the system lists it in.
        readings.sort_by(|a, b| {
            (&a.study_instance_uid, &a.series_instance_uid, &a.reader).cmp(&(
                &b.study_instance_uid,
                &b.series_instance_uid,
                &b.reader,
            ))
        });
        Self { unreadable_files, ..Self::measure(&readings, reader) }
    }

    /// Measures what `reader` finished. Of others, only readings of images that this reader has finished too take part:
    /// until then they are hidden.
    #[must_use]
    pub fn measure(readings: &[BlindReading], reader: &str) -> Self {
        let own: Vec<&BlindReading> = finished(readings).filter(|reading| reading.reader == reader).collect();
        let is_known = |reading: &BlindReading| own.iter().any(|own| own.is_of_images_of(reading));
        let known: Vec<&BlindReading> = finished(readings).filter(|reading| is_known(reading)).collect();
        let others: BTreeSet<&str> =
            known.iter().map(|reading| reading.reader.as_str()).filter(|name| *name != reader).collect();
        let of = |name: &str| known.iter().filter(|reading| reading.reader == name).copied().collect::<Vec<_>>();
        let mut comparisons = vec![with_computed(reader, &own)];
        for other in others {
            let theirs = of(other);
            comparisons.push(between([reader, other], &own, &theirs));
            comparisons.push(with_computed(other, &theirs));
        }
        comparisons.retain(|comparison| !comparison.gradings.is_empty());
        Self {
            schema: AGREEMENT_SCHEMA.to_owned(),
            software: Software::this(),
            research_use_only: true,
            reader: reader.to_owned(),
            weights: weights_of(&known),
            comparisons,
            ratings: known.iter().flat_map(|reading| ratings(reading)).collect(),
            unreadable_files: 0,
        }
    }

    /// Writes everything as JSON, and measures and single grades as tables, into a folder that is made where needed; the
    /// files are their owner's alone. The files written.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        let texts =
            [("agreement.json", json), ("agreement.csv", self.measures_csv()), ("ratings.csv", self.ratings_csv())];
        let write = |(name, text): (&str, String)| {
            let file = folder.join(name);
            write_private(&file, text.as_bytes()).map(|()| file)
        };
        texts.into_iter().map(write).collect()
    }

    /// The measures as a table: one row a comparison and grading.
    #[must_use]
    pub fn measures_csv(&self) -> String {
        const HEAD: [&str; 12] = [
            "rater_a",
            "rater_b",
            "grading",
            "series",
            "discs",
            "exact",
            "kappa",
            "kappa_low",
            "kappa_high",
            "kappa_linear",
            "kappa_quadratic",
            "confusion",
        ];
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let rows = self.comparisons.iter().flat_map(|comparison| {
            let [a, b] = &comparison.raters;
            comparison.gradings.iter().map(move |row| {
                let counts = |counts: &Vec<u64>| counts.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
                let [low, high] = row.kappa_interval.map_or([None; 2], |ends| ends.map(Some));
                vec![
                    a.clone(),
                    b.clone(),
                    row.grading.key().to_owned(),
                    comparison.series.to_string(),
                    row.discs.to_string(),
                    number(row.exact),
                    number(row.kappa),
                    number(low),
                    number(high),
                    number(row.kappa_linear),
                    number(row.kappa_quadratic),
                    row.confusion.iter().map(counts).collect::<Vec<_>>().join("; "),
                ]
            })
        });
        csv_text(&HEAD, rows)
    }

    /// The single grades as a table, one row a grade.
    #[must_use]
    pub fn ratings_csv(&self) -> String {
        const HEAD: [&str; 8] = [
            "study_instance_uid",
            "series_instance_uid",
            "level",
            "grading",
            "reader",
            "grade",
            "computed",
            "computed_seen_before",
        ];
        let rows = self.ratings.iter().map(|rating| {
            vec![
                rating.study_instance_uid.clone(),
                rating.series_instance_uid.clone(),
                rating.level.to_string(),
                rating.grading.key().to_owned(),
                rating.reader.clone(),
                rating.grade.to_string(),
                rating.computed.map(|grade| grade.to_string()).unwrap_or_default(),
                rating.computed_seen_before.to_string(),
            ]
        });
        csv_text(&HEAD, rows)
    }
}

fn finished(readings: &[BlindReading]) -> impl Iterator<Item = &BlindReading> {
    readings.iter().filter(|reading| reading.finished.is_some())
}

/// A reader with the program.
fn with_computed(reader: &str, readings: &[&BlindReading]) -> Comparison {
    let sides = readings.iter().filter_map(|reading| {
        let computed = &reading.finished.as_ref()?.computed;
        Some((reading.study_instance_uid.as_str(), &reading.grades, computed))
    });
    compared([reader, COMPUTED], &sides.collect::<Vec<_>>())
}

/// Two readers on the images that both finished.
fn between(raters: [&str; 2], own: &[&BlindReading], theirs: &[&BlindReading]) -> Comparison {
    let sides = own.iter().filter_map(|mine| {
        let other = theirs.iter().find(|other| other.is_of_images_of(mine))?;
        Some((mine.study_instance_uid.as_str(), &mine.grades, &other.grades))
    });
    compared(raters, &sides.collect::<Vec<_>>())
}

/// Compares the grades of series: study, grades of the first rater, grades of the second.
fn compared(raters: [&str; 2], series: &[(&str, &GradesByDisc, &GradesByDisc)]) -> Comparison {
    let studies: BTreeSet<&str> = series.iter().map(|(study, ..)| *study).collect();
    let mut pairs: BTreeMap<Grading, Vec<Pair>> = BTreeMap::new();
    for (study, first, second) in series {
        let number = studies.iter().filter(|other| *other < study).count() as u32;
        for (level, disc) in *first {
            for (grading, grade) in disc {
                let class = |grade: &u8| grading.class_from_grade(*grade);
                let other = second.get(level).and_then(|disc| disc.get(grading)).and_then(class);
                if let (Some(one), Some(other)) = (class(grade), other) {
                    pairs.entry(*grading).or_default().push((number, (one, other)));
                }
            }
        }
    }
    let gradings = pairs.into_iter().map(|(grading, pairs)| agreement_on(grading, &pairs, studies.len())).collect();
    Comparison { raters: raters.map(str::to_owned), series: series.len(), gradings }
}

fn agreement_on(grading: Grading, pairs: &[Pair], studies: usize) -> GradingAgreement {
    let classes = grading.classes();
    let classes_of: Vec<(ClassIndex, ClassIndex)> = pairs.iter().map(|(_, pair)| *pair).collect();
    let matrix = ConfusionMatrix::from_pairs(&classes_of, classes);
    let kappa = |weights| matrix.cohen_kappa(weights).map(|value| rounded(value, 4));
    let interval = |weights| {
        let measure = |pairs: &[(usize, usize)]| ConfusionMatrix::from_pairs(pairs, classes).cohen_kappa(weights);
        let interval = bootstrap_by_patient(pairs, CONFIDENCE, RESAMPLES, 0, measure).filter(|_| studies > 1);
        interval.map(|ends| [ends.low, ends.high].map(|end| rounded(end, 4)))
    };
    // Weights make no difference between two classes.
    let is_ordered = !grading.is_presence();
    GradingAgreement {
        grading,
        discs: matrix.total(),
        exact: matrix.accuracy_within(0).map(|share| rounded(share, 4)),
        kappa: kappa(KappaWeights::None),
        kappa_interval: interval(KappaWeights::None),
        kappa_linear: kappa(KappaWeights::Linear).filter(|_| is_ordered),
        kappa_quadratic: kappa(KappaWeights::Quadratic).filter(|_| is_ordered),
        kappa_quadratic_interval: interval(KappaWeights::Quadratic).filter(|_| is_ordered),
        confusion: (0..classes).map(|one| (0..classes).map(|other| matrix.count(one, other)).collect()).collect(),
    }
}

/// Every set of weights once, in the order in which they are met.
fn weights_of(readings: &[&BlindReading]) -> Vec<WeightsUsed> {
    let mut all: Vec<WeightsUsed> = Vec::new();
    for used in readings.iter().filter_map(|reading| reading.finished.as_ref()).flat_map(|end| &end.weights) {
        if !all.contains(used) {
            all.push(used.clone());
        }
    }
    all
}

fn ratings(reading: &BlindReading) -> impl Iterator<Item = Rating> {
    let computed = reading.finished.as_ref().map(|end| &end.computed);
    reading.grades.iter().flat_map(move |(level, disc)| {
        disc.iter().map(move |(grading, grade)| Rating {
            study_instance_uid: reading.study_instance_uid.clone(),
            series_instance_uid: reading.series_instance_uid.clone(),
            level: *level,
            grading: *grading,
            reader: reading.reader.clone(),
            grade: *grade,
            computed: computed.and_then(|discs| discs.get(level)?.get(grading).copied()),
            computed_seen_before: reading.computed_seen_before,
        })
    })
}

/// CSV with a head row.
fn csv_text(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head).expect("writing to memory");
    for row in rows {
        writer.write_record(row).expect("writing to memory, rows of one length");
    }
    String::from_utf8(writer.into_inner().expect("flushing to memory")).expect("written from strings")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::FinishedReading;

    /// A finished reading of six discs.
    fn reading(reader: &str, study: &str, grades: [u8; 6], computed: [u8; 6]) -> BlindReading {
        let table = |grades: [u8; 6]| -> GradesByDisc {
            let disc = |(level, grade)| (level, BTreeMap::from([(Grading::Pfirrmann, grade)]));
            DiscLevel::ALL.into_iter().zip(grades).map(disc).collect()
        };
        let mut reading = BlindReading::new(reader, study, &format!("{study}.1"), "ab");
        reading.grades = table(grades);
        let finished_at = "2026-11-30T12:00:00Z".to_owned();
        reading.finished = Some(FinishedReading { finished_at, weights: vec![], computed: table(computed) });
        reading
    }

    fn names(agreement: &Agreement) -> Vec<[&str; 2]> {
        agreement.comparisons.iter().map(|one| one.raters.each_ref().map(String::as_str)).collect()
    }

    // from sklearn.metrics import cohen_kappa_score  # scikit-learn
    // a = [1,2,3,4,5,2, 1,1,2,2,3,3]; b = [1,2,3,4,4,3, 1,2,2,2,3,5]
    // [cohen_kappa_score(a, b, weights=w) for w in (None, 'linear', 'quadratic')]
    #[test]
    fn grades_of_two_studies_are_pooled_as_scikit_learn_does() {
        let readings = [
            reading("A", "1", [1, 2, 3, 4, 5, 2], [1, 2, 3, 4, 4, 3]),
            reading("A", "2", [1, 1, 2, 2, 3, 3], [1, 2, 2, 2, 3, 5]),
        ];
        let agreement = Agreement::measure(&readings, "A");
        assert_eq!(names(&agreement), [["A", COMPUTED]]);
        let comparison = &agreement.comparisons[0];
        let row = &comparison.gradings[0];
        assert_eq!((comparison.series, row.grading, row.discs, row.exact), (2, Grading::Pfirrmann, 12, Some(0.6667)));
        assert_eq!((row.kappa, row.kappa_linear, row.kappa_quadratic), (KAPPA[0], KAPPA[1], KAPPA[2]));
        assert!(row.kappa_interval.is_some_and(|[low, high]| low <= row.kappa.expect("defined") && high >= low));
        assert_eq!(row.confusion[1], [0, 3, 1, 0, 0], "the reader's II are the program's II and once III");
        let csv = agreement.measures_csv();
        assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with("A,computed,pfirrmann,2,12,0.6667,")), "{csv}");
        assert_eq!(agreement.ratings.len(), 12);
        assert!(agreement.ratings_csv().contains("1,1.1,L5-S1,pfirrmann,A,2,3,false"));
    }
    const KAPPA: [Option<f64>; 3] = [Some(0.5636), Some(0.6842), Some(0.7961)];

    #[test]
    fn another_reader_is_known_of_only_on_images_that_were_finished() {
        let same = [3; 6];
        let mut unfinished = reading("A", "3", same, same);
        unfinished.finished = None;
        let readings = [
            reading("A", "1", [1, 2, 3, 4, 5, 2], same),
            reading("B", "1", [1, 2, 3, 4, 5, 3], same),
            reading("B", "2", same, same),
            unfinished,
            reading("B", "3", same, same),
        ];
        let agreement = Agreement::measure(&readings, "A");
        assert_eq!(names(&agreement), [["A", COMPUTED], ["A", "B"], ["B", COMPUTED]]);
        assert!(agreement.comparisons.iter().all(|comparison| comparison.series == 1));
        assert!(agreement.ratings.iter().all(|rating| rating.study_instance_uid == "1"));
        let row = &agreement.comparisons[1].gradings[0];
        assert_eq!((row.discs, row.exact, row.kappa_interval), (6, Some(0.8333), None), "one study has no interval");
        assert!(Agreement::measure(&readings, "C").comparisons.is_empty(), "who read nothing sees nothing");
    }
}
