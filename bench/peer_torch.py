#!/usr/bin/env python3
"""The outer step of adv-KIP straight from its formulas in PyTorch: what bench/gpu.sh is compared with.

peer_torch.py [--n 10000 --batch 5000 --attack-steps 10]   a row with the seconds per outer step, in the form of bench_gpu
peer_torch.py --check FILE    the loss and gradient that `bench_gpu --part check --file FILE` wrote, by automatic differentiation
peer_torch.py --bandwidth     copies between the device and pinned host memory, rows of the same table

The kernel is the NTK of `fc:3` in closed form; the fit is a Cholesky factor in float64; the attack is PGD; the gradient runs through
prediction and solve, with the adversarial batch as a constant. Nothing is blocked or recomputed: all matrices are in memory.
"""
import argparse
import math
import statistics
import sys
import time

import numpy as np
import torch

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--n", type=int, default=10000)
parser.add_argument("--batch", type=int, default=5000)
parser.add_argument("--d", type=int, default=784)
parser.add_argument("--classes", type=int, default=10)
parser.add_argument("--attack-steps", type=int, default=10)
parser.add_argument("--eps", type=float, default=0.1)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--check", metavar="FILE")
parser.add_argument("--bandwidth", action="store_true")
args = parser.parse_args()

RIDGE = 1e-6  # of the mean of the diagonal
SIGMA_W2, SIGMA_B2, HIDDEN = 2.0, 0.01, 3


def ntk(x, y, same=False):
    """K(x, y); same: x and y are one set, whose diagonal has angle 0."""
    d = x.shape[1]
    q = x @ y.T / d
    a, b = (x * x).sum(1, keepdim=True) / d, (y * y).sum(1) / d
    t = torch.zeros_like(q)
    for layer in range(HIDDEN + 1):
        q, a, b = SIGMA_W2 * q + SIGMA_B2, SIGMA_W2 * a + SIGMA_B2, SIGMA_W2 * b + SIGMA_B2
        t = q + SIGMA_W2 * t
        if layer == HIDDEN:
            return t
        s = a * b - q * q
        good = s > 0
        if same:
            good = good & ~torch.eye(len(x), dtype=torch.bool, device=x.device)
        root = torch.where(good, torch.where(good, s, torch.ones_like(s)).sqrt(), torch.zeros_like(s))
        rest = math.pi - torch.atan2(root, q)
        q, a, b, t = (root + rest * q) / (2 * math.pi), a / 2, b / 2, t * rest / (2 * math.pi)


def fit(support, labels):
    """alpha, in float64, and the ridge."""
    k = ntk(support.double(), support.double(), same=True)
    ridge = RIDGE * k.diagonal().mean()
    factor = torch.linalg.cholesky(k + ridge * torch.eye(len(k), dtype=k.dtype, device=k.device))
    return torch.cholesky_solve(labels.double(), factor), ridge


def outer_loss(support, labels, x, targets, precise=False):
    alpha, ridge = fit(support, labels)
    f = ntk(x.double(), support.double()) @ alpha if precise else ntk(x, support) @ alpha.to(x.dtype)
    return 0.5 * ((f - targets) ** 2).sum(1).mean(), ridge


def attack(support, alpha, x, labels, steps, eps):
    z = (x + eps * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(steps):
        z.requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(ntk(z, support) @ alpha, labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, z)
        z = z.detach() + 2.5 * eps / steps * gradient.sign()
        z = torch.maximum(torch.minimum(z, x + eps), x - eps).clamp(0, 1)
    return z.detach()


def check(path):
    raw = open(path, "rb").read()
    n, batch, d, classes = np.frombuffer(raw, np.int64, 4)
    loss, ridge = np.frombuffer(raw, np.float64, 2, 32)
    numbers, parts, at = np.frombuffer(raw, np.float32, offset=48), [], 0
    for shape in (n, d), (n, classes), (batch, d), (batch, classes), (n, d), (n, classes):
        size = int(shape[0] * shape[1])
        parts.append(torch.tensor(numbers[at:at + size].reshape(shape), device=args.device))
        at += size
    support, labels, x, targets, dsupport, dlabels = parts
    support.requires_grad_(True)
    labels.requires_grad_(True)
    ours, our_ridge = outer_loss(support, labels, x, targets, precise=True)
    ours.backward()
    worst = max(abs(ours.item() / loss - 1), abs(our_ridge.item() / ridge - 1))
    print(f"loss here {ours.item():.9g}, there {loss:.9g}; ridge here {our_ridge.item():.9g}, there {ridge:.9g}")
    for name, here, there in ("images", support.grad, dsupport), ("labels", labels.grad, dlabels):
        error = ((here - there).abs().max() / here.abs().max()).item()
        print(f"gradient by {name}: largest difference {error:.2e} of the largest component")
        worst = max(worst, error)
    print("the same to 1e-3" if worst < 1e-3 else "NOT the same to 1e-3")
    return worst < 1e-3


def synchronise():
    if args.device == "cuda":
        torch.cuda.synchronize()


def median_seconds(work):
    seconds = []
    for _ in range(args.rounds + 1):
        synchronise()
        start = time.perf_counter()
        work()
        synchronise()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def bandwidth():
    there = torch.zeros(1 << 28, device=args.device)
    here = torch.zeros(1 << 28, pin_memory=args.device == "cuda")
    for name, work in ("pinned memory to the device", lambda: there.copy_(here)), ("the device to pinned memory", lambda: here.copy_(there)):
        seconds = median_seconds(work)
        print(f"| copy of 1 GiB from {name} (PyTorch) | {seconds:.5g} s | {1.073741824 / seconds:.1f} GB/s |")


def outer_steps():
    generator = torch.Generator().manual_seed(0)
    draw = lambda rows: torch.rand(rows, args.d, generator=generator)
    pattern = draw(args.classes)
    classes = torch.arange(args.n + args.batch) % args.classes
    x = (0.5 * pattern[classes] + 0.5 * draw(len(classes))).to(args.device)
    classes = classes.to(args.device)
    targets = torch.nn.functional.one_hot(classes, args.classes).float() - 1 / args.classes
    support = x[:args.n].clone().requires_grad_(True)
    labels, batch, wanted, batch_classes = targets[:args.n], x[args.n:], targets[args.n:], classes[args.n:]
    optimiser = torch.optim.Adam([support], lr=1e-2)

    def step():
        with torch.no_grad():
            alpha, _ = fit(support, labels)
        z = attack(support.detach(), alpha.float(), batch, batch_classes, args.attack_steps, args.eps)
        optimiser.zero_grad()
        outer_loss(support, labels, z, wanted)[0].backward()
        optimiser.step()
        with torch.no_grad():
            support.clamp_(0, 1)

    what = f"outer step of PyTorch {torch.__version__}, n {args.n}, batch {args.batch}, {args.attack_steps} attack steps"
    try:
        seconds = median_seconds(step)
    except torch.cuda.OutOfMemoryError:
        print(f"| {what} | - | out of memory |")
        return
    memory = f"{torch.cuda.max_memory_allocated() / 2 ** 30:.1f} GiB" if args.device == "cuda" else ""
    print(f"| {what} | {seconds:.5g} s | {memory} |")


torch.backends.cuda.matmul.allow_tf32 = False
if args.check:
    sys.exit(0 if check(args.check) else 1)
elif args.bandwidth:
    bandwidth()
else:
    outer_steps()
