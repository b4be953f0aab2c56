//! MetaImage: a header of lines `Key = Value`, then the voxels or the name of the file that holds them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Component, Path};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use glam::DVec3;

use super::samples::Sample;
use super::{Grid, ResearchError, checked_count};

/// Longest header; real ones have about twenty short lines.
const MAX_HEADER: u64 = 1 << 16;

struct Header(BTreeMap<String, String>);

pub(super) fn read(path: &Path) -> Result<Grid, ResearchError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let (header, header_bytes) = Header::read(&mut reader)?;
    let size: [u64; 3] = header.numbers("DimSize")?.map(|side: f64| side as u64);
    if header.numbers::<1>("NDims")? != [3.0] || header.text("ElementNumberOfChannels").unwrap_or("1") != "1" {
        return Err(ResearchError::Unsupported("an image that is not three-dimensional and single-channel".to_owned()));
    }
    let sample = header.sample()?;
    let count = checked_count(size)?;
    let expected = count * sample.bytes() as u64;
    let compressed = header.is("CompressedData");
    let big_endian = header.is("BinaryDataByteOrderMSB") || header.is("ElementByteOrderMSB");
    if !header.is("BinaryData") && header.text("BinaryData").is_some() {
        return Err(ResearchError::Unsupported("voxels written as text".to_owned()));
    }
    let place = header.text("ElementDataFile").unwrap_or_default();
    let (mut source, length, behind_header) = if place.eq_ignore_ascii_case("LOCAL") {
        (reader, length, header_bytes)
    } else {
        let file = File::open(path.parent().unwrap_or(Path::new("")).join(place_below(place)?))?;
        let length = file.metadata()?.len();
        (BufReader::new(file), length, 0)
    };
    let start = match header.skipped_bytes()? {
        Some(0) => behind_header,
        Some(bytes) => bytes,
        None if compressed => {
            return Err(ResearchError::Unsupported("HeaderSize = -1 of compressed voxels".to_owned()));
        }
        None => length.saturating_sub(expected),
    };
    let there = length.saturating_sub(start);
    if !compressed && there < expected {
        return Err(ResearchError::Truncated { expected, got: there });
    }
    source.seek(SeekFrom::Start(start))?;
    let is_gzip = source.fill_buf()?.starts_with(&[0x1F, 0x8B]);
    let source: Box<dyn Read> = match (compressed, is_gzip) {
        (false, _) => Box::new(source),
        (true, true) => Box::new(MultiGzDecoder::new(source)),
        (true, false) => Box::new(ZlibDecoder::new(source)),
    };
    let values = sample.read(source, count, big_endian)?;
    let steps = header.steps()?;
    let origin = header.first_of(&["Offset", "Position", "Origin"]).unwrap_or([0.0; 3]);
    Ok(Grid { size: size.map(|side| side as usize), steps, origin: DVec3::from_array(origin), values })
}

/// The voxels lie beside the header or below; a name that leads elsewhere is refused.
fn place_below(name: &str) -> Result<&Path, ResearchError> {
    let is_below = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    let is_one_file = !name.contains(['%', '\\']) && !name.eq_ignore_ascii_case("LIST");
    if is_one_file && Path::new(name).file_name().is_some() && Path::new(name).components().all(is_below) {
        return Ok(Path::new(name));
    }
    Err(ResearchError::Unsupported("voxels in several files or outside of the header's folder".to_owned()))
}

impl Header {
    fn read(reader: &mut impl BufRead) -> Result<(Self, u64), ResearchError> {
        let mut fields = BTreeMap::new();
        let mut bytes = 0;
        loop {
            let mut line = Vec::new();
            let read = reader.by_ref().take(MAX_HEADER - bytes).read_until(b'\n', &mut line)? as u64;
            bytes += read;
            let line = String::from_utf8_lossy(&line);
            let Some((key, value)) = line.split_once('=').filter(|_| line.ends_with('\n')) else {
                return Err(Self::broken("a line of its header is not `Key = Value`"));
            };
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            let is_last = key == "ElementDataFile";
            fields.insert(key, value);
            if is_last {
                return Ok((Self(fields), bytes));
            }
        }
    }

    fn broken(reason: impl Into<String>) -> ResearchError {
        ResearchError::Header { format: "MetaImage", reason: reason.into() }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether a value says yes, by its first letter, as other readers see it.
    fn is(&self, key: &str) -> bool {
        self.text(key).is_some_and(|value| value.starts_with(['T', 't', '1']))
    }

    fn numbers<const N: usize>(&self, key: &str) -> Result<[f64; N], ResearchError> {
        let values = self.text(key).unwrap_or_default().split_whitespace().map(str::parse::<f64>);
        let values: Vec<f64> = values.collect::<Result<_, _>>().unwrap_or_default();
        values.try_into().map_err(|_| Self::broken(format!("{key} does not hold {N} numbers")))
    }

    fn first_of<const N: usize>(&self, keys: &[&str]) -> Option<[f64; N]> {
        keys.iter().find_map(|key| self.numbers(key).ok())
    }

    /// Bytes of the file with the voxels that come before them; `None` where the voxels are its last bytes.
    fn skipped_bytes(&self) -> Result<Option<u64>, ResearchError> {
        match self.text("HeaderSize").map(str::parse::<i64>) {
            None => Ok(Some(0)),
            Some(Ok(-1)) => Ok(None),
            Some(Ok(bytes @ 0..)) => Ok(Some(bytes as u64)),
            Some(_) => Err(Self::broken("HeaderSize is no number of bytes")),
        }
    }

    /// Directions of the indices (the rows of the matrix, as ITK writes it) times their spacing.
    fn steps(&self) -> Result<[DVec3; 3], ResearchError> {
        let spacing: [f64; 3] = self
            .first_of(&["ElementSpacing", "ElementSize"])
            .ok_or_else(|| Self::broken("ElementSpacing does not hold 3 numbers"))?;
        let matrix = self
            .first_of(&["TransformMatrix", "Rotation", "Orientation"])
            .unwrap_or([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        Ok(std::array::from_fn(|axis| DVec3::from_slice(&matrix[3 * axis..]) * spacing[axis]))
    }

    fn sample(&self) -> Result<Sample, ResearchError> {
        Ok(match self.text("ElementType").unwrap_or_default() {
            "MET_UCHAR" => Sample::U8,
            "MET_CHAR" => Sample::I8,
            "MET_USHORT" => Sample::U16,
            "MET_SHORT" => Sample::I16,
            // A long of this format has four bytes, whatever the machine's has.
            "MET_UINT" | "MET_ULONG" => Sample::U32,
            "MET_INT" | "MET_LONG" => Sample::I32,
            "MET_ULONG_LONG" => Sample::U64,
            "MET_LONG_LONG" => Sample::I64,
            "MET_FLOAT" => Sample::F32,
            "MET_DOUBLE" => Sample::F64,
            other => return Err(ResearchError::Unsupported(format!("element type \"{other}\""))),
        })
    }
}
