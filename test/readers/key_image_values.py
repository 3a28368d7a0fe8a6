"""What pydicom and GDCM read of a secondary capture: python3 key_image_values.py FILE OUT. Pixels of pydicom go to OUT, RGB
row by row; the rest, and whether GDCM read the same, as JSON to standard output."""

import json
import sys

import gdcm
import numpy
import pydicom

dataset = pydicom.dcmread(sys.argv[1])
pixels = dataset.pixel_array
pixels.tofile(sys.argv[2])
reader = gdcm.ImageReader()
reader.SetFileName(sys.argv[1])
assert reader.Read()
image = reader.GetImage()
raw = image.GetBuffer().encode("utf-8", errors="surrogateescape")
keywords = (
    "SOPClassUID SOPInstanceUID SeriesInstanceUID StudyInstanceUID Modality SeriesDescription BurnedInAnnotation "
    "DerivationDescription ImageComments ConversionType PhotometricInterpretation LossyImageCompression InstanceNumber"
).split()
print(
    json.dumps(
        {
            **{k: str(dataset[k].value) for k in keywords if k in dataset},
            "PatientName": str(dataset.PatientName),
            "imageType": list(dataset.ImageType),
            "orientation": list(dataset.PatientOrientation),
            "spacing": [float(v) for v in dataset.PixelSpacing],
            "shape": list(pixels.shape),
            "type": str(pixels.dtype),
            "sources": [
                [
                    item.ReferencedSOPClassUID,
                    item.ReferencedSOPInstanceUID,
                    int(item.ReferencedFrameNumber) if "ReferencedFrameNumber" in item else None,
                ]
                for item in dataset.SourceImageSequence
            ],
            "gdcm": {
                "size": [image.GetDimension(1), image.GetDimension(0)],
                "photometric": str(image.GetPhotometricInterpretation()),
                "isSame": raw[: pixels.size] == pixels.tobytes(),
            },
        }
    )
)
