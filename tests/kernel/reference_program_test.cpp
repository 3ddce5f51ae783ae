// Every network of the reference file as a spec and as a program, where the file is at hand.
#include <hdf5.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "kernel/reference_spec.hpp"
#include "kit/check.hpp"
#include "layers/all.hpp"
#include "ntkrob/kernel/program.hpp"

using namespace ntkrob;

namespace {

std::string text_attribute(hid_t object, const char* name) {
  const hid_t a = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(a);
  std::string value;
  if (H5Tis_variable_str(type) > 0) {
    char* bytes = nullptr;
    REQUIRE(H5Aread(a, type, &bytes) >= 0);
    value = bytes;
    H5free_memory(bytes);
  } else {
    value.resize(H5Tget_size(type));
    REQUIRE(H5Aread(a, type, &value[0]) >= 0);
    value.erase(std::find(value.begin(), value.end(), '\0'), value.end());
  }
  H5Tclose(type);
  H5Aclose(a);
  return value;
}

/// The `architecture` of every case of the file by name; empty without the file.
std::map<std::string, nlohmann::json> architectures() {
  std::map<std::string, nlohmann::json> result;
  const std::string path = std::string(NTKROB_SHARED_DIR) + "/reference/ntk_reference.h5";
  if (std::FILE* f = std::fopen(path.c_str(), "rb")) {
    std::fclose(f);
  } else {
    std::puts("skipped: no ntk_reference.h5 in the shared folder");
    return result;
  }
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  REQUIRE(file >= 0);
  for (const std::string name : nlohmann::json::parse(text_attribute(file, "cases"))) {
    const hid_t group = H5Gopen2(file, name.c_str(), H5P_DEFAULT);
    REQUIRE(group >= 0);
    result[name] = nlohmann::json::parse(text_attribute(group, "architecture"));
    H5Gclose(group);
  }
  H5Fclose(file);
  return result;
}

/// What a layer list implies, from its JSON alone: "shift 4x4", "dense(w,b) 4x4", one entry per operation.
class Implied {
 public:
  std::vector<std::string> operations;
  ntkrob::index last_mixing = -1;  // the last operation that reads pairs of different positions
  ntkrob::index height, width;

  Implied(const nlohmann::json& layers, ImageShape shape) : height(shape.height), width(shape.width) { walk(layers); }

 private:
  void walk(const nlohmann::json& layers) {
    for (const nlohmann::json& layer : layers) walk_layer(layer);
  }

  void walk_layer(const nlohmann::json& layer) {
    const std::string type = layer.at("type");
    if (type == "FanOut" || type == "FanInSum") return;
    if (type == "Parallel") {
      const ntkrob::index h = height, w = width;
      for (std::size_t b = 0; b < layer.at("branches").size(); ++b) {
        height = h;
        width = w;
        walk(layer["branches"][b]);
        if (b > 0) add("sum");
      }
    } else if (type == "Dense") {
      add(weights(layer));
    } else if (type == "Conv") {
      const nlohmann::json one{1, 1};
      move(layer, layer.at("filter_shape"));
      if (layer["filter_shape"] != one || layer.at("strides") != one) add("shift");
      add(weights(layer));
    } else if (type == "AvgPool" || type == "SumPool") {
      move(layer, layer.at("window_shape"));
      add("pool");
      last_mixing = static_cast<ntkrob::index>(operations.size()) - 1;
    } else if (type == "GlobalAvgPool" || type == "Flatten") {
      if (height * width == 1) return;
      height = width = 1;
      add(type == "Flatten" ? "flatten" : "mean");
      if (type == "GlobalAvgPool") last_mixing = static_cast<ntkrob::index>(operations.size()) - 1;
    } else {
      add(type == "LayerNorm" ? "normalise" : "nonlinearity");
    }
  }

  static std::string weights(const nlohmann::json& layer) {
    return "dense(" + kit::reference_number(layer, "W_std") + "," + kit::reference_number(layer, "b_std") + ")";
  }

  void move(const nlohmann::json& layer, const nlohmann::json& window) {
    const bool valid = layer.at("padding") == "VALID";
    const auto side = [&](ntkrob::index n, std::size_t axis) {
      const ntkrob::index k = window[axis], s = layer.at("strides")[axis];
      ntkrob::index out = 0;
      for (ntkrob::index at = 0; valid ? at + k <= n : at < n; at += s) ++out;
      return out;
    };
    height = side(height, 0);
    width = side(width, 1);
  }

  void add(const std::string& operation) { operations.push_back(text(operation, " ", height, "x", width)); }
};

std::string operation_name(const Op& op) {
  switch (op.type) {
    case Operation::pointwise:
      if (op.layer.kind != layers::k_dense) return "nonlinearity";
      return text("dense(", format_number(op.layer.params[0]), ",", format_number(op.layer.params[1]), ")");
    case Operation::shift:
      return "shift";
    case Operation::pool:
      return "pool";
    case Operation::mean:
      return "mean";
    case Operation::flatten:
      return "flatten";
    case Operation::normalise:
      return "normalise";
    case Operation::sum:
      return "sum";
    case Operation::product:
      return "product";
  }
  return "";
}

}  // namespace

TEST_CASE("every network of the reference file compiles to the operations and shapes of its layer list",
          "[kernel][golden]") {
  int images = 0;
  for (const auto& [name, architecture] : architectures()) {
    const std::string written = kit::reference_spec(architecture);
    INFO(name << ": " << written);
    const KernelSpec spec = KernelSpec::parse(written);
    CHECK(KernelSpec::parse(spec.to_string()) == spec);
    const ImageShape shape = kit::reference_shape(architecture);
    const Program program = compile_program(spec, shape);
    const bool image = architecture.at("data_format") == "NHWC";
    images += image;
    CHECK(spec.reads_image() == image);
    CHECK(spec.spatial() == image);
    CHECK(program.input == shape);

    const Implied implied(architecture.at("layers"), shape);
    std::vector<std::string> operations;
    for (std::size_t k = 0; k < program.ops.size(); ++k)
      operations.push_back(
          text(operation_name(program.ops[k]), " ", program.values[k + 1].height, "x", program.values[k + 1].width));
    CHECK(operations == implied.operations);
    // No branch of these networks pools: all values up to the last pool or mean are needed in full, none after it.
    for (ntkrob::index v = 0; v < static_cast<ntkrob::index>(program.values.size()); ++v) {
      INFO("value " << v);
      CHECK(program.values[static_cast<std::size_t>(v)].full == (v <= implied.last_mixing));
    }
    CHECK(program.values.back().positions() == 1);
  }
  CHECK((images == 0 || images == 39));
}

TEST_CASE("myrtle:5 on the reference's image has the pools of its layer list", "[kernel][golden]") {
  const auto all = architectures();
  if (all.empty()) return;
  const ImageShape shape{8, 8, 3};
  const Program reference = compile_program(KernelSpec::parse(kit::reference_spec(all.at("myrtle5_8x8x3"))), shape),
                preset = compile_program(KernelSpec::parse("myrtle:5"), shape);
  // The last pool takes 2 x 2 positions to one: a mean.
  REQUIRE(preset.ops.size() == reference.ops.size());
  for (std::size_t k = 0; k < preset.ops.size(); ++k) {
    INFO("operation " << k);
    const bool last_pool = k + 2 == preset.ops.size();
    CHECK(preset.ops[k].type == (last_pool ? Operation::mean : reference.ops[k].type));
    CHECK(preset.values[k + 1].positions() == reference.values[k + 1].positions());
  }
}

TEST_CASE("the blocks of the reference's wide residual net are those of resnet:N", "[kernel][golden]") {
  const auto all = architectures();
  if (all.empty()) return;
  const std::string reference =
      KernelSpec::parse(kit::reference_spec(all.at("wide_resnet_blocks_gap_8x8x3"))).to_string();
  const std::string preset = KernelSpec::parse("resnet:16").to_string();
  const std::size_t first = reference.find("residual("), second = reference.find("-sum("), end = reference.find("-gap");
  REQUIRE(end != std::string::npos);
  CHECK(preset.find(reference.substr(first, second - first)) != std::string::npos);
  CHECK(preset.find(reference.substr(second, end - second)) != std::string::npos);
}
