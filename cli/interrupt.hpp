/// Ctrl-C, SIGTERM and SIGHUP: what ends a command, and what it keeps.
///
/// Where nothing is to be kept, the handler itself removes the outputs that are not finished and ends the process with
/// exit code 130: at once, whatever is being computed. Where a job has a state (jobs/context.hpp, StopScope), the first
/// signal asks the computation for an end: the step in hand is abandoned by Interrupted, the job writes its checkpoint
/// and says how to go on. What does not answer within kPatience, a routine of another library for example, is ended by
/// the handler; then the checkpoint is the last one that was written, and the message says what was lost. A disk that
/// does not take the checkpoint within kWritingPatience is not waited for either. A second signal, a quarter of a
/// second later or more, ends the process at once.
///
/// The handler takes no lock: a signal may come inside malloc().
///
/// A signal that was ignored when the command began (nohup, a job in the background of a script) stays ignored.
#pragma once

#include <string>

#include "ntkrob/base/stop.hpp"

namespace ntkrob::cli {

/// Seconds from the first signal until the process is ended without its state.
constexpr double kPatience = 1.2;
/// Seconds that writing the state may take then: more than any disk that works needs, and an end where one hangs.
constexpr double kWritingPatience = 30;

/// At the beginning of main().
void answer_signals();

/// The request that a signal makes while a job keeps a state.
Stop& stop_request();
/// Whether a signal is a request from now on, or ends the process at once.
void keep_state(bool yes);
/// The state is about to be written: the deadline is kWritingPatience from now.
void give_time_to_write();

/// What the handler says when it ends the process itself: "interrupted; the state is in x.ckpt.h5 ...". Empty: what is
/// true of every command.
void set_last_words(const std::string& words);

}  // namespace ntkrob::cli
