/// A message sink that is passed in. The library has no global logger: without a sink it is silent.
#pragma once

#include <functional>
#include <string>

namespace ntkrob {

enum class LogLevel { debug, info, warning };

/// Receives one complete line without line feed. Must not throw.
using LogSink = std::function<void(LogLevel, const std::string&)>;

/// Sends to the sink if there is one.
inline void log(const LogSink& sink, LogLevel level, const std::string& line) {
  if (sink) sink(level, line);
}

}  // namespace ntkrob
