"""lib/doc/reading.md ends with the tables that `ntkrob info --reading` prints.   check_reading.py NTKROB DOCUMENT [--write]"""
import subprocess
import sys

MARK = "they are made of the list that the readers' tests go through.\n\n"


def main(program, document, write):
    tables = subprocess.run([program, "info", "--reading"], check=True, capture_output=True, text=True).stdout
    with open(document) as file:
        text = file.read()
    head, found, body = text.partition(MARK)
    if not found:
        sys.exit("%s: has no line that ends in %r" % (document, MARK.strip()))
    if write:
        with open(document, "w") as file:
            file.write(head + MARK + tables)
        return
    if body != tables:
        sys.exit("%s differs from `ntkrob info --reading`; make it anew: python3 %s %s %s --write"
                 % (document, sys.argv[0], program, document))
    print("the document has the %d lines of the list" % tables.count("\n"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--write" in sys.argv[3:])
