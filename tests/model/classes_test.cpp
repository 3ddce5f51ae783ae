#include "ntkrob/model/classes.hpp"

#include <catch2/catch.hpp>
#include <numeric>

#include "ntkrob/base/error.hpp"

namespace ntkrob {
namespace {

using Counts = std::vector<index>;

/// One image at a time to the class that has the fewest, the first of equals.
Counts one_by_one(const Counts& held, index n) {
  Counts shares(held.size(), 0);
  for (index k = 0; k < n; ++k) {
    std::size_t best = held.size();
    for (std::size_t c = 0; c < held.size(); ++c)
      if (shares[c] < held[c] && (best == held.size() || shares[c] < shares[best])) best = c;
    if (best == held.size()) break;
    ++shares[best];
  }
  return shares;
}

}  // namespace

TEST_CASE("shares are those of handing out images one by one to the class that has the fewest", "[model]") {
  for (const Counts& held : {Counts{10, 10, 10}, Counts{0, 10, 10}, Counts{10, 0, 2, 7}, Counts{1, 1, 1, 50},
                             Counts{0, 0, 3}, Counts{5, 4, 3, 2, 1, 0}, Counts{0, 0}, Counts{}})
    for (index n = 0; n <= 60; ++n) {
      INFO("n " << n << ", " << held.size() << " classes");
      CHECK(balanced_shares(held, n) == one_by_one(held, n));
    }
  CHECK(balanced_shares({4, 4, 4}, 100) == Counts{4, 4, 4});
}

TEST_CASE("rare are the classes whose share is smaller than the largest by more than a remainder", "[model]") {
  CHECK(rare_classes({0, 4, 2, 4}) == Counts{2});
  CHECK(rare_classes({0, 4, 3, 3}).empty());
  CHECK(rare_classes({36, 36, 30, 1}) == Counts{2, 3});
  CHECK(rare_classes({0, 0}).empty());
  CHECK(rare_classes({}).empty());
  CHECK(classes_present({0, 3, 0, 1}) == Counts{1, 3});
  CHECK(class_counts({1, 1, 3}, 5) == Counts{0, 2, 0, 1, 0});
  CHECK_THROWS_WITH(class_counts({1, 5}, 5), Catch::Contains("label is 5"));
}

TEST_CASE("messages name classes by number and name, in one line of bounded length", "[model]") {
  const std::vector<std::string> names{"0", "dog\n", "", std::string(500, 'x'), std::string("a\0b", 3)};
  CHECK(class_text(0, names) == "0");
  CHECK(class_text(1, names) == "1 (dog\\x0A)");
  CHECK(class_text(2, names) == "2");
  CHECK(class_text(3, names).size() < 60);
  CHECK(class_text(4, names) == "4 (a\\x00b)");
  CHECK(class_text(7, names) == "7");
  const Counts counts{4, 1};
  CHECK(class_list({0, 1}, names, &counts) == "0: 4 images, 1 (dog\\x0A): 1 image");
  Counts many(100);
  std::iota(many.begin(), many.end(), index{0});
  CHECK(class_list(many, {}) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 90 more");
}

}  // namespace ntkrob
