// SPDX-License-Identifier: Apache-2.0
// A box has the profiles of those alone that it has seen, and is told no more and no less.

#include "crm/sight.h"

#include <map>
#include <random>

#include "crm/belief.h"
#include "crm/boxes.h"
#include "tests/unit/crm/fixture.h"
#include "tests/unit/crm/replica.h"

namespace welcome::crm {
namespace {

class SightTest : public CrmTest {
 protected:
  SightTest() {
    Boxes(*crm_).admit("aroma-1", "box-1", "a test", now_);
    Boxes(*crm_).admit("aroma-1", "box-2", "a test", now_);
    for (const char* customer : {"c-mia", "c-noa"}) {
      add(customer, std::string("a-") + customer);
      consent(customer, Purpose::preference_prompts, true, kJanuary);
    }
    feed().set_scopes({false, true, 90});
  }
  Feed& feed() { return crm_->feed(); }
  bool wanted(const std::string& customer, const std::string& box = "box-1") {
    const bool first =
        event("e-" + std::to_string(++events_), "profile.wanted", customer, json::object(), box);
    intake_->work(now_);
    return first;
  }
  std::vector<std::string> at_box() {
    one_.hello(feed(), kOne);
    std::vector<std::string> out;
    for (const auto& [key, value] : one_.values()) out.push_back(key);
    return out;
  }
  std::string last_note() { return notes().back(); }

  const BoxKey kOne{"aroma-1", "box-1"}, kTwo{"aroma-1", "box-2"};
  Replica one_{Collection::profiles}, two_{Collection::profiles};
  int events_ = 0;
};

using Keys = std::vector<std::string>;

TEST_F(SightTest, ABoxThatHasSeenNobodyHasNobody) {
  EXPECT_EQ(at_box(), Keys{});
  EXPECT_EQ(one_.snapshots, 1);
  EXPECT_EQ(feed().head(Collection::campaigns, feed().scope_of(Collection::campaigns, kOne)),
            feed().head(Collection::campaigns))
      << "the rest is everybody's";
}

TEST_F(SightTest, WhoIsSeenComesAloneAndToThatBoxAlone) {
  EXPECT_EQ(at_box(), Keys{});
  wanted("c-paul");
  EXPECT_EQ(one_.hello(feed(), kOne), 1U);
  EXPECT_EQ(at_box(), Keys{"c-paul"});
  two_.hello(feed(), kTwo);
  EXPECT_TRUE(two_.values().empty());
  EXPECT_EQ(one_.snapshots, 1) << "a delta was enough";
  EXPECT_EQ(last_note(), "");
}

TEST_F(SightTest, WhatChangesLaterFollowsAndWhatIsOfOthersIsNoNewsHere) {
  wanted("c-paul");
  at_box();
  const Position before = feed().head(Collection::profiles, Scope::of_box(kOne));
  ASSERT_TRUE(crm_->note_conversation("c-mia", "likes tea", now_));
  EXPECT_EQ(feed().head(Collection::profiles, Scope::of_box(kOne)), before);
  ASSERT_TRUE(crm_->note_conversation("c-paul", "likes cake", now_));
  EXPECT_EQ(one_.hello(feed(), kOne), 1U);
  EXPECT_NE(one_.values().at("c-paul").find("likes cake"), std::string::npos);
}

TEST_F(SightTest, WhoTakesAllBackGoesAndIsThereAgainWhenTheyComeBack) {
  wanted("c-mia");
  ASSERT_EQ(at_box(), Keys{"c-mia"});
  consent("c-mia", Purpose::preference_prompts, false, kMay);
  EXPECT_EQ(at_box(), Keys{});
  now_ += std::chrono::minutes(1);
  consent("c-mia", Purpose::preference_prompts, true, now_);
  EXPECT_EQ(at_box(), Keys{"c-mia"});
  EXPECT_EQ(one_.gaps, 0);
}

TEST_F(SightTest, WhoGivesNothingIsNotSentAndNothingIsKeptOfTheQuestion) {
  consent("c-mia", Purpose::preference_prompts, false, kMay);
  wanted("c-mia");
  EXPECT_EQ(at_box(), Keys{});
  EXPECT_NE(last_note(), "");
  EXPECT_TRUE(db_->query("SELECT 1 FROM sight").empty());
}

TEST_F(SightTest, TheLedgerDoesNotSayWhoWasWhereAndTheRestIsADay) {
  wanted("c-paul");
  EXPECT_EQ(db_->query("SELECT customer FROM ledger").at(0).text(0), "");
  EXPECT_EQ(db_->query("SELECT seen_on FROM sight").at(0).text(0), "2026-05-04");
  const json at = crm_->export_customer("c-paul", now_).value().at("profile_at");
  EXPECT_EQ(at, json::parse(R"([{"store":"aroma-1","box":"box-1","seen_on":"2026-05-04"}])"));
}

TEST_F(SightTest, WhoHasNotComeForLongGoesFromThatBox) {
  wanted("c-paul");
  wanted("c-mia");
  ASSERT_EQ(at_box(), (Keys{"c-mia", "c-paul"}));
  now_ += std::chrono::days(60);
  wanted("c-paul");
  now_ += std::chrono::days(40);
  EXPECT_FALSE(feed().let_sights_end(now_, 100));
  EXPECT_EQ(at_box(), Keys{"c-paul"});
  EXPECT_EQ(one_.snapshots, 1);
  EXPECT_EQ(db_->query("SELECT customer FROM gone").size(), 1U);
  feed().confirmed(kOne, Collection::profiles, one_.position());
  EXPECT_TRUE(db_->query("SELECT customer FROM gone").empty());
  wanted("c-mia");
  EXPECT_EQ(at_box(), (Keys{"c-mia", "c-paul"})) << "and comes again with the next visit";
  EXPECT_EQ(one_.gaps, 0);
}

TEST_F(SightTest, WhoIsErasedGoesAndLeavesNoRow) {
  wanted("c-paul");
  at_box();
  see_box("aroma-2", "box-9");  // the erasure waits for somebody
  db_->execute("UPDATE box SET state = 'online'");
  const auto erasure = crm_->forget("c-paul", now_);
  ASSERT_TRUE(erasure);
  EXPECT_EQ(at_box(), Keys{});
  EXPECT_EQ(one_.gaps, 0);
  for (const auto& [store, box] : crm_->boxes("")) {
    crm_->erasure_done(*erasure, store, box, "{}", now_);
  }
  crm_->finish_erasure(*erasure, now_);
  EXPECT_TRUE(db_->query("SELECT 1 FROM sight").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM gone").empty());
  wanted("c-mia");
  EXPECT_EQ(at_box(), Keys{"c-mia"});
}

TEST_F(SightTest, ABoxThatAsksForEverybodyIsNotBelievedForLong) {
  {
    Transaction transaction(*db_);
    for (std::int64_t i = 0; i < kWantedAnHour; ++i) {
      db_->execute(
          "INSERT INTO ledger (id, store, box, type, time, customer, data, received_at, handled, "
          "note) VALUES ($1, 'aroma-1', 'box-1', 'com.welcomed.profile.wanted.v1', $2, '', '{}', "
          "$2, 1, '')",
          {"e-before-" + std::to_string(i), contract::to_rfc3339(now_)});
    }
    transaction.commit();
  }
  wanted("c-paul");
  EXPECT_EQ(last_note(), "not believed: more guests than a box sees in an hour");
  EXPECT_EQ(at_box(), Keys{});
  now_ += std::chrono::minutes(61);
  wanted("c-paul");
  EXPECT_EQ(at_box(), Keys{"c-paul"});
}

TEST_F(SightTest, EverybodyIsEverywhereUntilSomebodySaysOtherwiseAndAgain) {
  feed().set_scopes({false, false, 90});
  EXPECT_EQ(at_box(), (Keys{"c-mia", "c-noa", "c-paul"}));
  feed().set_scopes({false, true, 90});
  wanted("c-noa");
  EXPECT_EQ(at_box(), Keys{"c-noa"}) << "the others are swept";
  feed().set_scopes({false, false, 90});
  EXPECT_EQ(at_box(), (Keys{"c-mia", "c-noa", "c-paul"}));
}

TEST_F(SightTest, ARevokedBoxIsForgotten) {
  wanted("c-paul");
  ASSERT_TRUE(Boxes(*crm_).revoke("aroma-1", "box-1", now_));
  EXPECT_TRUE(db_->query("SELECT 1 FROM sight").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM place WHERE part LIKE '%/%'").empty());
}

// Not ahead of a CRM that has forgotten it: then every box would be told everything again.
TEST_F(SightTest, ABoxThatIsAdmittedAgainIsBehind) {
  wanted("c-paul");
  ASSERT_EQ(at_box(), Keys{"c-paul"});
  ASSERT_TRUE(Boxes(*crm_).revoke("aroma-1", "box-1", now_));
  ASSERT_TRUE(Boxes(*crm_).admit("aroma-1", "box-1", "a test", now_));
  EXPECT_GE(feed().head(Collection::profiles, Scope::of_box(kOne)).seq, one_.position().seq);
  EXPECT_EQ(at_box(), Keys{});
  EXPECT_EQ(one_.snapshots, 2);
  wanted("c-mia");
  EXPECT_EQ(at_box(), Keys{"c-mia"});
}

// Whatever happens in whatever order, and however seldom the box hears of it: it has those that it
// has seen and that agree, as they are now, and never needs to be told everything.
TEST_F(SightTest, AfterEachHelloTheBoxHasExactlyItsOwn) {
  std::mt19937 random(7);
  const auto one_of = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const Keys people{"c-paul", "c-mia", "c-noa"};
  for (int step = 0; step < 600; ++step) {
    const std::string& who = people[static_cast<std::size_t>(one_of(3))];
    now_ += std::chrono::hours(one_of(72));
    switch (one_of(6)) {
      case 0:
      case 1:
        wanted(who, one_of(2) == 0 ? "box-1" : "box-2");
        break;
      case 2:
        ASSERT_TRUE(crm_->note_conversation(who, "note " + std::to_string(step), now_));
        break;
      case 3:
        consent(who, Purpose::preference_prompts, one_of(2) == 0, now_);
        break;
      case 4:
        feed().let_sights_end(now_, 1 + one_of(3));
        break;
      default:
        feed().confirmed(kOne, Collection::profiles, one_.position());
        break;
    }
    if (one_of(3) != 0) continue;
    one_.hello(feed(), kOne);
    std::map<std::string, std::string> expected;
    for (const Row& row :
         db_->query("SELECT customer FROM sight WHERE store = 'aroma-1' AND box = 'box-1'")) {
      if (const auto item = feed().get(Collection::profiles, row.text(0))) {
        expected[item->key] = item->value;
      }
    }
    ASSERT_EQ(one_.values(), expected) << "step " << step;
    ASSERT_EQ(one_.gaps, 0) << "step " << step;
    ASSERT_EQ(one_.snapshots, 1) << "step " << step;
  }
}

}  // namespace
}  // namespace welcome::crm
