/// How many images there are of each class, how a part is shared out among them, and how messages name them.
///
/// Classes are numbers from 0, and a set need not have images of all of them: labels may run from 1, a split may hold a
/// few classes only, a class may be rare. What counts or draws by class asks here instead of expecting each of them to
/// be there.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// Images of each class.   labels: in [0, classes)   returns: classes numbers
std::vector<index> class_counts(const std::vector<int>& labels, index classes);
/// The numbers of the classes that have images.
std::vector<index> classes_present(const std::vector<index>& counts);

/// n images shared out among classes that have `held` images each: the same number of each class, or one more of the
/// first; classes with fewer give all they have, and the others fill up. Classes without images get none.
///   returns: as many numbers as `held`; their sum is n, or that of held where it is less
std::vector<index> balanced_shares(const std::vector<index>& held, index n);
/// The classes whose share is not empty, but smaller than the largest by more than the one of a remainder: they gave
/// all they have.
std::vector<index> rare_classes(const std::vector<index>& shares);

/// "9 (dog)", or "9" where the class has no name or is called by its number. In one line, long names are shortened.
std::string class_text(index number, const std::vector<std::string>& names);
/// class_text of several, separated by commas; of many the first ten, and how many more there are.
///   counts: where not null, the number of images of each class is named, too: "9 (dog): 2 images"
std::string class_list(const std::vector<index>& classes, const std::vector<std::string>& names,
                       const std::vector<index>* counts = nullptr);

}  // namespace ntkrob
