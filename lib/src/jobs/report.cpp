#include "ntkrob/jobs/report.hpp"

namespace ntkrob::jobs {

Report::Report() = default;
Report::Report(const Report&) = default;
Report::Report(Report&&) noexcept = default;
Report& Report::operator=(const Report&) = default;
Report& Report::operator=(Report&&) noexcept = default;
Report::~Report() = default;

Report& Report::operator[](const std::string& name) {
  if (is_null()) value_ = Members();
  Members& members = std::get<Members>(value_);
  for (Member& member : members)
    if (member.first == name) return member.second;
  return members.emplace_back(name, Report()).second;
}

Report& Report::push_back(Report item) {
  if (is_null()) value_ = List();
  return std::get<List>(value_).emplace_back(std::move(item));
}

void Report::update(const Report& other) {
  for (const Member& member : std::get<Members>(other.value_)) (*this)[member.first] = member.second;
}

}  // namespace ntkrob::jobs
