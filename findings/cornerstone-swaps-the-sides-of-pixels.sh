#!/usr/bin/env bash
# @cornerstonejs/core 5.14.0: imageToWorldCoords steps along the columns by the distance of the rows and along the rows by that
# of the columns; worldToImageCoords does the same back. The renderer of the same package does not. Square pixels hide it.
# Where pixels are not square, every 2-D outline of a structured report (SCOORD) that @cornerstonejs/adapters 5.14.0 reads lies
# elsewhere than on the image that is shown, with another shape, and reports that it writes carry coordinates that only it
# reads back; a test by round trip passes. No warning is given.
# A report by highdicom 0.28.2 outlines a disc from column 12, row 2, in a sagittal image with Pixel Spacing 2\1 (rows 2 mm apart).
# The corner as y, z in the patient, by highdicom's ImageToReferenceTransformer and by MeasurementReport.generateToolState:
# seen on 30 November 2026: highdicom 12 -4, cornerstone 24 -2
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
import warnings

warnings.simplefilter("ignore")
import highdicom as hd
import numpy as np
from highdicom.spatial import ImageToReferenceTransformer
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

image = Dataset()
image.file_meta = FileMetaDataset()
image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, hd.UID()
image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = hd.UID(), hd.UID(), hd.UID()
image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "A^B", "1", "", ""
image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "", "", "", "", ""
image.Modality, image.Rows, image.Columns = "MR", 64, 64
image.ImagePositionPatient, image.ImageOrientationPatient, image.PixelSpacing = [0, 0, 0], [0, 1, 0, 0, 0, -1], [2, 1]

corners = np.array([[12.5, 2.5], [32.5, 2.5], [32.5, 6.5], [12.5, 6.5], [12.5, 2.5]])  # (0.5, 0.5) is the middle of a pixel
outline = hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, corners, hd.sr.SourceImageForRegion.from_source_image(image))
disc = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
    tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), "Cornerstone3DTools@^0.1.0:RectangleROI"),
    referenced_region=outline,
    finding_type=codes.SCT.Tissue,
)
observer = hd.sr.ObserverContext(codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes("A^B"))
report = hd.sr.MeasurementReport(
    observation_context=hd.sr.ObservationContext(observer_person_context=observer),
    procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
    imaging_measurements=[disc],
)
hd.sr.Comprehensive3DSR(
    evidence=[image], content=report, series_instance_uid=hd.UID(), series_number=2, sop_instance_uid=hd.UID(), instance_number=1
).save_as("report.dcm")
_, y, z = ImageToReferenceTransformer.for_image(image)(corners[:1])[0]
with open("right", "w") as file:
    file.write(f"{y:g} {z:g}")
PYTHON
cat >read.mjs <<'NODE'
import fs from 'fs';
import dcmjs from 'dcmjs';
import { adaptersSR } from '@cornerstonejs/adapters';
import { metaData } from '@cornerstonejs/core';

const file = dcmjs.data.DicomMessage.readFile(new Uint8Array(fs.readFileSync('report.dcm')).buffer);
const report = dcmjs.data.DicomMetaDictionary.naturalizeDataset(file.dict);
// As cornerstone's own provider fills it from Pixel Spacing: the distance of the rows, then that of the columns.
const plane = {
    rows: 64, columns: 64, frameOfReferenceUID: '1.2', rowCosines: [0, 1, 0], columnCosines: [0, 0, -1],
    imagePositionPatient: [0, 0, 0], rowPixelSpacing: 2, columnPixelSpacing: 1, pixelSpacing: [2, 1],
};
const provider = { get: kind => (kind === 'imagePlaneModule' ? plane : undefined) };
metaData.addProvider(provider.get, 10);
const images = new Proxy({}, { get: () => 'image:1' });
const read = adaptersSR.Cornerstone3D.MeasurementReport.generateToolState(report, images, provider);
const [[, y, z]] = Object.values(read).flat()[0].annotation.data.handles.points;
const said = `highdicom ${fs.readFileSync('right')}, cornerstone ${y} ${z}`;
console.log(said);
process.exit(said === 'highdicom 12 -4, cornerstone 24 -2' ? 0 : 1);
NODE
node read.mjs
