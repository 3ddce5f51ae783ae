#!/bin/bash
# Time and memory of reading data sets: two builds of ntkrob beside each other, in turn (A B A B ...), so that a machine whose
# speed drifts is fair to both. Prints medians of wall time, user time and peak memory, and the ratios B / A.
#
# usage: bench/reading.sh OLD NEW DATA [ROUNDS [INPUT ...]]
#   OLD, NEW  two ntkrob binaries
#   DATA      a folder with mnist/ (the four IDX files, gzip) and cifar10/ (binary batches, gzip). NPZ, HDF5 and CSV files of
#             the same images are made in DATA/reading at the first run, by python3 with NumPy and h5py (about 1.5 GB)
#   ROUNDS    of each binary, default 5
#   INPUT     some of idx cifar npz npz-packed h5-bytes h5-floats h5-nchw h5-large csv; default: all
# environment: COMMANDS (default "info convert"), PYTHON (default python3)
set -euo pipefail
old=$(realpath "${1:?$(sed -n '5p' "$0")}") new=$(realpath "${2:?NEW is missing}") data=$(realpath "${3:?DATA is missing}")
rounds=${4:-5}
inputs=("${@:5}")
[ ${#inputs[@]} -gt 0 ] || inputs=(idx cifar npz npz-packed h5-bytes h5-floats h5-nchw h5-large csv)
made=$data/reading

make_inputs() {
  mkdir -p "$made.part"
  "${PYTHON:-python3}" - "$data" "$made.part" <<'PY'
import gzip, sys, os, numpy as np, h5py
data, to = sys.argv[1:]
def idx(name):
    b = gzip.open(f"{data}/mnist/{name}.gz").read()
    shape = [int.from_bytes(b[4 + 4 * i:8 + 4 * i], "big") for i in range(b[3])]
    return np.frombuffer(b, np.uint8, offset=4 + 4 * b[3]).reshape(shape)
x, y = idx("train-images-idx3-ubyte"), idx("train-labels-idx1-ubyte")
xt, yt = idx("t10k-images-idx3-ubyte"), idx("t10k-labels-idx1-ubyte")
np.savez(f"{to}/plain.npz", x_train=x, y_train=y, x_test=xt, y_test=yt)
np.savez_compressed(f"{to}/packed.npz", x_train=x, y_train=y, x_test=xt, y_test=yt)
def h5(name, x, y, xt, yt):
    with h5py.File(f"{to}/{name}.h5", "w") as f:
        for k, v in dict(x_train=x, y_train=y, x_test=xt, y_test=yt).items(): f[k] = v
floats = lambda a: (a / np.float32(255)).astype(np.float32)
h5("bytes", x, y, xt, yt)
h5("floats", floats(x), y, floats(xt), yt)
batches = []
for name in sorted(os.listdir(f"{data}/cifar10")):
    if name.endswith(".bin.gz"):
        b = np.frombuffer(gzip.open(f"{data}/cifar10/{name}").read(), np.uint8).reshape(-1, 3073)
        batches.append(("test" in name, b))
train = np.concatenate([b for t, b in batches if not t]); test = np.concatenate([b for t, b in batches if t])
pixels = lambda b: b[:, 1:].reshape(-1, 3, 32, 32)
h5("nchw", pixels(train), train[:, 0], pixels(test), test[:, 0])
large = np.concatenate([pixels(train)] * 3)
h5("large", floats(large), np.concatenate([train[:, 0]] * 3), floats(pixels(test)), test[:, 0])
np.savetxt(f"{to}/train.csv", np.column_stack([y, x.reshape(len(x), -1)]), fmt="%d", delimiter=",")
np.savetxt(f"{to}/test.csv", np.column_stack([yt, xt.reshape(len(xt), -1)]), fmt="%d", delimiter=",")
PY
  mv "$made.part" "$made"
}
[ -d "$made" ] || make_inputs

work=$(mktemp -d "$data/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

files_of() {
  case $1 in
    idx) echo "$data/mnist/" ;;
    cifar) echo "$data"/cifar10/*.bin.gz ;;
    npz) echo "$made/plain.npz" ;;
    npz-packed) echo "$made/packed.npz" ;;
    h5-*) echo "$made/${1#h5-}.h5" ;;
    csv) echo "$made/train.csv" "$made/test.csv" ;;
    *) echo "bench/reading.sh: no input is called $1" >&2; exit 2 ;;
  esac
}

# median FILE COLUMN
median() { sort -n -k"$2","$2" "$1" | awk -v c="$2" '{v[NR]=$c} END {print NR%2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

printf '%-18s %9s %9s %6s  %9s %9s %6s  %9s %9s %6s\n' "" "wall s" "" "" "user s" "" "" "peak MB" "" ""
printf '%-18s %9s %9s %6s  %9s %9s %6s  %9s %9s %6s\n' "" old new ratio old new ratio old new ratio
for command in ${COMMANDS:-info convert}; do
  for input in "${inputs[@]}"; do
    read -r -a files <<< "$(files_of "$input")"
    # info takes one input.
    if [ "$command" = info ]; then files=("${files[0]}"); fi
    rm -f "$work"/*.times
    for ((round = 0; round < rounds; ++round)); do
      for which in old new; do
        arguments=("$command" "${files[@]}" --quiet --threads 1)
        if [ "$command" = convert ]; then arguments+=(-o "$work/out.h5" --force); fi
        /usr/bin/time -a -o "$work/$which.times" -f '%e %U %M' "${!which}" "${arguments[@]}" > "$work/said" 2>&1 ||
          { cat "$work/said" >&2; exit 1; }
      done
    done
    line=$(printf '%-18s' "$command $input")
    for column in 1 2 3; do
      a=$(median "$work/old.times" $column) b=$(median "$work/new.times" $column)
      line+=$(awk -v a="$a" -v b="$b" -v m="$column" 'BEGIN {s = m == 3 ? 1024 : 1; printf "  %8.2f %9.2f %6.2f", a / s, b / s, (a > 0 ? b / a : 1)}')
    done
    echo "$line"
  done
done
