/// Lists as JSON has them, for the metadata of ONNX files. Private to jobs.
#pragma once

#include <string>
#include <vector>

namespace ntkrob::jobs {

/// ["cat", "d\u00f6g"]: in ASCII. Bytes that are no UTF-8 become U+FFFD.
std::string json_list(const std::vector<std::string>& texts);
/// [0.0,1.5]: shortest numbers that are read back to the same bits.
std::string json_list(const std::vector<float>& numbers);

}  // namespace ntkrob::jobs
