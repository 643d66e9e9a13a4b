// SPDX-License-Identifier: Apache-2.0
// New passwords of boxes at the broker: who is asked, and what counts as an answer.

#include "crm/renewals.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "contract/signing.h"
#include "crm/boxes.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

class RenewalsTest : public CrmTest {
 protected:
  RenewalsTest() {
    Transaction transaction(*db_);
    Boxes(*crm_).admit("aroma-1", "box-1", "eva", now_ - 100 * 24h);
    crm_->box_says_key("aroma-1", "box-1", box_.public_key(), now_);
    transaction.commit();
  }
  static std::string hash() {
    return "$7$101$" + std::string(15, 's') + "=$" + std::string(86, 'h') + "==";
  }
  std::string question() {
    const Rows rows = db_->query("SELECT question FROM renewal");
    return rows.empty() ? "" : rows[0].text(0);
  }
  void answers(const json& said, const contract::Signer& signer, const std::string& to) {
    renewals_.answered("aroma-1", "box-1",
                       {MessageId(to), "box-1", true, "", signer.sign(said.dump()).value(), now_});
  }
  void answers(const json& said) { answers(said, box_, question()); }
  static json right() { return {{"account", "demo/aroma-1/box-1"}, {"hash", hash()}}; }

  const contract::Signer box_{"box-1", contract::Signer::new_seed()};
  Renewals renewals_{*crm_};
};

TEST_F(RenewalsTest, WhosePasswordIsOldIsAskedOnce) {
  EXPECT_EQ(renewals_.ask_older_than(101 * 24h, now_), 0);
  EXPECT_EQ(renewals_.ask_older_than(90 * 24h, now_), 1);
  EXPECT_EQ(renewals_.ask_older_than(90 * 24h, now_), 0) << "it is asked already";
  EXPECT_EQ(renewals_.ask_older_than(90 * 24h, now_ + 8 * 24h), 1) << "it was away for a week";
  answers(right());
  ASSERT_EQ(renewals_.to_put().size(), 1U);
  EXPECT_EQ(renewals_.to_put()[0].hash, hash());
  renewals_.put(renewals_.to_put()[0], now_);
  EXPECT_TRUE(renewals_.to_put().empty());
  EXPECT_EQ(renewals_.ask_older_than(90 * 24h, now_ + 89 * 24h), 0);
  EXPECT_EQ(renewals_.ask_older_than(90 * 24h, now_ + 91 * 24h), 1);
}

TEST_F(RenewalsTest, WhatIsNotItsOwnSignedAnswerIsNoPassword) {
  ASSERT_TRUE(renewals_.ask("aroma-1", "box-1", now_));
  EXPECT_EQ(renewals_.ask("aroma-1", "box-9", now_).error().code, ErrorCode::not_found);
  const contract::Signer thief("box-1", contract::Signer::new_seed());
  answers(right(), thief, question());
  answers(right(), box_, "another question");
  json said = right();
  said["account"] = "demo/aroma-1/box-2";
  answers(said);
  for (const std::string& bad :
       {std::string(), std::string("$6$salt$hash"), hash() + "\nroot:" + hash(),
        hash() + std::string(200, 'h'), "$7$1$" + hash().substr(7)}) {
    said = right();
    said["hash"] = bad;
    answers(said);
  }
  EXPECT_TRUE(renewals_.to_put().empty());
  answers(right());
  EXPECT_EQ(renewals_.to_put().size(), 1U);
}

TEST_F(RenewalsTest, ABoxThatIsAdmittedAnewHasTheTechniciansPassword) {
  ASSERT_TRUE(renewals_.ask("aroma-1", "box-1", now_));
  answers(right());
  Boxes(*crm_).admit("aroma-1", "box-1", "eva", now_);
  EXPECT_TRUE(renewals_.to_put().empty());
}

}  // namespace
}  // namespace welcome::crm
