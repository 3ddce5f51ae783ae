#include "robust/initialise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ntkrob/base/random.hpp"
#include "ntkrob/model/classes.hpp"

namespace ntkrob::robust {
namespace {

constexpr index kBlock = 256;

double norm(const float* x, index d) {
  double sum = 0;
  for (index j = 0; j < d; ++j) sum += static_cast<double>(x[j]) * x[j];
  return std::sqrt(sum);
}

/// The angle from the distance of the unit vectors: exact where the inner product is not (near 0, which is the case
/// that matters here).
double angle_between(const float* x, const float* y, index d) {
  const double nx = norm(x, d), ny = norm(y, d);
  double sum = 0;
  for (index j = 0; j < d; ++j) {
    const double difference = x[j] / nx - y[j] / ny;
    sum += difference * difference;
  }
  return 2 * std::asin(std::min(1.0, std::sqrt(sum) / 2));
}

/// The images chosen so far, and the question whether a new one is too close to any of them. Inner products in float32
/// by blocks find the few pairs worth a look; the decision is made in float64, so it does not depend on the order of
/// sums.
class Chosen {
 public:
  Chosen(ConstView2D<float> x, index capacity, double angle, Backend& backend)
      : x_(x),
        angle_(angle),
        screen_(std::cos(angle) - static_cast<double>(x.cols) * std::numeric_limits<float>::epsilon()),
        backend_(backend),
        unit_(angle > 0 ? capacity : 0, x.cols) {}

  const std::vector<index>& images() const { return images_; }

  /// Accepts the candidates, in order, that are far enough from all accepted before; returns those accepted.
  std::vector<index> add(const std::vector<index>& candidates) {
    if (!(angle_ > 0)) {
      images_.insert(images_.end(), candidates.begin(), candidates.end());
      return candidates;
    }
    const index b = static_cast<index>(candidates.size()), old = static_cast<index>(images_.size());
    Matrix<float> block(b, x_.cols);
    for (index i = 0; i < b; ++i) {
      const float* x = x_.row(candidates[static_cast<std::size_t>(i)]);
      const double length = norm(x, x_.cols);
      for (index j = 0; j < x_.cols; ++j) block(i, j) = length > 0 ? static_cast<float>(x[j] / length) : 0.0f;
    }
    Matrix<float> with_old(b, old), with_block(b, b);
    if (old > 0)
      backend_.gemm(Transpose::no, Transpose::yes, 1.0f, block.view(), unit_.view().middle_rows(0, old), 0.0f,
                    with_old.view());
    backend_.gemm(Transpose::no, Transpose::yes, 1.0f, block.view(), block.view(), 0.0f, with_block.view());

    std::vector<index> accepted, positions;
    for (index i = 0; i < b; ++i) {
      const index candidate = candidates[static_cast<std::size_t>(i)];
      bool close = false;
      for (index k = 0; k < old && !close; ++k) close = with_old(i, k) > screen_ && near(candidate, k);
      for (std::size_t k = 0; k < positions.size() && !close; ++k)
        close = with_block(i, positions[k]) > screen_ && near(candidate, old + static_cast<index>(k));
      if (norm(x_.row(candidate), x_.cols) == 0) {  // black images have no direction, but are all the same
        close = has_black_;
        has_black_ = true;
      }
      if (close) continue;
      std::copy_n(block.row(i), x_.cols, unit_.row(static_cast<index>(images_.size())));
      images_.push_back(candidate);
      accepted.push_back(candidate);
      positions.push_back(i);
    }
    return accepted;
  }

 private:
  bool near(index candidate, index k) const {
    const float* x = x_.row(candidate);
    const float* y = x_.row(images_[static_cast<std::size_t>(k)]);
    if (norm(x, x_.cols) == 0 || norm(y, x_.cols) == 0) return false;
    return angle_between(x, y, x_.cols) < angle_;
  }

  ConstView2D<float> x_;
  double angle_, screen_;
  Backend& backend_;
  Matrix<float> unit_;  // capacity x D: unit vectors of the images chosen
  std::vector<index> images_;
  bool has_black_ = false;
};

/// Candidates of every class in random order; hands them out so that the counts stay as equal as possible. A class that
/// has no more is passed over.
class ClassQueues {
 public:
  ClassQueues(const TrainingData& data, const std::vector<index>& pool, std::uint64_t seed)
      : queue_(static_cast<std::size_t>(data.classes)), next_(queue_.size()), accepted_(queue_.size()) {
    const std::vector<index> order = Rng(seed, "support").permutation(static_cast<index>(pool.size()));
    for (const index k : order) {
      const index image = pool[static_cast<std::size_t>(k)];
      const int label = (*data.labels)[static_cast<std::size_t>(image)];
      queue_[static_cast<std::size_t>(label)].push_back(image);
    }
  }

  std::vector<index> take(index count) {
    std::vector<index> pending = accepted_, block;
    while (static_cast<index>(block.size()) < count) {
      std::size_t best = queue_.size();
      for (std::size_t c = 0; c < queue_.size(); ++c)
        if (next_[c] < queue_[c].size() && (best == queue_.size() || pending[c] < pending[best])) best = c;
      if (best == queue_.size()) break;
      block.push_back(queue_[best][next_[best]++]);
      ++pending[best];
    }
    return block;
  }

  void accept(int label) { ++accepted_[static_cast<std::size_t>(label)]; }

 private:
  std::vector<std::vector<index>> queue_;
  std::vector<std::size_t> next_;
  std::vector<index> accepted_;
};

SupportDraw draw_from_data(const RobustifyOptions& options, const TrainingData& data, const std::vector<index>& pool,
                           Backend& backend, const LogSink& log) {
  const index available = static_cast<index>(pool.size());
  NTKROB_CHECK(options.n <= available, ConfigError, field("n"), " is ", given(options.n), ", but only ",
               limit(available), " training images remain beside ", options.validation, " for validation; ",
               advice("lower ", field("n"), " or ", field("validation")));
  ClassQueues queues(data, pool, options.seed);
  Chosen chosen(data.x, options.n, options.duplicate_angle, backend);
  SupportDraw draw;
  while (static_cast<index>(chosen.images().size()) < options.n) {
    const index missing = options.n - static_cast<index>(chosen.images().size());
    const std::vector<index> candidates = queues.take(std::min(kBlock, missing));
    NTKROB_CHECK(!candidates.empty(), ConfigError, field("n"), " is ", given(options.n), ", but only ",
                 limit(chosen.images().size()), " of ", available, " training images are further than ",
                 field("duplicate-angle", options.duplicate_angle), " from each other; ",
                 advice("lower ", field("n"), " or ", field("duplicate-angle")));
    const std::vector<index> accepted = chosen.add(candidates);
    for (const index image : accepted) queues.accept((*data.labels)[static_cast<std::size_t>(image)]);
    draw.duplicates_dropped += static_cast<index>(candidates.size() - accepted.size());
  }
  if (draw.duplicates_dropped > 0)
    ntkrob::log(log, LogLevel::info,
                text(draw.duplicates_dropped, " support candidates closer than ", options.duplicate_angle,
                     " rad to a chosen image were replaced"));
  draw.images = gather(data.x, chosen.images());
  draw.labels = gather(*data.labels, chosen.images());
  draw.sources = chosen.images();
  return draw;
}

SupportDraw draw_noise(const RobustifyOptions& options, const TrainingData& data, const std::vector<index>& present) {
  const Rng rng(options.seed, "support");
  SupportDraw draw;
  draw.images = Matrix<float>(options.n, data.x.cols);
  for (index i = 0; i < options.n; ++i) {
    const Rng pixels = rng.fork(static_cast<std::uint64_t>(i));
    for (index j = 0; j < data.x.cols; ++j)
      draw.images(i, j) = static_cast<float>(pixels.uniform(static_cast<std::uint64_t>(j)));
    draw.labels.push_back(static_cast<int>(present[static_cast<std::size_t>(i) % present.size()]));
  }
  return draw;
}

const std::vector<std::string>& names_of(const TrainingData& data) {
  static const std::vector<std::string> none;
  return data.class_names == nullptr ? none : *data.class_names;
}

/// Says where the set is not balanced over all classes.
void report_classes(const TrainingData& data, const SupportDraw& draw, const std::vector<index>& present,
                    const LogSink& log) {
  const std::vector<std::string>& names = names_of(data);
  std::vector<index> absent;
  for (index c = 0; c < data.classes; ++c)
    if (!std::binary_search(present.begin(), present.end(), c)) absent.push_back(c);
  if (!absent.empty())
    ntkrob::log(log, LogLevel::info,
                text(absent.size(), " of ", data.classes, " classes ", absent.size() == 1 ? "has" : "have",
                     " no training images, and the set gets none: ", class_list(absent, names)));
  const std::vector<index> drawn = class_counts(draw.labels, data.classes);
  const std::vector<index> rare = rare_classes(drawn);
  if (!rare.empty())
    ntkrob::log(log, LogLevel::info,
                text("classes with fewer than ", *std::max_element(drawn.begin(), drawn.end()),
                     " different training images give all they have, and the others fill up: ",
                     class_list(rare, names, &drawn)));
}

}  // namespace

DataSplit split_data(index n_data, index validation, std::uint64_t seed) {
  NTKROB_CHECK(validation < n_data, ConfigError, field("validation"), " is ", given(validation),
               ", but there are only ", limit(n_data), " training images; ",
               advice("lower it (0: no validation, the last iterate is kept)"));
  const std::vector<index> order = Rng(seed, "validation").permutation(n_data);
  DataSplit split;
  split.pool.assign(order.begin(), order.end() - validation);
  split.held_out.assign(order.end() - validation, order.end());
  std::sort(split.pool.begin(), split.pool.end());
  std::sort(split.held_out.begin(), split.held_out.end());
  return split;
}

void keep_every_class(const std::vector<int>& labels, index classes, DataSplit& split) {
  std::vector<index> held = class_counts(gather(labels, split.pool), classes);
  for (auto out = split.held_out.begin(); out != split.held_out.end(); ++out) {
    const auto label = static_cast<std::size_t>(labels[static_cast<std::size_t>(*out)]);
    if (held[label] > 0) continue;
    const auto largest = std::max_element(held.begin(), held.end());
    if (*largest < 2) break;  // fewer images in the pool than classes
    const auto of_largest = [&](index i) {
      return labels[static_cast<std::size_t>(i)] == static_cast<int>(largest - held.begin());
    };
    const auto in = std::find_if(split.pool.rbegin(), split.pool.rend(), of_largest);
    std::swap(*in, *out);
    --*largest;
    ++held[label];
  }
  std::sort(split.pool.begin(), split.pool.end());
  std::sort(split.held_out.begin(), split.held_out.end());
}

Matrix<float> gather(ConstView2D<float> x, const std::vector<index>& indices) {
  Matrix<float> rows(static_cast<index>(indices.size()), x.cols);
  for (std::size_t i = 0; i < indices.size(); ++i)
    std::copy_n(x.row(indices[i]), x.cols, rows.row(static_cast<index>(i)));
  return rows;
}

std::vector<int> gather(const std::vector<int>& labels, const std::vector<index>& indices) {
  std::vector<int> picked;
  picked.reserve(indices.size());
  for (const index i : indices) picked.push_back(labels[static_cast<std::size_t>(i)]);
  return picked;
}

SupportDraw draw_support(const RobustifyOptions& options, const TrainingData& data, const std::vector<index>& pool,
                         Backend& backend, const LogSink& log) {
  const std::vector<index> present = classes_present(class_counts(*data.labels, data.classes));
  const auto fewest = static_cast<index>(present.size());
  NTKROB_CHECK(options.n >= fewest, ConfigError, field("n"), " is ", given(options.n), ", must be ",
               limit("at least one image for each of the ", fewest, " classes that the training images have"), "; ",
               advice("give ", field("n", fewest), " or more"));
  SupportDraw draw =
      options.init == "data" ? draw_from_data(options, data, pool, backend, log) : draw_noise(options, data, present);
  report_classes(data, draw, present, log);
  return draw;
}

}  // namespace ntkrob::robust
