// SPDX-License-Identifier: Apache-2.0
#include "contract/sign_in.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "contract/json_fields.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/topics.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

constexpr Names<SignIn::Kind, 4> kSignInKinds{{{SignIn::Kind::sign_in, "sign_in"},
                                               {SignIn::Kind::sign_out, "sign_out"},
                                               {SignIn::Kind::lock, "lock"},
                                               {SignIn::Kind::active, "active"}}};
using State = StaffSession::State;
constexpr Names<State, 3> kStates{
    {{State::on, "on"}, {State::locked, "locked"}, {State::over, "over"}}};
using Why = StaffSession::Why;
constexpr Names<Why, 5> kWhys{{{Why::signed_out, "signed_out"},
                               {Why::somebody_else, "somebody_else"},
                               {Why::time, "time"},
                               {Why::left, "left"},
                               {Why::new_pin, "new_pin"}}};
using Cause = TabletRefusal::Cause;
constexpr Names<Cause, 11> kCauses{{{Cause::wrong_pin, "wrong_pin"},
                                    {Cause::wait, "wait"},
                                    {Cause::unknown, "unknown"},
                                    {Cause::no_staff, "no_staff"},
                                    {Cause::not_signed_in, "not_signed_in"},
                                    {Cause::locked, "locked"},
                                    {Cause::somebody_else, "somebody_else"},
                                    {Cause::no_witness, "no_witness"},
                                    {Cause::too_many, "too_many"},
                                    {Cause::not_stored, "not_stored"},
                                    {Cause::not_allowed, "not_allowed"}}};
// As many as the schema takes.
constexpr std::size_t kMostStaff = 500;

Message to_floor(std::string topic, const json& payload, bool retain) {
  Message message;
  message.id = MessageId(payload.value("id", new_uuid()));
  message.content_type = content_type_of(topic);
  message.topic = std::move(topic);
  message.payload = dump(payload);
  message.link = LinkName::floor;
  message.retain = retain;
  return message;
}

}  // namespace

std::string_view to_string(StaffSession::Why why) { return name_of(kWhys, why); }

Result<SignIn> decode_sign_in(const std::string& tablet, std::string_view payload) {
  const auto said = accepted("floor.sign_in", payload);
  if (!said) return tl::unexpected(said.error());
  SignIn out;
  out.tablet = tablet;
  out.id = text(*said, "id");
  out.kind = value_of(kSignInKinds, text(*said, "kind"));
  out.staff = StaffId(text(*said, "staff"));
  out.pin = text(*said, "pin");
  out.sign_in = text(*said, "sign_in");
  return out;
}

Result<StaffSession> decode_session(const std::string& tablet, std::string_view payload) {
  const auto said = accepted("floor.session", payload);
  if (!said) return tl::unexpected(said.error());
  StaffSession out;
  out.tablet = tablet;
  out.box = text(*said, "box");
  out.sign_in = text(*said, "sign_in");
  out.state = value_of(kStates, text(*said, "state"));
  if (said->contains("why")) out.why = value_of(kWhys, text(*said, "why"));
  out.staff = StaffId(text(*said, "staff"));
  out.name = text(*said, "name");
  for (const auto& word : words(*said, "roles")) {
    if (const auto role = role_from_string(word)) out.roles.add(*role);
  }
  out.since = time_of(*said, "since");
  out.ends_at = time_of(*said, "ends_at");
  out.lock_after = std::chrono::seconds(integer(*said, "lock_after_s"));
  out.at = time_of(*said, "at");
  return out;
}

Message encode_session(const StaffSession& session) {
  json payload{{"v", 1},
               {"box", session.box},
               {"sign_in", session.sign_in},
               {"state", name_of(kStates, session.state)},
               {"staff", session.staff.str()},
               {"name", session.name},
               {"roles", words_of(session.roles)},
               {"since", to_rfc3339(session.since)},
               {"ends_at", to_rfc3339(session.ends_at)},
               {"lock_after_s", session.lock_after.count()},
               {"at", to_rfc3339(session.at)}};
  if (session.why) payload["why"] = to_string(*session.why);
  Message message = to_floor(session_topic(session.tablet), payload, true);
  message.priority = Priority::decision;
  return message;
}

Message encode_refusal(const TabletRefusal& refusal) {
  json payload{{"v", 1},
               {"id", new_uuid()},
               {"re", refusal.re},
               {"cause", name_of(kCauses, refusal.cause)},
               {"at", to_rfc3339(refusal.at)}};
  if (refusal.tries_left) payload["tries_left"] = *refusal.tries_left;
  if (refusal.retry_after) payload["retry_after_s"] = refusal.retry_after->count();
  return to_floor(refused_topic(refusal.tablet), payload, false);
}

Message encode_floor_staff(const FloorStaff& said) {
  json staff = json::array();
  for (const StaffMember& member : said.staff) {
    if (staff.size() == kMostStaff) break;
    staff.push_back({{"id", member.id.str()}, {"name", member.name}, {"pin", !member.pin.empty()}});
  }
  return to_floor(
      staff_topic(said.box),
      {{"v", 1}, {"box", said.box}, {"staff", std::move(staff)}, {"at", to_rfc3339(said.at)}},
      true);
}

}  // namespace welcome::contract
