#pragma once
// PictureHealth: what is wrong with a camera's picture as such, and whether anything in it moved.
// Looks at a thumbnail; pure, driven by the frames' time stamps.

#include <chrono>
#include <cstdint>
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
};

}  // namespace welcome::vision
