// SPDX-License-Identifier: Apache-2.0
// What the CRM says to a box beside the feed, and what the box answers, written and read.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "contract/json_fields.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/readers.h"
#include "contract/schema_set.h"
#include "contract/signed_text.h"
#include "contract/wire.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxId = 128;  // as in every schema

// A command is repeated until its answer is there; an old answer is for nobody.
constexpr std::chrono::hours kAnswerLife{1};

// The id of a command that breaks its schema, so that it can be answered; empty: it has none.
std::string id_of(const json& payload) {
  if (!payload.is_object()) return {};
  const auto id = payload.find("id");
  if (id == payload.end() || !id->is_string()) return {};
  const auto& text = id->get_ref<const std::string&>();
  return text.size() <= kMaxId ? text : std::string();
}

// A signed command must not be moved to another box, nor be kept for later.
Result<void> check_signed_command(const BoxAddress& self, const json& payload,
                                  const KeyRing& keys) {
  if (auto good = check_signed("command", payload, &keys); !good) return good;
  if (!is_for(self, payload)) return fail(ErrorCode::refused, "command: made for another box");
  if (!payload.contains("expires_at")) {
    return fail(ErrorCode::refused, "command: signed without an end");
  }
  return {};
}

Taken::Update update_of(const json& said) {
  Taken::Update out{static_cast<std::uint64_t>(integer(said, "word")), time_of(said, "at"), {}};
  const auto found = said.find("release");
  if (found == said.end()) return out;
  out.release = {text(*found, "version"),
                 text(*found, "digest"),
                 static_cast<std::uint64_t>(integer(*found, "size")),
                 text(*found, "url"),
                 found->value("at_once", false),
                 found->value("may_be_lower", false)};
  return out;
}

json update_json(const Taken::Update& update) {
  json out{{"word", update.word}, {"at", to_rfc3339(update.at)}};
  if (!update.release) return out;
  const Taken::Release& release = *update.release;
  out["release"] = {{"version", release.version},
                    {"digest", release.digest},
                    {"size", release.size},
                    {"url", release.url}};
  if (release.at_once) out["release"]["at_once"] = true;
  if (release.may_be_lower) out["release"]["may_be_lower"] = true;
  return out;
}

}  // namespace

Result<std::array<std::uint32_t, 3>> release_numbers(std::string_view version) {
  std::array<std::uint32_t, 3> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto end = i + 1 < out.size() ? version.find('.') : version.size();
    if (end == std::string_view::npos) return fail(ErrorCode::malformed, "a version is 1.2.3");
    const auto [rest, error] = std::from_chars(version.data(), version.data() + end, out[i]);
    if (error != std::errc() || rest != version.data() + end)
      return fail(ErrorCode::malformed, "a version is 1.2.3");
    version.remove_prefix(std::min(end + 1, version.size()));
  }
  return out;
}

Result<BoxInbound> taken(const BoxAddress& self, const RawMessage& raw, const KeyRing* keys) {
  const auto payload = accepted_signed("taken", raw, keys);
  if (!payload) return tl::unexpected(payload.error());
  if (!is_for(self, *payload)) {
    return fail(ErrorCode::refused, "taken: it is for another box than the topic says");
  }
  Taken out;
  for (const json& id : payload->at("ids")) out.ids.emplace_back(id.get<std::string>());
  if (const auto asks = payload->find("audit"); asks != payload->end()) {
    out.audit = {text(*asks, "ask"), static_cast<std::uint64_t>(integer(*asks, "seq"))};
  }
  if (const auto found = payload->find("keys"); found != payload->end()) {
    out.keys = Taken::Keys{{}, time_of(*payload, "keys_at")};
    for (const json& one : *found) {
      const auto key = public_key_from_text(text(one, "key"));
      if (!key) return fail(ErrorCode::malformed, "taken: keys: " + key.error().message);
      out.keys->ring.pin(text(one, "id"), *key);
    }
  }
  if (payload->contains("region")) {
    out.region = {text(*payload, "region"), time_of(*payload, "region_at")};
  }
  if (const auto said = payload->find("update"); said != payload->end())
    out.update = update_of(*said);
  return out;
}

Message encode_taken(const BoxAddress& box, const Taken& taken, const Signer* signer) {
  json ids = json::array();
  for (const MessageId& id : taken.ids) ids.push_back(id.str());
  json payload{{"v", 1}, {"ids", std::move(ids)}};
  if (taken.keys) {
    payload["keys"] = json::array();
    payload["keys_at"] = to_rfc3339(taken.keys->at);
    for (const auto& [id, key] : taken.keys->ring.keys())
      payload["keys"].push_back({{"id", id}, {"key", public_key_text(key)}});
  }
  if (taken.audit) payload["audit"] = {{"ask", taken.audit->ask}, {"seq", taken.audit->seq}};
  if (taken.region) {
    payload["region"] = taken.region->name;
    payload["region_at"] = to_rfc3339(taken.region->at);
  }
  if (taken.update) payload["update"] = update_json(*taken.update);
  put_address(payload, box);
  return message_on(taken_topic(box), signed_by(payload, signer));
}

Result<BoxInbound> found(const BoxAddress& self, const RawMessage& raw, const KeyRing* keys) {
  const auto payload = accepted_signed("found", raw, keys);
  if (!payload) return tl::unexpected(payload.error());
  if (!is_for(self, *payload)) {
    return fail(ErrorCode::refused, "found: it is for another box than the topic says");
  }
  return Found{MessageId(text(*payload, "id")), value_of(kFoundAnswers, text(*payload, "answer")),
               text(*payload, "name"), text(*payload, "page")};
}

Message encode_found(const BoxAddress& box, const Found& found, WallTime at, const Signer* signer) {
  json payload{{"v", 1},
               {"id", found.id.str()},
               {"answer", name_of(kFoundAnswers, found.answer)},
               {"at", to_rfc3339(at)}};
  set_if(payload, "name", found.name);
  set_if(payload, "page", found.page);
  put_address(payload, box);
  Message message = message_on(found_topic(box), signed_by(payload, signer));
  message.expires_at = at + kLookupLife;
  return message;
}

Result<BoxInbound> command(const BoxAddress& self, const RawMessage& raw, const KeyRing* keys) {
  const auto payload = parse_json(raw.payload);
  if (!payload) return fail(payload.error().code, "command: " + payload.error().message);
  const auto checked = check_schema("command", *payload);
  const std::string id = id_of(*payload);
  if (id.empty()) return tl::unexpected(checked.error());
  if (keys != nullptr) {
    if (auto good = check_signed_command(self, *payload, *keys); !good) {
      return tl::unexpected(good.error());
    }
  }
  Command out;
  out.id = MessageId(id);
  out.response_topic = response_topic(self);
  out.correlation = raw.correlation;
  if (!raw.response_topic.empty()) {
    if (is_response_topic(self, raw.response_topic)) {
      out.response_topic = raw.response_topic;
    } else {
      out.refused = Error{ErrorCode::refused,
                          "command: the response topic is not this box's own, or below it"};
      return out;
    }
  }
  if (!checked) {
    out.refused = checked.error();
    return out;
  }
  out.kind = value_of(kCommandKinds, text(*payload, "kind"));
  out.customer = CustomerId(text(*payload, "customer"));
  out.eid = text(*payload, "eid");
  out.at = time(*payload, "at");
  out.expires_at = time(*payload, "expires_at");
  out.decision = DecisionId(text(*payload, "decision"));
  out.campaign = CampaignId(text(*payload, "campaign"));
  out.variant = text(*payload, "variant");
  out.product = text(*payload, "product");
  out.value_hundredths = integer(*payload, "value_hundredths");
  if (payload->contains("outcome")) {
    out.outcome = *outcome_from_string(text(*payload, "outcome"));
  }
  if (payload->contains("settings")) payload->at("settings").get_to(out.settings);
  for (std::string& event : words(*payload, "events")) out.events.emplace_back(std::move(event));
  if (payload->contains("reason")) {
    out.reason = value_of(kTakeBackReasons, text(*payload, "reason"));
  }
  return out;
}

Message encode_command(const BoxAddress& box, const Command& command, const Signer* signer) {
  json payload{{"v", 1}, {"id", command.id.str()}, {"kind", name_of(kCommandKinds, command.kind)}};
  put_address(payload, box);
  if (command.expires_at) payload["expires_at"] = to_rfc3339(*command.expires_at);
  set_if(payload, "customer", command.customer.str());
  set_if(payload, "eid", command.eid);
  if (command.at) payload["at"] = to_rfc3339(*command.at);
  set_if(payload, "decision", command.decision.str());
  set_if(payload, "campaign", command.campaign.str());
  set_if(payload, "variant", command.variant);
  set_if(payload, "product", command.product);
  if (command.value_hundredths != 0) payload["value_hundredths"] = command.value_hundredths;
  if (command.kind == Command::Kind::outcome) payload["outcome"] = to_string(command.outcome);
  if (command.kind == Command::Kind::config) payload["settings"] = command.settings;
  if (command.kind == Command::Kind::take_back) {
    payload["reason"] = name_of(kTakeBackReasons, command.reason);
    for (const MessageId& id : command.events) payload["events"].push_back(id.str());
  }
  Message message = message_on(command_topic(box), signed_by(payload, signer));
  message.id = command.id;
  message.response_topic =
      command.response_topic.empty() ? response_topic(box) : command.response_topic;
  message.correlation = command.correlation.empty() ? command.id.str() : command.correlation;
  return message;
}

std::string sent_command(std::string_view payload, const BoxAddress& box, WallTime expires_at,
                         const Signer* signer) {
  json command = object_of(std::string(payload));
  put_address(command, box);
  command["expires_at"] = to_rfc3339(expires_at);
  return dump(signed_by(command, signer));
}

Result<CrmInbound> response(const json& payload) {
  CommandResponse out;
  out.command = MessageId(text(payload, "id"));
  out.box = text(payload, "box");
  out.ok = payload.at("ok").get<bool>();
  out.error = text(payload, "error");
  if (payload.contains("result")) out.result = payload["result"].dump();
  out.at = time_of(payload, "at");
  return out;
}

Message encode_command_response(const BoxAddress& box, const Command& command,
                                const CommandResponse& response) {
  json payload{{"v", 1},
               {"id", command.id.str()},
               {"box", box.box},
               {"ok", response.ok},
               {"at", to_rfc3339(response.at)}};
  set_if(payload, "error", response.error);
  if (!response.result.empty()) payload["result"] = object_of(response.result);
  Message message = message_on(
      command.response_topic.empty() ? response_topic(box) : command.response_topic, payload);
  message.correlation = command.correlation;
  message.priority = Priority::decision;
  message.expires_at = response.at + kAnswerLife;
  return message;
}

Result<BoxInbound> control(const ParsedTopic& topic, const RawMessage& raw, const KeyRing* keys) {
  const auto payload = accepted_signed("control", raw, keys);
  if (!payload) return tl::unexpected(payload.error());
  Control out;
  out.id = MessageId(text(*payload, "id"));
  out.seq = static_cast<std::uint64_t>(integer(*payload, "seq"));
  out.tenant = text(*payload, "tenant");
  out.store = text(*payload, "store");
  // A signed message must not be moved to another store's topic.
  if (out.tenant != topic.address.tenant || out.store != topic.address.store) {
    return fail(ErrorCode::refused, "control: made for another tenant or store");
  }
  out.function = *function_from_string(text(*payload, "function"));
  out.paused = payload->at("paused").get<bool>();
  out.at = time_of(*payload, "at");
  return out;
}

Message encode_control(const Control& control, const Signer* signer) {
  Message message = message_on(control_topic(control.tenant, control.store),
                               signed_by({{"v", 1},
                                          {"id", control.id.str()},
                                          {"seq", control.seq},
                                          {"tenant", control.tenant},
                                          {"store", control.store},
                                          {"function", to_string(control.function)},
                                          {"paused", control.paused},
                                          {"at", to_rfc3339(control.at)}},
                                         signer));
  message.id = control.id;
  message.retain = true;
  return message;
}

}  // namespace welcome::contract
