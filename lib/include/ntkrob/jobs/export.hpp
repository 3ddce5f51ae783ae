/// The export job: a data set as one block of bytes for a device that trains on it, or a net for those that only run
/// it. And the way back: the weights that a device has trained, as a model file.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/device.hpp"

namespace ntkrob::jobs {

struct ExportJob {
  std::string input;      // a data set in any format, or a net
  std::string output;     // a C++ header (.hpp, .h), ONNX (.onnx), weights for PyTorch (.npz), else the bare bytes
  std::string name;       // what a header calls the bytes; empty: robust_set, or trained_net
  bool int8 = false;      // of a net: quantised
  std::string calibrate;  // the data of the quantisation
  DeviceExport device;    // of data sets; the budget is for nets as well
  ReadOptions read;

  bool writes_header() const;
  bool writes_onnx() const;
  bool writes_torch() const;
};

template <class Job, class Visitor>
void visit_export(Job& j, Visitor&& visitor) {
  visit_device_export(j.device, visitor);
  visitor("int8", j.int8, "of a net: quantised to int8, for inference in integer arithmetic");
  visitor("calibrate", j.calibrate, "data whose training split tells int8 the range of values");
  visitor("name", j.name, "what a header calls the bytes; default: robust_set, or trained_net");
}

/// What is written, and how it is described to people.
struct ExportBlock {
  std::string bytes;
  std::string what;                  // for a note
  std::string contents;              // for the comment of a header
  std::string layers;                // of a net, in C++; of weights for PyTorch as a spec
  std::vector<std::string> classes;  // their names, or empty
};

/// The block, in memory; a name that is empty becomes the default.   throws: ConfigError; ResourceError where it is
/// over the budget; as open_input
ExportBlock open_export(ExportJob& job, Context& context);
void run_export(const ExportJob& job, const ExportBlock& block, Context& context);

struct ImportJob {
  std::string weights;  // written by ntkrob::micro
  std::string output;   // the net: HDF5 or NPZ
};

/// throws: IoError with the reason; as check_output
Net open_import(const ImportJob& job, Context& context);
void run_import(const ImportJob& job, const Net& net, Context& context);

}  // namespace ntkrob::jobs
