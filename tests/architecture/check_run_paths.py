"""No program or library of a build loads libraries from a folder that others may write.

usage: check_run_paths.py FOLDER READELF

Reads the dynamic section of every ELF file under FOLDER. An element of RPATH or RUNPATH must be absolute (or begin with
$ORIGIN, the folder of the file itself) and must not be writable by others: an empty or relative one is the current
directory, in which a user may have unpacked anybody's data.
"""
import os
import re
import stat
import subprocess
import sys


def faults(elements, is_open_to_others=None):
    """What is wrong with the elements of one run path."""
    is_open_to_others = is_open_to_others or open_to_others
    found = []
    for element in elements.split(":"):
        if element == "":
            found.append("an empty element, which is the current directory")
        elif element.startswith("$ORIGIN"):
            continue
        elif not element.startswith("/"):
            found.append(f"the relative element {element!r}")
        elif is_open_to_others(element):
            found.append(f"the element {element!r}, which others may write or make")
    return found


def open_to_others(folder):
    """Whether somebody else than its owner can put files into the folder, or make it where it is missing."""
    while True:
        try:
            mode = os.stat(folder).st_mode
            return bool(mode & (stat.S_IWGRP | stat.S_IWOTH))
        except FileNotFoundError:
            folder = os.path.dirname(folder)


def is_elf(path):
    with open(path, "rb") as file:
        head = file.read(18)
    return head[:4] == b"\x7fELF" and head[16:18] in (b"\x02\x00", b"\x03\x00")  # programs and shared libraries


def main():
    folder, readelf = sys.argv[1:]
    # The self-test first: a check that passes everything is none.
    assert not faults("/usr/lib:$ORIGIN/../lib", lambda element: False)
    for bad in ("/usr/lib:", ":/usr/lib", "", "lib", "./lib", "/usr/lib::/lib"):
        assert faults(bad, lambda element: False), bad
    assert faults("/tmp/x", lambda element: True)
    looked, wrong = 0, []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in (".git", "CMakeFiles", "install")]  # which its own test looks at
        for name in files:
            path = os.path.join(root, name)
            if os.path.islink(path) or not os.path.isfile(path) or not is_elf(path):
                continue
            looked += 1
            text = subprocess.run([readelf, "-d", path], capture_output=True, text=True, check=True).stdout
            for elements in re.findall(r"(?:RPATH|RUNPATH)[^[]*\[([^]]*)\]", text):
                wrong += [f"{path}: run path {elements!r} has {fault}" for fault in faults(elements)]
    print(f"{looked} programs and libraries looked at")
    print("\n".join(wrong))
    return 1 if wrong or looked == 0 else 0


sys.exit(main())
