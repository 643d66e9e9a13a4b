// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a process holds of the machine's memory.

#include <fstream>
#include <string>
#include <unistd.h>

namespace welcome::test {

// Resident MiB, as /proc/PID/statm says; of this process unless told otherwise.
inline double resident_mib(pid_t pid = getpid()) {
  long pages = 0;
  long resident = 0;
  std::ifstream("/proc/" + std::to_string(pid) + "/statm") >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1048576.0;
}

}  // namespace welcome::test
