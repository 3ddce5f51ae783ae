// Weights from devices with one field edited, cut off or made longer, the checksum wrong or right, as `ntkrob import`
// reads them: one line that names the file, or the net that ntkrob::micro has of the same bytes.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "micro/block_edits.hpp"
#include "ntkrob/jobs/device.hpp"
#include "ntkrob/micro/weights.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace micro = ntkrob::micro;
using namespace ntkrob;

namespace {

constexpr micro::Layer kImage[] = {micro::conv(2, 2, 1, 1), micro::relu(),    micro::max_pool(2),
                                   micro::conv(2, 2),       micro::flatten(), micro::dense(3)};
constexpr micro::Layer kFlat[] = {micro::flatten(), micro::dense(3), micro::relu(), micro::dense(2)};
constexpr micro::Layer kPooled[] = {micro::avg_pool(2, 1), micro::dense(2)};

/// Weights of such a net.   fields: of the block
std::string weights_of(micro::NetView net, block_edits::Fields& fields) {
  const micro::Options options;
  std::vector<float> arena(micro::bytes_needed(net, options) / sizeof(float));
  micro::Session session;
  REQUIRE(micro::open(session, net, options, arena.data(), arena.size() * sizeof(float)) == micro::Status::ok);
  micro::initialise(session, 7);
  std::string bytes;
  micro::write_weights(
      session,
      [](void* to, const void* from, std::size_t n) {
        static_cast<std::string*>(to)->append(static_cast<const char*>(from), n);
      },
      &bytes);
  fields = {};
  fields.add(4, true);
  fields.add(2, true, 2);
  fields.add(4, true);
  fields.add(2, true, 4);
  fields.add(4, true);
  for (std::uint32_t l = 0; l < net.count; ++l) {
    fields.add(1, true, 4);
    fields.add(2, true, 2);
  }
  fields.add(4, true, session.plan.parameters + 1);
  REQUIRE(fields.end == bytes.size());
  return bytes;
}

/// Logits of a ramp of pixels on the device; empty where they are not finite.
std::vector<float> device_logits(const micro::WeightsFile& file) {
  micro::Options options;
  options.train = false;
  const micro::NetView net{file.input, file.layers, file.count};
  // Parameters where they are aligned: a file in the memory of a host need not be.
  std::vector<float> parameters(file.parameters), arena(micro::bytes_needed(net, options) / sizeof(float));
  for (std::uint32_t k = 0; k < file.parameters; ++k) parameters[k] = micro::load_float(file.numbers + 4 * k);
  micro::Session session;
  REQUIRE(micro::open(session, net, options, parameters.data(), arena.data(), arena.size() * sizeof(float)) ==
          micro::Status::ok);
  for (std::uint32_t k = 0; k < file.input.size(); ++k) session.input()[k] = static_cast<float>(k % 31) / 16.0f - 0.5f;
  const float* logits;
  if (micro::forward(session, logits) != micro::Status::ok) return {};
  return {logits, logits + session.plan.classes};
}

std::vector<float> host_logits(const Net& net) {
  Matrix<float> x(1, net.input_shape().size()), logits(1, net.classes());
  for (index k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(k % 31) / 16.0f - 0.5f;
  net.logits(x.view(), logits.view());
  return {logits.data(), logits.data() + logits.size()};
}

}  // namespace

TEST_CASE("edited weights of devices are one line with the file, or the net that the device has", "[cli][edits]") {
  const auto backend = make_backend("cpu", 1);
  int tried = 0, refused = 0, compared = 0;
  const micro::NetView nets[] = {{{4, 5, 1}, kImage, 6}, {{2, 3, 1}, kFlat, 4}, {{3, 3, 2}, kPooled, 2}};
  for (const micro::NetView& view : nets) {
    block_edits::Fields fields;
    const std::string block = weights_of(view, fields);
    block_edits::Edits edits(reinterpret_cast<const std::uint8_t*>(block.data()),
                             static_cast<std::uint32_t>(block.size()), fields);
    while (edits.next()) {
      ++tried;
      const std::string bytes(reinterpret_cast<const char*>(edits.bytes()), edits.n);
      INFO("edit " << edits.tried << (edits.sealed ? ", with a right checksum" : ""));
      micro::WeightsFile file;
      const bool whole = micro::open(file, bytes.data(), bytes.size()) == micro::Status::ok;
      std::vector<float> found;
      try {
        const Net net = jobs::decode_weights(bytes, "edited.nkw", *backend);
        REQUIRE(whole);
        INFO(net.spec());
        const std::size_t pixels = file.input.size();
        constexpr std::size_t kMostPixels = 100000;  // larger images are the same net, and take their time
        if (pixels > kMostPixels) continue;
        found = host_logits(net);
        const std::vector<float> expected = device_logits(file);
        if (expected.empty()) continue;
        ++compared;
        REQUIRE(found.size() == expected.size());
        float scale = 1;
        for (const float v : expected) scale = std::max(scale, std::abs(v));
        for (std::size_t j = 0; j < found.size(); ++j)
          if (!(std::abs(found[j] - expected[j]) <= 1e-4f * scale))
            FAIL("logit " << j << " is " << found[j] << ", on the device " << expected[j]);
      } catch (const Error& error) {
        ++refused;
        const std::string message = error.what();
        INFO(message);
        CHECK(error.exit_code() == 3);
        CHECK(message.rfind("edited.nkw: ", 0) == 0);
        CHECK(message.size() < 1000);
        CHECK(message.find('\n') == std::string::npos);
      }
    }
  }
  std::printf("edits of weights: %d, %d refused, %d with the logits of the device\n", tried, refused, compared);
  CHECK(tried > 5000);
  CHECK(compared > 300);
}

TEST_CASE("a window on a flattened input is refused before a net of the host's size is made", "[cli][edits]") {
  // On the device 6 channels of one pixel, on the host an image of 2 x 3: as many numbers in the file, others in the
  // net.
  constexpr micro::Layer kLayers[] = {micro::flatten(), micro::conv(2, 1), micro::dense(3)};
  block_edits::Fields fields;
  const std::string bytes = weights_of({{2, 3, 1}, kLayers, 3}, fields);
  const auto backend = make_backend("cpu", 1);
  std::string message;
  try {
    jobs::decode_weights(bytes, "flat.nkw", *backend);
  } catch (const IoError& error) {
    message = error.what();
  }
  INFO(message);
  CHECK(message.rfind("flat.nkw: layer 1 looks at windows", 0) == 0);
}
