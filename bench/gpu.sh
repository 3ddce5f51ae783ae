#!/bin/bash
# The CUDA backend on this machine's GPU, in one go: build, parity with the reference backend, memory and race checks,
# times. Prints a table and stores it under bench/results. No network; under 10 minutes on 16 processors.
#
# usage: bench/gpu.sh [cmake option ...]
# environment: BUILD (build folder, default build-gpu), JOBS (default: all processors), NTKROB_NO_BUILD=1 (BUILD is built
#              already, on this or on another machine), N (samples of the timings, default 10000)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build-gpu} jobs=${JOBS:-$(nproc)} n=${N:-10000}

if [ -z "${NTKROB_NO_BUILD:-}" ]; then
  command -v nvcc > /dev/null || { echo "bench/gpu.sh: nvcc is not on the PATH; install the CUDA toolkit" >&2; exit 5; }
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DNTKROB_WITH_CUDA=ON -DNTKROB_BUILD_TESTS=ON -DNTKROB_BUILD_BENCH=ON "$@"
  cmake --build "$build" --parallel "$jobs" --target ntkrob_backend_cuda ntkrob test_backend bench_backend
fi
if ! "$build/cli/ntkrob" info --backends | grep -q '^  cuda *available'; then
  "$build/cli/ntkrob" info --backends | sed -n '2,3p' >&2
  echo "bench/gpu.sh: no GPU to measure on" >&2
  exit 5
fi

name=$(nvidia-smi --query-gpu=name --format=csv,noheader --id=0)
report=bench/results/gpu-$(tr -cs 'a-zA-Z0-9' - <<< "$name" | tr 'A-Z' 'a-z' | sed 's/-*$//').md
status=0
(
  echo "# CUDA backend on $name"
  echo
  echo "Made by \`bench/gpu.sh\` on $(date -u +%F), commit $(git rev-parse --short HEAD 2> /dev/null || echo unknown)," \
    "driver $(nvidia-smi --query-gpu=driver_version --format=csv,noheader --id=0), $(nproc) processors."
  echo
  echo "## Parity with the reference backend"
  echo
  echo '```'
  timeout 120 "$build/tests/backend/test_backend" 2>&1 | tail -60 || status=1
  echo '```'
  for tool in memcheck racecheck; do
    echo
    echo "## compute-sanitizer $tool"
    echo
    echo '```'
    if command -v compute-sanitizer > /dev/null; then
      timeout 150 compute-sanitizer --tool "$tool" --error-exitcode 1 "$build/tests/backend/test_backend" 2>&1 | tail -15 || status=1
    else
      echo "not run: compute-sanitizer is not on the PATH"
      status=1
    fi
    echo '```'
  done
  for backend in cuda cpu; do
    echo
    echo "## Times, backend $backend"
    echo
    timeout 90 "$build/bench/bench_backend" --backend "$backend" --n "$n" --m "$n" --rounds 3 || status=1
  done
  if [ "$status" -eq 0 ]; then verdict="All checks passed."; else verdict="SOMETHING FAILED: see above."; fi
  echo
  echo "$verdict"
  exit "$status"
) > "$report.partial" || status=1
mv "$report.partial" "$report"
cat "$report"
exit "$status"
