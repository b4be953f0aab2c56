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
    "BULGING": "disc_bulging",
    "HERNIATION": "disc_herniation",
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
    planar = content.get_planar_roi_measurement_groups()
    outlined = [group for group in planar if group.finding_type.value in DISCS]
    regions = [group for group in planar if group.finding_type.value not in DISCS]
    discs = {}
    for group in outlined + [group for group in groups if group not in planar]:
        if isinstance(group, hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations) and group not in outlined:
            continue
        if group.finding_type is None:
            continue  # a reader's measurement
        level = DISCS[group.finding_type.value]
        assert group.tracking_identifier == level
        check_outline(group, report, level)
        grades, computed, probabilities, comments = {}, {}, {}, []
        for item in group[0].ContentSequence:
            concept = name(item)
            if item.ValueType == "CODE" and concept.CodingSchemeDesignator == "99SPINENET":
                grade = grade_of(hd.sr.CodedConcept.from_dataset(item.ConceptCodeSequence[0]))
                is_computed = concept.CodeValue.endswith("-C")
                target = computed if is_computed else grades
                target[KEYS[concept.CodeValue.removesuffix("-C")]] = grade
            elif item.ValueType == "NUM":
                of = item.ContentSequence[0]
                grade = grade_of(hd.sr.CodedConcept.from_dataset(of.ConceptCodeSequence[0]))
                key = KEYS[name(of).CodeValue]
                assert concept.CodeValue == f"{name(of).CodeValue}.{grade}", concept
                assert concept.CodeMeaning.endswith(", probability")
                check_source(item, group, first=not probabilities)
                probabilities.setdefault(key, {})[grade] = float(item.MeasuredValueSequence[0].NumericValue)
            elif item.ValueType == "TEXT" and concept.CodeValue == "121106":
                comments.append(item.TextValue)
        discs[level] = (grades, computed, probabilities, comments)
    assert list(discs) == [disc["level"] for disc in report["discs"]]
    for disc in report["discs"]:
        grades, computed, probabilities, comments = discs[disc["level"]]
        if disc["gradings"]:
            assert comments.pop(0).startswith(disc["level"] + ": "), "the disc in one sentence"
            assert next(iter(probabilities["pfirrmann"])) == grades["pfirrmann"], "the grade that counts comes first"
        assert comments == [disc["comment"]] * (disc["comment"] is not None), (comments, disc["comment"])
        for key, entry in disc["gradings"].items():
            edited = entry["edited"]
            assert grades[key] == (entry["grade"] if edited is None else edited), (disc["level"], key)
            assert computed.get(key, entry["grade"]) == entry["grade"]
            assert (key in computed) == (edited is not None)
            assert [probabilities[key][grade] for grade in sorted(probabilities[key])] == entry["probabilities"]
    return len(discs), len(regions)


def check_source(item, group, first):
    """The first number is inferred from the outline, for readers that look for coordinates there."""
    sources = [child for child in item.ContentSequence if child.ValueType == "SCOORD"]
    assert len(sources) == first
    for source in sources:
        assert source.RelationshipType == "INFERRED FROM"
        assert np.array_equal(source.GraphicData, group.roi.GraphicData)


def check_outline(group, report, level):
    """The corners that face the disc, closed, on the slice nearest to its middle."""
    entry = next(disc for disc in report["discs"] if disc["level"] == level)
    bodies = {body["label"]: {item["slice"]: item["corners_image"] for item in body["slices"]} for body in report["vertebrae"]}
    upper, lower = (bodies[name] for name in level.split("-"))
    slice_index = round(entry["centroid_image"][0])
    points = np.array(group.roi.value if hasattr(group.roi, "value") else group.roi.GraphicData).reshape(-1, 2)
    assert np.array_equal(points[0], points[-1]) and len(points) == 5
    source = group.roi.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert source == report["sop_instance_uids"][slice_index]
    if slice_index in upper and slice_index in lower:
        corners = [upper[slice_index]["IA"], upper[slice_index]["IP"], lower[slice_index]["SP"], lower[slice_index]["SA"]]
        assert np.allclose(points[:4], np.array(corners) + 0.5, atol=1e-3), (points, corners)


UNITS = {"length": ("410668003", "mm"), "angle": ("1483009", "deg"), "cobb": ("285285000", "deg"), "slip": ("SLIP-PERCENT", "%")}


def check_measurements(path, report):
    sr = pydicom.dcmread(path)
    groups = next(item for item in sr.ContentSequence if name(item).CodeValue == "126010").ContentSequence
    numbers = [item for group in groups for item in group.ContentSequence if item.ValueType == "NUM"]
    numbers = [item for item in numbers if "." not in name(item).CodeValue]
    assert len(numbers) == len(report.get("measurements", []))
    for item, entry in zip(numbers, report.get("measurements", []), strict=True):
        concept, unit = UNITS[entry["kind"]]
        value = item.MeasuredValueSequence[0]
        assert name(item).CodeValue == concept and value.MeasurementUnitsCodeSequence[0].CodeValue == unit
        assert float(value.NumericValue) == entry["value"] and entry["unit"] == unit
        points = np.array(item.ContentSequence[0].GraphicData).reshape(-1, 2)
        assert np.allclose(points, np.array(entry["points_image"]) + 0.5, atol=1e-3)
        image = item.ContentSequence[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        assert image == report["sop_instance_uids"][entry["slice"]]
    return len(numbers)


def check_marks(path, report, regions):
    state = pydicom.dcmread(path)
    assert state.Modality == "PR" and state.StudyInstanceUID == report["study_instance_uid"]
    drawn, words = 0, []
    for annotation in state.GraphicAnnotationSequence:
        assert annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID in report["sop_instance_uids"]
        words += [text.UnformattedTextValue for text in annotation.TextObjectSequence]
        drawn += len(annotation.GraphicObjectSequence)
        for item in annotation.GraphicObjectSequence:
            points = np.array(item.GraphicData).reshape(-1, 2)
            assert len(points) == item.NumberOfGraphicPoints and (points >= 0).all()
            area = state.DisplayedAreaSelectionSequence[0].DisplayedAreaBottomRightHandCorner
            assert (points <= np.array(area, float)).all()
    lines = {"length": 1, "slip": 1, "angle": 2, "cobb": 2}
    measured = report.get("measurements", [])
    assert drawn == regions + sum(lines[entry["kind"]] for entry in measured)
    for entry in measured:
        assert any(f"{abs(entry['value']):.1f}" in text or f"{abs(entry['value']):.0f}" in text for text in words), words


def check_hotspots(path, maps, volumes, images):
    """Marked pixels are those whose voxel of the map is above the threshold: recomputed from the NIfTI volume."""
    import nibabel

    seg = hd.seg.segread(path)
    uids = [image.SOPInstanceUID for image in images]
    pixels = seg.get_pixels_by_source_instance(uids, combine_segments=False, assert_missing_frames_are_empty=True)
    for number, map_path in enumerate(maps):
        _, first, second, grading = map_path.stem.split("-")
        image = nibabel.load(Path(volumes) / f"{first}-{second}_{grading}_evidence.nii.gz")
        values = np.asarray(image.dataobj, dtype=np.float32)
        description = seg.get_segment_description(number + 1)
        assert description.segment_label.startswith(f"{first}-{second}")
        marked = pixels[..., number].astype(bool)
        assert marked.any()
        for mask, source in zip(marked, images, strict=True):
            if not mask.any():
                continue
            rows, columns = np.nonzero(mask)
            orientation, spacing = np.array(source.ImageOrientationPatient, float), np.array(source.PixelSpacing, float)
            lps = np.array(source.ImagePositionPatient, float) + np.outer(columns * spacing[1], orientation[:3])
            lps = lps + np.outer(rows * spacing[0], orientation[3:])
            index = np.linalg.inv(image.affine) @ np.vstack([(lps * [-1, -1, 1]).T, np.ones(len(rows))])
            column, row, depth = np.rint(index[:3]).astype(int)
            inside_map = (column >= 0) & (column < 224) & (row >= 0) & (row < 112)
            assert inside_map.all()
            # The percentile counts all voxels of the map's slices that the scan has: about 97 of 100 lie below it.
            share = (values[None, column, row, depth] <= np.quantile(values, 0.95)).mean()
            assert share < 0.02, share
    return len(seg.segment_numbers)


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


def check_key_images(objects, report):
    """The selection names the images of the marked slices; each mark has a picture of its own."""
    selection = hd.ko.KeyObjectSelectionDocument.from_dataset(pydicom.dcmread(objects / "key-images-ko.dcm"))
    assert selection.StudyInstanceUID == report["study_instance_uid"] and selection.Modality == "KO"
    assert name(selection).CodeValue == "113000"
    chosen = [image.referenced_sop_instance_uid for image in selection.content.get_references()]
    slices = sorted({image["slice"] for image in report["key_images"]})
    assert chosen == [report["sop_instance_uids"][slice_index] for slice_index in slices], chosen
    pictures = [pydicom.dcmread(path) for path in sorted(objects.glob("key-image-*-sc.dcm"))]
    assert len(pictures) == len(report["key_images"])
    assert len({picture.SOPInstanceUID for picture in pictures}) == len(pictures)
    for picture in pictures:
        assert picture.pixel_array.shape[2] == 3 and picture.StudyInstanceUID == report["study_instance_uid"]
    return len(pictures)


def maps_in_order(objects, maps):
    """The maps in the order of their numbers, which is that of the hotspots."""
    return sorted(maps, key=lambda path: int(pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber))


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
    check_marks(objects / "marks-pr.dcm", report, regions)
    measured = check_measurements(objects / "report-sr.dcm", report)
    hotspots = check_hotspots(objects / "hotspots-seg.dcm", maps_in_order(objects, maps), volumes, images)
    keys = check_key_images(objects, report)
    capture = pydicom.dcmread(objects / "overview-sc.dcm")
    assert capture.pixel_array.shape[2] == 3 and capture.StudyInstanceUID == report["study_instance_uid"]
    assert {image.PatientID for image in images} == {capture.PatientID}
    print(f"{discs} discs, {regions} regions, {segments} segments on {frames} frames")
    print(f"{len(maps)} maps, {hotspots} hotspots, {measured} measurements, {keys} key images read back equal")


main(*sys.argv[1:])
