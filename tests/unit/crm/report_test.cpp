// SPDX-License-Identifier: Apache-2.0
// The figures of a report, against values worked out elsewhere.

#include "crm/report.h"

#include <numeric>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

TEST(StatisticsTest, NothingSeenIsEverythingPossible) {
  const Rate none = rate({0, 0});
  EXPECT_DOUBLE_EQ(none.estimate, 0.5);
  EXPECT_NEAR(none.low, 0.025, 1e-12);
  EXPECT_NEAR(none.high, 0.975, 1e-12);
}

TEST(StatisticsTest, IntervalsAreThoseOfTheBetaDistribution) {
  // No hits of n: the posterior is 1 − (1 − x)^(n + 1).
  const Rate zero = rate({9, 0});
  EXPECT_NEAR(zero.high, 1.0 - std::pow(0.025, 1.0 / 10.0), 1e-9);
  EXPECT_NEAR(zero.low, 1.0 - std::pow(0.975, 1.0 / 10.0), 1e-9);
}

TEST(StatisticsTest, EqualArmsAreEquallyLikelyToBeBest) {
  for (const double p : probability_best({{100, 20}, {100, 20}, {100, 20}})) {
    EXPECT_NEAR(p, 1.0 / 3.0, 1e-9);
  }
}

TEST(StatisticsTest, TheProbabilityToBeHigherHasAClosedForm) {
  // Beta(1 + 1, 1) against Beta(1, 1): integral of 2x · x = 2/3.
  EXPECT_NEAR(probability_higher({1, 1}, {0, 0}), 2.0 / 3.0, 1e-9);
  EXPECT_GT(probability_higher({10000, 1200}, {10000, 1000}), 0.9999);
}

TEST(StatisticsTest, ProbabilitiesAddUpToOneAndDoNotChange) {
  const std::vector<Tally> arms{{1000, 31}, {900, 40}, {5, 1}};
  const auto first = probability_best(arms);
  EXPECT_NEAR(std::accumulate(first.begin(), first.end(), 0.0), 1.0, 1e-12);
  EXPECT_EQ(first, probability_best(arms));
}

TEST(StatisticsTest, SurveyScoresFollowTheirDefinitions) {
  const Score promoters = nps({10, 9, 8, 7, 6, 0});
  EXPECT_EQ(promoters.n, 6);
  EXPECT_DOUBLE_EQ(promoters.value, 0.0);
  EXPECT_NEAR(promoters.margin, 100.0 * 1.959964 * std::sqrt((4.0 / 6.0) / 6.0), 1e-3);
  EXPECT_DOUBLE_EQ(csat({5, 4, 3, 1}).value, 50.0);
  EXPECT_DOUBLE_EQ(ces({7, 6, 2}).value, 5.0);
  EXPECT_EQ(nps({}).n, 0);
}

class ReportTest : public CrmTest {
 protected:
  ReportTest() {
    {
      Transaction transaction(*db_);
      fill();
      transaction.commit();
    }
    intake_->work(now_);
  }
  void fill() {
    for (int i = 0; i < 40; ++i) {
      const std::string n = std::to_string(i);
      offer("e-" + n, "d-" + n, "c-paul", i % 2 == 0 ? "a" : "b<");
      if (i % 4 == 0) {
        request("c-paul", {{"id", "q-" + n}, {"kind", "offer.redeemed"}, {"decision", "d-" + n}});
      }
    }
    for (int i = 0; i < 20; ++i) {
      event("s-" + std::to_string(i), "decision.suppressed", "c-paul",
            {{"decision", "h-" + std::to_string(i)},
             {"visit", "v"},
             {"kind", "offer"},
             {"campaign", "k-espresso"},
             {"reason", "holdout"}});
    }
  }
};

TEST_F(ReportTest, VariantsAreComparedWithEachOtherAndWithTheHoldOut) {
  const Report report = make_report(*crm_, "k-espresso");
  ASSERT_EQ(report.arms.size(), 2U);
  EXPECT_EQ(report.arms[0].variant, "a");
  EXPECT_EQ(report.arms[0].shown, 20);
  EXPECT_EQ(report.arms[1].redeemed, 0);
  ASSERT_TRUE(report.holdout);
  EXPECT_EQ(report.holdout->shown, 20);
  EXPECT_TRUE(report.arms[0].beats_holdout);
  EXPECT_NEAR(report.arms[0].best + report.arms[1].best, 1.0, 1e-12);
}

TEST_F(ReportTest, TheThreeFormsSayTheSame) {
  const Report report = make_report(*crm_, "k-espresso");
  const json form = json::parse(report_json(report));
  EXPECT_EQ(form.at("variants").at(0).at("shown"), 20);
  EXPECT_EQ(form.at("holdout").at("shown"), 20);
  EXPECT_NE(report_table(report).find("holdout"), std::string::npos);
  const std::string picture = report_svg(report);
  EXPECT_TRUE(picture.starts_with("<svg"));
  EXPECT_EQ(picture.find("b<"), std::string::npos) << "names are escaped";
}

TEST_F(ReportTest, AnswersCountForWhatWasShownInTheWeekBefore) {
  add("c-mia", "a-mia");
  consent("c-mia", Purpose::visit_analytics, true, kJanuary);
  event("v-1", "survey.answer", "c-paul", {{"survey", "s"}, {"kind", "nps"}, {"score", 9}});
  event("v-2", "survey.answer", "c-mia", {{"survey", "s"}, {"kind", "nps"}, {"score", 2}});
  event("v-3", "survey.answer", "c-paul", {{"survey", "s"}, {"kind", "csat"}, {"score", 3}});
  intake_->work(now_);
  const Report report = make_report(*crm_, "k-espresso");
  EXPECT_EQ(report.answers.nps.n, 2) << "everybody's";
  EXPECT_EQ(report.arms[0].answers.nps.n, 1) << "Mia was not shown it";
  EXPECT_DOUBLE_EQ(report.arms[0].answers.nps.value, 100.0);
  EXPECT_DOUBLE_EQ(report.arms[0].answers.csat.value, 0.0);
  now_ += std::chrono::days{8};
  event("v-4", "survey.answer", "c-paul", {{"survey", "s"}, {"kind", "nps"}, {"score", 0}});
  intake_->work(now_);
  EXPECT_EQ(make_report(*crm_, "k-espresso").arms[0].answers.nps.n, 1) << "too late to be about it";
}

TEST_F(ReportTest, TheFunnelAndTheReasonsSayWhereItStopped) {
  event("x-1", "decision.suppressed", "c-paul",
        {{"decision", "x-1"},
         {"visit", "v"},
         {"kind", "offer"},
         {"campaign", "k-espresso"},
         {"reason", "quiet_hours"}});
  request("c-paul", {{"id", "r-1"}, {"kind", "offer.opened"}, {"decision", "d-0"}});
  request("c-paul", {{"id", "r-2"}, {"kind", "offer.redeemed"}, {"decision", "d-0"}});
  intake_->work(now_);
  const Report report = make_report(*crm_, "k-espresso");
  EXPECT_EQ(report.funnel(), (std::array<std::int64_t, 4>{40, 1, 0, 1}));
  EXPECT_EQ(report.suppressed.at("quiet_hours"), 1);
  EXPECT_EQ(report.suppressed.at("holdout"), 20);
}

TEST_F(ReportTest, VisitsAreCountedByTheStoresOwnClock) {
  ASSERT_TRUE(crm_->put_policy({{"time_zone", "America/New_York"}}));
  // Monday 2026-03-02 and 2026-03-09, 13:30 UTC: the clock is put forward between them.
  for (const char* at : {"2026-03-02T13:30:00.000Z", "2026-03-09T13:30:00.000Z"}) {
    now_ = *contract::from_rfc3339(at);
    event(std::string("w-") + at, "visit.started", "c-paul",
          {{"visit", at}, {"zone", "door"}, {"level", "present"}});
  }
  intake_->work(now_);
  const Report report = make_report(*crm_, "k-espresso");
  EXPECT_EQ(report.time_zone, "America/New_York");
  EXPECT_EQ(report.visits[0][8], 1);
  EXPECT_EQ(report.visits[0][9], 1);
  EXPECT_NE(report_table(report).find("VISITS by weekday and hour (America/New_York)"),
            std::string::npos);
  EXPECT_EQ(json::parse(report_json(report)).at("visits").at("by_weekday_and_hour").at(0).at(9), 1);
}

TEST_F(ReportTest, WhoWasErasedIsStillCountedAndNotNamed) {
  const std::int64_t before = make_report(*crm_, "k-espresso").arms[0].shown;
  ASSERT_TRUE(crm_->forget("c-paul", now_));
  EXPECT_EQ(make_report(*crm_, "k-espresso").arms[0].shown, before);
}

}  // namespace
}  // namespace welcome::crm
