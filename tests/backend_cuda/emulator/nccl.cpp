// NCCL: broadcasts among the devices of one process.
#include <nccl.h>

#include <cstring>
#include <vector>

#include "ntkrob/base/error.hpp"
#include "streams.hpp"

using namespace ntkrob::emulator;

struct ncclComm {
  int rank, ranks, device;
  std::shared_ptr<int> clique;  // the same for those that were made together
};

namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

struct Call {
  const void* from;
  void* to;
  std::size_t bytes;
  int root;
  ncclComm_t comm;
  Line line;
};
thread_local int depth = 0;
thread_local std::vector<Call> calls;

/// All ranks of one broadcast: they begin when all have arrived and end when all have their copy.
void run_together(const std::vector<Call>& ranks) {
  const Call& first = ranks.front();
  if (static_cast<int>(ranks.size()) != first.comm->ranks) stop("a broadcast of NCCL without all ranks never ends");
  const Call* root = nullptr;
  for (const Call& call : ranks) {
    if (call.bytes != first.bytes || call.root != first.root || call.comm->clique != first.comm->clique)
      stop("ranks call NCCL with different arguments");
    if (call.line->device != call.comm->device) stop("a rank of NCCL on a stream of another device");
    if (call.comm->rank == call.root) root = &call;
  }
  if (root == nullptr) stop("a broadcast of NCCL without its root");
  const std::uint64_t begin = root->line->issued;
  for (const Call& call : ranks) {
    if (&call == root) continue;
    depend(call.line, root->line, begin);
    put(call.line,
        {"ncclBroadcast", [from = root->from, to = call.to, bytes = call.bytes] { std::memcpy(to, from, bytes); },
         only(root->comm->device) | only(call.comm->device)});
    depend(root->line, call.line, call.line->issued);
  }
}

}  // namespace

ncclResult_t ncclCommInitAll(ncclComm_t* comms, int n, const int* devices) {
  const Lock lock(big_lock());
  const auto clique = std::make_shared<int>(0);
  for (int rank = 0; rank < n; ++rank) {
    born("NCCL communicators");
    comms[rank] = new ncclComm{rank, n, devices == nullptr ? rank : devices[rank], clique};
    if (comms[rank]->device >= settings().devices) return ncclInvalidArgument;
  }
  return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const Lock lock(big_lock());
  gone("NCCL communicators");
  delete comm;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t status) {
  return status == ncclSuccess ? "no error" : "an error of the emulated device";
}
ncclResult_t ncclGroupStart() {
  ++depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  const Lock lock(big_lock());
  if (--depth > 0) return ncclSuccess;
  const std::vector<Call> all = std::exchange(calls, {});
  if (!all.empty()) run_together(all);
  return ncclSuccess;
}
ncclResult_t ncclBroadcast(const void* from, void* to, std::size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  const Lock lock(big_lock());
  if (type != ncclUint8 && type != ncclInt8) stop("NCCL is emulated for bytes");
  if (stream == nullptr) stop("NCCL is emulated on streams of the program's own");
  calls.push_back({from, to, count, root, comm, line_of(stream)});
  if (depth > 0) return ncclSuccess;
  ++depth;
  return ncclGroupEnd();
}
