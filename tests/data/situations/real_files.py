"""Files as people have them, through the whole job: convert, robustify, train, evaluate, export.   real_files.py NTKROB SHARED_DIR

The layouts are those of scikit-learn's digits, usps.h5, optdigits, MedMNIST, EMNIST letters, SVHN and KMNIST; the pictures are
scikit-learn's digits and, rebuilt into those layouts, MNIST of the folder of reference data. A wrong label column, a wrong range or
wrong axes leave an accuracy far below the bounds."""
import gzip
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    from sklearn.datasets import load_digits
except ImportError as error:
    print("skipped: %s" % error)
    sys.exit(0)

PROGRAM, SHARED = sys.argv[1], sys.argv[2]


def run(*arguments):
    done = subprocess.run([PROGRAM] + list(arguments), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("ntkrob %s ended with %d:\n%s%s" % (" ".join(arguments), done.returncode, done.stdout, done.stderr))
    return done


def refused(words, *arguments):
    done = subprocess.run([PROGRAM] + list(arguments), capture_output=True, text=True)
    if done.returncode not in (2, 3) or not all(word in done.stderr for word in words):
        sys.exit("ntkrob %s ended with %d, expected a refusal with %s:\n%s" %
                 (" ".join(arguments), done.returncode, words, done.stderr))


class Job:
    """One foreign input through all commands."""

    def __init__(self, folder):
        self.folder = folder
        self.checksums = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, name, inputs, shape, classes, n, bound, options=(), said=(), same_as=None):
        data, net, robust = (self.path(name + end) for end in (".data.h5", ".net.h5", ".robust.h5"))
        notes = run("convert", *inputs, *options, "-o", data).stderr
        for word in said:
            if word not in notes:
                sys.exit("%s: expected \"%s\" in what convert says:\n%s" % (name, word, notes))
        about = json.loads(run("info", data, "--json", "-").stdout)["file"]
        found = (about["shape"], about["classes"], about["train"]["n"], about["test"]["n"])
        if found != (list(shape), classes, n[0], n[1]):
            sys.exit("%s: found %r, expected %r" % (name, found, (list(shape), classes, n[0], n[1])))
        self.checksums[name] = about["checksum"]
        if same_as and about["checksum"] != self.checksums[same_as]:
            sys.exit("%s has the checksum %s, but %s of equal content %s" %
                     (name, about["checksum"], same_as, self.checksums[same_as]))
        run("train", data, "--model", "mlp:64", "--steps", "600", "--batch", "50", "--lr", "0.1", "--seed", "1", "-o", net, "--quiet")
        report = self.path(name + ".json")
        run("evaluate", net, "--data", data, "--attacks", "clean", "--json", report, "--quiet")
        with open(report) as file:
            clean = json.load(file)["accuracy"]["clean"]
        print("%-24s %s, clean accuracy %.1f %%" % (name, about["checksum"], 100 * clean))
        if not clean > bound:
            sys.exit("%s: clean accuracy %.3f, expected more than %.2f" % (name, clean, bound))
        run("robustify", data, "--kernel", "fc:2", "--n", "100", "--steps", "2", "--batch", "50", "--attack-steps", "2", "--validation",
            "0", "-o", robust, "--quiet")
        run("export", net, "-o", self.path(name + ".onnx"), "--quiet")
        run("export", robust, "-o", self.path(name + ".bin"), "--quiet")
        for made in (robust, self.path(name + ".onnx"), self.path(name + ".bin")):
            if os.path.getsize(made) < 100:
                sys.exit("%s is empty" % made)


def sklearn_digits(job):
    x, y = load_digits(return_X_y=True)
    k = 1300
    parts = lambda x: dict(x_train=x[:k], y_train=y[:k], x_test=x[k:], y_test=y[k:])
    sixteen = ["--value-range", "0:16"]
    n, path = (k, len(x) - k), job.path
    np.savez_compressed(path("float.npz"), **parts(x))
    refused(["0:16", "0:255"], "convert", path("float.npz"), "-o", path("no.h5"))
    job.run("float.npz", [path("float.npz")], (8, 8, 1), 10, n, 0.9, sixteen + ["--image-shape", "8x8x1"])
    np.savez_compressed(path("uint8.npz"), **parts(x.astype(np.uint8).reshape(-1, 8, 8)))
    job.run("uint8.npz", [path("uint8.npz")], (8, 8, 1), 10, n, 0.9, sixteen)
    np.savez_compressed(path("int64.npz"), **parts(x.astype(int)))
    job.run("int64.npz", [path("int64.npz")], (8, 8, 1), 10, n, 0.9, sixteen + ["--image-shape", "8x8x1"], same_as="uint8.npz")
    # scikit-learn's frame: a header, floating-point numbers, "target" last; and pandas' index column in front.
    header = ["pixel_%d_%d" % (i // 8, i % 8) for i in range(64)]
    for name, index in (("frame", False), ("frame_index", True)):
        for part, begin, end in (("train", 0, k), ("test", k, len(x))):
            with open(path("%s_%s.csv" % (name, part)), "w") as file:
                file.write(",".join(([""] if index else []) + header + ["target"]) + "\n")
                for i in range(begin, end):
                    file.write(",".join(([str(i)] if index else []) + ["%.1f" % v for v in x[i]] + [str(y[i])]) + "\n")
        job.run(name + ".csv", [path(name + "_train.csv"), path(name + "_test.csv")], (8, 8, 1), 10, n, 0.9,
                sixteen + ["--image-shape", "8x8x1"], ["target"], same_as=None if name == "frame" else "frame.csv")
    # UCI optdigits: no header, whole numbers, the class last.
    table = np.c_[x, y].astype(int)
    for name, rows in (("optdigits_train.csv", table[:k]), ("optdigits_test.csv", table[k:])):
        np.savetxt(path(name), rows, "%d", ",")
    job.run("optdigits", [path("optdigits_train.csv"), path("optdigits_test.csv")], (8, 8, 1), 10, n, 0.9, sixteen + ["--image-shape", "8x8x1"], ["last"],
            same_as="uint8.npz")
    # Fifteen shades of darkness: divided by 256 in place of 16.
    np.savez_compressed(path("dark.npz"), **parts((x / 256).astype(np.float32)))
    about = run("info", path("dark.npz"))
    if "0.0625" not in about.stdout:
        sys.exit("dark.npz: the largest value is not said:\n" + about.stdout + about.stderr)


def read_idx(name):
    with gzip.open(os.path.join(SHARED, "data", "mnist", name)) as file:
        data = file.read()
    shape = struct.unpack(">" + "I" * data[3], data[4:4 + 4 * data[3]])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def write_idx(path, array):
    with gzip.open(path, "wb") as file:
        file.write(bytes([0, 0, 8, array.ndim]) + struct.pack(">" + "I" * array.ndim, *array.shape) + array.tobytes())


def mnist_layouts(job):
    n, path = (3000, 1000), job.path
    x, y = read_idx("train-images-idx3-ubyte.gz")[:n[0]], read_idx("train-labels-idx1-ubyte.gz")[:n[0]]
    xt, yt = read_idx("t10k-images-idx3-ubyte.gz")[:n[1]], read_idx("t10k-labels-idx1-ubyte.gz")[:n[1]]

    # usps.h5: groups train and test with data (rows of floating-point numbers in [0,1]) and target.
    with h5py.File(path("usps.h5"), "w") as file:
        for group, images, labels in (("train", x, y), ("test", xt, yt)):
            small = images.reshape(-1, 14, 2, 14, 2).mean((2, 4)) / 255
            file[group + "/data"] = small.reshape(-1, 196)
            file[group + "/target"] = labels.astype(np.int64)
    job.run("usps.h5", [path("usps.h5")], (14, 14, 1), 10, n, 0.8,
            ["--x", "train/data", "--y", "train/target", "--x-test", "test/data", "--y-test", "test/target", "--image-shape", "14x14x1"])

    # MedMNIST: six arrays, labels [N,1].
    column = lambda labels: labels[:, None]
    np.savez_compressed(path("med.npz"), train_images=x, train_labels=column(y), val_images=xt[:100], val_labels=column(yt[:100]),
                        test_images=xt, test_labels=column(yt))
    job.run("med.npz", [path("med.npz")], (28, 28, 1), 10, n, 0.8,
            ["--x", "train_images", "--y", "train_labels", "--x-test", "test_images", "--y-test", "test_labels"], ["val_images", "val_labels"])

    # EMNIST letters: labels from 1, IDX files of their own names.
    os.makedirs(path("emnist"), exist_ok=True)
    for split, images, labels in (("train", x, y), ("test", xt, yt)):
        write_idx(path("emnist/emnist-letters-%s-images-idx3-ubyte.gz" % split), images)
        write_idx(path("emnist/emnist-letters-%s-labels-idx1-ubyte.gz" % split), labels + 1)
    job.run("emnist from 1", [path("emnist")], (28, 28, 1), 11, n, 0.8, said=["--renumber"])
    job.run("emnist", [path("emnist")], (28, 28, 1), 10, n, 0.8, ["--renumber"], ["1"], same_as="med.npz")

    # SVHN: X [32,32,3,N] as loadmat gives it, y [N,1] in which 10 is the digit 0.
    colour = lambda images: np.repeat(np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., None], 3, 3) // np.array([1, 2, 3], np.uint8)
    ten = lambda labels: column(np.where(labels == 0, 10, labels).astype(np.uint8))
    last = lambda images: np.ascontiguousarray(colour(images).transpose(1, 2, 3, 0))
    names = ["--x", "X", "--y", "y", "--x-test", "X_test", "--y-test", "y_test"]
    np.savez_compressed(path("svhn.npz"), X=last(x), y=ten(y), X_test=last(xt), y_test=ten(yt))
    job.run("svhn.npz", [path("svhn.npz")], (32, 32, 3), 10, n, 0.8, names + ["--label-map", "10:0"], ["H,W,C,N"])
    np.savez_compressed(path("svhn_view.npz"), X=last(x).transpose(3, 0, 1, 2), y=ten(y), X_test=last(xt).transpose(3, 0, 1, 2), y_test=ten(yt))
    job.run("svhn_view.npz", [path("svhn_view.npz")], (32, 32, 3), 10, n, 0.8, names + ["--label-map", "10:0"], same_as="svhn.npz")

    # KMNIST: four files, each with arr_0.
    options = []
    for option, name, array in (("train-images", "train-imgs", x), ("train-labels", "train-labels", y),
                                ("test-images", "test-imgs", xt), ("test-labels", "test-labels", yt)):
        file = path("kmnist-%s.npz" % name)
        np.savez_compressed(file, array)
        options += ["--" + option, file]
    job.run("kmnist", [], (28, 28, 1), 10, n, 0.8, options, same_as="med.npz")


with tempfile.TemporaryDirectory() as folder:
    sklearn_digits(Job(folder))
    if os.path.isdir(os.path.join(SHARED, "data", "mnist")):
        mnist_layouts(Job(folder))
    else:
        print("%s has no data/mnist: its layouts are left out" % SHARED)
print("all layouts are read")
