// SPDX-License-Identifier: Apache-2.0
#pragma once
// What welcomectl has in common with the person in front of it: exit codes, complaints, Ctrl-C, and
// a line that shows how far something is. One thread.

#include <string>

#include "core/result.h"

namespace welcome::ctl {

// Exit codes.
inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;  // welcomed, or this program, could not do it
inline constexpr int kUsage = 2;
inline constexpr int kAway = 3;  // no welcomed there, or it does not answer

// Says it on standard error and gives the exit code.
int failed(const std::string& message, int code = kRefused);
int failed(const Error& error);

// From now on Ctrl-C ends the work, not the program: a recording gets its last bytes.
void stop_on_signals();
bool stop_wanted();
void ask_to_stop();

// A line that is written over by the next, where there is a terminal; elsewhere every tenth.
class ProgressLine {
 public:
  ProgressLine();
  void show(const std::string& text);
  void end() const;

 private:
  const bool terminal_;
  unsigned shown_ = 0;
};

}  // namespace welcome::ctl
