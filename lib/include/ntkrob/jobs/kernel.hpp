/// The kernel job: kernel matrices of data files, and their largest eigenvalues.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/krr/eigenvalues.hpp"

namespace ntkrob::jobs {

struct KernelJob {
  Parsed<KernelSpec> kernel = "fc:3";
  std::string a, b;    // files of the rows and of the columns; b empty: a, and the matrix is symmetric
  std::string output;  // HDF5; of eigenvalues HDF5, NPZ or none
  std::string split = "train";
  bool nngp = false;
  std::string precision = "mixed";
  index n = 0;
  bool balanced = false;
  index eigenvalues = 0;
  ReadOptions read;
  std::string checkpoint;  // empty: <output>.ckpt of a matrix
  bool resume = false;

  std::vector<Output> outputs() const;
  /// Empty: none is kept.
  std::string checkpoint_path() const;
};

template <class Job, class Visitor>
void visit_kernel(Job& j, Visitor&& visitor) {
  visitor("kernel", j.kernel, "kernel spec, see below");
  visitor("split", j.split, "train | test", among("train|test"));
  visitor("nngp", j.nngp, "write the covariance kernel \"nngp\" beside \"ntk\"");
  visitor("precision", j.precision, "mixed (float32) | float64", among("mixed|float64"));
  visitor("n", j.n, "only the first N images of each file; 0: all", at_least(0, "images"));
  visitor("balanced", j.balanced,
          "draw these N by seed, the same number of each class; the file then has their \"rows\"");
  visitor("eigenvalues", j.eigenvalues, "print the N largest eigenvalues; no matrix is written, the output is optional",
          at_least(0));
}

/// Images, and for eigenvalues the number of classes.
struct KernelImages {
  Matrix<float> pixels;
  ImageShape shape;
  index classes = 0;
  std::vector<index> rows;  // of the split
  std::string checksum;     // of the data they are from
};

struct KernelInput {
  KernelImages a, b;
  index rows = 0, columns = 0;  // of the matrix
};

struct KernelOutcome {
  struct Spectrum {
    std::string output;  // "ntk" or "nngp"
    TopEigenvalues top;
  };
  std::vector<Spectrum> spectra;  // of a job for eigenvalues
  index rows = 0, columns = 0;    // of the matrix
  index classes = 0;              // of the images of the rows
  double seconds = 0;
};

/// Refuses before files are read.   throws: ConfigError, as Run::check
void check_kernel(const KernelJob& job, Context& context);
/// throws: ShapeError, ConfigError; as open_input
KernelInput open_kernel(const KernelJob& job, Context& context);
/// Result, backend and the kernel's plan, lines of text.
std::string kernel_plan(const KernelJob& job, const KernelInput& in, Context& context);
/// Computes, writes the output and removes the checkpoint.   throws: Interrupted; as Kernel and MatrixFile
KernelOutcome run_kernel(const KernelJob& job, KernelInput in, Context& context);

}  // namespace ntkrob::jobs
