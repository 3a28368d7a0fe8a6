"""Reads DICOM files with GDCM and pydicom, which know nothing of ours, for tests to compare with.

usage: dicom_values.py OUT FILE...
Writes the stored values of file number i, as GDCM decodes them, to OUT/i.raw, and prints a JSON list with what pydicom
says of each file: { rows, columns, bits, signed, slope, intercept, position, orientation, spacing }.
"""
import json
import os
import sys
import warnings

import gdcm
import pydicom

warnings.simplefilter("ignore")
gdcm.Trace.WarningOff()


def floats(dataset, name):
    value = getattr(dataset, name, None)
    if value is None:
        return None
    return [float(v) for v in value] if isinstance(value, (list, pydicom.multival.MultiValue)) else float(value)


def rescaled(dataset):
    """Where the rescale stands: in the file, or in the groups that all frames share, or in those of the first."""
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        groups = getattr(dataset, name, [])
        if groups and "PixelValueTransformationSequence" in groups[0]:
            return groups[0].PixelValueTransformationSequence[0]
    return dataset


def describe(path, raw):
    dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    if not reader.Read():
        return {"error": "GDCM cannot read it"}
    image = reader.GetImage()
    pixels = image.GetPixelFormat()
    with open(raw, "wb") as file:
        # GDCM hands bytes over as text.
        file.write(image.GetBuffer().encode("utf-8", "surrogateescape"))
    return {
        "rows": image.GetDimension(1),
        "columns": image.GetDimension(0),
        "bits": pixels.GetBitsAllocated(),
        "signed": pixels.GetPixelRepresentation() == 1,
        "slope": floats(rescaled(dataset), "RescaleSlope"),
        "intercept": floats(rescaled(dataset), "RescaleIntercept"),
        "position": floats(dataset, "ImagePositionPatient"),
        "orientation": floats(dataset, "ImageOrientationPatient"),
        "spacing": floats(dataset, "PixelSpacing"),
    }


def main():
    out, *paths = sys.argv[1:]
    print(json.dumps([describe(path, os.path.join(out, f"{i}.raw")) for i, path in enumerate(paths)]))


main()
