#include "ntkrob/jobs/export.hpp"

#include "jobs/json_list.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/model_features.hpp"
#include "ntkrob/exchange/device.hpp"
#include "ntkrob/exchange/onnx.hpp"
#include "ntkrob/exchange/torch_export.hpp"
#include "ntkrob/jobs/device.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/model.hpp"

namespace ntkrob::jobs {

namespace {

/// Blocks of bytes have no place for the ranges that features were scaled by.
constexpr const char* kNoRanges =
    "; the ranges of its features are not in it, scale what the device measures as the data were (ntkrob info has them "
    "as JSON)";

ExportBlock export_data(const ExportJob& p, Context& context) {
  NTKROB_CHECK(!p.int8 && p.calibrate.empty(), ConfigError, field("int8", "true"), " and ", field("calibrate"),
               " are about nets, ", p.input, " is a data set");
  NTKROB_CHECK(!p.writes_onnx(), ConfigError, "ONNX holds nets, ", p.input, " is a data set");
  NTKROB_CHECK(!p.writes_torch(), ConfigError, p.output, ": NPZ is for the weights of a net here, ", p.input,
               " is a data set, which ntkrob convert writes as NPZ");
  const Dataset data = open_input(context, p.input, p.read);
  const DeviceBlock block = encode_device_data(data, p.device);
  for (const std::string& line : block.notes) context.listener().note(line);
  ExportBlock result;
  result.contents = text(block.rows, " images of ", block.shape.height, " x ", block.shape.width, " x ",
                         block.shape.channels, ", ", block.classes, " classes");
  result.what = text(result.contents, ", ", p.device.pixels, " pixels, ", block.soft ? "soft" : "hard",
                     " labels: ", block.bytes.size(), " bytes; pixels are off by at most ", block.pixel_error);
  result.contents += "; read it with ntkrob/micro/device_data.hpp";
  result.bytes = block.bytes;
  result.classes = block.class_names;
  if (!data.feature_low.empty()) result.what += kNoRanges;
  return result;
}

/// What an ONNX file says about the model beside the graph.
OnnxMetadata metadata_of(const StateDict& model, const std::vector<std::string>& classes, const std::string& file) {
  OnnxMetadata metadata{{"spec", model.get<std::string>("spec")}};
  const auto stored = [&](const char* name) {
    const std::string entry = text("provenance/", name);
    return model.contains(entry) ? model.get<std::string>(entry) : std::string();
  };
  if (!classes.empty()) metadata.emplace_back("class_names", json_list(classes));
  for (const char* name : {"norm", "eps"})
    if (!stored(name).empty()) metadata.emplace_back(name, stored(name));
  std::string input = "pixels in [0,1]", range = stored("value_range");
  if (const std::size_t colon = range.find(':'); colon != std::string::npos)
    input += text("; in the training data 0 is the value ", range.substr(0, colon), " and 1 the value ",
                  range.substr(colon + 1));
  else if (!range.empty())
    input += "; values of the training data: " + range;
  metadata.emplace_back("input", input);
  if (model.contains("feature_range")) {
    const ModelFeatures features = model_features(model, file);
    metadata.emplace_back("feature_low", json_list(features.low));
    metadata.emplace_back("feature_high", json_list(features.high));
  }
  if (!stored("command").empty()) metadata.emplace_back("command", stored("command"));
  return metadata;
}

/// All options about images as texts; the budget is for nets as well.
OptionTexts image_options(DeviceExport device) {
  OptionTexts texts;
  device.budget = {};
  visit_device_export(device, [&](const char* name, const auto& field, const std::string&, const About& = {}) {
    if constexpr (!std::is_same_v<decltype(field), const Bytes&>) texts.emplace_back(name, value_text(field));
  });
  return texts;
}

/// Options about images, given for a net, are a mistake.
void check_no_image_options(const ExportJob& p) {
  const OptionTexts given = image_options(p.device), defaults = image_options({});
  for (std::size_t k = 0; k < given.size(); ++k)
    NTKROB_CHECK(given[k] == defaults[k], ConfigError, field(given[k].first), " is about data sets, ", p.input,
                 " is a net");
}

ExportBlock export_net(const ExportJob& p, Context& context) {
  check_no_image_options(p);
  NTKROB_CHECK(p.calibrate.empty() || p.int8, ConfigError, field("calibrate"), " belongs to ", field("int8", "true"));
  NTKROB_CHECK(!p.int8 || !p.calibrate.empty(), ConfigError, field("int8", "true"), " needs ", field("calibrate"),
               ": the data whose training split tells the range of values, best what the net "
               "was trained on");
  const StateDict model = load_state(p.input, kModelSchema, {context.settings.memory.value});
  const Net net(model, context.backend());
  adopt_features(context, model, p.input);
  ExportBlock result;
  result.classes = stored_class_names(model);
  std::string form = "float32";
  if (p.writes_onnx() || p.writes_torch())
    NTKROB_CHECK(!p.int8, ConfigError, field("int8", "true"), " is written for ntkrob::micro, not as ",
                 p.writes_onnx() ? "ONNX" : "weights for PyTorch", "; leave it out");
  if (p.writes_torch()) {
    result.bytes = npz_of_arrays(export_torch(net));
    result.layers = net::written_out(net.spec());
    form = "weights for PyTorch, float32";
  } else if (p.writes_onnx()) {
    result.bytes =
        onnx_bytes(net, text("ntkrob export of ", file_name(p.input)), metadata_of(model, result.classes, p.input));
    form = "ONNX, float32";
  } else {
    const DeviceNet device = device_net(net);
    if (p.int8) {
      result.bytes = int8_block(
          device, calibrate(device, calibration_images(p.calibrate, net, p.read, context).view(), context.backend()));
      form = "int8, calibrated on " + file_name(p.calibrate);
    } else {
      result.bytes = weights_block(device);
    }
    result.contents = text(net.spec(), ", ", form, "; read it with ntkrob/micro/", p.int8 ? "int8.hpp" : "weights.hpp");
    result.layers = device.expression();
  }
  result.what =
      text(net.spec(), ", ", net.parameter_count(), " parameters, ", form, ": ", result.bytes.size(), " bytes");
  if (model.contains("feature_range") && !p.writes_onnx()) result.what += kNoRanges;
  const std::size_t budget = p.device.budget.value;
  NTKROB_CHECK(
      budget == 0 || result.bytes.size() <= budget, ResourceError, "export: ", p.input, " needs ", result.bytes.size(),
      " bytes, ", result.bytes.size() - budget, " more than the budget of ", budget,
      p.int8 || p.writes_onnx() || p.writes_torch() ? "" : text("; ", field("int8", "true"), " takes about a quarter"));

  return result;
}

}  // namespace

bool ExportJob::writes_header() const { return file_extension(output) == ".hpp" || file_extension(output) == ".h"; }
bool ExportJob::writes_onnx() const { return file_extension(output) == ".onnx"; }
bool ExportJob::writes_torch() const { return file_extension(output) == ".npz"; }

ExportBlock open_export(ExportJob& job, Context& context) {
  const bool is_net = identify(job.input).first == "model";
  if (job.name.empty()) job.name = is_net ? "trained_net" : "robust_set";
  check_identifier(job.name);
  check_output(job.output, context.settings.force);
  return is_net ? export_net(job, context) : export_data(job, context);
}

void run_export(const ExportJob& job, const ExportBlock& block, Context& context) {
  const bool header = job.writes_header();
  const std::string comment = text("Made by ntkrob export from ", printable_line(file_name(job.input)), ".\n// ",
                                   printable_line(block.contents));
  write_text(job.output,
             header ? device_header(block.bytes, job.name, comment, block.layers, block.classes) : block.bytes,
             context.settings.force);
  context.listener().note(text("wrote ", job.output, ": ", block.what));
  if (job.writes_torch())
    context.listener().note(text("modules are numbered as nn.Sequential counts these layers: ", block.layers));
  if (!block.classes.empty() && !header && !job.writes_onnx())
    context.listener().note(text("left out: the names of the ", block.classes.size(), " classes, for which ",
                                 job.writes_torch() ? "the arrays" : "the bare bytes",
                                 " have no place; a header (.hpp) has"));
}

}  // namespace ntkrob::jobs
