// SPDX-License-Identifier: Apache-2.0
// Pictures from outside (a camera's MJPEG, an enrolment upload): an image or an error, never more.

#include <cstdint>
#include <cstdlib>
#include <span>

#include "vision/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto image = welcome::vision::Image::decode(std::span(data, size));
  if (image && (image->width() <= 0 || image->height() <= 0)) std::abort();
  return 0;
}
