// SPDX-License-Identifier: Apache-2.0
// A consent that a desk wrote down is the customer's own, or it is none.

#include "crm/desk_consents.h"

#include <algorithm>

#include "crm/boxes.h"
#include "crm/staff.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

class DeskConsentsTest : public CrmTest {
 protected:
  DeskConsentsTest() {
    Boxes(*crm_).admit("aroma-1", "box-1", "a test", now_ - 1h);
    crm_->box_says_key("aroma-1", "box-1", key_.public_key(), now_);
    add("c-mia", "a-mia");
  }
  // A pledge at the desk of box-1; how each purpose went, in the ledger's words.
  std::vector<std::string> pledge(const std::vector<std::string>& purposes, const json& confirm,
                                  const std::string& customer = "c-mia",
                                  const std::string& staff = "anna") {
    const auto before = notes().size();
    for (const std::string& purpose : purposes) {
      json data = {{"purpose", purpose},
                   {"state", "given"},
                   {"at", contract::to_rfc3339(now_)},
                   {"how", "desk"},
                   {"box", "demo/aroma-1/box-1"},
                   {"customer", customer},
                   {"record_id", "r-" + purpose}};
      if (!staff.empty()) data["staff"] = staff;
      if (!confirm.is_null()) data["confirm"] = confirm;
      last_ = "e-" + std::to_string(++said_);
      event(last_, "consent.changed", customer, json::parse(key_.sign(data.dump()).value()));
    }
    intake_->work(now_);
    auto all = notes();
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(before));
    return all;
  }
  std::string pledge_one(const json& confirm, const std::string& customer = "c-mia",
                         const std::string& staff = "anna") {
    return pledge({"face_recognition"}, confirm, customer, staff).at(0);
  }
  std::vector<DeskConsents::Question> asked(const std::string& customer = "c-mia") {
    return desk_.questions(customer, now_);
  }
  bool face(const std::string& customer = "c-mia") {
    return crm_->given(customer, now_).has(Purpose::face_recognition);
  }
  // What boxes are told to take back: event and reason.
  std::vector<std::string> taken_back() {
    std::vector<std::string> out;
    for (const Row& row : db_->query("SELECT payload FROM command ORDER BY made_at, id")) {
      const json command = json::parse(row.text(0));
      if (command.at("kind") != "take_back") continue;
      EXPECT_TRUE(contract::validate("command", row.text(0)));
      out.push_back(command.at("events").at(0).get<std::string>() + " " +
                    command.at("reason").get<std::string>());
    }
    return out;
  }
  void works(const std::string& id, const std::string& stores) {
    Staff::Line line;
    line.member.id = StaffId(id);
    line.member.name = "N";
    line.member.roles.add(Role::staff);
    line.stores = stores;
    ASSERT_TRUE(Staff(*db_, crm_->feed()).put(line, now_));
  }
  void policy(bool witness) {
    ASSERT_TRUE(crm_->put_policy({{"time_zone", "UTC"}, {"desk_witness", witness}}));
  }

  const contract::Signer key_{"box-1", contract::Signer::new_seed()};
  DeskConsents desk_{*crm_};
  std::string last_;
  int said_ = 0;
};

using Words = std::vector<std::string>;

// Attack G: somebody stands at a tablet and says a member's number.
TEST_F(DeskConsentsTest, WhatNobodyConfirmedIsAQuestionAndNothingIsSigned) {
  const Position before = crm_->feed().head(Collection::consents);
  EXPECT_EQ(pledge({"face_recognition", "proximity_offers"}, nullptr),
            (Words{"waits to be confirmed", "waits to be confirmed"}));
  EXPECT_TRUE(crm_->consents("c-mia").empty());
  EXPECT_EQ(crm_->feed().head(Collection::consents), before) << "no box is told anything";
  EXPECT_TRUE(page("c-mia").empty()) << "no receipt of what is not";
  ASSERT_EQ(asked().size(), 1U) << "one pledge is one question";
  EXPECT_EQ(asked()[0].store, "aroma-1");
  EXPECT_EQ(asked()[0].purposes,
            (std::vector<Purpose>{Purpose::face_recognition, Purpose::proximity_offers}));
  EXPECT_EQ(crm_->news_after(0).back().what, "consents") << "an open page asks at once";
}

TEST_F(DeskConsentsTest, ConfirmedOnThePhoneItCountsWithTheTimeOfTheDesk) {
  const WallTime said = now_;
  pledge({"face_recognition", "proximity_offers"}, {{"by", "phone"}, {"pending", "p-1"}});
  now_ += 3min;
  EXPECT_TRUE(intake_->answer_desk("c-mia", asked().at(0).id, true, now_));
  EXPECT_TRUE(face());
  for (const json& record : crm_->consents("c-mia")) {
    EXPECT_EQ(record.at("history"),
              (json{{{"state", "given"}, {"at", contract::to_rfc3339(said)}, {"how", "desk"}}}));
  }
  EXPECT_TRUE(asked().empty());
  EXPECT_FALSE(intake_->answer_desk("c-mia", "q", true, now_));
  EXPECT_TRUE(taken_back().empty());
  const json history =
      crm_->export_customer("c-mia", now_)->at("consents").at(0).at("history").at(0);
  EXPECT_EQ(history.at("confirmed"), "phone") << "who asks later is told how";
  EXPECT_EQ(notes().back(), "") << "in the ledger it is done";
}

TEST_F(DeskConsentsTest, OnlySheAnswersAndOnlyOnce) {
  pledge_one(nullptr);
  const std::string id = asked().at(0).id;
  EXPECT_FALSE(intake_->answer_desk("c-paul", id, true, now_));
  EXPECT_FALSE(face());
  EXPECT_TRUE(intake_->answer_desk("c-mia", id, false, now_));
  EXPECT_FALSE(intake_->answer_desk("c-mia", id, true, now_)) << "no is no";
  EXPECT_FALSE(face());
  EXPECT_EQ(taken_back(), Words{"e-1 refused"});
  EXPECT_EQ(notes().back(), "not confirmed");
}

TEST_F(DeskConsentsTest, AQuestionEndsAndTheBoxTakesItBack) {
  pledge_one(nullptr);
  const std::string id = asked().at(0).id;
  now_ += kQuestionLife - 1s;
  desk_.let_questions_end(now_, 100);
  EXPECT_EQ(asked().size(), 1U);
  now_ += 1s;
  EXPECT_TRUE(asked().empty());
  EXPECT_FALSE(intake_->answer_desk("c-mia", id, true, now_));
  desk_.let_questions_end(now_, 100);
  EXPECT_EQ(taken_back(), Words{"e-1 expired"});
  EXPECT_TRUE(db_->query("SELECT 1 FROM pending_consent").empty());
}

TEST_F(DeskConsentsTest, AWithdrawalMeanwhileEndsTheQuestion) {
  pledge({"face_recognition", "proximity_offers"}, nullptr);
  now_ += 1min;
  consent("c-mia", Purpose::face_recognition, false, now_);
  EXPECT_EQ(asked().at(0).purposes, std::vector<Purpose>{Purpose::proximity_offers});
  EXPECT_EQ(taken_back(), Words{"e-1 refused"});
  intake_->answer_desk("c-mia", asked().at(0).id, true, now_);
  EXPECT_FALSE(face());
}

TEST_F(DeskConsentsTest, APledgeMadeAgainTakesThePlaceOfTheOneBefore) {
  pledge_one(nullptr);
  now_ += 1min;
  pledge_one(nullptr);
  EXPECT_EQ(asked().size(), 1U);
  EXPECT_EQ(taken_back(), Words{"e-1 expired"});
}

TEST_F(DeskConsentsTest, DesksAskNobodyWithoutEnd) {
  for (int i = 0; i < kQuestionsAtOnce; ++i) {
    now_ += 1s;
    const Purpose purpose = kAllPurposes.at(static_cast<std::size_t>(i));
    EXPECT_EQ(pledge({std::string(to_string(purpose))}, nullptr), Words{"waits to be confirmed"});
  }
  // A sixth one from another store.
  Boxes(*crm_).admit("aroma-2", "box-1", "a test", now_ - 1h);
  contract::ConsentNews news;
  news.purpose = Purpose::face_recognition;
  news.given = true;
  news.at = now_;
  const DeskConsents::Grant grant{"e-other", "aroma-2", "box-1", "c-mia", news};
  EXPECT_EQ(desk_.judge(grant, now_), DeskConsents::Verdict::refused);
  EXPECT_EQ(asked().size(), static_cast<std::size_t>(kQuestionsAtOnce));
}

TEST_F(DeskConsentsTest, AMistypedNumberIsSaidAtOnce) {
  EXPECT_EQ(pledge_one(nullptr, "c-nobody"), "not believed: unknown customer");
  EXPECT_EQ(taken_back(), Words{"e-1 unknown"});
}

TEST_F(DeskConsentsTest, AWithdrawalAtTheDeskCountsAtOnce) {
  consent("c-mia", Purpose::face_recognition, true, kJanuary);
  event("e-9", "consent.changed", "c-mia",
        {{"purpose", "face_recognition"},
         {"state", "withdrawn"},
         {"at", contract::to_rfc3339(now_)},
         {"how", "desk"}});
  intake_->work(now_);
  EXPECT_FALSE(face());
  EXPECT_TRUE(taken_back().empty());
}

// A box has no other word for it than what its desk heard.
TEST_F(DeskConsentsTest, ABoxThatSaysItWasTheAppIsADeskAllTheSame) {
  json data = {{"purpose", "face_recognition"},    {"state", "given"},
               {"at", contract::to_rfc3339(now_)}, {"how", "app"},
               {"box", "demo/aroma-1/box-1"},      {"customer", "c-mia"}};
  event("e-1", "consent.changed", "c-mia", json::parse(key_.sign(data.dump()).value()));
  intake_->work(now_);
  EXPECT_FALSE(face());
  EXPECT_EQ(asked().size(), 1U);
}

// ---- codes ----

json by_code(const std::string& code) { return {{"by", "code"}, {"code", code}}; }

std::string another(std::string code) {
  code.back() = code.back() == '9' ? '0' : static_cast<char>(code.back() + 1);
  return code;
}

TEST_F(DeskConsentsTest, ACodeConfirmsOnePledgeWithAllThatIsInIt) {
  const std::string code = desk_.new_code("c-mia", now_).digits;
  EXPECT_EQ(code.size(), 6U);
  EXPECT_EQ(pledge({"face_recognition", "proximity_offers"}, by_code(code)), (Words{"", ""}));
  EXPECT_TRUE(face());
  EXPECT_TRUE(asked().empty());
  now_ += 1min;
  EXPECT_EQ(pledge({"visit_analytics"}, by_code(code)), Words{"not confirmed"}) << "once";
  EXPECT_EQ(taken_back(), Words{"e-3 code"});
  EXPECT_EQ(crm_->export_customer("c-mia", now_)
                ->at("consents")
                .at(0)
                .at("history")
                .at(0)
                .at("confirmed"),
            "code");
}

TEST_F(DeskConsentsTest, ACodeIsTriedFiveTimesAndEnds) {
  std::string code = desk_.new_code("c-mia", now_).digits;
  for (int i = 0; i < kCodeTries - 1; ++i) {
    now_ += 1s;
    // All of a pledge is one try.
    EXPECT_EQ(pledge({"face_recognition", "visit_analytics"}, by_code(another(code))),
              (Words{"not confirmed", "not confirmed"}));
  }
  now_ += 1s;
  EXPECT_EQ(pledge_one(by_code(code)), "") << "the fifth was right";

  code = desk_.new_code("c-mia", now_).digits;
  for (int i = 0; i < kCodeTries; ++i) {
    now_ += 1s;
    pledge_one(by_code(another(code)));
  }
  now_ += 1s;
  EXPECT_EQ(pledge({"visit_analytics"}, by_code(code)), Words{"not confirmed"}) << "void";

  code = desk_.new_code("c-mia", now_).digits;
  now_ += kCodeLife;
  EXPECT_EQ(pledge({"visit_analytics"}, by_code(code)), Words{"not confirmed"}) << "over";
  code = desk_.new_code("c-mia", now_).digits;
  EXPECT_EQ(pledge({"visit_analytics"}, by_code(code), "c-paul"), Words{"not confirmed"})
      << "somebody else's";
}

TEST_F(DeskConsentsTest, TheDatabaseHoldsNoCode) {
  const std::string code = desk_.new_code("c-mia", now_).digits;
  for (const Row& row : db_->query("SELECT code_hash FROM desk_code")) {
    EXPECT_EQ(row.text(0).size(), 64U);
    EXPECT_EQ(row.text(0).find(code), std::string::npos);
  }
}

// ---- a witness ----

TEST_F(DeskConsentsTest, AWitnessIsSomebodyElseOfThisStoreWherePolicyAllowsIt) {
  works("anna", "aroma-1");
  works("ben", "");  // everywhere
  works("eva", "aroma-2");
  const auto by = [](const char* who) { return json{{"by", "witness"}, {"staff", who}}; };
  policy(false);
  EXPECT_EQ(pledge_one(by("ben")), "not confirmed") << "not allowed";
  policy(true);
  EXPECT_EQ(pledge_one(by("anna")), "not confirmed") << "herself";
  EXPECT_EQ(pledge_one(by("eva")), "not confirmed") << "of another store";
  EXPECT_EQ(pledge_one(by("nobody")), "not confirmed");
  EXPECT_EQ(pledge_one(by("ben"), "c-mia", ""), "not confirmed") << "nobody entered it";
  EXPECT_EQ(pledge_one(by("ben"), "c-mia", "eva"), "not confirmed");
  EXPECT_FALSE(face());
  EXPECT_EQ(taken_back().size(), 6U);
  EXPECT_EQ(taken_back().at(0), "e-1 witness");
  EXPECT_EQ(intake_->counters().not_confirmed, 6U);
  EXPECT_EQ(pledge_one(by("ben")), "");
  EXPECT_TRUE(face());
}

// ---- it goes with the person ----

TEST_F(DeskConsentsTest, WhoIsForgottenIsAskedNothingAndLeavesNothing) {
  pledge_one(nullptr);
  desk_.new_code("c-mia", now_);
  EXPECT_EQ(crm_->export_customer("c-mia", now_)->at("desk_questions").size(), 1U);
  ASSERT_TRUE(crm_->forget("c-mia", now_));
  EXPECT_TRUE(db_->query("SELECT 1 FROM pending_consent").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM desk_code").empty());
  EXPECT_TRUE(taken_back().empty()) << "the erasure says all";
}

}  // namespace
}  // namespace welcome::crm
