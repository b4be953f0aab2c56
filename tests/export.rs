//! Results that leave the program, read back by independent readers where those are installed (`scripts/test` does).

mod needs;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use spinenet_viewer::export::{read_boxes, write_reports};
use spinenet_viewer::language::Language;
use spinenet_viewer::records::{BoxesFile, KeyImage, Report, ReportEntry, Review, SignOff, read_reports};
use spinenet_viewer::spine::{BoxSource, DiscLevel, Grading, Measurement, MeasurementKind, PixelBox, SliceBox};

fn spinenet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spinenet")).args(arguments).output().expect("the program starts")
}

fn succeed(arguments: &[&str]) {
    let output = spinenet(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A synthetic study and a report that a reader has been over.
fn study() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static READY: OnceLock<PathBuf> = OnceLock::new();
    READY.get_or_init(|| {
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder")).path().to_owned();
        succeed(&["phantom", "--out", path(&folder), "--seed", "4", "--quiet"]);
        fs::rename(folder.join("phantom-000004"), folder.join("study")).expect("renamed");
        let (dicom, file) = (folder.join("study/dicom"), folder.join("report.json"));
        succeed(&["grade", path(&dicom), "--views", "1", "--out", path(&file), "--quiet"]);
        let mut report = report(&file);
        let level = report.discs.last().expect("discs").level;
        let grade = |report: &Report| report.discs.last().expect("discs").gradings.clone().expect("graded");
        let other = grade(&report)[Grading::Pfirrmann].grade % 5 + 1;
        assert!(report.set_edited(level, Grading::Pfirrmann, Some(other)));
        assert!(report.set_comment(level, "Schmorl node, unchanged; größer als 5 mm"));
        let points = vec![glam::DVec2::new(90.0, 70.0), glam::DVec2::new(120.5, 110.25)];
        let review = Review {
            measurements: vec![
                Measurement { kind: MeasurementKind::Length, slice: 3, points: points.clone() },
                Measurement {
                    kind: MeasurementKind::Angle,
                    slice: 4,
                    points: [&points[..], &[[60.0, 90.0].into()]].concat(),
                },
                Measurement {
                    kind: MeasurementKind::Slip,
                    slice: 4,
                    points: [&points[..], &[[95.0, 66.0].into()]].concat(),
                },
            ],
            key_images: key_images(level, other),
            ..Review::default()
        };
        review.note_in(&mut report);
        report.sign_off = Some(SignOff { reader: "Reader^Ann".into(), signed_at: "2026-11-24T18:30:00Z".into() });
        let rect = PixelBox { x: 100.25, y: 80.5, width: 20.0, height: 12.5 };
        let (grading, source) = (Grading::UpperMarrowChange, BoxSource::Reader);
        let drawn = SliceBox { level, grading, slice: 3, rect, source, percentile: None };
        let boxes = BoxesFile::new("AB", &report.series_instance_uid, vec![drawn]);
        boxes.save(&folder.join("boxes.json")).expect("written");
        write_reports(&file, &[report.into()]).expect("written");
        folder
    })
}

/// A part of a slice with its evidence, and a whole slice, as review files have them.
fn key_images(level: DiscLevel, grade: u8) -> Vec<KeyImage> {
    let map = serde_json::json!({
        "grade": grade, "method": "hi-res-cam", "layer": "conv3", "smoothing_mm": 0.0,
        "box_rule": "largest-of-slice", "percentile": 90.0
    });
    let images = serde_json::json!([
        {
            "slice": 4, "window": {"center": 300.0, "width": 600.0}, "region": [40.0, 120.0, 100.0, 80.0],
            "subject": {"level": level, "grading": "pfirrmann", "map": map}
        },
        {"slice": 3, "window": {"center": 200.0, "width": 300.0}, "inverted": true}
    ]);
    serde_json::from_value(images).expect("as documented")
}

fn report(file: &Path) -> Report {
    match read_reports(file).expect("a report").remove(0) {
        ReportEntry::Report(report) => *report,
        ReportEntry::Failed(failed) => panic!("{}", failed.error),
    }
}

/// Everything once, with the evidence for two grades.
fn exported() -> &'static Path {
    static READY: OnceLock<PathBuf> = OnceLock::new();
    READY.get_or_init(|| {
        let folder = study();
        let at = |name: &str| folder.join(name).to_str().expect("a UTF-8 path").to_owned();
        let (report, study, boxes) = (at("report.json"), at("study/dicom"), at("boxes.json"));
        let outputs =
            ["report.pdf", "objects", "volumes", "grades.csv", "grades.parquet", "spider.csv", "coco.json"].map(at);
        let [pdf, objects, volumes, csv, parquet, spider, coco] = outputs.each_ref().map(String::as_str);
        succeed(&[
            "export",
            &report,
            "--study",
            &study,
            "--boxes",
            &boxes,
            "--pdf",
            pdf,
            "--dicom",
            objects,
            "--nifti",
            volumes,
            "--csv",
            csv,
            "--parquet",
            parquet,
            "--spider-csv",
            spider,
            "--coco",
            coco,
            "--evidence",
            "2",
            "--augmentations",
            "2",
        ]);
        folder.to_owned()
    })
}

fn objects() -> Vec<PathBuf> {
    let entries = fs::read_dir(exported().join("objects")).expect("objects");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

#[test]
fn every_object_is_valid_dicom() {
    let files = objects();
    assert_eq!(files.len(), 10, "report, two segmentations, marks, two maps, selection and three captures: {files:?}");
    if needs::program("dciodvfy", "dicom3tools").is_some() {
        for file in &files {
            let output = Command::new("dciodvfy").args(["-new", path(file)]).output().expect("it starts");
            let said = String::from_utf8_lossy(&output.stderr);
            let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("Error")).collect();
            assert!(errors.is_empty(), "{}:\n{}", file.display(), errors.join("\n"));
        }
    }
    if let Some(mut dsrdump) = needs::program("dsrdump", "dcmtk") {
        let file = exported().join("objects/report-sr.dcm");
        let output = dsrdump.args(["--print-all-codes", path(&file)]).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("Comprehensive 3D SR Document") && said.contains("Verification Flag   : VERIFIED"));
        let value = format!("\"{}\" (mm", report(&exported().join("report.json")).measurements[0].value);
        assert!(said.contains("Length") && said.contains(&value), "{value}\n{said}");
        assert!(said.contains(", probability") && said.contains("L5/S1 disc") && said.contains("Research use only"));
    }
}

#[test]
fn marks_are_a_presentation_state_to_dcmtk() {
    if let Some(mut dcmpschk) = needs::program("dcmpschk", "dcmtk") {
        let file = exported().join("objects/marks-pr.dcm");
        let output = dcmpschk.arg(path(&file)).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("Test passed"), "{said}");
    }
}

#[test]
fn other_readers_find_the_same_values() {
    let Some(mut python) = needs::python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validators/read_back.py");
    let folder = exported();
    let arguments = [script, folder.join("report.json"), folder.join("objects"), folder.join("study/dicom")];
    let output = python.args(arguments).arg(folder.join("volumes")).output().expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("2 maps, 2 hotspots, 3 measurements, 2 key images read back equal"), "{said}");
}

#[test]
fn the_table_and_the_json_agree() {
    let folder = exported();
    let report = report(&folder.join("report.json"));
    let mut reader = csv::Reader::from_path(folder.join("grades.csv")).expect("a table");
    let head = reader.headers().expect("a head").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), report.discs.len());
    for (row, disc) in rows.iter().zip(&report.discs) {
        let cell = |name: &str| &row[head.iter().position(|column| column == name).expect("a column")];
        assert_eq!(cell("level").parse::<DiscLevel>(), Ok(disc.level));
        assert_eq!(cell("comment"), disc.comment.clone().unwrap_or_default());
        assert_eq!(cell("signed_by"), "Reader^Ann");
        for (grading, entry) in disc.gradings.as_ref().expect("graded").iter() {
            let key = grading.key();
            assert_eq!(cell(key).parse(), Ok(entry.grade));
            assert_eq!(cell(&format!("{key}_edited")).parse().ok(), entry.edited);
            for (class, probability) in entry.probabilities.iter().enumerate() {
                let column = format!("{key}_p{}", grading.grade_from_class(class));
                assert_eq!(cell(&column).parse(), Ok(*probability));
            }
        }
    }
    check_parquet(&folder.join("grades.parquet"), &folder.join("grades.csv"));
    let spider = fs::read_to_string(folder.join("spider.csv")).expect("readable");
    assert_eq!(spider.lines().count(), 1 + report.discs.len());
}

/// Another reader finds in the Parquet file what the CSV file says.
fn check_parquet(parquet: &Path, csv: &Path) {
    let Some(mut python) = needs::python() else { return };
    let script = "import sys, csv, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
rows = list(csv.DictReader(open(sys.argv[2], newline='', encoding='utf-8-sig')))
assert table.column_names == list(rows[0]) and table.num_rows == len(rows)
for row, other in zip(table.to_pylist(), rows):
    for name, value in row.items():
        assert other[name] == '' if value is None else type(value)(other[name]) == value, (name, value, other[name])
print(table.schema.field('pfirrmann').type, table.schema.field('pfirrmann_p1').type)";
    let output = python.args(["-c", script, path(parquet), path(csv)]).output().expect("Python starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "int32 double");
}

#[test]
fn boxes_go_out_as_coco_and_come_back() {
    let folder = exported();
    let coco = read_boxes(&folder.join("coco.json")).expect("COCO");
    let drawn = BoxesFile::read(&folder.join("boxes.json")).expect("boxes");
    let of_reader = coco.boxes.iter().filter(|found| found.source == BoxSource::Reader);
    assert!(of_reader.eq(&drawn.boxes));
    assert!(coco.boxes.len() > drawn.boxes.len(), "predicted ones, too");
    assert_eq!(coco.series_instance_uid, drawn.series_instance_uid);
}

#[test]
fn the_pdf_repeats_and_names_the_patient_only_on_request() {
    let folder = study();
    let at = |name: &str| folder.join(name).to_str().expect("a UTF-8 path").to_owned();
    let (report, study) = (at("report.json"), at("study/dicom"));
    let [first, second, named] = [at("first.pdf"), at("second.pdf"), at("named.pdf")];
    for file in [&first, &second] {
        succeed(&["export", &report, "--study", &study, "--pdf", file, "--quiet"]);
    }
    succeed(&["export", &report, "--study", &study, "--pdf", &named, "--identity", "--quiet"]);
    let bytes = fs::read(&first).expect("readable");
    assert!(bytes.starts_with(b"%PDF-") && bytes == fs::read(&second).expect("readable"), "the same bytes");
    if needs::program("pdftotext", "poppler-utils").is_none() {
        return;
    }
    let words = |file: &str| {
        let output = Command::new("pdftotext").args(["-layout", file, "-"]).output().expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (anonymous, named) = (words(&first), words(&named));
    for said in [
        "Research use only. Not a medical device.",
        "Signed off by Reader^Ann on 2026-11-24 18:30:00 UTC",
        "1 grade changed by the reader",
        "größer als 5 mm",
        "SHA-256",
        "L5-S1",
    ] {
        assert!(anonymous.contains(said), "{said} is missing in\n{anonymous}");
    }
    let graded = spinenet_viewer::records::read_reports(&folder.join("report.json")).expect("a report").remove(0);
    let ReportEntry::Report(graded) = graded else { panic!("graded") };
    for measured in &graded.measurements {
        let number = measured.in_words(Language::ENGLISH).split_whitespace().nth(1).expect("a number").to_owned();
        assert!(anonymous.contains(&number), "{number} is missing in\n{anonymous}");
    }
    let lines: Vec<&str> = anonymous.lines().collect();
    for disc in &graded.discs {
        // The table comes behind the findings; below each grade stands its probability.
        let begins = |line: &&str| line.trim_start().starts_with(&disc.level.to_string());
        let row = lines.iter().rposition(begins).unwrap_or_else(|| panic!("{} is missing in\n{anonymous}", disc.level));
        let cells = lines[row.saturating_sub(1)..lines.len().min(row + 3)].join("\n");
        for (grading, entry) in disc.gradings.as_ref().expect("graded").iter() {
            let class = grading.class_from_grade(entry.grade).expect("a class");
            let probability = format!("{:.0} %", entry.probabilities[class] * 100.0);
            assert!(cells.contains(&probability), "{} {grading}: {probability} is missing in\n{cells}", disc.level);
            assert!(cells.contains(grading.class_name(class)), "{} {grading} is missing in\n{cells}", disc.level);
        }
    }
    for said in ["Key images", "Slice 5 of", "Pfirrmann grade", "HiResCAM at Conv3", "window 300, level 200, inverted"]
    {
        assert!(anonymous.contains(said), "{said} is missing in\n{anonymous}");
    }
    assert!(!anonymous.contains("without the evidence map"), "it was computed");
    assert!(!anonymous.contains("Phantom") && !anonymous.contains("PHANTOM"), "{anonymous}");
    assert!(named.contains("Phantom Lumbar") && named.contains("ID PHANTOM"), "{named}");
}

#[test]
fn the_text_of_the_pdf_follows_a_template() {
    let folder = study();
    let at = |name: &str| folder.join(name).to_str().expect("a UTF-8 path").to_owned();
    let [template, pdf] = [at("template.txt"), at("templated.pdf")];
    let text = "Department of Spines\n# Conclusion\n{impression}\n# Discs\n{levels}\n{closing}\n{signature}\n";
    fs::write(&template, text).expect("written");
    let [report, images, bad] = [at("report.json"), at("study/dicom"), at("bad.txt")];
    let export = ["export", &report, "--study", &images, "--pdf", &pdf, "--template", &template];
    succeed(&export);
    fs::write(folder.join("bad.txt"), "{levels}\n{grades}\n").expect("written");
    let mut wrong = export;
    wrong[7] = &bad;
    let refused = spinenet(&wrong);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("line 2 of the report template: there is no place {grades}"), "{said}");
    if needs::program("pdftotext", "poppler-utils").is_none() {
        return;
    }
    let output = Command::new("pdftotext").args([&pdf, "-"]).output().expect("it starts");
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let place = |part: &str| words.find(part).unwrap_or_else(|| panic!("{part} is missing in\n{words}"));
    assert!(place("Department of Spines") < place("Conclusion") && place("Conclusion") < place("Discs"));
    assert!(place("größer als 5 mm") > place("Discs") && !words.contains("Technique"), "{words}");
}

/// A comment in letters that the bundled font lacks is printed in a font of the system.
/// What a report says in each language, and the words that it shares with the English one because both languages have them.
const SAID: [(&str, &[&str], &[&str]); 3] = [
    (
        "de",
        &[
            "MRT der Lendenwirbelsäule",
            "Nur für Forschungszwecke. Kein Medizinprodukt.",
            "Schichtabstände von 3,90 bis 4,40 mm",
            "Vom Befunder gemessen: Länge",
            "Sonst wurde in den Bildern nichts beurteilt.",
            "Signiert von A. Muster am 2026-11-24 18:30:00 UTC",
            "1 Grad durch den Befunder geändert",
            "Seite 1 von",
        ],
        &["grade", "grades", "patient"],
    ),
    (
        "es",
        &[
            "RM de columna lumbar",
            "Solo para investigación. No es un producto sanitario.",
            "los cortes distan de 3,90 a 4,40 mm",
            "Medido por el lector: Longitud",
            "No se evaluó nada más en las imágenes.",
            "Firmado por A. Muster el 2026-11-24 18:30:00 UTC",
            "1 grado cambiado por el lector",
        ],
        &["canal", "central", "experimental", "lumbar"],
    ),
    (
        "fr",
        &[
            "IRM du rachis lombaire",
            "Réservé à la recherche. N’est pas un dispositif médical.",
            "les coupes sont espacées de 3,90 à 4,40 mm",
            "Mesuré par le lecteur : Longueur",
            "Rien d’autre n’a été évalué sur les images.",
            "Signé par A. Muster le 2026-11-24 18:30:00 UTC",
            "1 grade modifié par le lecteur",
        ],
        &[
            "angle",
            "canal",
            "classes",
            "grade",
            "grades",
            "image",
            "images",
            "page",
            "patient",
            "percentile",
            "pixels",
            "possible",
            "technique",
            "volume",
        ],
    ),
];

/// Names, which are the same in every language: of people, weights, methods, series and scanners.
const NAMES: [&str; 18] = [
    "backpropagation",
    "contrastive",
    "cpu",
    "detector",
    "excitation",
    "grading",
    "hirescam",
    "muster",
    "pfirrmann",
    "phantom",
    "sag",
    "sha",
    "spinenet",
    "tse",
    "utc",
    "vertebra",
    "viewer",
    "meyerding",
];

#[test]
fn reports_are_written_in_the_chosen_language() {
    let folder = study();
    let at = |name: &str| folder.join(name).to_str().expect("a UTF-8 path").to_owned();
    let mut read = report(&folder.join("report.json"));
    let level = read.discs.last().expect("discs").level;
    assert!(read.set_comment(level, ""));
    read.sign_off = Some(SignOff { reader: "A. Muster".into(), signed_at: "2026-11-24T18:30:00Z".into() });
    read.warn("uneven_slice_spacing", "slices are 3.90 to 4.40 mm apart".to_owned());
    write_reports(&folder.join("read.json"), &[read.into()]).expect("written");
    let words = |language: &str| {
        let pdf = at(&format!("read-{language}.pdf"));
        let (report, study) = (at("read.json"), at("study/dicom"));
        succeed(&[
            "export",
            &report,
            "--study",
            &study,
            "--pdf",
            &pdf,
            "--language",
            language,
            "--evidence",
            "1",
            "--augmentations",
            "1",
        ]);
        let output = Command::new("pdftotext").args([&pdf, "-"]).output().expect("it starts");
        String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    if needs::program("pdftotext", "poppler-utils").is_none() {
        return;
    }
    let vocabulary = |text: &str| -> BTreeSet<String> {
        let words = text.split(|letter: char| !letter.is_alphanumeric());
        let words = words.filter(|word| word.chars().count() > 2 && word.chars().all(char::is_alphabetic));
        words.map(str::to_lowercase).collect()
    };
    let english = vocabulary(&words("en"));
    for (language, said, words_of_both) in SAID {
        let text = words(language);
        for sentence in said {
            assert!(text.contains(sentence), "{sentence} is missing in\n{text}");
        }
        let shared = &vocabulary(&text) & &english;
        let left: Vec<&String> = shared
            .iter()
            .filter(|word| !NAMES.contains(&word.as_str()) && !words_of_both.contains(&word.as_str()))
            .collect();
        assert!(left.is_empty(), "English in the report in {language}: {left:?}\n{text}");
    }
    let objects = at("read-objects");
    succeed(&["export", &at("read.json"), "--study", &at("study/dicom"), "--dicom", &objects, "--language", "de"]);
    let file = Path::new(&objects).join("report-sr.dcm");
    if let Some(mut dsrdump) = needs::program("dsrdump", "dcmtk") {
        let said = dsrdump
            .args(["--print-all-codes", "--print-long-values", "--convert-to-utf8", path(&file)])
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(
            said.contains("(de,RFC5646") && said.contains("Sonst wurde in den Bildern nichts beurteilt."),
            "{said}"
        );
    }
    if let Some(mut dciodvfy) = needs::program("dciodvfy", "dicom3tools") {
        let output = dciodvfy.args(["-new", path(&file)]).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.lines().any(|line| line.starts_with("Error")), "{said}");
    }
    let unknown = spinenet(&["export", &at("read.json"), "--csv", &at("x.csv"), "--language", "tlh"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("choose en, de, es, fr"));
}

#[test]
fn the_pdf_prints_letters_of_other_scripts() {
    let (Some(mut fonts), Some(())) = (needs::program("pdffonts", "poppler-utils"), needs::font("ko")) else { return };
    let folder = study();
    let [file, pdf] = ["korean.json", "korean.pdf"].map(|name| folder.join(name));
    let mut korean = report(&folder.join("report.json"));
    korean.discs[0].comment = Some("추간판 팽윤 (洪)".to_owned());
    write_reports(&file, &[korean.into()]).expect("written");
    let images = folder.join("study/dicom");
    succeed(&["export", path(&file), "--study", path(&images), "--pdf", path(&pdf), "--quiet"]);
    let said = fonts.arg(&pdf).output().expect("it starts");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.lines().skip(2).count() >= 2, "the bundled font and one more:\n{said}");
    let words = Command::new("pdftotext").arg(&pdf).arg("-").output().expect("it starts");
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains("추간판 팽윤 (洪)") && !words.contains("printed as boxes"), "{words}");
}

#[test]
fn other_images_than_the_reports_are_refused() {
    let folder = study();
    let file = folder.join("other.json");
    let mut other = report(&folder.join("report.json"));
    other.sop_instance_uids[0] = "1.2.3".to_owned();
    write_reports(&file, &[other.into()]).expect("written");
    let pdf = folder.join("other.pdf");
    let images = folder.join("study/dicom");
    let arguments = ["export", path(&file), "--study", path(&images), "--pdf", path(&pdf)];
    let output = spinenet(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("these are not the images of the report") && !pdf.exists(), "{said}");
    let usage = spinenet(&["export", path(&file)]);
    assert_eq!(usage.status.code(), Some(2), "nothing to write is wrong usage");
}

#[test]
fn a_research_file_is_graded_like_the_study_it_was_made_from() {
    let folder = exported();
    let file = folder.join("scan.json");
    let scan = folder.join("volumes/scan.nii.gz");
    succeed(&["grade", path(&scan), "--views", "1", "--out", path(&file), "--quiet"]);
    let (from_file, from_dicom) = (report(&file), report(&folder.join("report.json")));
    let grades = |report: &Report| -> Vec<_> {
        let of = |disc: &spinenet_viewer::records::DiscEntry| {
            let gradings = disc.gradings.as_ref().expect("graded");
            (disc.level, gradings.map(|_, entry| entry.grade))
        };
        report.discs.iter().map(of).collect()
    };
    assert_eq!(grades(&from_file), grades(&from_dicom));
    assert!(from_file.warnings.iter().any(|warning| warning.code == "contrast_not_known"));
    let pdf = folder.join("scan.pdf");
    succeed(&["export", path(&file), "--study", path(&scan), "--pdf", path(&pdf), "--quiet"]);
    let objects = folder.join("scan-objects");
    let output = spinenet(&["export", path(&file), "--study", path(&scan), "--dicom", path(&objects)]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("DICOM objects belong to a DICOM study"));
}
