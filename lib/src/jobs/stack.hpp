/// The stack of the thread that runs jobs. Private to jobs.
#pragma once

namespace ntkrob::jobs {

/// The stack grows as it is used, and a process whose limits refuse that ends on the spot: it is asked for before.
///   throws: ResourceError
void grow_stack();

}  // namespace ntkrob::jobs
