// SPDX-License-Identifier: Apache-2.0
#include "sync/feed.h"

#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>

namespace welcome::sync {

using namespace contract;
namespace {

constexpr Collection kCollection = Collection::profiles;

// What the store keeps, and how it carries out a plan.
class Replica : public ReplicaView {
 public:
  struct Row {
    std::uint64_t seq = 0;
    std::string value;
  };

  std::optional<std::uint64_t> seq_of(Collection, std::string_view key) const override {
    const auto found = rows.find(std::string(key));
    if (found == rows.end()) return std::nullopt;
    return found->second.seq;
  }
  void for_each(Collection, const std::function<void(std::string_view)>& visit) const override {
    for (const auto& [key, row] : rows) visit(key);
  }

  void carry_out(const FeedPlan& plan) {
    for (const FeedItem& item : plan.items) {
      if (item.deleted) {
        rows.erase(item.key);
      } else {
        rows[item.key] = {item.seq, item.value};
      }
    }
    for (const std::string& key : plan.sweep) rows.erase(key);
    if (plan.have) have = *plan.have;
  }

  std::map<std::string, Row> rows;
  std::optional<Have> have;
};

// A box: receiver and store together.
struct Box {
  Replica replica;
  std::unique_ptr<FeedReceiver> receiver = std::make_unique<FeedReceiver>(replica);

  FeedPlan receive(const FeedBatch& batch, Cut cut = {}) {
    FeedPlan plan = receiver->plan(batch, cut);
    if (plan.verdict == FeedVerdict::apply) replica.carry_out(plan);
    receiver->committed(plan);
    return plan;
  }
  void restart() {
    receiver = std::make_unique<FeedReceiver>(replica);
    if (replica.have) receiver->load(kCollection, *replica.have);
  }
  std::optional<Have> have() const {
    const auto all = receiver->have();
    const auto found = all.find(kCollection);
    if (found == all.end()) return std::nullopt;
    return found->second;
  }
};

// The CRM's half: a log, and the answer to a hello.
struct Crm {
  struct Row {
    std::uint64_t seq = 0;
    std::optional<std::string> value;  // nothing: deleted
  };
  std::string epoch = "e1";
  std::uint64_t seq = 0;
  std::map<std::string, Row> rows;

  void put(const std::string& key, const std::string& value) { rows[key] = {++seq, value}; }
  void erase(const std::string& key) { rows[key] = {++seq, std::nullopt}; }

  Digest digest() const {
    Digest digest;
    for (const auto& [key, row] : rows) {
      if (row.value) digest.toggle(key, row.seq);
    }
    return digest;
  }

  static FeedItem item(const std::string& key, const Row& row) {
    FeedItem item;
    item.key = key;
    item.seq = row.seq;
    item.deleted = !row.value;
    item.value = row.value.value_or("");
    return item;
  }

  FeedBatch delta(std::uint64_t from) const {
    FeedBatch batch;
    batch.collection = kCollection;
    batch.epoch = epoch;
    batch.from_seq = from;
    batch.to_seq = seq;
    batch.digest = digest().hex();
    for (const auto& [key, row] : rows) {
      if (row.seq > from) batch.items.push_back(item(key, row));
    }
    std::sort(batch.items.begin(), batch.items.end(),
              [](const auto& a, const auto& b) { return a.seq < b.seq; });
    return batch;
  }

  std::vector<FeedBatch> snapshot(std::size_t per_part) const {
    std::vector<FeedItem> live;
    for (const auto& [key, row] : rows) {
      if (row.value) live.push_back(item(key, row));
    }
    const std::size_t parts = std::max<std::size_t>(1, (live.size() + per_part - 1) / per_part);
    std::vector<FeedBatch> out;
    for (std::size_t part = 0; part < parts; ++part) {
      FeedBatch batch;
      batch.collection = kCollection;
      batch.epoch = epoch;
      batch.snapshot = true;
      batch.to_seq = seq;
      batch.part = static_cast<std::uint32_t>(part + 1);
      batch.parts = static_cast<std::uint32_t>(parts);
      batch.digest = digest().hex();
      for (std::size_t i = part * per_part; i < std::min(live.size(), (part + 1) * per_part); ++i) {
        batch.items.push_back(live[i]);
      }
      out.push_back(std::move(batch));
    }
    return out;
  }

  std::vector<FeedBatch> answer(const std::optional<Have>& have, std::size_t per_part) const {
    const bool known = have && have->epoch == epoch && have->seq <= seq;
    if (known && have->seq == seq && have->digest == digest().hex()) return {};
    if (known && have->seq < seq) return {delta(have->seq)};
    return snapshot(per_part);
  }
};

bool same(const Crm& crm, const Box& box) {
  std::map<std::string, std::pair<std::uint64_t, std::string>> here, there;
  for (const auto& [key, row] : box.replica.rows) here[key] = {row.seq, row.value};
  for (const auto& [key, row] : crm.rows) {
    if (row.value) there[key] = {row.seq, *row.value};
  }
  return here == there && box.have() == Have{crm.epoch, crm.seq, crm.digest().hex()};
}

Crm three_customers() {
  Crm crm;
  for (const char* key : {"a", "b", "c"}) crm.put(key, std::string("value of ") + key);
  return crm;
}

Box synced(const Crm& crm) {
  Box box;
  for (const FeedBatch& batch : crm.snapshot(2)) box.receive(batch);
  return box;
}

TEST(FeedReceiver, ASnapshotInPartsIsCompleteWithItsLastPart) {
  const Crm crm = three_customers();
  Box box;
  const auto parts = crm.snapshot(2);
  ASSERT_EQ(parts.size(), 2U);
  const FeedPlan first = box.receive(parts[0]);
  EXPECT_EQ(first.verdict, FeedVerdict::apply);
  EXPECT_FALSE(first.complete);
  EXPECT_FALSE(box.have());
  const FeedPlan last = box.receive(parts[1]);
  EXPECT_TRUE(last.complete);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, ADeltaContinuesWhereTheBoxIs) {
  Crm crm = three_customers();
  Box box = synced(crm);
  const auto at = crm.seq;
  crm.put("b", "new");
  crm.erase("a");
  const FeedPlan plan = box.receive(crm.delta(at));
  EXPECT_EQ(plan.verdict, FeedVerdict::apply);
  EXPECT_TRUE(plan.complete);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, ARepeatedBatchIsADuplicate) {
  Crm crm = three_customers();
  Box box = synced(crm);
  const auto at = crm.seq;
  crm.put("b", "new");
  const FeedBatch delta = crm.delta(at);
  box.receive(delta);
  EXPECT_EQ(box.receive(delta).verdict, FeedVerdict::duplicate);
  EXPECT_EQ(box.receive(crm.snapshot(10)[0]).verdict, FeedVerdict::duplicate);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, ALateBatchOfBeforeChangesNothing) {
  Crm crm = three_customers();
  Box box = synced(crm);
  const auto at = crm.seq;
  crm.put("b", "older");
  const FeedBatch late = crm.delta(at);
  const auto late_snapshot = crm.snapshot(10);
  crm.put("b", "newer");
  box.receive(crm.delta(at));
  EXPECT_EQ(box.receive(late).verdict, FeedVerdict::duplicate);
  EXPECT_EQ(box.receive(late_snapshot[0]).verdict, FeedVerdict::duplicate);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, AMissingBatchIsAGap) {
  Crm crm = three_customers();
  Box box = synced(crm);
  crm.put("b", "lost");
  const auto at = crm.seq;
  crm.put("c", "arrives");
  const FeedPlan plan = box.receive(crm.delta(at));
  EXPECT_EQ(plan.verdict, FeedVerdict::gap);
  EXPECT_EQ(plan.reason, "a batch is missing");
  for (const FeedBatch& batch : crm.answer(box.have(), 2)) box.receive(batch);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, AnotherEpochAsksForASnapshotThatReplacesEverything) {
  Box box = synced(three_customers());
  Crm crm;
  crm.epoch = "e2";
  crm.put("c", "restored");
  EXPECT_EQ(box.receive(crm.delta(0)).verdict, FeedVerdict::gap);
  for (const FeedBatch& batch : crm.answer(box.have(), 2)) box.receive(batch);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, AHalfSnapshotHealsAfterARestart) {
  Crm crm = three_customers();
  Box box = synced(crm);
  crm.epoch = "e2";
  crm.put("d", "4");
  crm.erase("a");
  box.receive(crm.snapshot(2)[0]);
  box.restart();
  EXPECT_EQ(box.have()->epoch, "e1");
  for (const FeedBatch& batch : crm.answer(box.have(), 2)) box.receive(batch);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, AHalfSnapshotIsForgottenWithTheConnection) {
  const Crm crm = three_customers();
  Box box;
  const auto parts = crm.snapshot(1);
  box.receive(parts[0]);
  box.receiver->reset_snapshots();
  EXPECT_EQ(box.receive(parts[1]).verdict, FeedVerdict::gap);
  for (const FeedBatch& batch : parts) box.receive(batch);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, PiecesComeToTheSameAsTheWhole) {
  Crm crm = three_customers();
  for (const std::size_t size : {1U, 2U, 3U, 10U}) {
    Box box;
    for (const FeedBatch& part : crm.snapshot(2)) {
      for (const FeedPiece& piece : sliced(part, size)) {
        EXPECT_LE(piece.batch.items.size(), size);
        const FeedPlan plan = box.receive(piece.batch, piece.cut);
        EXPECT_EQ(plan.verdict, FeedVerdict::apply);
        EXPECT_EQ(plan.complete, !piece.cut.more && part.part == part.parts);
      }
    }
    EXPECT_TRUE(same(crm, box)) << size;

    // What the box has too much goes with the last piece, also without a delta.
    Crm later = crm;
    later.erase("b");
    later.epoch = "e2";
    for (const FeedBatch& part : later.snapshot(2)) {
      for (const FeedPiece& piece : sliced(part, size)) box.receive(piece.batch, piece.cut);
    }
    EXPECT_TRUE(same(later, box)) << size;

    Box other;
    for (const FeedBatch& part : crm.snapshot(10)) other.receive(part);
    Crm changed = crm;
    changed.put("d", "1");
    changed.erase("a");
    changed.put("e", "1");
    std::uint64_t at = crm.seq;
    for (const FeedPiece& piece : sliced(changed.delta(crm.seq), size)) {
      EXPECT_FALSE(piece.cut.more);
      EXPECT_EQ(piece.batch.from_seq, at);
      at = piece.batch.to_seq;
      EXPECT_EQ(other.receive(piece.batch).verdict, FeedVerdict::apply);
    }
    EXPECT_EQ(at, changed.seq);
    EXPECT_TRUE(same(changed, other)) << size;
  }
}

TEST(FeedReceiver, APieceThatIsMissingIsAGap) {
  const Crm crm = three_customers();
  const auto pieces = sliced(crm.snapshot(10)[0], 1);
  ASSERT_EQ(pieces.size(), 3U);
  Box box;
  box.receive(pieces[0].batch, pieces[0].cut);
  box.receiver->reset_snapshots();  // the line broke
  EXPECT_EQ(box.receive(pieces[2].batch, pieces[2].cut).verdict, FeedVerdict::gap);
  for (const FeedBatch& part : crm.answer(box.have(), 10)) box.receive(part);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, ASnapshotThatWasCutInAPieceBeginsAnew) {
  const Crm crm = three_customers();
  const auto pieces = sliced(crm.snapshot(10)[0], 1);
  Box box;
  box.receive(pieces[0].batch, pieces[0].cut);
  for (const FeedPiece& piece : pieces) {
    EXPECT_EQ(box.receive(piece.batch, piece.cut).verdict, FeedVerdict::apply);
  }
  EXPECT_TRUE(same(crm, box));
}

// What is here may be more than what the box believes: only a look at all names finds it.
TEST(FeedReceiver, WhoseDigestWasWrongIsSweptWhateverTheDigestsSay) {
  Crm crm = three_customers();
  Box box;
  for (const FeedBatch& part : crm.snapshot(10)) box.receive(part);
  box.replica.rows["x"] = {99, "nobody knows"};
  crm.put("d", "1");
  FeedBatch lie = crm.delta(crm.seq - 1);
  lie.digest = std::string(32, 'f');
  EXPECT_EQ(box.receive(lie).verdict, FeedVerdict::gap);
  for (const FeedBatch& part : crm.answer(box.have(), 10)) box.receive(part);
  EXPECT_TRUE(same(crm, box));
}

// A delta may list its changes in any order; cut it is in theirs.
TEST(FeedReceiver, ADeltaIsCutInTheOrderOfItsChanges) {
  FeedBatch batch;
  batch.from_seq = 3;
  batch.to_seq = 9;
  batch.digest = "d";
  for (const std::uint64_t seq : {6U, 4U, 8U, 5U}) {
    batch.items.emplace_back();
    batch.items.back().seq = seq;
  }
  const auto pieces = sliced(batch, 2);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].batch.from_seq, 3U);
  EXPECT_EQ(pieces[0].batch.to_seq, 5U);
  EXPECT_TRUE(pieces[0].batch.digest.empty());
  EXPECT_EQ(pieces[1].batch.from_seq, 5U);
  EXPECT_EQ(pieces[1].batch.items.front().seq, 6U);
  EXPECT_EQ(pieces[1].batch.to_seq, 9U);
  EXPECT_EQ(pieces[1].batch.digest, "d");
}

TEST(FeedReceiver, PartsOutOfOrderAreAGapAndRepeatedPartsAreDuplicates) {
  const Crm crm = three_customers();
  Box box;
  const auto parts = crm.snapshot(1);
  box.receive(parts[0]);
  EXPECT_EQ(box.receive(parts[0]).verdict, FeedVerdict::apply);  // it may simply begin again
  box.receive(parts[1]);
  EXPECT_EQ(box.receive(parts[1]).verdict, FeedVerdict::duplicate);
  box.receive(parts[2]);
  EXPECT_TRUE(same(crm, box));

  Box other;
  other.receive(parts[0]);
  EXPECT_EQ(other.receive(parts[2]).verdict, FeedVerdict::gap);
}

TEST(FeedReceiver, AWrongDigestAsksForEverything) {
  Crm crm = three_customers();
  Box box = synced(crm);
  const auto at = crm.seq;
  crm.put("b", "new");
  box.replica.rows.erase("a");  // the disk lost a row
  box.replica.have->digest = std::string(32, '7');
  box.restart();
  const FeedPlan plan = box.receive(crm.delta(at));
  EXPECT_EQ(plan.verdict, FeedVerdict::gap);
  EXPECT_TRUE(plan.distrust);
  EXPECT_FALSE(box.have());
  for (const FeedBatch& batch : crm.answer(box.have(), 2)) box.receive(batch);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, AHeartbeatWithAnotherDigestAsksForEverything) {
  Crm crm = three_customers();
  Box box = synced(crm);
  FeedBatch beat = crm.delta(crm.seq);
  const Have head{beat.epoch, beat.to_seq, box.have()->digest};
  EXPECT_EQ(box.receive(beat).verdict, FeedVerdict::duplicate);
  EXPECT_TRUE(box.receiver->stands_at(kCollection, head));
  EXPECT_FALSE(box.receiver->stands_at(kCollection, {head.epoch, head.seq + 1, head.digest}));
  beat.digest = std::string(32, '7');
  EXPECT_TRUE(box.receive(beat).distrust);
  EXPECT_FALSE(box.have());
  EXPECT_FALSE(box.receiver->stands_at(kCollection, head)) << "nobody knows what is here";
}

TEST(FeedReceiver, ASnapshotWithAWrongDigestSweepsNothing) {
  const Crm crm = three_customers();
  Box box = synced(crm);
  Crm liar;
  liar.epoch = "e2";
  auto parts = liar.snapshot(10);
  parts[0].digest = std::string(32, '1');
  EXPECT_EQ(box.receive(parts[0]).verdict, FeedVerdict::gap);
  EXPECT_EQ(box.replica.rows.size(), 3U);
}

TEST(FeedReceiver, WhatWasSetAsideCountsForTheDigest) {
  Crm crm = three_customers();
  Box box;
  auto parts = crm.snapshot(10);
  parts[0].items[1].error = "points: not a number";
  parts[0].items[1].value.clear();
  const FeedPlan plan = box.receive(parts[0]);
  EXPECT_TRUE(plan.complete);
  EXPECT_EQ(plan.items[1].error, "points: not a number");
  EXPECT_EQ(box.have()->digest, crm.digest().hex());
  EXPECT_TRUE(crm.answer(box.have(), 10).empty());
}

TEST(FeedReceiver, NothingMovesUntilTheStoreHasCommitted) {
  Crm crm = three_customers();
  Box box = synced(crm);
  const auto at = crm.seq;
  crm.put("b", "new");
  const FeedBatch delta = crm.delta(at);
  EXPECT_EQ(box.receiver->plan(delta).verdict, FeedVerdict::apply);  // and the disk is full
  EXPECT_EQ(box.have()->seq, at);
  EXPECT_EQ(box.receive(delta).verdict, FeedVerdict::apply);
  EXPECT_TRUE(same(crm, box));
}

TEST(FeedReceiver, OneBatchMayTouchAKeyTwice) {
  const Crm crm = three_customers();
  Box box = synced(crm);
  FeedBatch batch = crm.delta(crm.seq);
  batch.digest.clear();
  batch.to_seq = crm.seq + 3;
  FeedItem put, gone, again;
  put.key = gone.key = again.key = "d";
  put.seq = crm.seq + 1;
  gone.seq = crm.seq + 2;
  gone.deleted = true;
  again.seq = crm.seq + 3;
  batch.items = {put, gone, again};
  box.receive(batch);
  Digest expected = crm.digest();
  expected.toggle("d", crm.seq + 3);
  EXPECT_EQ(box.have()->digest, expected.hex());
}

TEST(Digest, IsThePublishedOne) {
  Digest digest;
  EXPECT_EQ(digest.hex(), std::string(32, '0'));
  digest.toggle("r-paul-face", 12);
  EXPECT_EQ(digest.hex(), "06f0f3dac727640e2340ea84ea05f1fe");
  EXPECT_EQ(Digest::from_hex(digest.hex()), digest);
  digest.toggle("r-paul-face", 12);
  EXPECT_EQ(digest, Digest());
  EXPECT_FALSE(Digest::from_hex("xyz"));
  EXPECT_FALSE(Digest::from_hex(std::string(32, 'g')));
}

// Whatever the network does to the batches, and whenever the box restarts: after the next hello
// that is answered without loss, the box has what the CRM has.
RC_GTEST_PROP(FeedReceiverProperty, HealsWhateverHappened, ()) {
  Crm crm;
  Box box;
  std::deque<FeedBatch> network;
  const int steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    const std::string key(1, static_cast<char>('a' + *rc::gen::inRange(0, 8)));
    const auto per_part = static_cast<std::size_t>(*rc::gen::inRange(1, 5));
    switch (*rc::gen::inRange(0, 12)) {
      case 0:
      case 1:
      case 2: {  // the CRM changes something and pushes it
        const auto at = crm.seq;
        crm.put(key, std::to_string(step));
        network.push_back(crm.delta(at));
        break;
      }
      case 3: {
        const auto at = crm.seq;
        crm.erase(key);
        network.push_back(crm.delta(at));
        break;
      }
      case 4:  // a new CRM, or one from a backup
        crm.epoch += "'";
        crm.seq = static_cast<std::uint64_t>(*rc::gen::inRange(0, 5));
        crm.rows.clear();
        crm.put(key, "after the restore");
        break;
      case 5:
        for (FeedBatch& batch : crm.answer(box.have(), per_part))
          network.push_back(std::move(batch));
        break;
      case 6:  // lost
        if (!network.empty()) network.pop_front();
        break;
      case 7:  // twice
        if (!network.empty()) network.push_back(network.front());
        break;
      case 8:  // overtaken
        if (network.size() > 1) std::swap(network.front(), network.back());
        break;
      case 9:
        box.restart();
        break;
      case 10:
        box.receiver->reset_snapshots();
        break;
      default:
        for (int n = *rc::gen::inRange(1, 4); n > 0 && !network.empty(); --n) {
          box.receive(network.front());
          network.pop_front();
        }
    }
  }
  network.clear();
  // A digest that differs takes a second hello.
  for (int hello = 0; hello < 3 && !same(crm, box); ++hello) {
    for (const FeedBatch& batch : crm.answer(box.have(), 3)) box.receive(batch);
  }
  RC_ASSERT(same(crm, box));
}

}  // namespace
}  // namespace welcome::sync
