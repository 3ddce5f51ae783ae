#include "base/team.hpp"

namespace ntkrob::base {

std::unique_ptr<Team> make_team(int size) { return make_thread_team(size); }

}  // namespace ntkrob::base
