// Nets of others, imported from their published weights, against the logits that others computed.
#include <algorithm>
#include <fstream>
#include <iostream>

#include "kit/check.hpp"
#include "nn/torch_arrays.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/exchange/import.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;
using nn_test::images;
using nn_test::matrix;

TEST_CASE("every net of the reference file gives its logits after the import", "[nn][reference]") {
  const char* const file = NTKROB_SHARED_DIR "/reference/autoattack_reference.h5";
  if (!std::ifstream(file)) {
    std::cout << "skipped: " << file << " is absent\n";
    return;
  }
  const auto backend = nn_test::backend(2);
  const std::pair<const char*, const char*> nets[] = {
      {"mlp_adv_linf", "mlp:256,128"},
      {"mlp_std_linf", "flatten-dense(256)-relu-dense(128)-relu-dense"},
      {"mlp_adv_l2", "mlp:256,128"},
      {"cnn_adv_linf", "conv(16,4,stride=2,pad=1)-relu-conv(32,4,stride=2,pad=1)-relu-flatten-dense(100)-relu-dense"}};
  for (const auto& [group, spec] : nets) {
    INFO(group);
    const StateDict arrays = load_arrays(file, group);
    const Net net(import_torch(load_arrays(file, std::string(group) + "/weights"), spec, {28, 28, 1}), *backend);
    const Matrix<float> x = images(arrays, "x");
    const Matrix<float> logits = all_logits(net, x.view());

    REQUIRE(x.rows() == 200);
    // Logits up to 60, from sums of up to 1568 products in float32 in another order.
    NTKROB_CHECK_SAME(kit::compare(logits.view(), matrix(arrays, "logits"), 1e-4));
    const auto& labels = arrays.get<NdArray<std::int64_t>>("y").values;
    const auto& correct = arrays.get<NdArray<std::int64_t>>("clean_correct").values;
    for (index i = 0; i < x.rows(); ++i) {
      const float* row = logits.row(i);
      const auto at = static_cast<std::size_t>(i);
      CHECK((std::max_element(row, row + 10) - row == labels[at]) == (correct[at] != 0));
    }
  }
}
