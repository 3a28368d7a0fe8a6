"""How files differ, by pydicom: python3 restamped_values.py FOLDER_OLD FOLDER_NEW. Files are matched by their position
along z. For each pair the elements that differ, whether pixel data are the same bytes, and the new UIDs, as JSON."""

import json
import os
import sys

import pydicom


def read(folder):
    files = [pydicom.dcmread(os.path.join(folder, name), force=True) for name in os.listdir(folder)]
    return sorted(files, key=lambda dataset: -float(dataset.ImagePositionPatient[2]))


def uid(dataset, keyword):
    return str(dataset.get(keyword, ""))


pairs = zip(read(sys.argv[1]), read(sys.argv[2]), strict=True)
keywords = ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"]
print(
    json.dumps(
        [
            {
                "different": sorted(
                    {element.keyword for element in old if new.get(element.tag) != element}
                    | {element.keyword for element in new if old.get(element.tag) != element}
                ),
                "samePixels": old.PixelData == new.PixelData,
                "uids": [uid(new, keyword) for keyword in keywords],
                "valid": all(new[keyword].value.is_valid for keyword in keywords),
                "meta": [
                    new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID,
                    new.file_meta.MediaStorageSOPClassUID == new.SOPClassUID,
                    new.file_meta.TransferSyntaxUID == old.file_meta.TransferSyntaxUID,
                ],
            }
            for old, new in pairs
        ]
    )
)
