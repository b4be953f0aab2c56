//! NIfTI-1 read into a grid. Its world is RAS; the program's is LPS.

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
const HEADER_BYTES: u64 = 348;
/// How a NIfTI-2 file begins: the size of its header, 540, low or high byte first.
const NIFTI_2_BYTES: [[u8; 4]; 2] = [540_i32.to_le_bytes(), 540_i32.to_be_bytes()];

pub(super) fn read(path: &Path, compressed: bool) -> Result<Grid, ResearchError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut source: Box<dyn Read> =
        if compressed { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(BufReader::new(file)) };
    let broken = |reason: String| ResearchError::Header { format: "NIfTI", reason };
    let mut size = [0; 4];
    source.read_exact(&mut size)?;
    if NIFTI_2_BYTES.contains(&size) {
        return Err(ResearchError::Unsupported("NIfTI-2 (convert the file to NIfTI-1)".to_owned()));
    }
    let mut source = size.chain(source);
    let header = NiftiHeader::from_reader(&mut source).map_err(|error| broken(error.to_string()))?;
    let sides = usize::from(header.dim[0].clamp(3, 7));
    if header.dim[0] < 3 || header.dim[4..=sides].iter().any(|side| *side > 1) {
        let advice = "save the volume that you mean as a file of its own";
        return Err(ResearchError::Unsupported(format!("an image of {} dimensions ({advice})", header.dim[0])));
    }
    let size: [u64; 3] = std::array::from_fn(|axis| u64::from(header.dim[axis + 1]));
    let count = checked_count(size)?;
    let sample = sample(header.datatype)?;
    let offset = header.vox_offset;
    if !(offset >= HEADER_BYTES as f32 && offset < 1e9) {
        return Err(broken(format!("voxels cannot begin at byte {offset}")));
    }
    let expected = count * sample.bytes() as u64;
    if !compressed && length < offset as u64 + expected {
        return Err(ResearchError::Truncated { expected, got: length.saturating_sub(offset as u64) });
    }
    // Extensions between header and voxels are passed over.
    std::io::copy(&mut source.by_ref().take(offset as u64 - HEADER_BYTES), &mut std::io::sink())?;
    let mut values = sample.read(source, count, header.endianness == Endianness::Big)?;
    if header.scl_slope != 0.0 && header.scl_slope.is_finite() {
        let intercept = if header.scl_inter.is_finite() { header.scl_inter } else { 0.0 };
        for value in &mut values {
            *value = *value * header.scl_slope + intercept;
        }
    }
    let (steps, origin) = placement(&header);
    let to_lps_mm = FLIP * millimeters(header.xyzt_units);
    let steps = steps.map(|step| step * to_lps_mm);
    Ok(Grid { size: size.map(|side| side as usize), steps, origin: origin * to_lps_mm, values })
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

/// Steps of the indices and position of the first voxel, RAS: sform before qform before spacings alone, as the format
/// says (nifti1.h, methods 3, 2 and 1). An sform without steps is a code that somebody set and forgot.
fn placement(header: &NiftiHeader) -> ([DVec3; 3], DVec3) {
    let row = |row: [f32; 4]| row.map(f64::from);
    let spacing: [f64; 3] = std::array::from_fn(|axis| f64::from(header.pixdim[axis + 1]).abs());
    let rows = [row(header.srow_x), row(header.srow_y), row(header.srow_z)];
    let column = |column: usize| DVec3::new(rows[0][column], rows[1][column], rows[2][column]);
    let steps = [column(0), column(1), column(2)];
    if header.sform_code > 0 && steps != [DVec3::ZERO; 3] {
        return (steps, column(3));
    }
    if header.qform_code > 0 {
        let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
        let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
        let rotation = DMat3::from_quat(DQuat::from_xyzw(b, c, d, a).normalize());
        let third = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let steps =
            [rotation.x_axis * spacing[0], rotation.y_axis * spacing[1], rotation.z_axis * (spacing[2] * third)];
        let [x, y, z] = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
        return (steps, DVec3::new(x, y, z));
    }
    ([DVec3::X * spacing[0], DVec3::Y * spacing[1], DVec3::Z * spacing[2]], DVec3::ZERO)
}
