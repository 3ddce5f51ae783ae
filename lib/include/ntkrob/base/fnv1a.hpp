/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): names and other data that are to have the same number on
/// every machine, as those of std::hash need not. Detects other data; is not meant against forgery.
#pragma once

#include <cstdint>
#include <string_view>

namespace ntkrob {

inline constexpr std::uint64_t kFnv1aStart = 14695981039346656037u;

/// One unit more. The hash of the standard takes bytes; a larger unit costs one multiplication, too, and is another
/// hash.
constexpr std::uint64_t fnv1a_step(std::uint64_t hash, std::uint64_t unit) { return (hash ^ unit) * 1099511628211u; }

/// The bytes of a text, after those that made `hash`.
constexpr std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = kFnv1aStart) {
  for (const char c : bytes) hash = fnv1a_step(hash, static_cast<unsigned char>(c));
  return hash;
}

}  // namespace ntkrob
