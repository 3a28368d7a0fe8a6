#!/usr/bin/env python3
"""Converts a PyTorch checkpoint (.pth, .pth.tar) to safetensors for loadModel.

    pip install torch safetensors numpy
    python scripts/convert_pth.py joint.pth joint.safetensors --network jcs-joint

Nothing is executed from the file: it is read with weights_only=True. An outer {'state_dict': ...} and the 'module.' of
DataParallel are removed from names; every tensor is kept with its dtype and values. The number of tensors must be that
of the network, so that a partial checkpoint is refused here and not found out later. --network backbone takes any
number (ImageNet files of VGG-16-BN or Res2Net, with their own classifier heads).
"""

import argparse
import codecs
import os
import pathlib
import pickle
import sys
import tempfile

try:
    import numpy as np
    import safetensors.torch
    import torch
except ModuleNotFoundError as error:
    MISSING = error.name
else:
    MISSING = None

TENSORS = {
    'jcs-segmentation': 218,
    'jcs-joint': 1183,
    'res2net50-v1b': 436,
    'res2net101-v1b': 861,
    'unet': 118,
    'dss': 109,
    'poolnet': 358,
    'egnet': 406,
    'backbone': None,
}
COMPARATORS = ('unet', 'dss', 'poolnet', 'egnet')


class ConversionError(Exception):
    """The file can not be converted; the message says why and what to do."""


def numpy_scalars():
    """What a numpy scalar pickles as (the loss and IoU of a training checkpoint): plain numbers, safe to build."""
    core = np._core if hasattr(np, '_core') else np.core  # numpy 2 and 1
    scalar = core.multiarray.scalar
    return [(scalar, 'numpy.core.multiarray.scalar'), scalar, np.dtype, codecs.encode,
            type(np.dtype(np.float64)), type(np.dtype(np.float32)), type(np.dtype(np.int64))]


def read(path):
    try:
        file = open(path, 'rb')
    except OSError as error:
        raise ConversionError(f'{path} can not be read: {error.strerror}.') from error
    allowed = numpy_scalars()
    with file:
        try:
            with torch.serialization.safe_globals(allowed):
                return torch.load(file, map_location='cpu', weights_only=True)
        except pickle.UnpicklingError as error:
            raise ConversionError(f'{path} is no PyTorch file, or holds objects that only running its code could '
                                  'rebuild. Save model.state_dict() where the model is known, and convert that.'
                                  ) from error
        except Exception as error:  # torch reports damage through many types
            raise ConversionError(f'{path} is damaged, or no PyTorch file.') from error


def state_dict(content, path):
    """Names to tensors, without the outer dictionary and the prefix."""
    if isinstance(content, dict) and isinstance(content.get('state_dict'), dict):
        content = content['state_dict']
    if not isinstance(content, dict) or not content:
        raise ConversionError(f'{path} holds no state dict. Save model.state_dict(), not the model.')
    tensors = {}
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ConversionError(f'{path}: entry {name!r} is {type(tensor).__name__}, not a tensor. '
                                  'Save model.state_dict(), not the model.')
        short = name.removeprefix('module.')
        if short in tensors:
            raise ConversionError(f'{path}: {short!r} is there twice, with and without "module.".')
        tensors[short] = tensor.detach().contiguous().clone()  # tied tensors get their own bytes
    return tensors


def check_count(tensors, network, path):
    """Frozen trunks may or may not carry num_batches_tracked; only fuse.* and the comparators define it."""
    expected = TENSORS[network]
    counted = [name for name in tensors if not name.endswith('num_batches_tracked')
               or network in COMPARATORS or name.startswith('fuse.')]
    if expected is not None and len(counted) != expected:
        fitting = [other for other, count in TENSORS.items() if count == len(counted)]
        hint = f' It fits {" or ".join(fitting)}.' if fitting else ' Is it complete, and of the authors\' variant?'
        raise ConversionError(f'{path} has {len(counted)} tensors, {network} has {expected}.{hint}')


def write(tensors, path):
    """Whole or not at all: a temporary file beside the target, synced, renamed."""
    path = pathlib.Path(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix='.partial')
        try:
            with os.fdopen(descriptor, 'wb') as file:
                file.write(safetensors.torch.save(tensors))
                file.flush()
                os.fsync(file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes files private
            os.replace(temporary, path)
        except BaseException:
            pathlib.Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConversionError(f'{path} can not be written: {error.strerror}.') from error


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', help='.pth or .pth.tar')
    parser.add_argument('target', help='.safetensors')
    parser.add_argument('--network', required=True, choices=TENSORS, help='whose tensors are to be counted')
    arguments = parser.parse_args()
    if MISSING:
        sys.exit(f'convert_pth: the Python package {MISSING!r} is missing. Run `pip install torch safetensors numpy`.')
    try:
        tensors = state_dict(read(arguments.source), arguments.source)
        check_count(tensors, arguments.network, arguments.source)
        write(tensors, arguments.target)
    except ConversionError as error:
        sys.exit(f'convert_pth: {error}')
    print(f'{arguments.target}: {len(tensors)} tensors, {sum(t.numel() for t in tensors.values()):,} values')


if __name__ == '__main__':
    main()
