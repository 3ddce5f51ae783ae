#!/usr/bin/env python3
"""Robust sets sized for devices: accuracy of the net that a device trains, by images per class, beside the originals.

For every seed and size: robustify -> export (uint8) -> train_on_device (ntkrob::micro, the bits of every device) ->
import -> evaluate. Every finished cell is a file in the work folder, so that an interrupted run goes on. Prints the
table at the end; --table prints what there is.

usage: python3 bench/device_sets.py DATA.h5 [--side 14] [--per-class 1,10,50,200] [--seeds 0,1,2] [--work FOLDER]
needs: build/cli/ntkrob and build-micro/examples/linux-device/train_on_device (cmake --workflow --preset micro)
"""
import argparse
import json
import pathlib
import resource
import statistics
import struct
import subprocess

STEPS = 20000  # of SGD, one row each
# Options of robustify by images per class, chosen on other seeds and not on test images of the record.
ROBUSTIFY = {1: ["--lr", "0.03", "--steps", "150"], 10: ["--lr", "0.03", "--steps", "150"],
             50: ["--steps", "200"], 200: ["--steps", "100"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path, help="28 x 28 images with a train and a test split")
    parser.add_argument("--ntkrob", default="build/cli/ntkrob")
    parser.add_argument("--trainer", default="build-micro/examples/linux-device/train_on_device")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("device-sets"))
    parser.add_argument("--side", type=int, default=28, choices=[28, 14], help="14: means of 2 x 2 pixels, before all")
    parser.add_argument("--per-class", default="1,10,50,200")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sets", default="originals,robust",
                        help="originals | robust | labels: robust, with learned labels | "
                        "shrunk: the robust set of 28 x 28, exported with --downsample 2")
    parser.add_argument("--decays", default="0,0.03", help="weight decay of the device's training")
    parser.add_argument("--eps", default="0.1", help="linf, of robustify and of the judge")
    parser.add_argument("--judge", default="300", help="test images that are attacked, drawn by the seed")
    parser.add_argument("--table", action="store_true", help="print the table of the cells that exist")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    cells = Cells(options)
    sizes = [int(k) for k in options.per_class.split(",")]
    if not set(sizes) <= set(ROBUSTIFY):
        parser.error(f"--per-class {options.per_class}: sizes are {', '.join(map(str, ROBUSTIFY))}")
    if not options.table:
        for seed in options.seeds.split(","):
            for per_class in sizes:
                for name in options.sets.split(","):
                    for decay in options.decays.split(","):
                        cells.make(per_class, name, decay, seed)
    cells.print_table(sizes)


class Cells:
    def __init__(self, options):
        self.options = options
        self.name = options.data.stem

    def make(self, per_class, name, decay, seed):
        """Trains and judges one net, unless its file is there."""
        o, cell = self.options, self.cell(per_class, name, decay, seed)
        if cell.exists():
            return
        block, weights, net, report = (cell.with_suffix(end) for end in (".nkd", ".nkw", ".net.h5", ".report"))
        self.ntkrob("export", self.set_file(per_class, name, seed), "-o", block,
                    *(["--downsample", "2"] if name == "shrunk" else []))
        images = 10 * per_class
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([o.trainer, "--epochs", str(STEPS // images), "--decay", decay, "--seed", seed, block, weights],
                       check=True, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - used
        self.ntkrob("import", weights, "-o", net)
        data = self.data(o.side)
        self.ntkrob("evaluate", net, "--data", data, "--attacks", "clean", "--json", report)
        clean = json.loads(report.read_text())["accuracy"]["clean"]
        self.ntkrob("evaluate", net, "--data", data, "--eps", o.eps, "--n", o.judge, "--balanced", "--seed", seed,
                    "--attacks", "clean,pgd-40,autoattack", "--checks", "off", "--json", report)
        accuracy = json.loads(report.read_text())["accuracy"]
        cell.write_text(json.dumps({"flash": block.stat().st_size, "seconds": used, "clean": clean,
                                    "pgd": accuracy["pgd-40"], "autoattack": accuracy["autoattack"]}))
        print(cell.name, cell.read_text(), flush=True)

    def cell(self, per_class, name, decay, seed):
        stem = self.stem(self.options.side, per_class, seed)
        return self.options.work / f"{stem}-{name}-{decay.replace('.', '_')}.json"

    def stem(self, side, per_class, seed):
        return f"{self.name}-{side}-{per_class}-{seed}"

    def ntkrob(self, *words):
        subprocess.run([self.options.ntkrob, *map(str, words), "--quiet", "--force"], check=True,
                       stdout=subprocess.DEVNULL)

    def set_file(self, per_class, name, seed):
        """The set as HDF5; makes it where it is missing."""
        o = self.options
        side = 28 if name == "shrunk" else o.side
        kind = "labels" if name == "labels" else "robust"
        robust = o.work / f"{self.stem(side, per_class, seed)}-{kind}.h5"
        if not robust.exists():
            self.ntkrob("robustify", self.data(side), "--kernel", "fc:3", "--n", 10 * per_class, "--eps", o.eps,
                        "--seed", seed, *ROBUSTIFY[per_class], *(["--learn-labels"] if kind == "labels" else []),
                        "-o", robust)
        if name != "originals":
            return robust
        originals = robust.with_name(robust.name.replace("-robust", "-originals"))
        if not originals.exists():
            self.ntkrob("convert", "--initial", robust, "-o", originals)
        return originals

    def data(self, side):
        """The data with this side: the file itself, or one made from what a device would get by --downsample."""
        if side == 28:
            return self.options.data
        small = self.options.work / f"{self.name}-{side}.h5"
        if not small.exists():
            words = []
            for split in ("train", "test"):
                block = self.options.work / f"{self.name}-{split}.nkd"
                self.ntkrob("export", self.options.data, "--split", split, "--downsample", 28 // side, "-o", block)
                words += write_idx(block.read_bytes(), split, block)
            self.ntkrob("convert", *words, "-o", small)
        return small

    def print_table(self, sizes):
        """Markdown: mean and standard deviation over the seeds that are there, in per cent."""
        names = ["images per class", "set", "decay", "flash of the set", "seeds", "clean", "PGD-40", "AutoAttack",
                 "training, s"]
        print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")
        for per_class in sizes:
            for name in self.options.sets.split(","):
                for decay in self.options.decays.split(","):
                    files = self.options.work.glob(self.cell(per_class, name, decay, "*").name)
                    cells = [json.loads(file.read_text()) for file in sorted(files)]
                    if cells:
                        figures = [spread([100 * c[key] for c in cells]) for key in ("clean", "pgd", "autoattack")]
                        seconds = f"{statistics.mean(c['seconds'] for c in cells):.2f}"
                        row = [per_class, name, decay, cells[0]["flash"], len(cells), *figures, seconds]
                        print("| " + " | ".join(map(str, row)) + " |")


def spread(values):
    return f"{statistics.mean(values):.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def write_idx(block, split, path):
    """Two IDX files of a device set of uint8 pixels (lib/include/ntkrob/micro/device_data.hpp); words for convert."""
    rows, height, width = struct.unpack_from("<IHH", block, 12)
    end = 64 + rows * height * width
    images, labels = path.with_suffix(".images"), path.with_suffix(".labels")
    images.write_bytes(struct.pack(">IIII", 0x803, rows, height, width) + block[64:end])
    start = (end + 3) // 4 * 4
    labels.write_bytes(struct.pack(">II", 0x801, rows) + bytes(struct.unpack_from(f"<{rows}H", block, start)))
    return [f"--{split}-images", images, f"--{split}-labels", labels]


if __name__ == "__main__":
    main()
