#include "ntkrob/kernel/program.hpp"

#include <cmath>

#include "kit/check.hpp"
#include "layers/all.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

Program compiled(const std::string& spec, ImageShape shape = {8, 8, 3}) {
  return compile_program(KernelSpec::parse(spec), shape);
}

std::string error_of(const std::string& spec, ImageShape shape) {
  try {
    compiled(spec, shape);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// "8x8f shift 8x8f dense ..": shapes of the values, f where they are full, between the operations that make them.
/// Inputs are shown where they are not the value just made.
std::string show(const Program& program) {
  const auto shape = [&](std::size_t v) {
    const ValueShape& s = program.values.at(v);
    return text(s.height, "x", s.width, s.full ? "f" : "");
  };
  const char* names[] = {"", "shift", "pool", "mean", "flatten", "normalise", "sum", "product"};
  std::string out = shape(0);
  REQUIRE(program.values.size() == program.ops.size() + 1);
  for (std::size_t k = 0; k < program.ops.size(); ++k) {
    const Op& op = program.ops[k];
    out += " ";
    out += op.type == Operation::pointwise ? layers::info(op.layer.kind).name : names[static_cast<int>(op.type)];
    if (op.in != static_cast<int>(k) || op.other >= 0) out += text("<", op.in);
    if (op.other >= 0) out += text("+", op.other);
    out += " " + shape(k + 1);
  }
  return out;
}

}  // namespace

TEST_CASE("a convolution compiles to a shift and a dense, only diagonals are kept before flatten", "[kernel]") {
  CHECK(show(compiled("conv(3)-relu-flatten-dense")) == "8x8 shift 8x8 dense 8x8 relu 8x8 flatten 1x1 dense 1x1");
  CHECK(show(compiled("conv(3,stride=2)-relu-gap-dense")) == "8x8f shift 4x4f dense 4x4f relu 4x4f mean 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-relu-flatten-dense")) == "8x8 dense 8x8 relu 8x8 flatten 1x1 dense 1x1");
  CHECK(show(compiled("conv(1,stride=2)-flatten-dense")) == "8x8 shift 4x4 dense 4x4 flatten 1x1 dense 1x1");
}

TEST_CASE("only what a pool or mean reads, through whatever lies between, is full", "[kernel]") {
  CHECK(show(compiled("conv(3)-relu-avgpool(2)-conv(3)-relu-flatten-dense")) ==
        "8x8f shift 8x8f dense 8x8f relu 8x8f pool 4x4 shift 4x4 dense 4x4 relu 4x4 flatten 1x1 dense 1x1");
  CHECK(show(compiled("conv(3)-layernorm(axes=all)-relu-sumpool(2)-flatten-dense")) ==
        "8x8f shift 8x8f dense 8x8f normalise 8x8f relu 8x8f pool 4x4 flatten 1x1 dense 1x1");
  // One branch pools, the other does not: what they share is full, and what is made of it.
  CHECK(show(compiled("conv(1)-sum(avgpool(2)-conv(1) | conv(1,stride=2))-flatten-dense")) ==
        "8x8f dense 8x8f pool 4x4f dense 4x4f shift<1 4x4f dense 4x4f sum<3+5 4x4f flatten 1x1 dense 1x1");
}

TEST_CASE("global average pooling before a nonlinear layer is a pool over the whole image", "[kernel]") {
  CHECK(show(compiled("conv(3)-gap-relu-dense")) == "8x8f shift 8x8f dense 8x8f pool 1x1 relu 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-gap-dense-dense-layernorm-dense")) ==
        "8x8f dense 8x8f pool 1x1 dense 1x1 dense 1x1 normalise 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-relu-gap-dense-identity-dense")) ==
        "8x8f dense 8x8f relu 8x8f mean 1x1 dense 1x1 identity 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-gap-dense-dense")) == "8x8f dense 8x8f mean 1x1 dense 1x1 dense 1x1");
}

TEST_CASE("branches read the same value and are summed one by one", "[kernel]") {
  CHECK(show(compiled("conv(1)-residual(relu-conv(1))-gap-dense")) ==
        "8x8f dense 8x8f relu 8x8f dense 8x8f sum<3+1 8x8f mean 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-sum(|relu-conv(1)|conv(1))-flatten-dense")) ==
        "8x8 dense 8x8 relu 8x8 dense 8x8 dense<1 8x8 sum<3+4 8x8 sum<5+1 8x8 flatten 1x1 dense 1x1");
  CHECK(show(compiled("dense-residual(relu-dense)-relu-dense")) ==
        "1x1 dense 1x1 relu 1x1 dense 1x1 sum<3+1 1x1 relu 1x1 dense 1x1");
}

TEST_CASE("a concatenation is a sum of scaled branches, a product is one operation per branch", "[kernel]") {
  CHECK(show(compiled("conv(1)-concat(relu | )-flatten-dense")) ==
        "8x8 dense 8x8 relu 8x8 scale 8x8 scale<1 8x8 sum<3+4 8x8 flatten 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-product(relu-conv(1) | conv(1) | )-flatten-dense")) ==
        "8x8 dense 8x8 relu 8x8 dense 8x8 dense<1 8x8 product<3+4 8x8 product<5+1 8x8 flatten 1x1 dense 1x1");
  CHECK(compiled("conv(1,width=1)-concat(conv(1,width=3) | )-gap-dense").ops[2].layer.params[0] == std::sqrt(0.75));
  CHECK(compiled("conv(2,3,param=standard,in=3)-gap-dense").ops[1].layer.params[2] == 18);
}

TEST_CASE("operations that change nothing are left out", "[kernel]") {
  CHECK(show(compiled("conv(3,pad=valid)-relu-gap-dense", {3, 3, 1})) == "3x3 shift 1x1 dense 1x1 relu 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-relu-avgpool(8)-flatten-dense")) == "8x8f dense 8x8f relu 8x8f pool 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-avgpool(1)-flatten-dense")) == "8x8 dense 8x8 flatten 1x1 dense 1x1");
  CHECK(show(compiled("conv(1)-avgpool(1,stride=3)-flatten-dense")) == "8x8 dense 8x8 shift 3x3 flatten 1x1 dense 1x1");
}

TEST_CASE("a network without positions reads the image as one vector", "[kernel]") {
  const Program program = compiled("fc:1");
  CHECK(program.input == ImageShape{1, 1, 192});
  CHECK(show(program) == "1x1 dense 1x1 relu 1x1 dense 1x1");
  CHECK(compiled("flatten-dense").input == ImageShape{8, 8, 3});
}

TEST_CASE("parameters of layers arrive in the operations", "[kernel]") {
  const Program p = compiled(
      "conv(3,5,w=2,b=0.5,sh=2,sw=1,pad=circular,dilation=2)-layernorm(axes=all,eps=0.25)-avgpool(2,3,edges=inside,pad="
      "same)"
      "-"
      "sumpool(1,2)-flatten-dense(w=3)",
      {9, 12, 1});
  REQUIRE(p.ops.size() == 7);
  const Op &shift = p.ops[0], &dense = p.ops[1], &norm = p.ops[2], &average = p.ops[3], &sum = p.ops[4];
  CHECK((shift.window.kh == 3 && shift.window.kw == 5 && shift.window.sh == 2 && shift.window.sw == 1));
  CHECK((shift.window.padding == Padding::circular && shift.window.dilation == 2));
  CHECK((dense.layer.kind == layers::k_dense && dense.layer.params[0] == 2 && dense.layer.params[1] == 0.5));
  CHECK((norm.all_positions && norm.eps == 0.25));
  CHECK((average.divisor == Divisor::inside && average.window.padding == Padding::same));
  CHECK((average.window.sh == 2 && average.window.sw == 3));
  CHECK((sum.divisor == Divisor::none && sum.window.padding == Padding::valid));
  CHECK(p.ops[6].layer.params[0] == 3);
  CHECK(show(p) == "9x12f shift 5x12f dense 5x12f normalise 5x12f pool 3x4f pool 3x2 flatten 1x1 dense 1x1");
}

TEST_CASE("presets compile for the shapes they are meant for", "[kernel]") {
  const auto smallest = [](const char* preset, ImageShape shape) {
    index positions = shape.height * shape.width;
    const Program p = compiled(preset, shape);
    for (const ValueShape& v : p.values)
      if (v.positions() > 1) positions = std::min(positions, v.positions());
    CHECK(p.values.back().positions() == 1);
    return positions;
  };
  CHECK(smallest("cnn:3", {28, 28, 1}) == 784);
  CHECK(smallest("lenet", {28, 28, 1}) == 25);
  CHECK(smallest("lenet", {32, 32, 3}) == 36);
  CHECK(smallest("myrtle:5", {32, 32, 3}) == 64);
  CHECK(smallest("myrtle:10", {28, 28, 1}) == 49);
  CHECK(smallest("resnet:16", {32, 32, 3}) == 64);
}

TEST_CASE("what does not fit the image is refused with the shape at that layer and the remedy", "[kernel]") {
  CHECK(
      error_of("conv(3,pad=valid)-relu-conv(7,pad=valid)-gap-dense", {8, 8, 3}) ==
      "conv: a window that reaches over 7 positions does not fit into the 6 x 6 positions at this layer; use pad=same, "
      "a smaller window or fewer strides and pools before it at position 24 in "
      "\"conv(3,pad=valid)-relu-conv(7,pad=valid)-gap-dense\"");
  using Catch::Matchers::Contains;
  CHECK_THAT(error_of("conv(3,pad=valid,dilation=4)-gap-dense", {8, 8, 3}), Contains("reaches over 9 positions"));
  CHECK_THAT(error_of("avgpool(2)-gap-dense", {8, 1, 3}), Contains("the 8 x 1 positions"));
  CHECK_THAT(error_of("conv(3,sw=9)-gap-dense", {16, 8, 3}), Contains("a stride of 9 is wider than the 16 x 8"));
  CHECK_THAT(error_of("lenet", {8, 8, 1}),
             Contains("conv") && Contains("4 x 4") && Contains("position 1 in \"lenet\""));
  CHECK_THAT(error_of("conv(3)-residual(relu-conv(3,stride=2))-gap-dense", {8, 8, 1}),
             Contains("branches of residual differ: 4 x 4 and 8 x 8 positions") && Contains("position 9"));
  CHECK_THAT(error_of("conv(3)-product(conv(3) | conv(3,stride=2))-gap-dense", {8, 8, 1}),
             Contains("branches of product differ: 8 x 8 and 4 x 4 positions") && Contains("position 9"));
  CHECK_THAT(error_of("conv(3)-concat(relu | conv(3,pad=valid))-gap-dense", {8, 8, 1}),
             Contains("branches of concat differ: 8 x 8 and 6 x 6 positions") && Contains("position 9"));
  CHECK_THAT(error_of("conv(3)-relu-dropout(0.5)-gap-dense", {8, 8, 1}),
             Contains("dropout is for chains of dense layers") && Contains("position 14"));
  CHECK_THAT(error_of("cnn:1", {0, 8, 1}), Contains("0 x 8 x 1"));
  CHECK(error_of("conv(3,pad=same)-gap-dense", {1, 1, 3}) == "no error");
}

namespace {

/// Layers in random order, with branches.
std::string random_layers(const Rng& rng, int depth) {
  const char* layers[] = {"dense",
                          "relu",
                          "conv(3)",
                          "conv(1)",
                          "conv(2,stride=2,pad=valid)",
                          "avgpool(2)",
                          "sumpool(3,1)",
                          "conv(1,w=2)",
                          "gap",
                          "flatten",
                          "layernorm",
                          "erf",
                          "layernorm(0.1,axes=all)"};
  std::string out;
  const index n = rng.below(0, 5) + (depth == 0);
  for (index i = 1; i <= n; ++i) {
    const index k = rng.below(static_cast<std::uint64_t>(i), depth < 3 ? 17 : 13);
    const Rng inner = rng.fork(static_cast<std::uint64_t>(i));
    if (i > 1) out += "-";
    if (k < 13) out += layers[k];
    if (k == 15) out += "product(" + random_layers(inner, depth + 1) + " | conv(3))";
    if (k == 16)
      out += "concat(" + random_layers(inner, depth + 1) + " | " + random_layers(inner.fork(1), depth + 1) + ")";
    if (k == 13) out += "residual(relu-conv(3)" + ("-" + random_layers(inner, depth + 3)) + ")";
    if (k == 14)
      out += "sum(" + random_layers(inner, depth + 1) + " | " + random_layers(inner.fork(1), depth + 1) + ")";
  }
  return out;
}

}  // namespace

TEST_CASE("any order of layers compiles to a consistent program or is refused with its position", "[kernel]") {
  const Rng rng(21, "random networks");
  int accepted = 0;
  for (std::uint64_t trial = 0; trial < 20000; ++trial) {
    const std::string written =
        "conv(3)-" + random_layers(rng.fork(trial), 0) + (trial % 2 == 0 ? "-gap-dense" : "-dense");
    INFO(written);
    try {
      const KernelSpec spec = KernelSpec::parse(written);
      REQUIRE(KernelSpec::parse(spec.to_string()) == spec);
      const Program p = compile_program(spec, {6, 7, 2});
      ++accepted;
      REQUIRE(p.values.size() == p.ops.size() + 1);
      REQUIRE(p.values.back().positions() == 1);
      for (std::size_t k = 0; k < p.ops.size(); ++k) {
        const Op& op = p.ops[k];
        REQUIRE((op.in >= 0 && op.in <= static_cast<int>(k) && op.other <= static_cast<int>(k)));
        REQUIRE((op.other >= 0) == (op.type == Operation::sum || op.type == Operation::product));
        const ValueShape &in = p.values[static_cast<std::size_t>(op.in)], &out = p.values[k + 1];
        // What is read is there: pairs where pairs are needed.
        if (op.type == Operation::mean || op.type == Operation::pool) REQUIRE(in.full);
        if (op.type != Operation::flatten && out.full) REQUIRE(in.full);
        if (op.type != Operation::flatten && op.type != Operation::mean && op.type != Operation::pool)
          REQUIRE(in.full == out.full);
        if (op.other >= 0) {
          const ValueShape& second = p.values[static_cast<std::size_t>(op.other)];
          REQUIRE((second.height == in.height && second.width == in.width && second.full == out.full));
        }
      }
    } catch (const ConfigError& error) {
      REQUIRE(std::string(error.what()).find(" at position ") != std::string::npos);
    }
  }
  CHECK(accepted > 200);
}

TEST_CASE("a kernel on images refuses to be made without their shape", "[kernel]") {
  const auto backend = make_backend("cpu", 1);
  using Catch::Matchers::Contains;
  CHECK_THROWS_WITH(Kernel(KernelSpec::parse("cnn:2"), *backend), Contains("cnn:2") && Contains("shape"));
}
