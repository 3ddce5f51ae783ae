/// Files that are being written: what is left of them when a process ends before they are finished.
#pragma once

namespace ntkrob {

/// Removes every unfinished output of this process: output files are written under a temporary name beside their
/// target and renamed when they are complete. For the handler of a signal that ends the process: calls nothing but
/// unlink() and touches no memory that another thread may be changing.
void remove_temporary_files() noexcept;

}  // namespace ntkrob
