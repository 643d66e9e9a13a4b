// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/store.h"

#include <algorithm>
#include <filesystem>
#include <gmock/gmock.h>

#include "tests/unit/store/fixture.h"

namespace welcome::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

VisitRow visit(const std::string& id, const std::string& customer, std::int64_t ms = 0) {
  VisitRow row;
  row.id = VisitId(id);
  row.customer = CustomerId(customer);
  row.started = wall(ms);
  row.detail = R"({"zone":"door"})";
  return row;
}

DecisionRow decision(const std::string& id, const std::string& customer, std::int64_t ms = 0) {
  DecisionRow row;
  row.id = DecisionId(id);
  row.visit = VisitId("v-1");
  row.customer = CustomerId(customer);
  row.at = wall(ms);
  row.kind = "offer";
  row.reason = "made";
  row.explain = R"([{"rule":"consent: proximity_offers","passed":true}])";
  return row;
}

class StoreOpenTest : public StoreTest {};

TEST_F(StoreOpenTest, SaysThatTheFileIsNewAndLaterThatItIsNot) {
  EXPECT_TRUE(store().open_report().created);
  reopen();
  EXPECT_FALSE(store().open_report().created);
  EXPECT_FALSE(store().open_report().set_aside);
}

TEST_F(StoreOpenTest, RefusesAnotherBoxKeyAndLeavesTheFileAlone) {
  close();
  auto opened = Store::open(path(), test_key(9));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::refused);
  reopen();
  EXPECT_FALSE(store().open_report().created);
}

TEST_F(StoreOpenTest, RefusesASecondProcess) {
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.registers().put("x", "y"); }));
  auto second = Store::open(path(), test_key());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
}

TEST_F(StoreOpenTest, SaysSoWhenTheDirectoryIsMissing) {
  auto opened = Store::open(dir_.file("nowhere/box.db"), test_key());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
}

class TransactionTest : public StoreTest {};

TEST_F(TransactionTest, WritesAllOrNothing) {
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    tx.journal().put_visit(visit("v-1", "c-paul"));
    tx.journal().add_decision(decision("d-1", "c-paul"));
    tx.outbox().enqueue(message("m-1", "c-paul", 1));
  }));
  // The second decision of the same id fails, and takes the rest with it.
  auto failed = store().transaction([&](Tx& tx) {
    tx.outbox().enqueue(message("m-2", "c-new", 1));
    tx.journal().add_decision(decision("d-1", "c-paul"));
    tx.journal().put_visit(visit("v-2", "c-paul"));
  });
  ASSERT_FALSE(failed);
  EXPECT_THAT(*store().journal().visits(10), SizeIs(1));
  EXPECT_THAT(*store().journal().decisions(10), SizeIs(1));
  EXPECT_EQ(store().outbox().count()->uplink, 1);
  // The key made for c-new was rolled back as well; a new one is made when it is needed.
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.outbox().enqueue(message("m-3", "c-new")); }));
  reopen();
  EXPECT_THAT(ids(*store().outbox().take(Link::uplink, 10, at())), ElementsAre("m-1", "m-3"));
}

TEST_F(TransactionTest, InsideAnotherIsPartOfIt) {
  auto outer = store().transaction([&](Tx& tx) {
    EXPECT_TRUE(store().transaction([](Tx& inner) { inner.registers().put("inner", "1"); }));
    tx.journal().put_visit(visit("v-1", "c-paul"));
    tx.outbox().enqueue(message("m", "c-paul"));
    EXPECT_FALSE(store().erasure().erase(CustomerId("c-paul"), MessageId("req"), at()));
    tx.journal().add_decision(decision("d-1", "c-paul"));
    tx.journal().add_decision(decision("d-1", "c-paul"));
  });
  EXPECT_FALSE(outer);
  EXPECT_EQ(*store().registers().get("inner"), std::nullopt);
  EXPECT_FALSE(*store().erasure().erased_at(CustomerId("c-paul")));
}

// The log is moved into the database while the store works, not only at its end: else the file
// grows for as long as the box runs.
TEST_F(TransactionTest, TheLogStaysShort) {
  const auto log_bytes = [&] { return std::filesystem::file_size(path() + "-wal"); };
  std::uintmax_t longest = 0;
  for (int n = 0; n < 400; ++n) {
    ASSERT_TRUE(store().transaction([&](Tx& tx) {
      for (int i = 0; i < 50; ++i) {
        const std::string id = std::to_string(50 * n + i);
        tx.journal().put_visit(visit("v-" + id, "c-" + id));
      }
    }));
    longest = std::max(longest, log_bytes());
  }
  EXPECT_GT(store().size()->database_bytes, 4 << 20);
  EXPECT_LE(longest, 4U << 20U);

  ASSERT_GT(store().size()->wal_bytes, 0);
  while (*store().maintain({})) {
  }
  EXPECT_LT(store().size()->wal_bytes, 1 << 20);
}

class JournalTest : public StoreTest {};

TEST_F(JournalTest, AVisitIsUpdatedInPlace) {
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.journal().put_visit(visit("v-1", "c-paul")); }));
  EXPECT_THAT(*store().journal().open_visits(), SizeIs(1));
  VisitRow over = visit("v-1", "c-paul");
  over.ended = wall(60'000);
  over.detail = "{}";
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.journal().put_visit(over); }));
  reopen();
  EXPECT_THAT(*store().journal().open_visits(), IsEmpty());
  auto back = store().journal().visit(VisitId("v-1"));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->customer, CustomerId("c-paul"));
  EXPECT_EQ(back->ended, wall(60'000));
  EXPECT_EQ(back->detail, "{}");
  EXPECT_EQ(store().journal().visit(VisitId("v-9")).error().code, ErrorCode::not_found);
}

TEST_F(JournalTest, ADecisionKeepsItsWholeExplanation) {
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.journal().add_decision(decision("d-1", "c-paul")); }));
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.journal().add_decision(decision("d-2", "c-paul", 5)); }));
  reopen();
  auto back = store().journal().decision(DecisionId("d-1"));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->explain, decision("d-1", "c-paul").explain);
  EXPECT_EQ(back->customer, CustomerId("c-paul"));
  EXPECT_THAT(*store().journal().decisions_of(VisitId("v-1")), SizeIs(2));
  EXPECT_EQ(store().journal().decisions(1)->front().id, DecisionId("d-2"));
}

TEST_F(JournalTest, WithdrawalErasesWhatCameFromSightings) {
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.journal().put_visit(visit("v-1", "c-paul")); }));
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.journal().add_decision(decision("d-1", "c-paul")); }));
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.journal().put_visit(visit("v-2", "c-mia")); }));
  for (const char* who : {"c-paul", "c-mia"}) {
    ASSERT_TRUE(store().transaction([&](Tx& tx) {
      return tx.journal().put_state(
          {StateRow::Kind::device, std::string("phone of ") + who, CustomerId(who), "{}"}, wall());
    }));
  }
  EXPECT_EQ(*store().transaction([&](Tx& tx) {
    return tx.journal().erase_sightings(CustomerId("c-paul")) +
           tx.journal().erase_states(CustomerId("c-paul"), StateRow::Kind::device);
  }),
            3U);
  EXPECT_THAT(*store().journal().visits(10), SizeIs(1));
  EXPECT_THAT(*store().journal().states(StateRow::Kind::device), SizeIs(1));
  EXPECT_THAT(*store().journal().decisions(10), IsEmpty());
}

TEST_F(JournalTest, AWithdrawalTakesWhatOnlyThatPurposeAllowed) {
  const CustomerId paul("c-paul");
  VisitRow row = visit("v-1", "c-paul");
  row.detail = R"({"timeline":[[1,"visit","came in"],[2,"face","confirmed"],[3,"prompt","made"]]})";
  OutboxRow offer = message("m-offer", "c-paul");
  offer.kind = OutboxKind::offer;
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    tx.journal().put_visit(row);
    tx.journal().put_state({StateRow::Kind::recording, "k", paul, "{}"}, wall());
    tx.journal().put_state({StateRow::Kind::device, "d", paul, "{}"}, wall());
    tx.people().add_template({TemplateId("t-1"), paul, "m", wall(), {1}});
    tx.outbox().enqueue(message("m-visit", "c-paul"));
    tx.outbox().enqueue(offer);
  }));
  const auto withdraw = [&](Purpose purpose) {
    ASSERT_TRUE(store().transaction([&](Tx& tx) { tx.withdraw(paul, purpose, wall(5)); }));
    EXPECT_EQ(*store().people().withdrawn_at(paul, purpose), wall(5));
  };
  withdraw(Purpose::face_recognition);
  EXPECT_THAT(*store().people().templates(), IsEmpty());
  EXPECT_THAT(*store().journal().states(StateRow::Kind::recording), IsEmpty());
  EXPECT_THAT(*store().journal().states(StateRow::Kind::device), SizeIs(1));
  EXPECT_EQ(store().journal().visit(VisitId("v-1"))->detail,
            R"({"timeline":[[1,"visit","came in"],[3,"prompt","made"]]})");
  EXPECT_EQ(store().outbox().count()->uplink, 2);
  withdraw(Purpose::visit_analytics);
  EXPECT_EQ(store().outbox().peek(10)->front().id, MessageId("m-offer"));
  withdraw(Purpose::proximity_offers);
  EXPECT_EQ(store().outbox().count()->uplink, 0);
  EXPECT_THAT(*store().journal().visits(10), IsEmpty());
  EXPECT_THAT(*store().journal().states(StateRow::Kind::device), IsEmpty());
}

TEST_F(JournalTest, PipelineStateIsGivenBackAfterARestart) {
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.journal().put_state({StateRow::Kind::visit, "v-1", CustomerId("c-paul"), "open"},
                                  wall());
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.journal().put_state({StateRow::Kind::store, "caps", CustomerId(), "12"}, wall());
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.journal().put_state({StateRow::Kind::facts, "c-paul", CustomerId("c-paul"), "note"},
                                  wall());
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.journal().put_state({StateRow::Kind::visit, "v-1", CustomerId("c-paul"), "moved"},
                                  wall());
  }));
  reopen();
  auto rows = store().journal().states();
  ASSERT_TRUE(rows);
  ASSERT_THAT(*rows, SizeIs(2));
  std::map<std::string, StateRow> by_key;
  for (const auto& row : *rows) by_key[row.key] = row;
  EXPECT_EQ(by_key["v-1"].value, "moved");
  EXPECT_EQ(by_key["v-1"].customer, CustomerId("c-paul"));
  EXPECT_EQ(by_key["caps"].value, "12");
  EXPECT_EQ(*store().journal().facts(CustomerId("c-paul")), "note");
  EXPECT_EQ(*store().journal().facts(CustomerId("c-mia")), std::nullopt);
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.journal().put_state({StateRow::Kind::visit, "v-1", {}, std::nullopt}, wall());
  }));
  EXPECT_THAT(*store().journal().states(), SizeIs(1));
}

class PeopleTest : public StoreTest {};

TEST_F(PeopleTest, TemplatesAreKeptWithTheModelThatMadeThem) {
  const TemplateRow row{TemplateId("t-1"), CustomerId("c-paul"), "best-1", wall(), {1, 0, 255}};
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.people().add_template(row); }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.people().add_template(
        {TemplateId("t-2"), CustomerId("c-bruno"), "best-1", wall(), {1}});
  }));
  reopen();
  auto rows = store().people().templates_of(CustomerId("c-paul"));
  ASSERT_TRUE(rows);
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_EQ(rows->front().bytes, row.bytes);
  EXPECT_EQ(rows->front().model, "best-1");
  EXPECT_THAT(*store().people().templates(), SizeIs(2));
  EXPECT_EQ(*store().transaction(
                [&](Tx& tx) { return tx.people().remove_templates(CustomerId("c-paul")); }),
            1U);
  EXPECT_THAT(*store().people().templates(), SizeIs(1));
}

TEST_F(PeopleTest, AgedTemplatesGoAndTheEnrolledStay) {
  const CustomerId paul("c-paul");
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.people().add_template({TemplateId("t-1"), paul, "best-1", wall(), {1}});
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.people().add_template({TemplateId("t-2"), paul, "best-1", wall(1), {2}, 0, wall(5)});
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.people().refute_templates(paul); }));
  reopen();
  const auto rows = store().people().templates_of(paul);
  ASSERT_THAT(*rows, SizeIs(2));
  EXPECT_EQ(rows->front().aged, std::nullopt);
  EXPECT_EQ(rows->back().aged, wall(5));
  EXPECT_EQ(rows->back().refuted, 1);
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.people().remove_aged(paul); }));
  ASSERT_THAT(*store().people().templates(), SizeIs(1));
  EXPECT_EQ(store().people().templates()->front().id, TemplateId("t-1"));
}

TEST_F(PeopleTest, DeskConsentsAreKeptOncePerChange) {
  const DeskConsentRow row{"change-1", CustomerId("c-paul"), wall(), R"({"record_id":"r"})"};
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.people().add_desk_consent(row); }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.people().add_desk_consent(row); }));
  reopen();
  auto rows = store().people().desk_consents();
  ASSERT_TRUE(rows);
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_EQ(rows->front().record, row.record);
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.people().remove_desk_consent("change-1"); }));
  EXPECT_THAT(*store().people().desk_consents_of(CustomerId("c-paul")), IsEmpty());
}

class RegistersTest : public StoreTest {};

TEST_F(RegistersTest, EveryStartHasItsOwnSessionNumber) {
  EXPECT_EQ(*store().transaction([&](Tx& tx) { return tx.registers().next_session(); }), 1);
  reopen();
  EXPECT_EQ(*store().transaction([&](Tx& tx) { return tx.registers().next_session(); }), 2);
}

TEST_F(RegistersTest, APauseHoldsAfterARestartAndAnOlderMessageDoesNotLiftIt) {
  ASSERT_TRUE(*store().transaction([&](Tx& tx) {
    return tx.registers().put_control({"_all", "face", 3, true, "signed"});
  }));
  reopen();
  EXPECT_FALSE(*store().transaction([&](Tx& tx) {
    return tx.registers().put_control({"_all", "face", 3, false, "replayed"});
  }));
  EXPECT_FALSE(*store().transaction([&](Tx& tx) {
    return tx.registers().put_control({"_all", "face", 2, false, "old"});
  }));
  auto rows = store().registers().controls();
  ASSERT_TRUE(rows);
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_TRUE(rows->front().paused);
  EXPECT_TRUE(*store().transaction([&](Tx& tx) {
    return tx.registers().put_control({"_all", "face", 4, false, "newer"});
  }));
  EXPECT_FALSE(store().registers().controls()->front().paused);
}

TEST_F(RegistersTest, CountersAddUpAcrossRestarts) {
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.registers().add_counter("expired", 2); }));
  reopen();
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.registers().add_counter("expired", 3); }));
  EXPECT_THAT(*store().registers().counters(), ElementsAre(std::pair("expired", 5)));
}

TEST_F(RegistersTest, SmallSettingsAreKept) {
  EXPECT_EQ(*store().registers().get("crm_key"), std::nullopt);
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.registers().put("crm_key", "k1"); }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.registers().put("crm_key", "k2"); }));
  reopen();
  EXPECT_EQ(*store().registers().get("crm_key"), "k2");
}

}  // namespace
}  // namespace welcome::store
