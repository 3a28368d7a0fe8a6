"""The project's networks in PyTorch on a GPU, channels-last, timed with CUDA events; a line of JSON per job.

    python3 pytorch_cuda.py {eager|compiled|autotuned} {bf16|fp32} inference:res2net50-v1b:32:224 step:jcs-segmentation:4:512 ...

`compiled` is torch.compile with CUDA graphs (`reduce-overhead`), whose convolutions are cuDNN's, chosen by measurement;
`autotuned` is `max-autotune`, which also measures kernels of its own, for minutes a network. bf16 inference has bf16
weights; a bf16 step is autocast with float32 weights and fused optimisers. Jobs are those of
jcs_device_bench, whose operands are on the device too.
"""

import fcntl
import json
import os
import sys
import time

import torch
import torch.nn.functional as F

import pytorch_networks  # first: it says where the next ones lie
import reference_losses
import torch_networks

DEVICE = 'cuda'
COMPILERS = {'eager': None, 'compiled': 'reduce-overhead', 'autotuned': 'max-autotune'}
ENGINES = {'eager': 'pytorch', 'compiled': 'torch.compile', 'autotuned': 'torch.compile max-autotune'}


def prepare_inference(network, batch, size, compiler, bf16):
    dtype = torch.bfloat16 if bf16 else torch.float32
    model = pytorch_networks.build(network, 8).to(DEVICE, dtype).eval()
    images = torch.randn(batch, 3, size, size, device=DEVICE).to(dtype=dtype, memory_format=torch.channels_last)
    if compiler:
        from torch._inductor import config

        config.freezing = True
        model = torch.compile(model, mode=compiler, dynamic=False)

    def run():
        with torch.no_grad():
            return model(images)

    return run


def prepare_step(network, batch, size, compiler, bf16):
    model = pytorch_networks.build(network, 8).to(DEVICE).train()
    for _, norm in torch_networks.batch_norms(model):
        norm.mode = 'batch'
        norm.eps = 1e-5
    images = torch.randn(batch, 3, size, size, device=DEVICE).to(memory_format=torch.channels_last)
    if network.startswith('res2net'):
        targets = torch.arange(batch, device=DEVICE) % 2
        optimiser = torch.optim.SGD(model.parameters(), lr=1e-9, momentum=0.9, weight_decay=1e-4, fused=True)

        def loss(logits):
            return F.cross_entropy(logits.float(), targets)
    else:
        targets = (torch.rand(batch, 1, size, size, device=DEVICE) > 0.9).float()
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-9, weight_decay=1e-4, fused=True)

        def loss(sides):
            with torch.autocast(DEVICE, enabled=False):
                return reference_losses.segmentation_loss([side.float() for side in sides], targets, 2)

    def forward():
        with torch.autocast(DEVICE, torch.bfloat16, enabled=bf16):
            return loss(model(images))

    if compiler:
        forward = torch.compile(forward, mode=compiler, dynamic=False)

    def run():
        optimiser.zero_grad(set_to_none=True)
        forward().backward()
        optimiser.step()

    return run


def take_turn():
    """Of processes with the same JCS_BENCH_LOCK, one at a time goes on from here until it ends; the first when
    JCS_BENCH_PROCESSES of them have come so far (they leave a byte each), for none may use the GPU while one is timed."""
    path = os.environ.get('JCS_BENCH_LOCK')
    if not path:
        return None
    lock = open(path, 'ab')
    lock.write(b'.')
    lock.flush()
    others, limit = int(os.environ.get('JCS_BENCH_PROCESSES', '1')), time.monotonic() + 240
    while os.path.getsize(path) < others and time.monotonic() < limit:
        time.sleep(0.05)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def measure(run, compiler):
    start = time.perf_counter()
    if compiler:  # on the host for the most part; eager's first run chooses algorithms by timing them
        run()
        torch.cuda.synchronize()
    first = time.perf_counter() - start
    turn = take_turn()  # noqa: F841
    start = time.perf_counter()
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    first += time.perf_counter() - start

    def timed(count):
        """Runs follow each other without a pause, as ours do, an event between two."""
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        marks[0].record()
        for mark in marks[1:]:
            run()
            mark.record()
        torch.cuda.synchronize()
        return sorted(marks[i].elapsed_time(marks[i + 1]) / 1e3 for i in range(count))

    count = int(min(max(1.0 / max(timed(1)[0], 1e-4), 10), 200))
    seconds = timed(count)
    start = time.perf_counter()
    for _ in range(count):
        run()
    torch.cuda.synchronize()
    wall = (time.perf_counter() - start) / count
    return {
        'seconds': {'median': seconds[count // 2], 'best': seconds[0], 'worst': seconds[-1]},
        'wallSeconds': wall,
        'firstRunSeconds': first,
        'runs': count,
    }


def main():
    mode, precision, *jobs = sys.argv[1:]
    compiler, bf16 = COMPILERS[mode], precision == 'bf16'
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # fp32 is fp32, as ours is
    for job in jobs:
        kind, network, batch, size = job.split(':')
        line = {'job': job, 'engine': ENGINES[mode], 'precision': precision, 'variant': 'authors'}
        line['library'] = f'torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}'
        try:
            prepare = {'inference': prepare_inference, 'step': prepare_step}[kind]
            line |= measure(prepare(network, int(batch), int(size), compiler, bf16), compiler)
        except Exception as error:
            line['error'] = f'{type(error).__name__}: {error}'[:400]
        print(json.dumps(line), flush=True)
        torch.cuda.empty_cache()
        torch._dynamo.reset()


main()
