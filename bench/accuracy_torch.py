#!/usr/bin/env python3
"""Test accuracy of nets trained here and in PyTorch: accuracy_torch.py NTKROB DATA [--epochs 15] [--seeds 3] [--nets resnet:8,convnet:3].

The same nets, data, initialisation in law (He 2015), loss, batches in number and size, and schedule (SGD with momentum 0.9, weight decay
5e-4, cosine); shuffles and first weights are each program's own. DATA: the folder of CIFAR-10 in its binary format.
"""
import argparse
import glob
import gzip
import math
import os
import re
import statistics
import subprocess
import tempfile

import numpy
import torch
from torch import nn

from torch_nets import convnet, resnet

parser = argparse.ArgumentParser()
parser.add_argument("ntkrob")
parser.add_argument("data")
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--batch", type=int, default=100)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--nets", default="resnet:8,convnet:3")
args = parser.parse_args()
torch.set_num_threads(args.threads)


def read(pattern):
    rows = [numpy.frombuffer(gzip.open(name).read(), numpy.uint8).reshape(-1, 3073) for name in sorted(glob.glob(os.path.join(args.data, pattern)))]
    rows = numpy.concatenate(rows)
    return torch.tensor(rows[:, 1:].reshape(-1, 3, 32, 32) / numpy.float32(255)), torch.tensor(rows[:, 0].astype(numpy.int64))


def accuracy_there(make, seed):
    torch.manual_seed(seed)
    net = make()
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    optimizer = torch.optim.SGD(net.parameters(), args.lr, 0.9, weight_decay=5e-4)
    steps = args.epochs * (len(x) // args.batch)
    done = 0
    for _ in range(args.epochs):
        order = torch.randperm(len(x))
        for k in range(len(x) // args.batch):
            rows = order[k * args.batch:(k + 1) * args.batch]
            optimizer.param_groups[0]["lr"] = args.lr * 0.5 * (1 + math.cos(math.pi * done / steps))
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            done += 1
    net.eval()
    with torch.no_grad():
        return 100 * (net(x_test).argmax(1) == y_test).float().mean().item()


def accuracy_here(spec, seed):
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run([args.ntkrob, "train", args.data, "--model", spec, "--init", "he", "--loss", "ce", "--epochs", str(args.epochs),
                              "--batch", str(args.batch), "--lr", str(args.lr), "--weight-decay", "5e-4", "--schedule", "cosine", "--seed", str(seed),
                              "--quiet", "-o", os.path.join(folder, "net.h5")], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"test +accuracy ([0-9.]+) %", out).group(1))


x, y = read("data_batch*")
x_test, y_test = read("test_batch*")
print(f"torch {torch.__version__}, {len(x)} training and {len(x_test)} test images, {args.epochs} epochs, {args.seeds} seeds")
for spec in args.nets.split(","):
    kind, n = spec.split(":")
    make = {"resnet": resnet, "convnet": convnet}[kind]
    here = [accuracy_here(spec, seed) for seed in range(args.seeds)]
    there = [accuracy_there(lambda: make(int(n)), seed) for seed in range(args.seeds)]
    print(f"{spec:10} here {statistics.mean(here):.1f} % {here}   PyTorch {statistics.mean(there):.1f} % {[round(a, 1) for a in there]}", flush=True)
