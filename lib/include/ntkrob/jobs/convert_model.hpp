/// The model part of convert: the weights of a net of PyTorch and the text of its layers become a model file.
#pragma once

#include <string>

#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

struct ConvertModelParams {
  std::string weights;  // NPZ or HDF5
  std::string group;    // of an HDF5 file
  std::string spec;
  std::string input_shape = "28x28x1";
  std::string order;    // of the modules, "fc1,fc2,out"
  std::string classes;  // their names
  bool two_class = false;
};

/// throws: ConfigError, IoError naming the array and the shape that was expected
void convert_model(const ConvertModelParams& p, const std::string& output, Context& context);

}  // namespace ntkrob::jobs
