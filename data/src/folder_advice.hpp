/// What to do with a folder that no format recognises.
#pragma once

#include <string>

namespace ntkrob::io {

/// By the names of the files in it and in its folders, as the end of a message: images and labels in files of their
/// own, pictures without a folder for each class. Empty where nothing is known.
std::string folder_advice(const std::string& folder);

}  // namespace ntkrob::io
