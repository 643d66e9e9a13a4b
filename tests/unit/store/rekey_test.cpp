// SPDX-License-Identifier: Apache-2.0
// The box key is changed: all that was there is there, for the new key alone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hex.h"
#include "firmware/store/database.h"
#include "firmware/store/sealing.h"
#include "tests/power/scenario.h"
#include "tests/unit/store/fixture.h"

namespace welcome::store {
namespace {

class RekeyTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_TRUE(store().erasure().erase(CustomerId("c-gone"), MessageId("req-gone"), at()));
    for (const auto& step : test::busy_day()) ASSERT_TRUE(step.run(store())) << step.name;
    before_ = test::describe(store());
    old_public_ = store().audit().public_key();
    ASSERT_FALSE(before_.empty());
    close();
  }
  Result<Store> open(std::uint8_t key, std::optional<std::uint8_t> next = {}) {
    StoreOptions options;
    if (next) options.next_key = test_key(*next);
    options.vouch = [](std::span<const std::uint8_t, 32> seed, std::string_view key_of_next) {
      return to_hex(seed).substr(0, 8) + " says " + to_hex(key_of_next).substr(0, 8);
    };
    return Store::open(path(), test_key(key), options);
  }
  void change(std::uint8_t from, std::uint8_t to) {
    auto opened = open(from, to);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(opened->open_report().rekeyed);
  }

  std::string before_;
  std::string old_public_;
};

TEST_F(RekeyTest, AllThatWasThereIsThereForTheNewKeyAlone) {
  change(7, 8);
  EXPECT_FALSE(open(7)) << "the old key opens nothing";
  auto opened = open(8);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_FALSE(opened->open_report().rekeyed);
  EXPECT_EQ(test::describe(*opened), before_);
  EXPECT_NE(opened->audit().public_key(), old_public_);
  EXPECT_TRUE(opened->audit().verify()->intact) << "entries that the old key signed count";
}

TEST_F(RekeyTest, StaffAreThereForTheNewKeyToo) {
  {
    auto opened = open(7);
    ASSERT_TRUE(opened) << opened.error().message;
    FeedChange change;
    change.item = {"anna", {}, 1, R"({"staff":"anna"})", {}};
    ASSERT_TRUE(opened->transaction([&](Tx& tx) {
      return tx.replica().apply(Collection::staff, FeedState{"e", 1, {}}, std::vector{change});
    }));
  }
  change(7, 8);
  auto opened = open(8);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto anna = opened->replica().find(Collection::staff, "anna");
  ASSERT_TRUE(anna);
  EXPECT_EQ(anna->body, R"({"staff":"anna"})");
}

TEST_F(RekeyTest, BothMayBeGivenUntilItIsOver) {
  change(7, 8);
  auto again = open(7, 8);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->open_report().rekeyed);
  EXPECT_EQ(test::describe(*again), before_);
}

TEST_F(RekeyTest, WhoWasErasedStaysErasedHoweverOftenItIsChanged) {
  change(7, 8);
  change(8, 9);
  auto opened = open(9);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE(*opened->erasure().erased_at(CustomerId("c-gone")));
  const auto vouched = opened->vouched().value();
  ASSERT_EQ(vouched.size(), 2U);
  EXPECT_THAT(vouched[0], testing::HasSubstr(" says "));
  EXPECT_NE(vouched[0], vouched[1]);
  ASSERT_TRUE(opened->transaction([&](Tx& tx) { tx.audit().append(at(), "a", "box", {}, ""); }));
  EXPECT_TRUE(opened->audit().verify()->intact);
  EXPECT_EQ(opened->audit().verify()->first_bad, 0);
}

TEST_F(RekeyTest, NothingInTheFileOpensWithTheOldKeyAnyMore) {
  change(7, 8);
  const Sealer old(test_key(7));
  Database db(path(), "", false);
  auto s = db.prepare("SELECT hash, wrapped FROM customer");
  int customers = 0;
  while (s.step()) {
    ++customers;
    EXPECT_FALSE(old.unwrap(s.blob(1), s.blob(0)));
  }
  EXPECT_GT(customers, 0);
  auto requests = db.prepare("SELECT request, sealed FROM erasure WHERE sealed IS NOT NULL");
  while (requests.step()) {
    const std::string label = std::string("erasure") + '\0' + std::string(requests.text(0));
    EXPECT_FALSE(Sealer::open(old.box_data_key(), label, requests.blob(1)));
  }
}

// Its last page, so that what was set aside still says by which key it was sealed.
TEST_F(RekeyTest, ADamagedFileIsMendedWhicheverOfTheTwoItHas) {
  for (const bool changed : {false, true}) {
    SCOPED_TRACE(changed ? "changed before" : "not changed yet");
    if (changed) change(7, 8);
    const auto size = std::filesystem::file_size(path());
    {
      std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(size - 4096));
      file << std::string(4096, 'x');
    }
    {
      auto opened = open(7, 8);
      ASSERT_TRUE(opened) << opened.error().message;
      EXPECT_TRUE(opened->open_report().set_aside);
      EXPECT_EQ(opened->open_report().rekeyed, !changed);
      EXPECT_GT(opened->open_report().salvaged_rows, 0U);
      EXPECT_FALSE(opened->erasure().tombstones()->empty());
      EXPECT_TRUE(*opened->erasure().erased_at(CustomerId("c-gone")));
    }
    std::filesystem::rename(path() + ".corrupt-1", path() + (changed ? ".b" : ".a"));
    // The next round begins where this one did.
    std::filesystem::remove(path());
    reopen();
    ASSERT_TRUE(store().erasure().erase(CustomerId("c-gone"), MessageId("req-gone"), at()));
    for (const auto& step : test::busy_day()) ASSERT_TRUE(step.run(store())) << step.name;
    close();
  }
}

}  // namespace
}  // namespace welcome::store
