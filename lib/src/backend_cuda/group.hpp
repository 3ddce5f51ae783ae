/// Several devices of one host that share the tasks of for_each. The first one has all arrays; what every task reads,
/// laid-out operands and sample tables, is copied to the others through NCCL when it is made.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "backend_cuda/memory.hpp"
#include "backend_cuda/queue.hpp"

namespace ntkrob::cuda {

class Group {
 public:
  /// numbers: of different devices of one model, at least two.
  ///   throws: ConfigError, BackendUnavailable (devices that differ or cannot reach each other), NotCompiled,
  ///   ResourceError
  explicit Group(std::vector<int> numbers);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  int size() const { return static_cast<int>(numbers_.size()); }
  int number(int member) const { return numbers_[static_cast<std::size_t>(member)]; }
  /// Which of `copies` lies on this device.
  std::size_t copy_of(int number) const;

  /// Makes or overwrites the copies on the devices behind the first, after what is on `first` now, and before what
  /// follows there.
  void broadcast(const void* from, std::size_t bytes, std::vector<Memory>& copies, Queue& first);
  /// Frees copies after what is on `first` now.
  void release(std::vector<Memory>& copies, Queue& first) noexcept;

 private:
  struct Links;  // communicators
  std::vector<int> numbers_;
  std::vector<std::unique_ptr<Queue>> queues_;  // of the devices behind the first
  std::unique_ptr<Links> links_;
};

}  // namespace ntkrob::cuda
