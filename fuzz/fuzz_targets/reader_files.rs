//! What readers leave behind: reports, boxes, reviews. What reads as a file of boxes must read back as written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spinenet_viewer::records::{BoxesFile, ReviewFile, read_reports};

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["a.json", "a.jsonl"] {
        let file = folder.path().join(name);
        std::fs::write(&file, data).expect("written");
        let _ = read_reports(&file);
    }
    let file = folder.path().join("a.json");
    let _ = ReviewFile::read(&file);
    if let Ok(boxes) = BoxesFile::read(&file) {
        boxes.save(&file).expect("saved");
        assert_eq!(BoxesFile::read(&file).expect("reads back"), boxes);
    }
});
