// SPDX-License-Identifier: Apache-2.0
#pragma once
// Alignment: the part of a picture with a face, turned, moved and scaled so that eyes, nose and
// mouth lie where a net expects them.

#include <array>

#include "vision/image.h"
#include "vision/model_pack.h"

namespace welcome::vision {

// 68 points in the order of iBUG 300-W (jaw 0–16, brows, nose 27–35, eyes 36–47, mouth 48–67).
using Landmarks = std::array<Point, 68>;

// The five points of the ArcFace template for 112×112 (insightface, face_align.py). Quality and
// covers are judged in this frame, whichever frames the recognisers want.
inline constexpr int kArcFaceSide = 112;
inline constexpr FivePoints kArcFace{{{38.2946F, 51.6963F},
                                      {73.5318F, 51.5014F},
                                      {56.0252F, 71.7366F},
                                      {41.5493F, 92.3655F},
                                      {70.7299F, 92.2041F}}};

Point mean_of(const Landmarks& points, std::size_t first, std::size_t last);

// Least-squares similarity of eyes, nose and mouth corners onto `points`. Empty: landmarks of no
// use.
Image align(const Image& image, const Landmarks& landmarks, int width = kArcFaceSide,
            int height = kArcFaceSide, const FivePoints& points = kArcFace);

}  // namespace welcome::vision
