// SPDX-License-Identifier: Apache-2.0
// Consent, erasure, signatures and what staff learnt, at the CRM.

#include <fstream>
#include <sqlite3.h>
#include <sstream>

#include "contract/signing.h"
#include "core/pipeline.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class RecordsTest : public CrmTest {
 protected:
  // Every row of a table as text, read past the CRM.
  std::vector<std::string> everything_in(const std::string& table) {
    std::vector<std::string> out;
    sqlite3* raw = nullptr;
    EXPECT_EQ(sqlite3_open(path().c_str(), &raw), SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(raw, ("SELECT * FROM " + table).c_str(), -1, &statement, nullptr),
              SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      std::string row;
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        row.append(text != nullptr ? text : "").append("|");
      }
      out.push_back(row);
    }
    sqlite3_finalize(statement);
    sqlite3_close(raw);
    return out;
  }
};

json record_of(Crm& crm, const std::string& customer, Purpose purpose) {
  for (json& record : crm.consents(customer)) {
    if (record.at("purpose") == to_string(purpose)) return record;
  }
  return {};
}

TEST_F(RecordsTest, AWithdrawalWinsATieAndAnOlderGrantNeverCounts) {
  const Purpose face = Purpose::face_recognition;
  consent("c-paul", face, false, kMay);
  EXPECT_FALSE(crm_->given("c-paul", kMay).has(face));
  consent("c-paul", face, true, kMay);
  EXPECT_FALSE(crm_->given("c-paul", kMay).has(face)) << "a tie";
  consent("c-paul", face, true, kJanuary + std::chrono::hours(1));
  EXPECT_FALSE(crm_->given("c-paul", kMay).has(face)) << "older than the withdrawal";
  consent("c-paul", face, true, kMay + std::chrono::milliseconds(1));
  EXPECT_TRUE(crm_->given("c-paul", kMay).has(face));
  EXPECT_EQ(record_of(*crm_, "c-paul", face).at("history").size(), 3U)
      << "given, withdrawn, given: what was given already is no step";
}

TEST_F(RecordsTest, SayingTheSameAgainChangesNothing) {
  const Position before = crm_->feed().head(Collection::consents);
  consent("c-paul", Purpose::face_recognition, true, kJanuary);
  EXPECT_EQ(crm_->feed().head(Collection::consents), before);
}

TEST_F(RecordsTest, AGrantEndsWhenItExpires) {
  ConsentChange change;
  change.customer = "c-paul";
  change.purpose = Purpose::face_recognition;
  change.given = true;
  change.how = "app";
  change.at = kMay;
  change.expires_at = kMay + std::chrono::hours(1);
  ASSERT_TRUE(crm_->set_consent(change, kMay));
  EXPECT_TRUE(crm_->given("c-paul", kMay).has(Purpose::face_recognition));
  EXPECT_FALSE(crm_->given("c-paul", *change.expires_at).has(Purpose::face_recognition));
}

TEST_F(RecordsTest, ARecordNamesTheAgeingOfTemplatesAsTheNewestGrantDoes) {
  const auto names = [&] {
    const json record = record_of(*crm_, "c-paul", Purpose::face_recognition);
    return record.at("data_categories").dump().find("face_template_ageing") != std::string::npos;
  };
  EXPECT_FALSE(names());
  ConsentChange change;
  change.customer = "c-paul";
  change.purpose = Purpose::face_recognition;
  change.given = true;
  change.how = "desk";
  change.at = kMay;
  change.ageing = true;
  ASSERT_TRUE(crm_->set_consent(change, kMay));
  EXPECT_TRUE(names());
  consent("c-paul", Purpose::face_recognition, true, kMay + std::chrono::hours(1));
  EXPECT_FALSE(names());
}

TEST_F(RecordsTest, ANewKeyIsListedBeforeItSignsAndThenSignsEverything) {
  see_box("aroma-1", "box-1");
  offer("e-1", "d-1", "c-paul");
  const auto sign_all_again = [&] {
    std::string from;
    int parts = 0;
    while (crm_->sign_consents_again(from, 2)) ++parts;
    return parts;
  };
  const std::string first = crm_->new_signing_key(kMay);
  sign_all_again();
  request("c-paul", {{"id", "q-1"}, {"kind", "complaint"}});
  intake_->work(now_);
  const std::string second = crm_->new_signing_key(kMay + std::chrono::hours(1));
  const auto ring = contract::KeyRing::parse(crm_->public_keys());
  ASSERT_TRUE(ring) << ring.error().message;
  const auto signed_by = [&](const json& record) {
    EXPECT_TRUE(ring->verify(record.dump()));
    return record.at("sig").at("key").get<std::string>();
  };
  for (const json& record : crm_->consents("c-paul")) EXPECT_EQ(signed_by(record), first);
  ASSERT_TRUE(crm_->use_signing_key(second, kMay + std::chrono::hours(2)));
  EXPECT_EQ(sign_all_again(), 3) << "five consents, two at a time";
  consent("c-paul", Purpose::face_recognition, false, kMay);
  for (const json& record : crm_->consents("c-paul")) EXPECT_EQ(signed_by(record), second);
  const Rows commands = db_->query("SELECT payload FROM command", {});
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_FALSE(json::parse(commands[0].text(0)).contains("sig")) << "signed when it is sent";
  EXPECT_FALSE(crm_->use_signing_key(first, kMay + std::chrono::hours(3))) << "it is gone";
}

// Attack H3: whoever copies the database signs nothing.
TEST_F(RecordsTest, ASecretKeyIsNeverInTheDatabase) {
  const std::string first = crm_->new_signing_key(kMay);
  std::ifstream file(path() + ".keys/" + first + ".seed");
  std::string seed;
  ASSERT_TRUE(std::getline(file, seed));
  ASSERT_EQ(seed.size(), 64U);
  EXPECT_EQ(std::filesystem::status(path() + ".keys").permissions(), std::filesystem::perms(0700));
  EXPECT_EQ(std::filesystem::status(path() + ".keys/" + first + ".seed").permissions(),
            std::filesystem::perms(0600));
  for (const auto& part : std::filesystem::directory_iterator(dir_)) {
    if (!part.is_regular_file()) continue;
    std::ifstream in(part.path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    EXPECT_EQ(bytes.str().find(seed), std::string::npos) << part.path();
  }

  // Its successor is used: nobody signs with the first any more.
  const std::string second = crm_->new_signing_key(kMay);
  ASSERT_TRUE(crm_->use_signing_key(second, kMay));
  crm_->destroy_retired_keys();
  EXPECT_FALSE(std::filesystem::exists(path() + ".keys/" + first + ".seed"));
  EXPECT_EQ(crm_->signer()->key_id(), second);
}

TEST_F(RecordsTest, AKeyThatAnOlderVersionLeftInTheDatabaseIsTakenOutOfIt) {
  const std::string id = crm_->new_signing_key(kMay);
  const std::filesystem::path file = path() + ".keys/" + id + ".seed";
  const auto key = crm_->signer()->public_key();
  std::string seed;
  std::ifstream(file) >> seed;
  std::filesystem::remove(file);
  db_->execute("UPDATE signing_key SET seed = $1", {seed});

  Crm updated(*db_, SigningKeys(path() + ".keys"));
  ASSERT_TRUE(updated.holds_keys());
  updated.move_keys_out();
  updated.scrub_what_was_erased();
  EXPECT_FALSE(updated.holds_keys());
  EXPECT_EQ(updated.signer()->public_key(), key);
  for (const char* end : {"", "-wal"}) {
    std::ifstream in(path() + end, std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    EXPECT_EQ(bytes.str().find(seed), std::string::npos) << "crm.db" << end;
  }
}

TEST_F(RecordsTest, AKeyThatIsNotThereOrThatOthersCanReadIsSaid) {
  const std::string id = crm_->new_signing_key(kMay);
  const std::filesystem::path file = path() + ".keys/" + id + ".seed";
  const auto says = [&](const SigningKeys& keys) -> std::string {
    try {
      (void)Crm(*db_, keys).signer();
      return "nothing";
    } catch (const DatabaseError& error) {
      return error.what();
    }
  };
  EXPECT_NE(says(SigningKeys()).find("--signing-keys"), std::string::npos);
  std::filesystem::permissions(file, std::filesystem::perms(0640));
  EXPECT_NE(says(SigningKeys(file.parent_path())).find("chmod 600"), std::string::npos);
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  std::ofstream(file) << "half a key";
  EXPECT_NE(says(SigningKeys(file.parent_path())).find("damaged"), std::string::npos);
  std::filesystem::remove(file);
  EXPECT_NE(says(SigningKeys(file.parent_path())).find("put its file back"), std::string::npos);
}

TEST_F(RecordsTest, AConfirmedPreferenceGrowsSurerAndAChangedOneStartsAnew) {
  ASSERT_TRUE(crm_->note_preference("c-paul", {"drink", "still water", true}, kJanuary));
  ASSERT_TRUE(crm_->note_preference("c-paul", {"drink", "still water", false}, kMay));
  json preference = crm_->profile("c-paul")->at("preferences").at(0);
  EXPECT_EQ(preference.at("confirmed"), 2);
  EXPECT_DOUBLE_EQ(preference.at("confidence"), 0.72) << "as the box learns it";
  EXPECT_EQ(preference.at("source"), "staff");
  ASSERT_TRUE(crm_->note_preference("c-paul", {"drink", "tea", true}, kJanuary));
  EXPECT_EQ(crm_->profile("c-paul")->at("preferences").at(0).at("value"), "still water")
      << "older news does not replace newer";
  ASSERT_TRUE(crm_->note_preference("c-paul", {"drink", "tea", true}, kMay));
  preference = crm_->profile("c-paul")->at("preferences").at(0);
  EXPECT_EQ(preference.at("value"), "tea");
  EXPECT_EQ(preference.at("confirmed"), 1);
}

TEST_F(RecordsTest, TheNewestConversationStays) {
  ASSERT_TRUE(crm_->note_conversation("c-paul", "new", kMay));
  ASSERT_TRUE(crm_->note_conversation("c-paul", "old", kJanuary));
  EXPECT_EQ(crm_->profile("c-paul")->at("last_conversation").at("text"), "new");
}

TEST_F(RecordsTest, ErasureIsCompleteWhenTheLastBoxHasConfirmed) {
  see_box("aroma-1", "box-1");
  see_box("aroma-2", "box-1");
  offer("e-1", "d-1", "c-paul");
  const auto id = crm_->forget("c-paul", kMay);
  ASSERT_TRUE(id);
  EXPECT_FALSE(crm_->profile("c-paul"));
  EXPECT_FALSE(crm_->erasure("c-paul")->done_at);
  EXPECT_EQ(db_->query("SELECT payload FROM command", {}).size(), 2U);

  crm_->erasure_done(*id, "aroma-1", "box-1", "{}", kMay);
  EXPECT_FALSE(crm_->erasure(*id)->done_at);
  EXPECT_EQ(db_->query("SELECT store FROM command", {}).at(0).text(0), "aroma-2");
  EXPECT_LT(crm_->feed().oldest(Collection::profiles), crm_->feed().head(Collection::profiles).seq)
      << "the late box can still be told by a delta";

  crm_->erasure_done(*id, "aroma-2", "box-1", "{}", kMay);
  EXPECT_TRUE(crm_->erasure(*id)->done_at);
  EXPECT_EQ(crm_->feed().oldest(Collection::profiles), crm_->feed().head(Collection::profiles).seq);
}

TEST_F(RecordsTest, AnErasureFindsWhatWasSaidUnderAFormerAppId) {
  see_box("aroma-1", "box-1");
  request("c-paul", {{"id", "q-1"},
                     {"kind", "survey.answer"},
                     {"survey", "s"},
                     {"survey_kind", "nps"},
                     {"score", 9},
                     {"text", "Nice."}});
  event("e-1", "feed.rejected", "",
        {{"collection", "profiles"},
         {"key", "c-paul"},
         {"seq", 1},
         {"reason", "item.profiles: name"}});
  intake_->work(now_);
  add("c-paul", "a-paul-2");
  EXPECT_EQ(crm_->export_customer("c-paul", now_)->at("app_requests").size(), 1U);
  const auto id = crm_->forget("c-paul", now_);
  ASSERT_TRUE(id);
  crm_->erasure_done(*id, "aroma-1", "box-1", "{}", now_);
  for (const Row& table : db_->query("SELECT name FROM sqlite_master WHERE type = 'table' AND "
                                     "name NOT LIKE 'sqlite_%'")) {
    std::string all;
    for (const auto& row : everything_in(table.text(0))) all += row + "\n";
    EXPECT_EQ(all.find("a-paul"), std::string::npos) << table.text(0) << ":\n" << all;
    EXPECT_EQ(all.find("c-paul"), std::string::npos) << table.text(0) << ":\n" << all;
  }
  EXPECT_EQ(db_->query("SELECT COUNT(*) FROM survey_answer").at(0).integer(0), 1) << "counts stay";
}

TEST_F(RecordsTest, AnErasedCustomerIsInNoFileAndDoesNotComeBack) {
  see_box("aroma-1", "box-1");
  offer("e-1", "d-1", "c-paul");
  event("e-2", "staff.action", "c-paul",
        {{"visit", "v"}, {"staff", "eva"}, {"kind", "note"}, {"text", "canary-of-the-note"}});
  request("c-paul", {{"id", "q-1"}, {"kind", "complaint"}});
  intake_->work(now_);
  const auto id = crm_->forget("c-paul", kMay);
  ASSERT_TRUE(id);
  crm_->erasure_done(*id, "aroma-1", "box-1", "{}", kMay);
  db_->scrub();

  const auto again = crm_->put_customer({{"customer", "c-paul"}, {"name", "Paul"}}, "", kMay);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::refused);
  EXPECT_TRUE(event("e-3", "visit.started", "c-paul",
                    {{"visit", "v"}, {"zone", "door"}, {"level", "near"}}))
      << "a late event is counted";
  intake_->work(now_);
  db_->scrub();
  for (const auto& file : std::filesystem::directory_iterator(dir_)) {
    std::ifstream in(file.path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    for (const char* canary : {"c-paul", "a-paul", "Name of", "canary-of-the-note"}) {
      EXPECT_EQ(bytes.str().find(canary), std::string::npos) << canary << " in " << file.path();
    }
  }
}

// Versions before had messages to customers' apps wait for the broker.
TEST_F(RecordsTest, WhatWaitedForAnAppIsGoneWithTheNextVersion) {
  db_->define(
      "CREATE TABLE outbox (id TEXT, topic TEXT, payload TEXT, customer TEXT, refused TEXT)");
  db_->execute(
      "INSERT INTO outbox (id, topic, payload, customer) VALUES "
      "('m-1', 'welcome/v1/demo/app/a-paul/inbox', 'canary-of-the-offer', 'c-paul')");
  back_to(11);
  migrate(*db_);
  EXPECT_TRUE(db_->query("SELECT 1 FROM passkey").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM sqlite_master WHERE name LIKE 'outbox%'").empty());
  db_->scrub();
  std::ifstream in(path(), std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  EXPECT_EQ(bytes.str().find("canary-of-the-offer"), std::string::npos);
}

TEST_F(RecordsTest, PausesAreNumberedAndTheNewestOfAFunctionCounts) {
  const auto first = crm_->set_control("_all", Function::face, true, kMay);
  const auto second = crm_->set_control("_all", Function::face, false, kMay);
  EXPECT_GT(second.seq, first.seq);
  ASSERT_EQ(crm_->controls().size(), 1U);
  EXPECT_FALSE(crm_->controls()[0].paused);
}

TEST_F(RecordsTest, WhatIsNotInitialisedSaysWhatToDo) {
  const auto empty = open_sqlite((dir_ / "empty.db").string());
  migrate(*empty);
  try {
    Crm crm(*empty);
    FAIL() << "an empty database was taken";
  } catch (const DatabaseError& error) {
    EXPECT_NE(std::string(error.what()).find("welcome-crm init"), std::string::npos);
  }
}

}  // namespace
}  // namespace welcome::crm
