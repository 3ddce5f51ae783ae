/// Data sets and nets for devices: the blocks of bytes that ntkrob::micro reads and writes, made and read on the
/// host.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/fields.hpp"
#include "ntkrob/data/dataset.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::jobs {

struct DeviceExport {
  std::string split = "train";
  index per_class = 0;
  std::string classes;
  index downsample = 1;
  std::string pixels = "uint8";
  std::string labels = "auto";
  Bytes budget;
};

template <class Options, class Visitor>
void visit_device_export(Options& e, Visitor&& visitor) {
  visitor("split", e.split, "train | test", among("train|test"));
  visitor("per-class", e.per_class, "the first N images of each class; 0: all", within(0, 1e9, "images"));
  visitor("classes", e.classes, "only these, renumbered in this order, e.g. 3,8; default: all");
  visitor("downsample", e.downsample, "replace squares of N x N pixels by their mean", at_least(1, "pixels"));
  visitor("pixels", e.pixels, "uint8 | int16", among("uint8|int16"));
  visitor("labels", e.labels, "hard: the class | soft: the targets as well | auto: soft where the set has targets",
          among("hard|soft|auto"));
  visitor("budget", e.budget, "refuse what is larger, e.g. 64K; 0: no limit");
}

struct DeviceBlock {
  std::string bytes;
  index rows = 0, classes = 0;
  ImageShape shape;
  bool soft = false;
  std::vector<std::string> class_names;  // of the classes that go out, or empty; the block has no place for them
  double pixel_error = 0;                // largest difference between a pixel and what the device reads
  std::vector<std::string> notes;        // lines about classes without images, or with few
};

/// The set in the format of micro/device_data.hpp.
///   throws: ConfigError; ResourceError where it is over the budget, with the excess and what would fit
DeviceBlock encode_device_data(const Dataset& data, const DeviceExport& options);
/// The bytes as a C++ header (C++17) that defines `inline constexpr unsigned char <name>[]`.
///   layers: an expression of micro/net.hpp, which becomes `<name>_layers`, or empty
///   classes: names, which become the texts `<name>_classes[]`, or empty
std::string device_header(const std::string& bytes, const std::string& name, const std::string& comment,
                          const std::string& layers, const std::vector<std::string>& classes);
/// The training split, for the quantisation of a net. throws: ShapeError, ConfigError; as open_dataset
Matrix<float> calibration_images(const std::string& path, const Net& net, const ReadOptions& read, Context& context);
/// throws: ConfigError unless it is an identifier
void check_identifier(const std::string& name);

/// A net with the weights of a file in the format of micro/weights.hpp.   where: for messages
///   throws: IoError with the reason; ConfigError where ntkrob::nn has no such net
Net decode_weights(const std::string& bytes, const std::string& where, Backend& backend);

}  // namespace ntkrob::jobs
