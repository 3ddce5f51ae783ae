#!/usr/bin/env python3
"""Prints the numbers of tests/nn/trainer_test.cpp, "three steps of gradient descent equal PyTorch's".

A 4-3-2 net, full-batch SGD with momentum 0.9, weight decay 0.01, lr 0.1, constant schedule, three steps, in float64.
Array k (weight 0, bias 0, weight 1, bias 1) starts as w_i = 0.6 sin(1.7 (i + 1) + k), x_ij = 0.5 + 0.5 sin(2.3 (4 i + j) + 0.4) for 5 images,
labels i mod 2, targets one-hot - 1/2. Made with torch 1.13 (CPU).
"""
import math

import torch

torch.set_default_dtype(torch.float64)


def formula(k, *shape):
    n = math.prod(shape)
    return torch.tensor([0.6 * math.sin(1.7 * (i + 1) + k) for i in range(n)]).reshape(shape)


for loss in ("mse", "ce"):
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    with torch.no_grad():
        for k, p in enumerate(net.parameters()):
            p.copy_(formula(k, *p.shape))
    x = torch.tensor([[0.5 + 0.5 * math.sin(2.3 * (4 * i + j) + 0.4) for j in range(4)] for i in range(5)])
    y = torch.arange(5) % 2
    t = torch.nn.functional.one_hot(y, 2) - 0.5
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    losses = []
    for _ in range(3):
        out = net(x)
        value = (
            0.5 * ((out - t) ** 2).sum(1).mean() if loss == "mse" else torch.nn.functional.cross_entropy(out, y)
        )
        sgd.zero_grad()
        value.backward()
        sgd.step()
        losses.append(value.item())
    print(loss, "open units:", (net[0](x) > 0).sum().item(), "of 15")
    print("  losses", ", ".join("%.9f" % v for v in losses))
    for p in net.parameters():
        print("  {" + ", ".join("%.9f" % v for v in p.flatten().tolist()) + "}")
