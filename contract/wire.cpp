// SPDX-License-Identifier: Apache-2.0
#include "contract/wire.h"

#include <utility>

#include "contract/canonical.h"
#include "contract/json_fields.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/signed_text.h"

namespace welcome::contract {

using nlohmann::json;

void put_address(json& payload, const BoxAddress& box) {
  payload["tenant"] = box.tenant;
  payload["store"] = box.store;
  payload["box"] = box.box;
}

bool is_for(const BoxAddress& self, const json& payload) {
  const auto is = [&](const char* member, const std::string& name) {
    const auto found = payload.find(member);
    return found != payload.end() && *found == name;
  };
  return is("tenant", self.tenant) && is("store", self.store) && is("box", self.box);
}

json signed_by(const json& value, const Signer* signer) {
  if (signer == nullptr) return value;
  const auto text = signer->sign(dump(value));
  return text ? json::parse(*text) : value;
}

Result<void> check_signed(const std::string& what, const json& payload, const KeyRing* keys) {
  if (keys == nullptr) return {};
  const auto verified = verify_value(*keys, payload);
  if (!verified) return fail(verified.error().code, what + ": " + verified.error().message);
  return {};
}

Result<json> accepted_signed(const std::string& what, const RawMessage& raw, const KeyRing* keys) {
  auto payload = accepted(what, raw.payload);
  if (!payload) return payload;
  if (auto good = check_signed(what, *payload, keys); !good) return tl::unexpected(good.error());
  return payload;
}

void set_if(json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}

json object_of(const std::string& text) {
  json value = json::parse(text, nullptr, false);
  return value.is_object() ? value : json::object();
}

Message message_on(std::string topic, const json& payload) {
  Message message;
  message.id = MessageId(new_uuid());
  message.content_type = content_type_of(topic);
  message.topic = std::move(topic);
  message.payload = dump(payload);
  return message;
}

std::optional<ConsentNotice> notice(const json& value) {
  const auto found = value.find("notice");
  if (found == value.end()) return std::nullopt;
  return ConsentNotice{text(*found, "id"), text(*found, "version"),
                       language_tag(text(*found, "language"))};
}

json notice_json(const ConsentNotice& notice) {
  return {{"id", notice.id}, {"version", notice.version}, {"language", notice.language}};
}

std::optional<Confirmation> confirmation(const json& data) {
  const auto found = data.find("confirm");
  if (found == data.end()) return std::nullopt;
  return Confirmation{value_of(kConfirmedBy, text(*found, "by")), text(*found, "pending"),
                      text(*found, "code"), StaffId(text(*found, "staff"))};
}

json confirm_json(const Confirmation& confirm) {
  json out{{"by", to_string(confirm.by)}};
  set_if(out, "pending", confirm.pending);
  set_if(out, "code", confirm.code);
  set_if(out, "staff", confirm.witness.str());
  return out;
}

SurveyKind survey_kind(const json& value, const char* name) {
  return survey_kind_from_string(text(value, name)).value_or(SurveyKind::nps);
}

}  // namespace welcome::contract
