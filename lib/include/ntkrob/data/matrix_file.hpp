/// A state file with matrices that are written block by block, in any order: for kernel matrices larger than memory.
///
/// The matrices lie in the file as they are, row after row, neither compressed nor checksummed, so that any part can be
/// written and read by itself. load_state() reads the file like every other state.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/base/state_dict.hpp"

namespace ntkrob {

/// A rows x cols matrix of float32 (number_bytes 4) or float64 (8). rows, cols > 0
struct MatrixEntry {
  std::string name;
  index rows = 0, cols = 0;
  std::size_t number_bytes = 4;
};

/// The file appears with commit(), whole; without commit() nothing remains.
class MatrixFile {
 public:
  /// Writes the state and reserves the disk space of the matrices.
  ///   throws: ConfigError when path exists and force is false; ResourceError when the disk is too small
  MatrixFile(const StateDict& state, const std::string& schema, const std::vector<MatrixEntry>& matrices,
             const std::string& path, bool force);
  ~MatrixFile();
  MatrixFile(const MatrixFile&) = delete;
  MatrixFile& operator=(const MatrixFile&) = delete;

  /// Writes entries (row, col) .. of matrix number k; entries that are never written are 0.
  ///   throws: ShapeError (outside the matrix, or numbers of the other type); ResourceError
  void write(std::size_t k, index row, index col, ConstView2D<float> block);
  void write(std::size_t k, index row, index col, ConstView2D<double> block);
  /// throws: ResourceError
  void commit();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ntkrob
