/// What holds for every format of formats.def, on the example in format_examples.hpp: it is read, a written set comes
/// back, and damage is refused or read, never a crash.
#include <algorithm>
#include <filesystem>

#include "data/damage_kit.hpp"
#include "data/format_examples.hpp"

using namespace ntkrob;

namespace {

bool in_this_build(const FormatInfo& format) {
  return format.readable && (format.name != "hdf5" || NTKROB_TEST_HDF5 != 0);
}

}  // namespace

TEST_CASE("the example of every format is read, and its files are taken for that format", "[data]") {
  for (const FormatInfo& format : formats()) {
    INFO("format " << format.name << " of formats.def");
    if (!in_this_build(format)) continue;
    const kit::TemporaryFolder folder;
    const kit::FormatExample example = kit::write_example(format.name, folder);
    const Dataset data = open_dataset(example.inputs);
    data.validate(example.inputs.front());
    CHECK(data.train.labels == example.labels);
    for (const std::string& file : example.files) {
      const std::string extension = std::filesystem::path(file).extension();
      INFO(file);
      CHECK((format.name == "idx" || format.extensions.find(extension) != std::string::npos));
    }
  }
}

TEST_CASE("what a format can write comes back with the same bytes", "[data]") {
  for (const FormatInfo& format : formats()) {
    if (!format.writable || !in_this_build(format)) continue;
    INFO("format " << format.name << " of formats.def");
    const kit::TemporaryFolder folder;
    const kit::FormatExample example = kit::write_example(format.name, folder);
    REQUIRE_FALSE(example.saved.empty());
    const Dataset data = kit::small_bytes();
    save_dataset(data, example.saved, false);
    if (format.name == "png") {
      CHECK(std::filesystem::file_size(example.saved) > 100);  // a grid for people: the set does not come back
      continue;
    }
    REQUIRE_FALSE(example.saved_input.empty());
    kit::check_equal(open_dataset({example.saved_input}), data);
  }
}

TEST_CASE("damaged files of every format are refused or read, never a crash", "[data][damage]") {
  for (const FormatInfo& format : formats()) {
    INFO("format " << format.name << " of formats.def");
    if (!in_this_build(format)) continue;
    const kit::TemporaryFolder folder;
    const kit::FormatExample example = kit::write_example(format.name, folder);
    REQUIRE_FALSE(example.files.empty());
    int refused = 0;
    for (const std::string& file : example.files) {
      const kit::DamageCase damaged{file, [&] { open_dataset(example.inputs).validate(file); }};
      refused += kit::cut(damaged, 40, 20).refused;
      refused += kit::corrupt(damaged, 40, 20).refused;
    }
    CHECK(refused > 20);
  }
}
