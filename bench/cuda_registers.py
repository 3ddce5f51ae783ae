#!/usr/bin/env python3
"""Registers, shared and local memory of the CUDA backend's kernels, as ptxas reports them: cuda_registers.py BUILD [--nvcc PATH].

BUILD is configured with -DNTKROB_WITH_CUDA=ON and -DCMAKE_EXPORT_COMPILE_COMMANDS=ON; every source of kernels is compiled once more,
for all architectures of BUILD, and nothing of it is kept. Prints a table. Exit status 1 where a kernel spills registers. A stack
frame without spills is memory that the code itself asks for, such as the reduction of large angles in the device's cos.
"""
import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("--nvcc", help="instead of the compiler of BUILD")
args = parser.parse_args()


def reports(command, directory):
    """What ptxas says about each kernel of one source."""
    words = [word for word in shlex.split(command) if not word.endswith("ccache")]
    if args.nvcc:
        words[0] = args.nvcc
    for option in ("-o", "-MF", "-MT"):
        if option in words:
            at = words.index(option)
            del words[at:at + 2]
    words = [word for word in words if word != "-MD"]
    with tempfile.NamedTemporaryFile(suffix=".o") as scratch:
        run = subprocess.run(words + ["-Xptxas=-v", "-o", scratch.name], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode != 0:
        sys.exit(f"cuda_registers.py: {words[-1]} does not compile:\n{run.stdout}")
    return words[0], run.stdout


def number(pattern, text):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0


database = args.build / "compile_commands.json"
if not database.exists():
    sys.exit(f"cuda_registers.py: {database} is missing; configure with -DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
rows, nvcc = {}, None
for entry in json.loads(database.read_text()):
    if "/backend_cuda/" not in entry["file"] or not entry["file"].endswith(".cu"):
        continue
    nvcc, text = reports(entry["command"], entry["directory"])
    for part in re.split(r"Compiling entry function '", text)[1:]:
        name, architecture = re.match(r"(\S+)' for 'sm_(\d+)'", part).groups()
        rows.setdefault(name, {})[int(architecture)] = (
            number(r"Used (\d+) registers", part), number(r"(\d+) bytes smem", part), number(r"(\d+) bytes stack frame", part),
            number(r"(\d+) bytes spill stores", part) + number(r"(\d+) bytes spill loads", part))
if not rows:
    sys.exit(f"cuda_registers.py: {database} has no sources of the CUDA backend; configure with -DNTKROB_WITH_CUDA=ON")

plain = subprocess.run(["c++filt"], input="\n".join(rows), stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
version = re.search(r"V[\d.]+", subprocess.run([nvcc, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout).group(0)
architectures = sorted({a for kernels in rows.values() for a in kernels})
print(f"nvcc {version}. Registers of a thread, and bytes of shared memory of a block; local memory and spills, where there are any, in bold.\n")
print("| program | " + " | ".join(f"sm_{a}" for a in architectures) + " | shared |")
print("|---|" + "---|" * (len(architectures) + 1))
local = bad = 0
for name, mangled in sorted((p.replace("ntkrob::cuda::", ""), m) for p, m in zip(plain, rows)):
    short = re.sub(r"^void run_program<(.*?) ?>\(.*$", r"\1", name)
    cells = []
    for a in architectures:
        registers, _, stack, spills = rows[mangled].get(a, (0, 0, 0, 0))
        local += stack > 0
        bad += spills > 0
        cells.append(f"{registers}" + (f" **{stack} local, {spills} spilled**" if stack or spills else ""))
    shared = max(r[1] for r in rows[mangled].values())
    print(f"| `{short}` | " + " | ".join(cells) + f" | {shared or ''} |")
print(f"\n{len(rows)} programs; {bad} entries with spills, {local} with local memory.")
sys.exit(1 if bad else 0)
