/// ntkrob convert: any supported format in, another one out; weights of PyTorch in, a model out.
#include <cctype>
#include <filesystem>
#include <iostream>

#include "command.hpp"
#include "convert_model.hpp"
#include "dataset_text.hpp"
#include "input.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/version.hpp"
#include "robustify_job.hpp"

namespace ntkrob::cli {

namespace {

struct ConvertParams {
  std::vector<std::string> inputs;
  ReadOptions read;
  bool initial = false;
  ConvertModelParams model;
  std::string output;
};

std::string joined(const std::vector<std::string>& items) {
  std::string all;
  for (const std::string& item : items) all += (all.empty() ? "" : ", ") + item;
  return all;
}

/// Images of more bytes are read and written in parts. Below it, what is written is compressed.
const std::size_t kInMemory = SaveOptions().plain_from;

bool is_hdf5_name(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == ".h5" || ending == ".hdf5";
}

std::string named_input(const PartFiles& parts) {
  return parts.train_images.empty() ? parts.test_images : parts.train_images;
}

/// How a data set of others came in; one of ntkrob keeps its own history.
void record(Dataset& data, const ConvertParams& p, const std::string& input) {
  Provenance& provenance = data.provenance;
  provenance.reading = reading_record(data, p.read, input);
  if (!provenance.command.empty()) return;
  provenance.library_version = kVersion;
  provenance.command = "ntkrob convert";
  for (const std::string& one : p.inputs) provenance.command += " " + file_name(one);
  provenance.command += read_arguments(p.read);
  provenance.options = p.read.given();
  provenance.parent = file_name(input);
  provenance.parent_checksum = data.train.empty() ? "" : data.checksum();
}

void convert_files(const ConvertParams& p, Session& session) {
  const bool named = p.read.parts.any();
  if (!p.model.weights.empty()) {
    NTKROB_CHECK(p.inputs.empty() && !named && !p.initial, ConfigError,
                 "--model converts a net and takes no images beside it");
    NTKROB_CHECK(!p.model.spec.empty(), ConfigError, "--model needs --spec, the layers of the net");
    return convert_model(p.model, p.output, session);
  }
  NTKROB_CHECK(p.model.spec.empty() && p.model.group.empty() && p.model.order.empty() && p.model.classes.empty() &&
                   !p.model.two_class,
               ConfigError, "--spec, --group, --order, --classes and --two-class belong to --model");
  NTKROB_CHECK(!p.inputs.empty() || named, ConfigError,
               "no input: name files or a folder, or --train-images and --train-labels");
  check_output(p.output, session.globals.force);
  const std::string input = p.inputs.empty() ? named_input(p.read.parts) : p.inputs.front();
  ReadOptions read = p.read;
  read.memory = session.globals.memory.value;
  // What goes from HDF5 to HDF5 need not be in memory.
  if (!p.initial && is_hdf5_name(p.output)) read.in_memory = kInMemory;
  Dataset data = open_inputs(session, p.inputs, read);
  SaveOptions save;
  save.force = session.globals.force;
  check_room(data, p.output, save);
  record(data, p, input);
  if (p.initial) data = originals_of(data, input);
  check_holds(data, p.output);
  const std::vector<std::string> lost = left_out_by(data, p.output);
  if (session.globals.dry_run) {
    std::cout << "would write " << printable_line(p.output) << ":\n" << dataset_text(data);
    if (!lost.empty()) std::cout << "dropped   " << joined(lost) << "\n";
    return;
  }
  if (p.output.back() == '/') {
    std::error_code error;
    std::filesystem::create_directory(p.output, error);
    NTKROB_CHECK(!error, ResourceError, "cannot make the folder ", p.output, ": ", error.message());
  }
  {
    constexpr index kParts = 10;
    index part = 0;
    save.progress = [&](index done, index total) {
      if (done * kParts / total == part) return;
      part = done * kParts / total;
      session.console.progress(text("wrote ", done, " of ", total, " samples"), part, kParts);
    };
    save_dataset(data, p.output, save);
  }
  say_left_out(session, data, p.output);
  session.console.note(
      text("wrote ", p.output, ": ", data.train.n, " training and ", data.test.n, " test ", data.kind_text()));
}

std::vector<std::string> weights_help() {
  return {
      "the order of the arrays is that of --order, of the numbers of nn.Sequential, or of the file (NPZ keeps it, "
      "HDF5 with track_order=True);",
      "where a file keeps none, the only order that fits names and shapes is taken, and more than one is refused",
      "batchnorm(eps=1e-5) right behind a conv or dense in --spec: folded into it, no layer of the model"};
}

}  // namespace

Command make_convert() {
  auto p = std::make_shared<ConvertParams>();
  Command command;
  command.options.add_positionals("INPUT", p->inputs, "files or a folder; the format is recognised by content");
  command.options
      .add("train-images", p->read.parts.train_images,
           "file with one array (IDX, NPY, NPZ, HDF5, text), the training images")
      .type = "FILE";
  command.options.add("train-labels", p->read.parts.train_labels, "the training labels").type = "FILE";
  command.options.add("test-images", p->read.parts.test_images, "the test images").type = "FILE";
  command.options.add("test-labels", p->read.parts.test_labels, "the test labels").type = "FILE";
  command.options.add("initial", p->initial, "write the images that a robust set was optimised from");
  command.options.add("model", p->model.weights, "convert a net: arrays of a PyTorch state_dict, NPZ or HDF5").type =
      "FILE";
  command.options.add("spec", p->model.spec, "its layers, see below");
  command.options.add("input-shape", p->model.input_shape, "height x width x channels of its input");
  command.options.add("group", p->model.group, "where the arrays are in an HDF5 file, e.g. net/weights");
  command.options.add("order", p->model.order, "its modules from first to last, fc1,fc2,out; default: see the notes")
      .separator = ",";
  command.options.add("classes", p->model.classes, "names of its classes, in their order: cat,dog").separator = ",";
  command.options.add("two-class", p->model.two_class, "a net of one output z becomes that of the outputs 0 and z");
  add_read_options(command.options, p->read);
  command.options.add_output(p->output, Use::none, "where to write; the extension chooses the format");
  command.examples = {
      "ntkrob convert mnist/ -o mnist.h5",
      "ntkrob convert --train-images train-images-idx3-ubyte.gz --train-labels "
      "train-labels-idx1-ubyte.gz -o mnist.h5",
      "ntkrob convert data_batch_1.bin data_batch_2.bin test_batch.bin -o cifar10.h5",
      "ntkrob convert usps.h5 --x train/data --y train/target --image-shape 16x16x1 -o usps16.h5",
      "ntkrob convert optdigits.tra --test-file optdigits.tes --value-range 0:16 -o digits.h5",
      "ntkrob convert emnist/ --layout NWH --renumber -o letters.h5",
      "ntkrob convert har.csv --y Activity --drop subject --value-range columns --test-fraction 0.2 -o har.h5",
      "ntkrob convert robust.h5 -o robust.npz",
      "ntkrob convert robust.h5 --initial -o originals.h5",
      "ntkrob convert robust.h5 -o robust/          a folder of IDX files",
      "ntkrob convert --model weights.npz --spec "
      "'conv(16,4,stride=2,pad=1)-relu-flatten-dense(100)-relu-dense' --input-shape 28x28x1 -o net.h5",
      "ntkrob convert --model weights.h5 --spec 'conv(8,5)-batchnorm-relu-dense' --classes cat,dog "
      "-o net.h5"};
  command.files = [p]() -> std::vector<FileUse> {
    return {{"--output", p->output, p->model.weights.empty() ? Use::writes_set : Use::writes_state}};
  };
  command.notes = [] {
    return formats_text() + "\n" + list_text("Nets:", net_help()) + "\n" +
           list_text("Weights of PyTorch:", weights_help());
  };
  command.run = [p](Session& session) { convert_files(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
