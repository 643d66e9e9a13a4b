// SPDX-License-Identifier: Apache-2.0
// A box's erasure counts when the box's own key signed the receipt, and whose key that is.

#include <gtest/gtest.h>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class ReceiptTest : public CrmTest {
 protected:
  ReceiptTest() {
    see_box("aroma-1", "box-1");
    erasure_ = crm_->forget("c-paul", now_).value();
  }
  void says(const contract::Signer& key) {
    crm_->box_says_key("aroma-1", "box-1", key.public_key(), now_);
  }
  // The box's standing in `erasure status` after this receipt.
  ErasureBox after(const json& data) {
    event("e-" + std::to_string(++events_), "erasure.receipt", "", data);
    intake_->work(now_);
    return standing();
  }
  ErasureBox standing() { return crm_->erasure(erasure_)->boxes.at(0); }
  bool told() { return !db_->query("SELECT 1 FROM command").empty(); }

  const contract::Signer key_{"box-1", contract::Signer::new_seed()};
  const contract::Signer other_{"box-1", contract::Signer::new_seed()};
  std::string erasure_;
  int events_ = 0;
};

TEST_F(ReceiptTest, WhatTheBoxsKeyDidNotSignDoesNotCountAndSaysWhy) {
  says(key_);
  const json good = receipt(erasure_, "c-paul", &key_);
  json more = good;
  more["erased"]["visits"] = 4;
  json renamed = receipt(erasure_, "c-paul", &key_, "box-2");
  const contract::Signer by_another_name("box-2", contract::Signer::new_seed());
  const std::pair<json, const char*> bad[] = {
      {receipt(erasure_, "c-paul"), "it is not signed"},
      {receipt(erasure_, "c-paul", &other_), "its signature is wrong"},
      {receipt(erasure_, "c-paul", &by_another_name), "its signature is wrong"},
      {receipt(erasure_, "c-mia", &key_), "its signature is wrong"},
      {more, "its signature is wrong"},
      {renamed, "it is another box's"},
  };
  std::uint64_t refused = 0;
  for (const auto& [data, why] : bad) {
    const ErasureBox box = after(data);
    EXPECT_FALSE(box.done_at) << data;
    EXPECT_EQ(box.refused, why);
    EXPECT_EQ(notes().back(), std::string("refused: ") + why);
    EXPECT_EQ(intake_->counters().receipts_refused, ++refused);
    EXPECT_FALSE(crm_->erasure(erasure_)->done_at);
    EXPECT_TRUE(told()) << "the box is told until it has proved it";
  }
  const ErasureBox box = after(good);
  EXPECT_TRUE(box.done_at);
  EXPECT_EQ(box.refused, "");
  EXPECT_TRUE(crm_->erasure(erasure_)->done_at);
  EXPECT_FALSE(told());
}

TEST_F(ReceiptTest, ABoxIsTickedOffWhenTheBytesAreGoneAndNotBefore) {
  says(key_);
  const std::pair<json, const char*> open[] = {
      {false, "the bytes are not gone yet"},
      {json(), "it does not say that the bytes are gone: the box is older than 0.2.0"},
  };
  for (const auto& [bytes_gone, why] : open) {
    const ErasureBox box = after(receipt(erasure_, "c-paul", &key_, "box-1", bytes_gone));
    EXPECT_FALSE(box.done_at) << why;
    EXPECT_EQ(box.refused, why);
    EXPECT_FALSE(crm_->erasure(erasure_)->done_at);
    EXPECT_TRUE(told()) << "it is asked again";
  }
  EXPECT_TRUE(after(receipt(erasure_, "c-paul", &key_)).done_at);
  EXPECT_TRUE(crm_->erasure(erasure_)->done_at);
}

TEST_F(ReceiptTest, AnAnswerAloneDoesNotEndAnErasure) {
  crm_->answered(erasure_, "aroma-1", "box-1");
  EXPECT_TRUE(told());
}

TEST_F(ReceiptTest, CountsAsSoonAsTheBoxHasSaidItsKey) {
  EXPECT_EQ(after(receipt(erasure_, "c-paul", &key_)).refused, "the box has not said its key");
  says(key_);
  intake_->work(now_);
  EXPECT_TRUE(standing().done_at);
  EXPECT_EQ(notes().back(), "");
}

TEST_F(ReceiptTest, AnotherKeyCountsWhenAnOperatorTrustsIt) {
  says(key_);
  EXPECT_FALSE(crm_->box_says_key("aroma-1", "box-1", other_.public_key(), now_));
  EXPECT_EQ(crm_->box_key("aroma-1", "box-1")->other, other_.public_key());
  EXPECT_EQ(after(receipt(erasure_, "c-paul", &other_)).refused,
            "it is signed with a key that is not trusted");

  ASSERT_TRUE(crm_->trust_box("aroma-1", "box-1", std::nullopt, now_));
  intake_->work(now_);
  EXPECT_TRUE(standing().done_at) << "what was refused is looked at again";
  EXPECT_EQ(crm_->box_key("aroma-1", "box-1")->key, other_.public_key());
  EXPECT_FALSE(crm_->box_key("aroma-1", "box-1")->other);
  EXPECT_FALSE(crm_->box_says_key("aroma-1", "box-1", key_.public_key(), now_))
      << "the old one counts no more";
}

TEST_F(ReceiptTest, TheOtherKeyIsForgottenWhenTheBoxSaysTheTrustedOneAgain) {
  says(key_);
  says(other_);
  says(key_);
  EXPECT_FALSE(crm_->box_key("aroma-1", "box-1")->other);
  ASSERT_TRUE(crm_->trust_box("aroma-1", "box-1", std::nullopt, now_));
  EXPECT_EQ(crm_->box_key("aroma-1", "box-1")->key, key_.public_key());
}

TEST_F(ReceiptTest, AKeyThatWasPinnedBeforehandIsTheOnlyOneThatCounts) {
  ASSERT_TRUE(crm_->trust_box("aroma-1", "box-1", key_.public_key(), now_));
  EXPECT_FALSE(crm_->box_says_key("aroma-1", "box-1", other_.public_key(), now_));
  EXPECT_FALSE(after(receipt(erasure_, "c-paul", &other_)).done_at);
  EXPECT_TRUE(crm_->box_says_key("aroma-1", "box-1", key_.public_key(), now_));
  EXPECT_TRUE(after(receipt(erasure_, "c-paul", &key_)).done_at);
}

TEST_F(ReceiptTest, ABoxThatNeverSaidAKeyCannotBeTrustedWithoutOne) {
  const auto trusted = crm_->trust_box("aroma-1", "box-9", std::nullopt, now_);
  ASSERT_FALSE(trusted);
  EXPECT_EQ(trusted.error().code, ErrorCode::not_found);
}

// ---- databases of released versions ----

std::map<std::string, std::string> schema_of(Database& db) {
  std::map<std::string, std::string> out;
  for (const Row& row : db.query("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")) {
    out[row.text(0)] = row.text(1);
  }
  return out;
}

TEST_F(ReceiptTest, ADatabaseOfVersionOneIsBroughtUpToDate) {
  const auto file = dir_ / "v1.db";
  std::filesystem::copy_file(std::filesystem::path(WELCOME_SOURCE_DIR) / "tests/data/crm/v1.db",
                             file);
  const auto db = open_sqlite(file.string());
  const auto phone = [](const char* id, const char* customer) {
    return json{{"identity", id},
                {"customer", customer},
                {"kind", "irk"},
                {"irk", "c2a94d1087e35f6b0b7d9e4421a6f83c"}};
  };
  {
    Transaction transaction(*db);
    db->execute("INSERT INTO identity (identity, customer, value) VALUES ($1, $2, $3)",
                {"i-mia", "c-mia", phone("i-mia", "c-mia").dump()});
    transaction.commit();
  }
  migrate(*db);
  EXPECT_EQ(schema_of(*db), schema_of(*db_));
  EXPECT_EQ(db->query("SELECT version FROM schema_version").at(0).integer(0),
            db_->query("SELECT version FROM schema_version").at(0).integer(0));

  Crm crm(*db);
  const auto customers = crm.customers_after("", 10, now_);
  ASSERT_EQ(customers.size(), 1U);
  EXPECT_EQ(customers[0].customer, "c-mia");
  EXPECT_TRUE(crm.check_device(phone("i-mia", "c-mia")));
  EXPECT_FALSE(crm.check_device(phone("i-other", "c-other"))) << "it is Mia's phone";
  const auto erasure = crm.erasure("c-paul");
  ASSERT_TRUE(erasure);
  EXPECT_TRUE(erasure->boxes.at(0).done_at) << "what counted before counts";
  EXPECT_FALSE(erasure->boxes.at(1).done_at);
  const contract::Signer key("box-2", contract::Signer::new_seed());
  crm.box_says_key("aroma-1", "box-2", key.public_key(), now_);
  json signed_receipt = receipt(erasure->id, "c-paul", &key, "box-2");
  signed_receipt.erase("customer");
  EXPECT_TRUE(crm.take_receipt("aroma-1", "box-2", signed_receipt.dump(), now_));
  EXPECT_TRUE(crm.erasure("c-paul")->done_at);
}

// ---- another key, for which the one before vouches ----

TEST_F(ReceiptTest, AKeyForWhichTheOneBeforeVouchesCountsWithoutAnOperator) {
  const contract::BoxAddress box{"demo", "aroma-1", "box-1"};
  says(key_);
  const auto statement = contract::vouch_for(box, other_.public_key(), key_);
  ASSERT_TRUE(crm_->hand_over("aroma-1", "box-1", other_.public_key(), {statement}, now_));
  EXPECT_FALSE(crm_->hand_over("aroma-1", "box-1", other_.public_key(), {statement}, now_))
      << "it is trusted already";
  EXPECT_FALSE(crm_->box_key("aroma-1", "box-1")->other);
  EXPECT_TRUE(after(receipt(erasure_, "c-paul", &other_)).done_at);
}

TEST_F(ReceiptTest, WhatTheOldKeySignedCountsForAnHourMore) {
  const contract::BoxAddress box{"demo", "aroma-1", "box-1"};
  says(key_);
  ASSERT_TRUE(crm_->hand_over("aroma-1", "box-1", other_.public_key(),
                              {contract::vouch_for(box, other_.public_key(), key_)}, now_));
  const auto before = now_;
  now_ += std::chrono::hours(1);
  EXPECT_FALSE(after(receipt(erasure_, "c-paul", &key_)).done_at)
      << "a stolen old key is of no use";
  now_ = before + std::chrono::minutes(30);
  EXPECT_TRUE(after(receipt(erasure_, "c-paul", &key_)).done_at) << "it was under way";
}

TEST_F(ReceiptTest, AKeyIsFollowedOverThoseOfWhichTheCrmNeverHeard) {
  const contract::BoxAddress box{"demo", "aroma-1", "box-1"};
  const contract::Signer third("box-1", contract::Signer::new_seed());
  says(key_);
  const std::vector<std::string> way{contract::vouch_for(box, other_.public_key(), key_),
                                     contract::vouch_for(box, third.public_key(), other_)};
  EXPECT_FALSE(crm_->hand_over("aroma-1", "box-1", third.public_key(), {way[1]}, now_));
  EXPECT_TRUE(crm_->hand_over("aroma-1", "box-1", third.public_key(), way, now_));
}

TEST_F(ReceiptTest, NobodyElseVouchesForAKey) {
  const contract::BoxAddress box{"demo", "aroma-1", "box-1"};
  says(key_);
  const auto& other = other_.public_key();
  const contract::Signer by_another_name("box-2", contract::Signer::new_seed());
  json changed = json::parse(contract::vouch_for(box, key_.public_key(), key_));
  changed["key"] = contract::public_key_text(other);
  const std::string bad[] = {
      contract::vouch_for(box, other, other_),  // itself
      contract::vouch_for({"demo", "aroma-1", "box-2"}, other, key_),
      contract::vouch_for(box, other, by_another_name),
      contract::vouch_for(box, by_another_name.public_key(), key_),
      changed.dump(),
      "nonsense",
  };
  for (const auto& statement : bad) {
    EXPECT_FALSE(crm_->hand_over("aroma-1", "box-1", other, {statement}, now_)) << statement;
  }
  EXPECT_EQ(crm_->box_key("aroma-1", "box-1")->key, key_.public_key());
}

}  // namespace
}  // namespace welcome::crm
