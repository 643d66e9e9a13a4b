// SPDX-License-Identifier: Apache-2.0
// What happens when the disk is full, read-only, or has changed our bytes.

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "firmware/store/database.h"
#include "tests/power/power_vfs.h"
#include "tests/power/scenario.h"
#include "tests/unit/store/fixture.h"

namespace welcome::test {
namespace {

using namespace welcome::store;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Trouble : public testing::Test {
 protected:
  Result<Store> open(bool own_vfs = true) {
    StoreOptions options;
    if (own_vfs) options.vfs = vfs_.name();
    return Store::open(path(), test_key(), options);
  }
  std::string path() const { return dir_.file("box.db"); }

  // A store with something of everything, closed again.
  void prepare() {
    auto store = open(false);
    ASSERT_TRUE(store);
    for (const auto& step : busy_day()) ASSERT_TRUE(step.run(*store)) << step.name;
    ASSERT_TRUE(store->erasure().erase(CustomerId("c-8"), MessageId("req-8"), at()));
    while (*store->maintain(at())) {
    }
  }
  void overwrite(std::size_t offset, const std::string& bytes) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  TempDir dir_;
  PowerVfs vfs_{"trouble"};
};

TEST_F(Trouble, AFullDiskFailsTheWholeTransactionAndReadingGoesOn) {
  auto store = open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(
      store->transaction([&](Tx& tx) { return tx.outbox().enqueue(message("before", "c-paul")); }));
  vfs_.full_from(vfs_.operations());
  auto failed = store->transaction([&](Tx& tx) {
    tx.journal().put_visit({VisitId("v"), CustomerId("c-new"), wall(), {}, "{}"});
    tx.outbox().enqueue(message("during", "c-new"));
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::full);
  EXPECT_THAT(*store->journal().visits(10), IsEmpty());
  EXPECT_EQ(store->outbox().count()->uplink, 1);

  vfs_.full_from(-1);
  ASSERT_TRUE(
      store->transaction([&](Tx& tx) { return tx.outbox().enqueue(message("after", "c-new")); }));
  EXPECT_THAT(ids(*store->outbox().take(Link::uplink, 10, at())), ElementsAre("before", "after"));
}

TEST_F(Trouble, AnErasureOnAFullDiskIsFinishedWhenThereIsRoom) {
  auto store = open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(
      store->transaction([&](Tx& tx) { return tx.outbox().enqueue(message("m", "c-paul")); }));
  for (std::int64_t room = 0; room < 12; ++room) {
    vfs_.full_from(vfs_.operations() + room);
    auto failed = store->erasure().erase(CustomerId("c-paul"), MessageId("req"), at());
    if (failed) break;
    EXPECT_EQ(failed.error().code, ErrorCode::full);
  }
  vfs_.full_from(-1);
  auto receipt = store->erasure().erase(CustomerId("c-paul"), MessageId("req"), at());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_TRUE(receipt->bytes_gone);
  EXPECT_EQ(store->outbox().count()->uplink, 0);
  EXPECT_TRUE(*store->erasure().erased_at(CustomerId("c-paul")));
}

TEST_F(Trouble, AReadOnlyDiskIsSaidAtOnce) {
  prepare();
  vfs_.read_only(true);
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::unavailable);
  vfs_.read_only(false);
  EXPECT_TRUE(open());
}

TEST_F(Trouble, ADiskThatFailsWhileWorkingIsAnErrorAndNothingIsHalfDone) {
  auto store = open();
  ASSERT_TRUE(store);
  vfs_.cut_at(vfs_.operations() + 1);
  auto failed =
      store->transaction([&](Tx& tx) { return tx.outbox().enqueue(message("m", "c-paul")); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::unavailable);
}

TEST_F(Trouble, AFileThatIsNoDatabaseIsSetAsideAndTheConsentsAreGone) {
  std::ofstream(path()) << std::string(20'000, 'x');
  auto store = open(false);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_TRUE(store->open_report().set_aside);
  EXPECT_EQ(store->open_report().set_aside_as, "box.db.corrupt-1");
  EXPECT_EQ(*store->replica().count(Collection::consents), 0);
  EXPECT_EQ(store->replica().state(Collection::consents)->epoch, "");
  EXPECT_TRUE(std::filesystem::exists(dir_.file("box.db.corrupt-1")));
}

TEST_F(Trouble, AnotherProgramsDatabaseIsNotTakenOver) {
  {
    Database other(path(), "", false);
    other.script("CREATE TABLE theirs (a)");
  }
  auto store = open(false);
  ASSERT_TRUE(store);
  EXPECT_TRUE(store->open_report().set_aside);
}

TEST_F(Trouble, FromADamagedFileComesWhatTheCrmCannotGiveAgain) {
  prepare();
  // The page of the feed items' table is damaged; the rest is readable.
  std::int64_t root = 0;
  {
    Database db(path(), "", false);
    root = *db.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'feed_item'");
  }
  overwrite(static_cast<std::size_t>(root - 1) * 4096, std::string(4096, '\xff'));

  auto store = open(false);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_TRUE(store->open_report().set_aside);
  EXPECT_GT(store->open_report().salvaged_rows, 0U);
  // Consent fails closed…
  EXPECT_EQ(*store->replica().count(Collection::consents), 0);
  EXPECT_EQ(*store->replica().count(Collection::profiles), 0);
  // …and the rest is there.
  EXPECT_GT(store->outbox().count()->uplink, 0);
  EXPECT_TRUE(*store->erasure().erased_at(CustomerId("c-8")));
  EXPECT_TRUE(store->registers().controls()->front().paused);
  EXPECT_TRUE(store->audit().verify()->intact);
  EXPECT_GT(store->audit().verify()->entries, 0);
  auto rows = store->outbox().take(Link::uplink, 1, at());
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_FALSE(rows->front().payload.empty());
}

TEST_F(Trouble, DamageFoundWhileWorkingIsRememberedForTheNextStart) {
  prepare();
  {
    // A cache of a few pages, so that the damage is read.
    StoreOptions options;
    options.cache_kib = 16;
    auto store = Store::open(path(), test_key(), options);
    ASSERT_TRUE(store);
    std::int64_t root = 0;
    {
      // A copy, because the store has the file for itself.
      std::filesystem::copy_file(path(), dir_.file("copy"));
      Database db(dir_.file("copy"), "", false);
      root = *db.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'feed_item'");
    }
    overwrite(static_cast<std::size_t>(root - 1) * 4096, std::string(4096, '\xff'));
    auto read = store->replica().load(Collection::profiles, [](ReplicaItem&&) {});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::corrupt);
  }
  EXPECT_TRUE(std::filesystem::exists(path() + ".suspect"));
  auto again = open(false);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->open_report().set_aside);
  EXPECT_FALSE(std::filesystem::exists(path() + ".suspect"));
}

TEST_F(Trouble, BytesThatFlipNeverBringTheBoxDown) {
  prepare();
  const std::string good = bytes_of(path());
  std::mt19937_64 random(7);
  int set_aside = 0;
  for (int round = 0; round < 60; ++round) {
    std::string bad = good;
    for (int flips = 0; flips < 1 + round / 4; ++flips)
      bad[random() % bad.size()] = static_cast<char>(random());
    if (round % 10 == 9) bad.resize(random() % bad.size());
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path()))
      std::filesystem::remove(entry.path());
    std::ofstream(path(), std::ios::binary) << bad;
    auto store = open(false);
    ASSERT_TRUE(store) << store.error().message;
    set_aside += store->open_report().set_aside;
    (void)describe(*store);
    (void)store->outbox().take(Link::uplink, 1000, at());
    EXPECT_TRUE(store->transaction([&](Tx& tx) { return tx.registers().put("usable", "yes"); }) ||
                !store->open_report().set_aside);
  }
  EXPECT_GT(set_aside, 0);
}

TEST_F(Trouble, ASealedValueThatWasMovedToAnotherRowDoesNotOpen) {
  {
    auto store = open(false);
    ASSERT_TRUE(store->transaction([&](Tx& tx) {
      return tx.journal().put_visit({VisitId("v-1"), CustomerId("c"), wall(), {}, "one"});
    }));
    ASSERT_TRUE(store->transaction([&](Tx& tx) {
      return tx.journal().put_visit({VisitId("v-2"), CustomerId("c"), wall(1), {}, "two"});
    }));
  }
  {
    Database db(path(), "", false);
    db.script("UPDATE visit SET sealed = (SELECT sealed FROM visit WHERE id = 'v-1')");
  }
  auto store = open(false);
  auto rows = store->journal().visits(10);
  ASSERT_TRUE(rows);
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_EQ(rows->front().detail, "one");
}

}  // namespace
}  // namespace welcome::test
