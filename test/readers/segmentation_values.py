"""What pydicom reads of a DICOM Segmentation: python3 segmentation_values.py FILE OUT. Frames go to OUT, a byte a pixel
(two of label maps of 16 bits), what else there is as JSON to standard output; of single bits also what GDCM reads, which
does not know label maps."""

import json
import sys

import gdcm
import numpy
import pydicom


def read_by_gdcm(path, frames):
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    assert reader.Read()
    image = reader.GetImage()
    packed = numpy.frombuffer(image.GetBuffer().encode("utf-8", errors="surrogateescape"), numpy.uint8)
    bits = numpy.unpackbits(packed, bitorder="little")[: frames.size]
    dimensions = [image.GetDimension(axis) for axis in range(image.GetNumberOfDimensions())]
    return {"dimensions": dimensions, "isSame": bits.tobytes() == frames.astype(numpy.uint8).tobytes()}


def code(sequence):
    item = sequence[0]
    return [item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning]


def group(shared, frame, name):
    return (frame if name in frame else shared)[name][0]


def describe(dataset, index, mask):
    shared = dataset.SharedFunctionalGroupsSequence[0]
    frame = dataset.PerFrameFunctionalGroupsSequence[index]
    source = frame.DerivationImageSequence[0].SourceImageSequence[0]
    position = [float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient]
    cosines = [float(v) for v in group(shared, frame, "PlaneOrientationSequence").ImageOrientationPatient]
    measures = group(shared, frame, "PixelMeasuresSequence")
    spacing = [float(v) for v in measures.PixelSpacing]
    row, column = numpy.nonzero(mask)
    along = numpy.array(cosines[:3]) * spacing[1]
    down = numpy.array(cosines[3:]) * spacing[0]
    points = numpy.array(position) + column[:, None] * along + row[:, None] * down
    return {
        "position": position,
        "orientation": cosines,
        "spacing": spacing,
        "thickness": float(measures.SliceThickness),
        "step": float(measures.SpacingBetweenSlices) if "SpacingBetweenSlices" in measures else None,
        "segment": frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        if "SegmentIdentificationSequence" in frame
        else None,
        "indices": list(numpy.atleast_1d(frame.FrameContentSequence[0].DimensionIndexValues).tolist()),
        "sourceClass": source.ReferencedSOPClassUID,
        "source": source.ReferencedSOPInstanceUID,
        "sourceFrame": int(source.ReferencedFrameNumber) if "ReferencedFrameNumber" in source else None,
        "pixels": int(mask.astype(bool).sum()),
        "sumMm": points.sum(axis=0).tolist(),
    }


dataset = pydicom.dcmread(sys.argv[1])
frames = dataset.pixel_array
if int(dataset.NumberOfFrames) == 1 and frames.ndim == 2:
    frames = frames[None]
frames.astype(numpy.uint16 if dataset.BitsAllocated == 16 else numpy.uint8).tofile(sys.argv[2])
keywords = (
    "SOPClassUID SOPInstanceUID SeriesInstanceUID StudyInstanceUID FrameOfReferenceUID PatientID PatientBirthDate "
    "PatientSex StudyDate StudyTime AccessionNumber StudyID StudyDescription SegmentationType SegmentsOverlap "
    "ContentLabel ContentDescription ImageComments Rows Columns BitsAllocated PixelPaddingValue LossyImageCompression"
).split()
print(
    json.dumps(
        {
            **{k: str(dataset[k].value) for k in keywords if k in dataset},
            "PatientName": str(dataset.PatientName),
            "ReferringPhysicianName": str(dataset.ReferringPhysicianName),
            "gdcm": read_by_gdcm(sys.argv[1], frames) if dataset.BitsAllocated == 1 else None,
            "transferSyntax": dataset.file_meta.TransferSyntaxUID,
            "referenced": [
                [series.SeriesInstanceUID, [item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence]]
                for series in dataset.ReferencedSeriesSequence
            ],
            "segments": [
                {
                    "number": segment.SegmentNumber,
                    "label": segment.SegmentLabel,
                    "type": code(segment.SegmentedPropertyTypeCodeSequence),
                    "category": code(segment.SegmentedPropertyCategoryCodeSequence),
                    "algorithmType": segment.SegmentAlgorithmType,
                    "algorithm": segment.SegmentationAlgorithmIdentificationSequence[0].get("AlgorithmParameters"),
                    "version": segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion,
                    "lab": list(segment.RecommendedDisplayCIELabValue),
                    "trackingUid": segment.TrackingUID,
                }
                for segment in dataset.SegmentSequence
            ],
            "frames": [describe(dataset, index, mask) for index, mask in enumerate(frames)],
        }
    )
)
