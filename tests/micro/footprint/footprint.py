#!/usr/bin/env python3
"""Flash, RAM and instructions of training on one processor: compares them with the table of the documentation.

usage: footprint.py --target NAME --compiler TEXT --readelf READELF --archive libntkrob_micro.a
                    --programs SIDE28 SIDE14 --table MARKDOWN [--write] -- EMULATOR...

  - code:    code and constants of the library, all functions but those of int8
  - int8:    inference in int8, beside it: a program that does not call it does not pay for it
  - quantise: calibration and quantisation for it
  - program: flash of a bare-metal program that trains, evaluates and hands weights over, without its data set
  - RAM:     arena, session, stack: all of the program on bare metal
  - stack:   of it the stack, measured by paint
  - step:    instructions of one step of SGD, counted by the emulator

Exit status 1, with a line per finding, where a figure is more than 3 % above the row of the table or over a limit that
the library promises. With --write the row is written instead. A row of another compiler is not compared.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HEADROOM = 1.03
STEPS = 8
NETS = ("784-32-10", "196-32-10")
MEMBERS = {"int8": "(int8.cpp", "quantise": "(int8_write.cpp"}  # of the archive; all others: code
COLUMNS = ("code", *MEMBERS, "program") + tuple(f"{what} {net}" for net in NETS for what in ("RAM", "stack", "step"))
LIMITS = {("*", "RAM 784-32-10"): 108 * 1024, ("*", "RAM 196-32-10"): 32 * 1024, ("cortex-m4", "program"): 12 * 1024}


def output(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def sections(readelf, path):
    """(name, kind, bytes, flags, column) of every section; those of all members where path is an archive."""
    column = "code"
    for line in output([readelf, "-S", "-W", path]).splitlines():
        if line.startswith("File: "):
            column = next((column for column, member in MEMBERS.items() if member in line), "code")
        match = re.match(r"^\s*\[\s*\d+\] (\S+)\s+(\S+)\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+\s+(\w*)", line)
        if match:
            yield match.group(1), match.group(2), int(match.group(3), 16), match.group(4), column


def code_of(readelf, archive):
    """Bytes of code and constants, by column."""
    found = [(name, n, column) for name, _, n, flags, column in sections(readelf, archive)
             if "A" in flags and re.match(r"\.(text|rodata)", name)]
    total, counted = {}, set()
    for wanted in ("code", *MEMBERS):
        sizes = {}
        for number, (name, n, column) in enumerate(found):
            # Functions of headers are in several members under one name, and once in a program.
            key = name if re.match(r"\.(text|rodata)\._Z", name) else (name, number)
            if column == wanted and key not in counted:
                sizes[key] = max(n, sizes.get(key, 0))
        counted |= set(sizes)
        total[wanted] = sum(sizes.values())
    return total


def measure(args, plugin):
    row = code_of(args.readelf, args.archive)
    for net, program in zip(NETS, args.programs):
        counts = []
        for steps in (0, STEPS):
            bare_metal = args.emulator[-1] == "-kernel"
            command = [args.emulator[0], "-plugin", plugin, *args.emulator[1:], program]
            text = output(command + (["-append", str(steps)] if bare_metal else [str(steps)]), timeout=100)
            values = {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", text, re.M)}
            missing = {"status", "static", "stack", "block", "instructions"} - set(values)
            if missing or values["status"] != 0:
                sys.exit(f"error: {program}: no {', '.join(missing)} in\n{text}" if missing else
                         f"error: {program}: status {values['status']}")
            counts.append(values["instructions"])
        row[f"RAM {net}"] = values["static"] + values["stack"]
        row[f"stack {net}"] = values["stack"]
        row[f"step {net}"] = round((counts[1] - counts[0]) / STEPS)
        if bare_metal and "program" not in row:
            flash = sum(n for _, kind, n, flags, _ in sections(args.readelf, program) if "A" in flags and kind != "NOBITS")
            row["program"] = flash - values["block"]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("target", "compiler", "readelf", "archive", "table"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--programs", nargs=2, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("emulator", nargs="+")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        plugin = os.path.join(folder, "count_instructions.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "count_instructions.c")
        # Runs on this machine, whatever the build is for.
        output(["cc", "-shared", "-fPIC", "-O2", "-o", plugin, source])
        row = measure(args, plugin)
    print(f"{args.target}, {args.compiler}: " + ", ".join(f"{name} {row[name]}" for name in COLUMNS if name in row))

    with open(args.table, encoding="utf-8") as file:
        text = file.read()
    found = []
    for (target, name), limit in LIMITS.items():
        if target in ("*", args.target) and row[name] > limit:
            found.append(f"{args.target}: {name}: {row[name]} is over the limit of {limit}")
    pattern = re.compile(rf"^\| {re.escape(args.target)} \|([ \d|-]*)\|$", re.M)
    match = pattern.search(text)
    if not match:
        found.append(f"{args.table}: no row with {len(COLUMNS)} figures for {args.target}")
    elif args.write:
        cells = " | ".join(str(row.get(name, "-")) for name in COLUMNS)
        with open(args.table, "w", encoding="utf-8") as file:
            file.write(text[:match.start()] + f"| {args.target} | {cells} |" + text[match.end():])
    elif f"({args.compiler.rpartition('.')[0]})" not in text:
        print(f"not compared: the table of {args.table} is of another compiler")
    else:
        recorded = [cell.strip() for cell in match.group(1).split("|")]
        for name, cell in zip(COLUMNS, recorded):
            if cell.isdigit() and row[name] > HEADROOM * int(cell):
                found.append(f"{args.target}: {name}: {row[name]} is {100 * row[name] / int(cell) - 100:.1f} % more than the "
                             f"{cell} of {args.table}; at most 3 %. If that is meant, run tests/micro/footprint/update")
        if len(recorded) != len(COLUMNS):
            found.append(f"{args.table}: {len(recorded)} figures for {args.target}, expected {len(COLUMNS)}")
    for finding in found:
        print("error:", finding)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
