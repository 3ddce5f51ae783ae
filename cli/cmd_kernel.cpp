/// ntkrob kernel: kernel matrices of data files, and their largest eigenvalues.
#include <algorithm>
#include <iostream>
#include <type_traits>

#include "command.hpp"
#include "image_choice.hpp"
#include "input.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/matrix_file.hpp"
#include "ntkrob/kernel/stream.hpp"
#include "ntkrob/krr/eigenvalues.hpp"
#include "ntkrob/krr/gradient_flow.hpp"
#include "ntkrob/version.hpp"
#include "row_checkpoint.hpp"

namespace ntkrob::cli {

namespace {

struct KernelParams {
  std::string kernel = "fc:3";
  std::string a, b, output;
  std::string split = "train";
  bool nngp = false;
  std::string precision = "mixed";
  index n = 0;
  bool balanced = false;
  index eigenvalues = 0;
  ReadOptions read;
  std::string checkpoint;
  bool resume = false;

  std::vector<Output> outputs() const {
    return nngp ? std::vector<Output>{Output::ntk, Output::nngp} : std::vector<Output>{Output::ntk};
  }
};

/// Images, and for eigenvalues the number of classes.
struct Images {
  Matrix<float> pixels;
  ImageShape shape;
  index classes = 0;
  std::vector<index> rows;  // of the split
  std::string checksum;     // of the data they are from
};

Images open_images(const std::string& path, const KernelParams& p, Session& session) {
  const Dataset data = open_input(session, path, p.read, p.b.empty() ? 1 : 2);
  ImageChoice choice;
  choice.file = path;
  choice.split = p.split;
  choice.n = p.n;
  choice.balanced = p.balanced;
  choice.seed = session.globals.seed;
  choice.stream = "kernel/balanced";
  std::vector<index> rows = choose_images(choice, data, session.console);
  Matrix<float> pixels = chosen_images(data, p.split, rows);
  return {std::move(pixels), data.shape, data.classes, std::move(rows), data.checksum()};
}

/// Their pixels in the precision of the kernel; moved where nothing changes.
template <class R>
Matrix<R> in_precision(Images& images) {
  if constexpr (std::is_same<R, float>::value) return std::move(images.pixels);
  Matrix<R> result(images.pixels.rows(), images.pixels.cols());
  convert(images.pixels.view(), result.view());
  return result;
}

const char* name_of(Output output) { return output == Output::ntk ? "ntk" : "nngp"; }

/// Where the images were drawn: which they are.
void set_rows(StateDict& state, const KernelParams& p, const char* name, const Images& images) {
  if (p.balanced && !images.rows.empty())
    state.set(name, NdArray<std::int64_t>{{static_cast<index>(images.rows.size())},
                                          {images.rows.begin(), images.rows.end()}});
}

StateDict description(const KernelParams& p, const Kernel& kernel) {
  StateDict state;
  state.set("spec", kernel.spec().to_string());
  state.set("precision", p.precision);
  state.set("library_version", std::string(kVersion));
  return state;
}

CheckpointOptions checkpoint_options(const KernelParams& p) {
  const bool kept = p.eigenvalues == 0 && !p.output.empty();
  return {"kernel", kept && p.checkpoint.empty() ? p.output + ".ckpt" : p.checkpoint, p.resume};
}

/// All that the matrix depends on.
OptionTexts identity(const KernelParams& p, const Kernel& kernel, const Images& a, const Images& b,
                     const Session& session) {
  return {{"--kernel", kernel.spec().to_string()},
          {"--precision", p.precision},
          {"--nngp", value_text(p.nngp)},
          {"--split", p.split},
          {"--n", value_text(p.n)},
          {"--balanced", value_text(p.balanced)},
          {"--seed", p.balanced ? value_text(session.globals.seed) : std::string("any")},
          {"data of checksum", a.checksum + (b.checksum.empty() ? "" : ", " + b.checksum)}};
}

/// The views of the strips in a part of a checkpoint: n x m for each output, one behind another.
template <class R>
std::vector<ConstView2D<R>> strips_of(const std::vector<char>& bytes, index n, index m, std::size_t outputs) {
  std::vector<ConstView2D<R>> strips;
  for (std::size_t k = 0; k < outputs; ++k)
    strips.emplace_back(reinterpret_cast<const R*>(bytes.data()) + static_cast<index>(k) * n * m, n, m, m);
  return strips;
}

/// Strip by strip into the file, and into the checkpoint.
template <class R>
void write_matrices(const KernelParams& p, const Kernel& kernel, Images& a, Images& b, Session& session) {
  const bool symmetric = p.b.empty();
  const OptionTexts job = identity(p, kernel, a, b, session);
  const Matrix<R> x = in_precision<R>(a), y = in_precision<R>(b);
  const Matrix<R>& second = symmetric ? x : y;
  const Pairing pairing = symmetric ? Pairing::same : Pairing::cross;
  const std::vector<Output> outputs = p.outputs();
  std::vector<MatrixEntry> entries;
  for (const Output output : outputs) entries.push_back({name_of(output), x.rows(), second.rows(), sizeof(R)});
  StateDict state = description(p, kernel);
  set_rows(state, p, "rows", a);
  set_rows(state, p, "columns", b);
  MatrixFile file(state, "ntkrob.kernel/1", entries, p.output, session.globals.force);
  const MatrixSink<R> sink = [&](Output output, index row, index col, ConstView2D<R> block) {
    file.write(static_cast<std::size_t>(output == Output::nngp), row, col, block);
  };

  RowCheckpoint checkpoint(checkpoint_options(p), job, x.rows(), session);
  const auto columns = [&](index row) { return second.rows() - (symmetric ? row : 0); };
  if (p.resume) {
    checkpoint.load(
        [&](index row, index n) {
          return static_cast<std::size_t>(n) * static_cast<std::size_t>(columns(row)) * outputs.size() * sizeof(R);
        },
        [&](index row, index n, const std::vector<char>& bytes) {
          hand_over_strip(pairing, outputs, row, strips_of<R>(bytes, n, columns(row), outputs.size()), sink);
        });
    session.console.note(text("resumed with ", checkpoint.finished(), " of ", x.rows(), " rows"));
  }

  // Strips of some seconds each: that much is lost where one is abandoned. Their heights change no bit.
  constexpr index kFirstRows = 128;
  constexpr double kStripSeconds = 4;
  index height = kFirstRows;
  Stopwatch watch;
  double started = 0;
  MatrixStrips<R> strips;
  if (checkpoint.kept()) {
    strips.next = [&](index row) {
      started = watch.seconds();
      const auto [first, rows] = checkpoint.missing(row);
      return std::pair(first, std::min(rows, height));
    };
    strips.keep = [&](index row, const std::vector<ConstView2D<R>>& found) {
      const double seconds = watch.seconds() - started;
      std::vector<std::pair<const void*, std::size_t>> blocks;
      for (const ConstView2D<R>& strip : found)
        blocks.emplace_back(strip.data, static_cast<std::size_t>(strip.rows * strip.cols) * sizeof(R));
      checkpoint.append(row, found[0].rows, blocks, seconds);
      const double per_row = std::max(1e-9, seconds / static_cast<double>(found[0].rows));
      height = std::clamp(static_cast<index>(std::min(1e6, kStripSeconds / per_row)), index{1},
                          std::max(kFirstRows, 2 * found[0].rows));
      session.console.progress(text("row ", row + found[0].rows, " of ", x.rows()), row + found[0].rows, x.rows());
    };
  } else {
    strips.keep = [&](index row, const std::vector<ConstView2D<R>>& found) {
      session.console.progress(text("row ", row + found[0].rows, " of ", x.rows()), row + found[0].rows, x.rows());
    };
  }
  stream_matrix<R>(kernel, x.view(), second.view(), pairing, outputs, sink, strips);
  file.commit();
  checkpoint.finish();
}

template <class R>
void find_eigenvalues(const KernelParams& p, const Kernel& kernel, Images& images, Session& session) {
  const Matrix<R> x = in_precision<R>(images);
  StateDict state = description(p, kernel);
  set_rows(state, p, "rows", images);
  for (const Output output : p.outputs()) {
    EigenOptions options;
    options.count = p.eigenvalues;
    options.seed = session.globals.seed;
    const TopEigenvalues top = top_eigenvalues(kernel.with_output(output), ConstView2D<R>(x.view()), options);
    std::vector<std::vector<std::string>> rows{{name_of(output), "eigenvalue", "error bound"}};
    for (std::size_t k = 0; k < top.values.size(); ++k)
      rows.push_back({std::to_string(k + 1), number_text(top.values[k]), number_text(top.bounds[k])});
    std::cout << table_text(rows);
    if (!top.converged)
      session.console.warn(text("not all eigenvalues of ", name_of(output), " reached a relative error of ",
                                options.tolerance, " in ", top.products, " products; read the bounds"));
    if (output == Output::ntk)
      std::cout << "largest stable learning rate  "
                << number_text(largest_learning_rate(top.values.front(), x.rows(), images.classes)) << "  ("
                << number_text(largest_learning_rate(top.values.front(), x.rows(), images.classes, 0.9))
                << " with momentum 0.9) of descent on the sum of squares / 2 n classes\n";
    const auto count = static_cast<index>(top.values.size());
    state.set(std::string("eigenvalues/") + name_of(output), NdArray<double>{{count}, top.values});
    state.set(std::string("bounds/") + name_of(output), NdArray<double>{{count}, top.bounds});
  }
  if (!p.output.empty()) save_state(state, "ntkrob.kernel/1", p.output, session.globals.force);
}

void kernel_matrix(const KernelParams& p, Session& session) {
  NTKROB_CHECK(p.precision == "mixed" || p.precision == "float64", ConfigError, "precision is \"", p.precision,
               "\", must be mixed or float64");
  NTKROB_CHECK(p.eigenvalues == 0 || p.b.empty(), ConfigError,
               "eigenvalues: a matrix of two different sets has none; name one file");
  NTKROB_CHECK(p.eigenvalues > 0 || !p.output.empty(), ConfigError, "output: name the file to write with -o FILE");
  const KernelSpec spec = KernelSpec::parse(p.kernel);
  NTKROB_CHECK(p.eigenvalues == 0 || (p.checkpoint.empty() && !p.resume), ConfigError,
               "--checkpoint and --resume are for matrices; eigenvalues are found anew");
  if (!p.output.empty()) check_output(p.output, session.globals.force);
  Checkpoint::check(checkpoint_options(p), session);
  Images a = open_images(p.a, p, session);
  Images b = p.b.empty() ? Images() : open_images(p.b, p, session);
  NTKROB_CHECK(p.b.empty() || a.shape == b.shape, ShapeError, "images of ", p.a, " have ", a.shape.size(),
               " pixels, those of ", p.b, " ", b.shape.size());

  KernelOptions options;
  options.shape = a.shape;
  options.memory_budget = session.globals.memory.value;
  const Kernel kernel(spec, session.backend(), options);
  const index rows = a.pixels.rows(), columns = p.b.empty() ? rows : b.pixels.rows();
  if (session.globals.dry_run || session.globals.explain) {
    const double bytes = static_cast<double>(rows) * static_cast<double>(columns) * (p.nngp ? 2 : 1) *
                         static_cast<double>(p.precision == "mixed" ? sizeof(float) : sizeof(double));
    std::cout << "kernel    " << spec.to_string() << "\n";
    if (p.eigenvalues > 0)
      std::cout << "result    the " << p.eigenvalues << " largest eigenvalues of " << rows << " x " << rows << "\n";
    else
      std::cout << "result    " << rows << " x " << columns << (p.nngp ? ", twice" : "") << ", " << p.precision << ", "
                << bytes_text(bytes) << " on disk\n";
    std::cout << session.backend_text()
              << block_text("plan", p.eigenvalues > 0
                                        ? kernel.explain(Verb::apply, rows, rows, a.shape.size(), p.eigenvalues + 4)
                                        : kernel.explain(p.nngp ? Verb::matrices : Verb::matrix, rows, columns,
                                                         a.shape.size(), 0));
  }
  if (session.globals.dry_run) return;

  const Stopwatch watch;
  const bool mixed = p.precision == "mixed";
  if (p.eigenvalues > 0) {
    mixed ? find_eigenvalues<float>(p, kernel, a, session) : find_eigenvalues<double>(p, kernel, a, session);
  } else {
    mixed ? write_matrices<float>(p, kernel, a, b, session) : write_matrices<double>(p, kernel, a, b, session);
  }
  if (!p.output.empty())
    session.console.note(text("wrote ", p.output, ": ", rows, " x ", columns, ", in ", duration_text(watch.seconds())));
}

}  // namespace

Command make_kernel() {
  auto p = std::make_shared<KernelParams>();
  Command command;
  OptionSet& set = command.options;
  set.add_positional("A", p->a, "images of the rows").required = true;
  set.add_positional("B", p->b, "images of the columns; default: A (then the result is symmetric)");
  set.add("kernel", p->kernel, "kernel spec, see below");
  set.add("split", p->split, "train | test");
  set.add("nngp", p->nngp, "write the covariance kernel \"nngp\" beside \"ntk\"");
  set.add("precision", p->precision, "mixed (float32) | float64");
  set.add("n", p->n, "only the first N images of each file; 0: all");
  set.add("balanced", p->balanced,
          "draw these N by seed, the same number of each class; the file then has their \"rows\"");
  set.add("eigenvalues", p->eigenvalues, "print the N largest eigenvalues; no matrix is written, -o is optional");
  add_read_options(set, p->read);
  set.add_output(p->output, Use::none, "HDF5 file with datasets \"ntk\" and \"nngp\"").required = false;
  set.add("checkpoint", p->checkpoint, "finished rows, for --resume; default: <output>.ckpt").type = "FILE";
  set.add("resume", p->resume, "go on from the checkpoint, to the same bytes; needs the same options");
  command.examples = {"ntkrob kernel --kernel fc:3 mnist.h5 --n 2000 -o K.h5",
                      "ntkrob kernel --kernel fc:2 a.h5 b.h5 --nngp --precision float64 -o K.h5",
                      "ntkrob kernel --kernel 'dense(w=1.4,b=0)-relu-dense' a.h5 --dry-run -o K.h5",
                      "ntkrob kernel --kernel fc:2 mnist.h5 --eigenvalues 10"};
  command.files = [p]() -> std::vector<FileUse> {
    if (p->output.empty()) return {};
    // Eigenvalues are a state, a matrix is written in place, and its rows are kept.
    if (p->eigenvalues > 0) return {{"--output", p->output, Use::writes_state}};
    std::vector<FileUse> files{{"--output", p->output, Use::writes_hdf5}};
    if (p->checkpoint.empty()) files.push_back({"the checkpoint of --output", checkpoint_options(*p).path, Use::keeps});
    return files;
  };
  command.notes = [] { return list_text("Kernels:", kernel_spec_help()); };
  command.run = [p](Session& session) { kernel_matrix(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
