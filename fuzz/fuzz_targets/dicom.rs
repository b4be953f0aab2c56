//! One file as a study: header, geometry, and every decoder of pixels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spinenet_viewer::dicom::{load_series, scan_folder};
use spinenet_viewer::task::CancelToken;

fuzz_target!(
    init: {
        // Panics inside codecs of others are caught and become refusals; only those that come through end the fuzzer.
        std::panic::set_hook(Box::new(|_| ()));
    },
    |data: &[u8]| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("image.dcm");
        std::fs::write(&file, data).expect("written");
        let token = CancelToken::default();
        let Ok(scan) = scan_folder(&file, &token, &mut |_| ()) else { return };
        for series in &scan.series {
            let _ = load_series(series, &token, &mut |_| ());
        }
    }
);
