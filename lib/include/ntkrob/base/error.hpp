/// Error classes and checks.
///
/// Every error of the library is a ntkrob::Error with one complete line of text: what is wrong, where, the value found,
/// the limit, and the remedy. The class of the error decides the exit code of the command line tool (exit_code()).
/// Control characters in it, line feeds among them, as names from files may have them, are written as \xNN (printable.hpp), so that
/// nothing cuts it and it stays one line.
/// Caller mistakes throw; a broken internal invariant is NTKROB_ASSERT (aborts, Debug builds only).
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "ntkrob/base/printable.hpp"

namespace ntkrob {

/// Root of all errors thrown by the library.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(printable_line(message)) {}
  /// Process exit code for this class of error: 2 configuration, 3 bad input file, 4 numerical, 5 resource, 130 interrupted.
  virtual int exit_code() const noexcept { return 1; }

 protected:
  enum class Lines { several };
  /// Of lines that are all our own.
  Error(Lines, const std::string& message) : std::runtime_error(printable(message)) {}
};

/// An option, a spec or a combination of them is wrong. Exit code 2.
class ConfigError : public Error {
 public:
  using Error::Error;
  int exit_code() const noexcept override { return 2; }
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
  int exit_code() const noexcept override { return 3; }
};

/// The result is not a number, or no factorisation exists. Exit code 4.
class NumericalError : public Error {
 public:
  using Error::Error;
  int exit_code() const noexcept override { return 4; }
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
  int exit_code() const noexcept override { return 5; }
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
  int exit_code() const noexcept override { return 130; }
};

/// Concatenates its arguments with operator<<. For error messages.
template <class... Args>
std::string text(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

}  // namespace ntkrob

/// Throws ErrorType(text(...)) unless the condition holds.
#define NTKROB_CHECK(condition, ErrorType, ...)                           \
  do {                                                                    \
    if (!(condition)) throw ::ntkrob::ErrorType(::ntkrob::text(__VA_ARGS__)); \
  } while (false)

/// Throws ShapeError unless view has the shape rows x cols; prints the argument's name and both shapes.
#define NTKROB_CHECK_SHAPE(view, n_rows, n_cols)                                                                 \
  NTKROB_CHECK((view).rows == (n_rows) && (view).cols == (n_cols), ShapeError, __func__, ": ", #view, " is ",    \
               (view).rows, " x ", (view).cols, ", expected ", (n_rows), " x ", (n_cols))

/// Throws ConfigError unless low <= value <= high.
#define NTKROB_CHECK_RANGE(name, value, low, high)                                                          \
  NTKROB_CHECK((value) >= (low) && (value) <= (high), ConfigError, name, " is ", (value), ", must be in [", \
               (low), ", ", (high), "]")

#ifdef NDEBUG
#define NTKROB_ASSERT(condition) static_cast<void>(0)
#else
#include <cassert>
#define NTKROB_ASSERT(condition) assert(condition)
#endif
