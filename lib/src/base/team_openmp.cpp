#include <omp.h>

#include "base/team.hpp"

namespace ntkrob::base {
namespace {

/// The OpenMP run time keeps its threads between regions and shares them with other OpenMP code in the process, for
/// example a BLAS.
class OpenMpTeam : public Team {
 public:
  /// A run time that gets no thread ends the process: whether there are as many is tried before.
  explicit OpenMpTeam(int size) : size_(size) { make_thread_team(size); }

  void run(const std::function<void(int)>& body) override {
#pragma omp parallel num_threads(size_)
    body(omp_get_thread_num());
  }

 private:
  int size_;
};

}  // namespace

std::unique_ptr<Team> make_team(int size) { return std::make_unique<OpenMpTeam>(size); }

}  // namespace ntkrob::base
