// SPDX-License-Identifier: Apache-2.0
// Whatever bytes a broker delivers on any topic: refused or decoded, never a crash. What was
// decoded at one end can be encoded there again. What the quick reader of items takes, the schema
// takes, too.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "contract/contract.h"
#include "contract/item_value.h"
#include "contract/json_text.h"
#include "contract/quick_items.h"
#include "contract/signing.h"

namespace {

using namespace welcome;
using namespace welcome::contract;

const BoxAddress kBox{"demo", "aroma-1", "box-1"};

const KeyRing& keys() {
  static const KeyRing ring = [] {
    KeyRing out;
    out.pin("k1", Signer("k1", {1, 2, 3}).public_key());
    return out;
  }();
  return ring;
}

void read_twice(Collection collection, const std::string& text) {
  if (!valid_utf8(text) || !quick_item(collection, text)) return;
  auto value = parse_json(text);
  if (!value || !decode_value(collection, *value)) std::abort();
}

// Each message that comes in, at either end, and each text that is read besides.
const std::vector<std::function<void(const std::string&)>>& readers() {
  static const auto all = [] {
    std::vector<std::function<void(const std::string&)>> out;
    const auto at_box = [&](std::string topic, const KeyRing* ring) {
      out.emplace_back([topic = std::move(topic), ring](const std::string& payload) {
        (void)decode_for_box(kBox, {topic, payload, false, {}, {}}, ring);
      });
    };
    for (const Collection collection : kAllCollections) {
      at_box(feed_topic(kBox, collection), nullptr);
      out.emplace_back([collection](const std::string& p) {
        (void)decode_item(collection, p);
        read_twice(collection, p);
      });
    }
    for (const KeyRing* ring : {static_cast<const KeyRing*>(nullptr), &keys()}) {
      at_box(feed_topic(kBox, Collection::consents), ring);
      at_box(command_topic(kBox), ring);
      at_box(control_topic("demo", kAllStores), ring);
    }
    at_box(action_topic("tablet-1", "6f2d9a52-31b0-4c1a-8a35-0f3a1d6f7b01"), nullptr);
    at_box(enrol_topic("tablet-1", "s-1"), nullptr);
    at_box(sign_in_topic("tablet-1"), nullptr);
    at_box(session_topic("tablet-1"), nullptr);
    at_box(manage_topic("tablet-1"), nullptr);
    at_box(offer_topic("8b7f0c1e-2d9a-4e43-9a2b-5f1d6c7e8a90"), nullptr);
    at_box(ranging_topic("box-2"), nullptr);
    for (const std::string& topic :
         {state_topic(kBox), hello_topic(kBox), event_topic(kBox), response_topic(kBox)}) {
      out.emplace_back([topic](const std::string& payload) {
        const auto decoded = decode_for_crm("demo", {topic, payload, false, {}, {}});
        const auto* event = decoded ? std::get_if<EventMessage>(&decoded->message) : nullptr;
        if (event != nullptr) (void)encode_event(kBox, *event);
      });
    }
    out.emplace_back([](const std::string& text) { (void)decode_door_request(text); });
    out.emplace_back([](const std::string& text) {
      (void)canonical_json(text);
      (void)parse_topic(text);
      (void)from_rfc3339(text);
      (void)KeyRing::parse(text);
    });
    return out;
  }();
  return all;
}

}  // namespace

// Blanks in front, which JSON does not mind, choose one reader, so that a fuzzer can stay with it;
// without them it is all.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string payload(reinterpret_cast<const char*>(data), size);
  const std::size_t blanks = std::min(payload.find_first_not_of(' '), size);
  if (blanks > 0) {
    readers()[(blanks - 1) % readers().size()](payload);
  } else {
    for (const auto& read : readers()) read(payload);
  }
  return 0;
}
