"""Decodes DICOM files with GDCM, one process per core, and prints the milliseconds that it took.

usage: decode_with_gdcm.py PROCESSES FILE...
Imports and the start of processes are not counted; every process decodes one file before.
"""
import multiprocessing
import os
import sys
import time

import gdcm


def decode(path):
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    reader.Read()
    return len(reader.GetImage().GetBuffer())


def main():
    processes, *paths = sys.argv[1:]
    # GDCM warns of every file on stderr, which would be measured too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with multiprocessing.Pool(int(processes)) as pool:
        pool.map(decode, paths[: 2 * int(processes)], chunksize=1)
        start = time.perf_counter()
        pool.map(decode, paths, chunksize=4)
        print((time.perf_counter() - start) * 1000)


main()
