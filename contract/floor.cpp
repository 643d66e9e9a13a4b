// SPDX-License-Identifier: Apache-2.0
// The floor: what boxes tell tablets and each other, and what tablets say, written and read.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "contract/json_fields.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/readers.h"
#include "contract/wire.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

json suggest_json(const Suggestion& suggest) {
  json out{{"kind", to_string(suggest.kind)}};
  set_if(out, "value", suggest.value);
  if (suggest.kind == Suggestion::Kind::points) out["points"] = suggest.points;
  return out;
}

}  // namespace

Message encode_prompt(const Prompt& prompt) {
  json preferences = json::array();
  for (const PromptPreference& line : prompt.preferences) {
    json entry{{"key", line.key}, {"text", line.text}};
    set_if(entry, "detail", line.detail);
    set_if(entry, "source", line.source);
    entry["confirmed"] = line.confirmed;
    if (line.last_confirmed) entry["last_confirmed"] = to_rfc3339(*line.last_confirmed);
    preferences.push_back(std::move(entry));
  }
  json greet{{"name", prompt.name}};
  set_if(greet, "greeting", prompt.greeting);
  set_if(greet, "pronunciation", prompt.pronunciation);
  json last = nullptr;
  if (prompt.last_conversation) {
    last = {{"text", prompt.last_conversation->text},
            {"at", to_rfc3339(prompt.last_conversation->at)}};
  }
  json payload{
      {"v", 1},
      {"visit", prompt.visit.str()},
      {"decision", prompt.decision.str()},
      {"level", to_string(prompt.level)},
      {"by", prompt.by},
      {"met", to_string(prompt.met)},
      {"greet", greet},
      {"tier", prompt.tier},
      {"points", prompt.points},
      {"next_reward_points", prompt.next_reward_points},
      {"headline", prompt.headline},
      {"preferences", preferences},
      {"last_conversation", last},
      {"suggestion", prompt.suggestion},
      {"suggest", suggest_json(prompt.suggest)},
      {"avoid", prompt.avoid},
      {"zone", to_string(prompt.zone)},
      {"since", to_rfc3339(prompt.since)},
      {"state", to_string(prompt.state)},
      {"claimed_by", prompt.claimed_by.empty() ? json(nullptr) : json(prompt.claimed_by.str())},
      {"expires_at", to_rfc3339(prompt.expires_at)}};
  if (prompt.rehearsal) payload["rehearsal"] = true;
  if (prompt.left_at) payload["left_at"] = to_rfc3339(*prompt.left_at);
  Message message = message_on(prompt_topic(prompt.visit.str()), payload);
  message.link = LinkName::floor;
  message.retain = true;
  message.priority = Priority::decision;
  message.customer = prompt.customer;
  message.expires_at = prompt.expires_at;
  return message;
}

Message encode_prompt_cleared(const VisitId& visit, const CustomerId& customer) {
  Message message;
  message.id = MessageId(new_uuid());
  message.link = LinkName::floor;
  message.topic = prompt_topic(visit.str());
  message.retain = true;
  message.priority = Priority::decision;
  message.customer = customer;
  return message;
}

Result<BoxInbound> tablet_action(const ParsedTopic& topic, const RawMessage& raw) {
  const auto payload = accepted("floor.action", raw.payload);
  if (!payload) return tl::unexpected(payload.error());
  TabletAction said{topic.tablet, text(*payload, "sign_in"), {}};
  StaffAction& out = said.action;
  out.id = text(*payload, "id");
  out.visit = VisitId(text(*payload, "visit"));
  if (out.visit.str() != topic.leaf) {
    return fail(ErrorCode::refused, "floor.action: visit differs from the topic");
  }
  out.kind = *staff_action_from_string(text(*payload, "kind"));
  out.text = text(*payload, "text");
  if (const auto preference = payload->find("preference"); preference != payload->end()) {
    out.preference_key = text(*preference, "key");
    out.preference_value = text(*preference, "value");
    out.verdict = text(*preference, "verdict") == "change" ? StaffAction::Verdict::change
                                                           : StaffAction::Verdict::confirm;
  }
  out.at = time_of(*payload, "at");
  return said;
}

Message encode_floor_status(const FloorStatus& status) {
  json paused = json::array();
  for (const Function function : status.paused) paused.push_back(to_string(function));
  json paused_here = json::array();
  for (const Function function : status.paused_here) paused_here.push_back(to_string(function));
  json trouble = json::array();
  for (const Trouble what : status.trouble) trouble.push_back(name_of(kTroubles, what));
  Message message =
      message_on(floor_status_topic(status.box), {{"v", 1},
                                                  {"store", status.store},
                                                  {"box", status.box},
                                                  {"link", status.link_up ? "up" : "down"},
                                                  {"in_store", status.in_store},
                                                  {"paused", paused},
                                                  {"paused_here", paused_here},
                                                  {"trouble", trouble},
                                                  {"told_all", status.told_all},
                                                  {"rehearsal", status.rehearsal},
                                                  {"version", status.version},
                                                  {"at", to_rfc3339(status.at)}});
  message.link = LinkName::floor;
  message.retain = true;
  return message;
}

Result<BoxInbound> enrol(const ParsedTopic& topic, const RawMessage& raw) {
  const auto payload = accepted("floor.enrol", raw.payload);
  if (!payload) return tl::unexpected(payload.error());
  EnrolMessage out;
  out.id = MessageId(text(*payload, "id"));
  out.session = text(*payload, "session");
  if (out.session != topic.leaf) {
    return fail(ErrorCode::refused, "floor.enrol: session differs from the topic");
  }
  if (text(*payload, "from") == "box") {
    return fail(ErrorCode::refused, "floor.enrol: a tablet that speaks as the box");
  }
  out.tablet = topic.tablet;
  out.kind = value_of(kEnrolKinds, text(*payload, "kind"));
  out.sign_in = text(*payload, "sign_in");
  out.customer = CustomerId(text(*payload, "customer"));
  if (payload->contains("purposes")) payload->at("purposes").get_to(out.purposes);
  out.notice = notice(*payload);
  out.confirm = confirmation(*payload);
  if (out.confirm) out.pin = text(payload->at("confirm"), "pin");
  out.hint = text(*payload, "hint");
  out.views = static_cast<int>(integer(*payload, "views"));
  out.views_needed = static_cast<int>(integer(*payload, "views_needed"));
  out.reason = text(*payload, "reason");
  out.cause = text(*payload, "cause");
  out.at = time_of(*payload, "at");
  return out;
}

Message encode_enrol(const EnrolMessage& enrol) {
  json payload{{"v", 1},
               {"id", enrol.id.str()},
               {"session", enrol.session},
               {"from", enrol.from_box ? "box" : "tablet"},
               {"kind", name_of(kEnrolKinds, enrol.kind)},
               {"at", to_rfc3339(enrol.at)}};
  set_if(payload, "sign_in", enrol.sign_in);
  set_if(payload, "customer", enrol.customer.str());
  if (enrol.kind == EnrolMessage::Kind::consent) payload["purposes"] = enrol.purposes;
  if (enrol.notice) payload["notice"] = notice_json(*enrol.notice);
  if (enrol.kind == EnrolMessage::Kind::confirmation) {
    payload["confirmed"] = name_of(kEnrolConfirmed, enrol.confirmed);
  }
  if (enrol.kind == EnrolMessage::Kind::member) {
    payload["known"] = name_of(kEnrolKnown, enrol.known);
  }
  set_if(payload, "name", enrol.name);
  set_if(payload, "page", enrol.page);
  set_if(payload, "hint", enrol.hint);
  if (enrol.from_box) payload["views"] = enrol.views;
  if (enrol.views_needed > 0) payload["views_needed"] = enrol.views_needed;
  set_if(payload, "reason", enrol.reason);
  set_if(payload, "cause", enrol.cause);
  Message message = message_on(enrol.from_box ? to_enrol_topic(enrol.tablet, enrol.session)
                                              : enrol_topic(enrol.tablet, enrol.session),
                               payload);
  message.id = enrol.id;
  message.link = LinkName::floor;
  message.priority = Priority::decision;
  return message;
}

Result<BoxInbound> store_word(const ParsedTopic& topic, const RawMessage& raw) {
  StoreWord out;
  out.decision = DecisionId(topic.leaf);
  out.kept = raw.retained;
  if (raw.payload.empty()) return out;
  const auto payload = accepted("floor.offer", raw.payload);
  if (!payload) return tl::unexpected(payload.error());
  if (text(*payload, "decision") != topic.leaf) {
    return fail(ErrorCode::refused, "floor.offer: decision differs from the topic");
  }
  out.box = text(*payload, "box");
  StoreOffer offer;
  offer.decision = out.decision;
  offer.whom = std::stoull(text(*payload, "whom"), nullptr, 16);  // the schema wants 16 digits
  offer.campaign = CampaignId(text(*payload, "campaign"));
  offer.at = time_of(*payload, "at");
  offer.expires_at = time_of(*payload, "expires_at");
  offer.sent = payload->at("sent").get<bool>();
  out.offer = std::move(offer);
  return out;
}

Message encode_store_word(const StoreWord& word) {
  Message message;
  if (const auto& offer = word.offer) {
    char whom[17];
    std::snprintf(whom, sizeof whom, "%016llx", static_cast<unsigned long long>(offer->whom));
    message =
        message_on(offer_topic(word.decision.str()), {{"v", 1},
                                                      {"box", word.box},
                                                      {"decision", word.decision.str()},
                                                      {"whom", whom},
                                                      {"campaign", offer->campaign.str()},
                                                      {"at", to_rfc3339(offer->at)},
                                                      {"expires_at", to_rfc3339(offer->expires_at)},
                                                      {"sent", offer->sent}});
    // No cap looks back further.
    message.expires_at = std::max(offer->at, offer->expires_at) + std::chrono::days{8};
  } else {
    message.id = MessageId(new_uuid());
    message.topic = offer_topic(word.decision.str());
  }
  message.link = LinkName::floor;
  message.retain = true;
  message.priority = Priority::decision;
  return message;
}

Result<BoxInbound> ranging(const BoxAddress& self, const ParsedTopic& topic,
                           const RawMessage& raw) {
  const auto payload = accepted("floor.ranging", raw.payload);
  if (!payload) return tl::unexpected(payload.error());
  FloorRanging out;
  out.store = text(*payload, "store");
  out.box = text(*payload, "box");
  if (out.box != topic.leaf) {
    return fail(ErrorCode::refused, "floor.ranging: box differs from the topic");
  }
  if (out.store != self.store) return fail(ErrorCode::refused, "floor.ranging: another store");
  out.session = static_cast<std::uint64_t>(integer(*payload, "session"));
  out.seq = static_cast<std::uint64_t>(integer(*payload, "seq"));
  out.day = text(*payload, "day");
  out.zone = *zone_from_string(text(*payload, "zone"));
  out.gone = payload->at("gone").get<bool>();
  for (const json& entry : payload->at("heard")) {
    FloorRanging::Heard heard;
    heard.who = text(entry, "who");
    heard.source = value_of(kHeardSources, text(entry, "source"));
    heard.leads = entry.at("leads").get<bool>();
    heard.fast = *zone_from_string(text(entry, "fast"));
    heard.settled = *zone_from_string(text(entry, "settled"));
    if (entry.contains("heard_ago_ms")) {
      if (!entry.contains("fast_db") || !entry.contains("settled_db")) {
        return fail(ErrorCode::malformed, "floor.ranging: heard without levels");
      }
      heard.heard_ago_ms = integer(entry, "heard_ago_ms");
      heard.fast_db = entry.at("fast_db").get<double>();
      heard.settled_db = entry.at("settled_db").get<double>();
    }
    heard.visit = text(entry, "visit");
    if (const auto fob = entry.find("fob"); fob != entry.end()) {
      heard.fob = text(*fob, "id");
      heard.device = text(*fob, "device");
    }
    out.heard.push_back(std::move(heard));
  }
  return out;
}

Message encode_ranging(const FloorRanging& ranging) {
  // A hundredth of a dB is more than any radio knows.
  const auto rounded = [](double db) { return std::round(db * 100.0) / 100.0; };
  json heard = json::array();
  for (const auto& one : ranging.heard) {
    json entry{{"who", one.who},
               {"source", name_of(kHeardSources, one.source)},
               {"leads", one.leads},
               {"fast", to_string(one.fast)},
               {"settled", to_string(one.settled)}};
    if (one.heard_ago_ms) {
      entry["heard_ago_ms"] = *one.heard_ago_ms;
      entry["fast_db"] = rounded(one.fast_db);
      entry["settled_db"] = rounded(one.settled_db);
    }
    if (!one.visit.empty()) entry["visit"] = one.visit;
    if (!one.fob.empty()) entry["fob"] = {{"id", one.fob}, {"device", one.device}};
    heard.push_back(std::move(entry));
  }
  Message message = message_on(ranging_topic(ranging.box), {{"v", 1},
                                                            {"store", ranging.store},
                                                            {"box", ranging.box},
                                                            {"session", ranging.session},
                                                            {"seq", ranging.seq},
                                                            {"day", ranging.day},
                                                            {"zone", to_string(ranging.zone)},
                                                            {"gone", ranging.gone},
                                                            {"heard", std::move(heard)}});
  message.link = LinkName::floor;
  message.qos = 0;
  return message;
}

}  // namespace welcome::contract
