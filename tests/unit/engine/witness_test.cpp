// SPDX-License-Identifier: Apache-2.0
// What a box tells the CRM of its audit log, so that a store that was put back is noticed there
// (attack H10).

#include "firmware/engine/witness.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

class WitnessTest : public ::testing::Test {
 protected:
  WitnessTest() : box_(test::kStart) { box_.link_up(LinkName::uplink); }

  void crm_asks(const std::string& ask, std::uint64_t seq) {
    contract::Taken taken;
    taken.audit = {ask, seq};
    const auto message = encode_taken(test::bench_address, taken);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
    box_.advance(1100ms);
  }
  // An entry of the audit log.
  void pause() {
    ++paused_;
    box_.inbound(LinkName::uplink, "welcome/v1/demo/_all/control",
                 json{{"v", 1},
                      {"id", "ctl-" + std::to_string(paused_)},
                      {"seq", paused_},
                      {"tenant", "demo"},
                      {"store", "_all"},
                      {"function", "offers"},
                      {"paused", paused_ % 2 == 1},
                      {"at", contract::to_rfc3339(box_.now().wall)}}
                     .dump());
  }
  json said() { return box_.sent("/hello").back().value("audit", json()); }
  store::AuditHead head() { return box_.store().audit().head().value(); }

  test::BenchBox box_;
  int paused_ = 0;
};

TEST_F(WitnessTest, WhoDoesNotAskIsToldNothing) {
  pause();
  box_.advance(3min);
  for (const json& hello : box_.sent("/hello")) EXPECT_FALSE(hello.contains("audit"));
}

TEST_F(WitnessTest, WhoAsksHearsWhereItIsAndHowItGoesOnSigned) {
  pause();
  const auto first = head();
  pause();
  crm_asks("q-1", static_cast<std::uint64_t>(first.seq));
  const json word = said();
  EXPECT_TRUE(box_.sent("/hello").back().value("confirms", false)) << "it asks for nothing";
  EXPECT_EQ(word["asked"], "q-1");
  EXPECT_EQ(word["seq"], head().seq);
  EXPECT_EQ(word["hash"], head().hash);
  EXPECT_EQ(word["before"], first.hash);
  EXPECT_EQ(word["since"], 1);
  contract::KeyRing ring;
  ring.pin("box-1", *contract::public_key_from_text(box_.engine().public_key()));
  EXPECT_TRUE(ring.verify(word.dump()));

  crm_asks("q-2", 1000);
  EXPECT_FALSE(said().contains("before")) << "which it does not have";
}

TEST_F(WitnessTest, WhatIsNewIsToldWithinAMinute) {
  crm_asks("q-1", 0);
  const auto before = box_.sent("/hello").size();
  box_.advance(3min);
  EXPECT_EQ(box_.sent("/hello").size(), before) << "nothing is";
  pause();
  box_.advance(2s);  // and it says that it is paused
  pause();
  box_.advance(62s);
  EXPECT_EQ(said()["seq"], head().seq);
}

TEST_F(WitnessTest, AnotherStartIsAnotherRun) {
  crm_asks("q-1", 0);
  const json first = said();
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_TRUE(said().is_null()) << "it waits for the question";
  crm_asks("q-2", 0);
  EXPECT_EQ(said()["session"], first["session"].get<int>() + 1);
  EXPECT_NE(said()["run"], first["run"]);
}

}  // namespace
}  // namespace welcome
