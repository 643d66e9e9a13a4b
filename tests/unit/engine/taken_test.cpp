// SPDX-License-Identifier: Apache-2.0
// An event stays in the box until the CRM says that it is in its ledger: what a broker acknowledged
// and lost (attack P2), or somebody took out of the CRM's session, goes once more.

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

const contract::BoxAddress kBox{"demo", "aroma-1", "box-1"};

class TakenTest : public ::testing::Test {
 protected:
  TakenTest() : box_(test::kStart) { box_.link_up(LinkName::uplink); }

  json outbox() { return box_.engine().status(box_.now())["outbox"]; }
  std::vector<std::string> events() {
    std::vector<std::string> ids;
    for (const json& event : box_.sent("/event")) ids.push_back(event.at("id"));
    return ids;
  }
  void happen(const std::string& about) { box_.have_an_item_refused(about); }
  void crm_has_taken(const std::vector<std::string>& ids) {
    contract::Taken taken;
    for (const auto& id : ids) taken.ids.emplace_back(id);
    const auto message = encode_taken(kBox, taken);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }
  void line_comes_again() {
    box_.link_down(LinkName::uplink);
    box_.link_up(LinkName::uplink);
  }

  test::BenchBox box_;
};

TEST_F(TakenTest, AnEventStaysUntilTheCrmHasTakenIt) {
  crm_has_taken({});
  happen("a");
  ASSERT_EQ(events().size(), 1U);
  EXPECT_EQ(outbox()["uplink"], 1) << "the broker has it, and that is not enough";
  EXPECT_EQ(outbox()["at_broker"], 1);
  crm_has_taken({"another"});
  EXPECT_EQ(outbox()["uplink"], 1);
  crm_has_taken(events());
  EXPECT_EQ(outbox()["at_broker"], 0);
  box_.advance(50ms);
  EXPECT_EQ(outbox()["uplink"], 0) << "with the next tick";
}

TEST_F(TakenTest, ManyThatWereTakenLeaveTogether) {
  crm_has_taken({});
  for (int n = 0; n < 220; ++n) happen(std::to_string(n));
  const auto all = events();
  ASSERT_EQ(all.size(), 220U);
  crm_has_taken({all.begin(), all.begin() + 199});
  EXPECT_EQ(outbox()["uplink"], 220)
      << "one transaction for each word would cost more than it says";
  crm_has_taken({all.begin() + 199, all.begin() + 210});
  EXPECT_EQ(outbox()["uplink"], 10);
  EXPECT_EQ(outbox()["at_broker"], 10);
}

TEST_F(TakenTest, WhatTheBrokerLostGoesAgainWithTheNextLine) {
  crm_has_taken({});
  happen("a");
  happen("b");
  ASSERT_EQ(events().size(), 2U);
  crm_has_taken({events()[0]});
  line_comes_again();
  crm_has_taken({});
  const auto all = events();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[2], all[1]) << "the same one, which a CRM drops if it has it";
}

TEST_F(TakenTest, NorDoesAPulledPlugLoseIt) {
  crm_has_taken({});
  happen("a");
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  crm_has_taken({});
  ASSERT_EQ(events().size(), 2U);
  EXPECT_EQ(events()[0], events()[1]);
}

TEST_F(TakenTest, WhatTheCrmDoesNotTakeThoughItSpeaksGoesAgainAndNotForEver) {
  crm_has_taken({});
  happen("a");
  const std::string event = events().at(0);
  const auto times = [&] {
    const auto all = events();
    return std::count(all.begin(), all.end(), event);
  };
  box_.advance(10min);
  EXPECT_EQ(times(), 1) << "the CRM is away, and the broker keeps it";
  for (int minute = 0; minute < 30; ++minute) {
    crm_has_taken({});
    box_.advance(61s);
  }
  EXPECT_EQ(times(), 6);
  EXPECT_EQ(outbox()["at_broker"], 0);
  EXPECT_GE(outbox()["set_aside"]["the CRM does not take it"], 1);
}

TEST_F(TakenTest, AnAnswerThatOvertakesTheBrokersCountsAsWell) {
  crm_has_taken({});
  box_.broker_acks = false;
  happen("a");
  ASSERT_EQ(events().size(), 1U);
  crm_has_taken(events());
  box_.ack_all();
  box_.advance(50ms);
  EXPECT_EQ(outbox()["uplink"], 0);
  EXPECT_EQ(outbox()["at_broker"], 0);
}

TEST_F(TakenTest, NoMoreThanSoManyWaitAtTheBroker) {
  crm_has_taken({});
  for (int i = 0; i < 1005; ++i) happen(std::to_string(i));
  EXPECT_EQ(events().size(), 1000U);
  EXPECT_EQ(outbox()["uplink"], 1005);
  auto first = events();
  first.resize(500);
  crm_has_taken(first);
  EXPECT_EQ(events().size(), 1005U);
}

TEST_F(TakenTest, ACrmThatDoesNotSayWhatItTakesIsServedAsBefore) {
  happen("a");
  ASSERT_EQ(events().size(), 1U);
  EXPECT_EQ(outbox()["uplink"], 0);
}

TEST_F(TakenTest, AfterABreakEventsWaitForTheWordOfACrmThatIsKnownToSayIt) {
  crm_has_taken({});
  line_comes_again();
  box_.crm_answers = false;
  happen("a");  // it has spoken
  box_.advance(30s);
  EXPECT_TRUE(events().empty()) << "its first word has not come: it may be busy";
  crm_has_taken({});
  EXPECT_EQ(events().size(), 1U);
  EXPECT_EQ(outbox()["uplink"], 1);
  // One that was put back to an older version never says it.
  line_comes_again();
  happen("b");
  box_.advance(61s);
  EXPECT_EQ(outbox()["uplink"], 0);
}

TEST_F(TakenTest, AnotherBoxesWordSaysNothingOfOurs) {
  crm_has_taken({});
  happen("a");
  ASSERT_EQ(events().size(), 1U);
  contract::Taken taken;
  taken.ids.emplace_back(events()[0]);
  auto message = encode_taken({"demo", "aroma-1", "box-2"}, taken);
  box_.inbound(LinkName::uplink, taken_topic(kBox), message.payload);
  EXPECT_EQ(outbox()["uplink"], 1);
}

}  // namespace
}  // namespace welcome
