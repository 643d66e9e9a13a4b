// SPDX-License-Identifier: Apache-2.0
// The history of a consent: a withdrawal always passes, nothing brings back who opted out, and what
// is said again adds nothing.

#include "core/consent.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

class ConsentsTest : public CrmTest {
 protected:
  static constexpr Purpose kOffers = Purpose::proximity_offers;

  ConsentsTest() { add("c-mia", "a-mia"); }

  void say(bool given, std::optional<WallTime> when, const char* how = "crm") {
    ConsentChange change;
    change.customer = "c-mia";
    change.purpose = kOffers;
    change.given = given;
    change.at = when;
    change.how = how;
    change.by_box = std::string_view(how) == "desk";
    const auto done = crm_->set_consent(change, now_);
    ASSERT_TRUE(done) << done.error().message;
  }
  void tap(const char* id, bool given, std::optional<WallTime> when) {
    json body = {
        {"id", id}, {"kind", "consent.set"}, {"purpose", to_string(kOffers)}, {"given", given}};
    if (when) body["at"] = contract::to_rfc3339(*when);
    request("c-mia", body);
    intake_->work(now_);
  }
  json record() { return crm_->consents("c-mia").at(0); }
  std::size_t steps() { return record().at("history").size(); }
  bool given() { return crm_->given("c-mia", now_).has(kOffers); }
  // What a box makes of the record alone.
  bool given_at_a_box() {
    const auto item = contract::decode_item(Collection::consents, record().dump());
    return standing(std::get<ConsentRecord>(*item)).given();
  }
};

TEST_F(ConsentsTest, AThousandGrantsAreOneStepAndAWithdrawalPasses) {
  const Transaction transaction(*db_);
  for (int hour = 0; hour < 1001; ++hour) say(true, kJanuary + std::chrono::hours(hour));
  EXPECT_EQ(steps(), 1U);
  say(false, now_);
  EXPECT_FALSE(given());
  EXPECT_EQ(steps(), 2U);
}

TEST_F(ConsentsTest, AThousandWithdrawalsAreOneStep) {
  const Transaction transaction(*db_);
  say(true, kJanuary);
  for (int hour = 1; hour < 1001; ++hour) say(false, kJanuary + std::chrono::hours(hour));
  EXPECT_EQ(steps(), 2U);
  EXPECT_FALSE(given());
}

TEST_F(ConsentsTest, HundredsOfChangesOfMindStillFitAndTheNewestCounts) {
  const Transaction transaction(*db_);
  for (int hour = 0; hour < 401; ++hour) {
    say(hour % 2 == 0, kJanuary + std::chrono::hours(hour));
    ASSERT_EQ(given(), hour % 2 == 0);
    if (hour % 40 < 2) {
      ASSERT_EQ(given_at_a_box(), hour % 2 == 0);
    }
  }
  EXPECT_LE(steps(), 200U);
  EXPECT_EQ(crm_->export_customer("c-mia", now_)->at("consents").at(0).at("history").size(), 401U)
      << "the person sees all of it";
  say(false, now_);
  EXPECT_FALSE(given());
  EXPECT_FALSE(given_at_a_box());
  // An old step that is not sent any more is known, and counts no more than it did.
  say(true, kJanuary);
  EXPECT_FALSE(given());
}

TEST_F(ConsentsTest, AGrantFromTheFutureCountsFromNowAndAWithdrawalHolds) {
  say(true, now_ + 2h);
  EXPECT_TRUE(given());
  EXPECT_EQ(record().at("history").at(0).at("at"), contract::to_rfc3339(now_));
  now_ += 1min;
  say(false, now_);
  now_ += 3h;
  EXPECT_FALSE(given());
  EXPECT_FALSE(given_at_a_box());
}

TEST_F(ConsentsTest, AnOfflineTapCountsAtItsTimeSoTheWithdrawalAfterItHolds) {
  say(true, kJanuary);
  say(false, now_ - 1h);
  tap("q-late", true, now_ - 2h);
  EXPECT_FALSE(given());
  EXPECT_FALSE(given_at_a_box());
  tap("q-now", true, now_);
  EXPECT_TRUE(given()) << "and a yes of today counts";
}

TEST_F(ConsentsTest, AWithdrawalThatComesLaterWinsWhenverItWasTapped) {
  say(true, now_ - 1h, "desk");
  tap("q-late", false, now_ - 2h);
  EXPECT_FALSE(given());
  EXPECT_FALSE(given_at_a_box());
  // The same word again is no second withdrawal of what was given since.
  say(true, now_ - 30min);
  ASSERT_TRUE(given());
  say(false, now_ - 2h);
  EXPECT_TRUE(given());
}

TEST_F(ConsentsTest, AWithdrawalThatRepeatsOneKeepsOutAGrantThatIsOlderThanIt) {
  say(false, now_ - 5h);
  say(false, now_ - 1h);
  EXPECT_EQ(steps(), 1U);
  tap("q-late", true, now_ - 3h);
  EXPECT_FALSE(given());
  EXPECT_FALSE(given_at_a_box());
  tap("q-now", true, now_);
  EXPECT_TRUE(given());
}

TEST_F(ConsentsTest, AGrantWithoutATimeBringsNobodyBack) {
  tap("q-1", true, std::nullopt);
  EXPECT_TRUE(given());
  tap("q-2", false, std::nullopt);
  EXPECT_FALSE(given());
  now_ += 1h;
  tap("q-3", true, std::nullopt);
  EXPECT_FALSE(given());
}

// The box keeps the desk's consent until the record has that very step (docs/protocol.md).
TEST_F(ConsentsTest, WhatABoxTellsIsAlwaysAStep) {
  say(true, kJanuary);
  say(true, now_ - 1h, "desk");
  EXPECT_EQ(steps(), 2U);
  say(true, now_ + 2s, "desk");
  EXPECT_EQ(record().at("history").back().at("at"), contract::to_rfc3339(now_ + 2s))
      << "the box's clock is a little ahead";
  say(false, now_);
  EXPECT_FALSE(given());
  EXPECT_FALSE(given_at_a_box());
}

TEST_F(ConsentsTest, AnOlderGrantDoesNotChangeTheTermsOfANewerOne) {
  ConsentChange change{.customer = "c-mia",
                       .purpose = kOffers,
                       .given = true,
                       .at = now_ - 1h,
                       .how = "app",
                       .notice = ConsentNotice{"n", "2", "en"},
                       .expires_at = now_ + 1h};
  ASSERT_TRUE(crm_->set_consent(change, now_));
  change.at = kJanuary;
  change.notice = ConsentNotice{"n", "1", "en"};
  change.expires_at.reset();
  ASSERT_TRUE(crm_->set_consent(change, now_));
  EXPECT_EQ(record().at("notice").at("version"), "2");
  EXPECT_TRUE(record().contains("expires_at"));
  now_ += 2h;
  EXPECT_FALSE(given());
}

TEST_F(ConsentsTest, ALanguageAsAPhoneWritesItLosesNoConsent) {
  for (const auto& [said, kept] :
       {std::pair{"de_DE", "de-DE"}, {"de_CH.UTF-8", "de-CH"}, {"Deutsch, bitte", "und"}}) {
    const std::string id = std::string("q-") + said;
    request("c-mia",
            {{"id", id},
             {"kind", "consent.set"},
             {"purpose", "visit_analytics"},
             {"given", true},
             {"at", contract::to_rfc3339(now_)},
             {"notice", {{"id", "welcome-pledge"}, {"version", "3"}, {"language", said}}}});
    intake_->work(now_);
    now_ += 1s;
    ASSERT_TRUE(crm_->given("c-mia", now_).has(Purpose::visit_analytics)) << said;
    EXPECT_EQ(record().at("notice").at("language"), kept);
  }
}

// Random words from a phone, the desk and files, with clocks that are wrong, against the rule in
// three lines.
TEST_F(ConsentsTest, WhateverComesLateNobodyIsBroughtBack) {
  std::uint32_t seed = 20261128;
  const auto random = [&](std::uint32_t below) {
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8U) % below;
  };
  const Transaction transaction(*db_);
  for (int run = 0; run < 40; ++run) {
    const std::string customer = "c-" + std::to_string(run);
    add(customer, "a-" + std::to_string(run));
    WallTime given_at = WallTime::min(), withdrawn_at = WallTime::min();
    for (int i = 0; i < 40; ++i) {
      now_ += std::chrono::minutes(1 + random(200));
      ConsentChange change;
      change.customer = customer;
      change.purpose = kOffers;
      change.given = random(3) != 0;
      change.at = now_ + 6h - std::chrono::minutes(random(1440)) + std::chrono::milliseconds(i);
      change.how = random(2) != 0 ? "app" : "crm";
      ASSERT_TRUE(crm_->set_consent(change, now_));
      // Nothing counts later than it came, and a withdrawal beats what came before it.
      const WallTime said = std::min(*change.at, now_);
      if (change.given) {
        // Said again while it is given: no news.
        if (said <= given_at || given_at <= withdrawn_at) given_at = std::max(given_at, said);
      } else {
        withdrawn_at = std::max({withdrawn_at, said, given_at});
      }
      ASSERT_EQ(crm_->given(customer, now_).has(kOffers), given_at > withdrawn_at)
          << "run " << run << ", step " << i;
    }
  }
}

}  // namespace
}  // namespace welcome::crm
