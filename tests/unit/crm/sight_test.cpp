// SPDX-License-Identifier: Apache-2.0
// A box has the profiles of those alone that it has seen, and is told no more and no less.

#include "crm/sight.h"

#include <map>
#include <random>

#include "crm/belief.h"
#include "crm/boxes.h"
#include "sync/feed.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

// A box's half of the feed, with nothing but the real receiver.
class Replica : sync::ReplicaView {
 public:
  Replica() : receiver_(*this) {}

  // What the CRM sends when the box says hello. Returns how many items came.
  std::size_t hello(Feed& feed, const BoxKey& box) {
    const Scope scope = feed.scope_of(Collection::profiles, box);
    const Position head = feed.head(Collection::profiles, scope);
    std::optional<Position> have;
    const auto all = receiver_.have();
    if (const auto found = all.find(Collection::profiles); found != all.end()) {
      have = Position{found->second.epoch, static_cast<std::int64_t>(found->second.seq),
                      found->second.digest};
    }
    switch (remedy(have, head, feed.oldest(Collection::profiles))) {
      case Remedy::nothing:
        return 0;
      case Remedy::delta:
        return take(delta(Collection::profiles, head, have->seq,
                          feed.since(Collection::profiles, have->seq, scope)));
      case Remedy::snapshot:
        ++snapshots;
        return take(snapshot(Collection::profiles, head, feed.live(Collection::profiles, scope)));
    }
    return 0;
  }
  std::int64_t seq() const {
    const auto have = receiver_.have();
    const auto found = have.find(Collection::profiles);
    return found == have.end() ? 0 : static_cast<std::int64_t>(found->second.seq);
  }
  std::map<std::string, std::string> values() const {
    std::map<std::string, std::string> out;
    for (const auto& [key, item] : items_) out[key] = item.second;
    return out;
  }
  int snapshots = 0;
  int gaps = 0;

 private:
  std::size_t take(std::vector<contract::FeedBatch> batches) {
    std::size_t came = 0;
    for (contract::FeedBatch& batch : batches) {
      came += batch.items.size();
      const auto plan = receiver_.plan(std::move(batch));
      for (const contract::FeedItem& item : plan.items) {
        if (item.deleted) {
          items_.erase(item.key);
        } else {
          items_[item.key] = {item.seq, item.value};
        }
      }
      for (const std::string& key : plan.sweep) items_.erase(key);
      gaps += plan.verdict == sync::FeedVerdict::gap ? 1 : 0;
      receiver_.committed(plan);
    }
    return came;
  }
  std::optional<std::uint64_t> seq_of(Collection, std::string_view key) const override {
    const auto found = items_.find(std::string(key));
    if (found == items_.end()) return std::nullopt;
    return found->second.first;
  }
  void for_each(Collection, const std::function<void(std::string_view)>& visit) const override {
    for (const auto& [key, item] : items_) visit(key);
  }

  sync::FeedReceiver receiver_;
  std::map<std::string, std::pair<std::uint64_t, std::string>> items_;
};

class SightTest : public CrmTest {
 protected:
  SightTest() {
    Boxes(*crm_).admit("aroma-1", "box-1", "a test", now_);
    Boxes(*crm_).admit("aroma-1", "box-2", "a test", now_);
    for (const char* customer : {"c-mia", "c-noa"}) {
      add(customer, std::string("a-") + customer);
      consent(customer, Purpose::preference_prompts, true, kJanuary);
    }
    feed().set_on_sight(true, 90);
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
  Replica one_, two_;
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
  const Position before = feed().head(Collection::profiles, Scope(kOne));
  ASSERT_TRUE(crm_->note_conversation("c-mia", "likes tea", now_));
  EXPECT_EQ(feed().head(Collection::profiles, Scope(kOne)), before);
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
  EXPECT_EQ(db_->query("SELECT customer FROM sight_gone").size(), 1U);
  feed().confirmed(kOne, one_.seq());
  EXPECT_TRUE(db_->query("SELECT customer FROM sight_gone").empty());
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
  EXPECT_TRUE(db_->query("SELECT 1 FROM sight_gone").empty());
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
  feed().set_on_sight(false, 90);
  EXPECT_EQ(at_box(), (Keys{"c-mia", "c-noa", "c-paul"}));
  feed().set_on_sight(true, 90);
  wanted("c-noa");
  EXPECT_EQ(at_box(), Keys{"c-noa"}) << "the others are swept";
  feed().set_on_sight(false, 90);
  EXPECT_EQ(at_box(), (Keys{"c-mia", "c-noa", "c-paul"}));
}

TEST_F(SightTest, ARevokedBoxIsForgotten) {
  wanted("c-paul");
  ASSERT_TRUE(Boxes(*crm_).revoke("aroma-1", "box-1", now_));
  EXPECT_TRUE(db_->query("SELECT 1 FROM sight").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM sight_box").empty());
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
        feed().confirmed(kOne, one_.seq());
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
