//! NIfTI read into a grid: version 1 and version 2, which has wider numbers in another order. Its world is RAS; the program's is
//! LPS.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use glam::{DMat3, DQuat, DVec3};
use nifti::{Endianness, NiftiHeader};

use super::samples::Sample;
use super::{Grid, ResearchError, checked_count};

/// LPS to RAS and back.
pub(super) const FLIP: DVec3 = DVec3::new(-1.0, -1.0, 1.0);

/// What a header of either version says.
struct Header {
    /// Bytes that it takes.
    bytes: u64,
    is_big_endian: bool,
    /// Number of dimensions, then the sides.
    sides: [i64; 8],
    datatype: i16,
    /// Where the voxels begin.
    offset: f64,
    slope: f64,
    intercept: f64,
    units: u8,
    /// Handedness of the quaternion, then the spacings.
    spacings: [f64; 4],
    has_quaternion: bool,
    has_rows: bool,
    /// The last three parts of the quaternion.
    quaternion: [f64; 3],
    quaternion_origin: [f64; 3],
    /// The affine.
    rows: [[f64; 4]; 3],
}

pub(super) fn read(path: &Path, compressed: bool) -> Result<Grid, ResearchError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut source: Box<dyn Read> =
        if compressed { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(BufReader::new(file)) };
    let header = Header::read(&mut source)?;
    let [dimensions, sides @ ..] = header.sides;
    let used = dimensions.clamp(3, 7) as usize;
    if dimensions < 3 || sides[3..used].iter().any(|side| *side > 1) {
        let advice = "save the volume that you mean as a file of its own";
        return Err(ResearchError::Unsupported(format!("an image of {dimensions} dimensions ({advice})")));
    }
    let size: [u64; 3] = std::array::from_fn(|axis| u64::try_from(sides[axis]).unwrap_or(0));
    let count = checked_count(size)?;
    let sample = sample(header.datatype)?;
    let offset = header.offset;
    if !(offset >= header.bytes as f64 && offset < 1e9) {
        return Err(broken(format!("voxels cannot begin at byte {offset}")));
    }
    let expected = count * sample.bytes() as u64;
    if !compressed && length < offset as u64 + expected {
        return Err(ResearchError::Truncated { expected, got: length.saturating_sub(offset as u64) });
    }
    // Extensions between header and voxels are passed over.
    std::io::copy(&mut source.by_ref().take(offset as u64 - header.bytes), &mut std::io::sink())?;
    let mut values = sample.read(source, count, header.is_big_endian)?;
    if header.slope != 0.0 && header.slope.is_finite() {
        let intercept = if header.intercept.is_finite() { header.intercept } else { 0.0 };
        for value in &mut values {
            *value = *value * header.slope as f32 + intercept as f32;
        }
    }
    let (steps, origin) = header.placement();
    let to_lps_mm = FLIP * millimeters(header.units);
    let steps = steps.map(|step| step * to_lps_mm);
    Ok(Grid { size: size.map(|side| side as usize), steps, origin: origin * to_lps_mm, values })
}

fn broken(reason: String) -> ResearchError {
    ResearchError::Header { format: "NIfTI", reason }
}

impl Header {
    /// Reads the header of the version that its size, the first number of the file, tells.
    fn read(source: &mut impl Read) -> Result<Self, ResearchError> {
        let mut size = [0; 4];
        source.read_exact(&mut size)?;
        let is_second = |size: i32| size as usize == SecondVersion::BYTES;
        let is_big_endian = is_second(i32::from_be_bytes(size));
        if is_big_endian || is_second(i32::from_le_bytes(size)) {
            let mut bytes = [0; SecondVersion::BYTES];
            source.read_exact(&mut bytes[4..])?;
            return SecondVersion { bytes, is_big_endian }.header();
        }
        let header = NiftiHeader::from_reader(size.chain(source)).map_err(|error| broken(error.to_string()))?;
        let row = |row: [f32; 4]| row.map(f64::from);
        Ok(Self {
            bytes: 348,
            is_big_endian: header.endianness == Endianness::Big,
            sides: header.dim.map(i64::from),
            datatype: header.datatype,
            offset: header.vox_offset.into(),
            slope: header.scl_slope.into(),
            intercept: header.scl_inter.into(),
            units: header.xyzt_units,
            spacings: std::array::from_fn(|axis| header.pixdim[axis].into()),
            has_quaternion: header.qform_code > 0,
            has_rows: header.sform_code > 0,
            quaternion: [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from),
            quaternion_origin: [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from),
            rows: [row(header.srow_x), row(header.srow_y), row(header.srow_z)],
        })
    }

    /// Steps of the indices and position of the first voxel, RAS: sform before qform before spacings alone, as the format
    /// says (nifti1.h, methods 3, 2 and 1). An sform without steps is a code that somebody set and forgot.
    fn placement(&self) -> ([DVec3; 3], DVec3) {
        let [handedness, spacing @ ..] = self.spacings;
        let spacing = spacing.map(f64::abs);
        let column = |column: usize| DVec3::from_array(self.rows.map(|row| row[column]));
        let steps = [column(0), column(1), column(2)];
        if self.has_rows && steps != [DVec3::ZERO; 3] {
            return (steps, column(3));
        }
        if self.has_quaternion {
            let [b, c, d] = self.quaternion;
            let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
            let rotation = DMat3::from_quat(DQuat::from_xyzw(b, c, d, a).normalize());
            let third = if handedness < 0.0 { -1.0 } else { 1.0 };
            let steps =
                [rotation.x_axis * spacing[0], rotation.y_axis * spacing[1], rotation.z_axis * (spacing[2] * third)];
            return (steps, DVec3::from_array(self.quaternion_origin));
        }
        ([DVec3::X * spacing[0], DVec3::Y * spacing[1], DVec3::Z * spacing[2]], DVec3::ZERO)
    }
}

/// The header of NIfTI-2, whose numbers stand where nifti2.h says.
struct SecondVersion {
    bytes: [u8; Self::BYTES],
    is_big_endian: bool,
}

impl SecondVersion {
    const BYTES: usize = 540;

    fn header(&self) -> Result<Header, ResearchError> {
        if self.bytes[4..8] != *b"n+2\0" {
            return Err(broken("its voxels are not in the file, or it is damaged".to_owned()));
        }
        Ok(Header {
            bytes: Self::BYTES as u64,
            is_big_endian: self.is_big_endian,
            sides: self.each(16, i64::from_le_bytes),
            datatype: i16::from_le_bytes(self.at(12)),
            offset: i64::from_le_bytes(self.at(168)) as f64,
            slope: f64::from_le_bytes(self.at(176)),
            intercept: f64::from_le_bytes(self.at(184)),
            units: self.integer(500) as u8,
            spacings: self.each(104, f64::from_le_bytes),
            has_quaternion: self.integer(344) > 0,
            has_rows: self.integer(348) > 0,
            quaternion: self.each(352, f64::from_le_bytes),
            quaternion_origin: self.each(376, f64::from_le_bytes),
            rows: [400, 432, 464].map(|start| self.each(start, f64::from_le_bytes)),
        })
    }

    /// Bytes from `start`, the lowest first.
    fn at<const N: usize>(&self, start: usize) -> [u8; N] {
        let mut bytes: [u8; N] = std::array::from_fn(|index| self.bytes[start + index]);
        if self.is_big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn integer(&self, start: usize) -> i32 {
        i32::from_le_bytes(self.at(start))
    }

    /// Numbers of eight bytes from `start` on.
    fn each<T, const N: usize>(&self, start: usize, number: impl Fn([u8; 8]) -> T) -> [T; N] {
        std::array::from_fn(|index| number(self.at(start + 8 * index)))
    }
}

/// Length of the file's unit; where it names none, everybody takes millimeters.
fn millimeters(units: u8) -> f64 {
    match units & 7 {
        1 => 1e3,
        3 => 1e-3,
        _ => 1.0,
    }
}

fn sample(datatype: i16) -> Result<Sample, ResearchError> {
    Ok(match datatype {
        2 => Sample::U8,
        4 => Sample::I16,
        8 => Sample::I32,
        16 => Sample::F32,
        64 => Sample::F64,
        256 => Sample::I8,
        512 => Sample::U16,
        768 => Sample::U32,
        1024 => Sample::I64,
        1280 => Sample::U64,
        other => return Err(ResearchError::Unsupported(format!("data type {other}"))),
    })
}
