// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/camera_words.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "vision/quality.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;
using vision::CameraView;
using Sentences = std::vector<std::string>;

// Eyes are this share of the detector's box apart: 0.41 to 0.47 in the sample pictures.
constexpr float kEyesOfFace = 0.44F;
// A picture with this much of it nearly white, whose faces are dark, looks against a window.
constexpr float kWindow = 0.15F;
constexpr float kFaceInShade = 80;
// Of a whole picture that has edges at all.
constexpr float kSoft = 12;
constexpr float kHasEdges = 25;
constexpr double kSlow = 4;  // pictures a second

std::string whole(double value) { return std::to_string(std::lround(value)); }

const CameraView::SeenFace* largest(const CameraView& view) {
  const auto found =
      std::max_element(view.faces.begin(), view.faces.end(),
                       [](const auto& a, const auto& b) { return a.size_px < b.size_px; });
  return found == view.faces.end() ? nullptr : &*found;
}

// What the light is, by the faces where there are any: they are what counts.
std::string light_of(const CameraView& view) {
  const vision::QualityLimits limits;
  const auto* const face = largest(view);
  const float level = face != nullptr && face->brightness > 0 ? face->brightness : view.brightness;
  if (view.bright >= kWindow && (face != nullptr ? level < kFaceInShade : view.dark >= kWindow))
    return "against the light";
  if (level < limits.min_brightness) return "too dark";
  if (level > limits.max_brightness) return "too bright";
  return "good";
}

bool is_sharp(const CameraView& view) {
  const auto* const face = largest(view);
  if (face != nullptr && face->eyes_px > 0)
    return face->sharpness >= vision::QualityLimits{}.min_sharpness;
  return view.sharpness >= kSoft || view.contrast < kHasEdges;
}

std::string faces_in(const CameraView& view, int min_face_px) {
  if (view.faces.empty()) return "no face";
  const auto* const face = largest(view);
  std::string out =
      view.faces.size() == 1 ? "1 face" : std::to_string(view.faces.size()) + " faces";
  out += view.faces.size() == 1 ? ": " : ", the largest: ";
  out += face->eyes_px > 0 ? whole(face->eyes_px) + " pixels between the eyes"
                           : whole(face->size_px) + " pixels wide";
  return out + " (" + whole(eyes_needed(min_face_px)) + " are needed)";
}

Sentences advice_for(const CameraView& view, int min_face_px) {
  Sentences out;
  const std::string light = light_of(view);
  if (light == "against the light")
    out.emplace_back(
        "a window or lamp is behind the guests: turn the camera, or light their faces");
  if (light == "too dark")
    out.emplace_back("more light on the guests' faces, or a longer exposure");
  if (light == "too bright") out.emplace_back("less light into the lens, or a shorter exposure");
  if (!is_sharp(view)) out.emplace_back("clean the lens and set its focus to where guests stand");
  const auto* const face = largest(view);
  if (face == nullptr) {
    out.emplace_back("stand where guests stand and check again: a face says most");
  } else if (face->size_px < static_cast<float>(min_face_px)) {
    out.emplace_back(
        "faces are too small: hang it nearer, zoom in, or ask it for more pixels "
        "(camera.width, camera.height)");
  }
  if (view.pictures > 1 && view.per_second() < kSlow)
    out.emplace_back("few pictures a second: another cable or hub, more light, or fewer pixels");
  return out;
}

}  // namespace

float eyes_needed(int min_face_px) { return kEyesOfFace * static_cast<float>(min_face_px); }

json camera_words(const std::string& name, const vision::CameraStatus& status, int min_face_px) {
  json out{{"camera", name}, {"health", to_string(status.health)}, {"view", nullptr}};
  if (!status.view || status.view->width == 0) {
    out["sees"] = "no picture: " + std::string(to_string(status.health)) +
                  (status.why.empty() ? "" : ", " + status.why);
    out["advice"] = json::array({"welcomectl doctor says what to do"});
    return out;
  }
  const CameraView& view = *status.view;
  json faces = json::array();
  for (const auto& face : view.faces) {
    faces.push_back({{"eyes_px", std::lround(face.eyes_px)},
                     {"size_px", std::lround(face.size_px)},
                     {"large_enough", face.size_px >= static_cast<float>(min_face_px)}});
  }
  const double rate = std::round(view.per_second() * 10) / 10;
  out["view"] = {{"width", view.width},
                 {"height", view.height},
                 {"per_second", rate},
                 {"light", light_of(view)},
                 {"brightness", std::lround(view.brightness)},
                 {"sharp", is_sharp(view)},
                 {"eyes_needed_px", std::lround(eyes_needed(min_face_px))},
                 {"faces", std::move(faces)}};
  std::string pace = whole(rate);
  out["sees"] = std::to_string(view.width) + " x " + std::to_string(view.height) + ", " + pace +
                " pictures a second; light: " + light_of(view) + "; " +
                (is_sharp(view) ? "sharp" : "not sharp") + "; " + faces_in(view, min_face_px);
  out["advice"] = advice_for(view, min_face_px);
  return out;
}

}  // namespace welcome::daemon
