// SPDX-License-Identifier: Apache-2.0
// The feed, written and read.

#include <future>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "contract/canonical.h"
#include "contract/item_value.h"
#include "contract/json_fields.h"
#include "contract/json_text.h"
#include "contract/quick_items.h"
#include "contract/readers.h"
#include "contract/signed_text.h"
#include "contract/wire.h"
#include "core/nesting.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

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

bool take_all(const BoxAddress& self, Collection collection, const KeyRing* keys,
              std::span<const LiftedEntry> entries, std::span<FeedItem> items) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& value = entries[i].value;
    if (value && !take_lifted(self, collection, keys, *value, items[i])) return false;
  }
  return true;
}

// Checking the signatures of consents is most of the work of a first snapshot: half of it is done
// on a thread beside this one, if the machine has one to give.
bool take_shared(const BoxAddress& self, Collection collection, const KeyRing* keys,
                 std::span<const LiftedEntry> entries, std::span<FeedItem> items) {
  constexpr std::size_t kWorthAThread = 16;
  if (collection != Collection::consents || keys == nullptr || entries.size() < kWorthAThread) {
    return take_all(self, collection, keys, entries, items);
  }
  const std::size_t half = entries.size() / 2;
  auto others = std::async(
      [&] { return take_all(self, collection, keys, entries.subspan(half), items.subspan(half)); });
  const bool mine = take_all(self, collection, keys, entries.first(half), items.first(half));
  return others.get() && mine;
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
    if (entry.value && entry.deleted) return std::nullopt;
    if (!entry.value && !entry.deleted) item.error = kNoValue;
  }
  if (!take_shared(self, collection, keys, lifted->entries, batch->items)) return std::nullopt;
  return std::move(*batch);
}

// A put or a delete as it stands in a batch.
void append_entry(Collection collection, const FeedItem& item, std::string& out) {
  out.append(R"({"key":)").append(dump(item.key));
  out.append(item.deleted ? R"(,"op":"delete","seq":)" : R"(,"op":"put","seq":)");
  out.append(std::to_string(item.seq));
  if (!item.deleted && !item.value.empty()) {
    const bool as_it_is = valid_utf8(item.value) && quick_item(collection, item.value);
    out.append(R"(,"value":)").append(as_it_is ? item.value : dump(object_of(item.value)));
  }
  out.push_back('}');
}

}  // namespace

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

Message encode_feed(const BoxAddress& box, const FeedBatch& batch, const Signer* signer) {
  std::string items;
  for (const FeedItem& item : batch.items) {
    if (!item.error.empty()) continue;
    if (!items.empty()) items.push_back(',');
    append_entry(batch.collection, item, items);
  }
  json payload{{"v", 1},
               {"collection", to_string(batch.collection)},
               {"epoch", batch.epoch},
               {"kind", batch.snapshot ? "snapshot" : "delta"},
               {"to_seq", batch.to_seq},
               {"items", json::array()}};
  set_if(payload, "digest", batch.digest);
  if (batch.snapshot) {
    payload["part"] = batch.part;
    payload["parts"] = batch.parts;
  } else {
    payload["from_seq"] = batch.from_seq;
  }
  if (batch.head) {
    payload["head"] = {{"tenant", batch.head->tenant},
                       {"scope", batch.head->scope},
                       {"seq", batch.head->seq},
                       {"digest", batch.head->digest},
                       {"at", to_rfc3339(batch.head->at)}};
  }
  Message message = message_on(feed_topic(box, batch.collection), payload);
  constexpr std::string_view kNone = R"("items":[])";  // no string has a bare quote in it
  message.payload.insert(message.payload.find(kNone) + kNone.size() - 1, items);
  if (signer != nullptr) message.payload = sign_text(*signer, message.payload);
  return message;
}

}  // namespace welcome::contract
