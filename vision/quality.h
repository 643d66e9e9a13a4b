// SPDX-License-Identifier: Apache-2.0
#pragma once
// Quality of one view of a face, after the ideas of ISO/IEC 29794-5: size, sharpness, exposure,
// pose, occlusion. Pure functions of pixels and landmarks.

#include <cstdint>
#include <string_view>

#include "vision/image.h"
#include "vision/recogniser.h"

namespace welcome::vision {

enum class Defect : std::uint8_t {
  none,
  too_small,
  too_dark,
  too_bright,
  blurred,
  turned_away,
  covered,
  not_upright,  // the camera hangs upside down or on its side
};

std::string_view to_string(Defect defect);

struct Quality {
  float size_px = 0;        // shorter side of the detector's box
  float sharpness = 0;      // variance of the Laplacian of the aligned face, in grey levels squared
  float brightness = 0;     // mean grey level of the aligned face's middle, 0…255
  float contrast = 0;       // standard deviation there
  float part_contrast = 0;  // the flattest of left eye, right eye and mouth: a hand or mask is flat
  float yaw = 0;            // −1…1: how far the nose is off the middle of the eyes; 0 = frontal
  float pitch = 0;     // −1…1: how far the nose is off its usual height between eyes and mouth
  float roll_deg = 0;  // of the line of the eyes; a face that is upside down may seem to have none
  float score = 0;     // 0…1: all of the above in one number, for "is this view better?"
};

struct QualityLimits {
  float min_size_px = 45;
  float min_sharpness = 20;
  float min_brightness = 40;
  float max_brightness = 225;
  float min_contrast = 12;
  float max_yaw = 0.5F;
  float max_pitch = 0.6F;
  float max_roll_deg = 45;
  float min_part_contrast = 0;  // only what is quite flat; Recogniser::cover_of() knows better

  static constexpr QualityLimits none() { return {0, 0, 0, 255, 0, 2, 2, 180, 0}; }  // evaluation
};

Quality measure_quality(const Face& face);

// The first thing that is wrong, in the order in which a customer can mend it.
Defect first_defect(const Quality& quality, const QualityLimits& limits);

}  // namespace welcome::vision
