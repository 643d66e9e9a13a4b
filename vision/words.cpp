// SPDX-License-Identifier: Apache-2.0
// What cameras and enrolments say of themselves.

#include <algorithm>
#include <optional>

#include "vision/camera_worker.h"
#include "vision/enrolment.h"

namespace welcome::vision {

namespace {

struct Words {
  std::string_view word;
  std::string_view sentence;
};

Words words_of(EnrolmentEnd end) {
  switch (end) {
    case EnrolmentEnd::no_clip:
      return {"no_clip", "there is no such clip, or it may not be read"};
    case EnrolmentEnd::no_video:
      return {"no_video", "the clip is not a video that can be read"};
    case EnrolmentEnd::no_pictures:
      return {"no_pictures",
              "there are no pictures: the camera gives none, or the clip is damaged"};
    case EnrolmentEnd::no_camera:
      return {"no_camera", "this box has no camera: enrol from a clip"};
    case EnrolmentEnd::nobody:
      return {"nobody", "no face was to be seen"};
    case EnrolmentEnd::several_people:
      return {"several_people", "several people were in the picture"};
    case EnrolmentEnd::too_far:
      return {"too_far", "the face was too far away"};
    case EnrolmentEnd::too_near:
      return {"too_near", "the face was too near"};
    case EnrolmentEnd::too_dark:
      return {"too_dark", "it was too dark"};
    case EnrolmentEnd::too_bright:
      return {"too_bright", "it was too bright"};
    case EnrolmentEnd::covered:
      return {"covered", "the face was covered"};
    case EnrolmentEnd::turned_away:
      return {"turned_away", "the face was turned away"};
    case EnrolmentEnd::not_upright:
      return {"not_upright", "the camera is not upright: turn it, or set camera.rotate"};
    case EnrolmentEnd::unsteady:
      return {"unsteady", "the face did not hold still"};
    case EnrolmentEnd::same_view:
      return {"same_view", "all views were the same: the head must turn a little"};
    case EnrolmentEnd::too_short:
      return {"too_short", "it was over too soon: a few seconds more are needed"};
    case EnrolmentEnd::picture:
      return {"picture", "this looks like a picture of a person"};
    case EnrolmentEnd::not_sure:
      return {"not_sure", "cannot tell whether a person is there; step back a little"};
    case EnrolmentEnd::somebody_else:
      return {"somebody_else", "this face is enrolled under another customer"};
    case EnrolmentEnd::withdrawn:
      return {"withdrawn", "the consent was withdrawn meanwhile"};
    case EnrolmentEnd::not_stored:
      return {"not_stored", "the box could not store it"};
  }
  return {};
}

std::optional<EnrolmentEnd> obstacle_of(Guidance guidance) {
  switch (guidance) {
    case Guidance::no_face:
      return EnrolmentEnd::nobody;
    case Guidance::several_faces:
      return EnrolmentEnd::several_people;
    case Guidance::closer:
      return EnrolmentEnd::too_far;
    case Guidance::further:
      return EnrolmentEnd::too_near;
    case Guidance::hold_still:
      return EnrolmentEnd::unsteady;
    case Guidance::uncover:
      return EnrolmentEnd::covered;
    case Guidance::upright:
      return EnrolmentEnd::not_upright;
    case Guidance::more_light:
      return EnrolmentEnd::too_dark;
    case Guidance::less_light:
      return EnrolmentEnd::too_bright;
    case Guidance::face_the_camera:
      return EnrolmentEnd::turned_away;
    case Guidance::turn_a_little:
      return EnrolmentEnd::same_view;
    case Guidance::none:
    case Guidance::done:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Guidance guidance) {
  switch (guidance) {
    case Guidance::none:
      return "good, stay like that";
    case Guidance::no_face:
      return "look into the camera";
    case Guidance::several_faces:
      return "one person at a time, please";
    case Guidance::closer:
      return "come a little closer";
    case Guidance::further:
      return "step back a little";
    case Guidance::hold_still:
      return "hold still for a moment";
    case Guidance::uncover:
      return "please uncover your face";
    case Guidance::upright:
      return "the camera is not upright: turn it, or set camera.rotate";
    case Guidance::more_light:
      return "a little more light, please";
    case Guidance::less_light:
      return "a little less light, please";
    case Guidance::face_the_camera:
      return "turn your face to the camera";
    case Guidance::turn_a_little:
      return "turn your head a little";
    case Guidance::done:
      return "done, thank you";
  }
  return "";
}

std::string_view to_string(EnrolmentEnd end) { return words_of(end).word; }

std::string_view sentence(EnrolmentEnd end) { return words_of(end).sentence; }

std::string_view to_string(CameraHealth health) {
  switch (health) {
    case CameraHealth::asleep:
      return "asleep";
    case CameraHealth::starting:
      return "starting";
    case CameraHealth::ok:
      return "ok";
    case CameraHealth::gone:
      return "gone";
    case CameraHealth::stalled:
      return "stalled";
    case CameraHealth::garbled:
      return "garbled";
    case CameraHealth::black:
      return "black";
    case CameraHealth::too_bright:
      return "too_bright";
    case CameraHealth::frozen:
      return "frozen";
    case CameraHealth::ended:
      return "ended";
  }
  return "";
}

void Obstacles::add(Guidance guidance) {
  if (const auto obstacle = obstacle_of(guidance)) {
    ++times_[*obstacle];
  } else {
    times_.clear();
  }
}

EnrolmentEnd Obstacles::worst() const {
  const auto most =
      std::max_element(times_.begin(), times_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == times_.end() ? EnrolmentEnd::too_short : most->first;
}

}  // namespace welcome::vision
