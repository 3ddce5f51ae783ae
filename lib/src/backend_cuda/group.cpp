#include "backend_cuda/group.hpp"

#include <algorithm>
#include <string>

#ifdef NTKROB_HAVE_NCCL
#include <nccl.h>
#endif

namespace ntkrob::cuda {
namespace {

cudaDeviceProp properties_of(int number) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, number), "asking for the device's properties");
  return properties;
}

/// Other devices read and write the arrays of the first: memory of a pool is opened to them by name.
void open_pool(int first, const std::vector<int>& numbers) {
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, first), "finding the memory pool");
  for (const int number : numbers) {
    if (number == first) continue;
    int reaches = 0;
    check(cudaDeviceCanAccessPeer(&reaches, number, first), "asking how devices are connected");
    NTKROB_CHECK(reaches != 0, BackendUnavailable, "backend cuda: device ", number,
                 " cannot reach the memory of device ", first, "; see nvidia-smi topo -p2p r, or name one device");
    cudaMemAccessDesc access{};
    access.location.type = cudaMemLocationTypeDevice;
    access.location.id = number;
    access.flags = cudaMemAccessFlagsProtReadWrite;
    check(cudaMemPoolSetAccess(pool, &access, 1), "opening memory to other devices");
  }
}

}  // namespace

#ifdef NTKROB_HAVE_NCCL

struct Group::Links {
  std::vector<ncclComm_t> all;
  ~Links() {
    for (const ncclComm_t one : all) ncclCommDestroy(one);
  }
};

namespace {
void check(ncclResult_t status, const char* what) {
  NTKROB_CHECK(status == ncclSuccess, ResourceError, "backend cuda: ", what, ": NCCL: ", ncclGetErrorString(status));
}
}  // namespace

#else

struct Group::Links {};

#endif

Group::Group(std::vector<int> numbers) : numbers_(std::move(numbers)) {
#ifdef NTKROB_HAVE_NCCL
  const std::string model = properties_of(numbers_[0]).name;
  for (std::size_t i = 1; i < numbers_.size(); ++i) {
    NTKROB_CHECK(std::count(numbers_.begin(), numbers_.end(), numbers_[i]) == 1, ConfigError, "backend cuda: device ",
                 numbers_[i], " is named twice");
    const std::string other = properties_of(numbers_[i]).name;
    NTKROB_CHECK(other == model, BackendUnavailable, "backend cuda: devices ", numbers_[0], " (", model, ") and ",
                 numbers_[i], " (", other, ") differ: results would depend on which computes what; name equal ones");
  }
  open_pool(numbers_[0], numbers_);
  for (std::size_t i = 1; i < numbers_.size(); ++i) {
    check(cudaSetDevice(numbers_[i]), "choosing the device");
    queues_.push_back(std::make_unique<Queue>());
  }
  links_ = std::make_unique<Links>();
  std::vector<ncclComm_t> made(numbers_.size());
  check(ncclCommInitAll(made.data(), size(), numbers_.data()), "connecting devices");
  links_->all = std::move(made);
  check(cudaSetDevice(numbers_[0]), "choosing the device");
#else
  throw NotCompiled(
      "backend cuda: several devices need NCCL: configure with -DNTKROB_WITH_NCCL=ON, or name one device");
#endif
}

Group::~Group() = default;

std::size_t Group::copy_of(int number) const {
  return static_cast<std::size_t>(std::find(numbers_.begin(), numbers_.end(), number) - numbers_.begin()) - 1;
}

void Group::broadcast(const void* from, std::size_t bytes, std::vector<Memory>& copies, Queue& first) {
#ifdef NTKROB_HAVE_NCCL
  if (bytes == 0) return;
  const auto each = [&](auto&& act) {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      check(cudaSetDevice(numbers_[i + 1]), "choosing the device");
      act(i, *queues_[i]);
    }
    check(cudaSetDevice(numbers_[0]), "choosing the device");
  };
  if (copies.empty()) {
    std::vector<Memory> made(queues_.size());
    each([&](std::size_t i, Queue& queue) { made[i] = Memory(bytes, queue.stream); });
    copies = std::move(made);
  }
  each(
      [&](std::size_t, Queue& queue) { queue.wait_for(first); });  // whoever read them before has been waited for there
  check(ncclGroupStart(), "copying between devices");
  check(ncclBroadcast(from, const_cast<void*>(from), bytes, ncclUint8, 0, links_->all[0], first.stream),
        "copying between devices");
  each([&](std::size_t i, Queue& queue) {
    check(ncclBroadcast(from, copies[i].data(), bytes, ncclUint8, 0, links_->all[i + 1], queue.stream),
          "copying between devices");
  });
  check(ncclGroupEnd(), "copying between devices");
  for (const auto& queue : queues_) first.wait_for(*queue);
#else
  (void)from, (void)bytes, (void)copies, (void)first;
#endif
}

void Group::release(std::vector<Memory>& copies, Queue& first) noexcept {
  for (std::size_t i = 0; i < copies.size(); ++i) {
    cudaSetDevice(numbers_[i + 1]);
    queues_[i]->follow(first);
    copies[i] = Memory();
  }
  copies.clear();
  cudaSetDevice(numbers_[0]);
}

}  // namespace ntkrob::cuda
