// SPDX-License-Identifier: Apache-2.0
#pragma once
// App: welcomed as a whole. Read app.cpp to see how everything is put together.

#include "firmware/daemon/config.h"

namespace welcome::daemon {

// Runs until SIGTERM or SIGINT. Throws on what cannot be started; the message says what to do.
void run(int argc, const char* const* argv, const CommandLine& line);

}  // namespace welcome::daemon
