#!/usr/bin/env bash
# MONAI 1.6.1, NrrdReader (what LoadImage reads .nrrd with): the format names the space of a volume by words or by their
# initials, "left-posterior-superior" or "LPS". MONAI converts the first into its own right-anterior-superior and takes the
# second, though the same, as right-anterior-superior already: the patient is turned by half a turn, left for right and front
# for back, with no warning. "left-anterior-superior", the third such space of the format, is mirrored, left for right.
# A labelled left side then is the right one, and volumes no longer lie over what is read from DICOM or NIfTI.
# A voxel at x = 12, y = 26 mm (to the left and back, as DICOM counts), written by pynrrd 1.1.3 in each space:
# seen on 30 November 2026, x and y: left-posterior-superior: SimpleITK 12 26, MONAI 12 26
#   LPS: SimpleITK 12 26, MONAI -12 -26
#   left-anterior-superior: SimpleITK 12 26, MONAI -12 26
# Needs python3 with venv, its package index, and 8 GB: PyTorch is installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --no-cache-dir numpy==2.4.6 pynrrd==1.1.3 SimpleITK==2.5.7 monai==1.6.1 torch==2.15.0
cd "$place"
venv/bin/python - <<'PYTHON'
import nrrd
import numpy as np
import SimpleITK
from monai.data import NrrdReader
from monai.transforms import LoadImage

VOXEL = (1, 2, 3)
volume = np.zeros((4, 5, 6), np.int16)
volume[VOXEL] = 1
seen = []
# Axes of a space that count against those of DICOM have the other sign.
for space, signs in {"left-posterior-superior": (1, 1), "LPS": (1, 1), "left-anterior-superior": (1, -1)}.items():
    header = {
        "space": space,
        "space directions": np.diag([2.0 * signs[0], 3.0 * signs[1], 4.0]),
        "space origin": np.array([10.0 * signs[0], 20.0 * signs[1], 30.0]),
        "kinds": ["domain"] * 3,
    }
    nrrd.write("volume.nrrd", volume, header)
    itk = SimpleITK.ReadImage("volume.nrrd").TransformIndexToPhysicalPoint(VOXEL)
    affine = LoadImage(reader=NrrdReader)("volume.nrrd").meta["original_affine"]
    monai = -(affine @ [*VOXEL, 1])[:2]  # MONAI counts to the right and front
    seen.append(f"{space}: SimpleITK {itk[0]:g} {itk[1]:g}, MONAI {monai[0]:g} {monai[1]:g}")
print(*seen, sep="\n")
assert seen == [
    "left-posterior-superior: SimpleITK 12 26, MONAI 12 26",
    "LPS: SimpleITK 12 26, MONAI -12 -26",
    "left-anterior-superior: SimpleITK 12 26, MONAI -12 26",
], "another behaviour than on 30 November 2026"
PYTHON
