#!/bin/bash
# Makes tests/golden/old_models/: model files as versions of before wrote them, and logits.txt, what those versions gave.
#   old_models.sh REPOSITORY SCRATCH_FOLDER
# tests/nn/old_models_test.cpp opens them. Nothing here is made anew by a later version: a file that has been committed stays.
# Image k of a net has the pixels ((37 i + 11 k) % 101) / 101, i = 0, 1, .. in the order H W C. Made with GCC 12.2, HDF5 1.10.8.
set -eu
repository=$1 scratch=$2 out=$(cd "$(dirname "$0")" && pwd)/old_models
mkdir -p "$scratch" "$out"

# c029c71 has the first command, 94bf234 the first models in NPZ, 5067cad is from shortly before nets had typed layers.
build() { # COMMIT
  mkdir -p "$scratch/$1"
  git -C "$repository" archive "$1" | tar x -C "$scratch/$1"
  cat > "$scratch/$1/old_models.cpp" <<'CPP'
#include <cstdio>
#include <string>

#include "ntkrob/data/format.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

// old_models make SPEC H W C CLASSES FILE | old_models logits FILE
int main(int argc, char** argv) {
  const auto backend = make_backend("cpu", 1);
  const std::string verb = argv[1];
  if (verb == "make" && argc == 8) {
    const Net net(argv[2], {std::stoi(argv[3]), std::stoi(argv[4]), std::stoi(argv[5])}, std::stoi(argv[6]), Initialisation::uniform, 7, *backend);
    save_state(net.state(), "ntkrob.model/1", argv[7], true);
    return 0;
  }
  const Net net(load_state(argv[2], "ntkrob.model/1"), *backend);
  Matrix<float> x(2, net.input_shape().size()), out(2, net.classes());
  for (index k = 0; k < 2; ++k)
    for (index i = 0; i < x.cols(); ++i) x(k, i) = static_cast<float>((37 * i + 11 * k) % 101) / 101.0f;
  net.logits(x.view(), out.view());
  for (index i = 0; i < out.size(); ++i) std::printf(" %.9g", static_cast<double>(out.data()[i]));
  std::printf("\n");
  return 0;
}
CPP
  printf 'add_executable(old_models old_models.cpp)\ntarget_link_libraries(old_models PRIVATE ntkrob::nn ntkrob::data ntkrob::runtime)\n' >> "$scratch/$1/CMakeLists.txt"
  cmake -S "$scratch/$1" -B "$scratch/$1/build" -DCMAKE_BUILD_TYPE=Release -DNTKROB_BUILD_TESTS=OFF > /dev/null
  cmake --build "$scratch/$1/build" --parallel 2 --target old_models > /dev/null
}
command() { # COMMIT
  cmake --build "$scratch/$1/build" --parallel 2 --target ntkrob > /dev/null
  echo "$scratch/$1/build/cli/ntkrob"
}
keep() { # COMMIT FILE
  echo "$2$("$scratch/$1/build/old_models" logits "$out/$2")" >> "$out/logits.txt"
}

: > "$out/logits.txt"
python3 - "$scratch/toy.npz" <<'PY'
import sys, numpy
draw = numpy.random.default_rng(3)
y = numpy.arange(60) % 3
x = (draw.integers(0, 128, (60, 6, 5, 2)) + 40 * y[:, None, None, None]).astype(numpy.uint8)
numpy.savez(sys.argv[1], x_train=x[:45], y_train=y[:45], x_test=x[45:], y_test=y[45:])
PY

build c029c71  # its command does not compile with GCC 12
"$scratch/c029c71/build/old_models" make mlp:5,4 3 2 2 3 "$out/c029c71_mlp.h5"
keep c029c71 c029c71_mlp.h5

build 94bf234
ntkrob=$(command 94bf234)
cnn='normalise(mean=0.5:0.4,std=0.25:0.5)-conv(3,3,stride=2,pad=1)-relu-maxpool(2,stride=1,pad=1)-conv(4,2,pad=valid)-relu-avgpool(2,stride=1,pad=1)-flatten-dense(5)-relu-dense'
gap='conv(4,kh=2,kw=3)-relu-avgpool(3,stride=2,pad=same,edges=inside)-conv(3,2,pad=valid)-gap'
"$ntkrob" train "$scratch/toy.npz" --model mlp:4 --steps 30 --batch 15 --quiet --force -o "$out/94bf234_mlp.npz"
"$ntkrob" train "$scratch/toy.npz" --model "$cnn" --steps 30 --batch 15 --quiet --force -o "$out/94bf234_cnn.h5"
keep 94bf234 94bf234_mlp.npz
keep 94bf234 94bf234_cnn.h5

build 5067cad
ntkrob=$(command 5067cad)
"$ntkrob" train "$scratch/toy.npz" --model mlp:4 --steps 30 --batch 15 --quiet --force -o "$out/5067cad_mlp.h5"
"$ntkrob" train "$scratch/toy.npz" --model "$cnn" --steps 30 --batch 15 --quiet --force -o "$out/5067cad_cnn.npz"
"$ntkrob" train "$scratch/toy.npz" --model "$gap" --steps 30 --batch 15 --quiet --force -o "$out/5067cad_gap.npz"
# Batch normalisation of PyTorch was folded into the layer before it.
cd "$out"  # the file names its command
"$ntkrob" convert --model ../nn_torch_batchnorm_state.npz --input-shape 6x5x1 --classes 'one,two,"3"' --quiet --force \
  --spec 'conv(3,3,pad=1)-batchnorm(eps=1e-3)-relu-flatten-dense(7)-batchnorm-relu-dense' -o 5067cad_folded.npz
for name in mlp.h5 cnn.npz gap.npz folded.npz; do keep 5067cad "5067cad_$name"; done
