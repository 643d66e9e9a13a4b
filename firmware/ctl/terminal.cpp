// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/terminal.h"

#include <atomic>
#include <csignal>
#include <iostream>
#include <unistd.h>

#include "firmware/ctl/print.h"

namespace welcome::ctl {

namespace {

std::atomic<bool> g_stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

int failed(const std::string& message, int code) {
  std::cerr << "welcomectl: " << for_terminal(message) << '\n';
  return code;
}

int failed(const Error& error) {
  return failed(error.message, error.code == ErrorCode::unavailable ? kAway : kRefused);
}

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_stop = true; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool stop_wanted() { return g_stop; }
void ask_to_stop() { g_stop = true; }

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressLine::show(const std::string& text) {
  if (terminal_) {
    std::cerr << "\r\x1b[K" << for_terminal(text) << std::flush;
  } else if (shown_++ % 10 == 0) {
    std::cerr << for_terminal(text) << std::endl;
  }
}

void ProgressLine::end() const {
  if (terminal_) std::cerr << "\r\x1b[K" << std::flush;
}

}  // namespace welcome::ctl
