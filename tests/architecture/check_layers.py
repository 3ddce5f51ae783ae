#!/usr/bin/env python3
"""Checks that the sources keep to the architecture (lib/doc/architecture.md).

usage: check_layers.py ROOT

  - a component includes headers only of components that the table below allows (and of their prerequisites)
  - its CMake target links only to the components of its row, and CONTRIBUTING.md shows the same table
  - public headers name no heavy dependency and include no private header
  - .def files hold only entries and comments, unique and sorted (unless the comment states another order: "in the order")
  - the command has at most 3600 lines, and no text below it names a flag of the command
  - no source file is longer than 600 lines (more than 400: a warning)

Exit status 1 when something is wrong; one line per finding.
"""
import pathlib
import re
import sys

# component: what it may link to directly. Absent components are fine; unknown ones are an error.
EDGES = {
    "base": [],
    "micro": [],
    "net": ["base"],
    "backend": ["base"],
    "layers": ["base"],
    "model": ["base"],
    "optim": ["base"],
    "data": ["base"],
    "images": ["backend", "layers"],
    "backend_cpu": ["backend", "layers", "images"],
    "backend_cuda": ["backend", "layers", "images"],
    "kernel": ["backend", "layers", "net"],
    "attack": ["model"],
    "krr": ["kernel", "model"],
    "runtime": ["backend", "backend_cpu"],
    "nn": ["backend", "model", "optim", "net"],
    "exchange": ["micro", "nn"],
    "robust": ["krr", "attack", "optim"],
    "jobs": ["robust", "exchange", "data", "runtime"],
}
HEAVY = [r"\bH5[A-Z]?\w*", r"\bcuda\w*\.h", r"\bcu(blas|solver)\w*", r"\bEigen\b", r"<iostream>", r"<regex>", r"nlohmann",
         r"\bCLI/"]
SOURCE_SUFFIXES = {".cpp", ".hpp", ".cu", ".h", ".inc"}
WARN_LINES, MAX_LINES = 400, 600
MOST_COMMAND_LINES = 3600
# A flag in a text: "--" and a letter, or the end, where a name follows. How an option is spelt is known to the command alone.
FLAG = re.compile(r"(?<![-\w])--(?:[a-z]|$)")
# Provenance keeps command lines.
RECORDS = {"lib/src/jobs/input.cpp", "lib/src/jobs/provenance.cpp"}
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def closure(edges, component):
    """The component and everything it may reach."""
    reached, todo = set(), [component]
    while todo:
        current = todo.pop()
        if current not in reached:
            reached.add(current)
            todo.extend(edges[current])
    return reached


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


def component_of(root, path):
    """The component that owns a file under lib/ or data/, or None."""
    parts = path.relative_to(root).parts
    if parts[:2] == ("lib", "src") and len(parts) > 3:
        return parts[2]
    if parts[:3] == ("lib", "include", "ntkrob") and len(parts) > 4:
        return parts[3]
    if parts[0] == "data" and len(parts) > 1:
        return "data"
    return None


def sources(root, *folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in SOURCE_SUFFIXES:
                yield path


def check_includes(root, edges):
    findings = []
    allowed = {component: closure(edges, component) for component in edges}
    for path in sources(root, "lib", "data"):
        where = path.relative_to(root)
        owner = component_of(root, path)
        if owner not in edges:
            findings.append(f"{where}: belongs to no known component; add \"{owner}\" to the table in check_layers.py")
            continue
        public = "include" in where.parts
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            parts = match.group(1).split("/")
            if parts[0] == "ntkrob":
                target = parts[1] if len(parts) > 2 else "base"
            else:
                target = parts[0] if len(parts) > 1 else owner
                if public:
                    findings.append(f"{where}:{number}: public header includes the private header \"{match.group(1)}\"")
                if target not in edges and (path.parent / match.group(1)).exists():
                    target = owner
                # Private headers belong to one component; the exceptions are what backends share.
                if target in edges and target not in (owner, "layers", "images"):
                    findings.append(f"{where}:{number}: {owner} includes \"{match.group(1)}\", private to {target}")
                    continue
            if target not in edges:
                findings.append(f"{where}:{number}: \"{match.group(1)}\" is of no known component")
            elif target not in allowed[owner]:
                findings.append(f"{where}:{number}: {owner} includes \"{match.group(1)}\", but {owner} may only reach "
                                f"{', '.join(sorted(allowed[owner] - {owner})) or 'nothing'}")
    return findings


def check_links(root, edges):
    """The links of every ntkrob_component() call are edges of the table."""
    findings = []
    call = re.compile(r"ntkrob_component\(\s*(\w+)([^)]*)\)")
    for folder in ("lib/src", "data"):
        for path in sorted((root / folder).rglob("CMakeLists.txt")):
            where = path.relative_to(root)
            text = re.sub(r"#[^\n]*", "", path.read_text())
            for name, arguments in call.findall(text):
                if name not in edges:
                    findings.append(f"{where}: component {name} is not in the table of check_layers.py")
                    continue
                for target in re.findall(r"ntkrob::(\w+)", arguments):
                    if target not in edges[name] and target != "base":
                        findings.append(f"{where}: {name} links {target}, allowed are {', '.join(edges[name]) or 'none'}")
    return findings


def check_table(root, edges):
    """CONTRIBUTING.md shows the same edges."""
    path = root / "CONTRIBUTING.md"
    if not path.exists():
        return []
    rows = re.findall(r"^\| `ntkrob::(\w+)` \| ([^|]*) \|", path.read_text(), flags=re.M)
    shown = {name: [link.strip() for link in links.split(",") if link.strip() != "-"] for name, links in rows}
    return [f"CONTRIBUTING.md: the row of {name} says {shown.get(name)}, check_layers.py says {edges.get(name)}"
            for name in sorted(set(edges) | set(shown)) if shown.get(name) != edges.get(name)]


def check_heavy(root):
    findings = []
    for path in sources(root, "lib/include"):
        for number, line in enumerate(strip_comments(path.read_text()).splitlines(), 1):
            for pattern in HEAVY:
                match = re.search(pattern, line)
                if match:
                    findings.append(f"{path.relative_to(root)}:{number}: public header names {match.group(0)}")
    return findings


def check_lengths(root):
    findings, warnings = [], []
    for path in sources(root, "lib", "data", "cli", "tests", "bench"):
        lines = path.read_text(errors="replace").count("\n")
        text = f"{path.relative_to(root)}: {lines} lines"
        if lines > MAX_LINES:
            findings.append(f"{text}, the limit is {MAX_LINES}")
        elif lines > WARN_LINES:
            warnings.append(f"{text}, more than {WARN_LINES} need a reason")
    return findings, warnings


def check_def_files(root):
    findings = []
    for folder in ("lib", "data", "cli"):
        for path in sorted((root / folder).rglob("*.def")):
            where = path.relative_to(root)
            keys = []
            text = strip_comments(path.read_text())
            for number, line in enumerate(text.splitlines(), 1):
                if not line.strip() or line[0].isspace():  # blank, or the continuation of an entry
                    continue
                match = re.match(r'NTKROB_[A-Z0-9_]+\(\s*"?([^",)]+)', line)
                if not match:
                    findings.append(f"{where}:{number}: neither an entry nor a comment: {line.strip()}")
                    continue
                keys.append(match.group(1).strip())
            if len(set(keys)) != len(keys):
                findings.append(f"{where}: entries are not unique")
            if keys != sorted(keys) and "in the order" not in path.read_text():
                out = next(b for a, b in zip(keys, keys[1:]) if b < a)
                findings.append(f"{where}: entries are not sorted, {out} is out of order")
    return findings


def check_command(root):
    """The command is a parser, a console and reports."""
    count = sum(path.read_text(errors="replace").count("\n") for path in sources(root, "cli"))
    return [f"cli: {count} lines, the limit is {MOST_COMMAND_LINES}: what is no parser, console or report belongs to jobs"] \
        if count > MOST_COMMAND_LINES else []


def check_flags(root):
    """Library users, the command and other languages spell options differently: base/error.hpp has field()."""
    findings = []
    lists = [path for folder in ("lib", "data") for path in sorted((root / folder).rglob("*.def"))]
    for path in [*sources(root, "lib", "data"), *lists]:
        if path.relative_to(root).as_posix() in RECORDS:
            continue
        code = re.sub(r"//[^\n]*", "", path.read_text(errors="replace"))
        for number, line in enumerate(code.splitlines(), 1):
            for text in STRING.findall(line):
                for flag in FLAG.findall(text):
                    findings.append(f"{path.relative_to(root)}:{number}: the text \"{text}\" names a flag; write field(...)")
    return findings


def check(root, edges=None):
    edges = EDGES if edges is None else edges
    findings, warnings = check_lengths(root)
    findings += check_includes(root, edges) + check_links(root, edges) + check_table(root, edges)
    findings += check_heavy(root) + check_def_files(root) + check_command(root) + check_flags(root)
    return findings, warnings


def main():
    if len(sys.argv) != 2 or not (pathlib.Path(sys.argv[1]) / "lib").is_dir():
        sys.exit(__doc__)
    findings, warnings = check(pathlib.Path(sys.argv[1]).resolve())
    for warning in warnings:
        print("warning:", warning)
    for finding in findings:
        print("error:", finding)
    print(f"{len(findings)} errors, {len(warnings)} warnings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
