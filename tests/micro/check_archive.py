#!/usr/bin/env python3
"""Checks libntkrob_micro.a: what it needs from outside, and that nothing runs before main.

usage: check_archive.py --nm NM --readelf READELF --archive FILE

  - undefined symbols are those of the lists below: what a compiler calls on its own
  - no section of static constructors
  - no variables outside the arena

Exit status 1 when something is wrong; one line per finding.
"""
import argparse
import re
import subprocess
import sys

ALWAYS = {"memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"}
# Float arithmetic, division and wide shifts of processors without them (Run-time ABI for the Arm Architecture).
ARM_RUNTIME = re.compile(r"__aeabi_(f(add|sub|rsub|mul|div|cmp(eq|lt|le|ge|gt|un)|2iz|2uiz)|u?i2f|u?idiv(mod)?|uldivmod|"
                         r"lmul|llsl|llsr|lasr|memcpy4?|memset4?|memclr4?)|__gnu_thumb1_case_\w+|__clzsi2")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nm", "readelf", "archive"):
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

    for line in output(args.readelf, "-S", "-W", args.archive).splitlines():
        match = re.match(r"^\s*\[\s*\d+\] (\.\S+)\s+\S+\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) ", line)
        if not match:
            continue
        section, bytes_ = match.group(1), int(match.group(2), 16)
        if re.match(r"\.(init_array|ctors|preinit_array)", section):
            found.append(f"{args.archive}: section {section}: something runs before main")
        if re.match(r"\.(data|bss)", section) and bytes_ > 0:
            found.append(f"{args.archive}: section {section} takes {bytes_} bytes of RAM outside the arena")
    for finding in found:
        print("error:", finding)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
