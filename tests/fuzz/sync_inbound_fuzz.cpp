// Whatever bytes a broker delivers on any topic: refused or decoded, never a crash. What was
// decoded at one end can be encoded there again.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
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
  // One topic of each side per input, chosen by the input: all of them would be slow, and a fuzzer
  // finds the others by itself.
  const std::size_t choice = std::hash<std::string>{}(payload);
  RawMessage raw;
  raw.payload = payload;
  raw.topic = for_box[choice % for_box.size()];
  (void)decode_for_box(kBox, raw, choice % 2 == 0 ? &keys() : nullptr);

  static const std::array for_crm{state_topic(kBox), hello_topic(kBox), event_topic(kBox),
                                  response_topic(kBox), request_topic("demo", "app-1")};
  raw.topic = for_crm[choice % for_crm.size()];
  if (const auto decoded = decode_for_crm("demo", raw)) {
    if (const auto* event = std::get_if<EventMessage>(&decoded->message)) {
      (void)encode_event(kBox, *event);
    }
  }
  (void)decode_item(kAllCollections[choice % kAllCollections.size()], payload);
  (void)canonical_json(payload);
  (void)parse_topic(payload);
  (void)from_rfc3339(payload);
  (void)KeyRing::parse(payload);
  return 0;
}
