// SPDX-License-Identifier: Apache-2.0
// The way of a proof of presence: the box's radio sends its EID, an app hears it and tells the CRM,
// the CRM sends a command, and the box believes it if it is what its radio sent.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "beacon/ad.h"
#include "core/hex.h"
#include "harness/bench_box.h"
#include "tests/unit/beacon/controller_emulator.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class PresenceTest : public testing::Test {
 protected:
  PresenceTest() : box_(test::kStart) {
    box_.link_up(contract::LinkName::uplink);
    box_.feed_shop();
  }

  // The EID that is on the air now, as hexadecimal digits: the one that the controller was given.
  std::string on_the_air() {
    beacon::testing::ControllerEmulator radio;
    beacon::HciHostConfig config;
    config.adverts.eid = box_.box_eid();
    beacon::HciHost host(config, [&](std::span<const std::uint8_t> p) { radio.take(p); });
    host.start(box_.now());
    std::vector<beacon::AdvertReport> none;
    for (; !radio.to_host.empty(); radio.to_host.pop_front()) {
      host.receive(radio.to_host.front(), box_.now(), none);
    }
    EXPECT_TRUE(radio.advertising);
    const auto content = beacon::decode_ad(radio.advert_data);
    const auto& frame = std::get<beacon::EddystoneEid>(content.frames.at(0));
    return to_hex(frame.eid);
  }

  json report(const std::string& eid, const std::string& customer = "c-mia",
              std::chrono::seconds ago = 0s) {
    static int number = 0;
    box_.inbound(contract::LinkName::uplink, test::box_prefix + "command",
                 json{{"v", 1},
                      {"id", "00000000-0000-4000-8000-0000000001" + std::to_string(10 + number++)},
                      {"kind", "presence"},
                      {"customer", customer},
                      {"eid", eid},
                      {"at", contract::to_rfc3339(box_.now().wall - ago)}}
                     .dump());
    return box_.engine().visits();
  }
  int refused() { return box_.engine().status(box_.now())["gate"]["presence_refused"]; }

  test::BenchBox box_;
};

TEST_F(PresenceTest, TheEidThatTheRadioSendsProvesIt) {
  const json visits = report(on_the_air());
  ASSERT_EQ(visits.size(), 1U);
  EXPECT_EQ(visits[0]["customer"], "c-mia");
  EXPECT_EQ(visits[0]["by"], "app");
  EXPECT_EQ(refused(), 0);
}

TEST_F(PresenceTest, AReportOnItsWayForAMinuteStillCounts) {
  const std::string eid = on_the_air();
  box_.skip(60s);
  EXPECT_EQ(report(eid, "c-mia", 60s).size(), 1U);
}

TEST_F(PresenceTest, AnOldEidAnotherBoxesOrNoneProvesNothing) {
  const std::string eid = on_the_air();
  box_.skip(15min);
  EXPECT_TRUE(report(eid).empty());
  EXPECT_TRUE(report(eid, "c-mia", 15min).empty());
  EXPECT_TRUE(report("0011223344556677").empty());
  EXPECT_TRUE(report("0011").empty());
  EXPECT_GE(refused(), 3);
}

TEST_F(PresenceTest, WithoutConsentNoProofHelps) {
  EXPECT_TRUE(report(on_the_air(), "c-nobody").empty());
  EXPECT_EQ(refused(), 0) << "it was the gate";
}

}  // namespace
}  // namespace welcome
