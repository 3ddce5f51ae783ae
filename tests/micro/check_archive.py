#!/usr/bin/env python3
"""Checks libntkrob_micro.a: what it needs from outside, that nothing runs before main, and its size.

usage: check_archive.py --nm NM --readelf READELF --archive FILE --target NAME --table MARKDOWN

  - undefined symbols are those of the lists below: what a compiler calls on its own
  - no section of static constructors
  - for the targets with a row "| NAME | bytes |" in the table: code and constants are at most 3 % more than the row says

Exit status 1 when something is wrong; one line per finding.
"""
import argparse
import re
import subprocess
import sys

ALWAYS = {"memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"}
# Float arithmetic, division and wide shifts of processors without them (Run-time ABI for the Arm Architecture).
ARM_RUNTIME = re.compile(r"__aeabi_(f(add|sub|rsub|mul|div|cmp(eq|lt|le|ge|gt|un)|2iz|2uiz)|u?i2f|u?idiv(mod)?|uldivmod|"
                         r"lmul|llsl|llsr|memcpy4?|memset4?|memclr4?)|__gnu_thumb1_case_\w+|__clzsi2")
HEADROOM = 1.03


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nm", "readelf", "archive", "target", "table"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    undefined, defined = set(), set()
    for line in output(args.nm, args.archive).splitlines():
        match = re.match(r"^[0-9a-fA-F]*\s+([A-Za-z]) (\S+)$", line)
        if match:
            (undefined if match.group(1) in "Uw" else defined).add(match.group(2))
    foreign = sorted(s for s in undefined - defined
                     if s not in ALWAYS and not ARM_RUNTIME.fullmatch(s))
    found = [f"{args.archive}: needs the symbol {s}, which is on no list" for s in foreign]
    if not defined:
        found.append(f"{args.archive}: no symbols at all")

    sizes = {}
    for line in output(args.readelf, "-S", "-W", args.archive).splitlines():
        match = re.match(r"^\s*\[\s*\d+\] (\.\S+)\s+\S+\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+\s+(\w*)", line)
        if not match:
            continue
        section, bytes_, flags = match.group(1), int(match.group(2), 16), match.group(3)
        if re.match(r"\.(init_array|ctors|preinit_array)", section):
            found.append(f"{args.archive}: section {section}: something runs before main")
        if re.match(r"\.(data|bss)", section) and bytes_ > 0:
            found.append(f"{args.archive}: section {section} takes {bytes_} bytes of RAM outside the arena")
        if "A" in flags and re.match(r"\.(text|rodata)", section):
            # Functions of headers are in several members under one name, and once in a program.
            inline = re.match(r"\.(text|rodata)\._Z", section)
            sizes[section if inline else (section, len(sizes))] = bytes_
    size = sum(sizes.values())
    print(f"{args.target or 'host'}: {size} bytes of code and constants")
    with open(args.table, encoding="utf-8") as table:
        row = re.search(rf"^\| {re.escape(args.target)} \| (\d+) \|", table.read(), re.M) if args.target else None
    if args.target and not row:
        found.append(f"{args.table}: no row for {args.target}")
    if row and size > HEADROOM * int(row.group(1)):
        found.append(f"{args.target}: {size} bytes, more than 3 % above the {row.group(1)} of {args.table}")
    for finding in found:
        print("error:", finding)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
