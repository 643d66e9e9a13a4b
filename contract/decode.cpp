// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "contract/canonical.h"
#include "contract/contract.h"
#include "contract/item_value.h"
#include "contract/json_fields.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/quick_items.h"
#include "contract/schema_set.h"
#include "contract/signed_text.h"
#include "core/nesting.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxId = 128;  // as in every schema

std::optional<ConsentNotice> notice(const json& value) {
  const auto found = value.find("notice");
  if (found == value.end()) return std::nullopt;
  return ConsentNotice{text(*found, "id"), text(*found, "version"),
                       language_tag(text(*found, "language"))};
}

// ---- for the box ----

// What is wrong with a put, or nothing. Fills value, item and customer.
std::string check_item(const BoxAddress& self, Collection collection, const KeyRing* keys,
                       json& value, FeedItem& out) {
  auto item = decode_value(collection, value);
  if (!item) return item.error().message;
  const ItemHead known = head(*item);
  if (known.key != out.key) return "the key is not the item's own";
  if (collection == Collection::consents) {
    if (std::get<ConsentRecord>(*item).tenant != self.tenant) return "a record of another tenant";
    if (keys != nullptr) {
      if (auto verified = verify_value(*keys, value); !verified) return verified.error().message;
    }
  }
  out.customer = known.customer;
  out.value = value.dump();
  out.item = std::make_shared<const Item>(std::move(*item));
  return {};
}

// The same in one pass, where nothing is wrong; false: it takes check_item() to tell.
bool check_quickly(const BoxAddress& self, Collection collection, const KeyRing* keys,
                   std::string_view text, FeedItem& out) {
  auto quick = quick_item(collection, text);
  if (!quick) return false;
  const ItemHead known = head(quick->item);
  if (known.key != out.key) return false;
  if (const auto* record = std::get_if<ConsentRecord>(&quick->item)) {
    if (record->tenant != self.tenant) return false;
    if (keys != nullptr) {
      const auto& part = quick->signed_part;
      if (!part || !keys->verify_bytes(part->text, part->key, part->value)) return false;
    }
  }
  out.customer = known.customer;
  out.value = text;
  out.item = std::make_shared<const Item>(std::move(quick->item));
  return true;
}

// Takes over the signed head, and its digest for the batch that ends there. Whether a region is the
// box's own, who knows where the box is has to ask.
Result<void> check_head(const BoxAddress& self, const json& payload, FeedBatch& batch) {
  const auto found = payload.find("head");
  if (found == payload.end()) return fail(ErrorCode::refused, "feed: signed without a head");
  FeedHead head{text(*found, "tenant"), text(*found, "scope"),
                static_cast<std::uint64_t>(integer(*found, "seq")), text(*found, "digest"),
                time_of(*found, "at")};
  if (head.tenant != self.tenant) return fail(ErrorCode::refused, "feed: made for another tenant");
  const bool on_sight =
      batch.collection == Collection::profiles && head.scope == address_text(self);
  const bool by_region = about_customers(batch.collection) && region_of_scope(head.scope);
  const bool fits = batch.collection == Collection::staff
                        ? head.scope == store_scope(self.store)
                        : head.scope == kScopeAll || on_sight || by_region;
  if (!fits) {
    return fail(ErrorCode::refused, "feed: made for another scope");
  }
  if (head.seq < batch.to_seq || (batch.snapshot && head.seq != batch.to_seq)) {
    return fail(ErrorCode::refused, "feed: the head is not where the batch leads");
  }
  if (head.seq == batch.to_seq) {
    if (!batch.digest.empty() && batch.digest != head.digest) {
      return fail(ErrorCode::refused, "feed: the digest differs from the head's");
    }
    batch.digest = head.digest;
  }
  batch.head = std::move(head);
  return {};
}

// All of it but the items.
Result<FeedBatch> batch_of(const BoxAddress& self, Collection collection, const json& payload,
                           const KeyRing* keys) {
  FeedBatch batch;
  batch.collection = collection;
  if (text(payload, "collection") != to_string(collection)) {
    return fail(ErrorCode::refused, "feed: collection differs from the topic");
  }
  batch.epoch = text(payload, "epoch");
  batch.snapshot = text(payload, "kind") == "snapshot";
  batch.to_seq = static_cast<std::uint64_t>(integer(payload, "to_seq"));
  batch.digest = text(payload, "digest");
  if (batch.snapshot) {
    if (!payload.contains("part") || !payload.contains("parts") || batch.digest.empty()) {
      return fail(ErrorCode::malformed, "feed: a snapshot needs part, parts and digest");
    }
    batch.part = static_cast<std::uint32_t>(integer(payload, "part"));
    batch.parts = static_cast<std::uint32_t>(integer(payload, "parts"));
    if (batch.part > batch.parts) return fail(ErrorCode::malformed, "feed: part beyond parts");
  } else {
    if (!payload.contains("from_seq")) {
      return fail(ErrorCode::malformed, "feed: a delta needs from_seq");
    }
    batch.from_seq = static_cast<std::uint64_t>(integer(payload, "from_seq"));
    if (batch.from_seq > batch.to_seq) {
      return fail(ErrorCode::malformed, "feed: from_seq is after to_seq");
    }
  }
  if (keys != nullptr) {
    if (auto fits = check_head(self, payload, batch); !fits) return tl::unexpected(fits.error());
  }
  return batch;
}

Result<void> check_place(const FeedBatch& batch, const FeedItem& item) {
  if (item.seq > batch.to_seq || (!batch.snapshot && item.seq <= batch.from_seq)) {
    return fail(ErrorCode::malformed, "feed: items.seq lies outside the batch");
  }
  if (batch.snapshot && item.deleted) {
    return fail(ErrorCode::malformed, "feed: a snapshot deletes nothing");
  }
  return {};
}

constexpr std::string_view kNoValue = "a put without a value: larger than the broker lets through";

// An item of a batch whose text is UTF-8. False: its value is no JSON, or the batch nested too
// deep.
bool take_lifted(const BoxAddress& self, Collection collection, const KeyRing* keys,
                 std::string_view value, FeedItem& item) {
  constexpr int kAround = 3;  // the batch, its items, the entry
  if (check_quickly(self, collection, keys, value, item)) return true;
  auto parsed = parse_json(value);
  if (!parsed || welcome::first_too_deep(value, kMaxDepth - kAround) != std::string_view::npos) {
    return false;
  }
  item.error = check_item(self, collection, keys, *parsed, item);
  return true;
}

// The batch, if it is written the usual way and nothing is wrong with it; what is wrong with one of
// its items stands there. Nothing: feed_batch() reads it as a whole, and says why.
std::optional<FeedBatch> quick_batch(const BoxAddress& self, Collection collection,
                                     std::string_view payload, const KeyRing* keys) {
  if (payload.size() > kMaxPayload || !valid_utf8(payload)) return std::nullopt;
  const auto lifted = lift_items(payload);
  if (!lifted) return std::nullopt;
  const auto rest = accepted("feed", lifted->rest);
  if (!rest) return std::nullopt;
  auto batch = batch_of(self, collection, *rest, keys);
  if (!batch) return std::nullopt;
  batch->items.reserve(lifted->entries.size());
  for (const LiftedEntry& entry : lifted->entries) {
    FeedItem& item = batch->items.emplace_back();
    item.seq = entry.seq;
    item.deleted = entry.deleted;
    item.key = entry.key;
    if (!check_place(*batch, item)) return std::nullopt;
    if (entry.value) {
      if (entry.deleted || !take_lifted(self, collection, keys, *entry.value, item)) {
        return std::nullopt;
      }
    } else if (!entry.deleted) {
      item.error = kNoValue;
    }
  }
  return std::move(*batch);
}

Result<BoxInbound> feed_batch(const BoxAddress& self, std::string_view leaf, const RawMessage& raw,
                              const KeyRing* keys) {
  const auto collection = collection_from_string(leaf);
  if (!collection) return fail(ErrorCode::not_found, "feed: a collection this version ignores");
  Result<std::string> signed_part;
  if (keys != nullptr) {
    signed_part = verified_text(*keys, raw.payload);
    if (!signed_part) {
      return fail(signed_part.error().code, "feed: " + signed_part.error().message);
    }
  }
  const std::string& whole = keys == nullptr ? raw.payload : *signed_part;
  if (auto quick = quick_batch(self, *collection, whole, keys)) return std::move(*quick);

  auto payload = accepted("feed", whole);
  if (!payload) return tl::unexpected(payload.error());
  auto batch = batch_of(self, *collection, *payload, keys);
  if (!batch) return tl::unexpected(batch.error());
  for (json& entry : (*payload)["items"]) {
    FeedItem item;
    item.seq = static_cast<std::uint64_t>(integer(entry, "seq"));
    item.key = text(entry, "key");
    item.deleted = text(entry, "op") == "delete";
    if (auto fits = check_place(*batch, item); !fits) return tl::unexpected(fits.error());
    if (!item.deleted) {
      const auto value = entry.find("value");
      item.error =
          value == entry.end() ? kNoValue : check_item(self, *collection, keys, *value, item);
    }
    batch->items.push_back(std::move(item));
  }
  return std::move(*batch);
}

// With `keys` only what one of them signed.
Result<void> check_signed(const std::string& what, const json& payload, const KeyRing* keys) {
  if (keys == nullptr) return {};
  const auto verified = verify_value(*keys, payload);
  if (!verified) return fail(verified.error().code, what + ": " + verified.error().message);
  return {};
}

// As its schema has it, and signed.
Result<json> accepted_signed(const std::string& what, const RawMessage& raw, const KeyRing* keys) {
  auto payload = accepted(what, raw.payload);
  if (!payload) return payload;
  if (auto good = check_signed(what, *payload, keys); !good) return tl::unexpected(good.error());
  return payload;
}

// What was signed for another box says nothing of ours, whoever moves it to our topic.
bool is_for(const BoxAddress& self, const json& payload) {
  const auto is = [&](const char* member, const std::string& name) {
    const auto found = payload.find(member);
    return found != payload.end() && *found == name;
  };
  return is("tenant", self.tenant) && is("store", self.store) && is("box", self.box);
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
  return out;
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

std::optional<Confirmation> confirmation(const json& data) {
  const auto found = data.find("confirm");
  if (found == data.end()) return std::nullopt;
  return Confirmation{value_of(kConfirmedBy, text(*found, "by")), text(*found, "pending"),
                      text(*found, "code"), StaffId(text(*found, "staff"))};
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

// ---- for the CRM ----

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
  return out;
}

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

SurveyKind survey_kind(const json& value, const char* name) {
  return survey_kind_from_string(text(value, name)).value_or(SurveyKind::nps);
}

std::optional<VisitEvent::Kind> visit_kind(std::string_view type) {
  for (const auto kind : {VisitEvent::Kind::started, VisitEvent::Kind::moved,
                          VisitEvent::Kind::confirmed, VisitEvent::Kind::ended}) {
    if (type == std::string("visit.").append(to_string(kind))) return kind;
  }
  return std::nullopt;
}

VisitNews visit_news(VisitEvent::Kind kind, const json& data) {
  VisitNews out;
  out.kind = kind;
  out.visit = VisitId(text(data, "visit"));
  out.zone = zone_from_string(text(data, "zone")).value_or(Zone::away);
  out.level = level_from_string(text(data, "level")).value_or(Level::near);
  if (data.contains("dwell_s")) out.dwell_s = integer(data, "dwell_s");
  return out;
}

StaffNews staff_news(const json& data) {
  StaffNews out;
  out.action.visit = VisitId(text(data, "visit"));
  out.action.staff = StaffId(text(data, "staff"));
  out.action.kind = *staff_action_from_string(text(data, "kind"));
  out.action.text = text(data, "text");
  if (const auto preference = data.find("preference"); preference != data.end()) {
    out.action.preference_key = text(*preference, "key");
    out.action.preference_value = text(*preference, "value");
    out.action.verdict = text(*preference, "verdict") == "change" ? StaffAction::Verdict::change
                                                                  : StaffAction::Verdict::confirm;
  }
  return out;
}

SuppressedNews suppressed_news(const json& data) {
  SuppressedNews out{DecisionId(text(data, "decision")), VisitId(text(data, "visit")),
                     DecisionKind::offer, CampaignId(text(data, "campaign")), text(data, "reason")};
  for (const auto kind : {DecisionKind::offer, DecisionKind::prompt, DecisionKind::survey}) {
    if (text(data, "kind") == to_string(kind)) out.kind = kind;
  }
  return out;
}

ConsentNews consent_news(const json& data) {
  return {*purpose_from_string(text(data, "purpose")),
          text(data, "state") == "given",
          time_of(data, "at"),
          text(data, "how"),
          text(data, "record_id"),
          notice(data),
          StaffId(text(data, "staff")),
          confirmation(data)};
}

OfferNews offer_news(const json& data) {
  return {DecisionId(text(data, "decision")),
          VisitId(text(data, "visit")),
          CampaignId(text(data, "campaign")),
          text(data, "variant"),
          text(data, "language"),
          text(data, "title"),
          text(data, "text"),
          text(data, "code"),
          time_of(data, "expires_at")};
}

PromptNews prompt_news(const json& data) {
  return {DecisionId(text(data, "decision")), VisitId(text(data, "visit"))};
}

SurveyNews survey_news(const json& data) {
  return {DecisionId(text(data, "decision")), VisitId(text(data, "visit")), text(data, "survey"),
          survey_kind(data, "kind"),          text(data, "language"),       text(data, "question"),
          time_of(data, "expires_at")};
}

EnrolmentNews enrolment_news(const json& data) {
  return {TemplateId(text(data, "template")), text(data, "model"),
          static_cast<int>(integer(data, "views")), text(data, "staff")};
}

ErasureReceipt erasure_receipt(const json& data) {
  ErasureReceipt out{MessageId(text(data, "command")),
                     CustomerId(text(data, "customer")),
                     {},
                     time_of(data, "at")};
  data.at("erased").get_to(out.rows);
  out.bytes_gone = data.value("bytes_gone", false);
  return out;
}

SurveyAnswer survey_answer(const json& data) {
  return {text(data, "survey"), DecisionId(text(data, "decision")), survey_kind(data, "kind"),
          static_cast<int>(integer(data, "score")), text(data, "text")};
}

FeedRejected feed_rejected(const json& data) {
  return {*collection_from_string(text(data, "collection")), text(data, "key"),
          static_cast<std::uint64_t>(integer(data, "seq")), text(data, "reason"),
          data.value("over", false)};
}

HealthNews health_news(const json& data) {
  HealthNews out{text(data, "part"), text(data, "state"), text(data, "text"), {}};
  if (data.contains("counters")) data.at("counters").get_to(out.counters);
  return out;
}

struct EventReader {
  std::string_view name;
  EventData (*read)(const json& data);
};

constexpr EventReader kEventReaders[] = {
    {kEventName<OfferNews>, [](const json& data) -> EventData { return offer_news(data); }},
    {kEventName<PromptNews>, [](const json& data) -> EventData { return prompt_news(data); }},
    {kEventName<SuppressedNews>,
     [](const json& data) -> EventData { return suppressed_news(data); }},
    {kEventName<SurveyNews>, [](const json& data) -> EventData { return survey_news(data); }},
    {kEventName<StaffNews>, [](const json& data) -> EventData { return staff_news(data); }},
    {kEventName<ConsentNews>, [](const json& data) -> EventData { return consent_news(data); }},
    {kEventName<EnrolmentNews>, [](const json& data) -> EventData { return enrolment_news(data); }},
    {kEventName<ErasureReceipt>,
     [](const json& data) -> EventData { return erasure_receipt(data); }},
    {kEventName<SurveyAnswer>, [](const json& data) -> EventData { return survey_answer(data); }},
    {kEventName<ProfileWanted>, [](const json&) -> EventData { return ProfileWanted{}; }},
    {kEventName<FeedRejected>, [](const json& data) -> EventData { return feed_rejected(data); }},
    {kEventName<HealthNews>, [](const json& data) -> EventData { return health_news(data); }},
};
// Every kind of event has a reader; visits share one, beside the table.
static_assert(std::size(kEventReaders) + 1 == std::variant_size_v<EventData>);

Result<EventData> event_data(std::string_view type, const json& data) {
  constexpr std::string_view kPrefix = "com.welcomed.", kVersion = ".v1";
  if (!type.starts_with(kPrefix)) {
    return fail(ErrorCode::not_found, "event: a type this version ignores");
  }
  type.remove_prefix(kPrefix.size());
  if (!type.ends_with(kVersion)) return fail(ErrorCode::not_found, "event: a newer version");
  type.remove_suffix(kVersion.size());
  if (const auto kind = visit_kind(type)) {
    if (auto checked = check_schema("event.visit", data); !checked) {
      return tl::unexpected(checked.error());
    }
    return visit_news(*kind, data);
  }
  const auto* const reader = std::find_if(std::begin(kEventReaders), std::end(kEventReaders),
                                          [&](const EventReader& it) { return it.name == type; });
  if (reader == std::end(kEventReaders)) {
    return fail(ErrorCode::not_found, "event: a type this version ignores");
  }
  if (auto checked = check_schema(std::string("event.").append(type), data); !checked) {
    return tl::unexpected(checked.error());
  }
  return reader->read(data);
}

Result<CrmInbound> event(const json& payload) {
  EventMessage out;
  out.id = MessageId(text(payload, "id"));
  out.time = time_of(payload, "time");
  out.subject = CustomerId(text(payload, "subject"));
  const std::string source = text(payload, "source");
  const auto store = source.find('/', 1), box = source.rfind('/');
  out.source = {source.substr(1, store - 1), source.substr(store + 1, box - store - 1),
                source.substr(box + 1)};
  out.type = text(payload, "type");
  const json& data = payload.at("data");
  auto read = event_data(out.type, data);
  if (!read) return tl::unexpected(read.error());
  out.data = std::move(*read);
  out.data_text = data.dump();
  return out;
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

Result<EventData> decode_event_data(std::string_view type, std::string_view data) {
  const auto value = parse_json(data);
  if (!value) return tl::unexpected(value.error());
  try {
    return event_data(type, *value);
  } catch (const BadField& bad) {
    return fail(ErrorCode::malformed, bad.what());
  }
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

std::string_view to_string(Confirmation::By by) { return name_of(kConfirmedBy, by); }

std::string_view to_string(DoorRequest::Kind kind) { return name_of(kDoorRequestKinds, kind); }

Result<DoorRequest> decode_door_request(std::string_view text) {
  const auto value = accepted("door.request", text);
  if (!value) return tl::unexpected(value.error());
  try {
    return door_request(*value);
  } catch (const BadField& bad) {
    return fail(ErrorCode::malformed, bad.what());
  }
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

}  // namespace welcome::contract
