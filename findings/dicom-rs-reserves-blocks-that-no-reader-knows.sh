#!/usr/bin/env bash
# dicom-object 0.10.1 (dicom-rs): put_private_element reserves the first block of a group at (gggg,0001) and puts the element at
# (gggg,01xx). Blocks begin at (gggg,0010) (PS3.5 7.8.1), so other programs find neither creator nor value: here GE's
# "imaginary" of an image, as which it would be told from a magnitude image. dicom-rs itself reads it back, and the call succeeds.
# seen on 30 November 2026: dicom-rs: 3; pydicom 3.0.2: no block of GEMS_PARM_01; elements: (0043,0001) (0043,012F)
# Needs cargo, python3 with venv, and their package indexes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q pydicom==3.0.2
mkdir -p "$place/src"
cat >"$place/Cargo.toml" <<'TOML'
[package]
name = "block"
version = "0.0.0"
edition = "2021"

[dependencies]
dicom-core = "=0.10.1"
dicom-object = { version = "=0.10.1", default-features = false }
TOML
cat >"$place/src/main.rs" <<'RUST'
use dicom_core::{PrimitiveValue, VR};
use dicom_object::{open_file, FileMetaTableBuilder, InMemDicomObject};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut image = InMemDicomObject::new_empty();
    image.put_private_element(0x0043, "GEMS_PARM_01", 0x2F, VR::SS, PrimitiveValue::from(3_i16))?;
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax("1.2.840.10008.1.2.1")
        .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.4")
        .media_storage_sop_instance_uid("1.2.3");
    image.with_meta(meta)?.write_to_file("image.dcm")?;
    let read = open_file("image.dcm")?;
    println!("{}", read.private_element(0x0043, "GEMS_PARM_01", 0x2F)?.to_int::<i16>()?);
    Ok(())
}
RUST
cd "$place"
itself=$(cargo run --quiet)
other=$(venv/bin/python - <<'PYTHON'
import pydicom

image = pydicom.dcmread("image.dcm")
try:
    found = image.private_block(0x0043, "GEMS_PARM_01")[0x2F].value
except KeyError:
    found = "no block of GEMS_PARM_01"
print(f"{found}; elements:", *(str(element.tag).replace(" ", "").upper() for element in image))
PYTHON
)
said="dicom-rs: $itself; pydicom 3.0.2: $other"
echo "$said"
[ "$said" = "dicom-rs: 3; pydicom 3.0.2: no block of GEMS_PARM_01; elements: (0043,0001) (0043,012F)" ]
