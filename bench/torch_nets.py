"""Presets of nets in PyTorch, for images of 32 x 32 x 3 and ten classes: resnet(8), convnet(3)."""
import torch
from torch import nn


def conv(inputs, outputs, size, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2)


class Block(nn.Module):
    """He 2016, with projections (option B)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.main = nn.Sequential(conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs), nn.ReLU(), conv(outputs, outputs, 3),
                                  nn.BatchNorm2d(outputs))
        self.side = nn.Sequential()
        if stride > 1:
            self.side = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.main(x) + self.side(x))


def resnet(n):
    layers = [conv(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU()]
    for inputs, outputs in ((16, 16), (16, 32), (32, 64)):
        for k in range((n - 2) // 6):
            layers.append(Block(inputs if k == 0 else outputs, outputs, 2 if k == 0 and outputs > 16 else 1))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def convnet(n):
    layers = []
    for k in range(n):
        layers += [conv(128 if k else 3, 128, 3), nn.InstanceNorm2d(128, affine=True), nn.ReLU(), nn.AvgPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * (32 >> n) ** 2, 10))
