#!/usr/bin/env python3
"""Checks that README.md says what the repository does.

usage: check_readme.py ROOT

  - the programs it shows are, to the letter, those that the tests build (tests/install/readme/)
  - its commands install the packages of .ci/run; the first leaves out catch2, the second calls tests/run
  - links and pictures lead to files of the repository; pictures are smaller than 200 KB

Exit status 1 when something is wrong; one line per finding.
"""
import pathlib
import re
import sys

MAX_PICTURE = 200_000
NOT_FOR_THE_DEMO = {"catch2"}


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def installed(command):
    match = re.search(r"apt-get install((?: -\S+)*)((?: [a-z][\w.+-]*)+)", command)
    return set(match.group(2).split()) if match else set()


def findings(root):
    text = (root / "README.md").read_text()
    found = []
    for language, name in (("cpp", "main.cpp"), ("cmake", "CMakeLists.txt")):
        program = (root / "tests/install/readme" / name).read_text()
        if program not in blocks(text, language):
            found.append(f"README.md: no {language} block equals tests/install/readme/{name}")

    wanted = re.search(r"^packages=\((.*?)\)", (root / ".ci/run").read_text(), re.M | re.S)
    wanted = set(wanted.group(1).split()) if wanted else set()
    commands = [b.strip() for b in blocks(text, "sh") if "apt-get" in b]
    if len(commands) != 2 or any("\n" in c for c in commands):
        return found + [f"README.md: {len(commands)} blocks with apt-get, expected 2 of one line each"]
    for command, packages, end in ((commands[0], wanted - NOT_FOR_THE_DEMO, "build/cli/ntkrob demo"),
                                   (commands[1], wanted, "tests/run")):
        for package in sorted(packages ^ installed(command)):
            found.append(f"README.md: the command ending in {end} and .ci/run differ in the package {package}")
        if not re.search(rf"&& {re.escape(end)}$", command):
            found.append(f"README.md: a command should end in {end}: ...{command[-40:]}")

    for page in (root / "README.md", root / "bench/README.md", *sorted((root / "bench/results").glob("*.md"))):
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            if re.match(r"https?:|#", link):
                continue
            target = page.parent / link.split("#")[0]
            if not target.exists():
                found.append(f"{page.relative_to(root)}: link to {link}, which does not exist")
            elif target.suffix == ".png" and target.stat().st_size > MAX_PICTURE:
                found.append(f"{page.relative_to(root)}: {link} has {target.stat().st_size} bytes, limit {MAX_PICTURE}")
    return found


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = findings(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "README.md agrees with the repository")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
