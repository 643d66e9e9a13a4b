// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/erasure.h"

#include <gmock/gmock.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "firmware/store/database.h"
#include "firmware/store/sealing.h"
#include "firmware/store/time_text.h"
#include "harness/agreed_time.h"
#include "tests/unit/store/fixture.h"

namespace welcome::store {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

constexpr const char* kPersonal[] = {"feed_item", "feed_brief", "visit",  "decision",
                                     "state",     "template",   "outbox", "desk_consent"};

// Everything a box can hold about one person, with the canary in every text.
void fill(Store& store, const std::string& customer, const std::string& canary, int n) {
  const CustomerId id(customer);
  const std::string text = R"({"name":")" + canary + R"("})";
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::profiles, FeedState{"e", n, {}},
                              std::vector{put(customer, n, customer, text)});
  }));
  auto consent = put("r-" + customer, n, customer, text);
  consent.item.brief = canary;
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::consents, FeedState{"e", n, {}}, std::vector{consent});
  }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::identities, FeedState{"e", n, {}},
                              std::vector{put("i-" + customer, n, customer, text)});
  }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    const std::string visit = "v-" + std::to_string(n);
    tx.journal().put_visit({VisitId(visit), id, wall(n), std::nullopt, text});
    for (int i = 0; i < 3; ++i) {
      tx.journal().add_decision({DecisionId("d-" + std::to_string(n) + "-" + std::to_string(i)),
                                 VisitId(visit), id, wall(n), "offer", "made", text});
      OutboxRow row = message("m-" + std::to_string(n) + "-" + std::to_string(i), customer);
      row.payload = text;
      row.topic = "topic/" + canary;
      tx.outbox().enqueue(row);
    }
    tx.journal().put_state({StateRow::Kind::facts, customer, id, text}, wall(n));
    tx.people().add_template({TemplateId("t-" + std::to_string(n)),
                              id,
                              "model",
                              wall(n),
                              {canary.begin(), canary.end()}});
    tx.people().add_desk_consent({"dc-" + std::to_string(n), id, wall(n), text});
  }));
}

class ErasureTest : public StoreTest {
 protected:
  Erasure& erasure() { return store().erasure(); }

  // The wrapped key and every sealed value of a customer, as they stand in the file.
  std::vector<std::string> stored_bytes(const std::string& customer) {
    close();
    std::vector<std::string> found;
    const Sealer sealer{std::span<const std::uint8_t, 32>(key_)};
    const CustomerHash hash = sealer.hash(CustomerId(customer));
    {
      Database db(path(), "", false);
      auto keys = db.query("SELECT wrapped FROM customer WHERE hash = ?", Blob{view(hash)});
      while (keys.step()) found.emplace_back(keys.blob(0));
      for (const char* table : kPersonal) {
        auto rows = db.prepare(std::string("SELECT sealed FROM ") + table +
                               " WHERE customer = (SELECT id FROM customer WHERE hash = ?)");
        rows.bind(1, Blob{view(hash)});
        while (rows.step()) found.emplace_back(rows.blob(0));
      }
    }
    reopen();
    return found;
  }

  BoxKey key_ = test_key();
};

TEST_F(ErasureTest, NothingPersonalIsLegibleInAnyFileEvenBefore) {
  fill(store(), "c-canary-id", "Canary-Name", 1);
  EXPECT_THAT(files_with(dir_.path(), "Canary-Name"), IsEmpty());
  EXPECT_THAT(files_with(dir_.path(), "c-canary-id"), IsEmpty());
  close();
  EXPECT_THAT(files_with(dir_.path(), "Canary-Name"), IsEmpty());
  EXPECT_THAT(files_with(dir_.path(), "c-canary-id"), IsEmpty());
}

TEST_F(ErasureTest, StaffAreLegibleInNoFileAndStayWhenACustomerIsErased) {
  fill(store(), "c-anna", "Paul", 1);  // a customer's id is no colleague's
  FeedChange change;
  change.item = {"c-anna", {}, 1, R"({"staff":"c-anna","name":"Canary-Name"})", {}};
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::staff, FeedState{"e", 1, {}}, std::vector{change});
  }));
  EXPECT_THAT(files_with(dir_.path(), "Canary-Name"), IsEmpty());
  ASSERT_TRUE(erasure().erase(CustomerId("c-anna"), MessageId("req-1"), at(5)));
  EXPECT_TRUE(store().replica().find(Collection::staff, "c-anna"));
  close();
  EXPECT_THAT(files_with(dir_.path(), "Canary-Name"), IsEmpty());
}

TEST_F(ErasureTest, ErasesEveryRowAndSaysHowMany) {
  fill(store(), "c-paul", "Paul", 1);
  fill(store(), "c-mia", "Mia", 2);
  auto receipt = erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at(5));
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_TRUE(receipt->bytes_gone);
  EXPECT_THAT(receipt->rows,
              testing::UnorderedElementsAre(
                  Pair("feed_item", 3), Pair("visit", 1), Pair("decision", 3), Pair("state", 1),
                  Pair("template", 1), Pair("desk_consent", 1), Pair("outbox", 3)));
  EXPECT_FALSE(store().replica().find(Collection::profiles, "c-paul"));
  EXPECT_TRUE(store().replica().find(Collection::profiles, "c-mia"));
  EXPECT_THAT(*store().journal().visits(10), SizeIs(1));
  EXPECT_THAT(*store().people().templates(), SizeIs(1));
  EXPECT_EQ(store().outbox().count()->uplink, 3);
  EXPECT_EQ(*store().journal().facts(CustomerId("c-paul")), std::nullopt);
  EXPECT_EQ(store().size()->customers, 1);
}

TEST_F(ErasureTest, TheReceiptSaysWhenAndWhat) {
  fill(store(), "c-paul", "Paul", 1);
  auto receipt = erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at(5));
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->request, MessageId("req-1"));
  EXPECT_EQ(time_text(receipt->at), "2026-05-28T20:26:40.005Z");
  EXPECT_EQ(receipt->rows.at("visit"), 1);
}

TEST_F(ErasureTest, BytesThatCannotBeRemovedAreSaidAndTriedAgain) {
  fill(store(), "c-paul", "Paul", 1);
  // Somebody's copy beside the database: it has the key.
  std::filesystem::copy_file(path() + "-wal", path() + ".mine");
  auto receipt = erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at(5));
  ASSERT_TRUE(receipt);
  EXPECT_FALSE(receipt->bytes_gone);
  EXPECT_EQ(receipt->rows.at("visit"), 1) << "the rows are gone all the same";
  const auto reported = [&] {
    return store().transaction([](Tx& tx) { tx.erasure().mark_reported(MessageId("req-1")); });
  };
  ASSERT_THAT(*erasure().unreported(), SizeIs(1));
  ASSERT_TRUE(reported());
  ASSERT_TRUE(erasure().scrub_again());
  ASSERT_THAT(*erasure().unreported(), SizeIs(1)) << "and is told as it is";
  EXPECT_FALSE(erasure().unreported()->front().bytes_gone);
  ASSERT_TRUE(reported());

  reopen();  // what to look for is not known any more, but the copy is there
  ASSERT_TRUE(erasure().scrub_again());
  EXPECT_FALSE(erasure().unreported()->front().bytes_gone);
  ASSERT_TRUE(reported());
  std::filesystem::remove(path() + ".mine");
  ASSERT_TRUE(erasure().scrub_again());
  const auto last = *erasure().unreported();
  ASSERT_THAT(last, SizeIs(1));
  EXPECT_TRUE(last.front().bytes_gone);
  EXPECT_EQ(last.front().customer, CustomerId("c-paul")) << "somebody must know whom it is about";
  EXPECT_EQ(last.front().rows.at("visit"), 1);
  ASSERT_TRUE(reported());
  EXPECT_EQ((*erasure().receipt(MessageId("req-1")))->customer, CustomerId());
  ASSERT_TRUE(erasure().scrub_again());
  EXPECT_THAT(*erasure().unreported(), IsEmpty());
}

TEST_F(ErasureTest, NoCopyOfTheKeyOrOfASealedRowStaysInAnyFile) {
  for (int n = 1; n <= 60; ++n) fill(store(), "c-" + std::to_string(n), "Canary", n);
  const auto bytes = stored_bytes("c-30");
  ASSERT_THAT(bytes, SizeIs(1 + 3 + 1 + 1 + 3 + 1 + 1 + 3 + 1));
  // More writing after it, so that pages split and copies wander.
  for (int n = 61; n <= 90; ++n) fill(store(), "c-" + std::to_string(n), "Canary", n);
  ASSERT_TRUE(erasure().erase(CustomerId("c-30"), MessageId("req"), at()));
  for (const auto& value : bytes) EXPECT_THAT(files_with(dir_.path(), value), IsEmpty());
  close();
  for (const auto& value : bytes) EXPECT_THAT(files_with(dir_.path(), value), IsEmpty());
}

TEST_F(ErasureTest, TheSameRequestAgainGivesTheSameReceipt) {
  fill(store(), "c-paul", "Paul", 1);
  auto first = erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at(5));
  auto again = erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at(9));
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->at, again->at);
  EXPECT_EQ(first->rows, again->rows);
  EXPECT_EQ(first->bytes_gone, again->bytes_gone);
}

TEST_F(ErasureTest, SomebodyUnknownGetsAReceiptToo) {
  auto receipt = erasure().erase(CustomerId("c-nobody"), MessageId("req-1"), at());
  ASSERT_TRUE(receipt);
  EXPECT_THAT(receipt->rows, IsEmpty());
  EXPECT_TRUE(receipt->bytes_gone);
  EXPECT_TRUE(*erasure().erased_at(CustomerId("c-nobody")));
}

TEST_F(ErasureTest, AReceiptIsOfferedUntilItWasPutInTheOutbox) {
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  reopen();
  auto waiting = erasure().unreported();
  ASSERT_TRUE(waiting);
  ASSERT_THAT(*waiting, SizeIs(1));
  EXPECT_EQ(waiting->front().request, MessageId("req-1"));
  EXPECT_EQ(waiting->front().customer, CustomerId("c-paul"));
  EXPECT_TRUE(waiting->front().bytes_gone);
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.erasure().mark_reported(MessageId("req-1")); }));
  EXPECT_THAT(*erasure().unreported(), IsEmpty());
  // Reported, nobody is named any more.
  EXPECT_EQ(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at())->customer,
            CustomerId());
}

TEST_F(ErasureTest, WhoWithdrewIsKnownByHashUntilTheErasure) {
  const CustomerId paul("c-paul");
  People& people = store().people();
  EXPECT_EQ(*people.withdrawn_at(paul, Purpose::face_recognition), std::nullopt);
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.people().note_withdrawal(paul, Purpose::face_recognition, wall(5));
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.people().note_withdrawal(paul, Purpose::face_recognition, wall(3));
  }));  // an older one
  reopen();
  EXPECT_EQ(*store().people().withdrawn_at(paul, Purpose::face_recognition), wall(5));
  EXPECT_EQ(*store().people().withdrawn_at(paul, Purpose::visit_analytics), std::nullopt);
  const auto all = *store().people().withdrawals();
  EXPECT_EQ(all.at({store().audit().subject_of(paul), Purpose::face_recognition}), wall(5));
  EXPECT_EQ(store().size()->customers, 0) << "no key is kept for it";
  const auto receipt = erasure().erase(paul, MessageId("req"), at());
  EXPECT_THAT(receipt->rows, testing::UnorderedElementsAre(Pair("withdrawal", 1)));
  EXPECT_EQ(*store().people().withdrawn_at(paul, Purpose::face_recognition), std::nullopt);
  EXPECT_THAT(*erasure().tombstones(), testing::ElementsAre(store().audit().subject_of(paul)));
}

TEST_F(ErasureTest, ALateFeedItemDoesNotBringThePersonBack) {
  fill(store(), "c-paul", "Paul", 1);
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  auto report = store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::profiles, FeedState{"e", 2, {}},
                              std::vector{put("c-paul", 2, "c-paul", "Paul")});
  });
  ASSERT_TRUE(report);
  EXPECT_EQ(report->withheld, 1U);
  EXPECT_FALSE(store().replica().find(Collection::profiles, "c-paul"));
  EXPECT_EQ(store().size()->customers, 0);
  // It still counts as received: no endless resync.
  EXPECT_EQ(*store().replica().seq_of(Collection::profiles, "c-paul"), 2);
}

TEST_F(ErasureTest, ErasingDoesNotMoveTheFeedsPosition) {
  fill(store(), "c-paul", "Paul", 1);
  const FeedState before = *store().replica().state(Collection::consents);
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  EXPECT_EQ(store().replica().state(Collection::consents)->digest, before.digest);
  EXPECT_EQ(store().replica().state(Collection::consents)->seq, before.seq);
}

TEST_F(ErasureTest, NothingNewIsWrittenAboutAForgottenPerson) {
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  auto refused =
      store().transaction([&](Tx& tx) { return tx.outbox().enqueue(message("m", "c-paul")); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_FALSE(store().transaction([&](Tx& tx) {
    return tx.journal().put_visit({VisitId("v"), CustomerId("c-paul"), wall(), {}, "{}"});
  }));
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.erasure().lift(CustomerId("c-paul"), at()); }));
  EXPECT_TRUE(
      store().transaction([&](Tx& tx) { return tx.outbox().enqueue(message("m", "c-paul")); }));
}

TEST_F(ErasureTest, WhoComesBackHasWithdrawnEverythingBefore) {
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  const auto erased = *erasure().erased_at(CustomerId("c-paul"));
  ASSERT_TRUE(erased);
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.erasure().lift(CustomerId("c-paul"), at()); }));
  for (const Purpose purpose : kAllPurposes) {
    EXPECT_EQ(*store().people().withdrawn_at(CustomerId("c-paul"), purpose), erased);
  }
}

TEST_F(ErasureTest, ErasesFromASnapshotThatIsStillComingIn) {
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::profiles, std::nullopt,
                              std::vector{put("c-paul", 1, "c-paul", "Paul")});
  }));
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.replica().apply(Collection::profiles, FeedState{"e", 2, {}},
                              std::vector{put("c-mia", 2, "c-mia", "Mia")});
  }));
  EXPECT_FALSE(store().replica().find(Collection::profiles, "c-paul"));
  EXPECT_TRUE(store().replica().find(Collection::profiles, "c-mia"));
}

TEST_F(ErasureTest, AFileThatWasSetAsideGoesWithTheFirstErasure) {
  close();
  std::ofstream(dir_.file("box.db.corrupt-1")) << "old";
  reopen();
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("box.db.corrupt-1")));
}

TEST_F(ErasureTest, ExportHasEverythingAboutThePersonAndNothingAboutOthers) {
  fill(store(), "c-paul", "Paul-Canary", 1);
  fill(store(), "c-mia", "Mia-Canary", 2);
  auto text = erasure().export_person(CustomerId("c-paul"), at());
  ASSERT_TRUE(text) << text.error().message;
  const json out = json::parse(*text);
  EXPECT_EQ(out["customer"], "c-paul");
  EXPECT_EQ(out["profiles"][0]["name"], "Paul-Canary");
  for (const char* list :
       {"profiles", "consents", "identities", "desk_consents", "face_templates", "visits"})
    EXPECT_THAT(out[list], SizeIs(1)) << list;
  EXPECT_THAT(out["decisions"], SizeIs(3));
  EXPECT_THAT(out["unsent"], SizeIs(3));
  EXPECT_EQ(out["facts"]["name"], "Paul-Canary");
  EXPECT_FALSE(out["erased"]);
  EXPECT_EQ(text->find("Mia"), std::string::npos);
}

// A table that is added and holds something of a person must be in the export, and be emptied by
// an erasure: then it is named here.
TEST_F(ErasureTest, NoTableThatKnowsAPersonIsForgotten) {
  const std::map<std::string, std::string> in_export{
      {"audit", "audit"},
      {"decision", "decisions"},
      {"desk_consent", "desk_consents"},
      {"feed_item", "profiles"},
      {"outbox", "unsent"},
      {"state", "open"},
      {"template", "face_templates"},
      {"visit", "visits"},
      {"withdrawal", "withdrawals"},
  };
  // Short forms and keys of what the others hold, and what is left of an erasure.
  const std::set<std::string> no_data{"customer", "feed_brief", "tombstone", "erasure",
                                      "audit_anchor"};
  const std::set<std::string> stay{"audit", "tombstone", "erasure", "audit_anchor"};

  fill(store(), "c-paul", "Paul", 1);
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.journal().put_state(
        {StateRow::Kind::visit, "v-1", CustomerId("c-paul"), R"({"zone":"desk"})"}, wall());
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.people().note_withdrawal(CustomerId("c-paul"), Purpose::face_recognition, wall());
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.audit().append(at(), "enrolment", "desk", CustomerId("c-paul"), "2 views");
  }));
  const json held = json::parse(*erasure().export_person(CustomerId("c-paul"), at()));
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req"), at()));

  close();
  {
    Database db(path(), "", false);
    auto tables = db.prepare(
        "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c"
        " WHERE t.schema = 'main' AND c.name IN ('customer', 'hash', 'subject')"
        " AND t.name NOT LIKE 'sqlite_%'");
    std::size_t seen = 0;
    while (tables.step()) {
      const std::string table(tables.text(0));
      const std::string column(tables.text(1));
      if (table == "audit" && column == "hash") continue;  // the chain's
      ++seen;
      if (no_data.contains(table)) continue;
      const auto part = in_export.find(table);
      ASSERT_NE(part, in_export.end()) << "add the table " << table << " to export and erasure";
      EXPECT_THAT(held[part->second], Not(IsEmpty())) << part->second;
      if (stay.contains(table)) continue;
      auto rows = db.prepare("SELECT count(*) FROM " + table + " WHERE " + column + " IS NOT NULL");
      ASSERT_TRUE(rows.step());
      EXPECT_EQ(rows.int64(0), 0) << table;
    }
    EXPECT_GE(seen, in_export.size());
  }
  reopen();
}

TEST_F(ErasureTest, ExportFollowsThePublishedSchema) {
  const auto parse = [](const std::string& text) { return json::parse(text); };
  const json schema_text = parse(bytes_of(std::filesystem::path(WELCOME_SOURCE_DIR) /
                                          "docs/schemas/box/customer-export.json"));
  valijson::Schema schema;
  const valijson::adapters::NlohmannJsonAdapter schema_adapter(schema_text);
  valijson::SchemaParser().populateSchema(schema_adapter, schema);
  const auto valid = [&](const json& value) {
    const valijson::adapters::NlohmannJsonAdapter adapter(value);
    return valijson::Validator().validate(schema, adapter, nullptr);
  };
  fill(store(), "c-paul", "Paul", 1);
  VisitRow ended{VisitId("v-2"), CustomerId("c-paul"), wall(), wall(1000), "\xff no JSON"};
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.journal().put_visit(ended); }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.people().note_withdrawal(CustomerId("c-paul"), Purpose::visit_analytics, wall());
  }));
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.audit().append(at(), "export", "crm", CustomerId("c-paul"), ""); }));
  EXPECT_TRUE(valid(parse(*erasure().export_person(CustomerId("c-paul"), at()))));
  EXPECT_TRUE(valid(parse(*erasure().export_person(CustomerId("c-nobody"), at()))));
  EXPECT_FALSE(valid(json{{"v", 1}}));
}

TEST_F(ErasureTest, ExportOfAForgottenPersonIsEmpty) {
  fill(store(), "c-paul", "Paul-Canary", 1);
  ASSERT_TRUE(erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  auto text = erasure().export_person(CustomerId("c-paul"), at());
  ASSERT_TRUE(text);
  EXPECT_EQ(text->find("Paul-Canary"), std::string::npos);
  EXPECT_TRUE(json::parse(*text)["erased"]);
}

class AuditTest : public StoreTest {
 protected:
  Audit& audit() { return store().audit(); }
  void append(const std::string& kind, const std::string& detail, std::int64_t ms = 0) {
    ASSERT_TRUE(store().transaction([&](Tx& tx) {
      return tx.audit().append(at(ms), kind, "desk", CustomerId("c-paul"), detail);
    }));
  }
  // As somebody with the file and a SQL shell could.
  void tamper(const char* sql) {
    close();
    {
      Database db(path(), "", false);
      db.script(sql);
    }
    reopen();
  }
};

TEST_F(AuditTest, TheTrailIsIntactAndNamesNobody) {
  append("enrolment", "2 views");
  append("consent", "face_recognition given");
  reopen();
  append("pause", "face");
  auto verdict = audit().verify();
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->intact);
  EXPECT_EQ(verdict->entries, 3);
  const auto entries = *audit().show(10);
  EXPECT_EQ(entries[0].kind, "pause");
  EXPECT_EQ(entries[2].kind, "enrolment");
  EXPECT_EQ(entries[2].subject, audit().subject_of(CustomerId("c-paul")));
  EXPECT_EQ(entries[2].subject.find("paul"), std::string::npos);
  EXPECT_EQ(audit().head()->seq, 3);
  EXPECT_EQ(audit().head()->hash, entries[0].hash);
}

TEST_F(AuditTest, AChangedEntryShows) {
  append("a", "1");
  append("b", "2");
  append("c", "3");
  tamper("UPDATE audit SET detail = '9' WHERE seq = 2");
  auto verdict = audit().verify();
  EXPECT_FALSE(verdict->intact);
  EXPECT_EQ(verdict->first_bad, 2);
}

TEST_F(AuditTest, ARemovedEntryShows) {
  append("a", "1");
  append("b", "2");
  append("c", "3");
  tamper("DELETE FROM audit WHERE seq = 2");
  EXPECT_EQ(audit().verify()->first_bad, 3);
}

TEST_F(AuditTest, AForgedEntryShows) {
  append("a", "1");
  append("b", "2");
  tamper("UPDATE audit SET signature = zeroblob(64) WHERE seq = 2");
  EXPECT_EQ(audit().verify()->first_bad, 2);
}

// A thousand consents at once need no thousand signatures: the last one covers all before it.
TEST_F(AuditTest, ATransactionIsSignedAtItsEnd) {
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    for (const char* detail : {"1", "2", "3"}) tx.audit().append(at(1), "a", "desk", {}, detail);
  }));
  append("b", "4");
  EXPECT_TRUE(audit().verify()->intact);
  EXPECT_EQ(audit().verify()->entries, 4);
  EXPECT_FALSE(audit().head()->signature.empty());

  const auto bad_after = [&](const char* sql) {
    tamper(sql);
    return audit().verify()->first_bad;
  };
  // Whoever cuts the trail off within a transaction is left with an end that nobody signed.
  EXPECT_EQ(bad_after("DELETE FROM audit WHERE seq > 2"), 1);
}

TEST_F(AuditTest, AChangedEntryOfATransactionShows) {
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    for (const char* detail : {"1", "2", "3"}) tx.audit().append(at(1), "a", "desk", {}, detail);
  }));
  tamper("UPDATE audit SET detail = '9' WHERE seq = 1");
  EXPECT_EQ(audit().verify()->first_bad, 1);
}

// What was rolled back is no part of the chain.
TEST_F(AuditTest, AFailedTransactionLeavesTheTrailAsItWas) {
  append("a", "1");
  const auto failed = store().transaction([&](Tx& tx) {
    tx.audit().append(at(1), "a", "desk", {}, "2");
    tx.journal().add_decision({});
    tx.journal().add_decision({});
  });
  ASSERT_FALSE(failed);
  append("a", "3");
  EXPECT_TRUE(audit().verify()->intact);
  EXPECT_EQ(audit().verify()->entries, 2);
}

TEST_F(AuditTest, AnErasureIsInTheTrail) {
  ASSERT_TRUE(store().erasure().erase(CustomerId("c-paul"), MessageId("req-1"), at()));
  const auto entries = *audit().show(10);
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0].kind, "erasure");
  EXPECT_EQ(entries[0].subject, audit().subject_of(CustomerId("c-paul")));
}

class RetentionTest : public StoreTest {
 protected:
  static constexpr std::int64_t kDay = 86'400'000;
  static bool erasure(Store& store) {
    return store.erasure().erase(CustomerId("c-gone"), MessageId("req"), at()) &&
           store.transaction([&](Tx& tx) { return tx.erasure().mark_reported(MessageId("req")); });
  }
};

TEST_F(RetentionTest, WhatIsTooOldGoesAndTheRestStays) {
  fill(store(), "c-paul", "Paul", 1);
  VisitRow ended{VisitId("v-old"), CustomerId("c-mia"), wall(), wall(1000), "{}"};
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.journal().put_visit(ended); }));
  ASSERT_TRUE(
      store().transaction([&](Tx& tx) { return tx.audit().append(at(0), "a", "box", {}, ""); }));
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.audit().append(at(500 * kDay), "b", "box", {}, ""); }));
  const std::string gone = store().audit().account(1)->before;
  auto removed = store().transaction(
      [&](Tx& tx) { return tx.registers().apply_retention({}, test::agreed(at(91 * kDay))); });
  ASSERT_TRUE(removed);
  EXPECT_THAT(*removed, testing::UnorderedElementsAre(Pair("visit", 1), Pair("decision", 3),
                                                      Pair("outbox", 3)));
  // An open visit stays whatever its age.
  EXPECT_THAT(*store().journal().visits(10), SizeIs(1));

  removed = store().transaction(
      [&](Tx& tx) { return tx.registers().apply_retention({}, test::agreed(at(1096 * kDay))); });
  EXPECT_THAT(*removed, testing::UnorderedElementsAre(Pair("state", 1), Pair("template", 1),
                                                      Pair("audit", 1)));
  EXPECT_TRUE(store().audit().verify()->intact);
  EXPECT_EQ(store().audit().verify()->entries, 1);
  // Who remembers an entry that is gone is told where the log begins; of the last one the hash.
  const auto entry = [&](std::int64_t of) { return store().audit().account(of).value(); };
  EXPECT_EQ(entry(1).since, 2);
  EXPECT_EQ(entry(1).before, gone);
  EXPECT_EQ(entry(2).before, store().audit().head()->hash);
  EXPECT_EQ(entry(7).before, "");
  EXPECT_EQ(entry(0).before, "");
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.audit().append(at(1097 * kDay), "c", "box", {}, ""); }));
  EXPECT_TRUE(store().audit().verify()->intact);
  // And when all of them are.
  const auto newest = entry(0);
  removed = store().transaction(
      [&](Tx& tx) { return tx.registers().apply_retention({}, test::agreed(at(9000 * kDay))); });
  ASSERT_TRUE(removed);
  EXPECT_EQ(store().audit().verify()->entries, 0);
  EXPECT_EQ(entry(0).seq, newest.seq);
  EXPECT_EQ(entry(0).hash, newest.hash);
  EXPECT_EQ(store().audit().head()->seq, newest.seq) << "it is where it was";
}

// One row of everything, and the clock moved behind each term in turn.
TEST_F(RetentionTest, EachTableHasItsTerm) {
  const Retention keep;
  const auto after = [&](std::chrono::days term) { return at((term.count() + 1) * kDay); };
  fill(store(), "c-paul", "Paul", 1);
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.journal().put_visit(
        {VisitId("v-old"), CustomerId("c-mia"), wall(), wall(1000), "{}"});
  }));
  ASSERT_TRUE(store().transaction([&](Tx& tx) {
    return tx.people().note_withdrawal(CustomerId("c-paul"), Purpose::face_recognition, wall());
  }));
  ASSERT_TRUE(erasure(store()));
  const auto removed = [&](std::chrono::days term) {
    std::set<std::string> tables;
    const auto counts = store().transaction(
        [&](Tx& tx) { return tx.registers().apply_retention(keep, test::agreed(after(term))); });
    EXPECT_TRUE(counts);
    for (const auto& [table, rows] : *counts) tables.insert(table);
    return tables;
  };
  using Tables = std::set<std::string>;
  EXPECT_EQ(removed(keep.outbox), Tables{"outbox"});
  EXPECT_EQ(removed(keep.visits), (Tables{"visit", "decision"}));
  EXPECT_EQ(removed(keep.templates), Tables{"template"});
  EXPECT_EQ(removed(keep.facts), Tables{"state"});
  EXPECT_EQ(removed(keep.receipts), Tables{"erasure"});
  EXPECT_EQ(removed(keep.tombstones), (Tables{"tombstone", "withdrawal", "audit"}));
}

TEST_F(RetentionTest, UnsentConsentMessagesStay) {
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.outbox().enqueue(message("consent", "c-paul", 0)); }));
  EXPECT_THAT(*store().transaction([&](Tx& tx) {
    return tx.registers().apply_retention({}, test::agreed(at(900 * kDay)));
  }),
              IsEmpty());
  EXPECT_EQ(store().outbox().count()->uplink, 1);
}

// Kept for years too long otherwise, and nobody who was erased could come back.
TEST_F(RetentionTest, WhatAClockInTheFutureHasWrittenCountsFromWhenTheTimeIsCertain) {
  const std::int64_t ahead = 4 * 365 * kDay;
  ASSERT_TRUE(store().erasure().erase(CustomerId("c-gone"), MessageId("req"), at(ahead)));
  VisitRow visit{VisitId("v-ahead"), CustomerId("c-mia"), wall(ahead), wall(ahead + 1000), "{}"};
  ASSERT_TRUE(store().transaction([&](Tx& tx) { return tx.journal().put_visit(visit); }));
  const auto apply = [&](std::int64_t ms) {
    return *store().transaction(
        [&](Tx& tx) { return tx.registers().apply_retention({}, test::agreed(wall(ms))); });
  };
  EXPECT_THAT(apply(kDay), IsEmpty());
  EXPECT_EQ(*store().erasure().erased_at(CustomerId("c-gone")), wall(kDay));
  EXPECT_THAT(apply(92 * kDay), testing::ElementsAre(Pair("visit", 1)));
}

TEST_F(RetentionTest, WhoeverIsErasedWhileNobodyKnowsTheTimeIsErasedAfterAllThatWasEverSigned) {
  ASSERT_TRUE(store().erasure().erase(CustomerId("c-gone"), MessageId("req"), at(0, false)));
  EXPECT_GT(**store().erasure().erased_at(CustomerId("c-gone")), wall(7000 * kDay));
  ASSERT_TRUE(store().transaction(
      [&](Tx& tx) { return tx.registers().apply_retention({}, test::agreed(wall(kDay))); }));
  EXPECT_EQ(*store().erasure().erased_at(CustomerId("c-gone")), wall(kDay));
}

}  // namespace
}  // namespace welcome::store
