// SPDX-License-Identifier: Apache-2.0
// The quick reader takes nothing that the schema refuses, and understands what it takes as the
// thorough one does. The inputs are made from the schemas themselves, one step to either side of
// every bound, from the examples, and by breaking both at random.

#include "contract/quick_items.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "contract/contract.h"
#include "contract/item_value.h"
#include "contract/json_text.h"
#include "contract/signing.h"
#include "core/hex.h"
#include "tests/unit/contract/box.h"

namespace welcome::contract {
namespace {

using nlohmann::json;

constexpr std::array kQuick{Collection::profiles, Collection::consents, Collection::identities};

json read(const std::string& file) {
  std::ifstream in(std::string(WELCOME_DOCS) + "/" + file);
  return json::parse(in);
}

json schema_of(Collection collection) {
  return read("schemas/item." + std::string(to_string(collection)) + ".json");
}

std::vector<json> examples(Collection collection) {
  std::vector<json> out;
  const std::string begin = "item." + std::string(to_string(collection)) + ".";
  for (const auto& file : std::filesystem::directory_iterator(WELCOME_DOCS "/examples")) {
    const std::string name = file.path().filename().string();
    if (name.starts_with(begin)) out.push_back(read("examples/" + name));
  }
  return out;
}

// ---- an item, field by field ----

json shown(const std::optional<WallTime>& time) {
  return time ? json(time->time_since_epoch().count()) : json();
}

json shown(const Profile& p) {
  json preferences = json::array();
  for (const Preference& one : p.preferences) {
    preferences.push_back(
        {one.key, one.value, one.confidence, one.confirmed, shown(one.last_confirmed), one.source});
  }
  json last;
  if (p.last_conversation) last = {p.last_conversation->text, shown(p.last_conversation->at)};
  return {p.customer.str(),
          p.name,
          p.greeting,
          p.pronunciation,
          p.language,
          p.tier,
          p.points,
          p.next_reward_points,
          preferences,
          p.segments,
          p.tags,
          p.avoid,
          last,
          to_string(p.met),
          shown(p.not_today_at)};
}

json shown(const ConsentRecord& r) {
  json history = json::array();
  for (const ConsentStep& step : r.history) {
    history.push_back({to_string(step.state), shown(step.at), step.how});
  }
  return {r.record_id,
          r.schema_version,
          r.tenant,
          r.customer.str(),
          to_string(r.purpose),
          {r.notice.id, r.notice.version, r.notice.language},
          r.data_categories,
          r.controller,
          r.storage_location,
          r.retention_days,
          r.jurisdiction,
          r.recipients,
          r.withdraw_how,
          history,
          shown(r.expires_at)};
}

json shown(const RotatingKey& k) {
  return {k.service_uuid, to_hex(k.key), k.rotation_exponent, shown(k.clock_zero)};
}
json shown(const ResolvingKey& k) { return to_hex(k.irk); }
json shown(const IbeaconId& k) { return {to_hex(k.uuid), k.major, k.minor}; }
json shown(const AltBeaconId& k) { return to_hex(k.id); }
json shown(const EddystoneUid& k) { return {to_hex(k.name_space), to_hex(k.instance)}; }

json shown(const IdentityItem& item) {
  const json power = item.measured_power_1m_dbm ? json(*item.measured_power_1m_dbm) : json();
  return {item.identity, item.customer.str(), item.key.index(),
          std::visit([](const auto& key) { return shown(key); }, item.key), power};
}
json shown(const Campaign& item) { return item.id.str(); }
json shown(const Policy& item) { return item.time_zone; }

json shown(const Item& item) {
  return std::visit([](const auto& one) { return shown(one); }, item);
}

// ---- what both say of a text ----

struct Counts {
  std::size_t texts = 0;
  std::size_t refused = 0;
  std::size_t quick = 0;
};

// As decode_item() without the quick reader.
Result<Item> thorough(Collection collection, std::string_view text) {
  auto value = parse_json(text);
  if (!value) return tl::unexpected(value.error());
  return decode_value(collection, *value);
}

void compare(Collection collection, const std::string& text, Counts& counts) {
  ++counts.texts;
  const auto slow = thorough(collection, text);
  if (!slow) ++counts.refused;
  if (!valid_utf8(text)) return;
  const auto quick = quick_item(collection, text);
  if (!quick) return;
  ++counts.quick;
  ASSERT_TRUE(slow) << slow.error().message << "\n" << text;
  ASSERT_EQ(shown(quick->item), shown(*slow)) << text;
  // Nothing is kept that the thorough reader would leave out.
  json kept = json::parse(text);
  ASSERT_TRUE(decode_value(collection, kept));
  ASSERT_EQ(kept, json::parse(text)) << text;
}

// ---- from the schema ----

std::vector<json> around(const json& node, const char* least, const char* most) {
  std::vector<json> out;
  for (const char* bound : {least, most}) {
    if (!node.contains(bound)) continue;
    const double whole = node[bound].get<double>();
    if (node["type"] == "number") {
      for (const double by : {-1.0, -0.001, 0.0, 0.001, 1.0}) out.emplace_back(whole + by);
    }
    for (const int by : {-1, 0, 1}) out.emplace_back(node[bound].get<std::int64_t>() + by);
  }
  return out;
}

const std::vector<json>& of_any_kind() {
  static const std::vector<json> all{nullptr,
                                     true,
                                     0,
                                     -1,
                                     1,
                                     1.0,
                                     1.5,
                                     1e300,
                                     "",
                                     "a",
                                     " ",
                                     "a\"b",
                                     "a\\b",
                                     "a\nb",
                                     "\u00e9",
                                     std::string("a\0b", 3),
                                     json::array(),
                                     json::array({1}),
                                     json::array({"a"}),
                                     json::object(),
                                     {{"a", 1}},
                                     18446744073709551615U,
                                     std::string(40, '0'),
                                     std::string(40, 'f'),
                                     std::string(32, 'A'),
                                     std::string(32, 'g'),
                                     std::string(31, '0'),
                                     std::string(33, '0'),
                                     std::string(20, '0'),
                                     std::string(12, '0'),
                                     "01234567-89ab-cdef-0123-456789ABCDEF",
                                     "01234567-89ab-cdef-0123456789ABCDEF-",
                                     "0123456789abcdef0123456789abcdef0000",
                                     "en",
                                     "de-AT",
                                     "e",
                                     "toolonglang",
                                     "de-",
                                     "-de",
                                     "de_AT",
                                     "de-a-b-c-d",
                                     "de-a-b-c-d-e",
                                     "de-123456789",
                                     "d1",
                                     "2026-05-04T08:15:30Z",
                                     "2026-05-04T08:15:30.250Z",
                                     "2026-05-04T08:15:30.1234567890Z",
                                     "2026-13-04T08:15:30Z",
                                     "2026-02-30T08:15:30Z",
                                     "2026-05-04T24:15:30Z",
                                     "2026-05-04T08:15:60Z",
                                     "2026-05-04T08:15:61Z",
                                     "2026-05-04T08:15:30+00:00",
                                     "2026-05-04 08:15:30Z",
                                     "2026-05-04T08:15:30.Z",
                                     std::string(86, 'A') + "==",
                                     std::string(87, 'A') + "=",
                                     std::string(86, '_') + "==",
                                     "given",
                                     "withdrawn",
                                     "app",
                                     "desk",
                                     "crm",
                                     "paper",
                                     "face_recognition",
                                     "visit_analytics",
                                     "irk",
                                     "ibeacon",
                                     "altbeacon",
                                     "eddystone_uid",
                                     "eddystone_eid",
                                     "rotating_uuid"};
  return all;
}

// Values of a node of the schema, right ones and others.
std::vector<json> values(const json& at, const json& document) {
  if (at.contains("$ref")) {
    const auto target = at["$ref"].get<std::string>().substr(1);
    return values(document.at(json::json_pointer(target)), document);
  }
  std::vector<json> out = of_any_kind();
  for (json& value : around(at, "minimum", "maximum")) out.push_back(std::move(value));
  for (const json& length : around(at, "minLength", "maxLength")) {
    const auto count = std::max<std::int64_t>(length.get<std::int64_t>(), 0);
    std::string wide;
    for (std::int64_t i = 0; i < count; ++i) wide += "\u00e9";
    out.emplace_back(std::string(static_cast<std::size_t>(count), 'x'));
    out.emplace_back(wide);
  }
  for (const json& length : around(at, "minItems", "maxItems")) {
    const auto count = std::max<std::int64_t>(length.get<std::int64_t>(), 0);
    for (const json& element : values(at["items"], document)) {
      out.emplace_back(
          json::array_t(static_cast<std::size_t>(std::min(count, std::int64_t{3})), element));
    }
    out.emplace_back(json::array_t(static_cast<std::size_t>(count), "word"));
  }
  return out;
}

// Each place of `value` that the schema knows, with what may and may not stand there.
void each_change(const json& at, const json& document, const json& value,
                 const std::function<void(const json&)>& use) {
  if (at.contains("$ref")) {
    const auto target = at["$ref"].get<std::string>().substr(1);
    return each_change(document.at(json::json_pointer(target)), document, value, use);
  }
  if (at.contains("properties") && value.is_object()) {
    for (const auto& [name, child] : at["properties"].items()) {
      json changed = value;
      changed.erase(name);
      use(changed);
      for (const json& other : values(child, document)) {
        changed[name] = other;
        use(changed);
      }
      if (!value.contains(name)) continue;
      each_change(child, document, value[name], [&](const json& inner) {
        json outer = value;
        outer[name] = inner;
        use(outer);
      });
    }
    json more = value;
    more["unknown"] = 1;
    use(more);
  }
  if (at.contains("items") && value.is_array() && !value.empty()) {
    each_change(at["items"], document, value[0], [&](const json& inner) {
      json outer = value;
      outer[0] = inner;
      use(outer);
    });
  }
}

TEST(QuickItems, TakeNothingOneStepBeyondABoundOfTheSchema) {
  for (const Collection collection : kQuick) {
    SCOPED_TRACE(to_string(collection));
    const json schema = schema_of(collection);
    Counts counts;
    for (const json& example : examples(collection)) {
      each_change(schema, schema, example, [&](const json& changed) {
        if (!HasFatalFailure()) compare(collection, changed.dump(), counts);
      });
    }
    EXPECT_GT(counts.refused, 1000U);
    EXPECT_GT(counts.quick, 100U);
  }
}

TEST(QuickItems, TakeEveryExampleAndRefuseWhatIsRefused) {
  for (const Collection collection : kQuick) {
    for (const json& example : examples(collection)) {
      const std::string text = example.dump();
      EXPECT_TRUE(quick_item(collection, text)) << text;
      EXPECT_TRUE(quick_item(collection, example.dump(2))) << text;
    }
    const std::string begin = "item." + std::string(to_string(collection)) + ".";
    for (const auto& file : std::filesystem::directory_iterator(WELCOME_DOCS "/examples/refused")) {
      const std::string name = file.path().filename().string();
      if (!name.starts_with(begin)) continue;
      EXPECT_FALSE(quick_item(collection, read("examples/refused/" + name).dump())) << name;
    }
  }
}

// ---- broken at random ----

class Breaker {
 public:
  explicit Breaker(unsigned seed) : random_(seed) {}

  std::string broken(std::string text) {
    for (std::size_t times = 1 + below(3); times > 0 && !text.empty(); --times) breaks(text);
    return text;
  }
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

 private:
  void breaks(std::string& text) {
    static const std::vector<std::string> kPieces{"\"",
                                                  "\\",
                                                  "{",
                                                  "}",
                                                  "[",
                                                  "]",
                                                  ",",
                                                  ":",
                                                  "0",
                                                  "-",
                                                  ".5",
                                                  "e3",
                                                  "null",
                                                  "true",
                                                  " ",
                                                  "\n",
                                                  "\t",
                                                  "\\u0041",
                                                  "\\n",
                                                  "\"a\":1,",
                                                  "\"customer\":\"x\",",
                                                  "\"seq\":1,",
                                                  "\"key\":\"c-2\",",
                                                  "\xC3\xA9",
                                                  "\xFF",
                                                  "\x01",
                                                  "[[[[",
                                                  "9007199254740993",
                                                  "00",
                                                  "1.",
                                                  "\"op\":\"delete\","};
    const std::size_t at = below(text.size());
    switch (below(5)) {
      case 0:
        text.erase(at, 1 + below(8));
        break;
      case 1:
        text[at] = static_cast<char>(below(256));
        break;
      case 2:
        text.insert(at, kPieces[below(kPieces.size())]);
        break;
      case 3:
        text.insert(at, text.substr(below(text.size()), 1 + below(40)));
        break;
      default:
        // Mostly well-formed still: another piece in place of a sign that means something.
        if (const auto sign = text.find_first_of("{}[],:\"0123456789", at);
            sign != std::string::npos) {
          text.replace(sign, 1, kPieces[below(kPieces.size())]);
        }
    }
  }

  std::mt19937 random_;
};

TEST(QuickItems, AgreeWithTheThoroughReaderOnWhatIsBrokenAtRandomProperty) {
  Breaker breaker(7);
  for (const Collection collection : kQuick) {
    Counts counts;
    for (const json& example : examples(collection)) {
      for (int n = 0; n < 3000 && !HasFatalFailure(); ++n) {
        compare(collection, breaker.broken(example.dump(n % 5 == 0 ? 1 : -1)), counts);
      }
    }
    EXPECT_GT(counts.refused, 1000U);
    EXPECT_GT(counts.quick, 50U);
  }
}

// ---- batches ----

const Signer& signer() {
  static const Signer one("k1", {1, 2, 3});
  return one;
}

std::string batch(Collection collection, const std::vector<json>& items) {
  static const std::map<Collection, const char*> kKeys{{Collection::profiles, "customer"},
                                                       {Collection::consents, "record_id"},
                                                       {Collection::identities, "identity"}};
  json entries = json::array();
  for (const json& item : items) {
    entries.push_back({{"seq", entries.size() + 1},
                       {"op", "put"},
                       {"key", item[kKeys.at(collection)]},
                       {"value", item}});
  }
  entries.push_back({{"seq", entries.size() + 1}, {"op", "delete"}, {"key", "gone"}});
  return json{{"v", 1},           {"collection", to_string(collection)},
              {"epoch", "e1"},    {"kind", "delta"},
              {"from_seq", 0},    {"to_seq", entries.size()},
              {"items", entries}, {"digest", std::string(32, '0')}}
      .dump();
}

// All that is in a decoded message, or why it is refused.
json told(Collection collection, const std::string& payload, const KeyRing* keys = nullptr) {
  const auto decoded =
      decode_for_box(kBox, {feed_topic(kBox, collection), payload, false, "", ""}, keys);
  if (!decoded) return decoded.error().message;
  const auto& feed = std::get<FeedBatch>(*decoded);
  json items = json::array();
  for (const FeedItem& item : feed.items) {
    items.push_back({item.seq, item.deleted, item.key, item.customer.str(), item.error,
                     item.value.empty() ? json() : json::parse(item.value),
                     item.item ? shown(*item.item) : json()});
  }
  return {feed.epoch, feed.snapshot, feed.from_seq, feed.to_seq,
          feed.part,  feed.parts,    feed.digest,   items};
}

// The same message, which the quick reader does not take: an escape in a name.
std::string unusual(std::string payload) {
  const auto at = payload.find("\"items\"");
  if (at != std::string::npos) payload.replace(at, 7, "\"\\u0069tems\"");
  return payload;
}

TEST(QuickBatches, SayWhatTheThoroughReaderSaysProperty) {
  Breaker breaker(11);
  std::size_t taken = 0;
  for (const Collection collection : kQuick) {
    const std::string good = batch(collection, examples(collection));
    ASSERT_TRUE(lift_items(good));
    ASSERT_EQ(told(collection, good), told(collection, unusual(good)));
    for (int n = 0; n < 4000; ++n) {
      const std::string text = breaker.broken(good);
      const json quick = told(collection, text);
      ASSERT_EQ(quick, told(collection, unusual(text))) << text;
      taken += quick.is_array() ? 1 : 0;
    }
  }
  EXPECT_GT(taken, 500U);
}

TEST(QuickBatches, HoldNestingAgainstTheWholeMessage) {
  // Three levels lie around an item: one that is just not too deep by itself is so with them.
  for (const int depth : {20, 27, 28, 29, 30, 31, 32, 33}) {
    json item = examples(Collection::profiles).front();
    json deep = 1;
    for (int n = 1; n < depth; ++n) deep = json::array({deep});
    item["unknown"] = deep;
    const std::string text = batch(Collection::profiles, {item});
    EXPECT_EQ(told(Collection::profiles, text), told(Collection::profiles, unusual(text))) << depth;
  }
}

TEST(QuickBatches, CheckTheSignatureOfEveryConsent) {
  KeyRing keys;
  keys.pin("k1", signer().public_key());
  json record = examples(Collection::consents).front();
  record["tenant"] = kBox.tenant;
  const std::string text = *signer().sign(record.dump());
  const auto quick = quick_item(Collection::consents, text);
  ASSERT_TRUE(quick);
  ASSERT_TRUE(quick->signed_part);
  EXPECT_TRUE(keys.verify_bytes(quick->signed_part->text, quick->signed_part->key,
                                quick->signed_part->value));
  EXPECT_TRUE(keys.verify(text));

  // What is not written in canonical form is put into it first, which takes the thorough reader.
  EXPECT_FALSE(quick_item(Collection::consents, json::parse(text).dump(1))->signed_part);

  const Signer other("k1", {4, 5, 6});
  Breaker breaker(13);
  std::size_t wrong = 0;
  for (int n = 0; n < 2000; ++n) {
    const std::string broken = breaker.broken(n == 0 ? *other.sign(record.dump()) : text);
    if (!valid_utf8(broken)) continue;
    const auto item = quick_item(Collection::consents, broken);
    if (!item || !item->signed_part) continue;
    const auto& part = *item->signed_part;
    const auto verdict = keys.verify_bytes(part.text, part.key, part.value);
    ASSERT_EQ(verdict.has_value(), keys.verify(broken).has_value()) << broken;
    wrong += verdict ? 0 : 1;
  }
  EXPECT_GT(wrong, 10U);
}

// Half of a large batch is checked on a thread of its own.
TEST(QuickBatches, SetAsideEachConsentWithAWrongSignatureAndNoOther) {
  KeyRing keys;
  keys.pin("k1", signer().public_key());
  const Signer other("k1", {4, 5, 6});
  json record = examples(Collection::consents).front();
  record["tenant"] = kBox.tenant;
  const auto wrong = [](std::size_t n) { return n % 7 == 3; };
  FeedBatch batch;
  batch.collection = Collection::consents;
  batch.epoch = "e1";
  batch.snapshot = true;
  batch.part = batch.parts = 1;
  Digest digest;
  for (std::size_t n = 0; n < 61; ++n) {
    record["record_id"] = "r-" + std::to_string(n);
    FeedItem item;
    item.key = record["record_id"];
    item.seq = n + 1;
    item.value = *(wrong(n) ? other : signer()).sign(record.dump());
    digest.toggle(item.key, item.seq);
    batch.items.push_back(std::move(item));
  }
  batch.to_seq = batch.items.size();
  batch.digest = digest.hex();
  batch.head = FeedHead{kBox.tenant, std::string(kScopeAll), batch.to_seq, batch.digest, {}};
  const Message sent = encode_feed(kBox, batch, &signer());
  const auto decoded = decode_for_box(kBox, {sent.topic, sent.payload, false, "", ""}, &keys);
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& items = std::get<FeedBatch>(*decoded).items;
  ASSERT_EQ(items.size(), batch.items.size());
  for (std::size_t n = 0; n < items.size(); ++n) {
    EXPECT_EQ(items[n].key, batch.items[n].key);
    EXPECT_EQ(items[n].item == nullptr, wrong(n)) << items[n].key;
    EXPECT_EQ(items[n].error, wrong(n) ? "the signature is wrong" : "") << items[n].key;
  }
}

}  // namespace
}  // namespace welcome::contract
