// SPDX-License-Identifier: Apache-2.0
// Recordings from outside (a clip for an enrolment): pictures that can be looked at, or an error.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <sys/mman.h>
#include <unistd.h>

#include "vision/video.h"

namespace {

using namespace welcome::vision;

constexpr int kPictures = 8;

OpenFile in_memory(const std::uint8_t* data, std::size_t size) {
  const int fd = memfd_create("clip", MFD_CLOEXEC);
  if (fd < 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  return {new int(fd), [](const int* open) {
            close(*open);
            delete open;
          }};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto video = Video::open(in_memory(data, size));
  if (!video) return 0;
  auto before = video->position();
  for (int i = 0; i < kPictures; ++i) {
    if (const auto more = video->next(); !more) {
      if (more.error().code == welcome::ErrorCode::malformed) continue;
      break;
    }
    if (video->position() < before) std::abort();
    before = video->position();
    const auto picture = video->picture();
    if (picture && (picture->width() <= 0 || picture->height() <= 0)) std::abort();
  }
  return 0;
}
