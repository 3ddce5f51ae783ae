/// Error classes and checks.
///
/// Every error of the library is a ntkrob::Error with one complete line of text: what is wrong, where, the value found,
/// the limit, and the remedy. The class of the error decides the exit code of the command line tool (exit_code()).
///
/// A message may mark its parts, and then they can be asked for one by one:
///
///     NTKROB_CHECK(rank <= n, ConfigError, field("rank"), " is ", given(rank), ", must be ", limit("at most ", n),
///                  "; ", advice("lower it, or give ", field("solver", "direct")));
///
///     what()    rank is 9, must be at most 5; lower it, or give solver=direct
///     field()   rank        value()   9        limit()   at most 5        advice()   lower it, or give solver=direct
///
/// Options have different spellings for those who use the library, the command or another language: in a message they
/// stand as field(), never as a flag, and line() spells them.
///
/// Control characters in it, line feeds among them, as names from files may have them, are written as \xNN
/// (printable.hpp), so that nothing cuts it and it stays one line.
///
/// Caller mistakes throw; a broken internal invariant is NTKROB_ASSERT (aborts, Debug builds only).
#pragma once

#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ntkrob/base/printable.hpp"

namespace ntkrob {

/// Spells an option: its name, and the value that is proposed for it, or an empty text.
using FieldSpelling = std::function<std::string(const std::string& name, const std::string& value)>;

/// A part of a message, see above. For operator<< alone.
struct MessagePart {
  char kind;
  std::string content;
};
std::ostream& operator<<(std::ostream& out, const MessagePart& part);

/// Any text with marked parts, with its options spelt by the caller.   spelling: empty: "rank", "solver=cg"
std::string spelt(const std::string& marked, const FieldSpelling& spelling = {});
std::vector<std::string> spelt(std::vector<std::string> marked, const FieldSpelling& spelling = {});

/// Root of all errors thrown by the library.
class Error : public std::runtime_error {
 public:
  /// message: with or without marked parts
  explicit Error(const std::string& message);
  /// The first part of its kind as what() writes it; empty: none was marked.
  std::string field() const { return first('f'); }
  std::string value() const { return first('v'); }
  std::string limit() const { return first('l'); }
  std::string advice() const { return first('a'); }
  /// what(), with options spelt by the caller.
  std::string line(const FieldSpelling& spelling) const;
  /// The message with its marks, for another error that is made of this one.
  const std::string& marked() const noexcept { return *marked_; }
  /// Process exit code for this class of error: 2 configuration, 3 bad input file, 4 numerical, 5 resource, 130
  /// interrupted.
  static constexpr int kExitCode = 1;
  virtual int exit_code() const noexcept { return kExitCode; }

 protected:
  enum class Lines { several };
  /// Of lines that are all our own.
  Error(Lines, const std::string& message);

 private:
  std::string first(char kind) const;
  std::shared_ptr<const std::string> marked_;
};

/// An option, a spec or a combination of them is wrong. Exit code 2.
class ConfigError : public Error {
 public:
  using Error::Error;
  static constexpr int kExitCode = 2;
  int exit_code() const noexcept override { return kExitCode; }
};

/// Two arrays do not fit each other. Exit code 2.
class ShapeError : public ConfigError {
 public:
  using ConfigError::ConfigError;
};

/// The operation exists, but not for these arguments. Exit code 2.
class NotSupported : public ConfigError {
 public:
  using ConfigError::ConfigError;
};

/// A file is missing, truncated, corrupt or holds what it must not. Exit code 3.
class IoError : public Error {
 public:
  using Error::Error;
  static constexpr int kExitCode = 3;
  int exit_code() const noexcept override { return kExitCode; }
};

/// The result is not a number, or no factorisation exists. Exit code 4.
class NumericalError : public Error {
 public:
  using Error::Error;
  static constexpr int kExitCode = 4;
  int exit_code() const noexcept override { return kExitCode; }
};

/// A value is NaN or infinite.
class NonFinite : public NumericalError {
 public:
  using NumericalError::NumericalError;
};

/// Cholesky met a pivot that is not positive.
class NotPositiveDefinite : public NumericalError {
 public:
  using NumericalError::NumericalError;
};

/// Not enough memory, disk or device. Exit code 5.
class ResourceError : public Error {
 public:
  using Error::Error;
  static constexpr int kExitCode = 5;
  int exit_code() const noexcept override { return kExitCode; }
};

/// The part asked for was left out of this build. Exit code 5.
class NotCompiled : public ResourceError {
 public:
  using ResourceError::ResourceError;
};

/// The backend exists in this build, but not on this machine. Exit code 5.
class BackendUnavailable : public ResourceError {
 public:
  using ResourceError::ResourceError;
};

/// The user asked to stop (Ctrl-C). Exit code 130. The command that goes on may stand in a line of its own.
class Interrupted : public Error {
 public:
  explicit Interrupted(const std::string& message) : Error(Lines::several, message) {}
  static constexpr int kExitCode = 130;
  int exit_code() const noexcept override { return kExitCode; }
};

/// Concatenates its arguments with operator<<. For error messages.
template <class... Args>
std::string text(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// An option by its name as a visit_...() function has it ("attack-steps"), alone or with a value: "solver=cg". Of a
/// switch the values are "true" and "false".
inline MessagePart field(const std::string& name) { return {'f', name}; }
template <class Value>
MessagePart field(const std::string& name, const Value& value) {
  return {'f', text(name, '=', value)};
}
/// The value found, the limit it breaks, and what to do about it.
template <class... Args>
MessagePart given(const Args&... args) {
  return {'v', text(args...)};
}
template <class... Args>
MessagePart limit(const Args&... args) {
  return {'l', text(args...)};
}
template <class... Args>
MessagePart advice(const Args&... args) {
  return {'a', text(args...)};
}

}  // namespace ntkrob

/// Throws ErrorType(text(...)) unless the condition holds.
#define NTKROB_CHECK(condition, ErrorType, ...)                               \
  do {                                                                        \
    if (!(condition)) throw ::ntkrob::ErrorType(::ntkrob::text(__VA_ARGS__)); \
  } while (false)

/// Throws ShapeError unless view has the shape rows x cols; prints the argument's name and both shapes.
#define NTKROB_CHECK_SHAPE(view, n_rows, n_cols)                                                              \
  NTKROB_CHECK((view).rows == (n_rows) && (view).cols == (n_cols), ShapeError, __func__, ": ", #view, " is ", \
               (view).rows, " x ", (view).cols, ", expected ", (n_rows), " x ", (n_cols))

/// Throws ConfigError unless low <= value <= high.
#define NTKROB_CHECK_RANGE(name, value, low, high)                                                \
  NTKROB_CHECK((value) >= (low) && (value) <= (high), ConfigError, ::ntkrob::field(name), " is ", \
               ::ntkrob::given(value), ", must be in ", ::ntkrob::limit("[", (low), ", ", (high), "]"))

#ifdef NDEBUG
#define NTKROB_ASSERT(condition) static_cast<void>(0)
#else
#include <cassert>
#define NTKROB_ASSERT(condition) assert(condition)
#endif
