/// The convert job: any supported format in, another one out; weights of PyTorch in, a model out.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::jobs {

/// Of a net: its weights and the text of its layers.
struct ConvertModel {
  std::string weights;  // arrays of a state_dict, NPZ or HDF5; empty: no net is converted
  std::string group;    // of an HDF5 file
  std::string spec;
  std::string input_shape = "28x28x1";
  std::string order;    // of the modules, "fc1,fc2,out"
  std::string classes;  // their names
  bool two_class = false;
};

template <class Options, class Visitor>
void visit_convert_model(Options& o, Visitor&& visitor) {
  visitor("model", o.weights, "convert a net: arrays of a PyTorch state_dict, NPZ or HDF5");
  visitor("spec", o.spec, "its layers, see below");
  visitor("input-shape", o.input_shape, "height x width x channels of its input");
  visitor("group", o.group, "where the arrays are in an HDF5 file, e.g. net/weights");
  visitor("order", o.order, "its modules from first to last, fc1,fc2,out; default: see the notes");
  visitor("classes", o.classes, "names of its classes, in their order: cat,dog");
  visitor("two-class", o.two_class, "a net of one output z becomes that of the outputs 0 and z");
}

struct ConvertJob {
  std::vector<std::string> inputs;  // files or a folder; empty: read.parts names them
  ReadOptions read;
  bool initial = false;  // write the images that a robust set was optimised from
  ConvertModel model;
  std::string output;

  bool is_model() const { return !model.weights.empty(); }
};

/// Refuses before files are read.   throws: ConfigError, ResourceError
void check_convert(const ConvertJob& job, Context& context);
/// Data sets: what will be written.   throws: as open_inputs, check_room, check_holds
Dataset open_convert(const ConvertJob& job, Context& context);
void run_convert(const ConvertJob& job, const Dataset& data, Context& context);
/// Nets: what will be written.   throws: ConfigError, IoError naming the array and the shape that was expected
Net open_convert_net(const ConvertJob& job, StateDict& model, Context& context);
/// command: for provenance
void run_convert_net(const ConvertJob& job, StateDict model, const Net& net, const std::string& command,
                     Context& context);
/// "7850 parameters, input 28 x 28 x 1, 10 classes"
std::string net_summary(const Net& net);

}  // namespace ntkrob::jobs
