// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a camera sees, in words for who hangs it up: the answer to `camera check`. Pure; any thread.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "vision/camera_view.h"
#include "vision/camera_worker.h"

namespace welcome::daemon {

// How far apart eyes are in a face that is just large enough (vision.min_face_px).
float eyes_needed(int min_face_px);

// An element of the answer: numbers, `sees` in sentences and `advice`, which may be empty.
nlohmann::json camera_words(const std::string& name, const vision::CameraStatus& status,
                            int min_face_px);

}  // namespace welcome::daemon
