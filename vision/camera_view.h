// SPDX-License-Identifier: Apache-2.0
#pragma once
// CameraView: what a camera shows, in numbers, for who hangs it up. No pixel and no embedding; a
// face in it is nobody's. Made on the camera's analysing thread.

#include <chrono>
#include <cstdint>
#include <vector>

#include "vision/recogniser.h"

namespace welcome::vision {

struct CameraView {
  struct SeenFace {
    float size_px = 0;     // shorter side of the detector's box, as QualityLimits has it
    float eyes_px = 0;     // from eye to eye; 0: they were not found
    float brightness = 0;  // mean grey level, 0…255
    float sharpness = 0;   // as Quality has it
  };

  int width = 0;
  int height = 0;
  float brightness = 0;  // mean grey level, 0…255
  float contrast = 0;    // its standard deviation
  float dark = 0;        // share of the picture that is nearly black
  float bright = 0;      // … nearly white
  float sharpness = 0;   // variance of the Laplacian, in grey levels squared
  std::vector<SeenFace> faces;

  // Of all that were looked at; filled in by the camera's worker.
  std::uint64_t pictures = 0;
  std::chrono::milliseconds over{0};  // from the first to the last
  double per_second() const {
    return pictures < 2 || over.count() == 0
               ? 0.0
               : 1000.0 * static_cast<double>(pictures - 1) / static_cast<double>(over.count());
  }
};

// An empty picture has no size.
CameraView view_of(const Image& image, Recogniser& recogniser);

}  // namespace welcome::vision
