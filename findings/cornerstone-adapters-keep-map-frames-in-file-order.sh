#!/usr/bin/env bash
# @cornerstonejs/adapters 5.14.0 (with which OHIF loads parametric maps): ParametricMap.generateToolState takes the images that a
# map lies over and looks up the image of every frame, but then returns the frames as they stand in the file. The caller puts
# them over the images one by one, so a map is right only if its writer happened to choose the order in which cornerstone
# sorts images: along the normal of their plane. highdicom 0.28.2 sorts frames the other way round, whatever order it is given:
# its maps come back mirrored from the first slice to the last. In a sagittal scan that is left for right, and nothing is said.
# Each of five sagittal images at x = 0 to 8 mm has a frame with its own x as value. What stands where, images in the order of
# cornerstone's sortImageIdsAndGetSpacing:
# seen on 30 November 2026: images at x = 8 6 4 2 0, map over them 0 2 4 6 8
# Needs python3 with venv, node 20 with npm, and their package indexes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cd "$place"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
    @cornerstonejs/adapters@5.14.0 @cornerstonejs/core@5.14.0 dcmjs@0.52.0 @babel/runtime@7 >/dev/null
venv/bin/python - <<'PYTHON'
import json
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
    image.Modality, image.InstanceNumber, image.SliceThickness = "MR", number, 2
    image.ImagePositionPatient, image.ImageOrientationPatient = [x, 0, 0], [0, 1, 0, 0, 0, -1]
    image.PixelSpacing, image.Rows, image.Columns = [1, 1], 8, 8
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelData = np.zeros((8, 8), "<u2").tobytes()
    return image


images = [image(number, x) for number, x in enumerate([0.0, 2.0, 4.0, 6.0, 8.0], 1)]
mapping = hd.pm.RealWorldValueMapping(
    lut_label="1", lut_explanation="place", unit=codes.UCUM.NoUnits, value_range=[0.0, 8.0], slope=1.0, intercept=0.0,
    quantity_definition=hd.sr.CodedConcept("130404", "DCM", "Saliency"),
)  # fmt: skip
hd.pm.ParametricMap(
    images, np.stack([np.full((8, 8), 2 * n, np.float32) for n in range(5)]), hd.UID(), 2, hd.UID(), 1,
    "Maker", "Model", "1", "1", contains_recognizable_visual_features=False, real_world_value_mappings=[mapping],
    voi_lut_transformations=[hd.VOILUTTransformation(window_center=4, window_width=8)],
).save_as("map.dcm")  # fmt: skip
with open("images.json", "w") as file:
    json.dump([{"uid": each.SOPInstanceUID, "position": list(map(float, each.ImagePositionPatient))} for each in images], file)
with open("common.json", "w") as file:
    json.dump({"series": series, "frame": frame_of_reference}, file)
PYTHON
cat >read.mjs <<'NODE'
import fs from 'fs';
import { adaptersPMAP } from '@cornerstonejs/adapters';
import { metaData, utilities } from '@cornerstonejs/core';

const { series, frame } = JSON.parse(fs.readFileSync('common.json'));
const images = new Map(JSON.parse(fs.readFileSync('images.json')).map((image, at) => [`image:${at}`, image]));
const modules = {
    imagePlaneModule: image => ({
        rows: 8, columns: 8, frameOfReferenceUID: frame, rowCosines: [0, 1, 0], columnCosines: [0, 0, -1],
        imageOrientationPatient: [0, 1, 0, 0, 0, -1], imagePositionPatient: image.position, pixelSpacing: [1, 1],
    }),
    generalImageModule: image => ({ sopInstanceUID: image.uid }),
    instance: image => ({
        Rows: 8, Columns: 8, ImagePositionPatient: image.position, SeriesInstanceUID: series,
        FrameOfReferenceUID: frame, SOPInstanceUID: image.uid,
    }),
};
metaData.addProvider((kind, id) => (images.has(id) ? modules[kind]?.(images.get(id)) : undefined), 10);
const sorted = utilities.sortImageIdsAndGetSpacing([...images.keys()]).sortedImageIds;
const file = new Uint8Array(fs.readFileSync('map.dcm')).buffer;
const { pixelData } = await adaptersPMAP.Cornerstone3D.ParametricMap.generateToolState(sorted, file, metaData);
const places = sorted.map(id => images.get(id).position[0]).join(' ');
const said = `images at x = ${places}, map over them ${sorted.map((_, at) => pixelData[at * 64]).join(' ')}`;
console.log(said);
process.exit(said === 'images at x = 8 6 4 2 0, map over them 0 2 4 6 8' ? 0 : 1);
NODE
node read.mjs
