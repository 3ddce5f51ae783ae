#!/usr/bin/env python3
"""Makes nn_torch_branches.npz, which tests/nn/torch_branches_test.cpp reads: nets with branches, normalisations, signals and layers behind a flatten as PyTorch has them.

Of net k: "k/spec" is not stored, the test has it; "k/state/..." is the state_dict (float32), "k/x" images [n,C,H,W] (signals [n,C,T]), "k/cotangent", "k/logits" and "k/dx", the
derivative of sum(cotangent * logits), computed in float64 with the float32 weights, as nets act after training. Made with torch 1.13 (CPU).
"""
import os

import numpy as np
import torch
from torch import nn

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)


class Block(nn.Module):
    """He 2016, with a projection where the shape changes; no biases in front of batch normalisation."""

    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layers = nn.Sequential(Block(4, 4, 1), Block(4, 8, 2))
        self.linear = nn.Linear(8, 5)

    def forward(self, x):
        return self.linear(self.layers(torch.relu(self.bn1(self.conv1(x)))).mean(dim=(2, 3)))


NETS = [
    (ResNet(), (3, 8, 6)),
    (nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.GELU(), nn.Conv2d(4, 4, 3, 2, 1, groups=4), nn.LeakyReLU(0.2),
        nn.Conv2d(4, 6, 3, padding=1), nn.InstanceNorm2d(6, affine=True), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 7), nn.LayerNorm(7), nn.Tanh(),
        nn.Dropout(0.4), nn.Linear(7, 5)), (2, 8, 6)),
    (nn.Sequential(
        nn.Conv1d(3, 4, 5, 2, 2), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 4, 3, padding=1, groups=4), nn.BatchNorm1d(4), nn.ReLU(), nn.AvgPool1d(3), nn.Flatten(),
        nn.Linear(12, 5)), (3, 37)),
]


def behind_a_flatten():  # made after the others were trained, which keeps their numbers
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, 2, 1), nn.Flatten(), nn.BatchNorm1d(48), nn.GELU(), nn.Dropout(0.4), nn.LayerNorm(48), nn.Linear(48, 7), nn.Tanh(), nn.Linear(7, 5)), (2, 8, 6)


arrays = {}
for k, made in enumerate([*NETS, behind_a_flatten]):
    net, shape = made() if made is behind_a_flatten else made
    net.train()
    for p in net.parameters():
        if p.dim() == 1:
            nn.init.uniform_(p, 0.5, 1.5)
    for _ in range(20):
        net(torch.rand(40, *shape))
    net.float().double().eval()
    x = torch.rand(4, *shape).float().double().requires_grad_()
    logits = net(x)
    cotangent = torch.rand(4, 5).float().double() - 0.5
    (logits * cotangent).sum().backward()
    for name, value in net.state_dict().items():
        arrays[f"{k}/state/{name}"] = value.numpy().astype(np.float32) if value.is_floating_point() else value.numpy()
    for name, value in (("x", x), ("cotangent", cotangent), ("logits", logits), ("dx", x.grad)):
        arrays[f"{k}/{name}"] = value.detach().numpy().astype(np.float32)
np.savez(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nn_torch_branches.npz"), **arrays)
