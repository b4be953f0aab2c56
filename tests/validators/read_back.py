"""Reads result objects with pydicom and highdicom and compares them with the report they were made from.

    python read_back.py REPORT.json OBJECTS_FOLDER STUDY_FOLDER [EVIDENCE.nii.gz]
"""

import json
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from pydicom.sr.codedict import codes

KEYS = {
    "PFIRRMANN": "pfirrmann",
    "NARROWING": "disc_narrowing",
    "UP-ENDPLATE": "upper_endplate_defect",
    "LOW-ENDPLATE": "lower_endplate_defect",
    "UP-MARROW": "upper_marrow_change",
    "LOW-MARROW": "lower_marrow_change",
    "LISTHESIS": "spondylolisthesis",
    "CANAL-STENOSIS": "central_canal_stenosis",
}
DISCS = {
    "76206002": "T12-L1", "80064006": "L1-L2", "67459009": "L2-L3",
    "62551000": "L3-L4", "84020006": "L4-L5", "715056000": "L5-S1",
}  # fmt: skip
PRESENT, ABSENT = "52101004", "272519000"


def grade_of(code):
    return {PRESENT: 1, ABSENT: 0}[code.value] if code.scheme_designator == "SCT" else int(code.value.split("-")[-1])


def name(item):
    return item.ConceptNameCodeSequence[0]


def check_report(path, report, uids):
    sr = hd.sr.Comprehensive3DSR.from_dataset(pydicom.dcmread(path))
    assert sr.StudyInstanceUID == report["study_instance_uid"]
    assert sr.VerificationFlag == ("VERIFIED" if report.get("sign_off") else "UNVERIFIED")
    if report.get("sign_off"):
        assert str(sr.VerifyingObserverSequence[0].VerifyingObserverName) == report["sign_off"]["reader"]
    content = sr.content
    assert isinstance(content, hd.sr.MeasurementReport)
    evidence = sr.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert {item.ReferencedSOPInstanceUID for item in evidence.ReferencedSOPSequence} == uids
    groups = content.get_image_measurement_groups()
    regions = content.get_planar_roi_measurement_groups()
    discs = {}
    for group in groups:
        if isinstance(group, hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations):
            continue
        level = DISCS[group.finding_type.value]
        assert group.tracking_identifier == level
        grades, computed, probabilities, comment = {}, {}, {}, None
        for item in group[0].ContentSequence:
            concept = name(item)
            if item.ValueType == "CODE" and concept.CodingSchemeDesignator == "99SPINENET":
                grade = grade_of(hd.sr.CodedConcept.from_dataset(item.ConceptCodeSequence[0]))
                is_computed = concept.CodeValue.endswith("-C")
                target = computed if is_computed else grades
                target[KEYS[concept.CodeValue.removesuffix("-C")]] = grade
            elif item.ValueType == "NUM":
                assert concept.CodeValue == "122157"
                of = item.ContentSequence[0]
                grade = grade_of(hd.sr.CodedConcept.from_dataset(of.ConceptCodeSequence[0]))
                key = KEYS[name(of).CodeValue]
                probabilities.setdefault(key, {})[grade] = float(item.MeasuredValueSequence[0].NumericValue)
            elif item.ValueType == "TEXT" and concept.CodeValue == "121106":
                comment = item.TextValue
        discs[level] = (grades, computed, probabilities, comment)
    assert list(discs) == [disc["level"] for disc in report["discs"]]
    for disc in report["discs"]:
        grades, computed, probabilities, comment = discs[disc["level"]]
        assert comment == disc["comment"], (comment, disc["comment"])
        for key, entry in disc["gradings"].items():
            edited = entry["edited"]
            assert grades[key] == (entry["grade"] if edited is None else edited), (disc["level"], key)
            assert computed.get(key, entry["grade"]) == entry["grade"]
            assert (key in computed) == (edited is not None)
            assert [probabilities[key][grade] for grade in sorted(probabilities[key])] == entry["probabilities"]
    return len(discs), len(regions)


def inside(corners, x, y):
    result, previous = np.zeros(x.shape, bool), corners[-1]
    for corner in corners:
        (ax, ay), (bx, by) = corner, previous
        if ay != by:
            crosses = (ay > y) != (by > y)
            result ^= crosses & (x < ax + (y - ay) / (by - ay) * (bx - ax))
        previous = corner
    return result


def check_segmentation(path, report, images):
    seg = hd.seg.segread(path)
    assert seg.StudyInstanceUID == report["study_instance_uid"]
    labels = [seg.get_segment_description(number).segment_label for number in seg.segment_numbers]
    bodies = {entry["label"]: entry for entry in report["vertebrae"] if entry["label"] != "S1"}
    assert set(bodies) <= set(labels) and {disc["level"] for disc in report["discs"]} <= set(labels)
    uids = report["sop_instance_uids"]
    pixels = seg.get_pixels_by_source_instance(uids, combine_segments=False)
    assert pixels.shape[0] == len(uids) and pixels.shape[-1] == len(labels)
    rows, columns = images[0].Rows, images[0].Columns
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    for label, entry in bodies.items():
        for outline in entry["slices"]:
            corners = [outline["corners_image"][corner] for corner in ("SA", "SP", "IP", "IA")]
            mask = pixels[outline["slice"], :, :, labels.index(label)].astype(bool)
            assert (mask != inside(corners, x, y)).sum() <= 2, label
    # Frames lie where the images do.
    positions = {image.SOPInstanceUID: np.array(image.ImagePositionPatient, float) for image in images}
    for groups in seg.PerFrameFunctionalGroupsSequence:
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        position = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        assert np.allclose(position, positions[source], atol=1e-6)
    return len(labels), seg.NumberOfFrames


def check_map(path, report, volume):
    data = pydicom.dcmread(path)
    pm = hd.pm.ParametricMap.from_dataset(data) if hasattr(hd.pm.ParametricMap, "from_dataset") else data
    assert pm.StudyInstanceUID == report["study_instance_uid"]
    frames = np.frombuffer(data.FloatPixelData, "<f4").reshape(data.NumberOfFrames, data.Rows, data.Columns)
    assert np.isfinite(frames).all() and frames.min() >= 0 and frames.max() > 0
    shared = data.SharedFunctionalGroupsSequence[0]
    quantity = shared.RealWorldValueMappingSequence[0].QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (quantity.CodeValue, quantity.CodingSchemeDesignator) == ("130404", "DCM")
    if volume is None:
        return
    import nibabel

    image = nibabel.load(volume)
    values = np.asarray(image.dataobj, dtype=np.float32)
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    ras_from_lps = np.diag([-1.0, -1.0, 1.0])
    for frame, groups in zip(frames, data.PerFrameFunctionalGroupsSequence, strict=True):
        corner = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        index = np.linalg.inv(image.affine) @ np.append(ras_from_lps @ corner, 1)
        slice_index = round(index[2])
        assert np.allclose(index[:3], [0, 0, slice_index], atol=0.02), index
        assert np.array_equal(frame, values[:, :, slice_index].T), "the same numbers in both files"
        far = corner + orientation[:3] * spacing[1] * 223 + orientation[3:] * spacing[0] * 111
        index = np.linalg.inv(image.affine) @ np.append(ras_from_lps @ far, 1)
        assert np.allclose(index[:2], [223, 111], atol=0.05), index


def main(report_file, objects, study, volumes=None):
    report = json.loads(Path(report_file).read_text())
    images = {}
    for path in Path(study).rglob("*"):
        if path.is_file():
            try:
                image = pydicom.dcmread(path, stop_before_pixels=True)
            except pydicom.errors.InvalidDicomError:
                continue
            images[image.SOPInstanceUID] = image
    images = [images[uid] for uid in report["sop_instance_uids"]]
    objects = Path(objects)
    discs, regions = check_report(objects / "report-sr.dcm", report, set(report["sop_instance_uids"]))
    segments, frames = check_segmentation(objects / "spine-seg.dcm", report, images)
    maps = sorted(objects.glob("evidence-*.dcm"))
    for path in maps:
        _, first, second, grading = path.stem.split("-")
        volume = Path(volumes) / f"{first}-{second}_{grading}_evidence.nii.gz" if volumes else None
        check_map(path, report, volume)
    capture = pydicom.dcmread(objects / "overview-sc.dcm")
    assert capture.pixel_array.shape[2] == 3 and capture.StudyInstanceUID == report["study_instance_uid"]
    assert {image.PatientID for image in images} == {capture.PatientID}
    print(f"{discs} discs, {regions} regions, {segments} segments on {frames} frames, {len(maps)} maps read back equal")


main(*sys.argv[1:])
