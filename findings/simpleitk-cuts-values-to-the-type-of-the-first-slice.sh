#!/usr/bin/env bash
# SimpleITK 2.5.7: ReadImage of a DICOM series takes the type of its numbers from the first slice. Where that one has rescale
# slope 1 and others have fractions (as scanners do that scale each slice by itself), the others are cut to whole numbers, and
# values beyond 16 bits wrap around: a small map becomes 0, a negative number a large one. Nothing is said. If the slice that lies
# first has a fraction itself, or sitkFloat32 is asked for, all values are right; read one by one each slice is right too.
# Four slices of the number 101, slope and intercept of their own:
# seen on 1 December 2026: series 101, 252, 65286, 0; as 32-bit numbers 101, 252.5, -250, 0.202; other end first, right
# Needs python3 with venv and its package index.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q SimpleITK==2.5.7 pydicom==3.0.1 numpy==2.4.6
cd "$place"
venv/bin/python - <<'PYTHON'
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

SCALES = [(1, 0), (2.5, 0), (0.5, -300.5), (0.002, 0)]
RIGHT = [101 * slope + intercept for slope, intercept in SCALES]


def series(folder, scales):
    """Sagittal slices from right to left, which is the order that the reader puts them in."""
    folder.mkdir()
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for index, (slope, intercept) in enumerate(scales):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = MRImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.Modality, image.PatientName, image.PatientID = "MR", "Test^Scale", "1"
        image.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
        image.SeriesNumber, image.InstanceNumber = 1, index + 1
        image.ScanningSequence, image.SequenceVariant, image.MRAcquisitionType = "SE", "SK", "2D"
        image.EchoTime, image.RepetitionTime = 100, 3000
        image.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        image.ImagePositionPatient = [-4 * index, 0, 0]
        image.PixelSpacing, image.SliceThickness = [1, 1], 4
        image.Rows = image.Columns = 8
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = slope, intercept, "US"
        image.PixelData = np.full((8, 8), 101, "<u2").tobytes()
        image.save_as(folder / f"{index}.dcm", enforce_file_format=True)
    return sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))


def values(image):
    return [round(float(value), 4) for value in sitk.GetArrayFromImage(image)[:, 0, 0]]


whole = series(Path("whole"), SCALES)
seen = values(sitk.ReadImage(whole))
as_floats = values(sitk.ReadImage(whole, sitk.sitkFloat32))
alone = [values(sitk.ReadImage(name))[0] for name in whole]
other_end = values(sitk.ReadImage(series(Path("fraction"), SCALES[::-1])))
print("right:", RIGHT, "series:", seen, "as floats:", as_floats, "one by one:", alone, "fraction first:", other_end)
assert as_floats == alone == RIGHT and other_end == RIGHT[::-1], "the ways that were right are no longer"
assert seen == [101, 252, 65286, 0], "the series is read in another way now"
PYTHON
