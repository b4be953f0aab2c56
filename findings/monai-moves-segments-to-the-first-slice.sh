#!/usr/bin/env bash
# MONAI 1.6.1, PydicomReader (what LoadImage reads DICOM with): writers of DICOM segmentations leave out frames in which
# nothing is marked; highdicom does so unless told otherwise. MONAI stacks the frames of each segment and puts the stacks on top of
# each other, all from the place of the first frame in the file. Frames say where they are (Image Position (Patient)); this is
# read for the first and the last only. A disc marked on slices that another is not marked on lands on that one's slices,
# in the right row and column, with no warning. With omit_empty_frames=False all is in its place.
# Two discs, one marked at x = 2 mm, one at x = 6 mm, written by highdicom 0.28.2 with its default and with empty frames:
# seen on 30 November 2026: default: 1 slice, discs at x = 2 and 2 mm; with empty frames: 5 slices, discs at x = 2 and 6 mm
# Needs python3 with venv, its package index, and 8 GB: PyTorch is installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --no-cache-dir highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6 monai==1.6.1 torch==2.15.0
cd "$place"
venv/bin/python - <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import highdicom as hd
import numpy as np
from monai.data import PydicomReader
from monai.transforms import LoadImage
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

warnings.resetwarnings()
study, series, frame_of_reference = hd.UID(), hd.UID(), hd.UID()


def image(number, x):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, hd.UID()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame_of_reference
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "A^B", "1", "", ""
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "", "", "", "", ""
    image.Modality, image.InstanceNumber, image.SliceThickness = "MR", number, 2
    image.ImagePositionPatient, image.ImageOrientationPatient = [x, 0, 0], [0, 1, 0, 0, 0, -1]
    image.PixelSpacing, image.Rows, image.Columns = [1, 1], 8, 8
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelData = np.zeros((8, 8), "<u2").tobytes()
    return image


images = [image(number, x) for number, x in enumerate([0.0, 2.0, 4.0, 6.0, 8.0], 1)]
discs = np.zeros((5, 8, 8), np.uint8)
discs[1, 2, 3], discs[3, 5, 4] = 1, 2
described = [
    hd.seg.SegmentDescription(number, f"disc {number}", codes.SCT.Tissue, codes.SCT.Tissue, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
    for number in (1, 2)
]


def read(omit):
    hd.seg.Segmentation(
        images, discs, hd.seg.SegmentationTypeValues.BINARY, described, hd.UID(), 2, hd.UID(), 1,
        "Maker", "Model", "1", "1", omit_empty_frames=omit,
    ).save_as("discs.dcm")  # fmt: skip
    segments = LoadImage(reader=PydicomReader)("discs.dcm")
    affine = segments.meta["original_affine"]
    places = []
    for number in (0, 1):
        voxel = np.argwhere(np.asarray(segments)[..., number])[0]
        places.append(-(affine @ [*voxel, 1])[0])  # MONAI counts to the right, DICOM to the left
    slices = segments.shape[2]
    return f"{slices} slice{'s' if slices > 1 else ''}, discs at x = {places[0]:g} and {places[1]:g} mm"


seen = f"default: {read(True)}; with empty frames: {read(False)}"
print(seen)
right = "default: 1 slice, discs at x = 2 and 2 mm; with empty frames: 5 slices, discs at x = 2 and 6 mm"
assert seen == right, "another behaviour than on 30 November 2026"
PYTHON
