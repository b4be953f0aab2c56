#!/usr/bin/env bash
# A series of single files can be converted into one Legacy Converted Enhanced MR image. Where slices had slopes of their own, as in
# calculated maps and of scanners that scale each slice to the whole range, each frame has its own Pixel Value Transformation
# (PS3.3 C.7.6.16.2.9). Two common readers scale all frames by one of them, not by the same one, and say nothing:
#   SimpleITK 2.5.7 (ITK's GDCM reader): the slope and intercept of the first frame;
#   dcm2niix 1.0.20260724: those of the last; the single files that the image was made of it scales one by one.
# Slices are in their places with wrong values, and ratios between slices are lost; highdicom 0.28.2 reads each by its own.
# Three frames that store 100, with slopes 2, 3 and 4.5 and intercepts 0, 0 and -50, converted by highdicom:
# seen on 30 November 2026: highdicom 200 300 400; SimpleITK 200 200 200; dcm2niix 400 400 400, single files 200 300 400
# Needs python3 with venv and its package index.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q \
    highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6 nibabel==5.4.2 SimpleITK==2.5.7 dcm2niix==1.0.20260724
cd "$place"
mkdir single out
venv/bin/python - <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

study, series, frame_of_reference = hd.UID(), hd.UID(), hd.UID()


def image(number, slope, intercept):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, hd.UID()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame_of_reference
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "A^B", "1", "", ""
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "20260101", "", "", ""
    image.ReferringPhysicianName, image.PositionReferenceIndicator, image.PatientPosition = "", "", "HFS"
    image.Modality, image.BodyPartExamined, image.Manufacturer = "MR", "LSPINE", "Maker"
    image.SeriesNumber, image.InstanceNumber, image.ContentDate, image.ContentTime = 1, number, "20260101", "120000"
    image.WindowCenter, image.WindowWidth = 300, 400
    image.ImageType, image.BurnedInAnnotation = ["ORIGINAL", "PRIMARY", "M"], "NO"
    image.ScanningSequence, image.SequenceVariant, image.ScanOptions, image.MRAcquisitionType = "SE", "SK", "", "2D"
    image.RepetitionTime, image.EchoTime, image.EchoTrainLength = 3000, 100, 16
    image.ImagePositionPatient, image.ImageOrientationPatient = [2.0 * number, 0, 0], [0, 1, 0, 0, 0, -1]
    image.PixelSpacing, image.SliceThickness, image.Rows, image.Columns = [1, 1], 2, 8, 8
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = slope, intercept, "US"
    image.PixelData = np.full((8, 8), 100, "<u2").tobytes()
    return image


images = [image(number, *scale) for number, scale in enumerate([(2, 0), (3, 0), (4.5, -50)], 1)]
hd.legacy.LegacyConvertedEnhancedMRImage(images, hd.UID(), 2, hd.UID(), 1).save_as("image.dcm")
for number, each in enumerate(images, 1):
    each.save_as(f"single/{number}.dcm", enforce_file_format=True)
PYTHON
for input in image.dcm single; do
    venv/bin/dcm2niix -z n -o out -f "${input%.dcm}" "$input" >log || { cat log; exit 1; }
done
venv/bin/python - <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import highdicom
import nibabel
import SimpleITK


def text(values):
    return " ".join(f"{value:g}" for value in sorted(values))


right = highdicom.imread("image.dcm").get_volume(apply_real_world_transform=False, apply_modality_transform=True)
itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage("image.dcm"))
image, single = (nibabel.load(f"out/{name}.nii").get_fdata() for name in ("image", "single"))
seen = f"highdicom {text(right.array[:, 0, 0])}; SimpleITK {text(itk[:, 0, 0])}"
seen += f"; dcm2niix {text(image[0, 0])}, single files {text(single[0, 0])}"
print(seen)
wanted = "highdicom 200 300 400; SimpleITK 200 200 200; dcm2niix 400 400 400, single files 200 300 400"
assert seen == wanted, "another behaviour than on 30 November 2026"
PYTHON
