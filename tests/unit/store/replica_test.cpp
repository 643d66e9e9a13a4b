// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/replica.h"

#include <gmock/gmock.h>
#include <set>

#include "firmware/store/database.h"
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
        replica().load(collection, [&](ReplicaItem&& item) { out.push_back(std::move(item.key)); });
    EXPECT_TRUE(report);
    EXPECT_EQ(report->damaged, 0U);
    return out;
  }
  FeedState state(Collection collection) { return *replica().state(collection); }
};

TEST_F(ReplicaTest, BeginsWithNothingReceived) {
  const FeedState begin = state(Collection::profiles);
  EXPECT_EQ(begin.epoch, "");
  EXPECT_EQ(begin.seq, 0);
  EXPECT_EQ(begin.digest, Digest{});
}

TEST_F(ReplicaTest, KeepsItemsAndPositionAcrossARestart) {
  Digest digest{};
  digest.fill(9);
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::profiles, FeedState{"e1", 2, digest},
                              std::vector{put("c-paul", 1, "c-paul", R"({"name":"Paul"})"),
                                          put("c-mia", 2, "c-mia", R"({"name":"Mia"})")});
  }));
  reopen();
  EXPECT_THAT(keys(Collection::profiles), UnorderedElementsAre("c-paul", "c-mia"));
  auto paul = replica().find(Collection::profiles, "c-paul");
  ASSERT_TRUE(paul);
  EXPECT_EQ(paul->body, R"({"name":"Paul"})");
  EXPECT_EQ(paul->customer, CustomerId("c-paul"));
  EXPECT_EQ(paul->seq, 1);
  EXPECT_EQ(state(Collection::profiles).epoch, "e1");
  EXPECT_EQ(state(Collection::profiles).seq, 2);
  EXPECT_EQ(state(Collection::profiles).digest, digest);
}

TEST_F(ReplicaTest, WithoutANewPositionTheOldOneStays) {
  ASSERT_TRUE(apply(store(), Collection::campaigns, "e", 2, {put("a", 1)}));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::campaigns, std::nullopt, std::vector{put("b", 7)});
  }));
  EXPECT_EQ(state(Collection::campaigns).seq, 2);
  EXPECT_THAT(keys(Collection::campaigns), UnorderedElementsAre("a", "b"));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::policy, std::nullopt, std::vector{put("p", 1)});
  }));
  EXPECT_EQ(state(Collection::policy).epoch, "");
  EXPECT_THAT(keys(Collection::policy), UnorderedElementsAre("p"));
}

TEST_F(ReplicaTest, KnowsTheNumberOfEachKeyAndItsOwnNameForIt) {
  ASSERT_TRUE(apply(store(), Collection::campaigns, "e", 2, {put("a", 1), put("b", 2)}));
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, "b"), 2);
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, "c"), std::nullopt);
  std::set<std::string> names;
  ASSERT_TRUE(replica().for_each_name(Collection::campaigns,
                                      [&](std::string_view name) { names.emplace(name); }));
  EXPECT_EQ(names, (std::set{replica().name_of(Collection::campaigns, "a"),
                             replica().name_of(Collection::campaigns, "b")}));
  EXPECT_EQ(replica().find_named(Collection::campaigns, *names.begin())->body, "{}");
}

TEST_F(ReplicaTest, SweepsByName) {
  ASSERT_TRUE(apply(store(), Collection::campaigns, "e", 2, {put("a", 1), put("b", 2)}));
  const auto report = store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::campaigns, FeedState{"e2", 9, {}},
                              std::vector{put("c", 9)},
                              std::vector{replica().name_of(Collection::campaigns, "a"),
                                          replica().name_of(Collection::campaigns, "never seen")});
  });
  ASSERT_TRUE(report);
  EXPECT_EQ(report->erased, 1U);
  EXPECT_THAT(keys(Collection::campaigns), UnorderedElementsAre("b", "c"));
}

// Of a first snapshot: it comes again when the plug is pulled, and its names go into the file
// later.
class WaitingNames : public ReplicaTest {
 protected:
  static std::string key(int n) { return "k" + std::to_string(n); }
  Result<ApplyReport> first_snapshot(int first, int count) {
    std::vector<FeedChange> changes;
    for (int n = first; n < first + count; ++n) {
      changes.push_back(put(key(n), n + 1));
      changes.back().fresh = true;
    }
    return store().transaction(
        [&](Tx& tx) { return tx.replica().apply(Collection::campaigns, std::nullopt, changes); },
        Durable::later);
  }
  std::set<std::string> names() {
    std::set<std::string> out;
    EXPECT_TRUE(replica().for_each_name(Collection::campaigns,
                                        [&](std::string_view name) { out.emplace(name); }));
    return out;
  }
  // The rows of the table, with the file closed.
  std::int64_t written() {
    close();
    std::int64_t out = 0;
    {
      Database db(path(), "", false);
      out = db.integer("SELECT count(*) FROM feed_name").value_or(-1);
    }
    return out;
  }
};

TEST_F(WaitingNames, AreFoundAtOnceAndAfterARestart) {
  ASSERT_TRUE(first_snapshot(0, 100));
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, key(42)), 43);
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, key(100)), std::nullopt);
  EXPECT_EQ(names().size(), 100U);
  EXPECT_EQ(written(), 0);
  reopen();
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, key(42)), 43);
  EXPECT_EQ(names().size(), 100U);
  EXPECT_EQ(written(), 100);
}

TEST_F(WaitingNames, AreThoseOfTransactionsThatDidNotFail) {
  ASSERT_TRUE(first_snapshot(0, 3));
  const auto failed = store().transaction(
      [&](Tx& tx) {
        auto again = put(key(7), 9);
        again.fresh = true;
        tx.replica().apply(Collection::campaigns, std::nullopt,
                           std::vector{erase(key(1), 8), again});
        throw std::runtime_error("as a full disk");
      },
      Durable::later);
  ASSERT_FALSE(failed);
  EXPECT_EQ(names().size(), 3U);
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, key(1)), 2);
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, key(7)), std::nullopt);
}

TEST_F(WaitingNames, GoIntoTheFileWhenThereIsTime) {
  ASSERT_TRUE(first_snapshot(0, 2000));
  ASSERT_TRUE(
      apply(store(), Collection::campaigns, "e", 2001, {put(key(5), 2001), erase(key(6), 7)}));
  for (int n = 0; n < 10; ++n) ASSERT_TRUE(store().maintain(at()));
  EXPECT_EQ(names().size(), 1999U);
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, key(5)), 2001);
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, key(6)), std::nullopt);
  EXPECT_EQ(written(), 1999);
}

TEST_F(WaitingNames, AreNotMoreThanFitIntoALittleMemory) {
  for (int n = 0; n < 40; ++n) ASSERT_TRUE(first_snapshot(n * 1000, 1000));
  EXPECT_EQ(names().size(), 40'000U);
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, key(39'999)), 40'000);
  EXPECT_GT(written(), 5'000);
}

TEST_F(ReplicaTest, OfAPoisonedItemTheNumberIsKeptAndTheBodyOnRequest) {
  ASSERT_TRUE(apply(store(), Collection::campaigns, "e", 2, {put("a", 1, "", "good")}));
  auto poisoned = put("a", 2, "", "\xff\xfe");
  poisoned.withhold = poisoned.keep = true;
  ASSERT_TRUE(apply(store(), Collection::campaigns, "e", 2, {poisoned}));
  EXPECT_EQ(replica().find(Collection::campaigns, "a")->body, "good");
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, "a"), 2);

  poisoned.keep = false;
  poisoned.item.seq = 3;
  const auto report = apply(store(), Collection::campaigns, "e", 3, {poisoned});
  EXPECT_EQ(report->withheld, 1U);
  EXPECT_FALSE(replica().find(Collection::campaigns, "a"));
  EXPECT_EQ(*replica().seq_of(Collection::campaigns, "a"), 3);
  // Mended later, it comes in as usual.
  ASSERT_TRUE(apply(store(), Collection::campaigns, "e", 4, {put("a", 4, "", "ok")}));
  EXPECT_EQ(replica().find(Collection::campaigns, "a")->body, "ok");
}

TEST_F(ReplicaTest, KeysOfNobodyAreRemovedByHousekeeping) {
  std::vector<FeedChange> many;
  std::vector<std::string> gone;
  for (int i = 0; i < 1000; ++i) {
    many.push_back(put("k" + std::to_string(i), i + 1, "c" + std::to_string(i)));
    if (i != 1) gone.push_back(replica().name_of(Collection::profiles, many.back().item.key));
  }
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::profiles, FeedState{"e1", 1000, {}}, many);
  }));
  EXPECT_EQ(store().size()->customers, 1000);
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::profiles, FeedState{"e2", 1, {}}, {}, gone);
  }));
  while (*store().maintain(at(), std::chrono::milliseconds{1})) {
  }
  EXPECT_EQ(store().size()->customers, 1);
  EXPECT_EQ(replica().find(Collection::profiles, "k1")->customer, CustomerId("c1"));
}

TEST_F(ReplicaTest, FindsTheItemsOfACustomer) {
  ASSERT_TRUE(apply(
      store(), Collection::consents, "e", 3,
      {put("r1", 1, "c-paul", "1"), put("r2", 2, "c-mia", "2"), put("r3", 3, "c-paul", "3")}));
  auto items = replica().of_customer(Collection::consents, CustomerId("c-paul"));
  ASSERT_TRUE(items);
  std::set<std::string> bodies;
  for (const auto& item : *items) bodies.insert(item.body);
  EXPECT_THAT(bodies, UnorderedElementsAre("1", "3"));
}

TEST_F(ReplicaTest, LoadsBriefsOfTheItemsThatHaveOne) {
  auto with_brief = put("r1", 1, "c-paul", "long");
  with_brief.item.brief = "short";
  ASSERT_TRUE(
      apply(store(), Collection::consents, "e", 2, {with_brief, put("r2", 2, "c-mia", "whole")}));
  std::map<std::string, std::string> seen;
  auto report = replica().load_briefs(Collection::consents, [&](ReplicaItem&& item) {
    seen[item.key] = item.brief + "|" + item.body;
  });
  ASSERT_TRUE(report);
  EXPECT_EQ(seen["r1"], "short|");
  EXPECT_EQ(seen.size(), 1U);
}

TEST_F(ReplicaTest, SameKeyInTwoCollectionsIsTwoItems) {
  ASSERT_TRUE(apply(store(), Collection::campaigns, "e", 1, {put("k", 1, "", "c")}));
  ASSERT_TRUE(apply(store(), Collection::policy, "e", 1, {put("k", 1, "", "p")}));
  EXPECT_EQ(replica().find(Collection::campaigns, "k")->body, "c");
  EXPECT_EQ(replica().find(Collection::policy, "k")->body, "p");
}

}  // namespace
}  // namespace welcome::store
