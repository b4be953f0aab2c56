#!/usr/bin/env bash
# @cornerstonejs/adapters 5.14.0 (the library behind OHIF's structured reports): a region of interest (TID 1410) comes back from
# MeasurementReport.generateToolState only if it holds no number. As soon as the group has a measurement (NUM), the adapter
# looks for coordinates inside of that number and not in the group, where TID 1410 has them; it logs "No spatial
# coordinates group found." and drops the region. The call returns as if all had been read.
# A report written by highdicom 0.28.2, two rectangles as polygons, one with an area:
# seen on 30 November 2026: read back: polygon without a number; dropped: polygon with a number
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


def group(name, measurements):
    corners = np.array([[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]], float)
    region = hd.sr.ImageRegion(
        hd.sr.GraphicTypeValues.POLYLINE, corners, hd.sr.SourceImageForRegion.from_source_image(image)
    )
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), f"Cornerstone3DTools@^0.1.0:RectangleROI {name}"),
        referenced_region=region,
        finding_type=codes.SCT.Mass,
        measurements=measurements,
    )


area = hd.sr.Measurement(codes.SCT.Area, 100.0, codes.UCUM.SquareMillimeter)
observer = hd.sr.ObserverContext(codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes("A^B"))
report = hd.sr.MeasurementReport(
    observation_context=hd.sr.ObservationContext(observer_person_context=observer),
    procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
    imaging_measurements=[group("without a number", None), group("with a number", [area])],
)
hd.sr.Comprehensive3DSR(
    evidence=[image], content=report, series_instance_uid=hd.UID(), series_number=2, sop_instance_uid=hd.UID(), instance_number=1
).save_as("report.dcm")
PYTHON
cat >read.mjs <<'NODE'
import fs from 'fs';
import dcmjs from 'dcmjs';
import { adaptersSR } from '@cornerstonejs/adapters';
import { metaData } from '@cornerstonejs/core';

const file = dcmjs.data.DicomMessage.readFile(new Uint8Array(fs.readFileSync('report.dcm')).buffer);
const report = dcmjs.data.DicomMetaDictionary.naturalizeDataset(file.dict);
const plane = {
    rows: 64, columns: 64, frameOfReferenceUID: '1.2', rowCosines: [1, 0, 0], columnCosines: [0, 1, 0],
    imagePositionPatient: [0, 0, 0], rowPixelSpacing: 1, columnPixelSpacing: 1, pixelSpacing: [1, 1],
};
const provider = { get: kind => (kind === 'imagePlaneModule' ? plane : undefined) };
metaData.addProvider(provider.get, 10);
const images = new Proxy({}, { get: () => 'image:1' });
const groups = report.ContentSequence.find(item => item.ConceptNameCodeSequence[0].CodeValue === '126010').ContentSequence;
const names = new Map(groups.map(group => {
    const value = code => group.ContentSequence.find(item => item.ConceptNameCodeSequence[0].CodeValue === code);
    return [value('112040').UID, value('112039').TextValue.split(' ').slice(1).join(' ')];
}));
console.warn = () => {};
const read = adaptersSR.Cornerstone3D.MeasurementReport.generateToolState(report, images, provider);
const back = new Set(Object.values(read).flat().map(region => names.get(region.TrackingUniqueIdentifier)));
const list = kept => [...names.values()].filter(name => back.has(name) === kept).map(name => `polygon ${name}`).join(', ');
const said = `read back: ${list(true)}; dropped: ${list(false)}`;
console.log(said);
process.exit(said === 'read back: polygon without a number; dropped: polygon with a number' ? 0 : 1);
NODE
node read.mjs
