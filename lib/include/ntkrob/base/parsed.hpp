/// Parsed<T>: an option that is a text with a meaning (a kernel, a list of attacks, a schedule): read once, when it is
/// set, and a value from then on.
///
///     Parsed<KernelSpec> kernel = "fc:3";      // throws what KernelSpec::parse throws
///     kernel->layers();  kernel.text();        // the value; the text as it was given
#pragma once

#include <memory>
#include <string>

#include "ntkrob/base/error.hpp"

namespace ntkrob {

/// T: static T parse(const std::string& text), which throws ConfigError. Copies share the value.
template <class T>
class Parsed {
 public:
  /// Empty: nothing was given.
  Parsed() = default;
  /// throws: as T::parse; an empty text is the empty option
  Parsed(const std::string& text)
      : text_(text), value_(text.empty() ? nullptr : std::make_shared<const T>(T::parse(text))) {}
  Parsed(const char* text) : Parsed(std::string(text)) {}

  const std::string& text() const { return text_; }
  bool empty() const { return value_ == nullptr; }
  /// requires: !empty()
  const T& operator*() const {
    NTKROB_ASSERT(value_ != nullptr);
    return *value_;
  }
  const T* operator->() const { return &**this; }

 private:
  std::string text_;
  std::shared_ptr<const T> value_;
};

template <class T>
const std::string& value_text(const Parsed<T>& value) {
  return value.text();
}

}  // namespace ntkrob
