#!/usr/bin/env python3
"""Every figure of the front page's table, from a data file: sets, nets, attacks; and the tables in Markdown.

Four parts, each a list of runs:
  search  which weight decay is best for which net on which set: seed 0, a short attack on images of the training split
  rows    the table: kernel machines and nets on robust images and on originals, for every seed
  inits   the net from other initialisations, with and without decay
  mlp     the rows of a fully connected net
A finished run is a file in the work folder, so that an interrupted call goes on, and --table prints what there is.
A net on originals takes the decay that `search` found best for it, whichever that is.

usage: python3 bench/readme_table.py mnist.h5 [--work FOLDER] [--seeds 0,1,2] [--parts search,rows,inits,mlp] [--table]
       (mnist.h5: ntkrob convert FOLDER -o mnist.h5; needs build/cli/ntkrob, or --ntkrob PROGRAM; nothing but Python)
to try it: --n 40 --steps 5 --train-steps 40 --judge 20 --attack pgd-5 --decays 0,0.005 --seeds 0,1
"""
import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import threading

CNN, MLP, KERNEL = "cnn:small", "mlp:1024,1024,1024", "fc:3"
DECAY = "0.005"  # of nets on robust images
SHORT = "apgd-t(iterations=50,targets=4)"
PGD = ["fgsm", "pgd-40", "pgd-40(loss=margin)"]
BEST = "best"  # the decay that the search found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--ntkrob", default="build/cli/ntkrob")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("readme-table"))
    parser.add_argument("--seeds", default="0,1,2", help="of robustify and train")
    parser.add_argument("--parts", default="search,rows,inits,mlp", help="in this order")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--threads", default="0", help="of each run; no result depends on it")
    parser.add_argument("--table", action="store_true", help="run nothing, print the tables of the runs that are there")
    parser.add_argument("--eps", default="0.1")
    parser.add_argument("--n", default="1000", help="images of a set")
    parser.add_argument("--steps", default="200", help="of robustify")
    parser.add_argument("--train-steps", default="1500")
    parser.add_argument("--judge", default="1000", help="test images that are attacked: the first ones")
    parser.add_argument("--attack", default="autoattack", help="the last attack of the table")
    parser.add_argument("--decays", default="0,0.001,0.005,0.02,0.05", help="that are searched")
    table = Table(parser.parse_args())
    if not table.options.table:
        table.run()
    table.print()


class Run:
    """One model, judged: a kernel machine or a net on one set."""

    def __init__(self, part, images, model, decay, seed, init="uniform"):
        self.part, self.images, self.model, self.decay, self.seed, self.init = part, images, model, decay, seed, init

    def name(self):
        words = [self.part, self.images, self.model, self.decay, self.init, self.seed]
        return "-".join(words).translate(str.maketrans(":,.", "___"))

    def key(self):
        return self.images, self.model, self.decay, self.init


class Table:
    def __init__(self, options):
        self.options, self.locks, self.guard = options, {}, threading.Lock()
        options.work.mkdir(parents=True, exist_ok=True)

    def runs(self, part):
        seeds = self.options.seeds.split(",")
        if part == "search":
            return [Run(part, images, model, decay, seeds[0]) for images in ("originals", "robust")
                    for model in (CNN, MLP) for decay in self.options.decays.split(",")]
        if part == "rows":
            kinds = [("robust", CNN, DECAY), ("originals", CNN, BEST), ("robust", "kernel", "-"),
                     ("originals", "kernel", "-"), ("robust", CNN, "0")]
        elif part == "mlp":
            kinds = [("robust", MLP, DECAY), ("originals", MLP, BEST), ("robust", MLP, "0")]
        elif part == "inits":
            return [Run(part, "robust", CNN, decay, seed, init) for init in ("he", "ntk") for decay in (DECAY, "0")
                    for seed in seeds]
        else:
            raise SystemExit(f"--parts: \"{part}\" is none of search, rows, inits, mlp")
        return [Run(part, images, model, self.best(model) if decay == BEST else decay, seed)
                for images, model, decay in kinds for seed in seeds]

    def run(self):
        for part in self.options.parts.split(","):
            with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
                for done in [pool.submit(self.make, run) for run in self.runs(part)]:
                    done.result()

    def best(self, model):
        """The decay with the most originals left; where nothing was searched, there is no such row."""
        found = [(self.load(run)["accuracy"][SHORT], run.decay) for run in self.runs("search")
                 if run.images == "originals" and run.model == model and self.load(run)]
        if not found:
            raise SystemExit(f"no decay of {model} on originals was searched: run the part search first")
        return max(found)[1]

    def file(self, run):
        return self.options.work / f"{run.name()}.json"

    def load(self, run):
        return json.loads(self.file(run).read_text()) if self.file(run).exists() else None

    def make(self, run):
        if self.file(run).exists():
            return
        o, images = self.options, self.images(run.images, run.seed)
        report = self.file(run).with_suffix(".report")
        if run.model == "kernel":
            judged = ["--kernel", KERNEL, "--support", images]
        else:
            net = self.file(run).with_suffix(".h5")
            self.ntkrob("train", images, "--model", run.model, "--loss", "mse", "--steps", o.train_steps, "--batch",
                        "100", "--lr", "0.05", "--weight-decay", run.decay, "--init", run.init, "--seed", run.seed,
                        "-o", net)
            judged = [net]
        judge = ["evaluate", *judged, "--data", o.data, "--eps", o.eps, "--json", report]
        if run.part == "search":
            self.ntkrob(*judge, "--split", "train", "--n", min(500, int(o.judge)), "--checks", "off", "--attacks",
                        ",".join(["clean", SHORT]))
            found = self.reduced(report)
        else:
            self.ntkrob(*judge, "--attacks", "clean")
            whole = self.reduced(report)["accuracy"]["clean"]
            attacks = ["clean", *(PGD if run.part != "inits" else [SHORT]), o.attack]
            self.ntkrob(*judge, "--n", o.judge, "--checks", "on", "--attacks", ",".join(attacks))
            found = {"clean": whole, **self.reduced(report)}
        report.unlink()
        self.file(run).write_text(json.dumps(found))
        print(run.name(), json.dumps(found["accuracy"]), "ALARM" if found.get("alarms") else "", flush=True)

    @staticmethod
    def reduced(report):
        """What the tables need of a report."""
        whole = json.loads(report.read_text())
        masking = whole.get("masking", {})
        return {"accuracy": whole["accuracy"], "worst_case": whole["worst_case"], "alarms": masking.get("alarms", 0),
                "verdict": masking.get("verdict", "")}

    def images(self, name, seed):
        """The file of a set; made where it is missing."""
        o, robust = self.options, self.options.work / f"robust-{seed}.h5"
        originals = o.work / f"originals-{seed}.h5"
        with self.guard:
            lock = self.locks.setdefault(seed, threading.Lock())
        with lock:
            if not robust.exists():
                self.ntkrob("robustify", o.data, "--kernel", KERNEL, "--n", o.n, "--norm", "linf", "--eps", o.eps,
                            "--steps", o.steps, "--batch", "500", "--attack-steps", "5", "--seed", seed, "-o", robust)
            if not originals.exists():
                self.ntkrob("convert", robust, "--initial", "-o", originals)
        return robust if name == "robust" else originals

    def ntkrob(self, *words):
        subprocess.run([self.options.ntkrob, *map(str, words), "--threads", self.options.threads, "--quiet", "--force"],
                       check=True, stdout=subprocess.DEVNULL)

    def print(self):
        for part in self.options.parts.split(","):
            runs = [run for run in self.runs(part) if self.load(run)]
            if runs:
                print(f"\n{part}\n")
                (self.print_search if part == "search" else self.print_rows)(runs)

    def print_search(self, runs):
        decays = self.options.decays.split(",")
        print_line(["set", "net"] + decays, head=True)
        for images, model in dict.fromkeys((run.images, run.model) for run in runs):
            cells = {run.decay: self.load(run)["accuracy"] for run in runs if (run.images, run.model) == (images, model)}
            print_line([images, model] + [f"{percent(c[SHORT])} (clean {percent(c['clean'])})" if c else ""
                                          for c in map(cells.get, decays)])

    def print_rows(self, runs):
        """Each seed, then mean and standard deviation (n - 1), in per cent."""
        attacks = list(dict.fromkeys(name for run in runs for name in self.load(run)["accuracy"]))
        print_line(["model", "init", "trained on", "decay", "seed", "clean, whole test split", *attacks, "alarms"], head=True)
        for key in dict.fromkeys(run.key() for run in runs):
            cells = [(run.seed, self.load(run)) for run in runs if run.key() == key]
            images, model, decay, init = key
            head = [model, init if model != "kernel" else "-", images, decay]
            for seed, cell in cells:
                print_line([*head, seed, percent(cell["clean"]), *[percent(cell["accuracy"][a]) for a in attacks],
                            str(cell["alarms"])])
            columns = [[cell["clean"] for _, cell in cells]] + [[cell["accuracy"][a] for _, cell in cells] for a in attacks]
            print_line([*head, "mean ± sd", *map(spread, columns), str(sum(cell["alarms"] for _, cell in cells))])


def print_line(words, head=False):
    print("| " + " | ".join(words) + " |")
    if head:
        print("|---" * len(words) + "|")


def percent(fraction):
    return f"{100 * fraction:.1f}"


def spread(fractions):
    mean = percent(statistics.mean(fractions))
    return mean + (f" ± {percent(statistics.stdev(fractions))}" if len(fractions) > 1 else "")


if __name__ == "__main__":
    main()
