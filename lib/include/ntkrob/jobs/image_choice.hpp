/// Which images of a split a command takes, and what the user has to know about their classes.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

/// All images of a split, the first n, or n drawn by the seed with the same number of each class.
struct ImageChoice {
  std::string file;             // for messages
  std::string split = "train";  // train | test
  index n = 0;                  // 0: all
  bool balanced = false;        // draw instead of taking the first
  std::uint64_t seed = 0;       // of the draw
  std::string stream;           // names the random numbers of the draw
  std::string n_option = "n";   // as on the command line, without dashes
  std::string balanced_option = "balanced";
};

/// Rows of the split, increasing. Balanced: the same number of each class that has images, or one more of the first;
/// classes with fewer give all they have and the others fill up, which a note says.
/// Warns where a part of the split has only some of its classes, with the remedy.
///   throws: ConfigError where there are fewer than n, naming both numbers; where balanced is given without n
std::vector<index> choose_images(const ImageChoice& choice, const Dataset& data, Listener& listener);

/// Those rows as float in [0,1].   rows: increasing   returns: rows.size() x D
Matrix<float> chosen_images(const Dataset& data, const std::string& split, const std::vector<index>& rows);
/// Rows of a matrix.
Matrix<float> rows_of(ConstView2D<float> all, const std::vector<index>& rows);
std::vector<int> labels_of(const Split& split, const std::vector<index>& rows);

/// throws: ConfigError where the training images are all of one class, which nothing can be learned from
void check_two_classes(const Dataset& data, const std::string& file);
/// Where a data set calls its classes by names that a model, or another set, has in another order, its labels are
/// renumbered as there, with a note: each file numbers texts by itself, and a test file may lack a class. Other names
/// in the same places are a warning: the labels may mean other things.
///   names: of the model's classes in order, or none   throws: ConfigError for classes with images that are not among
///   them
void match_classes(Dataset& data, const std::string& file, const std::vector<std::string>& names,
                   const std::string& model, Listener& listener);

}  // namespace ntkrob::jobs
