"""Weights for PyTorch in PyTorch: an nn.Sequential built from the layers of the text takes the arrays with all its names,
and gives ntkrob's logits.   torch_check.py EXPORTED_NETS_PROGRAM

Prints "skipped" where Python has no torch (Debian: python3-torch).
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as error:
    print("skipped:", error)
    sys.exit(0)

TOLERANCE = 1e-5  # of the largest logit: float32 sums against float64


def split(text, separator):
    """At separators outside of parentheses."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts]


class Sum(nn.ModuleList):
    def forward(self, x):
        values = [branch(x) for branch in self]
        if any(v.dim() == 2 for v in values):
            values = [v.flatten(1) for v in values]
        return sum(values[1:], values[0])


class Residual(nn.ModuleList):
    def forward(self, x):
        y = self[0](x)
        return y + (x.flatten(1) if y.dim() == 2 else x)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Padded(nn.Conv2d):
    """Padding of any kind before a convolution without one."""

    def __init__(self, sides, *arguments, **options):
        super().__init__(*arguments, **options)
        self.sides = sides

    def forward(self, x):
        return super().forward(functional.pad(x, self.sides))


class Signal(nn.Conv1d):
    """N x C x T x 1."""

    def __init__(self, sides, *arguments, **options):
        super().__init__(*arguments, **options)
        self.sides = sides

    def forward(self, x):
        return super().forward(functional.pad(x[..., 0], self.sides[2:]))[..., None]


class Builder:
    def __init__(self, classes):
        self.classes = classes

    def window(self, name, positional, named, x):
        """Its size, stride and padding (left, right, top, bottom)."""
        kh = int(named.get("kh", positional[-1] if positional else 0))
        kw = int(named.get("kw", 1 if name.endswith("1d") else kh))
        pools = "pool" in name
        stride = int(named.get("stride", kh if pools else 1))
        pad = named.get("pad", "valid" if pools else "same")
        sides = []
        for n, k in ((x.shape[3], kw), (x.shape[2], kh)):
            if pad == "same":
                total = max(0, (-(-n // stride) - 1) * stride + k - n)
                sides += [total // 2, total - total // 2]
            else:
                p = 0 if pad == "valid" or (name.endswith("1d") and not sides) else int(pad)
                sides += [p, p]
        return (kh, kw), stride, sides

    def pool(self, name, positional, named, x):
        size, stride, sides = self.window(name, positional, named, x)
        if name.startswith("maxpool"):
            return Function(lambda v: functional.max_pool2d(functional.pad(v, sides, value=-np.inf), size, stride))
        if named.get("edges") != "inside":
            return Function(lambda v: functional.avg_pool2d(functional.pad(v, sides), size, stride))

        def inside(v):
            share = functional.avg_pool2d(functional.pad(torch.ones_like(v), sides), size, stride)
            return functional.avg_pool2d(functional.pad(v, sides), size, stride) / share
        return Function(inside)

    def layer(self, word, x, last):
        """The module of one word that reads x."""
        name, _, rest = word.partition("(")
        arguments = split(rest[:-1], ",") if rest else []
        named = dict(a.split("=", 1) for a in arguments if "=" in a)
        positional = [a for a in arguments if "=" not in a]
        eps = float(named.get("eps", 1e-5))
        c = x.shape[1]
        if name in ("sum", "residual"):
            branches = [self.sequence(branch, x) for branch in split(rest[:-1], "|")]
            return (Residual if name == "residual" else Sum)(branches)
        if name == "dense":
            return nn.Linear(c, self.classes if last else int(named.get("width", positional[0] if positional else 256)))
        if name.startswith(("conv", "depthwise")):
            depthwise = name.startswith("depthwise")
            width = c if depthwise else int(positional[0] if len(positional) + ("kh" in named) > 1 else named.get("width", 64))
            size, stride, sides = self.window(name, positional, named, x)
            groups = c if depthwise else 1
            if name.endswith("1d"):
                return Signal(sides, c, width, size[0], stride, groups=groups)
            return Padded(sides, c, width, size, stride, groups=groups)
        if "pool" in name:
            return self.pool(name, positional, named, x)
        if name == "gap":
            return nn.AdaptiveAvgPool2d(1)
        if name == "batchnorm":
            return (nn.BatchNorm2d if x.dim() == 4 else nn.BatchNorm1d)(c, eps)
        if name == "layernorm":
            eps = float(positional[0]) if positional else eps
            if named.get("axes") == "all":
                return nn.GroupNorm(1, c, eps)
            return ChannelNorm(c, eps)
        if name == "groupnorm":
            return nn.GroupNorm(int(named.get("groups", positional[0] if positional else 8)), c, eps)
        if name == "instancenorm":
            return nn.InstanceNorm2d(c, eps, affine=True) if x.dim() == 4 else nn.GroupNorm(c, c, eps)
        if name == "normalise":
            shape = (-1,) + (1,) * (x.dim() - 2)
            mean, std = (torch.tensor([float(v) for v in named[k].split(":")]).reshape(shape) for k in ("mean", "std"))
            return Function(lambda v: (v - mean) / std)
        if name == "dropout":
            return nn.Dropout()
        if name == "leaky":
            return nn.LeakyReLU(float(named.get("alpha", positional[0] if positional else 0.01)))
        simple = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "flatten": nn.Flatten}
        if name in simple:
            return simple[name]()
        sys.exit(f"{word}: the layer is not known here")

    def sequence(self, text, x, whole=False):
        modules, words = [], split(text, "-") if text else []
        last = max((k for k, word in enumerate(words) if word not in ("flatten", "relu")), default=-1)

        def add(module):
            nonlocal x
            modules.append(module.eval())
            x = module(x)

        for k, word in enumerate(words):
            name = word.partition("(")[0]
            if name == "dense" and x.dim() == 4:
                add(nn.Flatten())
            if (name == "gap" or "pool" in name or name.startswith(("conv", "depthwise"))) and x.dim() == 2:
                add(nn.Unflatten(1, (x.shape[1], 1, 1)))
            add(self.layer(word, x, whole and k == last))
        return nn.Sequential(*modules)


def check(path, required):
    with open(path + ".net") as lines:
        head, layers = lines.read().splitlines()
    height, width, channels, classes, spec = head.split(" ", 4)
    shape = (int(channels), int(height), int(width))
    logits = np.fromfile(path + ".logits", "<f4").reshape(-1, int(classes))
    images = torch.tensor(np.fromfile(path + ".images", "<f4").reshape(len(logits), *shape)).double()
    if shape[1:] == (1, 1):
        images = images.flatten(1)
    if not os.path.exists(path + ".npz"):
        print(f"{spec}: PyTorch cannot have it")
        return 0
    arrays = {name: torch.tensor(values) for name, values in np.load(path + ".npz").items()}
    with torch.no_grad():
        net = Builder(int(classes)).sequence(layers, images, whole=True)
        net.load_state_dict(arrays)
        net.eval()
        found = net(images).flatten(1).numpy()
    error, scale = np.abs(found - logits), np.abs(logits).max()
    at = np.unravel_index(error.argmax(), error.shape)
    print(f"{spec} on {height} x {width} x {channels}: largest difference {error.max():.2g} at {[int(i) for i in at]}, "
          f"ntkrob {logits[at]}, PyTorch {found[at]}; bound {TOLERANCE * scale:.2g}")
    if not scale > 0:
        sys.exit("the logits are all 0")
    if not error.max() <= TOLERANCE * scale:
        sys.exit("that is beyond the bound")
    required.discard(spec)
    return 1


def main(program):
    torch.set_default_dtype(torch.float64)
    required = {"mlp:256,128", "cnn:small", "resnet:8", "convnet:3", "dscnn"}
    with tempfile.TemporaryDirectory() as folder:
        for options, most_left_out in ((["presets"], 0), ([], 3)):
            count = int(subprocess.run([program, folder, *options], check=True, capture_output=True, text=True).stdout)
            agreed = sum(check(os.path.join(folder, str(k)), required) for k in range(count))
            for file in os.listdir(folder):
                os.remove(os.path.join(folder, file))
            print(f"{agreed} of {count} nets agree")
            if agreed < 1 or count - agreed != most_left_out:
                sys.exit(f"{count - agreed} nets were left out, {most_left_out} are to be")
    if required:
        sys.exit(f"these were not compared: {required}")


if __name__ == "__main__":
    main(sys.argv[1])
