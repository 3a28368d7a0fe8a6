"""Writes and reads NIfTI files with nibabel, which knows nothing of ours, for tests to compare with.

usage: nifti_values.py write OUT       writes one volume in many orientations, types and forms; prints a list of names
       nifti_values.py read OUT FILE...   writes of file number i the axial slices, head first, rows from front to
                                       back, columns from the patient's right to left, as float32 to OUT/i.raw; prints
                                       a list of { shape, affine }, the affine in LPS coordinates of columns, rows and
                                       slices
       nifti_values.py masks HU (FILE MASK)...   prints of each pair { voxels, millimetres, dtype }: how many voxels of
                                       the mask are not those of the file above HU, voxel for voxel, and how far the
                                       two volumes lie apart at most
       nifti_values.py dicom-mask HU DIRECTORY MASK   the same of a directory of DICOM files, as pydicom reads them,
                                       each held against the mask's slice that lies at its place; and { slices }
"""
import itertools
import json
import os
import sys

import nibabel
import numpy
import pydicom


def volume():
    """HU that differ everywhere, in RAS order."""
    i, j, k = numpy.meshgrid(numpy.arange(7), numpy.arange(6), numpy.arange(5), indexing="ij")
    return (100 * k + 10 * j + i - 1000).astype(numpy.int16)


def write(out):
    ras = nibabel.Nifti1Image(volume(), numpy.array([[0.5, 0, 0, -30], [0, 0.75, 0, 20], [0, 0, 2, 100], [0, 0, 0, 1.0]]))
    names = []

    def save(image, name):
        nibabel.save(image, os.path.join(out, name))
        names.append(name)

    for axes in itertools.permutations("LR"[:1] + "PA"[:1] + "IS"[:1]):
        for flips in itertools.product([False, True], repeat=3):
            other = {"L": "R", "P": "A", "I": "S"}
            code = "".join(other[a] if flip else a for a, flip in zip(axes, flips))
            turn = nibabel.orientations.ornt_transform(
                nibabel.orientations.io_orientation(ras.affine), nibabel.orientations.axcodes2ornt(code)
            )
            image = ras.as_reoriented(turn)
            image.set_qform(None, 0)
            image.set_sform(image.affine, 1)
            save(image, f"sform-{code}.nii.gz")
            image.set_qform(image.affine, 1)
            image.set_sform(None, 0)
            save(image, f"qform-{code}.nii")
    for dtype in (numpy.int32, numpy.float32, numpy.float64, numpy.uint16, numpy.uint32, numpy.int8):
        data = volume()
        data = data.clip(-128, 127) if dtype == numpy.int8 else data + 1000 if numpy.issubdtype(dtype, numpy.unsignedinteger) else data
        save(nibabel.Nifti1Image(data.astype(dtype), ras.affine, dtype=dtype), f"type-{numpy.dtype(dtype).name}.nii.gz")
    save(nibabel.Nifti2Image(volume(), ras.affine), "version-2.nii.gz")
    two = nibabel.Nifti2Image(volume(), None)
    two.set_qform(ras.affine, 1)
    save(two, "version-2-qform.nii")
    save(nibabel.Nifti1Image(volume(), ras.affine, nibabel.Nifti1Header(endianness=">")), "big-endian.nii.gz")
    both = nibabel.Nifti1Image(volume(), ras.affine)
    both.set_sform(ras.affine, 1)
    both.set_qform(numpy.diag([-3.0, 3, 3, 1]), 2)
    save(both, "both-forms.nii.gz")
    scaled = nibabel.Nifti1Image((volume() + 1000).astype(numpy.int16), ras.affine)
    scaled.header.set_slope_inter(2, -1024)
    save(scaled, "scaled.nii.gz")
    meters = nibabel.Nifti1Image(volume(), numpy.diag([0.0005, 0.00075, 0.002, 1]))
    meters.header.set_xyzt_units("meter")
    save(meters, "meters.nii.gz")
    print(json.dumps(names))


def read(path, out):
    image = nibabel.load(path)
    lps = image.as_reoriented(
        nibabel.orientations.ornt_transform(
            nibabel.orientations.io_orientation(image.affine), nibabel.orientations.axcodes2ornt("LPI")
        )
    )
    data = numpy.asarray(lps.get_fdata(dtype=numpy.float32))
    # nibabel's first axis varies slowest in memory; slices, rows, columns is the order wanted.
    numpy.ascontiguousarray(data.transpose(2, 1, 0)).tofile(out)
    # nibabel leaves units to its caller.
    mm = 1000 if image.header.get_xyzt_units()[0] == "meter" else 1
    affine = numpy.diag([-mm, -mm, mm, 1]) @ lps.affine
    return {"shape": list(data.shape), "affine": affine.tolist()}


def corners(shape, affine):
    """The patient's coordinates (LPS) of a volume's corners."""
    ends = numpy.array(list(itertools.product(*[(0, n - 1) for n in shape])))
    return (ends @ affine[:3, :3].T + affine[:3, 3]) * [-1, -1, 1]


def compare(hu, path, mask_path):
    image, mask = nibabel.load(path), nibabel.load(mask_path)
    wrong = numpy.count_nonzero((image.get_fdata() > hu) != (mask.get_fdata() == 1)) if image.shape == mask.shape else -1
    apart = numpy.abs(corners(image.shape, image.affine) - corners(mask.shape, mask.affine)).max()
    return {"voxels": int(wrong), "millimetres": float(apart), "dtype": str(mask.get_data_dtype())}


def compare_dicom(hu, directory, mask_path):
    mask = nibabel.load(mask_path)
    data, to_patient = mask.get_fdata(), numpy.diag([-1.0, -1, 1, 1]) @ mask.affine
    wrong, apart, seen = 0, 0.0, set()
    for name in os.listdir(directory):
        file = pydicom.dcmread(os.path.join(directory, name), force=True)
        across, down = numpy.reshape(file.ImageOrientationPatient, (2, 3)).astype(float)
        row_mm, column_mm = [float(mm) for mm in file.PixelSpacing]
        origin = numpy.array(file.ImagePositionPatient, float)
        k = min(range(data.shape[2]), key=lambda k: numpy.linalg.norm((to_patient @ [0, 0, k, 1])[:3] - origin))
        seen.add(k)
        for i, j in itertools.product((0, file.Columns - 1), (0, file.Rows - 1)):
            there = origin + across * column_mm * i + down * row_mm * j
            apart = max(apart, float(numpy.abs((to_patient @ [i, j, k, 1])[:3] - there).max()))
        values = file.pixel_array * float(file.RescaleSlope) + float(file.RescaleIntercept)
        wrong += int(numpy.count_nonzero((values > hu) != (data[:, :, k].T == 1)))
    return {"voxels": wrong, "millimetres": apart, "dtype": str(mask.get_data_dtype()), "slices": len(seen)}


command, out, *paths = sys.argv[1:]
if command == "write":
    write(out)
elif command == "masks":
    print(json.dumps([compare(float(out), *pair) for pair in zip(paths[::2], paths[1::2])]))
elif command == "dicom-mask":
    print(json.dumps(compare_dicom(float(out), *paths)))
else:
    print(json.dumps([read(path, os.path.join(out, f"{i}.raw")) for i, path in enumerate(paths)]))
