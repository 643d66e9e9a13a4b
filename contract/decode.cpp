// SPDX-License-Identifier: Apache-2.0
// Who may say what on which topic; the file of its family reads what a message says.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "contract/contract.h"
#include "contract/json_fields.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/manage.h"
#include "contract/readers.h"
#include "contract/sign_in.h"
#include "contract/wire.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

DoorRequest::Details details_of(const json& value) {
  DoorRequest::Details out;
  const auto maybe = [&](const char* name) {
    return value.contains(name) ? std::optional(text(value, name)) : std::nullopt;
  };
  out.greeting = maybe("greeting");
  out.pronunciation = maybe("pronunciation");
  out.language = maybe("language");
  for (const json& one : value.value("preferences", json::array())) {
    out.preferences.emplace_back(text(one, "key"), text(one, "value"));
  }
  return out;
}

DoorRequest door_request(const json& payload) {
  DoorRequest out;
  out.id = MessageId(text(payload, "id"));
  out.kind = value_of(kDoorRequestKinds, text(payload, "kind"));
  if (payload.contains("purpose")) out.purpose = purpose_from_string(text(payload, "purpose"));
  out.given = payload.value("given", false);
  out.notice = notice(payload);
  out.decision = DecisionId(text(payload, "decision"));
  out.survey = text(payload, "survey");
  out.survey_kind = survey_kind(payload, "survey_kind");
  out.score = static_cast<int>(integer(payload, "score"));
  out.text = text(payload, "text");
  out.met = met_from_string(text(payload, "met"));
  if (const auto found = payload.find("details"); found != payload.end()) {
    out.details = details_of(*found);
  }
  out.at = time(payload, "at");
  return out;
}

Result<CrmInbound> crm_message(const ParsedTopic& topic, std::string_view payload) {
  std::string_view schema;
  switch (topic.kind) {
    case TopicKind::state:
      schema = "state";
      break;
    case TopicKind::hello:
      schema = "hello";
      break;
    case TopicKind::event:
      schema = "event";
      break;
    case TopicKind::response:
      schema = "command.response";
      break;
    case TopicKind::lookup:
      schema = "lookup";
      break;
    default:
      return fail(ErrorCode::refused, "not a topic that the CRM listens to");
  }
  const auto value = accepted(schema, payload);
  if (!value) return tl::unexpected(value.error());
  switch (topic.kind) {
    case TopicKind::state:
      return box_state(*value);
    case TopicKind::hello:
      return hello(topic.address, *value);
    case TopicKind::event:
      return event(*value);
    case TopicKind::lookup:
      return Lookup{MessageId(text(*value, "id")), CustomerId(text(*value, "customer")),
                    time_of(*value, "at")};
    default:
      return response(*value);
  }
}

}  // namespace

Result<BoxInbound> decode_for_box(const BoxAddress& self, const RawMessage& raw,
                                  const KeyRing* keys) {
  const auto topic = parse_topic(raw.topic);
  if (!topic) return fail(ErrorCode::refused, "not a topic of this contract");
  const bool mine = topic->address == self;
  const bool may_be_kept = topic->kind == TopicKind::control ||
                           topic->kind == TopicKind::floor_offer ||
                           topic->kind == TopicKind::session;
  if (raw.retained && !may_be_kept) {
    return fail(ErrorCode::refused, "a retained message where none may be kept");
  }
  try {
    switch (topic->kind) {
      case TopicKind::feed:
        if (mine) return feed_batch(self, topic->leaf, raw, keys);
        break;
      case TopicKind::taken:
        if (mine) return taken(self, raw, keys);
        break;
      case TopicKind::found:
        if (mine) return found(self, raw, keys);
        break;
      case TopicKind::command:
        if (mine) return command(self, raw, keys);
        break;
      case TopicKind::control:
        if (topic->address.tenant == self.tenant &&
            (topic->address.store == self.store || topic->address.store == kAllStores)) {
          return control(*topic, raw, keys);
        }
        break;
      case TopicKind::action:
        return tablet_action(*topic, raw);
      case TopicKind::ranging:
        return ranging(self, *topic, raw);
      case TopicKind::enrol:
        return enrol(*topic, raw);
      case TopicKind::sign_in:
        return decode_sign_in(topic->tablet, raw.payload);
      case TopicKind::manage:
        return decode_manage(topic->tablet, raw.payload);
      case TopicKind::session:
        return decode_session(topic->tablet, raw.payload);
      case TopicKind::floor_offer:
        return store_word(*topic, raw);
      default:
        break;
    }
  } catch (const BadField& bad) {
    return fail(ErrorCode::malformed, bad.what());
  }
  return fail(ErrorCode::refused, "not a topic that this box listens to");
}

Result<FromBox> decode_for_crm(std::string_view tenant, const RawMessage& raw) {
  const auto topic = parse_topic(raw.topic);
  if (!topic || topic->address.tenant != tenant) {
    return fail(ErrorCode::refused, "not a topic of this contract and tenant");
  }
  // Only a state is kept by the broker: what was kept would be said again and again.
  if (raw.retained && topic->kind != TopicKind::state) {
    return fail(ErrorCode::refused, "a retained message where none may be kept");
  }
  try {
    auto message = crm_message(*topic, raw.payload);
    if (!message) return tl::unexpected(message.error());
    // A box speaks for itself alone, whatever its account may publish.
    if (const auto* event = std::get_if<EventMessage>(&*message);
        event != nullptr && event->source != topic->address) {
      return fail(ErrorCode::refused, "event: source differs from the topic");
    }
    return FromBox{topic->address, std::move(*message)};
  } catch (const BadField& bad) {
    return fail(ErrorCode::malformed, bad.what());
  }
}

Result<DoorRequest> decode_door_request(std::string_view text) {
  const auto value = accepted("door.request", text);
  if (!value) return tl::unexpected(value.error());
  try {
    return door_request(*value);
  } catch (const BadField& bad) {
    return fail(ErrorCode::malformed, bad.what());
  }
}

std::string_view to_string(DoorRequest::Kind kind) { return name_of(kDoorRequestKinds, kind); }

std::string_view to_string(Confirmation::By by) { return name_of(kConfirmedBy, by); }

std::string language_tag(std::string_view text) {
  std::string tag(text.substr(0, text.find_first_of(".@")));
  std::replace(tag.begin(), tag.end(), '_', '-');
  std::size_t parts = 0;
  for (std::size_t start = 0; start <= tag.size(); ++parts) {
    const std::size_t end = std::min(tag.find('-', start), tag.size());
    const std::string_view part = std::string_view(tag).substr(start, end - start);
    const bool letters = std::all_of(part.begin(), part.end(), [&](unsigned char c) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      return letter || (parts > 0 && c >= '0' && c <= '9');
    });
    if (!letters || part.size() > 8 || part.size() < (parts == 0 ? 2U : 1U)) return "und";
    start = end + 1;
  }
  return parts <= 5 ? tag : "und";
}

}  // namespace welcome::contract
