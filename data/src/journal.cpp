#include "ntkrob/data/journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "atomic_file.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/fnv1a.hpp"
#include "shortage.hpp"

namespace ntkrob {

namespace {

constexpr char kMagic[] = "ntkrob.checkpoint/1 journal\n";
constexpr std::size_t kMagicLength = sizeof kMagic - 1;
constexpr std::uint64_t kMostHead = 1 << 20;

/// FNV-1a, eight bytes at a time, over blocks as over one: detects damage, is not meant against forgery.
class Sum {
 public:
  void add(const void* data, std::size_t n) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (; n > 0 && held_ > 0; ++bytes, --n) hold(*bytes);
    for (; n >= 8; bytes += 8, n -= 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes, 8);
      step(word);
    }
    for (; n > 0; ++bytes, --n) hold(*bytes);
  }
  std::uint64_t value() const {
    Sum rest = *this;
    rest.step(rest.word_);
    rest.step(rest.held_);
    return rest.hash_;
  }

 private:
  void step(std::uint64_t word) {
    hash_ = fnv1a_step(hash_, word);
    hash_ ^= hash_ >> 29;
  }
  void hold(unsigned char byte) {
    word_ |= std::uint64_t{byte} << (8 * held_);
    if (++held_ < 8) return;
    step(word_);
    word_ = held_ = 0;
  }
  std::uint64_t word_ = 0, held_ = 0;  // bytes of a word that is not whole yet
  std::uint64_t hash_ = kFnv1aStart;
};

/// In front of a part.
struct PartHead {
  std::int64_t first = 0, count = 0;
  std::uint64_t bytes = 0, head_sum = 0;
  std::uint64_t own_sum() const {
    Sum sum;
    sum.add(this, offsetof(PartHead, head_sum));
    return sum.value();
  }
};

std::string head_text(const JournalHead& head) {
  std::string all;
  for (const auto& [name, value] : head) all += name + '\0' + value + '\0';
  return all;
}

}  // namespace

class Journal::Impl {
 public:
  Impl(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  ~Impl() { ::close(descriptor_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void open() {
    struct stat info {};
    NTKROB_CHECK(::fstat(descriptor_, &info) == 0 && S_ISREG(info.st_mode), IoError, path_, " is no regular file");
    size_ = static_cast<std::uint64_t>(info.st_size);
    char magic[kMagicLength];
    std::uint64_t length = 0, stored = 0;
    NTKROB_CHECK(get(0, magic, kMagicLength) && std::memcmp(magic, kMagic, kMagicLength) == 0, IoError, path_,
                 " is no checkpoint of finished parts");
    NTKROB_CHECK(get(kMagicLength, &length, 8) && length <= kMostHead, IoError, path_, ": its head is damaged");
    std::string all(length, '\0');
    NTKROB_CHECK(get(kMagicLength + 8, all.data(), length) && get(kMagicLength + 8 + length, &stored, 8), IoError,
                 path_, ": its head is cut off");
    Sum sum;
    sum.add(all.data(), all.size());
    NTKROB_CHECK(sum.value() == stored, IoError, path_, ": its head does not have the checksum that it stores");
    for (std::size_t at = 0; at < all.size();) {
      const std::string name = all.c_str() + at;
      at += name.size() + 1;
      const std::string value = at < all.size() ? all.c_str() + at : "";
      at += value.size() + 1;
      head_.emplace_back(name, value);
    }
    begin_ = end_ = kMagicLength + 16 + length;
  }

  void read(const std::function<void(std::int64_t, std::int64_t, const std::vector<char>&)>& part) {
    std::vector<char> bytes;
    std::uint64_t at = begin_;
    for (PartHead head;
         get(at, &head, sizeof head) && head.own_sum() == head.head_sum && head.bytes <= size_ - at - sizeof head;) {
      bytes.resize(head.bytes);
      std::uint64_t stored = 0;
      if (!get(at + sizeof head, bytes.data(), head.bytes) || !get(at + sizeof head + head.bytes, &stored, 8)) break;
      Sum sum;
      sum.add(bytes.data(), bytes.size());
      if (sum.value() != stored) break;
      at += sizeof head + head.bytes + 8;
      part(head.first, head.count, bytes);
    }
    end_ = at;
    if (end_ < size_)
      NTKROB_CHECK(::ftruncate(descriptor_, static_cast<off_t>(end_)) == 0, ResourceError, "cannot cut ", path_, ": ",
                   std::strerror(errno));
    size_ = end_;
  }

  void append(std::int64_t first, std::int64_t count, const std::vector<std::pair<const void*, std::size_t>>& blocks) {
    PartHead head;
    head.first = first;
    NTKROB_CHECK(end_ == size_, ConfigError, path_, ": parts of an earlier run are read before others are appended");
    head.count = count;
    Sum sum;
    for (const auto& [data, n] : blocks) {
      head.bytes += n;
      sum.add(data, n);
    }
    head.head_sum = head.own_sum();
    const std::uint64_t value = sum.value();
    bool whole = put(&head, sizeof head);
    for (const auto& [data, n] : blocks) whole = whole && put(data, n);
    if (whole && put(&value, 8)) {
      size_ = end_;
      return;
    }
    const int error = errno;
    end_ = size_;
    const bool cut = ::ftruncate(descriptor_, static_cast<off_t>(size_)) == 0;
    throw ResourceError(text("cannot append to ", path_, ": ", std::strerror(error),
                             cut ? "" : " (a part of it that is not whole stays, and is ignored)", "; ",
                             advice("choose a folder with space by ", field("checkpoint"))));
  }

  const JournalHead& head() const { return head_; }

 private:
  bool get(std::uint64_t at, void* data, std::size_t n) const {
    for (auto* bytes = static_cast<char*>(data); n > 0;) {
      const ssize_t got = ::pread(descriptor_, bytes, n, static_cast<off_t>(at));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      bytes += got;
      at += static_cast<std::uint64_t>(got);
      n -= static_cast<std::size_t>(got);
    }
    return true;
  }
  bool put(const void* data, std::size_t n) {
    for (const auto* bytes = static_cast<const char*>(data); n > 0;) {
      const ssize_t done = ::pwrite(descriptor_, bytes, n, static_cast<off_t>(end_));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return false;
      bytes += done;
      end_ += static_cast<std::uint64_t>(done);
      n -= static_cast<std::size_t>(done);
    }
    return true;
  }

  std::string path_;
  int descriptor_;
  JournalHead head_;
  std::uint64_t size_ = 0, begin_ = 0, end_ = 0;  // of the file; of its parts
};

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;

Journal Journal::create(const std::string& path, const JournalHead& head) {
  const std::string all = head_text(head);
  Sum sum;
  sum.add(all.data(), all.size());
  const std::uint64_t length = all.size(), value = sum.value();
  std::string begin(kMagic, kMagicLength);
  begin.append(reinterpret_cast<const char*>(&length), 8);
  begin += all;
  begin.append(reinterpret_cast<const char*>(&value), 8);
  io::write_whole(path, begin.data(), begin.size(), true);
  return open(path);
}

Journal Journal::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) io::fail_system(path, "cannot be opened", errno);
  auto impl = std::make_unique<Impl>(path, descriptor);
  impl->open();
  return Journal(std::move(impl));
}

JournalHead Journal::read_head(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  NTKROB_CHECK(descriptor >= 0, IoError, "cannot open ", path, ": ", std::strerror(errno));
  Impl impl(path, descriptor);
  impl.open();
  return impl.head();
}

bool Journal::is_journal(const std::string& path) noexcept {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  char magic[kMagicLength];
  const bool same = ::read(descriptor, magic, kMagicLength) == static_cast<ssize_t>(kMagicLength) &&
                    std::memcmp(magic, kMagic, kMagicLength) == 0;
  ::close(descriptor);
  return same;
}

const JournalHead& Journal::head() const { return impl_->head(); }
void Journal::read(const std::function<void(std::int64_t, std::int64_t, const std::vector<char>&)>& part) {
  impl_->read(part);
}
void Journal::append(std::int64_t first, std::int64_t count,
                     const std::vector<std::pair<const void*, std::size_t>>& blocks) {
  impl_->append(first, count, blocks);
}

}  // namespace ntkrob
