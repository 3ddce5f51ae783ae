/// A device, its memory and its queues. Whatever fails says so as an ntkrob::Error of one line.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backend_cuda/group.hpp"
#include "backend_cuda/memory.hpp"
#include "backend_cuda/program.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::cuda {

/// A row-major matrix on a device for one operation. What stays is an ntkrob::Array of Device's memory.
template <class T>
class DeviceMatrix {
 public:
  DeviceMatrix() = default;
  DeviceMatrix(index rows, index cols, Stream stream)
      : memory_(
            checked_mul(checked_mul(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols), "device matrix"),
                        sizeof(T), "device matrix"),
            stream),
        view_{static_cast<T*>(memory_.data()), rows, cols, cols} {}
  const DeviceView<T>& view() const { return view_; }
  T* data() const { return view_.data; }
  /// What it lies in, to be kept instead of it.
  Memory memory() && { return std::move(memory_); }

 private:
  Memory memory_;
  DeviceView<T> view_;
};

/// Operations go to the queue of the thread that asks for them: a worker's inside for_each, the outer one elsewhere.
/// for_each lets the workers' queues wait for the outer one, and the outer one for theirs, so that the order of the
/// calls is the order on the device.
///
/// With several devices this is the first of them, which has all arrays; the queues of the workers lie on all of them
/// in turn. Results do not depend on how many there are: a task's bits are the same everywhere.
class Device : public std::enable_shared_from_this<Device> {
 public:
  /// numbers: of devices; none: all there are.
  ///   throws: ConfigError (no such number), BackendUnavailable (too old), and as Group
  explicit Device(const std::vector<int>& numbers);
  /// Of the first.
  int number() const { return number_; }
  int devices() const { return group_ == nullptr ? 1 : group_->size(); }
  /// "device 0", "devices 0, 1".
  std::string numbers() const;
  const std::string& name() const { return name_; }
  std::size_t memory_bytes() const { return memory_bytes_; }
  /// Empty where cuBLAS multiplies bfloat16 numbers, else the reason.
  const std::string& why_no_bfloat16() const { return why_no_bfloat16_; }
  /// When this began.
  std::size_t free_bytes() const { return free_bytes_; }
  /// Bytes copied since the start, to the device and back.
  std::atomic<unsigned long long> to_device{0}, to_host{0};

  /// Memory for an array, freed in the order of the queue of the thread that lets go of it.
  ///   throws: ResourceError with the bytes needed and free
  std::shared_ptr<void> allocate(std::size_t bytes);
  /// Whether this is an address in an array of this device.
  bool holds(const void* address) const;

  /// Whether this is an address in an array, and operations of this thread run on the device that has it.
  bool near(const void* address) const { return holds(address) && !away(); }
  /// Whether operations of this thread run on another device than the first.
  bool away() const;
  /// The array is read by many tasks from now on, and not written until it is shared again.
  void share(const void* array);
  /// A shared array as the device reads it that runs the operations of this thread.
  template <class T>
  T* here(T* address) const {
    return group_ == nullptr || !away() ? address : static_cast<T*>(copy_here(address));
  }

  /// The queue of this thread, which runs on this device from now on.
  Queue& queue();
  /// Whether this thread runs a task of this device's for_each.
  bool in_task() const;

  /// Tasks on the queues of `workers` workers between two calls on the outer queue.
  class Tasks {
   public:
    Tasks(Device& device, int workers);
    ~Tasks();
    Tasks(const Tasks&) = delete;
    Tasks& operator=(const Tasks&) = delete;

   private:
    Device& device_;
    int workers_;
  };
  /// While it lives, this thread is a worker.
  class Inside {
   public:
    Inside(Device& device, int worker);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    std::pair<const Device*, Queue*> before_;
  };

 private:
  struct Kept {
    std::size_t bytes = 0;
    std::vector<Memory> copies;  // on the other devices
    bool current = false;        // they hold what the array holds
  };
  void release(void* address) noexcept;
  void* copy_here(const void* address) const;

  int number_;
  std::string name_, why_no_bfloat16_;
  std::size_t memory_bytes_ = 0, free_bytes_ = 0;
  mutable std::mutex mutex_;
  std::map<const unsigned char*, Kept> arrays_;
  std::unique_ptr<Group> group_;  // null: one device
  std::unique_ptr<Queue> outer_;
  std::vector<std::unique_ptr<Queue>> workers_;
};

}  // namespace ntkrob::cuda
