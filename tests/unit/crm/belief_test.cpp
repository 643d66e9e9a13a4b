// SPDX-License-Identifier: Apache-2.0
// What the CRM believes a box, and what it does not (docs/decisions/0191).

#include "crm/belief.h"

#include <map>

#include "crm/desk_consents.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

class BeliefTest : public CrmTest {
 protected:
  BeliefTest() {
    crm_->box_says_key("aroma-1", "box-1", key_.public_key(), now_);
    add("c-mia", "a-mia");
    consent("c-mia", Purpose::proximity_offers, true, kJanuary);
  }
  // What a box says of a consent, signed with `signer` as `about`'s.
  bool desk(const std::string& id, const std::string& customer, bool given, WallTime when,
            const contract::Signer* signer, json more = json::object()) {
    json data = {{"purpose", "face_recognition"},    {"state", given ? "given" : "withdrawn"},
                 {"at", contract::to_rfc3339(when)}, {"how", "desk"},
                 {"box", "demo/aroma-1/box-1"},      {"customer", customer}};
    if (given) data["confirm"] = {{"by", "code"}, {"code", code_of(customer, when)}};
    data.update(more);
    if (signer != nullptr) data = json::parse(signer->sign(data.dump()).value());
    return event(id, "consent.changed", customer, data);
  }
  // That makes a pledge hers, so that nothing else speaks against it.
  std::string code_of(const std::string& customer, WallTime when) {
    std::string& code = codes_[{customer, when}];
    if (code.empty()) code = DeskConsents(*crm_).new_code(customer, now_).digits;
    return code;
  }
  bool face(const std::string& customer) {
    return crm_->given(customer, now_ + 24h).has(Purpose::face_recognition);
  }
  std::string last_note() {
    intake_->work(now_);
    return notes().back();
  }
  void nothing_is_kept() {
    const Row row = db_->query("SELECT customer, data FROM ledger ORDER BY position DESC").at(0);
    EXPECT_EQ(row.text(0), "");
    EXPECT_EQ(row.text(1), "{}");
  }

  const contract::Signer key_{"box-1", contract::Signer::new_seed()};
  const contract::Signer other_{"box-1", contract::Signer::new_seed()};
  std::map<std::pair<std::string, WallTime>, std::string> codes_;
};

// ---- consents ----

TEST_F(BeliefTest, AGrantThatTheBoxSignedCounts) {
  desk("e-1", "c-mia", true, now_, &key_);
  EXPECT_EQ(last_note(), "");
  EXPECT_TRUE(face("c-mia"));
}

TEST_F(BeliefTest, AnAccountAloneConsentsForNobody) {
  const auto news = crm_->newest_news();
  desk("e-1", "c-mia", true, now_, nullptr);
  EXPECT_EQ(last_note(), "not believed: a consent that the box did not sign");
  nothing_is_kept();
  desk("e-2", "c-mia", true, now_, &other_);
  EXPECT_EQ(last_note(), "not believed: a consent that is not signed with the box's key");
  // What it signed about somebody else, or another box of ours about her.
  desk("e-3", "c-mia", true, now_, &key_, {{"customer", "c-paul"}});
  EXPECT_EQ(last_note(), "not believed: a consent that was signed about somebody else");
  desk("e-4", "c-mia", true, now_, &key_, {{"box", "demo/aroma-2/box-1"}});
  EXPECT_EQ(last_note(), "not believed: a consent that was signed about somebody else");
  EXPECT_FALSE(face("c-mia"));
  EXPECT_TRUE(crm_->news_after(news).empty()) << "her page hears nothing of what is not";
  EXPECT_EQ(intake_->counters().not_believed, 4U);
}

TEST_F(BeliefTest, WhoSaysYesForTheFirstTimeMaySayItAtADesk) {
  add("c-new", "a-new");
  event("e-1", "visit.started", "c-new", {{"visit", "v"}, {"zone", "desk"}, {"level", "near"}});
  intake_->work(now_);
  EXPECT_EQ(last_note(), "no consent to visit_analytics");
  desk("e-2", "c-new", true, now_, nullptr);
  EXPECT_EQ(last_note(), "not believed: a consent that the box did not sign");
  EXPECT_TRUE(crm_->consents("c-new").empty());
  desk("e-3", "c-new", true, now_, &key_);
  EXPECT_EQ(last_note(), "");
  EXPECT_TRUE(face("c-new"));
  desk("e-4", "c-nobody", true, now_, &key_);
  EXPECT_EQ(last_note(), "not believed: unknown customer");
}

TEST_F(BeliefTest, AWithdrawalAlwaysPasses) {
  consent("c-mia", Purpose::face_recognition, true, kJanuary);
  desk("e-1", "c-mia", false, now_ + 24h * 365 * 3, nullptr);
  EXPECT_EQ(last_note(), "");
  EXPECT_FALSE(face("c-mia"));
}

TEST_F(BeliefTest, AGrantFromTheFutureIsRefusedSoAWithdrawalHolds) {
  desk("e-1", "c-mia", true, at("2099-01-01T00:00:00Z"), &key_);
  EXPECT_EQ(last_note(), "not believed: a consent from the future");
  // A little ahead is a clock; the phone's no comes a second later, by a clock that is right.
  desk("e-2", "c-mia", true, now_ + 4min, &key_);
  EXPECT_EQ(last_note(), "");
  EXPECT_TRUE(face("c-mia"));
  now_ += 1s;
  request(
      "c-mia",
      {{"id", "q-1"}, {"kind", "consent.set"}, {"purpose", "face_recognition"}, {"given", false}});
  intake_->work(now_);
  EXPECT_FALSE(face("c-mia"));
}

TEST_F(BeliefTest, ARecordIdOfSomebodyElseTouchesNothingOfTheirs) {
  const auto before = crm_->consents("c-paul");
  for (const json& record : before) {
    const std::string id = record.at("record_id");
    desk("e-" + id, "c-mia", true, now_, &key_, {{"record_id", id}});
  }
  intake_->work(now_);
  EXPECT_EQ(crm_->consents("c-paul"), before);
  EXPECT_TRUE(face("c-mia"));
}

TEST_F(BeliefTest, ADeskTakesSoManyConsentsInAnHour) {
  for (std::int64_t i = 0; i <= kGrantsAnHour; ++i) {
    const std::string customer = "c-" + std::to_string(i);
    add(customer, "a-" + std::to_string(i));
    consent(customer, Purpose::proximity_offers, true, kJanuary);
    desk("e-" + std::to_string(i), customer, true, now_, &key_);
  }
  EXPECT_EQ(last_note(), "not believed: more consents than a desk can take");
  EXPECT_EQ(intake_->counters().not_believed, 1U);
  now_ += 2h;
  desk("e-late", "c-mia", true, now_, &key_);
  EXPECT_EQ(last_note(), "");
}

// ---- words ----

TEST_F(BeliefTest, TheWordsOfAnOfferAreTheCampaigns) {
  event("e-1", "decision.offer", "c-paul",
        {{"decision", "d-1"},
         {"visit", "v-1"},
         {"campaign", "k-espresso"},
         {"variant", "a"},
         {"language", "en"},
         {"title", "You have won"},
         {"text", "Pay here: evil.example"},
         {"code", "EVIL"},
         {"expires_at", contract::to_rfc3339(now_ + 24h * 30)}});
  EXPECT_EQ(last_note(), "");
  const json message = page("c-paul").at(0);
  EXPECT_EQ(message.at("title"), "An espresso?");
  EXPECT_EQ(message.at("text"), "It is on us.");
  EXPECT_EQ(message.at("code"), "ESP");
  EXPECT_EQ(message.at("expires_at"), contract::to_rfc3339(now_ + 10min)) << "and so is its life";
}

TEST_F(BeliefTest, AnOfferOfNoCampaignIsNone) {
  for (const auto& [campaign, variant] : {std::pair{"k-none", "a"}, {"k-espresso", "z"}}) {
    event(std::string("e-") + campaign, "decision.offer", "c-paul",
          {{"decision", campaign},
           {"visit", "v-1"},
           {"campaign", campaign},
           {"variant", variant},
           {"language", "en"},
           {"title", "x"},
           {"text", "x"},
           {"expires_at", contract::to_rfc3339(now_ + 10min)}});
    EXPECT_EQ(last_note(), "not believed: an offer of no campaign");
  }
  EXPECT_TRUE(page("c-paul").empty());
  EXPECT_TRUE(db_->query("SELECT decision FROM offer").empty());
}

TEST_F(BeliefTest, TheNameStandsInAnOfferOnlyOfWhoAgreedToThat) {
  ASSERT_TRUE(crm_->put_campaign(
      {{"campaign", "k-name"},
       {"name", "By name"},
       {"trigger", {{"on", "pass_by"}}},
       {"variants",
        {{{"id", "a"}, {"title", {{"en", "Hello"}}}, {"text", {{"en", "For you, {{name}}"}}}}}}}));
  const auto say = [&](const char* id, const char* customer) {
    event(id, "decision.offer", customer,
          {{"decision", id},
           {"visit", id},
           {"campaign", "k-name"},
           {"variant", "a"},
           {"language", "en"},
           {"title", "x"},
           {"text", "x"},
           {"expires_at", contract::to_rfc3339(now_ + 10min)}});
    return last_note();
  };
  EXPECT_EQ(say("e-1", "c-paul"), "");
  EXPECT_EQ(page("c-paul").at(0).at("text"), "For you, Name of c-paul");
  EXPECT_EQ(say("e-2", "c-mia"), "not believed: an offer of no campaign");
}

TEST_F(BeliefTest, TheQuestionOfASurveyIsThePolicys) {
  ASSERT_TRUE(crm_->put_policy(
      {{"time_zone", "UTC"},
       {"surveys",
        {{{"id", "s-visit"}, {"kind", "csat"}, {"question", {{"en", "How was it?"}}}}}}}));
  const auto say = [&](const char* id, const char* survey) {
    event(id, "decision.survey", "c-paul",
          {{"decision", id},
           {"visit", "v-1"},
           {"survey", survey},
           {"kind", "nps"},
           {"language", "en"},
           {"question", "Your card number?"},
           {"expires_at", contract::to_rfc3339(now_ + 10min)}});
    return last_note();
  };
  EXPECT_EQ(say("e-1", "s-visit"), "");
  EXPECT_EQ(page("c-paul").at(0).at("question"), "How was it?");
  EXPECT_EQ(page("c-paul").at(0).at("survey_kind"), "csat");
  EXPECT_EQ(say("e-2", "s-none"), "not believed: a survey of no policy");
}

// ---- time ----

TEST_F(BeliefTest, ANoteFromTheFutureCountsWhenItCame) {
  const auto note = [&](const char* id, const char* text, const char* time) {
    json envelope = {
        {"specversion", "1.0"},
        {"id", id},
        {"source", "/demo/aroma-1/box-1"},
        {"type", "com.welcomed.staff.action.v1"},
        {"time", time},
        {"datacontenttype", "application/json"},
        {"subject", "c-paul"},
        {"data", {{"visit", "v-1"}, {"staff", "eva"}, {"kind", "note"}, {"text", text}}}};
    const auto decoded = contract::decode_for_crm(
        "demo", {"welcome/v1/demo/aroma-1/box-1/event", envelope.dump(), false, "", ""});
    ASSERT_TRUE(decoded) << decoded.error().message;
    intake_->take_event(decoded->box, std::get<contract::EventMessage>(decoded->message), now_);
    intake_->work(now_);
  };
  note("e-1", "Forever.", "9999-01-01T00:00:00Z");
  EXPECT_EQ(crm_->profile("c-paul")->at("last_conversation").at("at"), contract::to_rfc3339(now_));
  EXPECT_EQ(db_->query("SELECT time FROM ledger").at(0).text(0), contract::to_rfc3339(now_));
  now_ += 1min;
  note("e-2", "Off to Lyon.", contract::to_rfc3339(now_).c_str());
  EXPECT_EQ(crm_->profile("c-paul")->at("last_conversation").at("text"), "Off to Lyon.");
}

TEST_F(BeliefTest, AVisitOfTomorrowIsNone) {
  const WallTime today = now_;
  now_ += 24h;
  event("e-1", "visit.started", "c-paul", {{"visit", "v"}, {"zone", "door"}, {"level", "near"}});
  now_ = today;
  EXPECT_EQ(last_note(), "not believed: its time has not come");
}

TEST_F(BeliefTest, NothingHappenedBeforeTheBoxWasAdmitted) {
  db_->execute(
      "INSERT INTO box (store, box, state, session, version, seen_at, admitted_at) "
      "VALUES ('aroma-1', 'box-1', 'online', 1, '1', '', $1)",
      {contract::to_rfc3339(now_ - 1h)});
  const WallTime today = now_;
  now_ -= 2h;
  event("e-1", "visit.started", "c-paul", {{"visit", "v"}, {"zone", "door"}, {"level", "near"}});
  now_ = today;
  EXPECT_EQ(last_note(), "not believed: from before it was admitted");
  // What an offline box had to say since then comes late, and is believed.
  now_ -= 50min;
  event("e-2", "visit.started", "c-paul", {{"visit", "w"}, {"zone", "door"}, {"level", "near"}});
  now_ = today;
  EXPECT_EQ(last_note(), "");
}

// ---- visits ----

TEST_F(BeliefTest, AVisitIsOneCustomersInOneStore) {
  add("c-bruno", "a-bruno");
  consent("c-bruno", Purpose::visit_analytics, true, kJanuary);
  const json moved = {{"visit", "v"}, {"zone", "inside"}, {"level", "near"}};
  event("e-1", "visit.started", "c-paul", moved);
  EXPECT_EQ(last_note(), "");
  event("e-2", "visit.moved", "c-paul", moved, "box-2");
  EXPECT_EQ(last_note(), "") << "the boxes of a store share it";
  event("e-3", "visit.moved", "c-bruno", moved);
  EXPECT_EQ(last_note(), "not believed: a visit of somebody else");
  db_->execute("UPDATE visit SET store = 'aroma-2'");
  event("e-4", "visit.moved", "c-paul", moved);
  EXPECT_EQ(last_note(), "not believed: a visit of another store");
  ASSERT_TRUE(crm_->forget("c-paul", now_));
  EXPECT_TRUE(db_->query("SELECT visit FROM visit").empty());
}

}  // namespace
}  // namespace welcome::crm
