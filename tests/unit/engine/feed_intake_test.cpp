// SPDX-License-Identifier: Apache-2.0
// The feed in pieces: how they are cut, and that a box which loses its power between two of them
// comes to the same.

#include "firmware/engine/feed_intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "contract/digest.h"
#include "harness/bench_box.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

constexpr int kItems = 3 * static_cast<int>(kItemsAtOnce) + 8;  // four pieces

std::string name(int n) { return "c-" + std::to_string(1000 + n); }

contract::FeedItem profile(int n, std::uint64_t seq) {
  contract::FeedItem item;
  item.key = name(n);
  item.seq = seq;
  item.value = json{{"customer", name(n)}, {"name", "Somebody"}}.dump();
  return item;
}

// Items 1 to kItems, in that order.
contract::FeedBatch batch(bool snapshot, std::uint64_t after = 0) {
  contract::FeedBatch out;
  out.collection = contract::Collection::profiles;
  out.epoch = "e1";
  out.snapshot = snapshot;
  out.part = out.parts = 1;
  out.from_seq = after;
  contract::Digest digest;
  for (int n = 1; n <= kItems; ++n) {
    out.items.push_back(profile(n, after + static_cast<std::uint64_t>(n)));
    digest.toggle(out.items.back().key, out.items.back().seq);
  }
  out.to_seq = out.items.back().seq;
  out.digest = digest.hex();
  return out;
}

contract::RawMessage raw(const contract::FeedBatch& what) {
  const auto message = encode_feed(test::bench_address, what);
  contract::RawMessage out;
  out.topic = message.topic;
  out.payload = message.payload;
  return out;
}

std::vector<input::Feed> pieces_of(const contract::RawMessage& message) {
  return feed_pieces(test::bench_address, message, {}, {}, {});
}

TEST(FeedIntake, NoPieceIsLongerThanItShouldBe) {
  for (const bool snapshot : {true, false}) {
    const auto pieces = pieces_of(raw(batch(snapshot)));
    ASSERT_EQ(pieces.size(), 4U);
    std::size_t items = 0;
    for (const auto& one : pieces) {
      EXPECT_LE(one.piece.batch.items.size(), kItemsAtOnce);
      EXPECT_EQ(one.piece.cut.first, &one == &pieces.front());
      EXPECT_EQ(one.piece.cut.more, snapshot && &one != &pieces.back());
      items += one.piece.batch.items.size();
    }
    EXPECT_EQ(items, std::size_t{kItems});
  }
}

TEST(FeedIntake, TheMessageIsTakenWhenItsLastPieceIs) {
  auto receipt = std::make_shared<const int>(0);
  const std::weak_ptr<const int> held = receipt;
  auto pieces = feed_pieces(test::bench_address, raw(batch(true)), {}, {}, std::move(receipt));
  while (!pieces.empty()) {
    EXPECT_FALSE(held.expired());
    pieces.pop_back();
  }
  EXPECT_TRUE(held.expired());
}

TEST(FeedIntake, WhatIsNoBatchIsLeftToTheEngine) {
  contract::RawMessage message = raw(batch(true));
  message.payload = "{}";
  EXPECT_TRUE(pieces_of(message).empty());
  message.topic = contract::command_topic(test::bench_address);
  EXPECT_TRUE(pieces_of(message).empty());
}

TEST(FeedIntake, WithOtherKeysThePiecesDoNotCount) {
  test::BenchBox box(test::kStart);
  box.link_up(LinkName::uplink);
  const auto profiles = [&] {
    return box.engine().status(box.now())["crm"]["feed"]["profiles"].value("items", 0);
  };
  const auto pieces = pieces_of(raw(batch(true)));
  box.engine().handle(pieces[0], box.now());
  EXPECT_EQ(profiles(), static_cast<int>(kItemsAtOnce));
  ASSERT_TRUE(box.engine().set_crm_keys("", box.now()));
  const auto hellos = box.sent("/hello").size();
  box.engine().handle(pieces[1], box.now());
  box.advance(2s);
  EXPECT_EQ(profiles(), static_cast<int>(kItemsAtOnce)) << "it was checked with other keys";
  EXPECT_GT(box.sent("/hello").size(), hellos) << "and is asked for again";
}

class FeedInPiecesTest : public testing::Test {
 protected:
  FeedInPiecesTest() : box_(test::kStart) {
    box_.link_up(LinkName::uplink);
    box_.inbound(LinkName::uplink, feed_topic(test::bench_address, contract::Collection::profiles),
                 raw(empty_snapshot()).payload);
  }

  static contract::FeedBatch empty_snapshot() {
    contract::FeedBatch out;
    out.collection = contract::Collection::profiles;
    out.epoch = "e1";
    out.snapshot = true;
    out.to_seq = 5;
    out.part = out.parts = 1;
    out.digest = contract::Digest().hex();
    return out;
  }
  // The first so many pieces.
  void take(const contract::FeedBatch& what, std::size_t pieces = SIZE_MAX) {
    for (const auto& one : pieces_of(raw(what))) {
      if (pieces-- == 0) return;
      box_.engine().handle(one, box_.now());
    }
  }
  void power_cut() {
    box_.power_cycle();
    box_.link_up(LinkName::uplink);
  }
  json have() { return box_.sent("/hello").back()["have"]["profiles"]; }
  int profiles() {
    return box_.engine().status(box_.now())["crm"]["feed"]["profiles"]["items"].get<int>();
  }

  test::BenchBox box_;
};

// Each piece of a delta is a delta: after a power cut the box goes on where it was.
TEST_F(FeedInPiecesTest, AfterACutInADeltaTheRestIsAskedFor) {
  const auto delta = batch(false, 5);
  take(delta, 2);
  power_cut();
  const auto seq = have()["seq"].get<std::uint64_t>();
  EXPECT_EQ(seq, 5 + 2 * kItemsAtOnce);
  EXPECT_EQ(profiles(), static_cast<int>(2 * kItemsAtOnce));
  contract::Digest digest;
  for (const auto& item : delta.items) {
    if (item.seq <= seq) digest.toggle(item.key, item.seq);
  }
  EXPECT_EQ(have()["digest"], digest.hex()) << "what it says it has is what it has";
  take(delta);  // sent again as a whole
  EXPECT_EQ(profiles(), kItems);
  EXPECT_EQ(have()["seq"].get<std::uint64_t>(), seq) << "nothing was missing";
  power_cut();
  EXPECT_EQ(have()["digest"], delta.digest);
}

// Half a snapshot does not count as one; it comes again and leaves nothing behind that it does not
// have.
TEST_F(FeedInPiecesTest, AfterACutInASnapshotItComesAgain) {
  auto snapshot = batch(true, 5);
  snapshot.epoch = "e2";
  take(snapshot, 2);
  power_cut();
  EXPECT_NE(have()["epoch"], "e2");
  EXPECT_EQ(profiles(), static_cast<int>(2 * kItemsAtOnce));
  contract::FeedBatch later;  // meanwhile only one is left
  later = snapshot;
  later.items = {profile(1, 900)};
  later.to_seq = 900;
  contract::Digest digest;
  digest.toggle(name(1), 900);
  later.digest = digest.hex();
  take(later);
  EXPECT_EQ(profiles(), 1);
  power_cut();
  EXPECT_EQ(have()["epoch"], "e2");
  EXPECT_EQ(have()["digest"], digest.hex());
}

TEST_F(FeedInPiecesTest, ANewLineForgetsHalfASnapshot) {
  auto snapshot = batch(true, 5);
  snapshot.epoch = "e2";
  const auto pieces = pieces_of(raw(snapshot));
  box_.engine().handle(pieces[0], box_.now());
  box_.link_down(LinkName::uplink);
  box_.link_up(LinkName::uplink);
  for (std::size_t i = 1; i < pieces.size(); ++i) box_.engine().handle(pieces[i], box_.now());
  box_.advance(2s);
  EXPECT_NE(have()["epoch"], "e2") << "the first piece is not of this line";
  take(snapshot);
  EXPECT_EQ(profiles(), kItems);
}

// What happens while a snapshot comes is not held up by it.
TEST_F(FeedInPiecesTest, BetweenTwoPiecesTheBoxHearsAndAWithdrawalCounts) {
  box_.feed_shop();
  const auto identified = [&] {
    return box_.engine().status(box_.now())["radio"]["identified"].get<int>();
  };
  auto snapshot = batch(true, 5);
  snapshot.epoch = "e2";
  const auto pieces = pieces_of(raw(snapshot));
  box_.engine().handle(pieces[0], box_.now());
  box_.hear_mia();
  const int before = identified();
  EXPECT_GT(before, 0);
  box_.engine().handle(pieces[1], box_.now());
  box_.feed_step_of_consent("c-mia", "proximity_offers", "withdrawn");
  box_.hear_mia();
  EXPECT_EQ(identified(), before);
  for (std::size_t i = 2; i < pieces.size(); ++i) box_.engine().handle(pieces[i], box_.now());
  EXPECT_EQ(profiles(), kItems);
}

}  // namespace
}  // namespace welcome::daemon
