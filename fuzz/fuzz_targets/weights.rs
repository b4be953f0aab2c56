//! A folder of weights: the input is the metadata, a zero byte, and the tensors.
#![no_main]

use candle_core::Device;
use libfuzzer_sys::fuzz_target;
use spinenet_viewer::model::detector::DetectorConfig;
use spinenet_viewer::model::{GradingConfig, WeightsFolder};

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut parts = data.splitn(2, |byte| *byte == 0);
    for name in ["metadata.json", "model.safetensors"] {
        std::fs::write(folder.path().join(name), parts.next().unwrap_or_default()).expect("written");
    }
    let Ok(weights) = WeightsFolder::open(folder.path()) else { return };
    let _ = weights.load::<GradingConfig>(&Device::Cpu);
    let _ = weights.load::<DetectorConfig>(&Device::Cpu);
});
