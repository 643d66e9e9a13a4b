// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/enrol_words.h"

#include <utility>

namespace welcome::daemon {

using contract::EnrolMessage;

std::string_view hint_of(vision::Guidance guidance, int views) {
  switch (guidance) {
    case vision::Guidance::no_face:
    case vision::Guidance::face_the_camera:
    case vision::Guidance::upright:
      return "look_here";
    case vision::Guidance::several_faces:
      return "one_person";
    case vision::Guidance::closer:
      return "closer";
    case vision::Guidance::further:
      return "further";
    case vision::Guidance::hold_still:
      return "hold_still";
    case vision::Guidance::uncover:
      return "uncover";
    case vision::Guidance::more_light:
      return "more_light";
    case vision::Guidance::less_light:
      return "less_light";
    case vision::Guidance::turn_a_little:
      return views % 2 == 0 ? "turn_right" : "turn_left";
    case vision::Guidance::none:
    case vision::Guidance::done:
      break;
  }
  return "";
}

EnrolMessage done_with(int views) {
  EnrolMessage message;
  message.kind = EnrolMessage::Kind::done;
  message.views = views;
  return message;
}

EnrolMessage failed_for(std::string reason) {
  EnrolMessage message;
  message.kind = EnrolMessage::Kind::failed;
  message.reason = std::move(reason);
  return message;
}

EnrolMessage failed_for(vision::EnrolmentEnd why) {
  EnrolMessage message = failed_for(std::string(vision::sentence(why)));
  message.cause = vision::to_string(why);
  return message;
}

EnrolMessage::Confirmed taken_back_for(contract::Command::Reason why) {
  using Confirmed = EnrolMessage::Confirmed;
  switch (why) {
    case contract::Command::Reason::refused:
      return Confirmed::refused;
    case contract::Command::Reason::expired:
      return Confirmed::expired;
    case contract::Command::Reason::code:
      return Confirmed::code;
    case contract::Command::Reason::witness:
      return Confirmed::witness;
    case contract::Command::Reason::unknown:
      break;
  }
  return Confirmed::unknown;
}

EnrolMessage member_is(const Member& member) {
  EnrolMessage message;
  message.kind = EnrolMessage::Kind::member;
  message.name = member.name;
  message.page = member.page;
  message.known = member.known;
  return message;
}

EnrolMessage guide_with(std::string hint, int views, int needed) {
  EnrolMessage message;
  message.kind = EnrolMessage::Kind::guide;
  message.hint = std::move(hint);
  message.views = views;
  message.views_needed = needed;
  return message;
}

}  // namespace welcome::daemon
