#include "sync/outbox_drain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <set>

namespace welcome::sync {
namespace {

using namespace std::chrono;
using testing::ElementsAre;
using testing::IsEmpty;

// The store's outbox, and the daemon's loop around the drain.
struct Outbox {
  std::map<RowId, Message> rows;
  RowId next = 1;
  OutboxDrain drain;
  Now now{MonoTime(1s), WallTime(1'000'000s), true};
  std::size_t reads = 0;

  explicit Outbox(OutboxDrain::Limits limits = {}) : drain(limits) {}

  RowId commit(Priority priority, const std::string& customer = "") {
    Message message;
    message.id = MessageId("m" + std::to_string(next));
    message.priority = priority;
    message.customer = CustomerId(customer);
    rows[next] = message;
    drain.committed(priority);
    return next++;
  }

  std::vector<RowId> pump() {
    while (const auto query = drain.next_query()) {
      std::vector<OutboxRow> found;
      for (const auto& [row, message] : rows) {
        if (message.priority == query->priority && row > query->after &&
            found.size() < query->limit) {
          found.push_back({row, message});
        }
      }
      drain.add(*query, std::move(found));
      ++reads;
    }
    std::vector<RowId> sent;
    for (const OutboxRow& row : drain.take(now)) sent.push_back(row.row);
    for (const RowId row : drain.take_expired()) rows.erase(row);
    return sent;
  }

  void ack(RowId row) {
    if (drain.acked(row)) rows.erase(row);
  }
};

TEST(OutboxDrain, SendsNothingWhileTheLinkIsDown) {
  Outbox box;
  box.commit(Priority::event);
  EXPECT_THAT(box.pump(), IsEmpty());
  box.drain.link_up(100);
  EXPECT_THAT(box.pump(), ElementsAre(1));
}

TEST(OutboxDrain, ConsentOvertakesEverythingThatWaits) {
  Outbox box;
  box.commit(Priority::event);
  box.commit(Priority::decision);
  box.commit(Priority::consent);
  box.drain.link_up(1);
  EXPECT_THAT(box.pump(), ElementsAre(3));
  box.ack(3);
  EXPECT_THAT(box.pump(), ElementsAre(2));
  box.ack(2);
  EXPECT_THAT(box.pump(), ElementsAre(1));
}

TEST(OutboxDrain, ConsentFindsRoomWhileTheBufferIsFull) {
  Outbox box({.window = 1, .buffer = 4});
  for (int i = 0; i < 20; ++i) box.commit(Priority::event);
  box.drain.link_up(10);
  EXPECT_THAT(box.pump(), ElementsAre(1));
  const RowId withdrawal = box.commit(Priority::consent);
  EXPECT_THAT(box.pump(), IsEmpty());
  box.ack(1);
  EXPECT_THAT(box.pump(), ElementsAre(withdrawal));
}

TEST(OutboxDrain, TheWindowIsTheSmallerOfOursAndTheBrokers) {
  Outbox box({.window = 5, .buffer = 100});
  for (int i = 0; i < 20; ++i) box.commit(Priority::event);
  box.drain.link_up(3);
  EXPECT_EQ(box.pump().size(), 3U);
  box.drain.link_down();
  box.drain.link_up(65535);
  EXPECT_EQ(box.pump().size(), 5U);
}

TEST(OutboxDrain, OneMessageOfACustomerAtATimeInTheirOrder) {
  Outbox box;
  box.commit(Priority::event, "paul");
  box.commit(Priority::event, "paul");
  box.commit(Priority::event, "mia");
  box.commit(Priority::event);
  box.drain.link_up(100);
  EXPECT_THAT(box.pump(), ElementsAre(1, 3, 4));
  box.ack(1);
  EXPECT_THAT(box.pump(), ElementsAre(2));
}

TEST(OutboxDrain, WhatWasInFlightAtABreakIsSentAgainInOrder) {
  Outbox box;
  for (int i = 0; i < 3; ++i) box.commit(Priority::event);
  box.drain.link_up(2);
  EXPECT_THAT(box.pump(), ElementsAre(1, 2));
  box.ack(2);
  box.drain.link_down();
  EXPECT_FALSE(box.drain.acked(1));  // an acknowledgement that comes too late says nothing
  box.drain.link_up(2);
  EXPECT_THAT(box.pump(), ElementsAre(1, 3));
}

TEST(OutboxDrain, ExpiredRowsAreDroppedAndCountedEvenWhileDown) {
  Outbox box;
  const RowId row = box.commit(Priority::decision);
  box.rows[row].expires_at = box.now.wall + 60s;
  EXPECT_THAT(box.pump(), IsEmpty());
  box.now.wall += 61s;
  EXPECT_THAT(box.pump(), IsEmpty());
  EXPECT_TRUE(box.rows.empty());
  EXPECT_EQ(box.drain.expired_total(), 1U);
}

TEST(OutboxDrain, NothingExpiresByAClockThatIsNotTrusted) {
  Outbox box;
  const RowId row = box.commit(Priority::decision);
  box.rows[row].expires_at = box.now.wall - 1h;
  box.now.wall_trusted = false;
  box.drain.link_up(10);
  EXPECT_THAT(box.pump(), ElementsAre(row));
}

TEST(OutboxDrain, ARefusedMessageIsTriedAgainLaterAndKeepsItsPlace) {
  Outbox box;
  box.commit(Priority::event, "paul");
  box.commit(Priority::event, "paul");
  box.drain.link_up(10);
  box.pump();
  box.drain.retry(1, box.now.mono + 5s);
  EXPECT_THAT(box.pump(), IsEmpty());
  EXPECT_EQ(box.drain.next_wake(), box.now.mono + 5s);
  box.now.mono += 5s;
  EXPECT_THAT(box.pump(), ElementsAre(1));
  box.ack(1);
  EXPECT_THAT(box.pump(), ElementsAre(2));
}

TEST(OutboxDrain, RowsRemovedByAWithdrawalAreNotSent) {
  Outbox box({.window = 1, .buffer = 10});
  box.commit(Priority::event);
  box.commit(Priority::event, "paul");
  box.commit(Priority::event, "mia");
  box.commit(Priority::event, "mia");
  box.drain.link_up(1);
  box.pump();
  box.drain.removed(CustomerId("paul"));
  box.drain.removed(std::vector<RowId>{3});
  box.ack(1);
  EXPECT_THAT(box.pump(), ElementsAre(4));
}

TEST(OutboxDrain, ReadsTheStoreOnlyWhenThereIsNewsAndRoom) {
  Outbox box({.window = 2, .buffer = 10});
  for (int i = 0; i < 25; ++i) box.commit(Priority::event);
  box.drain.link_up(10);
  box.pump();
  EXPECT_EQ(box.reads, 1U);
  EXPECT_LE(box.drain.buffered(), 10U);
  for (RowId row = 1; row <= 25; ++row) {
    box.pump();
    box.ack(row);
  }
  EXPECT_TRUE(box.rows.empty());
  const auto reads = box.reads;
  box.pump();
  box.pump();
  EXPECT_EQ(box.reads, reads);
}

// Breaks, refusals, restarts of the link and repeated acknowledgements in any order: everything
// that was committed arrives, per customer and priority in order (first arrivals), and the buffer
// stays bounded.
RC_GTEST_PROP(OutboxDrainProperty, LosesNothingAndKeepsTheOrder, ()) {
  const OutboxDrain::Limits limits{static_cast<std::size_t>(*rc::gen::inRange(1, 8)),
                                   static_cast<std::size_t>(*rc::gen::inRange(4, 20))};
  Outbox box(limits);
  std::vector<RowId> arrived;
  std::set<RowId> seen, flying, committed;
  std::map<RowId, Message> all;
  const auto arrive = [&](RowId row) {
    if (seen.insert(row).second) arrived.push_back(row);
  };
  const auto pump = [&] {
    for (const RowId row : box.pump()) flying.insert(row);
    RC_ASSERT(box.drain.in_flight() <= limits.window);
    RC_ASSERT(box.drain.buffered() <= 2 * limits.buffer);
  };
  const int steps = *rc::gen::inRange(1, 120);
  for (int step = 0; step < steps; ++step) {
    box.now.mono += 1s;
    switch (*rc::gen::inRange(0, 8)) {
      case 0:
      case 1:
      case 2: {
        const auto priority = static_cast<Priority>(*rc::gen::inRange(0, 3));
        const RowId row = box.commit(priority, *rc::gen::element<std::string>("", "a", "b", "c"));
        committed.insert(row);
        all[row] = box.rows[row];
        break;
      }
      case 3:
        box.drain.link_up(static_cast<std::size_t>(*rc::gen::inRange(1, 10)));
        break;
      case 4:  // a break: some of what was flying had arrived, its acknowledgement is lost
        for (const RowId row : flying) {
          if (*rc::gen::arbitrary<bool>()) arrive(row);
        }
        flying.clear();
        box.drain.link_down();
        break;
      case 5:
        if (!flying.empty()) {
          const RowId row = *flying.begin();
          flying.erase(row);
          box.drain.retry(row, box.now.mono + 2s);
        }
        break;
      default:
        pump();
        if (!flying.empty()) {
          const RowId row = *flying.begin();
          flying.erase(row);
          arrive(row);
          box.ack(row);
          box.ack(row);
        }
    }
  }
  box.drain.link_down();
  flying.clear();
  box.drain.link_up(100);
  for (int round = 0; round < 1000 && !box.rows.empty(); ++round) {
    box.now.mono += 1s;
    pump();
    for (const RowId row : std::exchange(flying, {})) {
      arrive(row);
      box.ack(row);
    }
  }
  RC_ASSERT(box.rows.empty());
  RC_ASSERT(seen == committed);
  std::map<std::pair<std::string, Priority>, RowId> last;
  for (const RowId row : arrived) {
    const Message& message = all.at(row);
    if (message.customer.empty()) continue;
    RowId& before = last[{message.customer.str(), message.priority}];
    RC_ASSERT(before < row);
    before = row;
  }
}

}  // namespace
}  // namespace welcome::sync
