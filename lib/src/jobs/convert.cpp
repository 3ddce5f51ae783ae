#include "ntkrob/jobs/convert.hpp"

#include <filesystem>

#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

/// Images of more bytes are read and written in parts. Below it, what is written is compressed.
const std::size_t kInMemory = SaveOptions().plain_from;

bool is_hdf5_name(const std::string& path) { return file_extension(path) == ".h5" || file_extension(path) == ".hdf5"; }

std::string named_input(const PartFiles& parts) {
  return parts.train_images.empty() ? parts.test_images : parts.train_images;
}

/// How a data set of others came in; one of ntkrob keeps its own history.
void record(Dataset& data, const ConvertJob& p, const std::string& input) {
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

SaveOptions save_options(const Context& context) {
  SaveOptions save;
  save.force = context.settings.force;
  return save;
}

}  // namespace

void check_convert(const ConvertJob& job, Context& context) {
  const bool named = job.read.parts.any();
  if (job.is_model()) {
    NTKROB_CHECK(job.inputs.empty() && !named && !job.initial, ConfigError, field("model"),
                 " converts a net and takes no images beside it");
    NTKROB_CHECK(!job.model.spec.empty(), ConfigError, field("model"), " needs ", field("spec"),
                 ", the layers of the net");
  } else {
    NTKROB_CHECK(job.model.spec.empty() && job.model.group.empty() && job.model.order.empty() &&
                     job.model.classes.empty() && !job.model.two_class,
                 ConfigError, field("spec"), ", ", field("group"), ", ", field("order"), ", ", field("classes"),
                 " and ", field("two-class"), " belong to ", field("model"));
    NTKROB_CHECK(!job.inputs.empty() || named, ConfigError, "no input: name files or a folder, or ",
                 field("train-images"), " and ", field("train-labels"));
  }
  check_output(job.output, context.settings.force);
}

Dataset open_convert(const ConvertJob& job, Context& context) {
  const std::string input = job.inputs.empty() ? named_input(job.read.parts) : job.inputs.front();
  ReadOptions read = job.read;
  read.memory = context.settings.memory.value;
  // What goes from HDF5 to HDF5 need not be in memory.
  if (!job.initial && is_hdf5_name(job.output)) read.in_memory = kInMemory;
  Dataset data = open_inputs(context, job.inputs, read);
  check_room(data, job.output, save_options(context));
  record(data, job, input);
  if (job.initial) data = originals_of(data, input);
  check_holds(data, job.output);
  return data;
}

void run_convert(const ConvertJob& job, const Dataset& data, Context& context) {
  if (job.output.back() == '/') {
    std::error_code error;
    std::filesystem::create_directory(job.output, error);
    NTKROB_CHECK(!error, ResourceError, "cannot make the folder ", job.output, ": ", error.message());
  }
  constexpr index kParts = 10;
  index part = 0;
  SaveOptions save = save_options(context);
  save.progress = [&](index done, index total) {
    look_for_stop(context.stop);
    if (done * kParts / total == part) return;
    part = done * kParts / total;
    context.listener().progress(text("wrote ", done, " of ", total, " samples"), part, kParts);
  };
  save_dataset(data, job.output, save);
  say_left_out(context, data, job.output);
  if (file_extension(job.output) == ".png")
    return context.listener().note(text("wrote ", job.output, ": a picture of the first images"));
  context.listener().note(text("wrote ", written_files(job.output), ": ", data.train.n, " training and ", data.test.n,
                               " test ", data.kind_text()));
}

}  // namespace ntkrob::jobs
