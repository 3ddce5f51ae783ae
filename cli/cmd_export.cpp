/// ntkrob export: a data set as one block of bytes for a device.
#include "command.hpp"
#include "device_file.hpp"
#include "ntkrob/data/format.hpp"

namespace ntkrob::cli {

namespace {

struct ExportParams {
  std::string data, name, output;
  DeviceExport device;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void export_data(const ExportParams& p, Session& session) {
  const bool header = ends_with(p.output, ".hpp") || ends_with(p.output, ".h");
  check_identifier(p.name);
  check_output(p.output, session.globals.force);
  const Dataset data = open_dataset({p.data});
  const DeviceBlock block = encode_device_data(data, p.device);
  const std::string what = text(block.rows, " images of ", block.shape.height, " x ", block.shape.width, " x ",
                                block.shape.channels, ", ", block.classes, " classes, ", p.device.pixels, " pixels, ",
                                block.soft ? "soft" : "hard", " labels: ", block.bytes.size(), " bytes");
  if (session.globals.dry_run) {
    std::printf("would write %s: %s\n", p.output.c_str(), what.c_str());
    return;
  }
  const std::string comment = text("Made by ntkrob export from ", file_name(p.data), ".");
  write_text(p.output, header ? device_header(block, p.name, comment) : block.bytes, session.globals.force);
  session.console.note(text("wrote ", p.output, ": ", what, "; pixels are off by at most ", block.pixel_error));
}

}  // namespace

Command make_export() {
  auto p = std::make_shared<ExportParams>();
  p->name = "robust_set";
  Command command;
  OptionSet& set = command.options;
  set.add_positional("DATA", p->data, "data in any supported format, for example a robust set").required = true;
  visit_device_export(p->device, set.bind());
  set.add("name", p->name, "what a header calls the bytes");
  set.add_output(p->output, "a C++ header where it ends in .hpp or .h, else the bare bytes");
  command.examples = {"ntkrob export robust.h5 -o robust_set.hpp",
                      "ntkrob export robust.h5 --downsample 2 --per-class 50 --budget 128K -o robust.nkd"};
  command.run = [p](Session& session) { export_data(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
