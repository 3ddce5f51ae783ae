#!/usr/bin/env python3
"""Passes of nets here and in PyTorch, in turn: net_torch.py BENCH_NET [--threads 2] [--batch 200] [--rounds 5]
[--nets "cnn:small resnet:8"].

BENCH_NET is the program bench_net. Printed: milliseconds per pass (medians), and the median of the paired ratios PyTorch / here.
"""
import argparse
import statistics
import subprocess
import time

import torch
from torch import nn

from torch_nets import convnet, resnet

parser = argparse.ArgumentParser()
parser.add_argument("bench_net")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--batch", type=int, default=200)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--nets", default="", help="separated by blanks; default: all")
args = parser.parse_args()
torch.set_num_threads(args.threads)

NETS = {
    "cnn:small": ((1, 28, 28), nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(),
        nn.Linear(100, 10))),
    "conv(32,3)-relu-conv(32,3)-relu-maxpool(2)-conv(64,3)-relu-conv(64,3)-relu-maxpool(2)-dense(128)-relu-dense": ((3, 32, 32), nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(4096, 128), nn.ReLU(), nn.Linear(128, 10))),
    "mlp:256,128": ((1, 28, 28), nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))),
    # In use, with running statistics, as the passes here.
    "resnet:8": ((3, 32, 32), resnet(8).eval()),
    "convnet:3": ((3, 32, 32), convnet(3).eval()),
}


def torch_passes(net, x, y):
    loss = nn.CrossEntropyLoss(reduction="sum")

    def logits():
        with torch.no_grad():
            net(x)

    def input_gradient():
        z = x.clone().requires_grad_()
        torch.autograd.grad(loss(net(z), y), z)

    def parameter_gradient():
        net.zero_grad(set_to_none=True)
        loss(net(x), y).backward()

    result = {}
    for name, call in (("logits", logits), ("input gradient", input_gradient), ("parameter gradient", parameter_gradient)):
        call()
        seconds = []
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(3):
                call()
            seconds.append((time.perf_counter() - start) / 3)
        result[name] = 1000 * statistics.median(seconds)
    return result


def our_passes(spec, shape):
    text = subprocess.run([args.bench_net, "--spec", spec, "--shape", f"{shape[1]}x{shape[2]}x{shape[0]}", "--batch", str(args.batch),
                           "--threads", str(args.threads), "--rounds", "7", "--passes", "3"],
                          check=True, capture_output=True, text=True).stdout
    lines = [line.split(": ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value.split()[0]) for name, value in lines}


print(f"torch {torch.__version__}, {args.threads} threads, batch {args.batch}")
for spec, (shape, net) in NETS.items():
    if args.nets and spec not in args.nets.split():
        continue
    x, y = torch.rand(args.batch, *shape), torch.arange(args.batch) % 10
    rounds = [(our_passes(spec, shape), torch_passes(net, x, y)) for _ in range(args.rounds)]
    print(spec)
    for name in rounds[0][0]:
        ours, theirs = [r[0][name] for r in rounds], [r[1][name] for r in rounds]
        ratio = statistics.median(b / a for a, b in zip(ours, theirs))
        print(f"  {name:20} here {statistics.median(ours):8.2f} ms   PyTorch {statistics.median(theirs):8.2f} ms   ratio {ratio:.2f}")
