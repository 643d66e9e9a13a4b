// SPDX-License-Identifier: Apache-2.0
#pragma once
// A camera that does not hang upright: its pictures turned before anybody looks at them.

#include <memory>

#include "vision/frame_source.h"

namespace welcome::vision {

// By 0, 90, 180 or 270 degrees clockwise; 0 is the source itself.
std::unique_ptr<FrameSource> make_turned_source(std::unique_ptr<FrameSource> source, int degrees);

}  // namespace welcome::vision
