"""What pydicom reads of a structured report: python3 report_values.py FILE. The tree and what files it, as JSON."""

import json
import sys

import pydicom


def code(item):
    return [item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning]


def reference(item):
    return {
        "sopClass": item.ReferencedSOPClassUID,
        "instance": item.ReferencedSOPInstanceUID,
        "segment": int(item.ReferencedSegmentNumber) if "ReferencedSegmentNumber" in item else None,
    }


def value(item):
    kind = item.ValueType
    if kind == "TEXT":
        return item.TextValue
    if kind == "CODE":
        return code(item.ConceptCodeSequence[0])
    if kind == "UIDREF":
        return item.UID
    if kind == "NUM":
        measured = item.MeasuredValueSequence[0]
        value, scheme, _ = code(measured.MeasurementUnitsCodeSequence[0])
        assert scheme == "UCUM", scheme
        return [float(measured.NumericValue), value]
    if kind == "IMAGE":
        return reference(item.ReferencedSOPSequence[0])
    return None


def node(item):
    template = item.get("ContentTemplateSequence")
    return {
        "relationship": item.get("RelationshipType"),
        "type": item.ValueType,
        "concept": code(item.ConceptNameCodeSequence[0]) if "ConceptNameCodeSequence" in item else None,
        "template": template[0].TemplateIdentifier if template else None,
        "value": value(item),
        "content": [node(child) for child in item.get("ContentSequence", [])],
    }


dataset = pydicom.dcmread(sys.argv[1])
keywords = (
    "SOPClassUID SOPInstanceUID SeriesInstanceUID StudyInstanceUID PatientID PatientBirthDate Modality CompletionFlag "
    "VerificationFlag PreliminaryFlag SeriesDescription Manufacturer SoftwareVersions"
).split()
print(
    json.dumps(
        {
            **{k: str(dataset[k].value) for k in keywords if k in dataset},
            "PatientName": str(dataset.PatientName),
            "schemes": [item.CodingSchemeDesignator for item in dataset.CodingSchemeIdentificationSequence],
            "evidence": [
                [study.StudyInstanceUID, series.SeriesInstanceUID, item.ReferencedSOPInstanceUID]
                for study in dataset.CurrentRequestedProcedureEvidenceSequence
                for series in study.ReferencedSeriesSequence
                for item in series.ReferencedSOPSequence
            ],
            "tree": node(dataset),
        }
    )
)
