// SPDX-License-Identifier: Apache-2.0
// Published and recorded vectors, where the data is at hand.

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "beacon/ad.h"
#include "beacon/key_schedule.h"
#include "tests/unit/beacon/bytes.h"

namespace welcome::beacon {
namespace {

using nlohmann::json;
using testing::array_from_hex;
using testing::to_hex;

class Vectors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::ble_data()) GTEST_SKIP() << "WELCOME_DATA is not set: no recorded vectors";
  }
  static json load(const char* name) {
    std::ifstream in(*testing::ble_data() / "vectors" / name);
    return json::parse(in);
  }
};

TEST_F(Vectors, EveryEddystoneEidIsRight) {
  const json all = load("eddystone_eid.json");
  int checked = 0;
  for (const char* list : {"vectors", "computed_here"}) {
    for (const json& v : all.at(list)) {
      if (!v.contains("identity_key")) continue;
      const auto key = array_from_hex<16>(v.at("identity_key").get<std::string>());
      EXPECT_EQ(to_hex(eddystone_eid(key, v.at("k").get<unsigned>(),
                                     v.at("beacon_time").get<std::uint32_t>())),
                v.at("eid").get<std::string>());
      ++checked;
    }
  }
  EXPECT_GT(checked, 20);
}

TEST_F(Vectors, EveryResolvableAddressResolvesOrDoesNot) {
  const json vectors = load("rpa.json");
  for (const json& v : vectors.at("vectors")) {
    std::string text = v.at("address");
    std::erase(text, ':');
    const auto address = array_from_hex<6>(text);
    const Aes128 irk(array_from_hex<16>(v.at("irk").get<std::string>()));
    const bool does = is_resolvable(address, AddressType::random_device) && resolves(irk, address);
    EXPECT_EQ(does, v.at("resolves").get<bool>()) << v.at("source");
  }
}

// The bytes of the frame itself as an AD payload.
std::vector<std::uint8_t> payload_of(const json& v) {
  const auto bytes = testing::from_hex(v.at("hex").get<std::string>());
  const std::string layer = v.at("layer");
  if (layer == "ad") return bytes;
  if (layer == "hci_event_h4") {  // one legacy report: data length at 13, data behind it
    return {bytes.begin() + 14, bytes.begin() + 14 + bytes.at(13)};
  }
  const char* head = layer == "mfg_data_4c00"   ? "ff4c00"
                     : layer == "svc_data_fd6f" ? "166ffd"
                                                : "16aafe";
  std::vector<std::uint8_t> out{0};
  for (const std::uint8_t b : testing::from_hex(head)) out.push_back(b);
  out.insert(out.end(), bytes.begin(), bytes.end());
  out[0] = static_cast<std::uint8_t>(out.size() - 1);
  return out;
}

TEST_F(Vectors, EveryFrameIsDecodedAndWhatIsNoFrameIsRefused) {
  int refused = 0;
  for (const json& v : load("beacon_decode.json")) {
    const AdContent content = decode_ad(payload_of(v));
    const std::string kind = v.at("kind");
    const Frame* found = nullptr;
    for (const Frame& frame : content.frames) {
      if (kind == "any" || kind == "eddystone" || kind == kind_name(frame)) found = &frame;
    }
    EXPECT_EQ(found != nullptr, !v.at("expected").is_null()) << v.at("id");
    refused += found == nullptr ? 1 : 0;
  }
  EXPECT_EQ(refused, 12);
}

}  // namespace
}  // namespace welcome::beacon
