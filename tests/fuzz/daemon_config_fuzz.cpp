// SPDX-License-Identifier: Apache-2.0
// A configuration file of any content: it is read, or the error says what is wrong.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "firmware/daemon/config.h"

namespace {

// A file in memory, under a name that lasts.
struct Bench {
  int fd = memfd_create("welcomed.conf", MFD_CLOEXEC);
  std::string path = "/proc/self/fd/" + std::to_string(fd);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Bench bench;
  if (ftruncate(bench.fd, 0) != 0 ||
      pwrite(bench.fd, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const std::array<const char*, 3> argv{"welcomed", "--config", bench.path.c_str()};
  try {
    (void)welcome::daemon::read_config(static_cast<int>(argv.size()), argv.data());
  } catch (const welcome::daemon::ConfigError& error) {
    if (std::string(error.what()).empty()) std::abort();
  }
  return 0;
}
