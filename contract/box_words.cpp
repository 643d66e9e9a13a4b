// SPDX-License-Identifier: Apache-2.0
// What a box says of itself to the CRM, written and read.

#include <nlohmann/json.hpp>
#include <utility>

#include "contract/canonical.h"
#include "contract/json_fields.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/readers.h"
#include "contract/signing.h"
#include "contract/wire.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

// What was signed for another box, or as another, says nothing of this one.
std::optional<AuditWord> audit_word(const BoxAddress& from, const json& payload) {
  const auto found = payload.find("audit");
  if (found == payload.end() || !is_for(from, *found)) return std::nullopt;
  const auto number = [&](const char* name) {
    return static_cast<std::uint64_t>(integer(*found, name));
  };
  return AuditWord{text(*found, "asked"), number("session"),    text(*found, "run"),
                   number("seq"),         text(*found, "hash"), text(*found, "before"),
                   number("since"),       found->dump()};
}

json audit_word(const BoxAddress& box, const AuditWord& word, const Signer* signer) {
  json out{{"asked", word.asked},
           {"session", word.session},
           {"run", word.run},
           {"seq", word.seq},
           {"since", word.since}};
  put_address(out, box);
  set_if(out, "hash", word.hash);
  set_if(out, "before", word.before);
  return signed_by(out, signer);
}

}  // namespace

Result<CrmInbound> box_state(const json& payload) {
  BoxState out;
  out.state = value_of(kLinkStates, text(payload, "state"));
  out.session = static_cast<std::uint64_t>(integer(payload, "session"));
  out.version = text(payload, "version");
  out.at = time_of(payload, "at");
  out.key = text(payload, "key");
  if (const auto found = payload.find("vouched"); found != payload.end()) {
    for (const json& statement : *found) out.vouched.push_back(statement.dump());
  }
  if (const auto found = payload.find("lights"); found != payload.end()) {
    for (const json& light : *found) {
      out.lights.push_back({value_of(kLights, text(light, "light")),
                            value_of(kLamps, text(light, "lamp")), text(light, "what")});
    }
  }
  if (const auto found = payload.find("update"); found != payload.end()) {
    out.update = {update_step_from_string(text(*found, "step")).value_or(UpdateStep::idle),
                  text(*found, "version"), static_cast<std::uint64_t>(integer(*found, "word")),
                  text(*found, "why")};
  }
  return out;
}

Message encode_state(const BoxAddress& box, const BoxState& state) {
  json payload{{"v", 1},
               {"state", name_of(kLinkStates, state.state)},
               {"session", state.session},
               {"version", state.version},
               {"at", to_rfc3339(state.at)}};
  set_if(payload, "key", state.key);
  for (const std::string& statement : state.vouched)
    payload["vouched"].push_back(json::parse(statement));
  for (const LightState& light : state.lights) {
    payload["lights"].push_back({{"light", name_of(kLights, light.light)},
                                 {"lamp", name_of(kLamps, light.lamp)},
                                 {"what", light.what}});
  }
  if (state.update) {
    json& update = payload["update"];
    update["step"] = to_string(state.update->step);
    set_if(update, "version", state.update->version);
    if (state.update->word != 0) update["word"] = state.update->word;
    set_if(update, "why", state.update->why);
  }
  Message message = message_on(state_topic(box), payload);
  message.retain = true;
  return message;
}

Result<CrmInbound> hello(const BoxAddress& from, const json& payload) {
  Hello out;
  out.session = static_cast<std::uint64_t>(integer(payload, "session"));
  out.version = text(payload, "version");
  out.control = static_cast<std::uint64_t>(integer(payload, "control"));
  out.confirms = payload.value("confirms", false);
  out.audit = audit_word(from, payload);
  out.keys = words(payload, "keys");
  out.region = text(payload, "region");
  for (const Collection collection : kAllCollections) {
    const auto found = payload.at("have").find(to_string(collection));
    if (found == payload.at("have").end()) continue;
    out.have[collection] = {text(*found, "epoch"),
                            static_cast<std::uint64_t>(integer(*found, "seq")),
                            text(*found, "digest")};
  }
  return out;
}

Message encode_hello(const BoxAddress& box, const Hello& hello, const Signer* signer) {
  json have = json::object();
  for (const auto& [collection, at] : hello.have) {
    have[std::string(to_string(collection))] = {
        {"epoch", at.epoch}, {"seq", at.seq}, {"digest", at.digest}};
  }
  json payload{{"v", 1},
               {"box", box.box},
               {"session", hello.session},
               {"version", hello.version},
               {"have", have}};
  if (hello.control != 0) payload["control"] = hello.control;
  if (hello.confirms) payload["confirms"] = true;
  if (!hello.keys.empty()) payload["keys"] = hello.keys;
  set_if(payload, "region", hello.region);
  if (hello.audit) payload["audit"] = audit_word(box, *hello.audit, signer);
  Message message = message_on(hello_topic(box), payload);
  message.priority = Priority::consent;
  return message;
}

Message encode_lookup(const BoxAddress& box, const Lookup& lookup) {
  Message message = message_on(lookup_topic(box), {{"v", 1},
                                                   {"id", lookup.id.str()},
                                                   {"customer", lookup.customer.str()},
                                                   {"at", to_rfc3339(lookup.at)}});
  message.id = lookup.id;
  message.expires_at = lookup.at + kLookupLife;
  return message;
}

std::string vouch_for(const BoxAddress& box, const Ed25519Public& next, const Signer& former) {
  json statement{{"key", public_key_text(next)}};
  put_address(statement, box);
  return dump(signed_by(statement, &former));
}

Ed25519Public vouched_key(const BoxAddress& box, const Ed25519Public& trusted,
                          const std::vector<std::string>& statements) {
  Ed25519Public key = trusted;
  for (const std::string& statement : statements) {
    const auto said = parse_json(statement);
    if (!said || !said->is_object() || !is_for(box, *said)) continue;
    const auto next = public_key_from_text(text(*said, "key"));
    KeyRing ring;
    ring.pin(box.box, key);
    if (next && verify_value(ring, *said)) key = *next;
  }
  return key;
}

}  // namespace welcome::contract
