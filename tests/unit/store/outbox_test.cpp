#include "firmware/store/outbox.h"

#include <gmock/gmock.h>

#include "tests/unit/store/fixture.h"

namespace welcome::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class OutboxTest : public StoreTest {
 protected:
  Outbox& outbox() { return store().outbox(); }
  void enqueue(const OutboxRow& row) {
    auto done = outbox().enqueue(row);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::vector<std::string> taken(std::size_t limit = 100, Now now = at()) {
    auto rows = outbox().take(Link::uplink, limit, now);
    EXPECT_TRUE(rows);
    return ids(*rows);
  }
};

TEST_F(OutboxTest, GivesBackEveryFieldAfterARestart) {
  OutboxRow row = message("m1", "c-paul", 1);
  row.link = Link::floor;
  row.content_type = "application/json";
  row.response_topic = "answers/1";
  row.correlation = std::string("\0\x01", 2);
  row.qos = 0;
  row.retain = true;
  row.kind = "prompt";
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
  EXPECT_EQ(back.kind, "prompt");
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
  EXPECT_THAT(taken(), ElementsAre("visit started", "offer", "other", "visit ended"));
}

TEST_F(OutboxTest, ConsentOvertakesTheCustomersOwnMessages) {
  enqueue(message("visit started", "a", 2));
  enqueue(message("consent", "a", 0));
  EXPECT_THAT(taken(), ElementsAre("consent", "visit started"));
}

TEST_F(OutboxTest, HandsARowOutOnceUntilTheLinkIsReleased) {
  enqueue(message("m1", "a"));
  enqueue(message("m2", "a"));
  EXPECT_THAT(taken(1), ElementsAre("m1"));
  EXPECT_THAT(taken(), ElementsAre("m2"));
  EXPECT_THAT(taken(), IsEmpty());
  outbox().release(Link::uplink);
  EXPECT_THAT(taken(), ElementsAre("m1", "m2"));
}

TEST_F(OutboxTest, AcknowledgedRowsAreGoneAndTellWhatTheyWere) {
  OutboxRow row = message("m1", "a");
  row.kind = "offer";
  row.ref = "d-7";
  enqueue(row);
  const auto rows = outbox().take(Link::uplink, 1, at());
  auto notes = outbox().acked(std::vector{rows->front().row, std::int64_t{999}});
  ASSERT_TRUE(notes);
  ASSERT_EQ(notes->size(), 1U);
  EXPECT_EQ(notes->front().kind, "offer");
  EXPECT_EQ(notes->front().ref, "d-7");
  reopen();
  EXPECT_THAT(taken(), IsEmpty());
}

TEST_F(OutboxTest, ALateAcknowledgementNeverHitsANewRow) {
  enqueue(message("m1", "a"));
  const auto first = outbox().take(Link::uplink, 1, at())->front().row;
  ASSERT_TRUE(outbox().acked(std::vector{first}));
  enqueue(message("m2", "a"));
  ASSERT_TRUE(outbox().acked(std::vector{first}));
  EXPECT_THAT(taken(), ElementsAre("m2"));
}

TEST_F(OutboxTest, ExpiredRowsAreNotHandedOutAndAreCountedWhenRemoved) {
  OutboxRow prompt = message("late", "a", 1);
  prompt.kind = "prompt";
  prompt.ref = "d-1";
  prompt.expires = wall(1000);
  enqueue(prompt);
  enqueue(message("event", "a"));
  EXPECT_THAT(taken(10, at(1000)), ElementsAre("event"));
  auto gone = outbox().expire(at(1000));
  ASSERT_TRUE(gone);
  ASSERT_EQ(gone->size(), 1U);
  EXPECT_EQ(gone->front().ref, "d-1");
  EXPECT_EQ(outbox().count()->uplink, 1);
}

TEST_F(OutboxTest, WhileTheClockIsNotTrustedRowsWithATimeWaitAndNothingExpires) {
  OutboxRow prompt = message("prompt", "a", 1);
  prompt.expires = wall(1000);
  enqueue(prompt);
  enqueue(message("event", "b"));
  EXPECT_THAT(*outbox().expire(at(5000, false)), IsEmpty());
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
  offer.kind = "offer";
  enqueue(offer);
  enqueue(message("visit", "a"));
  OutboxRow other = message("other offer", "b", 1);
  other.kind = "offer";
  enqueue(other);
  const std::string_view kinds[] = {"offer", "survey"};
  EXPECT_EQ(*outbox().remove(CustomerId("a"), kinds), 1U);
  EXPECT_THAT(taken(), ElementsAre("other offer", "visit"));
  EXPECT_EQ(*outbox().remove(CustomerId("a"), {}), 1U);
  EXPECT_EQ(outbox().count()->uplink, 1);
}

TEST_F(OutboxTest, ADecisionTakenBackIsRemovedByItsReference) {
  OutboxRow offer = message("offer", "a", 1);
  offer.ref = "d-1";
  enqueue(offer);
  enqueue(message("visit", "a"));
  EXPECT_EQ(*outbox().remove_ref("d-1"), 1U);
  EXPECT_EQ(*outbox().remove_ref(""), 0U);
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

}  // namespace
}  // namespace welcome::store
