/// MatrixFile: HDF5 decides where the matrices lie, and is closed before the first number is written. A disk that is
/// full then fails a plain write, which HDF5 could not recover from.
#include "ntkrob/data/matrix_file.hpp"

#include <algorithm>

#include "atomic_file.hpp"
#include "hdf5_file.hpp"
#include "state_io.hpp"
#include "whole_sum.hpp"

namespace ntkrob {

class MatrixFile::Impl {
 public:
  Impl(const StateDict& state, const std::string& schema, const std::vector<MatrixEntry>& matrices,
       const std::string& path, bool force)
      : file_(path, force), matrices_(matrices) {
    std::size_t n_bytes = 0;
    for (const MatrixEntry& m : matrices) {
      NTKROB_CHECK(m.rows > 0 && m.cols > 0 && (m.number_bytes == 4 || m.number_bytes == 8), ShapeError, "matrix ",
                   m.name, " is ", m.rows, " x ", m.cols, " with ", m.number_bytes, " bytes per number");
      n_bytes += checked_mul(checked_mul(static_cast<std::size_t>(m.rows), static_cast<std::size_t>(m.cols), "matrix"),
                             m.number_bytes, "matrix");
    }
    file_.reserve(n_bytes);
    const io::Session session;
    io::Handle hdf5 = io::create_on_disk(file_.temporary());
    io::write_entries(hdf5, state, schema);
    std::size_t end = 0;
    for (const MatrixEntry& m : matrices) {
      const std::vector<std::size_t> shape{static_cast<std::size_t>(m.rows), static_cast<std::size_t>(m.cols)};
      // In the byte order of this machine, which the file names: the numbers are written as they lie in memory.
      const hid_t type = m.number_bytes == 4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
      offsets_.push_back(io::place_dataset(hdf5, m.name, type, shape));
      end = std::max(end, offsets_.back() + shape[0] * shape[1] * m.number_bytes);
    }
    NTKROB_CHECK(hdf5.close(), ResourceError, path, ": cannot write (HDF5: ", io::hdf5_reason(),
                 "); is the disk full?");
    file_.reserve(end);
  }

  template <class R>
  void write(std::size_t k, index row, index col, ConstView2D<R> block) {
    NTKROB_CHECK(k < matrices_.size(), ShapeError, "matrix number ", k, " of ", matrices_.size());
    const MatrixEntry& m = matrices_[k];
    NTKROB_CHECK(m.number_bytes == sizeof(R), ShapeError, "matrix ", m.name, " has ", m.number_bytes,
                 " bytes per number, the block ", sizeof(R));
    NTKROB_CHECK(row >= 0 && col >= 0 && row + block.rows <= m.rows && col + block.cols <= m.cols, ShapeError,
                 "a block of ", block.rows, " x ", block.cols, " at (", row, ",", col, ") of matrix ", m.name, ", ",
                 m.rows, " x ", m.cols);
    for (index i = 0; i < block.rows; ++i) {
      const auto at = static_cast<std::size_t>((row + i) * m.cols + col);
      file_.write_at(offsets_[k] + at * sizeof(R), block.row(i), static_cast<std::size_t>(block.cols) * sizeof(R));
    }
  }

  void commit() {
    io::append_sum(file_);
    file_.commit();
  }

 private:
  io::AtomicFile file_;
  std::vector<MatrixEntry> matrices_;
  std::vector<std::size_t> offsets_;
};

MatrixFile::MatrixFile(const StateDict& state, const std::string& schema, const std::vector<MatrixEntry>& matrices,
                       const std::string& path, bool force)
    : impl_(std::make_unique<Impl>(state, schema, matrices, path, force)) {}
MatrixFile::~MatrixFile() = default;
void MatrixFile::write(std::size_t k, index row, index col, ConstView2D<float> block) {
  impl_->write(k, row, col, block);
}
void MatrixFile::write(std::size_t k, index row, index col, ConstView2D<double> block) {
  impl_->write(k, row, col, block);
}
void MatrixFile::commit() { impl_->commit(); }

}  // namespace ntkrob
