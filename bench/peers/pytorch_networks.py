"""What the PyTorch peers share: this project's networks at full width, and how a peer talks to the benchmark.

A peer is a process that prepares itself, prints a line of JSON, and then answers every line that it is sent with
another one. Each answer holds `peakBytes`, what was resident of the process at most.
"""

import json
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'test' / 'fixtures'))
import torch_networks  # noqa: E402


def build(network, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch_networks.build(network, 'authors').to(memory_format=torch.channels_last)


def peak_bytes():
    """Of this program alone: getrusage would count what the process was before it became this one."""
    for line in pathlib.Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return 1024 * int(line.split()[1])
    return None


def serve(prepare):
    """Answers lines with what `prepare()` gives, a function of a line."""
    try:
        work = prepare()
    except Exception as error:
        print(json.dumps({'error': f'{type(error).__name__}: {error}'.splitlines()[0]}), flush=True)
        return
    print(json.dumps({'peakBytes': peak_bytes()}), flush=True)
    for line in sys.stdin:
        work(line.strip())
        print(json.dumps({'peakBytes': peak_bytes()}), flush=True)
