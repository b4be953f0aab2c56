//! Weights on disk: `<folder>/<name>-<major.minor.patch>/{metadata.json, model.safetensors}`.
//!
//! `metadata.json` has the keys of the MONAI bundle specification and those that make a result traceable: architecture
//! and its sizes, SHA-256 and length of the tensors' file, how they were trained and on whose data. Before use they are
//! checked in this order: the metadata parses, the architecture is the wanted one, length and SHA-256 are right, every
//! tensor is there in its shape and none is left over. Nothing is ever downloaded.

mod error;
mod prevalence;
mod search;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::files::{PathError, sha256, write_whole};
use crate::memory;

pub(crate) use error::WeightsError;
pub(crate) use search::{find_weights, list_weights, weights_search_path};

const METADATA_FILE: &str = "metadata.json";
const TENSOR_FILE: &str = "model.safetensors";

/// Metadata above this many bytes is not read.
const LARGEST_METADATA: u64 = 1 << 20;

/// Sizes of a network that decide its tensors.
pub trait Architecture: Serialize + DeserializeOwned {
    /// Names and versions that the metadata may say.
    const NAMES: &'static [&'static str];

    /// The one of [`Self::NAMES`] that these sizes are of.
    fn name(&self) -> &'static str {
        Self::NAMES[0]
    }

    /// Name and shape of every tensor.
    fn tensors(&self) -> Vec<(String, Vec<usize>)>;
}

/// Key of [`Training::results`] under which grading weights say which gradings must not be relied on, and why.
pub(crate) const EXPERIMENTAL_GRADINGS: &str = "experimental_gradings";

/// Key of [`Training::results`] under which grading weights keep the calibration that is part of them; missing or `null` where
/// their probabilities are not calibrated.
pub(crate) const CALIBRATION: &str = "calibration";

/// How weights were made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Data sets, with the part used.
    pub data: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Command that trains them again.
    pub command: String,
    /// What was measured, on what: any numbers that matter for this network.
    pub results: serde_json::Value,
}

/// Content of `metadata.json`: MONAI bundle keys first, then ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WeightsMetadata {
    /// major.minor.patch
    pub version: String,
    /// What changed, per version.
    #[serde(default)]
    pub changelog: BTreeMap<String, String>,
    /// Name of the weights; folder names start with it.
    pub name: String,
    /// What the network does, in one line.
    pub task: String,
    /// What it is, in a few sentences.
    pub description: String,
    /// Who made it.
    #[serde(default)]
    pub authors: String,
    /// Copyright and license of the weights.
    #[serde(default)]
    pub copyright: String,
    /// What it may be used for.
    #[serde(default)]
    pub intended_use: String,
    /// Data it was trained on.
    #[serde(default)]
    pub data_source: String,
    #[serde(default)]
    pub references: Vec<String>,
    /// Measured quality by name of the measure.
    #[serde(default)]
    pub eval_metrics: BTreeMap<String, f64>,
    /// Inputs and outputs, after MONAI's scheme.
    #[serde(default)]
    pub network_data_format: serde_json::Value,
    /// [`Architecture::name`]; filled in by [`save_weights`].
    pub architecture: String,
    /// The architecture's sizes; filled in by [`save_weights`].
    pub config: serde_json::Value,
    /// SHA-256 of `model.safetensors` in lower-case hexadecimal digits; filled in by [`save_weights`].
    pub sha256: String,
    /// Length of `model.safetensors`; filled in by [`save_weights`].
    pub bytes: u64,
    /// How it was made.
    pub training: Training,
    /// Of grading weights: how maps of a grading are best made and how good they are, as `saliency::EvidenceDefaults` reads it.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub evidence: serde_json::Value,
    /// Credits that the data's licenses ask for.
    #[serde(default)]
    pub attribution: Vec<String>,
}

/// Names the weights in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsInfo {
    pub name: String,
    /// major.minor.patch
    pub version: String,
    /// SHA-256 of the tensors' file.
    pub sha256: String,
}

/// A folder with weights whose metadata parses; the tensors are not yet read.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightsFolder {
    /// The folder.
    pub path: PathBuf,
    /// What it says about itself.
    pub metadata: WeightsMetadata,
}

/// Checked weights.
#[derive(Debug, Clone)]
pub struct LoadedWeights<A> {
    /// Sizes of the network.
    pub config: A,
    /// Tensors by name, `f32`, on the device asked for.
    pub tensors: HashMap<String, Tensor>,
    /// Name, version and hash.
    pub info: WeightsInfo,
}

impl WeightsFolder {
    /// Reads the metadata of a folder.
    ///
    /// # Errors
    /// If it cannot be read or does not parse.
    pub fn open(folder: &Path) -> Result<Self, WeightsError> {
        let path = folder.join(METADATA_FILE);
        let invalid = |reason: String| WeightsError::Metadata { reason, path: path.clone() };
        let file = File::open(&path).map_err(file_error(&path))?;
        let mut text = String::new();
        file.take(LARGEST_METADATA).read_to_string(&mut text).map_err(file_error(&path))?;
        let metadata: WeightsMetadata = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        if version_numbers(&metadata.version).is_none() {
            return Err(invalid(format!("version \"{}\" is not major.minor.patch", metadata.version)));
        }
        Ok(Self { path: folder.to_owned(), metadata })
    }

    /// Name, version and hash.
    #[must_use]
    pub(crate) fn info(&self) -> WeightsInfo {
        let WeightsMetadata { name, version, sha256, .. } = self.metadata.clone();
        WeightsInfo { name, version, sha256 }
    }

    /// The block `evidence` of the metadata; nothing where they have none.
    ///
    /// # Errors
    /// If it is not of that form.
    pub(crate) fn evidence<T: DeserializeOwned + Default>(&self) -> Result<T, WeightsError> {
        if self.metadata.evidence.is_null() {
            return Ok(T::default());
        }
        T::deserialize(&self.metadata.evidence).map_err(|error| WeightsError::Metadata {
            reason: format!("evidence: {error}"),
            path: self.path.join(METADATA_FILE),
        })
    }

    /// Replaces the block `evidence` of the metadata, which says nothing of the tensors, on disk too.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn set_evidence(&mut self, evidence: serde_json::Value) -> Result<(), WeightsError> {
        self.metadata.evidence = evidence;
        write_metadata(&self.metadata, &self.path.join(METADATA_FILE))
    }

    /// Checks everything and puts the tensors on `device` as `f32`.
    ///
    /// # Errors
    /// The first check that fails, in the order the module names.
    pub fn load<A: Architecture>(&self, device: &Device) -> Result<LoadedWeights<A>, WeightsError> {
        let config = self.config::<A>()?;
        self.check_memory(&config)?;
        let bytes = self.tensor_bytes()?;
        let path = self.path.join(TENSOR_FILE);
        let format = |reason: String| WeightsError::Format { reason, path: path.clone() };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| format(error.to_string()))?;
        let expected: BTreeMap<String, Vec<usize>> = config.tensors().into_iter().collect();
        check_tensors(&file, &expected, &path)?;
        let mut tensors = HashMap::new();
        for (name, view) in file.tensors() {
            let dtype = if view.dtype() == Dtype::F16 { DType::F16 } else { DType::F32 };
            let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
            tensors.insert(name, tensor.to_dtype(DType::F32)?.to_device(device)?);
        }
        Ok(LoadedWeights { config, tensors, info: self.info() })
    }

    /// Refuses what would not fit before any of it is read: the file, and every tensor as `f32`.
    fn check_memory<A: Architecture>(&self, config: &A) -> Result<(), WeightsError> {
        let numbers = |(_, shape): &(String, Vec<usize>)| shape.iter().map(|size| *size as u64).product::<u64>();
        let needed = self.metadata.bytes.saturating_add(4 * config.tensors().iter().map(numbers).sum::<u64>());
        memory::check(needed).map_err(|source| WeightsError::Memory { source, path: self.path.clone() })
    }

    fn config<A: Architecture>(&self) -> Result<A, WeightsError> {
        let other = |expected: String| {
            let (got, path) = (self.metadata.architecture.clone(), self.path.clone());
            Err(WeightsError::Architecture { got, expected, path })
        };
        if !A::NAMES.contains(&self.metadata.architecture.as_str()) {
            return other(A::NAMES.join(" or "));
        }
        let config: A = serde_json::from_value(self.metadata.config.clone()).map_err(|error| {
            WeightsError::Metadata { reason: format!("config: {error}"), path: self.path.join(METADATA_FILE) }
        })?;
        if config.name() == self.metadata.architecture { Ok(config) } else { other(config.name().to_owned()) }
    }

    /// The tensors' file, with the length and hash that the metadata says.
    fn tensor_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        let path = self.path.join(TENSOR_FILE);
        let (expected, got) = (self.metadata.bytes, fs::metadata(&path).map_err(file_error(&path))?.len());
        if got != expected {
            return Err(WeightsError::Length { expected, got, path });
        }
        let bytes = fs::read(&path).map_err(file_error(&path))?;
        let got = sha256([&bytes]);
        if got != self.metadata.sha256 {
            return Err(WeightsError::Hash { expected: self.metadata.sha256.clone(), got, path });
        }
        Ok(bytes)
    }
}

fn check_tensors(file: &SafeTensors, expected: &BTreeMap<String, Vec<usize>>, path: &Path) -> Result<(), WeightsError> {
    for (name, shape) in expected {
        let (name, path) = (name.clone(), path.to_owned());
        let Ok(view) = file.tensor(&name) else {
            return Err(WeightsError::MissingTensor { name, path });
        };
        if view.shape() != shape || !matches!(view.dtype(), Dtype::F16 | Dtype::F32) {
            let got = format!("{:?} of {:?}", view.shape(), view.dtype());
            return Err(WeightsError::Shape { name, expected: shape.clone(), got, path });
        }
    }
    let mut names: Vec<&str> = file.names().into_iter().collect();
    names.sort_unstable();
    match names.into_iter().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(WeightsError::UnexpectedTensor { name: name.to_owned(), path: path.to_owned() }),
        None => Ok(()),
    }
}

/// Writes `<folder>/<name>-<version>/` with `tensors` (as f16 if `half`) and `metadata`, whose architecture, config,
/// length and hash are filled in.
///
/// # Errors
/// If the version is not major.minor.patch, the tensors are not those of `config`, or a file cannot be written.
#[allow(clippy::implicit_hasher, reason = "Candle's own maps of tensors use the default")]
pub fn save_weights<A: Architecture>(
    folder: &Path,
    config: &A,
    metadata: WeightsMetadata,
    tensors: &HashMap<String, Tensor>,
    half: bool,
) -> Result<WeightsFolder, WeightsError> {
    let path = folder.join(format!("{}-{}", metadata.name, metadata.version));
    let (tensor_path, metadata_path) = (path.join(TENSOR_FILE), path.join(METADATA_FILE));
    let invalid = |reason: String| WeightsError::Metadata { reason, path: metadata_path.clone() };
    if version_numbers(&metadata.version).is_none() {
        return Err(invalid(format!("version \"{}\" is not major.minor.patch", metadata.version)));
    }
    fs::create_dir_all(&path).map_err(file_error(&path))?;
    let dtype = if half { DType::F16 } else { DType::F32 };
    let converted: HashMap<String, Tensor> = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), tensor.to_device(&Device::Cpu)?.to_dtype(dtype)?.contiguous()?)))
        .collect::<candle_core::Result<_>>()?;
    candle_core::safetensors::save(&converted, &tensor_path)?;
    let bytes = fs::read(&tensor_path).map_err(file_error(&tensor_path))?;
    let metadata = WeightsMetadata {
        architecture: config.name().to_owned(),
        config: serde_json::to_value(config).map_err(|error| invalid(error.to_string()))?,
        sha256: sha256([&bytes]),
        bytes: bytes.len() as u64,
        ..metadata
    };
    write_metadata(&metadata, &metadata_path)?;
    let saved = WeightsFolder::open(&path)?;
    saved.load::<A>(&Device::Cpu)?;
    Ok(saved)
}

fn write_metadata(metadata: &WeightsMetadata, path: &Path) -> Result<(), WeightsError> {
    let text = serde_json::to_string_pretty(metadata)
        .map_err(|error| WeightsError::Metadata { reason: error.to_string(), path: path.to_owned() })?;
    write_whole(path, (text + "\n").as_bytes()).map_err(file_error(path))
}

fn version_numbers(version: &str) -> Option<[u64; 3]> {
    let numbers: Vec<u64> = version.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> WeightsError {
    let path = path.to_owned();
    move |source| PathError::at(&path)(source).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Pair {
        width: usize,
    }

    impl Architecture for Pair {
        const NAMES: &'static [&'static str] = &["pair/1"];

        fn tensors(&self) -> Vec<(String, Vec<usize>)> {
            vec![("a.weight".to_owned(), vec![self.width, 3]), ("a.bias".to_owned(), vec![self.width])]
        }
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Other {}

    impl Architecture for Other {
        const NAMES: &'static [&'static str] = &["other/1"];

        fn tensors(&self) -> Vec<(String, Vec<usize>)> {
            Vec::new()
        }
    }

    fn metadata(version: &str) -> WeightsMetadata {
        WeightsMetadata { name: "pair".to_owned(), version: version.to_owned(), ..WeightsMetadata::default() }
    }

    fn tensors(width: usize) -> HashMap<String, Tensor> {
        let range = |shape: &[usize]| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| 0.5 + i as f32).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).expect("matching size")
        };
        HashMap::from([("a.weight".to_owned(), range(&[width, 3])), ("a.bias".to_owned(), range(&[width]))])
    }

    fn saved(folder: &Path, version: &str) -> WeightsFolder {
        save_weights(folder, &Pair { width: 2 }, metadata(version), &tensors(2), true).expect("writable folder")
    }

    /// Writes `tensors` into `folder` and makes length and hash fit.
    fn replace(folder: &mut WeightsFolder, tensors: &HashMap<String, Tensor>) {
        let path = folder.path.join(TENSOR_FILE);
        candle_core::safetensors::save(tensors, &path).expect("writable");
        let bytes = fs::read(path).expect("readable");
        (folder.metadata.bytes, folder.metadata.sha256) = (bytes.len() as u64, sha256([&bytes]));
    }

    #[test]
    fn weights_come_back_as_saved_and_the_newest_is_found() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for version in ["0.9.0", "0.10.0", "0.2.11"] {
            saved(folder.path(), version);
        }
        let found = find_weights("pair", Some(folder.path())).expect("three versions");
        assert_eq!(found.metadata.version, "0.10.0");
        assert_eq!(find_weights("pair", Some(&found.path)).expect("the folder itself"), found);
        let loaded = found.load::<Pair>(&Device::Cpu).expect("intact");
        assert_eq!((loaded.config, loaded.info), (Pair { width: 2 }, found.info()));
        assert_eq!(loaded.tensors["a.bias"].to_vec1::<f32>().expect("f32"), [0.5, 1.5]);
        assert_eq!(list_weights(folder.path()).len(), 3);
        let missing = find_weights("triple", Some(folder.path()));
        assert!(matches!(missing, Err(WeightsError::NotFound { .. })), "{missing:?}");
    }

    #[test]
    fn every_damage_has_its_own_error() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let load = |weights: &WeightsFolder| weights.load::<Pair>(&Device::Cpu).map(|_| ()).expect_err("damaged");
        let intact = saved(folder.path(), "1.0.0");

        let mut weights = intact.clone();
        weights.metadata.config = serde_json::json!({"height": 2});
        assert!(matches!(load(&weights), WeightsError::Metadata { .. }));
        let other = weights.load::<Other>(&Device::Cpu).map(|_| ()).expect_err("another architecture");
        assert!(matches!(other, WeightsError::Architecture { expected, .. } if expected == "other/1"));

        let path = intact.path.join(TENSOR_FILE);
        let bytes = fs::read(&path).expect("readable");
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("writable");
        assert!(matches!(load(&intact), WeightsError::Length { .. }));
        let mut flipped = bytes.clone();
        *flipped.last_mut().expect("not empty") ^= 1;
        fs::write(&path, &flipped).expect("writable");
        assert!(matches!(load(&intact), WeightsError::Hash { .. }));
        fs::write(&path, b"no tensors").expect("writable");
        let mut weights = intact.clone();
        (weights.metadata.bytes, weights.metadata.sha256) = (10, sha256([b"no tensors"]));
        assert!(matches!(load(&weights), WeightsError::Format { .. }));

        let mut fewer = tensors(2);
        fewer.remove("a.bias");
        replace(&mut weights, &fewer);
        assert!(matches!(load(&weights), WeightsError::MissingTensor { name, .. } if name == "a.bias"));
        let mut more = tensors(2);
        more.insert("b".to_owned(), more["a.bias"].clone());
        replace(&mut weights, &more);
        assert!(matches!(load(&weights), WeightsError::UnexpectedTensor { name, .. } if name == "b"));
        replace(&mut weights, &tensors(3));
        assert!(matches!(load(&weights), WeightsError::Shape { name, .. } if name == "a.bias"));
        let mut integers = tensors(2);
        let bias = integers["a.bias"].to_dtype(DType::U32).expect("small");
        integers.insert("a.bias".to_owned(), bias);
        replace(&mut weights, &integers);
        assert!(matches!(load(&weights), WeightsError::Shape { .. }));
        fs::remove_file(&path).expect("there");
        assert!(matches!(load(&weights), WeightsError::File(_)));
    }

    #[test]
    fn a_network_larger_than_memory_is_refused_before_it_is_read() {
        use crate::model::{Dimensions, GradingConfig};
        let config = GradingConfig { fully_connected: 1 << 21, ..GradingConfig::paper(Dimensions::ThreeUnreduced) };
        let metadata = WeightsMetadata {
            name: "huge".to_owned(),
            version: "1.0.0".to_owned(),
            architecture: config.name().to_owned(),
            config: serde_json::to_value(&config).expect("JSON"),
            ..WeightsMetadata::default()
        };
        // There is no file of tensors; it is not even looked for.
        let folder = WeightsFolder { path: PathBuf::from("huge-1.0.0"), metadata };
        let refused = folder.load::<GradingConfig>(&Device::Cpu).map(|_| ()).expect_err("terabytes");
        assert!(matches!(refused, WeightsError::Memory { .. }), "{refused}");
        let refused = crate::causes::with_causes(&refused);
        assert!(refused.contains("GiB of memory are needed"), "{refused}");
    }

    #[test]
    fn broken_metadata_is_named_and_wrong_tensors_are_not_saved() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let weights = saved(folder.path(), "1.0.0");
        fs::write(weights.path.join(METADATA_FILE), "{\"name\": \"pair\"").expect("writable");
        let broken = find_weights("pair", Some(folder.path()));
        assert!(matches!(broken, Err(WeightsError::Metadata { .. })), "{broken:?}");
        let save = |metadata, tensors: &HashMap<String, Tensor>| {
            save_weights(folder.path(), &Pair { width: 2 }, metadata, tensors, false)
        };
        assert!(matches!(save(metadata("1.0"), &tensors(2)), Err(WeightsError::Metadata { .. })));
        assert!(matches!(save(metadata("2.0.0"), &tensors(3)), Err(WeightsError::Shape { .. })));
    }
}
