"""A document ends with the table that `ntkrob info OPTION` prints.   check_table.py NTKROB OPTION DOCUMENT [--write]"""
import subprocess
import sys

# The end of the last line before the table.
MARKS = {"--reading": "they are made of the list that the readers' tests go through.\n\n",
         "--layers": "as `ntkrob info --layers` prints it.\n\n"}


def main(program, option, document, write):
    mark = MARKS[option]
    tables = subprocess.run([program, "info", option], check=True, capture_output=True, text=True).stdout
    with open(document) as file:
        text = file.read()
    head, found, body = text.partition(mark)
    if not found:
        sys.exit("%s: has no line that ends in %r" % (document, mark.strip()))
    if write:
        with open(document, "w") as file:
            file.write(head + mark + tables)
        return
    if body != tables:
        sys.exit("%s differs from `ntkrob info %s`; make it anew: python3 %s %s %s %s --write"
                 % (document, option, sys.argv[0], program, option, document))
    print("the document has the %d lines of the list" % tables.count("\n"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], "--write" in sys.argv[4:])
