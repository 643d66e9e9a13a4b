// SPDX-License-Identifier: Apache-2.0
// What time takes away: consents that end (attack H7), and who it was in what is old.

#include <fstream>
#include <sstream>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

class AgeingTest : public CrmTest {
 protected:
  // One purpose alone, until `end`.
  void grant_until(const std::string& customer, WallTime end, WallTime now) {
    ConsentChange change;
    change.customer = customer;
    change.purpose = Purpose::proximity_offers;
    change.given = true;
    change.at = now;
    change.how = "crm";
    change.expires_at = end;
    ASSERT_TRUE(crm_->set_consent(change, now));
  }
  bool told(const std::string& customer) {
    return crm_->feed().get(Collection::profiles, customer).has_value();
  }
  bool told_key(const std::string& identity) {
    return crm_->feed().get(Collection::identities, identity).has_value();
  }
  std::string bytes_of_the_database() {
    std::ostringstream bytes;
    for (const char* end : {"", "-wal"}) {
      std::ifstream in(path() + end, std::ios::binary);
      bytes << in.rdbuf();
    }
    return bytes.str();
  }
};

TEST_F(AgeingTest, WhoseLastConsentHasEndedIsNotTold) {
  add("c-mia", "a-mia");
  grant_until("c-mia", now_ + 24h, now_);
  ASSERT_TRUE(crm_->put_identity({{"identity", "i-mia"},
                                  {"customer", "c-mia"},
                                  {"kind", "irk"},
                                  {"irk", "00112233445566778899aabbccddee01"}}));
  ASSERT_TRUE(told("c-mia"));
  ASSERT_TRUE(told_key("i-mia"));
  EXPECT_FALSE(crm_->let_consents_end(now_ + 23h, 10));
  EXPECT_TRUE(told("c-mia"));

  crm_->let_consents_end(now_ + 24h, 10);
  EXPECT_FALSE(told("c-mia"));
  EXPECT_FALSE(told_key("i-mia"));
  EXPECT_EQ(crm_->consents("c-mia").size(), 1U) << "the record is what stops an old grant";
  EXPECT_TRUE(told("c-paul")) << "his have no end";
  // What is put in later does not bring them back.
  ASSERT_TRUE(crm_->put_customer({{"customer", "c-mia"}, {"name", "Mia"}}, "a-mia", now_ + 25h));
  EXPECT_FALSE(told("c-mia"));

  grant_until("c-mia", now_ + 96h, now_ + 48h);
  EXPECT_TRUE(told("c-mia")) << "asked again, and said yes";
  EXPECT_TRUE(told_key("i-mia"));
  crm_->let_consents_end(now_ + 97h, 10);
  EXPECT_FALSE(told("c-mia"));
  crm_->let_consents_end(now_ + 49h, 10);
  EXPECT_TRUE(told("c-mia")) << "the clock had been ahead";
}

TEST_F(AgeingTest, ConsentsEndALittleAtATime) {
  for (int i = 0; i < 5; ++i) {
    const std::string customer = "c-" + std::to_string(i);
    add(customer, "a-" + std::to_string(i));
    grant_until(customer, now_ + 1h, now_);
  }
  int turns = 1;
  while (crm_->let_consents_end(now_ + 2h, 2)) ++turns;
  EXPECT_EQ(turns, 3);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(told("c-" + std::to_string(i)));
}

TEST_F(AgeingTest, WhoItWasIsForgottenWhenTheRecordsSaySo) {
  offer("e-1", "d-1", "c-paul");
  event("e-2", "staff.action", "c-paul",
        {{"visit", "v"}, {"staff", "eva"}, {"kind", "note"}, {"text", "canary-of-the-note"}});
  request("c-paul", {{"id", "q-1"}, {"kind", "complaint"}});
  intake_->work(now_);
  ASSERT_TRUE(crm_->note_conversation("c-paul", "about something else", now_ + 1h));
  const WallTime kept = now_ + std::chrono::days(365);
  EXPECT_FALSE(crm_->forget_the_old(kept - 1h, 100));
  EXPECT_FALSE(db_->query("SELECT 1 FROM ledger WHERE customer = 'c-paul'").empty());

  crm_->forget_the_old(kept + 1h, 100);
  EXPECT_TRUE(db_->query("SELECT 1 FROM ledger WHERE customer = 'c-paul'").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM offer WHERE customer = 'c-paul'").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM request WHERE customer = 'c-paul'").empty());
  EXPECT_EQ(db_->query("SELECT COUNT(*) FROM ledger").at(0).integer(0), 2) << "counts stay";
  EXPECT_EQ(db_->query("SELECT COUNT(*) FROM offer").at(0).integer(0), 1);
  EXPECT_TRUE(told("c-paul")) << "they are still a customer";
  EXPECT_TRUE(crm_->scrub_what_was_erased());
  EXPECT_EQ(bytes_of_the_database().find("canary-of-the-note"), std::string::npos);
}

TEST_F(AgeingTest, WhatWaitsToBeActedOnIsNotTooOld) {
  offer("e-1", "d-1", "c-paul");
  crm_->forget_the_old(now_ + std::chrono::days(400), 100);
  EXPECT_FALSE(db_->query("SELECT 1 FROM ledger WHERE customer = 'c-paul'").empty());
}

// On PostgreSQL a scrub is a VACUUM of everything, and there is news every minute.
TEST_F(AgeingTest, NewsAreForgottenWithoutAScrub) {
  crm_->tell_page("c-paul", "offers", now_);
  ASSERT_FALSE(crm_->news_after(0).empty());
  crm_->scrub_what_was_erased();
  crm_->forget_the_old(now_ + 1h, 100);
  EXPECT_TRUE(crm_->news_after(0).empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM setting WHERE name = 'scrub_due'").empty());
}

// Attack H4: killed between the commit of an erasure and the rest, or somebody was reading.
TEST_F(AgeingTest, BytesThatCouldNotBeScrubbedAreScrubbedLater) {
  event("e-2", "staff.action", "c-paul",
        {{"visit", "v"}, {"staff", "eva"}, {"kind", "note"}, {"text", "canary-of-the-note"}});
  intake_->work(now_);
  const auto reader = open_sqlite(path());
  reader->define("BEGIN");
  ASSERT_FALSE(reader->query("SELECT name FROM setting", {}).empty());
  {
    Transaction transaction(*db_);
    ASSERT_TRUE(crm_->forget("c-paul", now_));
    transaction.commit();
  }
  EXPECT_FALSE(crm_->scrub_what_was_erased()) << "a reader sees what was there before";
  EXPECT_NE(bytes_of_the_database().find("canary-of-the-note"), std::string::npos);
  reader->rollback();

  Crm after_a_kill(*db_);
  EXPECT_TRUE(after_a_kill.scrub_what_was_erased());
  EXPECT_EQ(bytes_of_the_database().find("canary-of-the-note"), std::string::npos);
}

}  // namespace
}  // namespace welcome::crm
