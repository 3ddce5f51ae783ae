/// ntkrob export: a data set as one block of bytes for a device that trains on it, or a net for those that only run it.
#include <cctype>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "device_file.hpp"
#include "input.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/model_features.hpp"
#include "ntkrob/nn/device.hpp"
#include "ntkrob/nn/onnx.hpp"

namespace ntkrob::cli {

namespace {

struct ExportParams {
  std::string input, name, output, calibrate;
  bool int8 = false;
  DeviceExport device;
  ReadOptions read;
};

std::string extension(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

/// What is written, and how it is described to people.
struct Export {
  std::string bytes;
  std::string what;                  // for the note
  std::string contents;              // for the comment of a header
  std::string layers;                // of a net, in C++
  std::vector<std::string> classes;  // their names, or empty
};

/// Blocks of bytes have no place for the ranges that features were scaled by.
constexpr const char* kNoRanges =
    "; the ranges of its features are not in it, scale what the device measures as the data were (ntkrob info "
    "--json)";

Export export_data(const ExportParams& p, Session& session) {
  NTKROB_CHECK(!p.int8 && p.calibrate.empty(), ConfigError, "--int8 and --calibrate are about nets, ", p.input,
               " is a data set");
  NTKROB_CHECK(extension(p.output) != ".onnx", ConfigError, "ONNX holds nets, ", p.input, " is a data set");
  const Dataset data = open_input(session, p.input, p.read);
  const DeviceBlock block = encode_device_data(data, p.device);
  for (const std::string& line : block.notes) session.console.note(line);
  Export result;
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
  if (!classes.empty())
    metadata.emplace_back("class_names",
                          nlohmann::json(classes).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
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
    metadata.emplace_back("feature_low", nlohmann::json(features.low).dump());
    metadata.emplace_back("feature_high", nlohmann::json(features.high).dump());
  }
  if (!stored("command").empty()) metadata.emplace_back("command", stored("command"));
  return metadata;
}

/// All options about images as texts; the budget is for nets as well.
OptionTexts image_options(DeviceExport device) {
  OptionTexts texts;
  device.budget = {};
  visit_device_export(device, [&](const char* name, const auto& field, const char*) {
    if constexpr (!std::is_same_v<decltype(field), const Bytes&>) texts.emplace_back(name, value_text(field));
  });
  return texts;
}

/// Options about images, given for a net, are a mistake.
void check_no_image_options(const ExportParams& p) {
  const OptionTexts given = image_options(p.device), defaults = image_options({});
  for (std::size_t k = 0; k < given.size(); ++k)
    NTKROB_CHECK(given[k] == defaults[k], ConfigError, "--", given[k].first, " is about data sets, ", p.input,
                 " is a net");
}

Export export_net(const ExportParams& p, Session& session) {
  check_no_image_options(p);
  NTKROB_CHECK(p.calibrate.empty() || p.int8, ConfigError, "--calibrate belongs to --int8");
  NTKROB_CHECK(!p.int8 || !p.calibrate.empty(), ConfigError,
               "--int8 needs --calibrate: the data whose training split tells the range of values, best what the net "
               "was trained on");
  const StateDict model = load_state(p.input, kModelSchema);
  const Net net(model, session.backend());
  adopt_features(session, model, p.input);
  Export result;
  result.classes = stored_class_names(model);
  std::string form = "float32";
  if (extension(p.output) == ".onnx") {
    NTKROB_CHECK(!p.int8, ConfigError, "--int8 is written for ntkrob::micro, not as ONNX; leave it out");
    result.bytes =
        onnx_bytes(net, text("ntkrob export of ", file_name(p.input)), metadata_of(model, result.classes, p.input));
    form = "ONNX, float32";
  } else {
    const DeviceNet device = device_net(net);
    if (p.int8) {
      result.bytes = int8_block(
          device, calibrate(device, calibration_images(p.calibrate, net, p.read, session).view(), session.backend()));
      form = "int8, calibrated on " + file_name(p.calibrate);
    } else {
      result.bytes = weights_block(device);
    }
    result.contents = text(net.spec(), ", ", form, "; read it with ntkrob/micro/", p.int8 ? "int8.hpp" : "weights.hpp");
    result.layers = device.expression();
  }
  result.what =
      text(net.spec(), ", ", net.parameter_count(), " parameters, ", form, ": ", result.bytes.size(), " bytes");
  if (model.contains("feature_range") && form.rfind("ONNX", 0) != 0) result.what += kNoRanges;
  const std::size_t budget = p.device.budget.value;
  NTKROB_CHECK(budget == 0 || result.bytes.size() <= budget, ResourceError, "export: ", p.input, " needs ",
               result.bytes.size(), " bytes, ", result.bytes.size() - budget, " more than the budget of ", budget,
               p.int8 || extension(p.output) == ".onnx" ? "" : "; --int8 takes about a quarter");
  return result;
}

void export_file(ExportParams& p, Session& session) {
  const bool header = extension(p.output) == ".hpp" || extension(p.output) == ".h";
  const bool is_net = identify(p.input).first == "model";
  if (p.name.empty()) p.name = is_net ? "trained_net" : "robust_set";
  check_identifier(p.name);
  check_output(p.output, session.globals.force);
  const Export result = is_net ? export_net(p, session) : export_data(p, session);
  if (session.globals.dry_run) {
    std::cout << "would write " << printable_line(p.output) << ": " << result.what << "\n";
    return;
  }
  const std::string comment = text("Made by ntkrob export from ", printable_line(file_name(p.input)), ".\n// ",
                                   printable_line(result.contents));
  write_text(p.output,
             header ? device_header(result.bytes, p.name, comment, result.layers, result.classes) : result.bytes,
             session.globals.force);
  session.console.note(text("wrote ", p.output, ": ", result.what));
  if (!result.classes.empty() && !header && extension(p.output) != ".onnx")
    session.console.note(text("left out: the names of the ", result.classes.size(),
                              " classes, for which the bare bytes have no place; a header (.hpp) has"));
}

}  // namespace

Command make_export() {
  auto p = std::make_shared<ExportParams>();
  Command command;
  OptionSet& set = command.options;
  set.add_positional("FILE", p->input, "data in any supported format, for example a robust set; or a net").required =
      true;
  visit_device_export(p->device, set.bind());
  set.add("int8", p->int8, "of a net: quantised to int8, for inference in integer arithmetic");
  set.add("calibrate", p->calibrate, "data whose training split tells --int8 the range of values").type = "FILE";
  set.add("name", p->name, "what a header calls the bytes; default: robust_set, or trained_net");
  add_read_options(set, p->read);
  set.add_output(p->output, Use::writes_block,
                 "a C++ header where it ends in .hpp or .h, ONNX (nets) in .onnx, else the bare bytes");
  command.examples = {"ntkrob export robust.h5 -o robust_set.hpp",
                      "ntkrob export robust.h5 --downsample 2 --per-class 50 --budget 128K -o robust.nkd",
                      "ntkrob export net.h5 -o trained_net.hpp",
                      "ntkrob export net.h5 --int8 --calibrate robust.h5 -o net.nkq",
                      "ntkrob export net.h5 -o net.onnx"};
  command.run = [p](Session& session) { export_file(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
