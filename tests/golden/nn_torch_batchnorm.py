#!/usr/bin/env python3
"""Makes nn_torch_batchnorm.npz and nn_torch_batchnorm_state.npz, which tests/nn and tests/cli read: a net with batch normalisation as it acts after training.

The second file is the state_dict in half precision, its counters single whole numbers, under the prefix of DataParallel. The first: five images [5,1,6,5] in [0,1] and the
logits of the net with the weights that half precision has left, computed in float64 and stored in float32. Made with torch 1.13 (CPU).
"""
import os

import numpy as np
import torch
from torch import nn

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(3, eps=1e-3)
        self.fc = nn.Linear(90, 7)
        self.bn2 = nn.BatchNorm1d(7, affine=False)
        self.out = nn.Linear(7, 3)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv(x))).flatten(1)
        return self.out(torch.relu(self.bn2(self.fc(x))))


net = Net()
nn.init.normal_(net.bn1.weight)
nn.init.normal_(net.bn1.bias)
for _ in range(30):
    net(torch.rand(40, 1, 6, 5))
net.half().double().eval()
x = torch.rand(5, 1, 6, 5).float().double()
logits = net(x)
os.chdir(os.path.dirname(os.path.abspath(__file__)))
state = nn.DataParallel(net).half().state_dict()
np.savez("nn_torch_batchnorm_state.npz", **{k: v.numpy() for k, v in state.items()})
np.savez("nn_torch_batchnorm.npz", x=x.numpy().astype(np.float32), logits=logits.detach().numpy().astype(np.float32))
