/// The one text grammar of the library: kernels, nets, attacks and schedules are written in it.
///
///     spec  := item { "-" item }            dense(w=1.4,b=0.1)-relu-dense
///     item  := name [ ":" value ] [ "(" argument { "," argument } ")" ]        fc:3    mlp:256,128    pgd(steps=40)
///     argument := [ key "=" ] ( value | branches )                             a value without key is positional
///     branches := [ spec ] { "|" [ spec ] }      residual(relu-conv(3))    sum(relu-conv(3) | )
///                 not empty as a whole
///     name, key := letter { letter | digit | "_" }
///     value := any characters except  , ( ) = - |  and white space;
///              a "-" is allowed as a sign or in an exponent (1e-3);
///              after ":" a value may contain commas, except inside of branches
///
/// Specs nest to a depth of kMaxSpecDepth. What an argument holds shows only to its reader: a single word is a value as
/// well as a branch of one item, so that branches are kept as text until parse_branches() reads them.
///
/// Names may contain "-" followed by a digit or letter only where the caller splits lists itself (attack names such as
/// pgd-40 are not parsed with this grammar's "-"). White space around items is ignored.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

constexpr int kMaxSpecDepth = 50;

/// One argument: key empty when positional. position is the offset of the value in the whole text. Nested specs are
/// kept as they were written, without white space around them.
struct SpecArgument {
  std::string key;
  std::string value;
  std::size_t position = 0;
};

/// One item of a spec. position is the offset of the name in the whole text.
struct SpecItem {
  std::string name;
  std::string suffix;  // what follows ":", empty if none
  std::vector<SpecArgument> arguments;
  std::size_t position = 0;
};

/// throws: ConfigError with the position (counted from 1) and the text with a marker under it.
std::vector<SpecItem> parse_spec(const std::string& text);

/// The nested specs of an argument of a spec parsed from `text`; an empty one has no items. All positions are offsets
/// in the whole text. throws: like parse_spec, also for values that no spec can be ("3").
std::vector<std::vector<SpecItem>> parse_branches(const std::string& text, const SpecArgument& argument);

/// A ConfigError about `text` at the offset `position`, in the house form: message, then the text with a marker.
[[noreturn]] void spec_error(const std::string& text, std::size_t position, const std::string& message);

/// The items of a list, without the white space around them: "a, b(c,d),e" -> {"a", "b(c,d)", "e"}. Separators inside
/// parentheses do not split.   what: the name of the list in messages
///   throws: ConfigError naming `what` for an empty item or parentheses that do not match
std::vector<std::string> split_list(const std::string& list, const std::string& what, char separator = ',');

/// Decimal number or fraction ("8/255"). throws: ConfigError naming `what`; NaN and infinity are refused.
double parse_number(const std::string& text, const std::string& what);
/// The largest number of things that options count: 2^40, or what `index` holds where it has 32 bits.
constexpr auto kMostCounted =
    static_cast<index>(std::min(std::int64_t{1} << 40, std::int64_t{std::numeric_limits<index>::max()}));
/// Whole number in [low, high]. throws: ConfigError naming `what` and the limits.
index parse_integer(const std::string& text, const std::string& what, index low, index high);
/// Shortest text that parse_number reads back to the same bits.
std::string format_number(double value);

}  // namespace ntkrob
