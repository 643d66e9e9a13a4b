// SPDX-License-Identifier: Apache-2.0
// While the line was down somebody withdrew: nothing of theirs leaves before the box knows (attack
// H5). What is about nobody, and what consent and erasure say themselves, does not wait.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::Collection;
using contract::LinkName;
using nlohmann::json;

class ReconnectTest : public ::testing::Test {
 protected:
  ReconnectTest() : box_(test::kStart) {
    box_.link_up(LinkName::uplink);
    box_.feed_shop();
    analytics_of_mia("given");
    crm_takes();
    box_.advance(2s);  // it has said how far it is
    box_.link_down(LinkName::uplink);
    box_.crm_answers = false;
    box_.hear_mia_for(3s);
  }

  std::size_t waiting() {
    return box_.engine().status(box_.now())["outbox"]["uplink"].get<std::size_t>();
  }
  std::size_t about_mia() {
    std::size_t count = 0;
    for (const json& event : box_.sent("/event")) count += event.value("subject", "") == "c-mia";
    return count;
  }
  // One more step of her consent, the next change of the feed.
  void analytics_of_mia(const std::string& state) {
    if (record_.is_null()) {
      const json batch = test::BenchBox::shop_consents();
      for (const json& item : batch["items"]) {
        if (item["value"]["customer"] == "c-mia") record_ = item["value"];
      }
      record_["record_id"] = "r-mia-analytics";
      record_["purpose"] = "visit_analytics";
      record_["history"] = json::array();
    }
    const auto at = contract::to_rfc3339(box_.now().wall);
    record_["history"].push_back({{"state", state}, {"at", at}, {"how", "app"}});
    box_.feed_consent(record_, ++changes_);
  }
  // Its first word on every line.
  void crm_takes() {
    const auto message = encode_taken(test::bench_address, {});
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }
  // Where it stands, so many changes after what the box has said last.
  void beat(Collection collection, std::uint64_t changes = 0) {
    const auto have = box_.sent("/hello").back()["have"][std::string(to_string(collection))];
    contract::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = have["epoch"];
    batch.from_seq = batch.to_seq = have["seq"].get<std::uint64_t>() + changes;
    const auto message = encode_feed(test::bench_address, batch);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }

  test::BenchBox box_;
  json record_;
  int changes_ = 0;
};

TEST_F(ReconnectTest, NothingOfHersLeavesBeforeHerWithdrawalHasCome) {
  ASSERT_GT(waiting(), 0U);
  box_.link_up(LinkName::uplink);
  crm_takes();
  beat(Collection::policy);
  beat(Collection::consents, 1);
  box_.advance(5s);
  EXPECT_EQ(about_mia(), 0U) << "the CRM has more consents than this box";
  analytics_of_mia("withdrawn");
  box_.advance(2s);  // it has said how far it is
  beat(Collection::consents);
  box_.advance(5s);
  for (const json& event : box_.events("visit.")) EXPECT_NE(event["subject"], "c-mia");
}

TEST_F(ReconnectTest, WhoHasNotWithdrawnIsToldOfAsSoonAsTheConsentsAreHere) {
  const auto rows = waiting();
  ASSERT_GT(rows, 0U);
  box_.link_up(LinkName::uplink);
  crm_takes();
  EXPECT_EQ(about_mia(), 0U);
  beat(Collection::consents);
  EXPECT_EQ(about_mia(), rows) << "at once";
  box_.advance(30s);
  EXPECT_FALSE(box_.events("visit.ended").empty()) << "and nothing waits on this line any more";
  // On the next one it does.
  box_.link_down(LinkName::uplink);
  box_.hear_mia_for(3s);
  const auto before = about_mia();
  box_.link_up(LinkName::uplink);
  crm_takes();
  box_.advance(5s);
  EXPECT_EQ(about_mia(), before);
}

TEST_F(ReconnectTest, OnALineThatStaysItWaitsWhileTheCrmSaysThatThereIsMore) {
  box_.link_up(LinkName::uplink);
  crm_takes();
  beat(Collection::consents);
  const auto before = about_mia();
  beat(Collection::consents, 1);
  box_.advance(30s);  // her visit ends
  EXPECT_EQ(about_mia(), before);
  analytics_of_mia("withdrawn");
  EXPECT_EQ(about_mia(), before);
}

TEST_F(ReconnectTest, AnOldWordOfTheCrmHoldsNothingUp) {
  box_.link_up(LinkName::uplink);
  crm_takes();
  beat(Collection::consents);
  analytics_of_mia("given");
  const auto before = about_mia();
  beat(Collection::consents, 0);  // overtaken by that change
  box_.advance(30s);
  EXPECT_GT(about_mia(), before);
}

TEST_F(ReconnectTest, WhatWasDroppedUnreadMayHaveBeenAWithdrawal) {
  box_.link_up(LinkName::uplink);
  crm_takes();
  beat(Collection::consents);
  const auto before = about_mia();
  box_.engine().lost_messages(box_.now());
  box_.advance(30s);
  EXPECT_EQ(about_mia(), before);
  beat(Collection::consents);
  EXPECT_GT(about_mia(), before);
}

TEST_F(ReconnectTest, WhatIsAboutNobodyAndAReceiptDoNotWait) {
  box_.link_up(LinkName::uplink);
  crm_takes();
  box_.have_an_item_refused("somebody");
  EXPECT_EQ(box_.events("feed.rejected").size(), 1U);
  box_.erase("c-paul", "erase-1");
  EXPECT_EQ(box_.events("erasure.receipt").size(), 1U);
  EXPECT_EQ(about_mia(), 0U);
}

TEST_F(ReconnectTest, ACrmThatSpeaksButNeverOfConsentsGetsTheRestAfterAWhile) {
  box_.link_up(LinkName::uplink);
  box_.skip(2h);
  box_.advance(2s);
  EXPECT_EQ(about_mia(), 0U) << "the CRM is away: somebody may have withdrawn there";
  crm_takes();
  box_.skip(59min);
  box_.advance(2s);
  EXPECT_EQ(about_mia(), 0U);
  box_.skip(2min);
  box_.advance(2s);
  EXPECT_GT(about_mia(), 0U);
}

TEST_F(ReconnectTest, NothingIsDecidedBetweenTheFirstWordAndTheConsents) {
  box_.setup.tweak = [](daemon::EngineSettings& settings) { settings.crm_speaks_first = 3s; };
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  crm_takes();
  const auto held = [&] { return box_.engine().counters().held_back; };
  const auto before = held();
  box_.hear_mia();
  box_.advance(1s);
  box_.hear_mia();
  box_.advance(1s);
  EXPECT_GT(held(), before);
  beat(Collection::consents);
  const auto then = held();
  box_.hear_mia_for(1s);
  EXPECT_EQ(held(), then);
}

}  // namespace
}  // namespace welcome
