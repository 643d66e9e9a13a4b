#include "firmware/store/replica.h"

#include <gmock/gmock.h>
#include <set>

#include "tests/unit/store/fixture.h"

namespace welcome::store {
namespace {

using testing::UnorderedElementsAre;

class ReplicaTest : public StoreTest {
 protected:
  Replica& replica() { return store().replica(); }
  std::vector<std::string> keys(Collection collection) {
    std::vector<std::string> out;
    auto report =
        replica().load(collection, [&](FeedItem&& item) { out.push_back(std::move(item.key)); });
    EXPECT_TRUE(report);
    EXPECT_EQ(report->damaged, 0U);
    return out;
  }
  FeedState state(Collection collection) { return *replica().state(collection); }
};

Digest mixed(std::initializer_list<Digest> digests) {
  Digest out{};
  for (const auto& digest : digests)
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<std::uint8_t>(out[i] ^ digest[i]);
  return out;
}

TEST(ItemDigest, IsBlake2b128OfKeyNulSeq) {
  // b2sum -l 128 of "c-paul\0" "6".
  EXPECT_EQ(to_hex(item_digest("c-paul", 6)), "1f09188bd97396547c2699968a62d83f");
}

TEST_F(ReplicaTest, BeginsWithNothingReceived) {
  const FeedState begin = state(Collection::profiles);
  EXPECT_EQ(begin.epoch, "");
  EXPECT_EQ(begin.seq, 0);
  EXPECT_EQ(begin.digest, Digest{});
}

TEST_F(ReplicaTest, KeepsADeltaAcrossARestart) {
  ASSERT_TRUE(replica().apply(Collection::profiles, "e1", 2,
                              std::vector{put("c-paul", 1, "c-paul", R"({"name":"Paul"})"),
                                          put("c-mia", 2, "c-mia", R"({"name":"Mia"})")}));
  reopen();
  EXPECT_THAT(keys(Collection::profiles), UnorderedElementsAre("c-paul", "c-mia"));
  auto paul = replica().find(Collection::profiles, "c-paul");
  ASSERT_TRUE(paul);
  EXPECT_EQ(paul->body, R"({"name":"Paul"})");
  EXPECT_EQ(paul->customer, CustomerId("c-paul"));
  EXPECT_EQ(paul->seq, 1);
  EXPECT_EQ(state(Collection::profiles).epoch, "e1");
  EXPECT_EQ(state(Collection::profiles).seq, 2);
}

TEST_F(ReplicaTest, DigestFollowsPutsReplacementsAndErasures) {
  ASSERT_TRUE(
      replica().apply(Collection::campaigns, "e", 2, std::vector{put("a", 1), put("b", 2)}));
  EXPECT_EQ(state(Collection::campaigns).digest, mixed({item_digest("a", 1), item_digest("b", 2)}));
  ASSERT_TRUE(
      replica().apply(Collection::campaigns, "e", 4, std::vector{put("a", 3), erase("b", 4)}));
  EXPECT_EQ(state(Collection::campaigns).digest, item_digest("a", 3));
}

TEST_F(ReplicaTest, IgnoresAnItemOlderThanTheOneItHas) {
  ASSERT_TRUE(replica().apply(Collection::campaigns, "e", 5, std::vector{put("a", 5, "", "new")}));
  auto report = replica().apply(Collection::campaigns, "e", 5,
                                std::vector{put("a", 4, "", "old"), erase("a", 3)});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->stale, 2U);
  EXPECT_EQ(replica().find(Collection::campaigns, "a")->body, "new");
  EXPECT_EQ(state(Collection::campaigns).digest, item_digest("a", 5));
}

TEST_F(ReplicaTest, WithholdsAPoisonedItemButCountsItInTheDigest) {
  auto poisoned = put("bad", 2, "", "\xff\xfe");
  poisoned.withhold = true;
  auto report =
      replica().apply(Collection::campaigns, "e", 2, std::vector{put("good", 1), poisoned});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->withheld, 1U);
  EXPECT_THAT(keys(Collection::campaigns), UnorderedElementsAre("good"));
  EXPECT_EQ(state(Collection::campaigns).digest,
            mixed({item_digest("good", 1), item_digest("bad", 2)}));
  // Mended later, it comes in as usual; erased, it leaves the digest.
  ASSERT_TRUE(replica().apply(Collection::campaigns, "e", 3, std::vector{put("bad", 3, "", "ok")}));
  EXPECT_EQ(replica().find(Collection::campaigns, "bad")->body, "ok");
  ASSERT_TRUE(replica().apply(Collection::campaigns, "e", 4, std::vector{erase("bad", 4)}));
  EXPECT_EQ(state(Collection::campaigns).digest, item_digest("good", 1));
}

TEST_F(ReplicaTest, SnapshotTakesTheLiveItemsPlaceOnlyWhenComplete) {
  ASSERT_TRUE(replica().apply(Collection::profiles, "e1", 1, std::vector{put("old", 1, "old")}));
  ASSERT_TRUE(replica().snapshot_begin(Collection::profiles, "e2", 9));
  ASSERT_TRUE(replica().snapshot_add(Collection::profiles, std::vector{put("x", 8, "x")}));
  EXPECT_THAT(keys(Collection::profiles), UnorderedElementsAre("old"));
  ASSERT_TRUE(replica().snapshot_add(Collection::profiles, std::vector{put("y", 9, "y")}));
  ASSERT_TRUE(replica().snapshot_finish(Collection::profiles,
                                        mixed({item_digest("x", 8), item_digest("y", 9)})));
  EXPECT_THAT(keys(Collection::profiles), UnorderedElementsAre("x", "y"));
  EXPECT_EQ(state(Collection::profiles).epoch, "e2");
  EXPECT_EQ(state(Collection::profiles).seq, 9);
}

TEST_F(ReplicaTest, SnapshotWithTheWrongDigestIsRefusedAndTheLiveItemsStay) {
  ASSERT_TRUE(replica().apply(Collection::profiles, "e1", 1, std::vector{put("old", 1, "old")}));
  ASSERT_TRUE(replica().snapshot_begin(Collection::profiles, "e2", 9));
  ASSERT_TRUE(replica().snapshot_add(Collection::profiles, std::vector{put("x", 8, "x")}));
  auto finished = replica().snapshot_finish(Collection::profiles, item_digest("x", 9));
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ErrorCode::refused);
  EXPECT_THAT(keys(Collection::profiles), UnorderedElementsAre("old"));
  EXPECT_EQ(state(Collection::profiles).epoch, "e1");
}

TEST_F(ReplicaTest, RestartForgetsHalfASnapshot) {
  ASSERT_TRUE(replica().snapshot_begin(Collection::profiles, "e2", 9));
  ASSERT_TRUE(replica().snapshot_add(Collection::profiles, std::vector{put("x", 8, "x")}));
  reopen();
  EXPECT_FALSE(replica().snapshot_add(Collection::profiles, std::vector{put("y", 9, "y")}));
  EXPECT_THAT(keys(Collection::profiles), UnorderedElementsAre());
}

TEST_F(ReplicaTest, ReplacedItemsAndTheirKeysAreRemovedByHousekeeping) {
  std::vector<FeedChange> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back(put("k" + std::to_string(i), i + 1, "c" + std::to_string(i)));
  ASSERT_TRUE(replica().apply(Collection::profiles, "e1", 1000, many));
  EXPECT_EQ(store().size()->customers, 1000);
  ASSERT_TRUE(replica().snapshot_begin(Collection::profiles, "e2", 1));
  ASSERT_TRUE(replica().snapshot_add(Collection::profiles, std::vector{put("k1", 1, "c1")}));
  ASSERT_TRUE(replica().snapshot_finish(Collection::profiles, std::nullopt));
  while (*store().maintain(at(), std::chrono::milliseconds{1})) {
  }
  EXPECT_EQ(store().size()->customers, 1);
  EXPECT_EQ(replica().find(Collection::profiles, "k1")->customer, CustomerId("c1"));
}

TEST_F(ReplicaTest, FindsTheItemsOfACustomer) {
  ASSERT_TRUE(replica().apply(Collection::consents, "e", 3,
                              std::vector{put("r1", 1, "c-paul", "1"), put("r2", 2, "c-mia", "2"),
                                          put("r3", 3, "c-paul", "3")}));
  auto items = replica().of_customer(Collection::consents, CustomerId("c-paul"));
  ASSERT_TRUE(items);
  std::set<std::string> bodies;
  for (const auto& item : *items) bodies.insert(item.body);
  EXPECT_THAT(bodies, UnorderedElementsAre("1", "3"));
}

TEST_F(ReplicaTest, LoadsBriefsOfTheItemsThatHaveOne) {
  auto with_brief = put("r1", 1, "c-paul", "long");
  with_brief.item.brief = "short";
  ASSERT_TRUE(replica().apply(Collection::consents, "e", 2,
                              std::vector{with_brief, put("r2", 2, "c-mia", "whole")}));
  std::map<std::string, std::string> seen;
  auto report = replica().load_briefs(Collection::consents, [&](FeedItem&& item) {
    seen[item.key] = item.brief + "|" + item.body;
  });
  ASSERT_TRUE(report);
  EXPECT_EQ(seen["r1"], "short|");
  EXPECT_EQ(seen.size(), 1U);
}

TEST_F(ReplicaTest, SameKeyInTwoCollectionsIsTwoItems) {
  ASSERT_TRUE(replica().apply(Collection::campaigns, "e", 1, std::vector{put("k", 1, "", "c")}));
  ASSERT_TRUE(replica().apply(Collection::policy, "e", 1, std::vector{put("k", 1, "", "p")}));
  EXPECT_EQ(replica().find(Collection::campaigns, "k")->body, "c");
  EXPECT_EQ(replica().find(Collection::policy, "k")->body, "p");
}

}  // namespace
}  // namespace welcome::store
