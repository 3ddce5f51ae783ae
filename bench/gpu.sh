#!/bin/bash
# The CUDA backend on this machine's GPU, in one go: build, parity with the reference backend, memory and race checks,
# times beside the device's own limits and beside PyTorch. Prints a table and stores it under bench/results. No network;
# under 10 minutes on 16 processors.
#
# usage: bench/gpu.sh [cmake option ...]     all of it
#        bench/gpu.sh --collect FOLDER       on a Debian machine: copies the headers that the build needs (Eigen, CLI11,
#                                            nlohmann-json, Catch2) to FOLDER, for a machine that lacks them
# environment: DEPS (such a FOLDER), BUILD (build folder, default build-gpu), JOBS (default: all processors),
#              STEPS (default: "build parity memcheck racecheck kernel outer images nets peer"; the report has what
#              earlier calls with the same BUILD have stored for the others), PYTHON (with torch, default python3),
#              BACKEND (default cuda) and SMALL=1 (small shapes): to try the script itself without a GPU
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --collect ]; then
  to=${2:?usage: bench/gpu.sh --collect FOLDER}
  mkdir -p "$to"
  dpkg -L libeigen3-dev libcli11-dev nlohmann-json3-dev catch2 | grep -E '^/usr/(include|lib|share/(cmake|eigen3))/' |
    while read -r file; do if [ -f "$file" ]; then cp --parents "$file" "$to"; fi; done
  echo "$(find "$to" -type f | wc -l) files in $to; DEPS=$to bench/gpu.sh"
  exit
fi

build=${BUILD:-build-gpu} jobs=${JOBS:-$(nproc)} backend=${BACKEND:-cuda} python=${PYTHON:-python3}
steps=${STEPS:-build parity memcheck racecheck kernel outer images nets peer}
pieces=$build/gpu-report bench=$build/bench/bench_gpu
n=10000 batch=5000 large=40000 attack=10 entries=64 images=1024 peak=8192 check="--n 1000 --batch 500"
if [ -n "${SMALL:-}" ]; then
  n=200 batch=100 large=300 attack=2 entries=2 images=16 peak=512 check="--n 60 --batch 40 --d 30"
fi
wants() { [[ " $steps " = *" $1 "* ]]; }

if wants build; then
  if [ "$backend" = cuda ] && ! command -v nvcc > /dev/null; then
    echo "bench/gpu.sh: nvcc is not on the PATH; install the CUDA toolkit" >&2
    exit 5
  fi
  cuda=(-DNTKROB_WITH_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=native)
  [ "$backend" = cuda ] || cuda=()
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DNTKROB_BUILD_TESTS=ON -DNTKROB_BUILD_BENCH=ON \
    ${DEPS:+"-DCMAKE_PREFIX_PATH=$(realpath "$DEPS")/usr"} "${cuda[@]}" "$@"
  targets=(ntkrob test_backend bench_gpu)
  [ "$backend" != cuda ] || targets+=(ntkrob_backend_cuda)
  cmake --build "$build" --parallel "$jobs" --target "${targets[@]}"
fi
mkdir -p "$pieces"
if ! "$build/cli/ntkrob" info --backends | grep -q "^  $backend *available"; then
  "$build/cli/ntkrob" info --backends | sed -n '2,3p' >&2
  echo "bench/gpu.sh: no backend $backend to measure" >&2
  exit 5
fi

# asked FIELD: from nvidia-smi, with the units
asked() { nvidia-smi --query-gpu="$1" --format=csv,noheader --id=0 2> /dev/null || echo unknown; }
name=$(asked name)
[ "$backend" = cuda ] || name=$backend

# part NAME TITLE SECONDS COMMAND ...: its output as a piece of the report, with the verdict in a file of its own
part() {
  local file=$pieces/$1 title=$2 limit=$3
  shift 3
  echo "bench/gpu.sh: $title" >&2
  { printf '\n## %s\n\n' "$title"; if timeout "$limit" "$@" 2>&1; then echo passed > "$file.verdict"; else
    echo "failed with status $?" > "$file.verdict"; printf '\n%s.\n' "$(cat "$file.verdict")"; fi; } > "$file.md"
}
fenced() { echo '```'; local status=0; "$@" 2>&1 | tail -40 || status=$?; echo '```'; return "$status"; }
table() { printf '| what | time | |\n|---|---|---|\n'; "$@"; }
export -f fenced table
export bench backend build n batch large attack entries images peak check python

parity() { fenced "$build/tests/backend/test_backend"; }
sanitize() {
  command -v compute-sanitizer > /dev/null || { echo "compute-sanitizer is not on the PATH"; return 1; }
  fenced compute-sanitizer --tool "$1" --error-exitcode 1 "$build/tests/backend/test_backend"
}
kernel() { table "$bench" --part kernel --backend "$backend" --n "$large" --batch "$batch" --peak "$peak" --rounds 3; }
outer() {
  table "$bench" --part outer --backend "$backend" --n "$n" --batch "$batch" --attack-steps "$attack" --rounds 3
  "$bench" --part outer --backend "$backend" --n "$n" --batch "$batch" --attack-steps "$attack" --rounds 3 --attack-precision bfloat16 ||
    echo "| outer step with bfloat16 | - | refused: see above |"
  "$bench" --part outer --backend "$backend" --n "$large" --batch "$batch" --attack-steps "$attack" --rounds 1
}
images() { table "$bench" --part images --backend "$backend" --n "$entries" --rounds 3; }
nets() {
  table "$bench" --part nets --backend "$backend" --height 28 --width 28 --channels 1 --batch "$images" --rounds 5
  "$bench" --part nets --backend "$backend" --batch "$images" --rounds 3 \
    --spec "conv(32,3)-relu-conv(32,3)-relu-maxpool(2)-conv(64,3)-relu-conv(64,3)-relu-maxpool(2)-dense(128)-relu-dense"
}
peer() {
  "$bench" --part check --backend "$backend" $check --file "$build/gpu-check.bin"
  echo '```'
  "$python" bench/peer_torch.py --check "$build/gpu-check.bin"
  echo '```'
  echo
  table "$python" bench/peer_torch.py --n "$n" --batch "$batch" --attack-steps "$attack" --rounds 2 | tee "$build/gpu-peer.txt"
  "$python" bench/peer_torch.py --bandwidth
  "$python" bench/peer_torch.py --n "$large" --batch "$batch" --attack-steps "$attack" --rounds 1
  if [ -f "$build/gpu-report/outer.md" ]; then  # the first row of each
    awk -F'|' '/^\| outer step/ && !seen[FILENAME]++ { split($3, t, " "); s[++k] = t[1] }
      END { if (k == 2 && s[1] > 0) printf "\nOne outer step takes PyTorch %.2f times as long.\n", s[2] / s[1] }' \
      "$build/gpu-report/outer.md" "$build/gpu-peer.txt"
  fi
}
export -f parity sanitize kernel outer images nets peer

wants parity && part parity "Parity with the reference backend" 120 bash -euo pipefail -c parity
wants memcheck && part memcheck "compute-sanitizer memcheck on the parity tests" 120 bash -euo pipefail -c "sanitize memcheck"
wants racecheck && part racecheck "compute-sanitizer racecheck on the parity tests" 120 bash -euo pipefail -c "sanitize racecheck"
wants kernel && part kernel "Limits of the device, kernel matrix and attack step beside them" 60 bash -euo pipefail -c kernel
wants outer && part outer "Outer step of adv-KIP (fc:3, images of 784 values)" 90 bash -euo pipefail -c outer
wants images && part images "Networks on images" 60 bash -euo pipefail -c images
wants nets && part nets "Nets" 30 bash -euo pipefail -c nets
wants peer && part peer "Beside PyTorch" 120 bash -euo pipefail -c peer

report=bench/results/gpu-$(tr -cs 'a-zA-Z0-9' - <<< "$name" | tr 'A-Z' 'a-z' | sed 's/-*$//').md
[ -z "${SMALL:-}" ] || report=$build/gpu-small.md
status=0
{
  echo "# CUDA backend on $name"
  echo
  echo "Made by \`bench/gpu.sh\` on $(date -u +%F), commit $(git rev-parse --short HEAD 2> /dev/null || echo unknown)," \
    "driver $(asked driver_version), clocks at most $(asked clocks.max.sm) (SM) and $(asked clocks.max.mem) (memory)," \
    "now $(asked clocks.sm) and $(asked clocks.mem), power limit $(asked power.limit), $(nproc) processors."
  for piece in parity memcheck racecheck kernel outer images nets peer; do
    if [ -f "$pieces/$piece.md" ]; then
      cat "$pieces/$piece.md"
      grep -q passed "$pieces/$piece.verdict" || status=1
    else
      printf '\n## %s: not run\n' "$piece"
      status=1
    fi
  done
  echo
  if [ "$status" -eq 0 ]; then echo "All of it passed."; else echo "NOT all of it passed: see above."; fi
} > "$report"
cat "$report"
exit "$status"
