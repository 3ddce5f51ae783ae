#include "ntkrob/base/fnv1a.hpp"

#include "kit/check.hpp"

using namespace ntkrob;

TEST_CASE("FNV-1a has the values of its authors' test vectors", "[base]") {
  CHECK(fnv1a("") == 0xcbf29ce484222325u);
  CHECK(fnv1a("a") == 0xaf63dc4c8601ec8cu);
  CHECK(fnv1a("foobar") == 0x85944171f73967e8u);
  CHECK(fnv1a("bar", fnv1a("foo")) == fnv1a("foobar"));
  CHECK(fnv1a("\xff") == fnv1a_step(kFnv1aStart, 255));  // bytes are not signed
}
