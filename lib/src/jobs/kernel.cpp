#include "ntkrob/jobs/kernel.hpp"

#include <algorithm>
#include <type_traits>

#include "jobs/row_checkpoint.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/matrix_file.hpp"
#include "ntkrob/jobs/image_choice.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/kernel/stream.hpp"
#include "ntkrob/krr/eigenvalues.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

/// Their pixels in the precision of the kernel; moved where nothing changes.
template <class R>
Matrix<R> in_precision(KernelImages& images) {
  if constexpr (std::is_same<R, float>::value) return std::move(images.pixels);
  Matrix<R> result(images.pixels.rows(), images.pixels.cols());
  convert(images.pixels.view(), result.view());
  return result;
}

const char* name_of(Output output) { return output == Output::ntk ? "ntk" : "nngp"; }

/// Where the images were drawn: which they are.
void set_rows(StateDict& state, const KernelJob& p, const char* name, const KernelImages& images) {
  if (p.balanced && !images.rows.empty())
    state.set(name, NdArray<std::int64_t>{{static_cast<index>(images.rows.size())},
                                          {images.rows.begin(), images.rows.end()}});
}

StateDict description(const KernelJob& p, const Kernel& kernel) {
  StateDict state;
  state.set("spec", kernel.spec().to_string());
  state.set("precision", p.precision);
  state.set("library_version", std::string(kVersion));
  return state;
}

CheckpointOptions checkpoint_options(const KernelJob& p) { return {"kernel", p.checkpoint_path(), p.resume}; }

/// All that the matrix depends on.
OptionTexts identity(const KernelJob& p, const Kernel& kernel, const KernelImages& a, const KernelImages& b,
                     const Context& context) {
  return {{"kernel", kernel.spec().to_string()},
          {"precision", p.precision},
          {"nngp", value_text(p.nngp)},
          {"split", p.split},
          {"n", value_text(p.n)},
          {"balanced", value_text(p.balanced)},
          {"seed", p.balanced ? value_text(context.settings.seed) : std::string("any")},
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
void write_matrices(const KernelJob& p, const Kernel& kernel, KernelImages& a, KernelImages& b, Context& context) {
  const bool symmetric = p.b.empty();
  const OptionTexts job = identity(p, kernel, a, b, context);
  const Matrix<R> x = in_precision<R>(a), y = in_precision<R>(b);
  const Matrix<R>& second = symmetric ? x : y;
  const Pairing pairing = symmetric ? Pairing::same : Pairing::cross;
  const std::vector<Output> outputs = p.outputs();
  std::vector<MatrixEntry> entries;
  for (const Output output : outputs) entries.push_back({name_of(output), x.rows(), second.rows(), sizeof(R)});
  StateDict state = description(p, kernel);
  set_rows(state, p, "rows", a);
  set_rows(state, p, "columns", b);
  MatrixFile file(state, "ntkrob.kernel/1", entries, p.output, context.settings.force);
  const MatrixSink<R> sink = [&](Output output, index row, index col, ConstView2D<R> block) {
    file.write(static_cast<std::size_t>(output == Output::nngp), row, col, block);
  };

  RowCheckpoint checkpoint(checkpoint_options(p), job, x.rows(), context);
  const auto columns = [&](index row) { return second.rows() - (symmetric ? row : 0); };
  if (p.resume) {
    checkpoint.load(
        [&](index row, index n) {
          return static_cast<std::size_t>(n) * static_cast<std::size_t>(columns(row)) * outputs.size() * sizeof(R);
        },
        [&](index row, index n, const std::vector<char>& bytes) {
          hand_over_strip(pairing, outputs, row, strips_of<R>(bytes, n, columns(row), outputs.size()), sink);
        });
    context.listener().note(text("resumed with ", checkpoint.finished(), " of ", x.rows(), " rows"));
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
      context.listener().progress(text("row ", row + found[0].rows, " of ", x.rows()), row + found[0].rows, x.rows());
    };
  } else {
    strips.keep = [&](index row, const std::vector<ConstView2D<R>>& found) {
      context.listener().progress(text("row ", row + found[0].rows, " of ", x.rows()), row + found[0].rows, x.rows());
    };
  }
  stream_matrix<R>(kernel, x.view(), second.view(), pairing, outputs, sink, strips);
  file.commit();
  checkpoint.finish();
}

template <class R>
KernelOutcome find_eigenvalues(const KernelJob& p, const Kernel& kernel, KernelImages& images, Context& context) {
  const Matrix<R> x = in_precision<R>(images);
  StateDict state = description(p, kernel);
  set_rows(state, p, "rows", images);
  KernelOutcome outcome;
  for (const Output output : p.outputs()) {
    EigenOptions options;
    options.count = p.eigenvalues;
    options.seed = context.settings.seed;
    TopEigenvalues top = top_eigenvalues(kernel.with_output(output), ConstView2D<R>(x.view()), options);
    if (!top.converged)
      context.listener().warn(text("not all eigenvalues of ", name_of(output), " reached a relative error of ",
                                   options.tolerance, " in ", top.products, " products; read the bounds"));
    const auto count = static_cast<index>(top.values.size());
    state.set(std::string("eigenvalues/") + name_of(output), NdArray<double>{{count}, top.values});
    state.set(std::string("bounds/") + name_of(output), NdArray<double>{{count}, top.bounds});
    outcome.spectra.push_back({name_of(output), std::move(top)});
  }
  if (!p.output.empty()) save_state(state, "ntkrob.kernel/1", p.output, context.settings.force);
  return outcome;
}

KernelImages open_images(const std::string& path, const KernelJob& p, Context& context) {
  const Dataset data = open_input(context, path, p.read, p.b.empty() ? 1 : 2);
  ImageChoice choice;
  choice.file = path;
  choice.split = p.split;
  choice.n = p.n;
  choice.balanced = p.balanced;
  choice.seed = context.settings.seed;
  choice.stream = "kernel/balanced";
  std::vector<index> rows = choose_images(choice, data, context.listener());
  Matrix<float> pixels = chosen_images(data, p.split, rows);
  return {std::move(pixels), data.shape, data.classes, std::move(rows), data.checksum()};
}

Kernel make_kernel(const KernelJob& p, const KernelInput& in, Context& context) {
  KernelOptions options;
  options.shape = in.a.shape;
  options.memory_budget = context.settings.memory.value;
  return Kernel(*p.kernel, context.backend(), options);
}

}  // namespace

std::vector<Output> KernelJob::outputs() const {
  return nngp ? std::vector<Output>{Output::ntk, Output::nngp} : std::vector<Output>{Output::ntk};
}

std::string KernelJob::checkpoint_path() const {
  const bool kept = eigenvalues == 0 && !output.empty();
  return kept && checkpoint.empty() ? output + ".ckpt" : checkpoint;
}

void check_kernel(const KernelJob& job, Context& context) {
  visit_kernel(job, FieldChecker());
  NTKROB_CHECK(job.eigenvalues == 0 || job.b.empty(), ConfigError, field("eigenvalues"),
               ": a matrix of two different sets has none; name one file");
  NTKROB_CHECK(job.eigenvalues > 0 || !job.output.empty(), ConfigError, field("output"), ": name the file to write");
  NTKROB_CHECK(!job.kernel.empty(), ConfigError, field("kernel"), " is missing; ",
               advice("name one, e.g. ", field("kernel", "fc:3")));
  NTKROB_CHECK(job.eigenvalues == 0 || (job.checkpoint.empty() && !job.resume), ConfigError, field("checkpoint"),
               " and ", field("resume"), " are for matrices; eigenvalues are found anew");
  if (!job.output.empty()) check_output(job.output, context.settings.force);
  Checkpoint::check(checkpoint_options(job), context);
}

KernelInput open_kernel(const KernelJob& job, Context& context) {
  KernelInput in;
  in.a = open_images(job.a, job, context);
  if (!job.b.empty()) in.b = open_images(job.b, job, context);
  NTKROB_CHECK(job.b.empty() || in.a.shape == in.b.shape, ShapeError, "images of ", job.a, " have ", in.a.shape.size(),
               " pixels, those of ", job.b, " ", in.b.shape.size());
  in.rows = in.a.pixels.rows();
  in.columns = job.b.empty() ? in.rows : in.b.pixels.rows();
  return in;
}

std::string kernel_plan(const KernelJob& job, const KernelInput& in, Context& context) {
  const Kernel kernel = make_kernel(job, in, context);
  const double bytes = static_cast<double>(in.rows) * static_cast<double>(in.columns) * (job.nngp ? 2 : 1) *
                       static_cast<double>(job.precision == "mixed" ? sizeof(float) : sizeof(double));
  const index d = in.a.shape.size();
  return "kernel    " + kernel.spec().to_string() + "\n" +
         (job.eigenvalues > 0
              ? text("result    the ", job.eigenvalues, " largest eigenvalues of ", in.rows, " x ", in.rows, "\n")
              : text("result    ", in.rows, " x ", in.columns, job.nngp ? ", twice" : "", ", ", job.precision, ", ",
                     bytes_text(bytes), " on disk\n")) +
         backend_text(context) +
         block_text("plan", job.eigenvalues > 0
                                ? kernel.explain(Verb::apply, in.rows, in.rows, d, job.eigenvalues + 4)
                                : kernel.explain(job.nngp ? Verb::matrices : Verb::matrix, in.rows, in.columns, d, 0));
}

KernelOutcome run_kernel(const KernelJob& job, KernelInput in, Context& context) {
  const StopScope scope(context, false);
  const Kernel kernel = make_kernel(job, in, context);
  const Stopwatch watch;
  const bool mixed = job.precision == "mixed";
  KernelOutcome outcome;
  if (job.eigenvalues > 0)
    outcome = mixed ? find_eigenvalues<float>(job, kernel, in.a, context)
                    : find_eigenvalues<double>(job, kernel, in.a, context);
  else if (mixed)
    write_matrices<float>(job, kernel, in.a, in.b, context);
  else
    write_matrices<double>(job, kernel, in.a, in.b, context);
  outcome.rows = in.rows;
  outcome.columns = in.columns;
  outcome.classes = in.a.classes;
  outcome.seconds = watch.seconds();
  return outcome;
}

}  // namespace ntkrob::jobs
