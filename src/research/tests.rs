use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use glam::DVec3;

use super::*;
use crate::volume::VolumeGeometry;

/// What SimpleITK 2.5 writes and says:
/// ```python
/// v = np.fromfunction(lambda k, j, i: i + 10 * j + 100 * k, (5, 3, 4)).astype(np.int16)
/// im = sitk.GetImageFromArray(v); im.SetSpacing((0.8, 0.5, 4.0)); im.SetOrigin((12.0, -60.0, 90.0))
/// c, s = math.cos(0.2), math.sin(0.2)  # i points forward, j up, k left, turned about the left-right axis
/// im.SetDirection([0, 0, 1, -c, -s, 0, -s, c, 0])
/// sitk.WriteImage(im, "small.mha")
/// for index in ((0, 0, 0), (3, 2, 4), (1, 2, 3)): print(im[index], im.TransformIndexToPhysicalPoint(index))
/// ```
const PLACES: [(f32, [f64; 3]); 3] = [
    (0.0, [12.0, -60.0, 90.0]),
    (423.0, [28.0, -62.550_829_117_614_04, 90.503_260_183_933_1]),
    (321.0, [24.0, -60.982_722_593_068_054, 90.821_131_113_205_2]),
];

fn samples() -> Vec<u8> {
    let value = |at: usize| (at % 4 + 10 * (at / 4 % 3) + 100 * (at / 12)) as i16;
    (0..60).flat_map(|at| value(at).to_le_bytes()).collect()
}

fn header(change: (&str, &str)) -> String {
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n\
     TransformMatrix = 0 -0.98006657784124163 -0.19866933079506122 0 -0.19866933079506122 0.98006657784124163 1 0 0\n\
     Offset = 12 -60 90\nCenterOfRotation = 0 0 0\nAnatomicalOrientation = PIR\n\
     ElementSpacing = 0.80000000000000004 0.5 4\nDimSize = 4 3 5\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
        .replace(change.0, change.1)
}

fn written(folder: &Path, name: &str, header: &[u8], voxels: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, [header, voxels].concat()).expect("writable");
    path
}

/// Every place holds its value, and the slices are sagittal as a scanner writes them.
fn check(volume: &Volume) {
    assert_eq!(volume.shape(), [5, 3, 4]);
    let geometry = volume.geometry();
    assert!(geometry.column_direction().y > 0.9 && geometry.row_direction().z < -0.9 && geometry.normal().x < -0.9);
    assert!((geometry.row_spacing_mm() - 0.5).abs() < 1e-6 && (geometry.column_spacing_mm() - 0.8).abs() < 1e-6);
    for (value, place) in PLACES {
        let [slice, row, column] = geometry.voxel_from_lps(DVec3::from_array(place));
        let near = |index: f64| (index - index.round()).abs() < 1e-4;
        assert!(near(slice) && near(row) && near(column), "{slice} {row} {column}");
        let found = volume.slice(slice.round() as usize)[row.round() as usize * 4 + column.round() as usize];
        assert_eq!(found, value);
    }
}

#[test]
fn meta_images_lie_where_itk_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = header(("", ""));
    check(&read_volume(&written(folder.path(), "a.mha", plain.as_bytes(), &samples())).expect("readable"));
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&samples()).expect("to memory");
    let compressed = header(("CompressedData = False", "CompressedData = True"));
    let path = written(folder.path(), "b.mha", compressed.as_bytes(), &packed.finish().expect("to memory"));
    check(&read_volume(&path).expect("readable"));
    let big: Vec<u8> = samples().as_chunks::<2>().0.iter().flat_map(|[low, high]| [*high, *low]).collect();
    let swapped = header(("OrderMSB = False", "OrderMSB = True"));
    check(&read_volume(&written(folder.path(), "c.mha", swapped.as_bytes(), &big)).expect("readable"));
    written(folder.path(), "d.raw", &[], &samples());
    fs::create_dir(folder.path().join("raw")).expect("a folder");
    written(folder.path(), "raw/d.raw", &[], &samples());
    for place in ["d.raw", "./d.raw", "raw/d.raw"] {
        let beside = header(("LOCAL", place));
        check(&read_volume(&written(folder.path(), "d.mhd", beside.as_bytes(), &[])).expect("readable"));
    }
    for yes in ["true", "T", "1"] {
        let swapped = header(("OrderMSB = False", &format!("OrderMSB = {yes}")));
        check(&read_volume(&written(folder.path(), "e.mha", swapped.as_bytes(), &big)).expect("readable"));
    }
}

#[test]
fn meta_images_wrap_voxels_of_other_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let foreign = [vec![7; 128], samples()].concat();
    written(folder.path(), "foreign.raw", &[], &foreign);
    for size in ["128", "-1"] {
        let text = header(("ElementDataFile = LOCAL", &format!("HeaderSize = {size}\nElementDataFile = foreign.raw")));
        check(&read_volume(&written(folder.path(), "a.mhd", text.as_bytes(), &[])).expect("readable"));
    }
    let text = header(("ElementDataFile = LOCAL", "HeaderSize = 200\nElementDataFile = foreign.raw"));
    let refused = read_volume(&written(folder.path(), "b.mhd", text.as_bytes(), &[])).expect_err("too short");
    assert!(refused.to_string().contains("expected 120 bytes of voxels, got 48"), "{refused}");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&samples()).expect("to memory");
    let compressed = header(("CompressedData = False", "CompressedData = True"));
    let path = written(folder.path(), "c.mha", compressed.as_bytes(), &packed.finish().expect("to memory"));
    check(&read_volume(&path).expect("readable"));
}

/// The voxels as integers of `N` bytes.
fn widened<const N: usize>() -> Vec<u8> {
    let wide = |pair: &[u8; 2]| -> Vec<u8> { i64::from(i16::from_le_bytes(*pair)).to_le_bytes()[..N].to_vec() };
    samples().as_chunks::<2>().0.iter().flat_map(wide).collect()
}

#[test]
fn long_integers_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, voxels) in
        [("MET_LONG", widened::<4>()), ("MET_ULONG", widened::<4>()), ("MET_LONG_LONG", widened::<8>())]
    {
        let text = header(("MET_SHORT", name));
        check(&read_volume(&written(folder.path(), "a.mha", text.as_bytes(), &voxels)).expect(name));
    }
    for datatype in [1024_i16, 1280] {
        let mut bytes = nifti_header();
        bytes[70..72].copy_from_slice(&datatype.to_le_bytes());
        bytes[72..74].copy_from_slice(&64_i16.to_le_bytes());
        check(&read_volume(&written(folder.path(), "a.nii", &bytes, &widened::<8>())).expect("readable"));
    }
}

#[test]
fn nifti_lengths_have_the_unit_that_the_file_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (unit, per_mm) in [(0, 1.0_f32), (1, 1e-3), (2, 1.0), (3, 1e3), (8 + 1, 1e-3)] {
        for uses_rows in [true, false] {
            let mut bytes = nifti_header();
            bytes[123] = unit;
            bytes[254] = u8::from(uses_rows);
            let lengths = [80, 84, 88].into_iter().chain([268, 272, 276]).chain((280..328).step_by(4));
            for at in lengths {
                let value = f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
                bytes[at..at + 4].copy_from_slice(&(value * per_mm).to_le_bytes());
            }
            check(&read_volume(&written(folder.path(), "a.nii", &bytes, &samples())).expect("readable"));
        }
    }
}

/// The same image as `sitk.WriteImage(im, "small.nii")` stores it; nibabel reads this affine from it.
fn nifti_header() -> Vec<u8> {
    let mut bytes = vec![0; 352];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &348_i32.to_le_bytes());
    for (index, side) in [3_i16, 4, 3, 5, 1, 1, 1, 1].into_iter().enumerate() {
        put(40 + 2 * index, &side.to_le_bytes());
    }
    put(70, &4_i16.to_le_bytes());
    put(72, &16_i16.to_le_bytes());
    for (index, step) in [-1.0_f32, 0.8, 0.5, 4.0].into_iter().enumerate() {
        put(76 + 4 * index, &step.to_le_bytes());
    }
    put(108, &352_f32.to_le_bytes());
    put(252, &[1, 0, 1, 0]);
    let quaternion = [0.447_585_37_f32, 0.547_418_8, 0.447_585_37, -12.0, 60.0, 90.0];
    let rows =
        [0.0_f32, 0.0, -4.0, -12.0, 0.784_053_27, 0.099_334_66, 0.0, 60.0, -0.158_935_47, 0.490_033_3, 0.0, 90.0];
    for (index, value) in quaternion.into_iter().chain(rows).enumerate() {
        put(256 + 4 * index, &value.to_le_bytes());
    }
    put(344, b"n+1\0");
    bytes
}

#[test]
fn nifti_files_lie_where_nibabel_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check(&read_volume(&written(folder.path(), "a.nii", &nifti_header(), &samples())).expect("readable"));
    let mut quaternion_only = nifti_header();
    quaternion_only[254] = 0;
    check(&read_volume(&written(folder.path(), "b.nii", &quaternion_only, &samples())).expect("readable"));
    // ITK too takes the quaternion where an sform was announced and left empty, and an intercept that is no number for none.
    let mut empty_rows = nifti_header();
    empty_rows[280..328].fill(0);
    empty_rows[112..120].copy_from_slice(&[1_f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat());
    check(&read_volume(&written(folder.path(), "d.nii", &empty_rows, &samples())).expect("readable"));
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&[nifti_header(), samples()].concat()).expect("to memory");
    let path = written(folder.path(), "c.nii.gz", &[], &packed.finish().expect("to memory"));
    check(&read_volume(&path).expect("readable"));
}

/// The same image as nibabel 5.4 stores it as NIfTI-2: the numbers of [`nifti_header`], wider and in another order, before four
/// bytes that say that there are no extensions.
fn second_version(is_big_endian: bool) -> Vec<u8> {
    let first = nifti_header();
    let float = |at: usize| f64::from(f32::from_le_bytes(first[at..at + 4].try_into().expect("four bytes")));
    let mut bytes = vec![0; 544];
    let mut put = |at: usize, little: &[u8]| {
        let value: Vec<u8> = if is_big_endian { little.iter().rev().copied().collect() } else { little.to_vec() };
        bytes[at..at + value.len()].copy_from_slice(&value);
    };
    put(0, &540_i32.to_le_bytes());
    put(12, &4_i16.to_le_bytes());
    put(14, &16_i16.to_le_bytes());
    for (index, side) in [3_i64, 4, 3, 5, 1, 1, 1, 1].into_iter().enumerate() {
        put(16 + 8 * index, &side.to_le_bytes());
    }
    for index in 0..4 {
        put(104 + 8 * index, &float(76 + 4 * index).to_le_bytes());
    }
    put(168, &544_i64.to_le_bytes());
    put(176, &1_f64.to_le_bytes());
    put(344, &1_i32.to_le_bytes());
    put(348, &1_i32.to_le_bytes());
    for index in 0..18 {
        put(352 + 8 * index, &float(256 + 4 * index).to_le_bytes());
    }
    put(500, &2_i32.to_le_bytes());
    bytes[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
    bytes
}

#[test]
fn nifti_files_of_the_second_version_lie_where_nibabel_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let swapped: Vec<u8> = samples().as_chunks::<2>().0.iter().flat_map(|[low, high]| [*high, *low]).collect();
    for (is_big_endian, voxels) in [(false, samples()), (true, swapped)] {
        let header = second_version(is_big_endian);
        check(&read_volume(&written(folder.path(), "a.nii", &header, &voxels)).expect("readable"));
        let mut quaternion_only = header.clone();
        quaternion_only[348..352].fill(0);
        check(&read_volume(&written(folder.path(), "b.nii", &quaternion_only, &voxels)).expect("readable"));
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&[header, voxels].concat()).expect("to memory");
        let path = written(folder.path(), "c.nii.gz", &[], &packed.finish().expect("to memory"));
        check(&read_volume(&path).expect("readable"));
    }
}

#[test]
fn a_written_volume_reads_back_in_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = written(folder.path(), "a.nii", &nifti_header(), &samples());
    let volume = read_volume(&source).expect("readable");
    let file = folder.path().join("b.nii.gz");
    let voxels = Voxels::Floats(volume.voxels().to_vec());
    let resampled = write_nifti(&file, voxels, volume.geometry(), [3, 4], "test").expect("written");
    assert_eq!(resampled, None, "the stack is even");
    let back = read_volume(&file).expect("readable");
    assert_eq!(back.voxels(), volume.voxels());
    check(&back);
    let misshapen = write_nifti(&file, Voxels::Labels(vec![0; 7]), volume.geometry(), [2, 3], "test");
    assert!(misshapen.is_err());
}

/// The file with its sform (`method` 3) or its qform (2) alone.
fn placed_by(folder: &Path, file: &Path, method: u8) -> Volume {
    let mut bytes = fs::read(file).expect("written");
    let dropped = if method == 3 { 252 } else { 254 };
    bytes[dropped..dropped + 2].fill(0);
    read_volume(&written(folder, "placed.nii", &bytes, &[])).expect("readable")
}

#[test]
fn both_places_in_the_header_agree_and_axes_of_the_second_are_at_right_angles() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a.nii");
    for (turn, towards) in [(0.0, 1.0), (0.07, 1.0), (-0.1, -1.0), (0.3, 1.0)] {
        let turn = glam::DQuat::from_euler(glam::EulerRot::XYZ, turn, 0.5 * turn, -turn);
        let (column, row) = (turn * DVec3::Y, turn * -DVec3::Z);
        // Positions as they are often rounded, and rows that drift by 0.05 mm a slice.
        let rounded = |at: DVec3| (at * 10.0).round() / 10.0;
        let origins = (0..9).map(|slice| {
            let slice = f64::from(slice);
            rounded(
                turn * DVec3::new(4.4 * towards * slice, 0.0, 0.0) + row * 0.05 * slice + DVec3::new(3.0, -70.0, 41.0),
            )
        });
        let geometry = VolumeGeometry::new(origins.collect(), column, row, 0.5, 0.8).expect("valid");
        let written = write_nifti(&file, Voxels::Labels(vec![1; 9 * 12]), &geometry, [3, 4], "test").expect("written");
        assert_eq!(written, None, "rounding is no reason to interpolate");
        let [by_affine, by_quaternion] = [3, 2].map(|method| placed_by(folder.path(), &file, method));
        let place = |volume: &Volume, voxel| volume.geometry().lps_from_voxel(voxel);
        for [slice, row, column] in [[0.0, 0.0, 0.0], [8.0, 0.0, 0.0], [8.0, 2.0, 3.0]] {
            let at = by_affine.geometry().voxel_from_lps(geometry.lps_from_voxel([slice, row, column]));
            let distance = (place(&by_affine, at) - place(&by_quaternion, at)).length();
            assert!(distance < 0.8, "{distance} mm");
        }
        let [first, .., last] = by_quaternion.geometry().slice_origins_lps() else { panic!("several slices") };
        let (along, across) = ((*last - *first).normalize(), by_quaternion.geometry());
        let skew = along.dot(across.column_direction()).abs().max(along.dot(across.row_direction()).abs());
        assert!(skew < 1e-5, "ITK takes no more than 1e-4: {skew}");
    }
}

#[test]
fn a_gap_in_the_stack_is_filled_and_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let origins = [0.0, 2.0, 8.0, 10.0].map(|height| DVec3::new(-height, 5.0, 7.0)).to_vec();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid");
    let (floats, labels) = (folder.path().join("a.nii"), folder.path().join("b.nii"));
    let values = |change: fn(f32) -> f32| (0..4 * 12).map(move |at| change((at / 12) as f32)).collect::<Vec<f32>>();
    let voxels = Voxels::Floats(values(|slice| [0.0, 2.0, 8.0, 10.0][slice as usize]));
    assert_eq!(write_nifti(&floats, voxels, &geometry, [3, 4], "test").expect("written"), Some(2.0));
    let marked = Voxels::Labels(values(|slice| slice + 1.0).into_iter().map(|label| label as u8).collect());
    assert_eq!(write_nifti(&labels, marked, &geometry, [3, 4], "test").expect("written"), Some(2.0));
    let [floats, labels] = [floats, labels].map(|file| read_volume(&file).expect("readable"));
    for (slice, label) in [(0, 1.0), (1, 2.0), (2, 2.0), (3, 3.0), (4, 3.0), (5, 4.0)] {
        let height = 2.0 * slice as f32;
        assert_eq!(floats.geometry().slice_origins_lps()[slice].x, -f64::from(height));
        assert!((floats.slice(slice)[5] - height).abs() < 1e-5, "the value of its place");
        assert_eq!(labels.slice(slice)[5], label);
    }
}

#[test]
fn a_single_slice_is_as_thick_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a.nii");
    let geometry = VolumeGeometry::new(vec![DVec3::ONE], DVec3::Y, -DVec3::Z, 0.5, 0.8).expect("valid");
    let geometry = geometry.with_slice_thickness(Some(4.0));
    write_nifti(&file, Voxels::Floats(vec![1.0; 12]), &geometry, [3, 4], "test").expect("written");
    for method in [3, 2] {
        assert_eq!(placed_by(folder.path(), &file, method).geometry().slice_step_mm(), Some(4.0));
    }
}

#[test]
fn what_a_header_declares_is_checked_before_it_is_believed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refusal = |name: &str, header: &[u8]| {
        read_volume(&written(folder.path(), name, header, &samples())).expect_err("refused").to_string()
    };
    let meta = |change| refusal("a.mha", header(change).as_bytes());
    assert!(meta(("4 3 5", "4000 3000 5000")).contains("too many"));
    assert!(meta(("4 3 5", "4 3 50")).contains("truncated: expected 1200 bytes of voxels, got 120"));
    for elsewhere in ["../secret.raw", "raw/../../secret.raw", "/etc/passwd", "slice%03d.raw", "LIST", "."] {
        assert!(meta(("LOCAL", elsewhere)).contains("outside of the header's folder"), "{elsewhere}");
    }
    assert!(meta(("MET_SHORT", "MET_COMPLEX")).contains("element type"));
    assert!(meta(("NDims = 3\n", "nothing\n")).contains("MetaImage"));
    assert!(meta(("0.80000000000000004 0.5 4", "0.8 4 0.5")).contains("foot to head"));
    assert!(meta(("4 3 5", "4 3 0")).contains("too many"));
    let mut huge = nifti_header();
    huge[42..48].fill(0x7F);
    assert!(refusal("a.nii", &huge).contains("too many"));
    let mut early = nifti_header();
    early[108..112].copy_from_slice(&12_f32.to_le_bytes());
    assert!(refusal("b.nii", &early).contains("begin at byte 12"));
    let mut series = nifti_header();
    series[40] = 4;
    series[48..50].copy_from_slice(&20_i16.to_le_bytes());
    assert!(refusal("d.nii", &series).contains("an image of 4 dimensions (save the volume"));
    let mut pair = second_version(false);
    pair[4..8].copy_from_slice(b"ni2\0");
    assert!(refusal("e.nii", &pair).contains("its voxels are not in the file"));
    let mut negative = second_version(false);
    negative[24..32].copy_from_slice(&(-4_i64).to_le_bytes());
    assert!(refusal("f.nii", &negative).contains("too many"));
    assert!(refusal("c.nii", b"not NIfTI").contains("is not a NIfTI file"));
    assert!(!is_volume_file(Path::new("a.dcm")) && is_volume_file(Path::new("A.NII.GZ")));
}
