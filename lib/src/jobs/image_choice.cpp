#include "ntkrob/jobs/image_choice.hpp"

#include <algorithm>
#include <numeric>

#include "ntkrob/base/random.hpp"
#include "ntkrob/model/classes.hpp"

namespace ntkrob::jobs {

namespace {

/// Whether the images of each class stand together.
bool is_sorted_by_class(const std::vector<int>& labels, index classes) {
  std::vector<char> ended(static_cast<std::size_t>(classes), 0);
  for (std::size_t i = 1; i < labels.size(); ++i) {
    if (labels[i] == labels[i - 1]) continue;
    ended[static_cast<std::size_t>(labels[i - 1])] = 1;
    if (ended[static_cast<std::size_t>(labels[i])]) return false;
  }
  return true;
}

std::vector<index> draw_balanced(const ImageChoice& choice, const Dataset& data, const std::vector<index>& held,
                                 Listener& listener) {
  const Split& split = data.split(choice.split);
  std::vector<index> wanted = balanced_shares(held, choice.n);
  if (const std::vector<index> rare = rare_classes(wanted); !rare.empty())
    listener.note(
        text(field(choice.balanced_option), ": classes of split ", choice.split, " of ", choice.file,
             " with fewer than ", *std::max_element(wanted.begin(), wanted.end()),
             " images give all they have, and the others fill up: ", class_list(rare, data.class_names, &held)));
  std::vector<index> chosen;
  for (const index i : Rng(choice.seed, choice.stream).permutation(split.n)) {
    index& left = wanted[static_cast<std::size_t>(split.labels[static_cast<std::size_t>(i)])];
    if (left == 0) continue;
    --left;
    chosen.push_back(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

/// Some of the images have only some of the classes.
void warn_about_part(const ImageChoice& choice, const Dataset& data, const std::vector<index>& held,
                     const std::vector<index>& rows, Listener& listener) {
  const Split& split = data.split(choice.split);
  const std::vector<index> all = classes_present(held);
  const std::vector<index> taken = classes_present(class_counts(labels_of(split, rows), data.classes));
  if (taken.size() == all.size()) return;
  const auto n = static_cast<index>(rows.size()), classes = static_cast<index>(all.size());
  constexpr std::size_t kNamed = 3;
  const std::string named = taken.size() <= kNamed ? text(" (", class_list(taken, data.class_names), ")") : "";
  const std::string what =
      text(choice.balanced ? "the " : "the first ", n, n == 1 ? " image" : " images", " of split ", choice.split,
           " of ", choice.file, n == 1 ? " holds " : " hold ", taken.size(), " of its ", classes, " classes", named);
  if (n < classes)
    listener.warn(text(what, ": ", field(choice.n_option, classes),
                       choice.balanced ? std::string() : text(" ", field(choice.balanced_option, "true")),
                       " is the least that draws from all"));
  else
    listener.warn(text(what, is_sorted_by_class(split.labels, data.classes) ? ": the set is sorted by class; " : "; ",
                       choice.n == 0 ? text(field(choice.n_option, n), " ") : std::string(),
                       field(choice.balanced_option, "true"), " draws from all"));
}

}  // namespace

std::vector<index> choose_images(const ImageChoice& choice, const Dataset& data, Listener& listener) {
  const Split& split = data.split(choice.split);
  NTKROB_CHECK(choice.n >= 0 && choice.n <= split.n, ConfigError, field(choice.n_option), " is ", given(choice.n),
               ", but split ", choice.split, " of ", choice.file, " has only ", split.n, " images");
  NTKROB_CHECK(!choice.balanced || choice.n > 0, ConfigError, field(choice.balanced_option), " needs ",
               field(choice.n_option), ", the number of images to choose");
  const std::vector<index> held = class_counts(split.labels, data.classes);
  std::vector<index> rows;
  if (choice.balanced) {
    rows = draw_balanced(choice, data, held, listener);
  } else {
    rows.resize(static_cast<std::size_t>(choice.n > 0 ? choice.n : split.n));
    std::iota(rows.begin(), rows.end(), index{0});
  }
  if (static_cast<index>(rows.size()) < split.n) warn_about_part(choice, data, held, rows, listener);
  return rows;
}

Matrix<float> rows_of(ConstView2D<float> all, const std::vector<index>& rows) {
  Matrix<float> chosen(static_cast<index>(rows.size()), all.cols);
  for (std::size_t k = 0; k < rows.size(); ++k)
    std::copy_n(all.row(rows[k]), all.cols, chosen.row(static_cast<index>(k)));
  return chosen;
}

Matrix<float> chosen_images(const Dataset& data, const std::string& split, const std::vector<index>& rows) {
  if (rows.empty()) return {};
  Matrix<float> images = data.images(split, rows.back() + 1);
  return images.rows() == static_cast<index>(rows.size()) ? std::move(images) : rows_of(images.view(), rows);
}

std::vector<int> labels_of(const Split& split, const std::vector<index>& rows) {
  std::vector<int> labels;
  labels.reserve(rows.size());
  for (const index i : rows) labels.push_back(split.labels[static_cast<std::size_t>(i)]);
  return labels;
}

void check_two_classes(const Dataset& data, const std::string& file) {
  if (data.train.empty()) return;
  const std::vector<index> present = classes_present(class_counts(data.train.labels, data.classes));
  NTKROB_CHECK(present.size() >= 2, ConfigError, file, ": all ", data.train.n, " training images are of class ",
               class_text(present.front(), data.class_names),
               ", and nothing can be learned from one class: are the labels read from the right place (", field("y"),
               " names it, "
               "ntkrob info ",
               file, " counts the images per class)? Give data with 2 classes or more");
}

void match_classes(Dataset& data, const std::string& file, const std::vector<std::string>& names,
                   const std::string& model, Listener& listener) {
  const std::vector<std::string> own = data.class_names;
  bool moved = false;
  std::size_t differs = own.size();
  for (std::size_t c = own.size(); c-- > 0;) {
    if (c < names.size() && own[c] == names[c]) continue;
    const auto at = std::find(names.begin(), names.end(), own[c]);
    moved = moved || at != names.end();
    if (c < names.size()) differs = c;
  }
  if (!moved) {
    if (differs == own.size()) return;
    listener.warn(text("class ", differs, " is called ", shortened_line(names[differs], 40), " in ", model, " and ",
                       shortened_line(own[differs], 40), " in ", file, ": where label ", differs,
                       " means different things, accuracies say nothing"));
    return;
  }
  NTKROB_CHECK(data.train.targets.empty() && data.test.targets.empty(), ConfigError, file,
               ": its classes are called otherwise than in ", model,
               ", and its floating-point targets cannot be renumbered");
  std::vector<int> place(own.size(), -1);
  for (std::size_t c = 0; c < own.size(); ++c) {
    const auto at = std::find(names.begin(), names.end(), own[c]);
    if (at != names.end()) place[c] = static_cast<int>(at - names.begin());
  }
  for (Split* split : {&data.train, &data.test})
    for (int& label : split->labels) {
      const int to = place[static_cast<std::size_t>(label)];
      NTKROB_CHECK(to >= 0, ConfigError, file, ": class ", shortened_line(own[static_cast<std::size_t>(label)], 40),
                   " is not among the classes of ", model, "; leave its images out, or give it another name by ",
                   field("label-map"));
      label = to;
    }
  data.class_names = names;
  data.classes = static_cast<index>(names.size());
  listener.note(text("reading ", file, ": classes are numbered by their names as in ", model));
}

}  // namespace ntkrob::jobs
