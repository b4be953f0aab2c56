#!/usr/bin/env bash
# MONAI 1.6.1, PydicomReader (what LoadImage reads DICOM with): axial slices of a lumbar spine are taken in blocks, each angled
# to its disc, and scanners store the blocks as one series. MONAI makes one volume of it: orientation of the first slice,
# axis of the slices from the first position to the last, all slices at equal steps between. Nothing is said, though the
# orientations differ and the distances too. Slices land millimeters off, more than the height of a disc, so that labels
# drawn on a sagittal series lie on other slices. dcm2niix 1.0.20260724 writes one volume per block.
# Two blocks of three slices 4 mm apart, the second 30 mm above the first and turned by 20 degrees, one marked voxel in each slice:
# seen on 30 November 2026: MONAI 6 slices, marks off by 0.0 3.5 7.1 10.3 6.5 2.8 mm; dcm2niix 3 + 3 slices, at most 0.0 mm
# Needs python3 with venv, its package index, and 8 GB: PyTorch is installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --no-cache-dir pydicom==3.0.2 numpy==2.4.6 nibabel==5.4.2 \
    dcm2niix==1.0.20260724 monai==1.6.1 torch==2.15.0
cd "$place"
mkdir series out
venv/bin/python - <<'PYTHON'
import json
import math

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()
marks = {}
for number in range(6):
    block, slice = divmod(number, 3)
    angle = math.radians(20 * block)
    down = np.array([0, math.cos(angle), math.sin(angle)])
    normal = np.cross([1, 0, 0], down)
    corner = np.array([0, 0, 30.0 * block]) + 4 * slice * normal
    pixels = np.zeros((16, 16), "<u2")
    pixels[8, 4] = 100 + number
    marks[100 + number] = list(corner + [4, 0, 0] + 8 * down)
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame_of_reference
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "A^B", "1", "", ""
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "20260101", "120000", "", ""
    image.ReferringPhysicianName, image.PositionReferenceIndicator, image.PatientPosition = "", "", "HFS"
    image.Modality, image.BodyPartExamined, image.Manufacturer = "MR", "LSPINE", "Maker"
    image.SeriesNumber, image.InstanceNumber, image.ImageType = 1, number + 1, ["ORIGINAL", "PRIMARY", "M"]
    image.ScanningSequence, image.SequenceVariant, image.ScanOptions, image.MRAcquisitionType = "SE", "SK", "", "2D"
    image.RepetitionTime, image.EchoTime, image.EchoTrainLength = 3000, 100, 16
    image.ImagePositionPatient, image.ImageOrientationPatient = [f"{value:.6f}" for value in corner], [1, 0, 0, *np.round(down, 9)]
    image.PixelSpacing, image.SliceThickness, image.Rows, image.Columns = [1, 1], 4, 16, 16
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelData = pixels.tobytes()
    image.save_as(f"series/{number}.dcm", enforce_file_format=True)
with open("marks.json", "w") as file:
    json.dump(marks, file)
PYTHON
venv/bin/dcm2niix -z n -o out series >log || { cat log; exit 1; }
venv/bin/python - <<'PYTHON'
import json
from pathlib import Path

import nibabel
import numpy as np
from monai.data import PydicomReader
from monai.transforms import LoadImage

with open("marks.json") as file:
    marks = {int(value): place for value, place in json.load(file).items()}


def off(voxels, affine):
    found = {value: np.argwhere(voxels == value) for value in marks}
    at = {value: affine @ [*places[0], 1] for value, places in found.items() if len(places)}
    # Here x and y count to the right and front, in DICOM to the left and back.
    return [np.linalg.norm([-place[0], -place[1], place[2]] - np.array(marks[value])) for value, place in at.items()]


volume = LoadImage(reader=PydicomReader)("series")
monai = " ".join(f"{mm:.1f}" for mm in off(np.asarray(volume), volume.meta["original_affine"]))
blocks = [nibabel.load(path) for path in sorted(Path("out").glob("*.nii"))]
most = max(mm for block in blocks for mm in off(np.asarray(block.dataobj), block.affine))
seen = f"MONAI {volume.shape[2]} slices, marks off by {monai} mm"
seen += f"; dcm2niix {' + '.join(str(block.shape[2]) for block in blocks)} slices, at most {most:.1f} mm"
print(seen)
wanted = "MONAI 6 slices, marks off by 0.0 3.5 7.1 10.3 6.5 2.8 mm; dcm2niix 3 + 3 slices, at most 0.0 mm"
assert seen == wanted, "another behaviour than on 30 November 2026"
PYTHON
