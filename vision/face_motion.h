// SPDX-License-Identifier: Apache-2.0
#pragma once
// FaceMotion: whether a face lives, by its never being quite still. A picture of somebody, on paper
// or because the camera hangs, is; encoding it again changes it a little everywhere, and nothing
// in it moves. Pure, driven by the frames' time stamps. Not thread-safe.

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/time.h"
#include "vision/image.h"

namespace welcome::vision {

class FaceMotion {
 public:
  // How long nobody alive is still: of 5,000 spans half as long in recordings of people who talk or
  // listen, none came within a third of the limits.
  static constexpr std::chrono::milliseconds kPatience{5000};

  // Looks at the face, which is at `face` in this picture. False: it has not moved for kPatience.
  bool lives(const Image& image, const Box& face, MonoTime at);

 private:
  Box where_;                        // as it was when it moved last
  std::vector<std::uint8_t> looks_;  // that part of the picture, then
  MonoTime moved_at_;
};

}  // namespace welcome::vision
