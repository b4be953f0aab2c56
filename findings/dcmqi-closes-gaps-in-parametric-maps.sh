#!/usr/bin/env bash
# dcmqi 1.5.7, paramap2itkimage (what 3D Slicer's QuantitativeReporting reads parametric maps with): where frames of a map are not
# evenly spaced, as when a slice of the scan is missing, it puts them next to each other at the first distance that it finds.
# Every frame behind the gap lands on other anatomy. It exits with 0 and warns of nothing; the positions of the frames
# (Image Position (Patient), the only thing that places a frame) are used for the origin and the order alone. Its sister
# segimage2itkimage leaves empty slices in the gap of a segmentation. Writers that want to be safe leave no gaps in maps.
# A map by highdicom 0.28.2 with frames at x = 0, 2, 4, 10 and 12 mm, whose only value lies at x = 10 mm:
# seen on 30 November 2026: exit 0, 5 slices 2 mm apart, the value at x = 6 mm instead of 10 mm
# Needs python3 with venv and its package index.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6 nibabel==5.4.2 dcmqi==1.5.7
cd "$place"
venv/bin/python - <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

study, series, frame_of_reference = hd.UID(), hd.UID(), hd.UID()


def image(number, x):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, hd.UID()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame_of_reference
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "A^B", "1", "", ""
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "", "", "", "", ""
    image.Modality, image.BodyPartExamined, image.InstanceNumber, image.SliceThickness = "MR", "LSPINE", number, 2
    image.ImagePositionPatient, image.ImageOrientationPatient = [x, 0, 0], [0, 1, 0, 0, 0, -1]
    image.PixelSpacing, image.Rows, image.Columns = [1, 1], 8, 8
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelData = np.zeros((8, 8), "<u2").tobytes()
    return image


values = np.zeros((5, 8, 8), np.float32)
values[3, 4, 4] = 1
mapping = hd.pm.RealWorldValueMapping(
    lut_label="1", lut_explanation="relative", unit=codes.UCUM.NoUnits, value_range=[0.0, 1.0], slope=1.0, intercept=0.0,
    quantity_definition=hd.sr.CodedConcept("130404", "DCM", "Saliency"),
)  # fmt: skip
parametric_map = hd.pm.ParametricMap(
    [image(number, x) for number, x in enumerate([0.0, 2.0, 4.0, 10.0, 12.0], 1)], values, hd.UID(), 2, hd.UID(), 1,
    "Maker", "Model", "1", "1", contains_recognizable_visual_features=False, real_world_value_mappings=[mapping],
    voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
)  # fmt: skip
# dcmqi asks for the anatomy of the frames.
region, anatomy = Dataset(), Dataset()
region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "122496007", "SCT", "Lumbar spine"
anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = [region], "U"
parametric_map.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]
parametric_map.save_as("map.dcm")
PYTHON
mkdir out
venv/bin/paramap2itkimage --inputDICOM map.dcm --outputDirectory out -t nifti >log 2>&1 || { cat log; exit 1; }
venv/bin/python - <<'PYTHON'
import nibabel
import numpy as np

volume = nibabel.load("out/pmap.nii.gz")
values = np.asarray(volume.dataobj)
place = np.unravel_index(values.argmax(), values.shape)
x = -(volume.affine @ [*place, 1])[0]  # NIfTI counts to the right, DICOM to the left
seen = f"exit 0, {values.shape[2]} slices {volume.header.get_zooms()[2]:g} mm apart, the value at x = {x:g} mm instead of 10 mm"
print(seen)
assert seen == "exit 0, 5 slices 2 mm apart, the value at x = 6 mm instead of 10 mm", "another behaviour than on 30 November 2026"
PYTHON
