// Says where it looks for modules: the answer of runtime code that lies in a library.
#include "runtime/module.hpp"

extern "C" const char* plugin_module_folder() {
  static const std::string folder = ntkrob::module_folders(ntkrob::own_file()).front();
  return folder.c_str();
}
