/// ntkrob kernel: kernel matrices of data files.
#include <iostream>

#include "command.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::cli {

namespace {

struct KernelParams {
  std::string kernel = "fc:3";
  std::string a, b, output;
  std::string split = "train";
  bool nngp = false;
  std::string precision = "mixed";
  index n = 0;
};

Matrix<float> first_images(const std::string& path, const std::string& split, index n, ImageShape& shape) {
  const Dataset data = open_dataset({path});
  shape = data.shape;
  Matrix<float> images = data.images(split);
  NTKROB_CHECK(n <= images.rows(), ConfigError, "n is ", n, ", but split ", split, " of ", path, " has only ",
               images.rows(), " images");
  return n == 0 ? std::move(images) : Matrix<float>(images.view().middle_rows(0, n));
}

template <class R>
Matrix<R> in_precision(const Matrix<float>& images) {
  Matrix<R> result(images.rows(), images.cols());
  convert(images.view(), result.view());
  return result;
}

/// Adds "ntk" and, where asked for, "nngp"; computed straight into the state's storage.
template <class R>
void fill(StateDict& state, const KernelParams& p, const Matrix<float>& a, const Matrix<float>& b, ImageShape shape,
          Session& session) {
  const Matrix<R> x = in_precision<R>(a);
  const Matrix<R> y = p.b.empty() ? Matrix<R>() : in_precision<R>(b);
  const Matrix<R>& second = p.b.empty() ? x : y;
  for (const Output output : {Output::ntk, Output::nngp}) {
    if (output == Output::nngp && !p.nngp) continue;
    KernelOptions options;
    options.output = output;
    options.shape = shape;
    options.memory_budget = session.globals.memory.value;
    const Kernel kernel(KernelSpec::parse(p.kernel), session.backend(), options);
    NdArray<R> values{{x.rows(), second.rows()}, std::vector<R>(static_cast<std::size_t>(x.rows() * second.rows()))};
    kernel.matrix(x.view(), second.view(), p.b.empty() ? Pairing::same : Pairing::cross,
                  View2D<R>(values.values.data(), x.rows(), second.rows()));
    state.set(output == Output::ntk ? "ntk" : "nngp", std::move(values));
  }
}

void kernel_matrix(const KernelParams& p, Session& session) {
  NTKROB_CHECK(p.precision == "mixed" || p.precision == "float64", ConfigError, "precision is \"", p.precision,
               "\", must be mixed or float64");
  const KernelSpec spec = KernelSpec::parse(p.kernel);
  check_output(p.output, session.globals.force);
  ImageShape shape, other;
  const Matrix<float> a = first_images(p.a, p.split, p.n, shape);
  const Matrix<float> b = p.b.empty() ? Matrix<float>() : first_images(p.b, p.split, p.n, other);
  NTKROB_CHECK(p.b.empty() || shape == other, ShapeError, "images of ", p.a, " have ", shape.size(),
               " pixels, those of ", p.b, " ", other.size());

  const index columns = p.b.empty() ? a.rows() : b.rows();
  const std::size_t number = p.precision == "mixed" ? sizeof(float) : sizeof(double);
  const std::size_t bytes =
      checked_mul(checked_mul(static_cast<std::size_t>(a.rows()), static_cast<std::size_t>(columns), "kernel matrix"),
                  number * (p.nngp ? 2 : 1), "kernel matrix");
  if (session.globals.dry_run || session.globals.explain) {
    KernelOptions options;
    options.shape = shape;
    options.memory_budget = session.globals.memory.value;
    std::cout << "kernel    " << spec.to_string() << "\nresult    " << a.rows() << " x " << columns
              << (p.nngp ? ", twice" : "") << ", " << p.precision << ", " << bytes_text(static_cast<double>(bytes))
              << "\n"
              << session.backend_text();
    const Kernel kernel(spec, session.backend(), options);
    std::cout << block_text("plan", kernel.explain(Verb::matrix, a.rows(), columns, a.cols(), 0));
  }
  const std::size_t limit = session.memory_limit();
  NTKROB_CHECK(bytes <= limit, ResourceError, "the result, ", a.rows(), " x ", columns, (p.nngp ? " twice" : ""),
               ", needs ", bytes, " bytes, the memory limit is ", limit, "; give --memory ", bytes,
               " or more, or a smaller --n");
  if (session.globals.dry_run) return;

  const Stopwatch watch;
  StateDict state;
  state.set("spec", spec.to_string());
  state.set("precision", p.precision);
  state.set("library_version", std::string(kVersion));
  if (p.precision == "mixed")
    fill<float>(state, p, a, b, shape, session);
  else
    fill<double>(state, p, a, b, shape, session);
  save_state(state, "ntkrob.kernel/1", p.output, session.globals.force);
  session.console.note(
      text("wrote ", p.output, ": ", a.rows(), " x ", columns, ", in ", duration_text(watch.seconds())));
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
  set.add_output(p->output, "HDF5 file with datasets \"ntk\" and \"nngp\"");
  command.examples = {"ntkrob kernel --kernel fc:3 mnist.h5 --n 2000 -o K.h5",
                      "ntkrob kernel --kernel fc:2 a.h5 b.h5 --nngp --precision float64 -o K.h5",
                      "ntkrob kernel --kernel 'dense(w=1.4,b=0)-relu-dense' a.h5 --dry-run -o K.h5"};
  command.notes = [] { return list_text("Kernels:", kernel_spec_help()); };
  command.run = [p](Session& session) { kernel_matrix(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
