//! NIfTI and MetaImage files, also compressed ones.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spinenet_viewer::research::read_volume;

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["a.nii", "a.nii.gz", "a.mha"] {
        let file = folder.path().join(name);
        std::fs::write(&file, data).expect("written");
        let _ = read_volume(&file);
    }
});
