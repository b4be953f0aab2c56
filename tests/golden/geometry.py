"""Small DICOM series with every oddity of place and value, and where their voxels lie according to pydicom and NumPy.

    python tests/golden/geometry.py            # needs pydicom, numpy, SimpleITK

Writes geometry/<case>/*.dcm and geometry.json beside this file. Positions follow from each file's own ImagePositionPatient,
ImageOrientationPatient and PixelSpacing (DICOM PS3.3 C.7.6.2.1.1), values from pydicom's own decoder and modality
transformation. Where SimpleITK can hold a series at all (evenly spaced, one file a slice), its positions have to agree.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import SimpleITK
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import apply_modality_lut
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

FOLDER = Path(__file__).parent / "geometry"
ROWS, COLUMNS = 10, 12
SAGITTAL = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"


def pixels(number, dtype=np.uint16):
    """Values that tell image, row and column; signed ones also below zero."""
    values = 100 * (number + 1) + np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    return (values - 450 if dtype == np.int16 else values).astype(dtype)


def image(case, number, position, orientation=SAGITTAL, spacing=(0.5, 0.5), dtype=np.uint16, **more):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MR
    root = 1 + sorted(CASES).index(case)
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"2.25.77.{root}.{number + 1}"
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.StudyInstanceUID, data.SeriesInstanceUID = f"2.25.77.{root}", f"2.25.77.{root}.0"
    data.FrameOfReferenceUID = f"2.25.77.{root}.0.1"
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 1, number + 1
    data.SeriesDescription, data.ImageType = case, ["ORIGINAL", "PRIMARY"]
    data.RepetitionTime, data.EchoTime = "3500", "100"
    data.ImagePositionPatient = [f"{value:.6g}" for value in position]
    data.ImageOrientationPatient = [f"{value:.10g}" for value in orientation]
    if spacing is not None:
        data.PixelSpacing = [str(value) for value in spacing]
    data.Rows, data.Columns, data.SamplesPerPixel = ROWS, COLUMNS, 1
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation, data.PhotometricInterpretation = int(dtype == np.int16), "MONOCHROME2"
    for keyword, value in more.items():
        setattr(data, keyword, value)
    data.PixelData = pixels(number, dtype).tobytes()
    return data


def stack(case, places, **more):
    return [image(case, number, (x, -40.0, 60.0), **more) for number, x in enumerate(places)]


def even(case):
    return stack(case, [-8, -4, 0, 4, 8])


def uneven(case):
    return stack(case, [-8, -4, 0.7, 4, 8.5])


def missing(case):
    return stack(case, [-8, -4, 4, 8])


def duplicate(case):
    return stack(case, [-8, -4, -4, 0, 4])


def reversed_numbers(case):
    return stack(case, [8, 4, 0, -4, -8])


def two_echoes(case):
    return stack(case, [-4, 0, 4]) + [
        image(case, 3 + number, (x, -40.0, 60.0), EchoTime="20") for number, x in enumerate([-4, 0, 4])
    ]


def two_b_values(case):
    return [
        image(case, number, (x, -40.0, 60.0), DiffusionBValue=float(b))
        for number, (x, b) in enumerate((x, b) for x in [-4, 0, 4] for b in [0, 800])
    ]


def tilted(case):
    turn = np.radians(20)
    column, row = np.array([np.sin(turn), np.cos(turn), 0]), np.array([0.0, 0, -1])
    normal = np.cross(column, row)
    orientation = [*column, *row]
    return [image(case, number, np.array([-5, -40, 60]) + 4.4 * number * normal, orientation) for number in range(4)]


def mixed_orientations(case):
    return stack(case, [-4, 0, 4]) + [image(case, 3 + number, (-30, -40, 10.0 * number), AXIAL) for number in range(2)]


def sheared(case):
    return [image(case, number, (4.0 * number, -40 + 1.5 * number, 60)) for number in range(4)]


def anisotropic(case):
    return stack(case, [-4, 0, 4], spacing=(0.9, 0.4))


def dark_is_high(case):
    return stack(case, [-4, 0, 4], PhotometricInterpretation="MONOCHROME1")


def signed(case):
    return stack(case, [-4, 0, 4], dtype=np.int16)


def rescaled(case):
    """Every slice with a scale of its own, as Philips writes them."""
    return [
        image(case, number, (x, -40.0, 60.0), RescaleSlope=str(0.5 + number), RescaleIntercept=str(-20 * number))
        for number, x in enumerate([-4, 0, 4])
    ]


def private_scaling(case):
    images = stack(case, [-4, 0, 4], RescaleSlope="2", RescaleIntercept="0")
    for data in images:
        block = data.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0E, "FL", 0.0125)
        block.add_new(0x0D, "FL", 3.0)
    return images


def no_pixel_spacing(case):
    return stack(case, [-4, 0, 4], spacing=None)


def zero_pixel_spacing(case):
    return stack(case, [-4, 0, 4], spacing=(0, 0))


def huge_pixel_spacing(case):
    return stack(case, [-4, 0, 4], spacing=(50, 50))


def multi_frame(case):
    """One enhanced image whose frames are stored from the last place to the first."""
    data = image(case, 0, (0, 0, 0))
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = ENHANCED_MR
    for keyword in ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]:
        delattr(data, keyword)
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([Dataset()]), Sequence([Dataset()])
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = SAGITTAL
    shared.PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.75]
    for x in [8, 4, 0, -4]:
        frame = Dataset()
        frame.PlanePositionSequence = Sequence([Dataset()])
        frame.PlanePositionSequence[0].ImagePositionPatient = [x, -40, 60]
        frames.append(frame)
    data.SharedFunctionalGroupsSequence, data.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence(frames)
    data.NumberOfFrames = len(frames)
    data.PixelData = b"".join(pixels(number).tobytes() for number in range(len(frames)))
    return [data]


# What the program has to warn of.
CASES = {
    "even": (even, []),
    "uneven": (uneven, ["uneven_slice_spacing"]),
    "missing": (missing, ["missing_slices", "uneven_slice_spacing"]),
    "duplicate": (duplicate, ["duplicate_positions"]),
    "reversed_numbers": (reversed_numbers, []),
    "two_echoes": (two_echoes, ["mixed_series_split"]),
    "two_b_values": (two_b_values, ["mixed_series_split"]),
    "tilted": (tilted, []),
    "mixed_orientations": (mixed_orientations, ["mixed_series_split"]),
    "sheared": (sheared, ["sheared_stack"]),
    "anisotropic": (anisotropic, ["anisotropic_pixels"]),
    "dark_is_high": (dark_is_high, []),
    "signed": (signed, []),
    "rescaled": (rescaled, []),
    "private_scaling": (private_scaling, []),
    "no_pixel_spacing": (no_pixel_spacing, ["missing_pixel_spacing"]),
    "zero_pixel_spacing": (zero_pixel_spacing, ["missing_pixel_spacing"]),
    "huge_pixel_spacing": (huge_pixel_spacing, ["implausible_pixel_spacing"]),
    "multi_frame": (multi_frame, ["anisotropic_pixels"]),
}


def slices_of(file):
    """(origin, column step, row step, values) of each frame, in mm and rescaled values."""
    data = dcmread(file)
    array = data.pixel_array.reshape(-1, data.Rows, data.Columns)
    for frame, stored in enumerate(array):
        places = [data]
        if "PerFrameFunctionalGroupsSequence" in data:
            groups = [data.PerFrameFunctionalGroupsSequence[frame], data.SharedFunctionalGroupsSequence[0]]
            places = [item[0] for group in groups for item in (element.value for element in group)]
        first = lambda keyword: next((place.get(keyword) for place in places if keyword in place), None)
        orientation = np.array([float(value) for value in first("ImageOrientationPatient")])
        spacing = [float(value) for value in first("PixelSpacing") or [1, 1]]
        spacing = spacing if min(spacing) > 0 else [1, 1]
        values = apply_modality_lut(stored, data).astype(float)
        if data.PhotometricInterpretation == "MONOCHROME1":
            # Dark where high, whichever number is black.
            values = -values
        yield (
            np.array([float(value) for value in first("ImagePositionPatient")]),
            orientation[:3] * spacing[1], orientation[3:] * spacing[0], values,
        )


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    told = []
    for case, (make, warnings) in CASES.items():
        (FOLDER / case).mkdir(parents=True)
        for number, data in enumerate(make(case)):
            # Names that say nothing of the order.
            data.save_as(FOLDER / case / f"{(number * 7 + 3) % 10}-{number}.dcm", enforce_file_format=True)
        slices = [entry for file in sorted((FOLDER / case).glob("*.dcm")) for entry in slices_of(file)]
        voxels = [
            {
                "position": [round(float(value), 6) for value in origin + column * at[1] + row * at[0]],
                "value": float(values[at]),
            }
            for origin, column, row, values in slices
            for at in [(0, 0), (3, 5), (ROWS - 1, COLUMNS - 1)]
        ]
        told.append({"name": case, "warnings": warnings, "voxels": voxels})
        if case in ["even", "tilted", "anisotropic", "reversed_numbers"]:
            reader = SimpleITK.ImageSeriesReader()
            reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(FOLDER / case)))
            volume = reader.Execute()
            places = [
                volume.TransformIndexToPhysicalPoint((5, 3, slice)) for slice in range(volume.GetSize()[2])
            ]
            for place in places:
                near = min(np.abs(np.subtract(voxel["position"], place)).max() for voxel in voxels)
                assert near < 1e-3, f"{case}: SimpleITK has a voxel at {place}"
    lines = ",\n".join(json.dumps(case) for case in told)
    (FOLDER.parent / "geometry.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
