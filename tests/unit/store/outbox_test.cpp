// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/outbox.h"

#include <gmock/gmock.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <set>

#include "firmware/store/database.h"
#include "harness/agreed_time.h"
#include "tests/unit/store/fixture.h"

namespace welcome::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class OutboxTest : public StoreTest {
 protected:
  Outbox& outbox() { return store().outbox(); }
  void enqueue(const OutboxRow& row) {
    auto done = store().transaction([&](Tx& tx) { return tx.outbox().enqueue(row); });
    ASSERT_TRUE(done) << done.error().message;
  }
  std::vector<std::string> taken(std::size_t limit = 100, Now now = at()) {
    auto rows = outbox().take(Link::uplink, limit, now);
    EXPECT_TRUE(rows);
    return ids(*rows);
  }
  // In the order in which they leave when each is acknowledged at once.
  std::vector<std::string> drained() {
    std::vector<std::string> order;
    while (true) {
      const auto rows = outbox().take(Link::uplink, 1, at());
      EXPECT_TRUE(rows);
      if (rows->empty()) return order;
      order.push_back(rows->front().id.str());
      EXPECT_TRUE(store().transaction(
          [&](Tx& tx) { return tx.outbox().remove_rows(std::vector{rows->front().row}); }));
    }
  }
};

TEST_F(OutboxTest, WhatIsAboutSomebodyMayBeHeldBackButForConsentItself) {
  enqueue(message("visit", "c-paul"));
  enqueue(message("health", ""));
  OutboxRow receipt = message("receipt", "c-paul");
  receipt.priority = 0;
  enqueue(receipt);
  const auto now = outbox().take(Link::uplink, 10, at(), About::nobody);
  ASSERT_TRUE(now);
  EXPECT_THAT(ids(*now), ElementsAre("receipt", "health"));
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.outbox().remove_rows(std::vector{now->front().row}); }));
  EXPECT_THAT(taken(), ElementsAre("visit"));
}

TEST_F(OutboxTest, ARowThatDoesNotOpenIsDroppedAndSaid) {
  OutboxRow offer = message("m-1", "c-paul");
  offer.kind = OutboxKind::offer;
  offer.ref = "d-1";
  ASSERT_TRUE(store().transaction([&](Tx& tx) { tx.outbox().enqueue(offer); }));
  close();
  {
    Database db(path(), "", false);
    db.script("PRAGMA locking_mode = EXCLUSIVE");
    db.script("UPDATE outbox SET sealed = zeroblob(length(sealed))");
  }
  reopen();
  EXPECT_THAT(*outbox().take(Link::uplink, 10, at()), IsEmpty());
  const auto gone = store().transaction([](Tx& tx) { return tx.outbox().drop_damaged(); });
  ASSERT_TRUE(gone);
  ASSERT_EQ(gone->size(), 1U);
  EXPECT_EQ(gone->front().ref, "d-1");
  EXPECT_EQ(gone->front().kind, OutboxKind::offer);
  EXPECT_EQ(store().outbox().count()->uplink, 0);
  EXPECT_EQ(store().registers().counters()->at("outbox_damaged"), 1);
}

TEST_F(OutboxTest, GivesBackEveryFieldAfterARestart) {
  OutboxRow row = message("m1", "c-paul", 1);
  row.link = Link::floor;
  row.content_type = "application/json";
  row.response_topic = "answers/1";
  row.correlation = std::string("\0\x01", 2);
  row.qos = 0;
  row.retain = true;
  row.kind = OutboxKind::prompt;
  row.ref = "d-1";
  row.expires = wall(600'000);
  row.not_before = wall(-1);
  enqueue(row);
  reopen();
  auto rows = outbox().take(Link::floor, 10, at());
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1U);
  const OutboxRow& back = rows->front();
  EXPECT_EQ(back.id, row.id);
  EXPECT_EQ(back.link, Link::floor);
  EXPECT_EQ(back.topic, row.topic);
  EXPECT_EQ(back.payload, row.payload);
  EXPECT_EQ(back.content_type, row.content_type);
  EXPECT_EQ(back.response_topic, row.response_topic);
  EXPECT_EQ(back.correlation, row.correlation);
  EXPECT_EQ(back.qos, 0);
  EXPECT_TRUE(back.retain);
  EXPECT_EQ(back.priority, 1);
  EXPECT_EQ(back.customer, row.customer);
  EXPECT_EQ(back.kind, OutboxKind::prompt);
  EXPECT_EQ(back.ref, "d-1");
  EXPECT_EQ(back.created, row.created);
  EXPECT_EQ(back.expires, row.expires);
  EXPECT_EQ(back.not_before, row.not_before);
}

TEST_F(OutboxTest, UrgentFirstThenOldestFirst) {
  enqueue(message("event", "a", 2));
  enqueue(message("offer", "b", 1));
  enqueue(message("consent", "c", 0));
  enqueue(message("event2", "d", 2));
  EXPECT_THAT(taken(), ElementsAre("consent", "offer", "event", "event2"));
}

TEST_F(OutboxTest, ACustomersMessagesLeaveInTheOrderTheyWereWritten) {
  enqueue(message("other", "b", 2));
  enqueue(message("visit started", "a", 2));
  enqueue(message("offer", "a", 1));
  enqueue(message("visit ended", "a", 2));
  // The offer lifts the start of its visit above the other customer's event.
  EXPECT_THAT(drained(), ElementsAre("visit started", "offer", "other", "visit ended"));
}

TEST_F(OutboxTest, ConsentOvertakesTheCustomersOwnMessages) {
  enqueue(message("visit started", "a", 2));
  enqueue(message("consent", "a", 0));
  EXPECT_THAT(drained(), ElementsAre("consent", "visit started"));
}

TEST_F(OutboxTest, OneMessageOfACustomerIsOnItsWayAtATime) {
  enqueue(message("a1", "a"));
  enqueue(message("a2", "a"));
  enqueue(message("b1", "b"));
  enqueue(message("nobody1", ""));
  enqueue(message("nobody2", ""));
  const auto rows = outbox().take(Link::uplink, 100, at());
  EXPECT_THAT(ids(*rows), ElementsAre("a1", "b1", "nobody1", "nobody2"));
  EXPECT_THAT(taken(), IsEmpty());
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.outbox().remove_rows(std::vector{rows->front().row}); }));
  EXPECT_THAT(taken(), ElementsAre("a2"));
}

TEST_F(OutboxTest, WhatTheBrokerHasAlreadyDoesNotHoldUpItsCustomersNext) {
  enqueue(message("m-1", "c-paul"));
  enqueue(message("m-2", "c-paul"));
  const auto first = outbox().take(Link::uplink, 10, at());
  ASSERT_EQ(ids(*first), std::vector<std::string>{"m-1"});
  outbox().keep_handed_out(first->front().row);
  EXPECT_THAT(taken(), ElementsAre("m-2"));
  EXPECT_THAT(taken(), IsEmpty()) << "nor is it handed out again";
  outbox().release(Link::uplink);
  EXPECT_THAT(taken(), ElementsAre("m-1"));
}

TEST_F(OutboxTest, TheManyMessagesOfOneCustomerEndAndThenTheOthersCome) {
  for (int i = 0; i < 450; ++i) enqueue(message("m-" + std::to_string(i), "c-paul"));
  enqueue(message("last", "c-mia"));
  const auto order = drained();
  ASSERT_EQ(order.size(), 451U);
  EXPECT_EQ(order.back(), "last");
}

TEST_F(OutboxTest, ARefusedRowKeepsItsPlaceBeforeItsSuccessor) {
  enqueue(message("a1", "a"));
  enqueue(message("a2", "a"));
  const auto first = outbox().take(Link::uplink, 100, at())->front().row;
  outbox().release_row(first);
  EXPECT_THAT(taken(), ElementsAre("a1"));
}

TEST_F(OutboxTest, HandsARowOutOnceUntilTheLinkIsReleased) {
  enqueue(message("m1", "a"));
  enqueue(message("m2", "b"));
  EXPECT_THAT(taken(1), ElementsAre("m1"));
  EXPECT_THAT(taken(), ElementsAre("m2"));
  EXPECT_THAT(taken(), IsEmpty());
  outbox().release(Link::uplink);
  EXPECT_THAT(taken(), ElementsAre("m1", "m2"));
}

TEST_F(OutboxTest, AcknowledgedRowsAreGoneAndTellWhatTheyWere) {
  OutboxRow row = message("m1", "a");
  row.kind = OutboxKind::offer;
  row.ref = "d-7";
  enqueue(row);
  const auto rows = outbox().take(Link::uplink, 1, at());
  const std::vector<std::int64_t> acknowledged{rows->front().row, 999};
  const auto notes = outbox().notes(acknowledged);
  const auto removed =
      store().transaction([&](Tx& tx) { return tx.outbox().remove_rows(acknowledged); });
  ASSERT_TRUE(removed);
  EXPECT_EQ(*removed, 1U);
  ASSERT_TRUE(notes);
  ASSERT_EQ(notes->size(), 1U);
  EXPECT_EQ(notes->front().kind, OutboxKind::offer);
  EXPECT_EQ(notes->front().ref, "d-7");
  reopen();
  EXPECT_THAT(taken(), IsEmpty());
}

TEST_F(OutboxTest, WhatIsReleasedGoesAgainWhileLaterOnesAreOnTheirWay) {
  for (const char* name : {"m1", "m2", "m3", "m4"}) enqueue(message(name, name));
  const auto rows = outbox().take(Link::uplink, 3, at());
  EXPECT_EQ(rows->size(), 3U);
  EXPECT_THAT(taken(), ElementsAre("m4"));
  outbox().release_row((*rows)[1].row);
  EXPECT_THAT(taken(), ElementsAre("m2"));
  enqueue(message("urgent", "e", 0));
  EXPECT_THAT(taken(), ElementsAre("urgent"));
}

// One that was passed by is not forgotten, whatever is behind it.
TEST_F(OutboxTest, WhatHasToWaitGoesWhenItsTimeHasCome) {
  OutboxRow held = message("held", "a");
  held.not_before = wall(1000);
  enqueue(message("first", "b"));
  enqueue(held);
  enqueue(message("last", "c"));
  EXPECT_THAT(taken(), ElementsAre("first", "last"));
  EXPECT_THAT(taken(), IsEmpty());
  EXPECT_THAT(taken(100, at(2000)), ElementsAre("held"));
}

// A transaction that fails leaves the rows that it would have removed, and they go again.
TEST_F(OutboxTest, WhatAFailedTransactionWouldHaveRemovedGoesAgain) {
  enqueue(message("m1", "a"));
  enqueue(message("m2", "b"));
  const auto rows = outbox().take(Link::uplink, 2, at());
  ASSERT_TRUE(store().erasure().erase(CustomerId("c-gone"), MessageId("req-1"), at(5)));
  EXPECT_FALSE(store().transaction([&](Tx& tx) {
    tx.outbox().remove_rows(std::vector{rows->front().row});
    tx.outbox().enqueue(message("m3", "c-gone"));
  }));
  EXPECT_THAT(taken(), ElementsAre("m1"));
}

TEST_F(OutboxTest, ALateAcknowledgementNeverHitsANewRow) {
  enqueue(message("m1", "a"));
  const auto first = outbox().take(Link::uplink, 1, at())->front().row;
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.outbox().remove_rows(std::vector{first}); }));
  enqueue(message("m2", "a"));
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.outbox().remove_rows(std::vector{first}); }));
  EXPECT_THAT(taken(), ElementsAre("m2"));
}

TEST_F(OutboxTest, ExpiredRowsAreNotHandedOutAndAreCountedWhenRemoved) {
  OutboxRow prompt = message("late", "a", 1);
  prompt.kind = OutboxKind::prompt;
  prompt.ref = "d-1";
  prompt.expires = wall(1000);
  enqueue(prompt);
  enqueue(message("event", "a"));
  EXPECT_THAT(taken(10, at(1000)), ElementsAre("event"));
  auto gone =
      store().transaction([&](Tx& tx) { return tx.outbox().expire(test::agreed(at(1000))); });
  ASSERT_TRUE(gone);
  ASSERT_EQ(gone->size(), 1U);
  EXPECT_EQ(gone->front().ref, "d-1");
  EXPECT_EQ(outbox().count()->uplink, 1);
}

TEST_F(OutboxTest, WhileTheClockIsNotTrustedRowsWithATimeWait) {
  OutboxRow prompt = message("prompt", "a", 1);
  prompt.expires = wall(1000);
  enqueue(prompt);
  enqueue(message("event", "b"));
  EXPECT_THAT(taken(10, at(0, false)), ElementsAre("event"));
  EXPECT_THAT(taken(10, at(0, true)), ElementsAre("prompt"));
}

TEST_F(OutboxTest, HeldRowsComeWhenTheirTimeHasCome) {
  OutboxRow held = message("morning", "a", 1);
  held.not_before = wall(5000);
  enqueue(held);
  EXPECT_THAT(taken(10, at(4999)), IsEmpty());
  EXPECT_THAT(taken(10, at(5000)), ElementsAre("morning"));
}

TEST_F(OutboxTest, WithdrawalRemovesOnlyTheNamedKindsOfThatCustomer) {
  OutboxRow offer = message("offer", "a", 1);
  offer.kind = OutboxKind::offer;
  enqueue(offer);
  enqueue(message("visit", "a"));
  OutboxRow other = message("other offer", "b", 1);
  other.kind = OutboxKind::offer;
  enqueue(other);
  const OutboxKind kinds[] = {OutboxKind::offer, OutboxKind::survey};
  EXPECT_EQ(
      *store().transaction([&](Tx& tx) { return tx.outbox().remove(CustomerId("a"), kinds); }), 1U);
  EXPECT_THAT(taken(), ElementsAre("other offer", "visit"));
  EXPECT_EQ(*store().transaction([&](Tx& tx) { return tx.outbox().remove_all(CustomerId("a")); }),
            1U);
  EXPECT_EQ(outbox().count()->uplink, 1);
}

TEST_F(OutboxTest, ADecisionTakenBackIsRemovedByItsReference) {
  OutboxRow offer = message("offer", "a", 1);
  offer.ref = "d-1";
  enqueue(offer);
  enqueue(message("visit", "a"));
  EXPECT_EQ(*store().transaction([&](Tx& tx) { return tx.outbox().remove_ref("d-1"); }), 1U);
  EXPECT_EQ(*store().transaction([&](Tx& tx) { return tx.outbox().remove_ref(""); }), 0U);
  EXPECT_THAT(taken(), ElementsAre("visit"));
}

TEST_F(OutboxTest, LinksAreApart) {
  OutboxRow prompt = message("prompt", "a", 1);
  prompt.link = Link::floor;
  enqueue(prompt);
  enqueue(message("event", "a"));
  EXPECT_THAT(taken(), ElementsAre("event"));
  outbox().release(Link::uplink);
  EXPECT_THAT(ids(*outbox().take(Link::floor, 10, at())), ElementsAre("prompt"));
  const auto count = outbox().count();
  EXPECT_EQ(count->uplink, 1);
  EXPECT_EQ(count->floor, 1);
  EXPECT_EQ(count->oldest, wall());
}

// Breaks, refusals, restarts of the box and repeated acknowledgements in any order: everything that
// was committed arrives, and per customer in order (first arrivals), except that consent overtakes.
RC_GTEST_PROP(OutboxProperty, LosesNothingAndKeepsTheOrder, ()) {
  const TempDir dir;
  const auto open = [&] {
    auto opened = Store::open(dir.file("box.db"), test_key());
    RC_ASSERT(opened.has_value());
    return std::make_unique<Store>(std::move(*opened));
  };
  auto store = open();
  const auto window = static_cast<std::size_t>(*rc::gen::inRange(1, 8));
  struct Written {
    std::string customer;
    bool urgent;
  };
  std::vector<Written> written;  // by id
  std::vector<std::size_t> arrived;
  std::set<std::size_t> seen;
  std::map<std::int64_t, std::size_t> flying;  // row → id
  bool up = true;
  const auto arrive = [&](std::size_t id) {
    if (seen.insert(id).second) arrived.push_back(id);
  };
  const auto pump = [&] {
    if (!up) return;
    const auto rows = store->outbox().take(Link::uplink, window - flying.size(), at());
    RC_ASSERT(rows.has_value());
    for (const auto& row : *rows) flying.emplace(row.row, std::stoul(row.id.str()));
    std::set<std::string> whose;
    for (const auto& [row, id] : flying) {
      const std::string& customer = written[id].customer;
      RC_ASSERT(customer.empty() || whose.insert(customer).second);
    }
  };
  const auto acknowledge = [&](std::int64_t row) {
    arrive(flying.at(row));
    flying.erase(row);
    RC_ASSERT(
        store->transaction([&](Tx& tx) {
               return tx.outbox().remove_rows(std::vector{row, row});
             })
            .has_value());
  };
  const int steps = *rc::gen::inRange(1, 80);
  for (int step = 0; step < steps; ++step) {
    switch (*rc::gen::inRange(0, 9)) {
      case 0:
      case 1:
      case 2: {
        const auto customer = *rc::gen::element<std::string>("", "a", "b", "c");
        const auto priority = static_cast<std::uint8_t>(*rc::gen::inRange(0, 3));
        RC_ASSERT(store
                      ->transaction([&](Tx& tx) {
                        return tx.outbox().enqueue(
                            message(std::to_string(written.size()), customer, priority));
                      })
                      .has_value());
        written.push_back({customer, priority == 0});
        break;
      }
      case 3:  // a break: some of what was flying had arrived, its acknowledgement is lost
      case 4:
        for (const auto& [row, id] : flying) {
          if (*rc::gen::arbitrary<bool>()) arrive(id);
        }
        flying.clear();
        store->outbox().release(Link::uplink);
        up = *rc::gen::arbitrary<bool>();
        break;
      case 5:
        if (!flying.empty()) {
          store->outbox().release_row(flying.begin()->first);
          flying.erase(flying.begin());
        }
        break;
      case 6:
        flying.clear();
        store.reset();
        store = open();
        break;
      default:
        pump();
        if (!flying.empty()) acknowledge(flying.begin()->first);
    }
  }
  up = true;
  while (true) {
    pump();
    if (flying.empty()) break;
    while (!flying.empty()) acknowledge(flying.begin()->first);
  }
  RC_ASSERT(seen.size() == written.size());
  std::map<std::pair<std::string, bool>, std::size_t> last;
  for (const std::size_t id : arrived) {
    const Written& what = written[id];
    if (what.customer.empty()) continue;
    const auto [before, first] = last.try_emplace({what.customer, what.urgent}, id);
    RC_ASSERT(first || before->second < id);
    before->second = id;
  }
}

}  // namespace
}  // namespace welcome::store
