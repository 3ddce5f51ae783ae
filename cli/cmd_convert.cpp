/// ntkrob convert: any supported format in, another one out; weights of PyTorch in, a model out.
#include <iostream>

#include "command.hpp"
#include "formats_text.hpp"
#include "ntkrob/jobs/convert.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/report.hpp"

namespace ntkrob::cli {

namespace {

void convert_net(const ConvertJob& job, Session& session) {
  StateDict model;
  const Net net = open_convert_net(job, model, session);
  if (!session.globals.dry_run) return run_convert_net(job, std::move(model), net, session.command_line(), session);
  std::cout << "would write " << printable_line(job.output) << ":\n" << net.spec() << "\n" << net_summary(net) << "\n";
}

void convert_files(const ConvertJob& job, Session& session) {
  check_convert(job, session);
  if (job.is_model()) return convert_net(job, session);
  const Dataset data = open_convert(job, session);
  if (!session.globals.dry_run) return run_convert(job, data, session);
  std::cout << "would write " << printable_line(job.output) << ":\n" << dataset_text(data);
  std::string lost;
  for (const std::string& one : spelt(left_out_by(data, job.output), spelt_as_flag))
    lost += (lost.empty() ? "" : ", ") + one;
  if (!lost.empty()) std::cout << "dropped   " << lost << "\n";
}

std::vector<std::string> weights_help() {
  return {
      "the order of the arrays is that of --order, of the numbers of nn.Sequential, or of the file (NPZ keeps it, "
      "HDF5 with track_order=True);",
      "where a file keeps none, the only order that fits names and shapes is taken, and more than one is refused",
      "normalisations and ReLUs stand in --spec where PyTorch has them: conv(8,5)-batchnorm(eps=1e-5)-relu"};
}

}  // namespace

Command make_convert() {
  auto p = std::make_shared<ConvertJob>();
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
  visit_convert_model(p->model, command.options.bind());
  command.options.at("model").type = "FILE";
  for (const char* list : {"order", "classes"}) command.options.at(list).separator = ",";
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
    return {{"--output", p->output, p->is_model() ? Use::writes_state : Use::writes_set}};
  };
  command.notes = [] {
    return formats_text() + "\n" + list_text("Nets:", net::net_help()) + "\n" +
           list_text("Weights of PyTorch:", weights_help());
  };
  command.run = [p](Session& session) { convert_files(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
