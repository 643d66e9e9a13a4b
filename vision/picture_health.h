// SPDX-License-Identifier: Apache-2.0
#pragma once
// PictureHealth: what is wrong with a camera's picture as such, and whether anything in it moved.
// Looks at a thumbnail; pure, driven by the frames' time stamps.

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "vision/image.h"

namespace welcome::vision {

enum class PictureFault : std::uint8_t { none, black, too_bright, frozen };
std::string_view to_string(PictureFault fault);

class PictureHealth {
 public:
  // Fault of this picture. A fault counts from kAfter on; sensors are never still, so a picture
  // that stays the same to the last bit is frozen.
  PictureFault look(const Image& image, MonoTime at);

  // For so long nothing moved, and most pictures repeated the one before them pixel for pixel. A
  // quiet room that a camera encodes well looks like that, too; a frozen picture that was encoded
  // again (a little different all over at each key picture) shows by what cannot be so still.
  std::chrono::milliseconds quiet_for(MonoTime at) const;
  // Something in it cannot be so still: it is frozen until something moves.
  void hold_frozen() { held_ = true; }

  // Whether this picture differs from the one at the last accept_still() by more than noise; and
  // whether it does so in `part`, a box in shares of the picture (0…1).
  bool moved() const { return moved_; }
  bool moved_in(const Box& part) const;
  void accept_still() { still_ = thumbnail_; }

  // The next picture has nothing before it: the camera slept.
  void reset() { *this = PictureHealth(); }

  static constexpr std::chrono::milliseconds kAfter{2500};

 private:
  std::vector<std::uint8_t> thumbnail_;
  std::vector<std::uint8_t> still_;
  std::vector<std::uint8_t> changed_;  // per cell: 1 = moved; empty = nothing to compare with
  bool moved_ = true;
  PictureFault suspected_ = PictureFault::none;
  MonoTime since_;

  void watch_quiet(const Image& image, std::vector<std::uint8_t> grey, MonoTime at);
  struct Repeat {
    MonoTime at;
    bool exact;  // no noise between this picture and the one before
  };
  std::vector<std::uint8_t> quiet_;  // thumbnail since when nothing moved
  std::optional<MonoTime> quiet_since_;
  std::vector<std::uint8_t> samples_;  // some pixels of the picture before, as they are
  std::deque<Repeat> repeats_;         // of the last kAfter
  bool held_ = false;
};

}  // namespace welcome::vision
