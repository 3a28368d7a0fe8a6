"""Inference of the project's networks in PyTorch, channels-last: one run per line on standard input.

    python pytorch_inference.py '{"network": "res2net50-v1b", "batch": 1, "size": 224, "threads": 2, "mode": "compiled"}'

`compiled` is torch.compile in bf16 with frozen weights, PyTorch's fastest on CPUs; it needs a C++ compiler. `eager` is
float32. Weights are PyTorch's own random ones: what they are makes no difference to how long a run takes.
"""

import json
import sys

import torch

import pytorch_networks


def prepare(network, batch, size, threads, mode):
    compiled = mode == 'compiled'
    dtype = torch.bfloat16 if compiled else torch.float32
    model = pytorch_networks.build(network, threads).to(dtype).eval()
    images = torch.randn(batch, 3, size, size).to(dtype=dtype, memory_format=torch.channels_last)
    if compiled:
        from torch._inductor import config, cpp_builder

        cpp_builder.get_cpp_compiler()  # raises where there is none
        config.freezing = True
        model = torch.compile(model, dynamic=False)

    def run(_=None):
        with torch.no_grad():
            return model(images)

    outputs = run()
    for output in outputs if isinstance(outputs, (list, tuple)) else [outputs]:
        if not torch.isfinite(output).all():
            raise ValueError('an output is not finite')
    return run


pytorch_networks.serve(lambda: prepare(**json.loads(sys.argv[1])))
