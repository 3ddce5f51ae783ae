/// What a process leaves behind that ends before it has finished: files that are being written, and child processes
/// that look at files.
#pragma once

namespace ntkrob {

/// Removes every unfinished output of this process: output files are written under a temporary name beside their
/// target and renamed when they are complete. For the handler of a signal that ends the process: calls nothing but
/// unlink() and touches no memory that another thread may be changing.
void remove_temporary_files() noexcept;

/// Ends the child processes in which this one looks at files of HDF5. Linux ends them with their parent; other systems
/// do not. For such a handler too: calls nothing but kill().
void end_child_processes() noexcept;

}  // namespace ntkrob
