#include "ntkrob/base/error.hpp"

#include <algorithm>
#include <ostream>

namespace ntkrob {

namespace {

// In front of the letter of its kind, and behind a part. Two characters that no name has beside each other but on
// purpose.
constexpr char kBegin[] = "\x02\x1e", kEnd[] = "\x03\x1e";
constexpr std::size_t kMark = 2;

std::string plain(const std::string& name, const std::string& value) {
  return value.empty() ? name : name + "=" + value;
}

/// The message with every part written out. Marks that do not match, as foreign text may have them, are left out.
std::string written(const std::string& marked, const FieldSpelling& spelling) {
  std::string out;
  for (std::size_t at = 0; at < marked.size();) {
    if (marked.compare(at, kMark, kBegin) != 0) {
      if (marked.compare(at, kMark, kEnd) == 0)
        at += kMark;
      else
        out += marked[at++];
      continue;
    }
    const bool is_field = at + kMark < marked.size() && marked[at + kMark] == 'f';
    at = std::min(marked.size(), at + kMark + 1);
    if (!is_field) continue;
    const std::size_t end = std::min(marked.size(), marked.find(kEnd, at));
    const std::string content = marked.substr(at, end - at);
    const std::size_t equals = content.find('=');
    out += equals == std::string::npos ? spelling(content, "")
                                       : spelling(content.substr(0, equals), content.substr(equals + 1));
    at = end;
  }
  return out;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const MessagePart& part) {
  return out << kBegin << part.kind << part.content << kEnd;
}

std::string spelt(const std::string& marked, const FieldSpelling& spelling) {
  return written(marked, spelling ? spelling : plain);
}

std::vector<std::string> spelt(std::vector<std::string> marked, const FieldSpelling& spelling) {
  for (std::string& one : marked) one = spelt(one, spelling);
  return marked;
}

Error::Error(const std::string& message)
    : std::runtime_error(printable_line(written(message, plain))), marked_(std::make_shared<std::string>(message)) {}

Error::Error(Lines, const std::string& message)
    : std::runtime_error(printable(written(message, plain))), marked_(std::make_shared<std::string>(message)) {}

std::string Error::line(const FieldSpelling& spelling) const { return printable_line(written(*marked_, spelling)); }

std::string Error::first(char kind) const {
  const std::string begin = std::string(kBegin) + kind;
  std::size_t at = marked_->find(begin);
  if (at == std::string::npos) return {};
  at += begin.size();
  // Parts may hold parts.
  std::size_t depth = 1, end = at;
  while (end < marked_->size()) {
    if (marked_->compare(end, kMark, kBegin) == 0) ++depth;
    if (marked_->compare(end, kMark, kEnd) == 0 && --depth == 0) break;
    ++end;
  }
  const std::string content = marked_->substr(at, end - at);
  return printable_line(kind == 'f' ? content.substr(0, content.find('=')) : written(content, plain));
}

}  // namespace ntkrob
