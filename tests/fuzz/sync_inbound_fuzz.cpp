// Whatever bytes a broker delivers on any topic: refused or decoded, never a crash. What was
// decoded at one end can be encoded there again.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "sync/contract.h"
#include "sync/signing.h"

namespace {

using namespace welcome;
using namespace welcome::sync;

const BoxAddress kBox{"demo", "aroma-1", "box-1"};

const KeyRing& keys() {
  static const KeyRing ring = [] {
    KeyRing out;
    out.pin("k1", Signer("k1", {1, 2, 3}).public_key());
    return out;
  }();
  return ring;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string payload(reinterpret_cast<const char*>(data), size);
  static const std::array for_box{command_topic(kBox),
                                  control_topic("demo", kAllStores),
                                  action_topic("6f2d9a52-31b0-4c1a-8a35-0f3a1d6f7b01"),
                                  enrol_topic("s-1"),
                                  feed_topic(kBox, Collection::profiles),
                                  feed_topic(kBox, Collection::consents)};
  for (const std::string& topic : for_box) {
    RawMessage raw;
    raw.topic = topic;
    raw.payload = payload;
    (void)decode_for_box(kBox, raw);
    (void)decode_for_box(kBox, raw, &keys());
  }
  static const std::array for_crm{state_topic(kBox), hello_topic(kBox), event_topic(kBox),
                                  response_topic(kBox), request_topic("demo", "app-1")};
  for (const std::string& topic : for_crm) {
    RawMessage raw;
    raw.topic = topic;
    raw.payload = payload;
    const auto decoded = decode_for_crm("demo", raw);
    if (!decoded) continue;
    if (const auto* event = std::get_if<EventMessage>(&decoded->message)) {
      (void)encode_event(kBox, *event);
    }
  }
  for (const Collection collection : kAllCollections) (void)decode_item(collection, payload);
  (void)canonical_json(payload);
  (void)parse_topic(payload);
  (void)from_rfc3339(payload);
  (void)KeyRing::parse(payload);
  return 0;
}
