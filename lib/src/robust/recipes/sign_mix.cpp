/// sign-mix: x' = clip(x + eps s, 0, 1), with s a pattern of signs that says nothing of the class of x.
///
///   digit   s_p = +1 where an image of another class, rolled by a few pixels, is above 1/2, else -1
///   smooth  s = sign(box_k * z), k of {1, 3, 5, 7, 11}, z standard normal for every pixel and channel, 0 outside
///   mix     pixel by pixel one of a digit and a smooth pattern, each with probability 1/2
///
/// Everything random is a function of (seed, purpose, copy, row of the given data). Rolls and boxes go along height and
/// width; numbers without positions (1 x 1 x D) are not rolled, and boxes go along the D.
#include <algorithm>
#include <functional>
#include <limits>
#include <map>

#include "ntkrob/base/random.hpp"
#include "ntkrob/model/classes.hpp"
#include "robust/given.hpp"
#include "robust/initialise.hpp"
#include "robust/per_image.hpp"
#include "robust/recipe_kit.hpp"

namespace ntkrob::robust {
namespace {

const char* const kName = "sign-mix";
constexpr index kBoxes[] = {1, 3, 5, 7, 11};
constexpr index kRowsPerTask = 8;  // some 0.2 ms of work for images of 784 pixels
constexpr double kMostShift = 10000;

/// Numbers of an image's stream of choices.
enum Choice : std::uint64_t { kClean, kField, kOtherClass, kOtherImage, kDown, kRight, kBox };
enum class Pattern { digit, smooth, mix };

struct Share {
  Pattern pattern;
  double upto;  // sum of this share and those before it; the last one is 1
};

/// "digit:2,smooth" -> digit up to 2/3, smooth up to 1.   throws: ConfigError about the field "fields"
std::vector<Share> parse_fields(const std::string& fields) {
  const std::map<std::string, Pattern> known{
      {"digit", Pattern::digit}, {"smooth", Pattern::smooth}, {"mix", Pattern::mix}};
  std::vector<Share> shares;
  double sum = 0;
  for (const std::string& item : split_list(fields, "fields")) {
    const std::size_t colon = std::min(item.find(':'), item.size());
    const std::string name = item.substr(0, colon);
    const auto found = known.find(name);
    NTKROB_CHECK(found != known.end(), ConfigError, field("fields"), " has \"", given(name), "\", must be of ",
                 limit("digit, smooth, mix"),
                 ", each with or without a share: ", advice(field("fields", "digit:2,smooth:1")));
    for (const Share& share : shares)
      NTKROB_CHECK(share.pattern != found->second, ConfigError, field("fields"), " is \"", given(fields), "\" and has ",
                   name, " twice; ", advice("give it once, with a share: ", name, ":2"));
    double share = 1;
    if (colon < item.size()) {
      share = parse_number(item.substr(colon + 1), "fields");
      NTKROB_CHECK(share > 0 && share <= 1e9, ConfigError, field("fields"), " has the share ", given(share), " for ",
                   name, ", must be ", limit("above 0 and at most 1e9"), "; ",
                   advice("leave out a pattern that is not wanted"));
    }
    sum += share;
    shares.push_back({found->second, sum});
  }
  for (Share& share : shares) share.upto /= sum;
  return shares;
}

struct SignMixOptions {
  double eps = 0.3;
  index copies = 1;
  double clean = 0;
  std::string fields = "digit,smooth,mix";
  index shift = 2;
  index n = 0;
  index batch = 1000;
  std::uint64_t seed = 0;

  void validate() const { parse_fields(fields); }
  std::unique_ptr<Recipe> make(const RecipeInput& input) const;
  std::string plan(const RecipeInput& input) const;
  /// Images of the result.   throws: ConfigError about n, ResourceError about copies
  index images(const RecipeInput& input) const;
};

template <class Options, class Visitor>
void visit_fields(Options& o, Visitor&& visitor) {
  visitor("eps", o.eps, "how far each pixel moves, up or down, in pixel units: 0.3 or 80/255", within(0, 1, "pixels"));
  visitor("copies", o.copies, "of every image, each under a pattern of its own", at_least(1));
  visitor("clean", o.clean, "share of the copies that stay as they are, drawn by the seed", within(0, 1));
  visitor("fields", o.fields,
          "patterns, equally likely or in stated shares (digit:2,smooth:1,mix:1): digit, smooth, mix of both");
  visitor("shift", o.shift, "digit patterns are rolled by at most so many pixels each way", within(0, kMostShift));
  visitor("n", o.n, "images to take, balanced over classes and drawn by the seed; 0: all", at_least(0, "images"));
  visitor("batch", o.batch, "images of one step", at_least(1, "images"));
  visitor("seed", o.seed, "seed of every random choice");
}

class SignMix final : public PerImage {
 public:
  SignMix(const SignMixOptions& options, const RecipeInput& input)
      : PerImage({kName,
                  texts_of(options),
                  input,
                  {},
                  options.images(input),
                  options.batch,
                  {{"images", Column::Kind::number, true}, {"clean", Column::Kind::number, true}},
                  1}),
        options_(options),
        shares_(parse_fields(options.fields)),
        choices_(options.seed, "sign-mix"),
        noise_(options.seed, "sign-mix/noise"),
        halves_(options.seed, "sign-mix/halves"),
        scratch_(static_cast<std::size_t>(std::max(1, input.backend->info().workers))) {
    const TrainingData& data = input.data;
    if (options.n > 0) {
      RobustifyOptions draw;
      draw.n = options.n;
      draw.seed = options.seed;
      draw.duplicate_angle = 0;
      draw.validation = 0;
      std::vector<index> pool(static_cast<std::size_t>(data.x.rows));
      for (std::size_t i = 0; i < pool.size(); ++i) pool[i] = static_cast<index>(i);
      sources_ = draw_support(draw, data, pool, *input.backend, input.log).sources;
    } else {
      for (index i = 0; i < data.x.rows; ++i) sources_.push_back(i);
    }
    members_.resize(static_cast<std::size_t>(data.classes));
    for (const index source : sources_) members_[static_cast<std::size_t>(label(source))].push_back(source);
    present_ = classes_present(class_counts(gather(*data.labels, sources_), data.classes));
    const bool takes_others =
        std::any_of(shares_.begin(), shares_.end(), [](const Share& s) { return s.pattern != Pattern::smooth; });
    NTKROB_CHECK(present_.size() >= 2 || !takes_others, ConfigError, field("fields"), " is \"", given(options.fields),
                 "\", and digit and mix take patterns from images of other classes, but all ", sources_.size(),
                 " images are of one class, ", present_.front(), "; ", advice("give ", field("fields", "smooth")));
    made_ = Matrix<float>(images(), data.x.cols);
    for (Scratch& scratch : scratch_) {
      scratch.signs.resize(static_cast<std::size_t>(data.x.cols));
      scratch.noise.resize(static_cast<std::size_t>(data.x.cols));
      scratch.sums.resize(static_cast<std::size_t>(data.x.cols));
    }
  }

  RecipeSet result() const override {
    require_done();
    const ConstView2D<float> targets = input().targets;
    RecipeSet set;
    set.images = made_;
    set.labels.reserve(static_cast<std::size_t>(images()));
    if (!targets.empty()) set.targets = Matrix<float>(images(), targets.cols);
    for (index r = 0; r < images(); ++r) {
      set.labels.push_back(label(source_of(r)));
      if (!targets.empty()) std::copy_n(targets.row(source_of(r)), targets.cols, set.targets.row(r));
    }
    set.best_step = steps_done();
    return set;
  }

 protected:
  void make_block(index begin, index n, std::vector<index>& counts) override {
    std::vector<char> clean(static_cast<std::size_t>(n));
    const auto task = [&](index k, int worker) {
      for (index i = k * kRowsPerTask; i < std::min(n, (k + 1) * kRowsPerTask); ++i)
        clean[static_cast<std::size_t>(i)] = make_image(begin + i, scratch_[static_cast<std::size_t>(worker)]);
    };
    input().backend->for_each((n + kRowsPerTask - 1) / kRowsPerTask, std::ref(task));
    counts[0] = std::count(clean.begin(), clean.end(), 1);
  }
  std::vector<std::optional<double>> values(index images, const std::vector<index>& counts) const override {
    return {static_cast<double>(images), static_cast<double>(counts[0])};
  }

 private:
  struct Scratch {
    std::vector<char> signs;          // D: 1 for +1, 0 for -1
    std::vector<double> noise, sums;  // D
  };

  int label(index source) const { return (*input().data.labels)[static_cast<std::size_t>(source)]; }
  /// The row of the given data of which image r of the result is a copy: all of the first copies, then all of the
  /// second.
  index source_of(index r) const { return sources_[static_cast<std::size_t>(r) % sources_.size()]; }

  /// returns: whether it was left clean
  bool make_image(index r, Scratch& scratch) {
    const index source = source_of(r), d = made_.cols();
    const auto copy = static_cast<std::uint64_t>(r) / sources_.size();
    const float* x = input().data.x.row(source);
    const Rng choice = choices_.fork(copy).fork(static_cast<std::uint64_t>(source));
    if (choice.uniform(kClean) < options_.clean) {
      std::copy_n(x, d, made_.row(r));
      return true;
    }
    const double drawn = choice.uniform(kField);
    const auto share = std::find_if(shares_.begin(), shares_.end() - 1, [&](const Share& s) { return drawn < s.upto; });
    if (share->pattern != Pattern::digit)
      draw_smooth(kBoxes[choice.below(kBox, std::size(kBoxes))],
                  noise_.fork(copy).fork(static_cast<std::uint64_t>(source)), scratch);
    if (share->pattern == Pattern::digit) draw_digit(choice, source, nullptr, scratch);
    if (share->pattern == Pattern::mix) {
      const Rng halves = halves_.fork(copy).fork(static_cast<std::uint64_t>(source));
      draw_digit(choice, source, &halves, scratch);
    }
    const auto eps = static_cast<float>(options_.eps);
    float* out = made_.row(r);
    for (index j = 0; j < d; ++j)
      out[j] = std::clamp(scratch.signs[static_cast<std::size_t>(j)] != 0 ? x[j] + eps : x[j] - eps, 0.0f, 1.0f);
    return false;
  }

  /// halves: null, or where its bit for a pixel is 0, the sign that is there stays
  void draw_digit(const Rng& choice, index source, const Rng* halves, Scratch& scratch) const {
    const ImageShape shape = input().data.shape;
    auto place = choice.below(kOtherClass, static_cast<index>(present_.size()) - 1);
    if (present_[static_cast<std::size_t>(place)] >= label(source)) ++place;
    const std::vector<index>& others = members_[static_cast<std::size_t>(present_[static_cast<std::size_t>(place)])];
    const float* other = input().data.x.row(
        others[static_cast<std::size_t>(choice.below(kOtherImage, static_cast<index>(others.size())))]);
    const auto roll = [&](Choice which, index extent) {
      const index by = choice.below(which, 2 * options_.shift + 1) - options_.shift;
      return (by % extent + extent) % extent;
    };
    const index down = roll(kDown, shape.height), right = roll(kRight, shape.width);
    for (index y = 0, p = 0; y < shape.height; ++y) {
      const index from_y = (y - down + shape.height) % shape.height;
      for (index x = 0; x < shape.width; ++x) {
        const index from = (from_y * shape.width + (x - right + shape.width) % shape.width) * shape.channels;
        for (index c = 0; c < shape.channels; ++c, ++p)
          if (halves == nullptr || (halves->bits(static_cast<std::uint64_t>(p)) & 1) != 0)
            scratch.signs[static_cast<std::size_t>(p)] = other[from + c] > 0.5f;
      }
    }
  }

  void draw_smooth(index box, const Rng& noise, Scratch& scratch) const {
    ImageShape shape = input().data.shape;
    if (shape.height == 1 && shape.width == 1) std::swap(shape.width, shape.channels);
    const index d = shape.size(), reach = box / 2, line = shape.width * shape.channels;
    for (index j = 0; j < d; ++j)
      scratch.noise[static_cast<std::size_t>(j)] = noise.normal(static_cast<std::uint64_t>(j));
    // Sums along rows, then of rows: `stride` apart, `extent` of them.
    const auto sum_along = [&](const std::vector<double>& from, std::vector<double>& to, index stride, index extent) {
      for (index j = 0; j < d; ++j) {
        const index at = j / stride % extent;
        double sum = 0;
        for (index k = std::max<index>(0, at - reach); k <= std::min(extent - 1, at + reach); ++k)
          sum += from[static_cast<std::size_t>(j + (k - at) * stride)];
        to[static_cast<std::size_t>(j)] = sum;
      }
    };
    sum_along(scratch.noise, scratch.sums, shape.channels, shape.width);
    sum_along(scratch.sums, scratch.noise, line, shape.height);
    for (std::size_t j = 0; j < scratch.signs.size(); ++j) scratch.signs[j] = scratch.noise[j] > 0;
  }

  SignMixOptions options_;
  std::vector<Share> shares_;
  Rng choices_, noise_, halves_;
  std::vector<index> sources_;               // rows of the given data, one copy each
  std::vector<std::vector<index>> members_;  // of each class: those of sources_
  std::vector<index> present_;               // classes with members, ascending
  Matrix<float> made_;                       // images() x D
  std::vector<Scratch> scratch_;             // for each worker
};

index SignMixOptions::images(const RecipeInput& input) const {
  const index given_images = image_count(input);
  NTKROB_CHECK(n <= given_images, ConfigError, field("n"), " is ", given(n), ", but there are only ",
               limit(given_images), " training images; ", advice("lower it (0: all)"));
  const index each = std::max<index>(1, n > 0 ? n : given_images);
  NTKROB_CHECK(copies <= kMostCounted / each, ResourceError, field("copies"), " is ", given(copies), " of ", each,
               " images each, more than ", limit(kMostCounted), " images in all; ", advice("lower it"));
  return copies * each;
}

std::unique_ptr<Recipe> SignMixOptions::make(const RecipeInput& input) const {
  check_input(input, kName, false);
  check_images(input.data);
  const std::size_t bytes = set_bytes(input, images(input), input.targets.cols);
  check_room(input, checked_mul(bytes, 2, "the result"), advice("lower ", field("copies"), " or ", field("n")));
  return std::make_unique<SignMix>(*this, input);
}

std::string SignMixOptions::plan(const RecipeInput& input) const {
  const std::size_t bytes = set_bytes(input, images(input), input.targets.cols);
  return text("result    ", images(input), " images, ", bytes_text(static_cast<double>(bytes)),
              ", held twice at the end; ", steps_of(images(input), batch), " steps\n");
}

}  // namespace

RecipeInfo make_sign_mix() {
  RecipeInfo info;
  info.needs = "images in [0,1], for the patterns digit and mix of at least two classes; no model";
  info.gives =
      "copies of the images, in [0,1] and within eps of them in linf, with their labels and, where there are any, "
      "their "
      "targets";
  info.cost = "per pixel one normal number and two sums over a box: seconds for 60000 images of 784 pixels";
  info.options = fresh_options<OptionsOf<SignMixOptions>>;
  return info;
}

}  // namespace ntkrob::robust
