"""HDF5 and NPZ files exchanged with h5py and NumPy.   interop_check.py INTEROP_PROGRAM"""
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib

import h5py
import numpy as np


def same(name, found, expected):
    if not np.array_equal(np.asarray(found), np.asarray(expected)):
        sys.exit("%s: found %r, expected %r" % (name, found, expected))


def checksum(x, y):
    return "crc32:%08x" % zlib.crc32(y.astype("<i4").tobytes(), zlib.crc32(x.tobytes()))


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        def path(name):
            return os.path.join(folder, name)

        def read(*names):
            out = subprocess.run([program, "read"] + [path(n) for n in names], check=True, capture_output=True, text=True)
            return out.stdout.split("\n")[:-1]

        subprocess.run([program, "write", folder], check=True)

        # What ntkrob wrote, read by Python.
        with h5py.File(path("bytes.h5"), "r") as file:
            x, y = file["x_train"][...], file["y_train"][...]
            same("shape", x.shape, (40, 28, 28, 1))
            same("type", str(x.dtype), "uint8")
            same("labels per class", np.bincount(y), [4] * 10)
            same("schema", file.attrs["ntkrob_schema"].decode(), "ntkrob.dataset/1")
            same("names", [n.decode() for n in file.attrs["class_names"]], [str(d) for d in range(10)])
            same("filters", (file["x_train"].compression, file["x_train"].shuffle), ("gzip", True))
            same("test images", file["x_test"].shape, (20, 28, 28, 1))
        same("checksum", read("bytes.h5")[0].split()[0], checksum(x, y))
        with np.load(path("bytes.npz")) as file:
            same("NPZ pixels", file["x_train"], x)
            same("NPZ labels", file["y_train"], y)
        expected = (-1 + np.arange(36, dtype=np.float32) / np.float32(35)).reshape(2, 2, 3, 3)
        with h5py.File(path("floats.h5"), "r") as file:
            same("float pixels", file["x_train"], expected)
            same("targets", file["y_train"], np.arange(8, dtype=np.float32).reshape(2, 4) / 8)
            same("labels", file["labels_train"], [1, 0])
            same("range", file.attrs["value_range"], [-1, 1])
            same("command", file["provenance"].attrs["command"].decode(), "interop")
            same("option", file["provenance/options"].attrs["eps"].decode(), "8/255")
            same("curve", file["provenance/curves/loss"], [3, 2, 1])
        with np.load(path("floats.npz")) as file:
            same("NPZ float pixels", file["x_train"], expected)
        with h5py.File(path("state.h5"), "r") as file:
            same("spec", file.attrs["spec"].decode(), "mlp:3")
            same("input_shape", file.attrs["input_shape"], [2, 3, 3])
            same("type", file["layers/0"].attrs["type"].decode(), "dense")
            same("number", file["layers/0"].attrs["w"], 1.5)
            same("weight", file["layers/0/weight"], [[1, 2], [3, 4]])
            same("kernel", file["ntk"], np.full((60, 20), 0.25))

        # What Python wrote, read by ntkrob.
        with h5py.File(path("plain.h5"), "w") as file:
            file["x_train"], file["y_train"] = x, y.astype(">i8")
        with h5py.File(path("attributes.h5"), "w", libver="latest") as file:
            file.attrs["ntkrob_schema"] = "ntkrob.dataset/1"  # a text of variable length
            file.attrs["class_names"] = [str(d) for d in range(12)]
            file.create_dataset("x_train", data=x, chunks=(7, 28, 5, 1), compression="gzip", fletcher32=True)
            file["y_train"] = y
        with h5py.File(path("lzf.h5"), "w") as file:
            file.create_dataset("x_train", data=x, compression="lzf")
            file["y_train"] = y
        refused = subprocess.run([program, "read", path("lzf.h5")], capture_output=True, text=True)
        same("refused filter", (refused.returncode, "lzf" in refused.stderr, "gzip" in refused.stderr), (3, True, True))
        np.savez(path("stored.npz"), X=x, y=y)
        np.savez_compressed(path("deflated.npz"), x_train=x, y_train=y.astype(np.uint8))
        with open(path("big.csv"), "w") as out:
            for image, label in zip(x.reshape(len(x), 784), y):
                out.write("%d,%s\n" % (label, ",".join(map(str, image))))
        row = "%s 40 0 28 28 1 " % checksum(x, y)
        same("rows", read("plain.h5", "attributes.h5", "stored.npz", "deflated.npz", "big.csv"),
             [row + "10", row + "12", row + "10", row + "10", row + "10"])

        # The checksum behind the data: h5py reads past it; a change by h5py cuts it off, and the file is one without.
        state = path("state.h5")
        summed = os.path.getsize(state)
        with h5py.File(state, "r+") as file:
            file["layers/0/weight"][0, 0] = 5
        with open(state, "rb") as file:
            content = file.read()
        same("length after a change", len(content), summed - 32)
        same("marks after a change", content.count(b"ntksum"), 0)
        with h5py.File(path("bytes.h5"), "a") as file:
            file.attrs["note"] = "changed"
        same("rows after a change", len(read("bytes.h5")), 1)
        with zipfile.ZipFile(path("bytes.npz")) as archive:
            same("comment of an archive", len(archive.comment), 32)
            same("members", archive.testzip(), None)

        # What the library does when the process ends: nothing, where it was told so.
        for way, written in (("close", True), ("leave", False)):
            subprocess.run([program, way, path(way)], check=True)
            with open(path(way), "rb") as file:
                same(way, b"written at the end" in file.read(), written)
    print("all files agree")


if __name__ == "__main__":
    main(sys.argv[1])
