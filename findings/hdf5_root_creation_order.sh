#!/bin/bash
# h5py: a file written with track_order=True lists its root alphabetically once it is opened again; groups keep their order.
#
# What: layers fc1, fc2, fc10 written in this order, with track_order, into the root of one file and into a group of it. Opened
# again, the group lists fc1 fc2 fc10, the root fc1 fc10 fc2, although the order of the root is stored: h5py asks the creation
# properties that the file returns, and for a reopened file the HDF5 library returns 0, "not tracked"; those of the root group
# itself say 3, tracked and indexed. A reader in C has to ask H5Gget_create_plist of the opened root group, not
# H5Fget_create_plist.
# Seen: h5py 3.7.0 with HDF5 1.10.8 (Debian 12, python3-h5py 3.7.0-8).
# Needs: python3-h5py. Installs nothing; the file lies in a temporary folder.
# Exit: 0 where the behaviour is the one above, 1 where it has changed, 2 where a tool is missing.
set -euo pipefail
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import h5py' 2> /dev/null; then
  echo "needs Python with h5py: apt-get install python3-h5py"
  exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

output=$("$python" - "$folder/order.h5" <<'PYTHON'
import sys

import h5py

print("h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
with h5py.File(sys.argv[1], "w", track_order=True) as file:
    group = file.create_group("net", track_order=True)
    for name in ("fc1", "fc2", "fc10"):
        file[name] = group[name] = 0
    print("as written: the file's properties say %d" % file.id.get_create_plist().get_link_creation_order())
with h5py.File(sys.argv[1], "r") as file:
    root = h5py.h5g.open(file.id, b"/")
    print("opened again: the file's properties say %d, the root group's %d" % (
        file.id.get_create_plist().get_link_creation_order(), root.get_create_plist().get_link_creation_order()))
    print("root:", *(name for name in file if name != "net"))
    print("group:", *file["net"])
PYTHON
)
echo "$output"
expected="as written: the file's properties say 3
opened again: the file's properties say 0, the root group's 3
root: fc1 fc10 fc2
group: fc1 fc2 fc10"
if [ "$(echo "$output" | tail -n +2)" != "$expected" ]; then
  echo "this is not the behaviour that is described above"
  exit 1
fi
echo "as described"
