// SPDX-License-Identifier: Apache-2.0
// What boxes are told, and how a box that is behind comes up to date.

#include "crm/feed.h"

#include "sync/feed.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class FeedTest : public CrmTest {
 protected:
  Feed& feed() { return crm_->feed(); }
};

std::vector<std::string> keys(const std::vector<Item>& items) {
  std::vector<std::string> out;
  for (const Item& item : items) out.push_back(item.key);
  return out;
}

TEST_F(FeedTest, AnEqualValueGetsNoNewNumber) {
  ASSERT_TRUE(feed().put(Collection::campaigns, "k", "", "{}"));
  const Position before = feed().head(Collection::campaigns);
  EXPECT_FALSE(feed().put(Collection::campaigns, "k", "", "{}"));
  EXPECT_EQ(feed().head(Collection::campaigns), before);
}

TEST_F(FeedTest, TheDigestIsThatOfTheLiveItemsWhateverCameBefore) {
  feed().put(Collection::campaigns, "a", "", "1");
  feed().put(Collection::campaigns, "b", "", "1");
  feed().put(Collection::campaigns, "a", "", "2");
  feed().remove(Collection::campaigns, "b");
  feed().put(Collection::campaigns, "c", "", "1");
  contract::Digest expected;
  for (const Item& item : feed().live(Collection::campaigns)) {
    expected.toggle(item.key, static_cast<std::uint64_t>(item.seq));
  }
  EXPECT_EQ(feed().head(Collection::campaigns).digest, expected.hex());
}

TEST_F(FeedTest, ADeltaTellsEachKeyOnceAndDeletionsToo) {
  feed().put(Collection::campaigns, "a", "", "1");
  feed().put(Collection::campaigns, "b", "", "1");
  const std::int64_t seq = feed().head(Collection::campaigns).seq;
  feed().put(Collection::campaigns, "a", "", "2");
  feed().put(Collection::campaigns, "a", "", "3");
  feed().remove(Collection::campaigns, "b");
  const auto items = feed().since(Collection::campaigns, seq);
  EXPECT_EQ(keys(items), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(items[0].value, "3");
  EXPECT_TRUE(items[1].deleted);
}

TEST_F(FeedTest, WhatABoxNeedsFollowsFromWhatItHas) {
  const Position head{"e", 10, "d"};
  EXPECT_EQ(remedy(std::nullopt, head, 0), Remedy::snapshot);
  EXPECT_EQ(remedy(Position{"e", 10, "d"}, head, 0), Remedy::nothing);
  EXPECT_EQ(remedy(Position{"e", 10, "x"}, head, 0), Remedy::snapshot) << "same number, other data";
  EXPECT_EQ(remedy(Position{"other", 10, "d"}, head, 0), Remedy::snapshot);
  EXPECT_EQ(remedy(Position{"e", 7, "x"}, head, 7), Remedy::delta);
  EXPECT_EQ(remedy(Position{"e", 6, "x"}, head, 7), Remedy::snapshot) << "deletions were purged";
  EXPECT_EQ(remedy(Position{"e", 11, "x"}, head, 0), Remedy::snapshot) << "from a restored backup";
}

TEST_F(FeedTest, LongDeltasAndSnapshotsComeInPartsThatFitTogether) {
  {
    Transaction transaction(*db_);
    for (int i = 0; i < 2500; ++i) {
      feed().put(Collection::campaigns, "k-" + std::to_string(i), "", "{}");
    }
    transaction.commit();
  }
  const Position head = feed().head(Collection::campaigns);
  const auto deltas = delta(Collection::campaigns, head, 0, feed().since(Collection::campaigns, 0));
  ASSERT_GT(deltas.size(), 1U);
  std::uint64_t position = 0;
  std::size_t items = 0;
  for (const contract::FeedBatch& batch : deltas) {
    EXPECT_EQ(batch.from_seq, position);
    position = batch.to_seq;
    items += batch.items.size();
  }
  EXPECT_EQ(position, static_cast<std::uint64_t>(head.seq));
  EXPECT_EQ(items, 2501U) << "and the campaign that every test has";

  const auto parts = snapshot(Collection::campaigns, head, feed().live(Collection::campaigns));
  ASSERT_GT(parts.size(), 1U);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].part, i + 1);
    EXPECT_EQ(parts[i].parts, parts.size());
    EXPECT_EQ(parts[i].digest, head.digest);
  }
}

// AWS IoT takes packets of 128 KiB; others take less.
TEST_F(FeedTest, EveryBatchFitsTheBrokersPackets) {
  {
    Transaction transaction(*db_);
    for (int i = 0; i < 200; ++i) {
      feed().put(Collection::profiles, "\"c\"-" + std::to_string(i), "c",
                 json{{"name", std::string(static_cast<std::size_t>(i) * 50, 'n')}}.dump());
    }
    transaction.commit();
  }
  const Position head = feed().head(Collection::profiles);
  for (const std::size_t packet : {4'000U, 20'000U, 131'072U}) {
    const std::size_t room = packet - kBatchFrame;
    auto batches = snapshot(Collection::profiles, head, feed().live(Collection::profiles), room);
    const auto deltas =
        delta(Collection::profiles, head, 0, feed().since(Collection::profiles, 0), room);
    batches.insert(batches.end(), deltas.begin(), deltas.end());
    for (const contract::FeedBatch& batch : batches) {
      const auto message = contract::encode_feed({"demo", "aroma-1", "box-1"}, batch);
      EXPECT_LE(message.topic.size() + message.payload.size() + 64, packet);
    }
  }
}

TEST_F(FeedTest, AnItemThatNoMessageCanCarryGoesWithoutItsValueAndHoldsUpNobody) {
  feed().put(Collection::profiles, "a", "a", R"({"customer":"a","name":"A"})");
  feed().put(Collection::profiles, "b", "b",
             json{{"customer", "b"}, {"name", std::string(5000, 'b')}}.dump());
  feed().put(Collection::profiles, "c", "c", R"({"customer":"c","name":"C"})");
  const auto parts = snapshot(Collection::profiles, feed().head(Collection::profiles),
                              feed().live(Collection::profiles), 2000);
  ASSERT_EQ(parts.size(), 1U);
  ASSERT_GE(parts[0].items.size(), 3U);
  for (const contract::FeedItem& item : parts[0].items) {
    EXPECT_EQ(item.value.empty(), item.key == "b") << item.key;
  }
}

TEST_F(FeedTest, AnEmptyCollectionIsStillASnapshot) {
  const auto parts = snapshot(Collection::campaigns, feed().head(Collection::campaigns), {});
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_TRUE(parts[0].items.empty());
}

TEST_F(FeedTest, ABoxHearsOfACustomerOnlyWhileSheGivesAPurpose) {
  add("c-mia", "a-mia");
  ASSERT_TRUE(crm_->put_identity({{"identity", "i-mia"},
                                  {"customer", "c-mia"},
                                  {"kind", "eddystone_uid"},
                                  {"namespace", "00112233445566778899"},
                                  {"instance", "001122334455"}}));
  EXPECT_FALSE(feed().get(Collection::profiles, "c-mia"));
  EXPECT_FALSE(feed().get(Collection::identities, "i-mia"));
  consent("c-mia", Purpose::proximity_offers, true, kJanuary);
  EXPECT_TRUE(feed().get(Collection::profiles, "c-mia"));
  EXPECT_TRUE(feed().get(Collection::identities, "i-mia"));
  consent("c-mia", Purpose::proximity_offers, false, kMay);
  EXPECT_FALSE(feed().get(Collection::profiles, "c-mia"));
  EXPECT_FALSE(feed().get(Collection::identities, "i-mia"));
  EXPECT_EQ(feed().of_customer(Collection::consents, "c-mia").size(), 1U)
      << "the record of the withdrawal stays";
}

}  // namespace
}  // namespace welcome::crm
