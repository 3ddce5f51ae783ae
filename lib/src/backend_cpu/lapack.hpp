/// LAPACK of the system, loaded when eigenvalues are first asked for.
///
/// Not linked: an OpenBLAS starts a thread for every processor as soon as it is loaded, and does not get over a process
/// whose address space has no room for them (0.3.21 then waits for ever when the process ends). Most jobs need no
/// eigenvalues, and so load nothing.
#pragma once

#include <string>

namespace ntkrob {

struct Lapack {
  /// dsyevd: all eigenvalues and eigenvectors of a symmetric matrix, by divide and conquer.
  void (*dsyevd)(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
                 const int* lwork, int* iwork, const int* liwork, int* info) = nullptr;
};

/// Null where the build found none, or where the library of the build cannot be loaded here.
///   throws: ResourceError where the address space has no room for it
const Lapack* system_lapack();

/// The name of the library, or empty where the build found none. Loads nothing.
std::string lapack_name();

}  // namespace ntkrob
