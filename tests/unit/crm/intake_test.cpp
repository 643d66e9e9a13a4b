// SPDX-License-Identifier: Apache-2.0
// Events of boxes, and requests of customers' pages: written down once, acted on once.

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using IntakeTest = CrmTest;

TEST_F(IntakeTest, AnOfferBecomesExactlyOneMessage) {
  EXPECT_TRUE(offer("e-1", "d-1", "c-paul"));
  EXPECT_FALSE(offer("e-1", "d-1", "c-paul")) << "the same event again";
  EXPECT_EQ(intake_->work(now_), 1);
  EXPECT_FALSE(offer("e-1", "d-1", "c-paul")) << "and after it was acted on";
  EXPECT_EQ(intake_->work(now_), 0);
  const auto messages = page("c-paul");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].at("kind"), "offer");
  EXPECT_EQ(messages[0].at("decision"), "d-1");
  EXPECT_EQ(messages[0].at("id"), "e-1") << "known by the event that it came of";
}

TEST_F(IntakeTest, ADecisionIsDeliveredOnceEvenIfTwoEventsTellIt) {
  offer("e-1", "d-1", "c-paul");
  offer("e-2", "d-1", "c-paul");
  intake_->work(now_);
  EXPECT_EQ(page("c-paul").size(), 1U);
}

TEST_F(IntakeTest, AnOfferThatCameAfterTheWithdrawalIsNotDelivered) {
  offer("e-1", "d-1", "c-paul");
  consent("c-paul", Purpose::proximity_offers, false, kMay);
  intake_->work(now_);
  EXPECT_TRUE(page("c-paul").empty());
  EXPECT_EQ(notes(), std::vector<std::string>{"no consent to proximity_offers"});
}

json survey_until(WallTime expires) {
  return {{"decision", "d-1"},
          {"visit", "v-1"},
          {"survey", "s-visit"},
          {"kind", "nps"},
          {"language", "en"},
          {"question", "Would you?"},
          {"expires_at", contract::to_rfc3339(expires)}};
}

TEST_F(IntakeTest, NeitherOfferNorQuestionGoesToWhoWishesToBeLeftAloneToday) {
  EXPECT_EQ(request("c-paul", {{"id", "q-1"}, {"kind", "met.set"}, {"met", "not_today"}}), "");
  offer("e-1", "d-1", "c-paul");
  event("e-3", "decision.survey", "c-paul", survey_until(now_ + std::chrono::hours(24)));
  intake_->work(now_);
  EXPECT_TRUE(page("c-paul").empty());
  EXPECT_EQ(notes(), std::vector<std::string>(2, "not today: they wish to be left alone"));
  now_ += std::chrono::hours(24);
  offer("e-2", "d-2", "c-paul");
  intake_->work(now_);
  EXPECT_EQ(page("c-paul").size(), 1U) << "it has ended by itself";
}

const json kNoMoreOffers = {
    {"id", "q-1"}, {"kind", "consent.set"}, {"purpose", "proximity_offers"}, {"given", false}};

TEST_F(IntakeTest, AWithdrawalOnThePageOvertakesTheEventsThatWait) {
  offer("e-1", "d-1", "c-paul");
  EXPECT_EQ(request("c-paul", kNoMoreOffers), "");
  intake_->work(now_);
  EXPECT_TRUE(page("c-paul").empty());
}

TEST_F(IntakeTest, AConsentSetOnThePageIsInTheHistoryAndTheFeedAndThePageHearsOfIt) {
  const Position before = crm_->feed().head(Collection::consents);
  const auto news = crm_->newest_news();
  EXPECT_EQ(request("c-paul", kNoMoreOffers), "");
  const PurposeSet given = crm_->given("c-paul", now_);
  EXPECT_FALSE(given.has(Purpose::proximity_offers));
  EXPECT_TRUE(given.has(Purpose::face_recognition));
  EXPECT_EQ(crm_->feed().head(Collection::consents).seq, before.seq + 1);
  for (const json& record : crm_->consents("c-paul")) {
    const json& last = record.at("history").back();
    EXPECT_EQ(last.at("how"), record.at("purpose") == "proximity_offers" ? "app" : "crm");
  }
  const auto told = crm_->news_after(news);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].whose + " " + told[0].what, "c-paul consents");
}

TEST_F(IntakeTest, ARequestIsActedOnOnce) {
  EXPECT_EQ(request("c-paul", kNoMoreOffers), "");
  consent("c-paul", Purpose::proximity_offers, true, now_ + std::chrono::minutes(1));
  EXPECT_EQ(request("c-paul", kNoMoreOffers), "");
  EXPECT_TRUE(crm_->given("c-paul", now_ + std::chrono::minutes(1)).has(Purpose::proximity_offers));
}

TEST_F(IntakeTest, OfNobodyNothingIsKept) {
  EXPECT_EQ(request("c-nobody", kNoMoreOffers), "unknown customer");
  EXPECT_TRUE(db_->query("SELECT 1 FROM request").empty());
}

TEST_F(IntakeTest, AConsentChangedAtTheDeskReachesTheRecordAndThePage) {
  const auto news = crm_->newest_news();
  event("e-1", "consent.changed", "c-paul",
        {{"purpose", "face_recognition"},
         {"state", "withdrawn"},
         {"at", contract::to_rfc3339(now_)},
         {"how", "desk"}});
  intake_->work(now_);
  EXPECT_FALSE(crm_->given("c-paul", now_).has(Purpose::face_recognition));
  const auto told = crm_->news_after(news);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].what, "consents");
}

TEST_F(IntakeTest, WhatStaffNotedIsInTheProfileThatBoxesGet) {
  event("e-1", "staff.action", "c-paul",
        {{"visit", "v"}, {"staff", "eva"}, {"kind", "note"}, {"text", "Off to Lyon."}});
  event("e-2", "staff.action", "c-paul",
        {{"visit", "v"},
         {"staff", "eva"},
         {"kind", "preference"},
         {"preference", {{"key", "drink"}, {"value", "tea"}, {"verdict", "change"}}}});
  intake_->work(now_);
  const json profile = json::parse(crm_->feed().get(Collection::profiles, "c-paul")->value);
  EXPECT_EQ(profile.at("last_conversation").at("text"), "Off to Lyon.");
  EXPECT_EQ(profile.at("preferences").at(0).at("value"), "tea");
}

TEST_F(IntakeTest, OutcomesAreWrittenDownAndToldToTheBoxesOfTheStore) {
  see_box("aroma-1", "box-1");
  see_box("aroma-1", "box-2");
  see_box("aroma-9", "box-1");
  offer("e-1", "d-1", "c-paul");
  intake_->work(now_);
  const auto commands = [&](const char* kind) {
    std::vector<std::string> boxes;
    for (const Row& row :
         db_->query("SELECT store, box, payload FROM command ORDER BY store, box", {})) {
      const json command = json::parse(row.text(2));
      EXPECT_TRUE(contract::validate("command", row.text(2)));
      if (command.at("kind") == kind) boxes.push_back(row.text(0) + "/" + row.text(1));
    }
    return boxes;
  };
  EXPECT_EQ(commands("offered"), std::vector<std::string>{"aroma-1/box-2"});
  request("c-paul", {{"id", "q-1"}, {"kind", "offer.redeemed"}, {"decision", "d-1"}});
  EXPECT_EQ(request("c-paul",
                    {{"id", "q-2"}, {"kind", "offer.opened"}, {"decision", "of somebody else"}}),
            "unknown decision");
  EXPECT_EQ(commands("outcome"), (std::vector<std::string>{"aroma-1/box-1", "aroma-1/box-2"}));
  const Row offer_row = db_->query("SELECT redeemed_at, opened_at FROM offer", {}).at(0);
  EXPECT_FALSE(offer_row.null(0));
  EXPECT_TRUE(offer_row.null(1));
}

TEST_F(IntakeTest, WhoComesInAfterTheOfferIsCountedForIt) {
  offer("e-1", "d-1", "c-paul");
  now_ += std::chrono::minutes(3);
  event("e-2", "visit.moved", "c-paul", {{"visit", "v"}, {"zone", "inside"}, {"level", "near"}});
  intake_->work(now_);
  EXPECT_FALSE(db_->query("SELECT came_in_at FROM offer", {}).at(0).null(0));
}

TEST_F(IntakeTest, TheErasureIsDoneWhenTheReceiptOfTheBoxIsThere) {
  const contract::Signer key("box-1", contract::Signer::new_seed());
  see_box("aroma-1", "box-1");
  crm_->box_says_key("aroma-1", "box-1", key.public_key(), now_);
  const auto id = crm_->forget("c-paul", now_);
  ASSERT_TRUE(id);
  event("e-1", "erasure.receipt", "", receipt(*id, "c-paul", &key));
  intake_->work(now_);
  EXPECT_TRUE(crm_->erasure(*id)->done_at);
  for (const Row& row : db_->query("SELECT data FROM ledger", {})) {
    EXPECT_EQ(row.text(0).find("c-paul"), std::string::npos);
  }
}

TEST_F(IntakeTest, WhatACustomerDidNotConsentToIsNotActedOnAndNotKept) {
  add("c-mia", "a-mia");
  consent("c-mia", Purpose::proximity_offers, true, kJanuary);
  const json survey = survey_until(now_ + std::chrono::hours(24));
  const json note = {{"visit", "v"}, {"staff", "eva"}, {"kind", "note"}, {"text", "Off to Lyon."}};
  event("e-1", "decision.survey", "c-mia", survey);
  event("e-2", "staff.action", "c-mia", note);
  event("e-3", "visit.started", "c-mia", {{"visit", "v"}, {"zone", "door"}, {"level", "near"}});
  consent("c-paul", Purpose::preference_prompts, false, now_);
  event("e-4", "staff.action", "c-paul", note);
  add("c-new", "a-new");
  event("e-5", "staff.action", "c-new", {{"visit", "v"}, {"staff", "eva"}, {"kind", "greeted"}});
  intake_->work(now_);
  EXPECT_TRUE(page("c-mia").empty());
  EXPECT_FALSE(crm_->profile("c-paul")->contains("last_conversation"));
  EXPECT_EQ(notes(), (std::vector<std::string>{
                         "no consent to visit_analytics", "no consent to preference_prompts",
                         "no consent to visit_analytics", "no consent to preference_prompts",
                         "no consent to anything"}));
  for (const Row& row : db_->query("SELECT customer, data FROM ledger")) {
    EXPECT_EQ(row.text(0), "");
    EXPECT_EQ(row.text(1), "{}");
  }
  EXPECT_EQ(intake_->counters().without_consent, 5U);
}

TEST_F(IntakeTest, AnOfferOrASurveyWhoseTimeIsOverGoesToNobody) {
  offer("e-1", "d-1", "c-paul");
  event("e-2", "decision.survey", "c-paul",
        {{"decision", "d-2"},
         {"visit", "v-1"},
         {"survey", "s-visit"},
         {"kind", "nps"},
         {"language", "en"},
         {"question", "Would you?"},
         {"expires_at", contract::to_rfc3339(now_ + std::chrono::minutes(10))}});
  intake_->work(now_ + std::chrono::minutes(11));
  EXPECT_TRUE(page("c-paul").empty());
  EXPECT_EQ(notes(), (std::vector<std::string>{"too late", "too late"}));
  EXPECT_EQ(intake_->counters().too_late, 2U);
}

// A message on the page lives no longer than the offer, whichever clock is wrong.
TEST_F(IntakeTest, ADelayGivesAnOfferNoNewLife) {
  offer("e-1", "d-1", "c-paul");
  intake_->work(now_ + std::chrono::minutes(9));
  const std::string end = contract::to_rfc3339(now_ + std::chrono::minutes(10));
  EXPECT_EQ(db_->query("SELECT expires_at FROM app_message").at(0).text(0), end);
  EXPECT_EQ(page("c-paul").at(0).at("expires_at"), end);
}

TEST_F(IntakeTest, NothingComesInOnTheTopicsThatAppsHad) {
  const json body = {{"v", 1},
                     {"id", "q"},
                     {"kind", "consent.set"},
                     {"purpose", "visit_analytics"},
                     {"given", false}};
  for (const char* leaf : {"request", "inbox"}) {
    for (const bool kept : {true, false}) {
      const auto decoded = contract::decode_for_crm(
          "demo", {std::string("welcome/v1/demo/app/a-paul/") + leaf, body.dump(), kept, "", ""});
      ASSERT_FALSE(decoded);
      EXPECT_EQ(decoded.error().code, ErrorCode::refused);
    }
  }
}

// A version that had requests from the broker wrote them down before it acted on them.
TEST_F(IntakeTest, AWithdrawalThatAnOlderVersionLeftIsActedOnAndTheRestIsSetAside) {
  const auto left = [&](const char* id, json body) {
    body.update({{"v", 1}, {"id", id}});
    db_->execute(
        "INSERT INTO request (id, app_id, customer, kind, body, received_at, handled, note) "
        "VALUES ($1, 'a-paul', 'c-paul', $2, $3, $4, 0, '')",
        {id, body.at("kind").get<std::string>(), body.dump(), contract::to_rfc3339(now_)});
  };
  left("q-1", kNoMoreOffers);
  left("q-2", {{"kind", "export"}});
  add("c-paul", "a-paul-2");
  EXPECT_EQ(intake_->work(now_), 2);
  EXPECT_FALSE(crm_->given("c-paul", now_).has(Purpose::proximity_offers));
  EXPECT_EQ(intake_->counters().set_aside, 1U);
}

TEST_F(IntakeTest, ABoxThatDoesNotTakeThePolicyIsKnown) {
  ASSERT_TRUE(crm_->put_safe_policy("UTC"));
  EXPECT_FALSE(crm_->put_safe_policy("UTC")) << "it replaces nothing";
  const std::int64_t seq = crm_->feed().get(Collection::policy, "policy")->seq;
  event("e-1", "feed.rejected", "",
        {{"collection", "policy"},
         {"key", "policy"},
         {"seq", seq},
         {"reason", "time_zone is not in the tz database"}});
  intake_->work(now_);
  EXPECT_EQ(db_->query("SELECT reason FROM set_aside").at(0).text(0),
            "time_zone is not in the tz database");
}

TEST_F(IntakeTest, WhatABoxRefusedIsForgottenWhenItSaysThatItIsOver) {
  const auto say = [&](const char* id, std::int64_t seq, bool over) {
    event(id, "feed.rejected", "",
          {{"collection", "identities"},
           {"key", "i-fob"},
           {"seq", seq},
           {"reason", "clock_zero"},
           {"over", over}});
    intake_->work(now_);
    return db_->query("SELECT COUNT(*) FROM set_aside").at(0).integer(0);
  };
  EXPECT_EQ(say("e-1", 4, false), 1);
  EXPECT_EQ(say("e-2", 3, true), 1) << "of an older state of the item";
  EXPECT_EQ(say("e-3", 4, true), 0);
}

TEST_F(IntakeTest, WhatCannotBeActedOnIsSetAsideAndTheRestGoesOn) {
  db_->execute(
      "INSERT INTO ledger (id, store, box, type, time, customer, data, received_at, "
      "handled, note) VALUES ('e-0', 's', 'b', 'com.welcomed.decision.offer.v1', "
      "'2026-05-04T08:15:30.000Z', 'c-paul', '{\"decision\":7}', "
      "'2026-05-04T08:15:30.000Z', 0, '')",
      {});
  offer("e-1", "d-1", "c-paul");
  EXPECT_EQ(intake_->work(now_), 2);
  EXPECT_EQ(page("c-paul").size(), 1U);
  EXPECT_EQ(notes().at(0), "set aside: not as expected");
}

}  // namespace
}  // namespace welcome::crm
