"""Training steps of the project's networks in PyTorch: one per line `fp32` or `bf16` on standard input.

    python pytorch_step.py '{"network": "res2net50-v1b", "batch": 16, "size": 224, "threads": 2}'

Eager, channels-last; bf16 is autocast with float32 weights. Loss, batch-norm mode and optimiser are those of the step
that ours is measured with.
"""

import json
import sys

import torch
import torch.nn.functional as F

import pytorch_networks  # first: it says where the next one lies
import reference_losses
import torch_networks


def prepare(network, batch, size, threads):
    model = pytorch_networks.build(network, threads).train()
    for _, norm in torch_networks.batch_norms(model):
        norm.mode = 'batch'
        norm.eps = 1e-5
    images = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)
    if network.startswith('res2net'):
        targets = torch.arange(batch) % 2
        optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)

        def loss(logits):
            return F.cross_entropy(logits.float(), targets)
    else:
        targets = (torch.rand(batch, 1, size, size) > 0.9).float()
        optimiser = torch.optim.Adam(model.parameters(), lr=2.5e-5, weight_decay=1e-4)

        def loss(sides):
            return reference_losses.segmentation_loss([side.float() for side in sides], targets, 2)

    def step(precision):
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast('cpu', torch.bfloat16, enabled=precision == 'bf16'):
            outputs = model(images)
        value = loss(outputs)
        value.backward()
        optimiser.step()
        return value.item()

    return step


pytorch_networks.serve(lambda: prepare(**json.loads(sys.argv[1])))
