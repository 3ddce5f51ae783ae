/// Characters of UTF-8 in a text that may hold anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ntkrob {

/// Length of the character that begins at `at`, or 0 where there is none: overlong forms, surrogates and what lies
/// beyond U+10FFFF are none.
std::size_t utf8_length(const std::string& text, std::size_t at);
/// The character there.   length: utf8_length(text, at), not 0
std::uint32_t code_point(const std::string& text, std::size_t at, std::size_t length);

}  // namespace ntkrob
