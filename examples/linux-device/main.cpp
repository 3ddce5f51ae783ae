// Trains a net on a Linux device from the flat file that `ntkrob export` wrote, and writes the weights for
// `ntkrob import`. The file is mapped, not read: rows come from it one by one.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "ntkrob/micro/crc32.hpp"
#include "ntkrob/micro/device_data.hpp"
#include "ntkrob/micro/weights.hpp"

using namespace ntkrob::micro;

namespace {

constexpr char kUsage[] =
    "usage: train_on_device [--epochs N] [--rate X] [--decay X] [--seed N] SET.nkd WEIGHTS.nkw [TEST.nkd]\n"
    "  trains pixels - 32 - classes on SET, writes the weights, and attacks the net on TEST\n";
constexpr uint16_t kHidden = 32, kPgdSteps = 20;

/// What the firmware trains with, unless the command line says otherwise.
struct Training {
  uint32_t epochs = 30;
  float rate = 0.02f;
  float decay = 0.03f;
  uint64_t seed = 1;
};

/// Takes one option. False where there is none of this name, or its value is no number.
bool take_option(Training& training, const char* name, const char* value) {
  char* end = nullptr;
  if (std::strcmp(name, "--epochs") == 0) training.epochs = static_cast<uint32_t>(std::strtoul(value, &end, 10));
  if (std::strcmp(name, "--rate") == 0) training.rate = std::strtof(value, &end);
  if (std::strcmp(name, "--decay") == 0) training.decay = std::strtof(value, &end);
  if (std::strcmp(name, "--seed") == 0) training.seed = std::strtoull(value, &end, 10);
  return end != nullptr && end != value && *end == '\0';
}

int fail(const char* path, const char* what) {
  std::fprintf(stderr, "error: %s: %s\n", path, what);
  return 1;
}

/// A file in memory, read only.
class Mapping {
 public:
  explicit Mapping(const char* path) {
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (file >= 0 && ::fstat(file, &info) == 0 && info.st_size > 0) {
      size_ = static_cast<size_t>(info.st_size);
      bytes_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    }
    if (!good()) reason_ = file >= 0 && info.st_size == 0 ? "is empty" : std::strerror(errno);
    if (file >= 0) ::close(file);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (good()) ::munmap(bytes_, size_);
  }
  bool good() const { return bytes_ != MAP_FAILED; }
  const char* reason() const { return reason_; }
  const void* bytes() const { return bytes_; }
  size_t size() const { return size_; }

 private:
  void* bytes_ = MAP_FAILED;
  size_t size_ = 0;
  const char* reason_ = "";
};

void put(void* file, const void* bytes, size_t n) { std::fwrite(bytes, 1, n, static_cast<std::FILE*>(file)); }

/// False where the file is not whole on the disk.
bool write_file(const Session& session, const char* path) {
  std::FILE* const file = std::fopen(path, "wb");
  if (file == nullptr) return false;
  write_weights(session, put, file);
  const bool good = std::fflush(file) == 0 && std::ferror(file) == 0 && ::fsync(::fileno(file)) == 0;
  return std::fclose(file) == 0 && good;
}

/// A set in a mapped file; says what is wrong with it.
bool open_set(DeviceData& data, const Mapping& file, const char* path) {
  if (!file.good()) return fail(path, file.reason()), false;
  const Status status = open(data, file.bytes(), file.size());
  if (status != Status::ok) fail(path, to_string(status));
  return status == Status::ok;
}

Status train(Session& session, const Training& training, const DeviceData& data, Report& report) {
  Status status = initialise(session, training.seed);
  for (uint32_t epoch = 0; epoch < training.epochs && status == Status::ok; ++epoch) {
    // The rate falls to a tenth in a straight line.
    session.options.lr =
        training.rate * (1.0f - 0.9f * static_cast<float>(epoch) / static_cast<float>(training.epochs));
    status = train_epoch(session, source(data), epoch, report);
  }
  return status;
}

void print_right(const char* name, const Report& report) {
  std::printf("%s: %u of %u right\n", name, static_cast<unsigned>(report.right), static_cast<unsigned>(report.rows));
}

}  // namespace

int main(int argc, char** argv) {
  Training training;
  int at = 1;
  while (at + 1 < argc && take_option(training, argv[at], argv[at + 1])) at += 2;
  if ((argc - at != 2 && argc - at != 3) || argv[at][0] == '-') {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const char *set = argv[at], *weights = argv[at + 1], *test = argc - at == 3 ? argv[at + 2] : nullptr;
  const Mapping set_file(set), test_file(test != nullptr ? test : set);
  DeviceData data, test_data;
  if (!open_set(data, set_file, set) || !open_set(test_data, test_file, test != nullptr ? test : set)) return 1;

  // The shape is the file's, so the arena is of the heap; its size is known before training begins.
  const Layer layers[] = {dense(kHidden), relu(), dense(data.classes)};
  const NetView net{data.shape, layers, 3};
  Options options;
  options.weight_decay = training.decay;
  options.attack = true;
  const size_t bytes = bytes_needed(net, options);
  const std::unique_ptr<void, void (*)(void*)> arena(std::malloc(bytes), std::free);
  if (bytes == 0 || arena == nullptr) return fail(set, bytes == 0 ? "makes no valid net" : "too large for the memory");
  std::printf("%u images, %u - %u - %u in an arena of %zu bytes\n", static_cast<unsigned>(data.rows),
              static_cast<unsigned>(data.shape.size()), kHidden, data.classes, bytes);

  Session session;
  Report report{};
  Status status = check_fit(net, test_data);
  if (status != Status::ok) return fail(test, to_string(status));
  status = open(session, net, options, arena.get(), bytes);
  if (status == Status::ok) status = train(session, training, data, report);
  if (status != Status::ok) return fail(set, to_string(status));
  print_right("last epoch", report);
  if (!write_file(session, weights)) return fail(weights, std::strerror(errno));
  std::printf("weights crc32 0x%08lX\n",
              static_cast<unsigned long>(crc32_of(session.parameters, session.plan.parameters)));
  if (test == nullptr) return 0;

  status = evaluate(session, source(test_data), report);
  if (status == Status::ok) print_right("clean", report);
  if (status == Status::ok) status = evaluate(session, source(test_data), pgd(data.norm, data.eps, kPgdSteps), report);
  if (status != Status::ok) return fail(test, to_string(status));
  print_right("pgd-20", report);
  return 0;
}
