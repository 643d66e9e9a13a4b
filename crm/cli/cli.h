// SPDX-License-Identifier: Apache-2.0
#pragma once
// The command line of welcome-crm. Exit codes: 0 done, 1 no (not found, refused, still open),
// 2 wrong usage, 3 the database or a file failed.

#include <iosfwd>
#include <string>
#include <vector>

namespace welcome::crm {

namespace cli {
struct Beyond;
}

inline constexpr int kDone = 0;
inline constexpr int kNo = 1;
inline constexpr int kUsage = 2;
inline constexpr int kFailed = 3;

// `args` without the program's name. Results go to `out`, complaints to `err`. `beyond`: what the
// program has from rooms that stand on this one (crm/cli/command.h).
int run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
        const cli::Beyond* beyond = nullptr);

}  // namespace welcome::crm
