// SPDX-License-Identifier: Apache-2.0
#include "contract/manage.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "contract/json_fields.h"
#include "contract/json_text.h"
#include "contract/topics.h"
#include "contract/wire.h"
#include "core/enum_names.h"

namespace welcome::contract {

namespace {

using nlohmann::json;
using Kind = Manage::Kind;

constexpr EnumNames<Kind, 8> kManageKinds{{{Kind::today, "today"},
                                           {Kind::pause, "pause"},
                                           {Kind::resume, "resume"},
                                           {Kind::rehearsal_start, "rehearsal_start"},
                                           {Kind::rehearsal_stop, "rehearsal_stop"},
                                           {Kind::lights, "lights"},
                                           {Kind::signal, "signal"},
                                           {Kind::restart, "restart"}}};
constexpr EnumNames<PauseReason, 5> kPauseReasons{{{PauseReason::wrong, "wrong"},
                                                   {PauseReason::bothers, "bothers"},
                                                   {PauseReason::busy, "busy"},
                                                   {PauseReason::broken, "broken"},
                                                   {PauseReason::other, "other"}}};
constexpr EnumNames<SignalView::By, 2> kHeardBy{
    {{SignalView::By::phone, "phone"}, {SignalView::By::fob, "fob"}}};
// As many as the schema takes.
constexpr std::size_t kMostSignals = 50;
constexpr std::size_t kMostToDo = 300;
constexpr std::size_t kMostExperiments = 50;
constexpr std::size_t kMostSignedIn = 200;

json pause_json(const PauseView& pause) {
  json out{{"function", to_string(pause.function)}};
  if (pause.here) {
    out["here"] = {{"staff", pause.here->staff.str()},
                   {"reason", to_string(pause.here->reason)},
                   {"since", to_rfc3339(pause.here->since)}};
  }
  return out;
}

json today_json(const Today& today) {
  json experiments = json::array();
  for (const ExperimentView& one : today.experiments) {
    if (experiments.size() == kMostExperiments) break;
    experiments.push_back({{"campaign", one.campaign},
                           {"name", one.name},
                           {"variants", one.variants},
                           {"holdout_percent", one.holdout_percent}});
  }
  json signed_in = json::array();
  for (const auto& one : today.signed_in) {
    if (signed_in.size() == kMostSignedIn) break;
    signed_in.push_back({{"tablet", one.tablet},
                         {"staff", one.staff.str()},
                         {"since", to_rfc3339(one.since)},
                         {"locked", one.locked}});
  }
  json paused = json::array();
  for (const PauseView& pause : today.paused) paused.push_back(pause_json(pause));
  return {{"since", to_rfc3339(today.since)},
          {"arrivals", today.arrivals},
          {"greeted", today.greeted},
          {"greeted_at_once", today.greeted_at_once},
          {"served", today.served},
          {"offers", today.offers},
          {"opened", today.opened},
          {"redeemed", today.redeemed},
          {"surveys", today.surveys},
          {"why_not", today.why_not},
          {"experiments", std::move(experiments)},
          {"signed_in", std::move(signed_in)},
          {"paused", std::move(paused)},
          {"rehearsal", today.rehearsal}};
}

}  // namespace

Role role_for(Kind kind) {
  switch (kind) {
    case Kind::today:
    case Kind::pause:
    case Kind::resume:
    case Kind::rehearsal_start:
    case Kind::rehearsal_stop:
      return Role::lead;
    case Kind::lights:
    case Kind::signal:
    case Kind::restart:
      return Role::technician;
  }
  return Role::technician;
}

std::string_view to_string(Kind kind) { return enum_name(kManageKinds, kind); }
std::string_view to_string(PauseReason reason) { return enum_name(kPauseReasons, reason); }
std::optional<PauseReason> pause_reason_from_string(std::string_view text) {
  return enum_value(kPauseReasons, text);
}

Result<Manage> decode_manage(const std::string& tablet, std::string_view payload) {
  const auto said = accepted("floor.manage", payload);
  if (!said) return tl::unexpected(said.error());
  Manage out;
  out.tablet = tablet;
  out.id = text(*said, "id");
  out.sign_in = text(*said, "sign_in");
  out.kind = *enum_value(kManageKinds, text(*said, "kind"));
  out.box = text(*said, "box");
  out.function = function_from_string(text(*said, "function"));
  out.reason = pause_reason_from_string(text(*said, "reason"));
  return out;
}

Message encode_managed(const Managed& managed) {
  json payload{{"v", 1},
               {"re", managed.re},
               {"box", managed.box},
               {"kind", to_string(managed.kind)},
               {"at", to_rfc3339(managed.at)}};
  payload["id"] = new_uuid();
  if (managed.today) payload["today"] = today_json(*managed.today);
  if (managed.lights) {
    json& lights = payload["lights"] = json::array();
    for (const LightView& one : *managed.lights) {
      lights.push_back({{"light", welcome::to_string(one.light)},
                        {"lamp", welcome::to_string(one.lamp)},
                        {"what", one.what},
                        {"to_do", one.to_do.substr(0, kMostToDo)}});
    }
  }
  if (managed.signal) {
    json& signal = payload["signal"] = json::array();
    for (const SignalView& one : *managed.signal) {
      if (signal.size() == kMostSignals) break;
      signal.push_back({{"by", enum_name(kHeardBy, one.by)},
                        {"bars", one.bars},
                        {"zone", welcome::to_string(one.zone)}});
    }
  }
  Message message = message_on(managed_topic(managed.tablet), payload);
  message.link = LinkName::floor;
  return message;
}

}  // namespace welcome::contract
