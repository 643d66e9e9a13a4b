// SPDX-License-Identifier: Apache-2.0
// What the box says of identities that do not fit what it hears, and a clock that is set by hand.

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "beacon/key_schedule.h"
#include "contract/digest.h"
#include "core/hex.h"
#include "firmware/control/commands.h"
#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kKeyText = "d417a6309be85c2f714c09e2a853b6f1";
constexpr unsigned kExponent = 8;

class EngineRadioTest : public testing::Test {
 protected:
  EngineRadioTest() : box_(test::kStart) {
    from_hex(kKeyText, key_);
    box_.links_up();
    box_.feed_shop();
  }

  // The CRM's identities are this one from now on.
  void feed(json identity) {
    ++seq_;
    identity["customer"] = "c-mia";
    contract::Digest digest;
    digest.toggle(identity["identity"].get<std::string>(), seq_);
    const std::string key = identity["identity"];
    box_.inbound(
        contract::LinkName::uplink,
        feed_topic(test::bench_address, contract::Collection::identities),
        json{{"v", 1},
             {"collection", "identities"},
             {"kind", "snapshot"},
             {"epoch", "e-" + std::to_string(seq_)},
             {"part", 1},
             {"parts", 1},
             {"to_seq", seq_},
             {"digest", digest.hex()},
             {"items",
              {{{"key", key}, {"seq", seq_}, {"op", "put"}, {"value", std::move(identity)}}}}}
            .dump());
    box_.advance(1s);
  }
  void feed_fob(WallTime clock_zero) {
    feed({{"identity", "i-fob"},
          {"kind", "eddystone_eid"},
          {"key", kKeyText},
          {"rotation_exponent", kExponent},
          {"clock_zero", contract::to_rfc3339(clock_zero)}});
  }

  void hear(const beacon::Address& address, std::span<const std::uint8_t> ad) {
    beacon::AdvertReport report;
    report.at = box_.now().mono;
    report.address = address;
    report.address_type = beacon::AddressType::random_device;
    report.rssi_dbm = -60;
    report.ad = beacon::AdBytes(ad);
    box_.engine().handle(daemon::input::Adverts{{report}, {}}, box_.now());
    box_.advance(50ms);
  }
  // What the fob sends whose clock said 0 then.
  void hear_fob(WallTime clock_zero) {
    const auto clock =
        std::chrono::floor<std::chrono::seconds>(box_.now().wall - clock_zero).count();
    const auto eid = beacon::eddystone_eid(key_, kExponent, static_cast<std::uint32_t>(clock));
    std::vector<std::uint8_t> ad{0x02, 0x01, 0x06, 0x03, 0x03, 0xAA, 0xFE,
                                 0x0D, 0x16, 0xAA, 0xFE, 0x30, 0xEE};
    ad.insert(ad.end(), eid.begin(), eid.end());
    hear({0xC3, 1, 2, 3, 4, 5}, ad);
  }
  // A resolvable address of that IRK.
  void hear_address(const beacon::Block& irk, std::uint8_t number) {
    beacon::Block in{};
    in[13] = 0x40;
    in[15] = number;
    const beacon::Block out = beacon::Aes128(irk).encrypt(in);
    hear({in[13], in[14], in[15], out[13], out[14], out[15]}, {});
  }

  int identified() { return box_.engine().status(box_.now())["radio"]["identified"].get<int>(); }
  std::vector<json> rejected() { return box_.events("feed.rejected"); }

  test::BenchBox box_;
  beacon::Block key_{};
  std::uint64_t seq_ = 100;
};

TEST_F(EngineRadioTest, AFobWithANewBatteryIsReportedAndItsClockCanBeSetAtTheBox) {
  const WallTime sold = test::kStart - std::chrono::days{400};
  const WallTime changed = test::kStart - std::chrono::days{3};
  feed_fob(sold);
  hear_fob(sold);
  EXPECT_EQ(identified(), 1);
  EXPECT_FALSE(box_.engine().set_clock("i-nobody", box_.now()));
  EXPECT_FALSE(box_.engine().set_clock("i-fob", box_.now())) << "it has not been heard otherwise";

  hear_fob(changed);
  box_.advance(30s);
  EXPECT_EQ(identified(), 1) << "a hint is not believed";
  ASSERT_EQ(rejected().size(), 1U);
  const json said = rejected()[0]["data"];
  EXPECT_EQ(said["collection"], "identities");
  EXPECT_EQ(said["key"], "i-fob");
  EXPECT_THAT(said["reason"].get<std::string>(), HasSubstr("begun again"));
  EXPECT_THAT(said["reason"].get<std::string>(),
              HasSubstr(contract::to_rfc3339(changed).substr(0, 13)));

  const auto set = box_.engine().set_clock("i-fob", box_.now());
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_THAT(control::misfits(control::command(control::CommandId::identity_clock).answer, *set),
              testing::IsEmpty());
  box_.advance(1s);
  ASSERT_EQ(rejected().size(), 2U) << "head office hears that it is done";
  EXPECT_EQ(rejected()[1]["data"]["key"], "i-fob");
  EXPECT_EQ(rejected()[1]["data"]["seq"], said["seq"]);
  EXPECT_EQ(rejected()[1]["data"]["over"], true);
  hear_fob(changed);
  EXPECT_EQ(identified(), 2);
  box_.power_cycle();
  box_.links_up();
  box_.advance(1s);
  hear_fob(changed);
  EXPECT_EQ(identified(), 1) << "it holds after a start";

  // Until the CRM says another.
  const WallTime again = test::kStart - std::chrono::days{1};
  feed_fob(again);
  hear_fob(changed);
  EXPECT_EQ(identified(), 1);
  hear_fob(again);
  EXPECT_EQ(identified(), 2);
}

// After a box was stolen: whoever has the old key follows nobody any more.
TEST_F(EngineRadioTest, ADeviceWithAnotherKeyIsKnownByThatOneAlone) {
  const WallTime sold = test::kStart - std::chrono::days{400};
  feed_fob(sold);
  hear_fob(sold);
  EXPECT_EQ(identified(), 1);
  const beacon::Block old = key_;
  key_[0] ^= 0x55U;
  const WallTime changed = test::kStart - std::chrono::hours{1};
  feed({{"identity", "i-fob"},
        {"kind", "eddystone_eid"},
        {"key", to_hex(key_)},
        {"rotation_exponent", kExponent},
        {"clock_zero", contract::to_rfc3339(changed)}});
  hear_fob(changed);
  EXPECT_EQ(identified(), 2) << "the new key";
  key_ = old;
  hear_fob(sold);
  hear_fob(changed);
  EXPECT_EQ(identified(), 2) << "and not the old one";

  feed({{"identity", "i-phone"}, {"kind", "irk"}, {"irk", to_hex(old)}});
  hear_address(old, 1);
  EXPECT_EQ(identified(), 3);
  beacon::Block fresh = old;
  fresh[15] ^= 0x55U;
  feed({{"identity", "i-phone"}, {"kind", "irk"}, {"irk", to_hex(fresh)}});
  hear_address(fresh, 2);
  EXPECT_EQ(identified(), 4);
  hear_address(old, 3);
  hear_address(old, 1);
  EXPECT_EQ(identified(), 4) << "nor an address that was known before";
}

TEST_F(EngineRadioTest, AnIrkTheWrongWayRoundIsReported) {
  beacon::Block turned = key_;
  std::reverse(turned.begin(), turned.end());
  feed({{"identity", "i-phone"}, {"kind", "irk"}, {"irk", to_hex(turned)}});
  hear_address(key_, 1);
  box_.advance(15min);
  hear_address(key_, 2);
  box_.advance(5s);
  EXPECT_EQ(identified(), 0);
  ASSERT_EQ(rejected().size(), 1U);
  EXPECT_EQ(rejected()[0]["data"]["key"], "i-phone");
  EXPECT_THAT(rejected()[0]["data"]["reason"].get<std::string>(), HasSubstr("reversed"));
}

}  // namespace
}  // namespace welcome
