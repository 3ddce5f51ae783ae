/// Model files with one wrong entry and a right checksum: each edit is one clear error, or leaves the same net.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "kit/check.hpp"
#include "nn/fixture.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/model_features.hpp"
#include "ntkrob/exchange/import.hpp"
#include "zip_file.hpp"
#if NTKROB_TEST_HDF5
#include <hdf5.h>

#include "packing.hpp"
#include "whole_sum.hpp"
#endif

using namespace ntkrob;
using nn_test::random_matrix;

namespace {

constexpr const char* kSchema = "ntkrob.model/1";

struct Edit {
  std::string what;
  StateDict::Value value;
};

/// The array with other values, as T.
template <class T>
NdArray<T> filled(const std::vector<index>& shape, T value) {
  std::size_t count = 1;
  for (const index extent : shape) count *= static_cast<std::size_t>(extent);
  return {shape, std::vector<T>(count, value)};
}

/// Values of every type, each wrong in its way.
std::vector<Edit> of_every_type() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  return {{"text, empty", std::string()},
          {"text", std::string("x")},
          {"long text", std::string(5000, 'x')},
          {"-1", std::int64_t{-1}},
          {"0", std::int64_t{0}},
          {"2^40", std::int64_t{1} << 40},
          {"2^63 - 1", huge},
          {"NaN", nan},
          {"-1.5", -1.5},
          {"1e300", 1e300},
          {"no floats", NdArray<float>{{0}, {}}},
          {"floats", filled<float>({7}, 0.5f)},
          {"floats of rank 5", filled<float>({1, 1, 2, 1, 2}, 0.5f)},
          {"doubles", filled<double>({2, 2}, nan)},
          {"whole numbers below 0", filled<std::int64_t>({3}, -1)},
          {"whole numbers, 0", filled<std::int64_t>({3}, 0)},
          {"huge whole numbers", filled<std::int64_t>({3}, huge)},
          {"2^31 each", filled<std::int64_t>({3}, std::int64_t{1} << 31)},
          {"whole numbers of rank 2", filled<std::int64_t>({3, 1}, 2)},
          {"bytes", filled<std::uint8_t>({3}, 255)}};
}

/// Arrays of the type there is: other shapes, and numbers that are none.
std::vector<Edit> of_the_type(const StateDict::Value& value) {
  std::vector<Edit> edits;
  if (const auto* array = std::get_if<NdArray<float>>(&value)) {
    for (const float bad : {NAN, INFINITY, -INFINITY})
      for (const std::size_t at : {std::size_t{0}, array->values.size() - 1}) {
        NdArray<float> other = *array;
        other.values[at] = bad;
        edits.push_back({text(bad, " at ", at), other});
      }
    NdArray<float> longer = *array, shorter = *array, turned = *array, flat = *array;
    longer.shape = {static_cast<index>(array->values.size()) + 1};
    longer.values.push_back(0);
    shorter.shape = {static_cast<index>(array->values.size()) - 1};
    shorter.values.pop_back();
    std::reverse(turned.shape.begin(), turned.shape.end());
    flat.shape = {static_cast<index>(array->values.size())};
    edits.push_back({"one number more", longer});
    edits.push_back({"one number less", shorter});
    if (turned.shape != array->shape) edits.push_back({"axes exchanged", turned});
    if (flat.shape != array->shape) edits.push_back({"one axis", flat});
  }
  if (std::holds_alternative<std::string>(value)) {
    edits.push_back({"text and a space", std::get<std::string>(value) + " "});
    edits.push_back({"other spec", std::string("dense(99999999999)-dense")});
    edits.push_back({"deep spec", std::string(20000, '(') + "dense"});
  }
  return edits;
}

StateDict changed(const StateDict& state, const std::string& name, const StateDict::Value* value) {
  StateDict result;
  for (const auto& [key, stored] : state.entries())
    if (key != name)
      result.set(key, stored);
    else if (value != nullptr)
      result.set(key, *value);
  return result;
}

/// What a command takes from a model file.
struct Used {
  Matrix<float> logits;
  explicit Used(const std::string& path, Backend& backend) {
    const StateDict state = load_state(path, kSchema);
    const Net net(state, backend);
    const std::vector<std::string> names = stored_class_names(state);
    const ModelFeatures features = model_features(state, path);
    CHECK((names.empty() || static_cast<index>(names.size()) == net.classes()));
    CHECK((features.names.empty() || static_cast<index>(features.names.size()) == net.input_shape().channels));
    CHECK((features.low.empty() || static_cast<index>(features.low.size()) == net.input_shape().channels));
    for (std::size_t c = 0; c < features.low.size(); ++c) CHECK(features.low[c] <= features.high[c]);
    const Matrix<float> x = random_matrix<float>(3, net.input_shape().size(), 5);
    logits = Matrix<float>(3, net.classes());
    net.logits(x.view(), logits.view());
  }
};

bool equal(const Matrix<float>& a, const Matrix<float>& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (index i = 0; i < a.size(); ++i)
    if (!(a.data()[i] == b.data()[i])) return false;
  return true;
}

class Trial {
 public:
  explicit Trial(const StateDict& good) : good_(good), backend_(nn_test::backend()) {
    std::string name = (std::filesystem::temp_directory_path() / "ntkrob-edits-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
    save_state(good_, kSchema, path(".npz"), true);
    logits_ = Used(path(".npz"), *backend_).logits;
  }
  ~Trial() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string path(const std::string& extension) const { return folder_ + "/model" + extension; }

  /// Reads the file that was edited.
  void read(const std::string& file, const std::string& what) {
    ++tried;
    std::string message;
    try {
      const Used used(file, *backend_);
      if (!equal(used.logits, logits_)) FAIL(what << ": another net, without a word");
      ++same;
      return;
    } catch (const Error& error) {
      message = error.what();
      if (error.exit_code() != 3) FAIL(what << ": not an error of the file: " << message);
    } catch (const std::exception& error) {
      FAIL(what << ": no error of ours: " << error.what());
    }
    if (message.empty() || message.size() > 1000 || message.find('\n') != std::string::npos)
      FAIL(what << ": not a clear line: " << message);
    ++refused;
  }

  void edit(const std::string& name, const std::string& what, const StateDict::Value* value) {
    const StateDict state = changed(good_, name, value);
    for (const std::string extension : {".npz", ".h5"}) {
      if (extension == ".h5" && !NTKROB_TEST_HDF5) continue;
      try {
        save_state(state, kSchema, path(extension), true);
      } catch (const ConfigError&) {
        continue;  // no file can be made of it
      }
      read(path(extension), text(extension, ", ", name, ": ", what));
    }
  }

  int tried = 0, refused = 0, same = 0;

 private:
  const StateDict& good_;
  std::unique_ptr<Backend> backend_;
  std::string folder_;
  Matrix<float> logits_;
};

/// Texts, shapes, pools, convolutions, names of classes, provenance.
StateDict image_model() {
  const auto backend = nn_test::backend();
  StateDict state =
      Net("normalise(mean=0.5:0.4,std=0.5:1)-conv(3,3,stride=2,pad=1)-relu-avgpool(2)-flatten-dense(4)-relu-dense",
          {8, 8, 2}, 3, Initialisation::he, 1, *backend)
          .state();
  store_class_names(state, {"a", "b", "c"});
  state.set("provenance/command", std::string("ntkrob train"));
  state.set("provenance/eps", std::string("0.1"));
  return state;
}

/// A net on a table, with names and ranges of its features.
StateDict table_model() {
  const auto backend = nn_test::backend();
  StateDict state = Net("mlp:5", {1, 1, 4}, 2, Initialisation::he, 1, *backend).state();
  state.set("feature_names", std::string("p\nq\nr\ns\n"));
  state.set("feature_range", NdArray<float>{{2, 4}, {0, -1, 2, 0, 1, 1, 3, 0}});
  return state;
}

#if NTKROB_TEST_HDF5
/// Adds what `add` makes in the root of a model file, which gets a checksum again.
void add_to(const std::string& path, const std::function<void(hid_t)>& add) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  add(file);
  H5Fclose(file);
  std::string content;
  {
    std::ifstream in(path, std::ios::binary);
    content.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::ofstream(path, std::ios::binary | std::ios::app)
      << io::whole_sum(content.size(), io::crc32(0, content.data(), content.size()));
}
#endif

}  // namespace

TEST_CASE("an edited entry of a model file is one clear error or the same net", "[nn][edits]") {
  int tried = 0;
  for (const StateDict& good : {image_model(), table_model()}) {
    Trial trial(good);
    for (const auto& [name, value] : good.entries()) {
      trial.edit(name, "left out", nullptr);
      for (const Edit& edit : of_every_type()) {
        // Of these any value is another model, and a right one.
        if (name == "feature_names" && edit.what == "text, empty") continue;
        trial.edit(name, edit.what, &edit.value);
      }
      for (const Edit& edit : of_the_type(value)) trial.edit(name, edit.what, &edit.value);
    }
    CHECK(trial.refused > 250);
    tried += trial.tried;
    UNSCOPED_INFO(trial.tried << " edits: " << trial.refused << " refused, " << trial.same << " the same net");
  }
  CHECK(tried > 1000);
}

TEST_CASE("an entry that a model file has twice is an error", "[nn][edits]") {
  const StateDict good = image_model();
  Trial trial(good);
  for (const auto& [name, value] : good.entries()) {
    {
      save_state(good, kSchema, trial.path(".npz"), true);
      io::ZipWriter twice;
      const io::ZipReader once(trial.path(".npz"));
      for (const io::ZipMember& member : once.members()) {
        twice.add(member.name, once.content(member));
        if (member.name == name + ".npy") twice.add(member.name, once.content(member));
      }
      write_text(trial.path(".npz"), twice.finish(), true);
    }
    const int before = trial.refused;
    trial.read(trial.path(".npz"), name + " twice");
    CHECK(trial.refused == before + 1);
#if NTKROB_TEST_HDF5
    if (std::holds_alternative<NdArray<float>>(value) || std::holds_alternative<NdArray<double>>(value))
      continue;  // a group has one dataset of a name
    save_state(good, kSchema, trial.path(".h5"), true);
    add_to(trial.path(".h5"), [&, entry = name](hid_t file) {
      const hid_t space = H5Screate(H5S_SCALAR);
      H5Dclose(H5Dcreate2(file, entry.c_str(), H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      H5Sclose(space);
    });
    trial.read(trial.path(".h5"), name + " as attribute and dataset");
    CHECK(trial.refused == before + 2);
#endif
  }
}

TEST_CASE("edited weights of others are one clear error or the same net", "[nn][edits]") {
  StateDict good;
  const auto numbers = [](std::vector<index> shape) {
    NdArray<float> array = filled<float>(shape, 0);
    for (std::size_t i = 0; i < array.values.size(); ++i) array.values[i] = 0.01f * static_cast<float>(i % 13) - 0.05f;
    return array;
  };
  good.set("0.weight", numbers({3, 2, 3, 3}));
  good.set("0.bias", numbers({3}));
  good.set("1.weight", filled<float>({3}, 1));
  good.set("1.bias", numbers({3}));
  good.set("1.running_mean", numbers({3}));
  good.set("1.running_var", filled<float>({3}, 1));
  good.set("1.num_batches_tracked", NdArray<std::int64_t>{{1}, {7}});
  good.set("4.weight", numbers({4, 48}));
  good.set("4.bias", numbers({4}));
  const auto backend = nn_test::backend();
  const auto logits = [&](const StateDict& arrays) {
    const Net net(import_torch(arrays, "conv(3,3,pad=1)-batchnorm-relu-maxpool(2)-flatten-dense", {8, 8, 2}), *backend);
    const Matrix<float> x = random_matrix<float>(2, 128, 3);
    Matrix<float> out(2, net.classes());
    net.logits(x.view(), out.view());
    return out;
  };
  const Matrix<float> expected = logits(good);
  int tried = 0;
  const auto attempt = [&](const std::string& name, const std::string& what, const StateDict::Value* value) {
    ++tried;
    INFO(name << ": " << what);
    try {
      const bool same = equal(logits(changed(good, name, value)), expected);
      CHECK(same);
    } catch (const Error& error) {
      CHECK((error.exit_code() == 2 || error.exit_code() == 3));
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
    }
  };
  for (const auto& [name, value] : good.entries()) {
    if (name.find("bias") == std::string::npos) attempt(name, "left out", nullptr);  // an absent bias is 0
    for (const Edit& edit : of_every_type()) attempt(name, edit.what, &edit.value);
    for (const Edit& edit : of_the_type(value)) attempt(name, edit.what, &edit.value);
  }
  CHECK(tried > 200);
}
