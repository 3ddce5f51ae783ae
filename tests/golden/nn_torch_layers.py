#!/usr/bin/env python3
"""Makes nn_torch_state.npz and nn_torch_layers.npz, which tests/nn/import_test.cpp reads: a small net with every layer.

The first file is the state_dict. The second: four images [4,2,11,9] in [0,1], logits, and the derivatives of sum(cotangent * logits) with respect to the images and the
parameters, computed in float64 and stored in float32. Made with torch 1.13 (CPU).
"""
import os

import numpy as np
import torch
from torch import nn

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)

net = nn.Sequential(
    nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1),
    nn.Conv2d(3, 5, 2), nn.ReLU(), nn.Sequential(nn.AvgPool2d(2, stride=1, padding=1), nn.Flatten()),
    nn.Linear(45, 6), nn.ReLU(), nn.Linear(6, 4))
mean = torch.tensor([0.4, 0.6]).reshape(1, 2, 1, 1)
std = torch.tensor([0.25, 0.5]).reshape(1, 2, 1, 1)
x = torch.rand(4, 2, 11, 9).float().double().requires_grad_()
for p in net.parameters():
    p.data = p.data.float().double()
cotangent = torch.randn(4, 4).float().double()

logits = net((x - mean) / std)
(cotangent * logits).sum().backward()

arrays = {"x": x, "logits": logits, "cotangent": cotangent, "dx": x.grad}
arrays.update({"grad." + k: v.grad for k, v in net.named_parameters()})
os.chdir(os.path.dirname(os.path.abspath(__file__)))
np.savez("nn_torch_state.npz", **{k: v.numpy() for k, v in net.float().state_dict().items()})
np.savez("nn_torch_layers.npz", **{k: v.detach().numpy().astype(np.float32) for k, v in arrays.items()})
