#!/usr/bin/env python3
"""Checks that what stands before a Model forwards all of it, and that the conformance tests call all of it.

usage: check_forwarding.py ROOT

A virtual function with a default is lost without a word by a wrapper that was written before it. So each virtual function of Model and
of Iterates must be overridden in the class that forwards it, and called in the kits that check models and wrappers.

Exit status 1 when something is wrong; one line per finding.
"""
import pathlib
import re
import sys

# class and its header; the class that forwards it and its file; the kits that must call every function.
FORWARDED = [
    ("Model", "lib/include/ntkrob/model/model.hpp", "ForwardingModel", "lib/include/ntkrob/model/forwarding.hpp"),
    ("Iterates", "lib/include/ntkrob/model/iterates.hpp", "ForwardingIterates", "lib/src/model/forwarding.cpp"),
]
KITS = ["tests/kit/check_model.hpp", "tests/kit/check_forwarding.hpp"]


def class_body(text, name):
    """The text between the braces of a class, or None."""
    start = re.search(r"\bclass " + name + r"\b[^;{]*\{", text)
    if start is None:
        return None
    depth = 1
    for end in range(start.end(), len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start.end():end]
    return None


def without_comments(text):
    return re.sub(r"//[^\n]*", "", re.sub(r"/\*.*?\*/", "", text, flags=re.S))


def virtual_functions(body):
    return [name for name in re.findall(r"\bvirtual\b[^;{]*?(~?\w+)\s*\(", body) if not name.startswith("~")]


def overridden(body):
    return set(re.findall(r"(\w+)\s*\((?:[^(){};]|\([^()]*\))*\)\s*(?:const\s*)?(?:noexcept\s*)?override\b", body))


def check(root):
    findings = []
    kits = {kit: without_comments((root / kit).read_text()) for kit in KITS}
    for name, header, forwarding, file in FORWARDED:
        body = class_body(without_comments((root / header).read_text()), name)
        wrapper = class_body(without_comments((root / file).read_text()), forwarding)
        functions = virtual_functions(body) if body is not None else []
        if not functions or wrapper is None:
            findings.append(f"{header}: class {name}, or {forwarding} of {file}, was not found")
            continue
        have = overridden(wrapper)
        for function in functions:
            if function not in have:
                findings.append(f"{file}: {forwarding} does not forward {name}::{function}")
            for kit, text in kits.items():
                if not re.search(r"(\.|->)" + function + r"\(", text):
                    findings.append(f"{kit}: {name}::{function} is not called")
    return findings


if __name__ == "__main__":
    problems = check(pathlib.Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
