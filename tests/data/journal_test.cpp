#include "ntkrob/data/journal.hpp"

#include <cstdint>
#include <cstring>
#include <fstream>

#include "data/data_kit.hpp"
#include "kit/check.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/data/format.hpp"

using namespace ntkrob;

namespace {

const JournalHead kHead{{"job", "kernel"}, {"empty", ""}, {"kernel", "fc:3"}};

/// Bytes of part k.
std::string content(int k) {
  std::string bytes;
  const Rng rng(1, "journal");
  for (int i = 0; i < 37 + 5 * k; ++i)
    bytes += static_cast<char>(rng.below(static_cast<std::uint64_t>(100 * k + i), 256));
  return bytes;
}

void append(Journal& journal, int k) {
  const std::string bytes = content(k);
  // In blocks of odd lengths: a part is what they are together.
  journal.append(k, 10 + k, {{bytes.data(), 3}, {bytes.data() + 3, 0}, {bytes.data() + 3, bytes.size() - 3}});
}

/// Whole parts from the first on; each is checked.
int parts_in(const std::string& path) {
  int parts = 0;
  Journal journal = Journal::open(path);
  CHECK(journal.head() == kHead);
  journal.read([&](std::int64_t first, std::int64_t count, const std::vector<char>& bytes) {
    CHECK(first == parts);
    CHECK(count == 10 + parts);
    CHECK(std::string(bytes.data(), bytes.size()) == content(parts));
    ++parts;
  });
  return parts;
}

}  // namespace

TEST_CASE("a journal cut anywhere has the whole parts before the cut, and goes on from there", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("x.ckpt");
  std::vector<std::size_t> ends;
  {
    Journal journal = Journal::create(path, kHead);
    ends.push_back(read_bytes(path).size());
    for (int k = 0; k < 3; ++k) {
      append(journal, k);
      ends.push_back(read_bytes(path).size());
    }
  }
  CHECK(Journal::is_journal(path));
  CHECK(parts_in(path) == 3);
  const std::string whole = read_bytes(path);
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    write_text(path, whole.substr(0, length), true);
    INFO("cut after " << length << " bytes");
    if (length < ends[0]) {
      CHECK_THROWS_AS(Journal::open(path), IoError);
      continue;
    }
    const int left = static_cast<int>(std::upper_bound(ends.begin(), ends.end(), length) - ends.begin()) - 1;
    CHECK(parts_in(path) == left);
    CHECK(read_bytes(path).size() == ends[static_cast<std::size_t>(left)]);
    Journal journal = Journal::open(path);
    journal.read([](auto...) {});
    for (int k = left; k < 3; ++k) append(journal, k);
    CHECK(read_bytes(path) == whole);
  }
}

TEST_CASE("a flipped bit of a journal ends it before the part, or is an error in its head", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("x.ckpt");
  {
    Journal journal = Journal::create(path, kHead);
    for (int k = 0; k < 2; ++k) append(journal, k);
  }
  const std::string whole = read_bytes(path);
  int errors = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    write_text(path, flipped, true);
    INFO("byte " << at);
    try {
      const int parts = parts_in(path);
      CHECK(parts < 2);
    } catch (const IoError&) {
      ++errors;
    }
  }
  CHECK(errors > 50);
  write_text(path, "something else", true);
  CHECK(!Journal::is_journal(path));
  CHECK(!Journal::is_journal(folder.file("absent")));
}

TEST_CASE("parts of an earlier run are read before others are appended", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("x.ckpt");
  {
    Journal journal = Journal::create(path, kHead);
    append(journal, 0);
  }
  Journal journal = Journal::open(path);
  CHECK_THROWS_AS(append(journal, 1), ConfigError);
}
