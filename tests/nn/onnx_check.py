"""Nets as ONNX: onnx.checker and strict shape inference accept them, and the graph, executed here operator by operator in
NumPy, gives ntkrob's logits.   onnx_check.py EXPORTED_NETS_PROGRAM

Prints "skipped" where Python has no onnx (Debian: python3-onnx).
"""
import math
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    print("skipped:", error)
    sys.exit(0)

TOLERANCE = 1e-5  # of the largest logit: float32 sums in another order


def windows(x, attributes, fill):
    """x (N, C, H, W) as (N, C, positions down, across, kernel, kernel), and the same of what lies inside the image."""
    kh, kw = attributes["kernel_shape"]
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    sy, sx = attributes.get("strides", (1, 1))
    pads = ((0, 0), (0, 0), (top, bottom), (left, right))
    views = []
    for values, value in ((x, fill), (np.ones_like(x), 0)):
        padded = np.pad(values, pads, constant_values=value)
        view = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))
        views.append(view[:, :, ::sy, ::sx])
    return views


def run(node, x, inputs):
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    known = {"Gemm": {"transB"}, "Flatten": {"axis"}, "Conv": {"kernel_shape", "pads", "strides", "group"},
             "BatchNormalization": {"epsilon"}, "InstanceNormalization": {"epsilon"}, "LeakyRelu": {"alpha"},
             "ReduceMean": {"axes", "keepdims"}, "Transpose": {"perm"},
             "MaxPool": {"kernel_shape", "pads", "strides"},
             "AveragePool": {"kernel_shape", "pads", "strides", "count_include_pad"}}
    unknown = set(attributes) - known.get(node.op_type, set())
    if unknown:
        sys.exit(f"{node.name}: attributes {unknown} are not executed here")
    if node.op_type == "Gemm":
        weight, bias = inputs
        return x @ (weight.T if attributes["transB"] else weight) + bias
    if node.op_type == "Transpose":
        return x.transpose(attributes["perm"])
    if node.op_type == "Flatten":
        return x.reshape(x.shape[0], -1)
    if node.op_type == "Relu":
        return np.maximum(x, 0)
    if node.op_type == "Sub":
        return x - inputs[0]
    if node.op_type == "Div":
        return x / inputs[0]
    if node.op_type in ("Add", "Sum"):
        return sum(inputs, x)
    if node.op_type == "Mul":
        return x * inputs[0]
    if node.op_type == "Sqrt":
        return np.sqrt(x)
    if node.op_type == "Tanh":
        return np.tanh(x)
    if node.op_type == "Erf":
        return np.vectorize(math.erf)(x)
    if node.op_type == "LeakyRelu":
        return np.where(x > 0, x, attributes["alpha"] * x)
    if node.op_type == "ReduceMean":
        return x.mean(axis=tuple(attributes["axes"]), keepdims=bool(attributes["keepdims"]))
    if node.op_type == "Reshape":
        return x.reshape([x.shape[k] if n == 0 else int(n) for k, n in enumerate(inputs[0])])
    if node.op_type == "BatchNormalization":
        scale, shift, mean, variance = [v.reshape((-1,) + (1,) * (x.ndim - 2)) for v in inputs]
        return (x - mean) / np.sqrt(variance + attributes["epsilon"]) * scale + shift
    if node.op_type == "InstanceNormalization":
        scale, shift = [v.reshape((-1,) + (1,) * (x.ndim - 2)) for v in inputs]
        axes = tuple(range(2, x.ndim))
        mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
        return (x - mean) / np.sqrt(variance + attributes["epsilon"]) * scale + shift
    if node.op_type == "GlobalAveragePool":
        return x.mean(axis=(2, 3), keepdims=True)
    if node.op_type == "Conv":
        weight, bias = inputs
        view, _ = windows(x, attributes, 0)
        groups = attributes.get("group", 1)
        view = view.reshape(view.shape[0], groups, -1, *view.shape[2:])
        weight = weight.reshape(groups, -1, *weight.shape[1:])
        out = np.einsum("ngchwij,gocij->ngohw", view, weight, optimize=True)
        return out.reshape(out.shape[0], -1, *out.shape[3:]) + bias[:, None, None]
    if node.op_type == "MaxPool":
        return windows(x, attributes, -np.inf)[0].max(axis=(4, 5))
    if node.op_type == "Pad":
        pads, half = inputs[0].astype(int), x.ndim
        return np.pad(x, list(zip(pads[:half], pads[half:])))
    if node.op_type == "AveragePool":
        # What runtimes disagree about: OpenCV does not read count_include_pad. Padding that counts is a node of its own.
        if attributes["count_include_pad"]:
            sys.exit(f"{node.name}: counts its padding, which is for a Pad node")
        view, inside = windows(x, attributes, 0)
        return view.sum(axis=(4, 5)) / inside.sum(axis=(4, 5))
    sys.exit(f"{node.name}: operator {node.op_type} is not executed here")


def check(path):
    model = onnx.load(path + ".onnx")
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    graph = model.graph
    metadata = {p.key: p.value for p in model.metadata_props}
    if metadata != {"spec": graph.name, "class_names": '["\u00e4", "two"]'}:
        sys.exit(f"{path}: metadata {metadata}")

    def extents(info):
        return [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]

    (source,), (target,) = graph.input, graph.output
    classes = extents(target)[1]
    logits = np.fromfile(path + ".logits", "<f4").reshape(-1, classes)
    if len(logits) != 3:
        sys.exit(f"{path}: {classes} classes, but logits of {len(logits)} rows")
    images = np.fromfile(path + ".images", "<f4").reshape([len(logits)] + extents(source)[1:])
    if (source.name, target.name, extents(target)) != ("image", "logits", ["N", classes]) or extents(source)[0] != "N":
        sys.exit(f"{path}: input {source.name} {extents(source)}, output {target.name} {extents(target)}")
    inferred_shapes = {v.name: extents(v) for v in inferred.graph.value_info}
    values = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in graph.initializer}
    values[source.name] = images.astype(np.float64)
    for node in graph.node:
        first, *others = node.input
        values[node.output[0]] = found = run(node, values[first], [values[name] for name in others])
        expected = inferred_shapes.get(node.output[0], extents(target))[1:]
        if list(found.shape[1:]) != expected:
            sys.exit(f"{path}: {node.name} has shape {found.shape[1:]} here, {expected} by inference")
    error, scale = np.abs(values[target.name] - logits).max(), np.abs(logits).max()
    print(f"{os.path.basename(path)}: {[n.op_type for n in graph.node]}: logits of size {scale:.3g} differ by {error:.2g}")
    if not scale > 0:
        sys.exit(f"{path}: the logits are all 0")
    if not error <= TOLERANCE * scale:
        sys.exit(f"{path}: logits differ by {error}, the bound is {TOLERANCE * scale}")


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        count = int(subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout)
        if count < 1:
            sys.exit("no nets were written")
        for k in range(count):
            check(os.path.join(folder, str(k)))
        # The check sees a wrong graph.
        model = onnx.load(os.path.join(folder, "0.onnx"))
        model.graph.node[0].op_type = "NoSuchOperator"
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError:
            return
        sys.exit("onnx.checker accepts an operator that does not exist")


if __name__ == "__main__":
    main(sys.argv[1])
