// SPDX-License-Identifier: Apache-2.0
// After a restart the pipeline goes on from its rows.

#include <set>

#include "core/rehearsal.h"
#include "tests/unit/core/shop.h"

namespace welcome {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Restart, a_visit_goes_on_with_its_id_level_and_prompt) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.stay(paul, Zone::desk, 3s);
  const Prompt before = shop.face(paul).prompts.at(0);
  shop.staff(before.visit, StaffAction::Kind::claim);

  EXPECT_EQ(shop.restart().visits, 1);
  Effects e = shop.handle(event::Tick{});
  EXPECT_THAT(e.decisions, IsEmpty());
  e.append(shop.phone(paul, Zone::desk));
  EXPECT_THAT(e.visits, IsEmpty());
  EXPECT_THAT(e.decisions, IsEmpty());
  const VisitView v = shop.pipeline->visits().at(0);
  EXPECT_EQ(v.visit, before.visit);
  EXPECT_EQ(v.level, Level::confirmed);
  const Effects served = shop.staff(before.visit, StaffAction::Kind::served);
  EXPECT_EQ(served.prompts.at(0).decision, before.decision);
  EXPECT_EQ(served.prompts.at(0).claimed_by, StaffId("eva"));
}

TEST(Restart, who_sat_there_for_an_hour_is_still_the_same_guest) {
  Shop shop;
  const auto paul = shop.member("c-paul", {Purpose::proximity_offers});  // no card that is renewed
  shop.stay(paul, Zone::desk, 3600s);
  const VisitId before = shop.pipeline->visits().at(0).visit;
  shop.restart(30s);
  Effects e = shop.after_restart;
  e.append(shop.phone(paul, Zone::desk));
  EXPECT_THAT(e.visits, IsEmpty());
  EXPECT_EQ(shop.pipeline->visits().at(0).visit, before);
}

TEST(Restart, a_visit_that_ended_while_the_box_was_off_is_ended) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.stay(paul, Zone::desk, 3s);
  shop.restart(1h);
  const Effects& e = shop.after_restart;
  EXPECT_THAT(visit_kinds(e), ElementsAre(VisitEvent::Kind::ended));
  EXPECT_THAT(e.prompts_cleared, SizeIs(1));
}

TEST(Restart, a_consent_withdrawn_meanwhile_ends_the_visit_before_anything_else) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.stay(paul, Zone::desk, 3s);
  shop.withdraw_unheard(paul, Purpose::proximity_offers);
  shop.restart();
  const Effects& e = shop.after_restart;
  EXPECT_THAT(visit_kinds(e), ElementsAre(VisitEvent::Kind::ended));
  EXPECT_EQ(e.visits[0].ended_why, "consent");
}

TEST(Restart, caps_hold_for_sent_and_for_waiting_offers) {
  Shop shop;
  const auto paul = shop.member("c-paul"), bruno = shop.member("c-bruno");
  shop.use({campaign("k-espresso")});
  shop.sent(offers(shop.stay(paul, Zone::street, 6s)).at(0));
  shop.leave(paul);
  const auto waiting = offers(shop.stay(bruno, Zone::street, 6s)).at(0);
  shop.leave(bruno);
  EXPECT_EQ(shop.restart().decisions, 1);
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::cap_campaign));
  EXPECT_THAT(offer_reasons(shop.stay(bruno, Zone::street, 6s)), ElementsAre(Reason::cap_campaign));
  shop.leave(bruno);
  shop.handle(event::DecisionExpired{waiting.id});
  EXPECT_THAT(offer_reasons(shop.stay(bruno, Zone::street, 6s)), ElementsAre(Reason::made));
}

TEST(Restart, a_pass_by_offer_is_not_decided_twice) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  shop.stay(paul, Zone::street, 6s);
  shop.restart(2s);
  EXPECT_THAT(shop.stay(paul, Zone::street, 6s).decisions, IsEmpty());
}

TEST(Restart, a_pause_holds_without_a_line) {
  Shop shop;
  shop.handle(event::PauseChanged{Function::face, true});
  shop.restart();
  EXPECT_TRUE(shop.pipeline->gate().paused(Function::face));
}

TEST(Restart, the_stores_cap_and_the_budget_go_on) {
  Shop shop;
  Policy p;
  p.caps.per_store_day = 2;
  shop.use(p);
  Campaign c = campaign("k-espresso");
  c.budget = 1;
  shop.use({c, campaign("k-other")});
  for (const char* id : {"c-1", "c-2"}) {
    shop.sent(offers(shop.stay(shop.member(id), Zone::street, 6s)).at(0));
  }
  shop.restart();
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-3"), Zone::street, 6s)),
              ElementsAre(Reason::cap_store));
}

TEST(Restart, a_time_that_nobody_vouches_for_ends_no_waiting_offer_and_no_day) {
  Shop shop;
  Policy p;
  p.caps.per_store_day = 2;
  shop.use(p);
  shop.use({campaign("k-a")});
  shop.sent(offers(shop.stay(shop.member("c-1"), Zone::street, 6s)).at(0));
  ASSERT_TRUE(offers(shop.stay(shop.member("c-2"), Zone::street, 6s)).at(0).made());
  ASSERT_EQ(shop.rows(StateRow::Kind::decision).size(), 1U) << "it waits";
  constexpr auto kYears = 24h * 365 * 4;
  shop.wall += kYears;
  shop.wall_trusted = false;
  shop.step_time(2h);
  shop.stay(shop.member("c-3"), Zone::street, 6s);
  EXPECT_EQ(shop.rows(StateRow::Kind::decision).size(), 1U);
  shop.wall -= kYears;
  shop.wall_trusted = true;
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-4"), Zone::street, 6s)),
              ElementsAre(Reason::cap_store));
}

TEST(Restart, what_was_spent_and_learnt_goes_with_its_campaign) {
  Shop shop;
  Campaign c = campaign("k-espresso");
  c.budget = 10;
  shop.use({c, campaign("k-other", TriggerOn::enter)});
  shop.sent(offers(shop.stay(shop.member("c-1"), Zone::street, 6s)).at(0));
  const auto kept = [&](const char* key) {
    return shop.directory.rows.contains({StateRow::Kind::store, key});
  };
  ASSERT_TRUE(kept("budget:k-espresso") && kept("learner:k-espresso"));
  shop.use({campaign("k-other", TriggerOn::enter)});
  EXPECT_FALSE(kept("budget:k-espresso") || kept("learner:k-espresso"));
}

TEST(Restart, an_offer_that_waited_over_midnight_counts_for_the_day_on_which_it_may_land) {
  Shop shop;
  Policy p;
  p.caps.per_store_day = 1;
  shop.use(p);
  Campaign c = campaign("k-espresso");
  c.expires = 24h;
  shop.use({c});
  const auto d = offers(shop.stay(shop.member("c-1"), Zone::street, 6s)).at(0);
  shop.wait(16h);
  shop.hear_crm();
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-2"), Zone::street, 6s)),
              ElementsAre(Reason::cap_store));
  shop.sent(d);
  shop.restart();
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-3"), Zone::street, 6s)),
              ElementsAre(Reason::cap_store));
}

TEST(Restart, rows_that_cannot_be_read_are_counted_and_left_out) {
  Shop shop;
  shop.directory.rows[{StateRow::Kind::visit, "v"}] = {StateRow::Kind::visit, "v", CustomerId("c"),
                                                       "{\"visit\":1}"};
  shop.directory.rows[{StateRow::Kind::store, "learner:k"}] = {StateRow::Kind::store, "learner:k",
                                                               CustomerId(), "]["};
  EXPECT_EQ(shop.restart().unreadable, 2);
}

TEST(Restart, the_consents_stay_fresh_as_of_the_last_word) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.restart(std::chrono::hours{73});
  EXPECT_EQ(shop.pipeline->gate().verdict(paul, Purpose::proximity_offers, shop.now()),
            ConsentVerdict::stale);
}

TEST(Forgetting, leaves_no_row_and_lets_nothing_come_back) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  shop.stay(paul, Zone::desk, 2s);
  const Effects e = shop.handle(event::CustomerForgotten{paul});
  EXPECT_TRUE(e.consents.at(0).forgotten);
  EXPECT_THAT(e.withdrawn_decisions, ElementsAre(d.id));
  EXPECT_THAT(e.prompts_cleared, SizeIs(1));
  EXPECT_FALSE(e.visits.at(0).report);
  for (const auto& [key, row] : shop.directory.rows) EXPECT_NE(row.customer, paul);
  shop.give(paul, Purpose::proximity_offers);
  EXPECT_THAT(shop.stay(paul, Zone::desk, 5s).visits, IsEmpty());
  shop.handle(event::OfferElsewhere{paul, CampaignId("k"), "a", DecisionId("x"), shop.wall});
  for (const auto& [key, row] : shop.directory.rows) EXPECT_NE(row.customer, paul);
}

TEST(Rehearsal, stores_nothing_and_reports_nothing) {
  PipelineSettings settings;
  settings.rehearsal = true;
  Shop shop(settings);
  const auto paul = shop.member("c-invented");
  shop.use({campaign("k-espresso", TriggerOn::enter)});
  Effects e = shop.stay(paul, Zone::desk, 3s);
  ASSERT_THAT(e.prompts, SizeIs(1));
  EXPECT_TRUE(e.prompts[0].rehearsal);
  shop.staff(e.prompts[0].visit, StaffAction::Kind::note, "practice");
  e.append(shop.leave(paul));
  for (const auto& v : e.visits) EXPECT_FALSE(v.report);
  for (const auto& d : e.decisions) EXPECT_FALSE(d.report);
  EXPECT_THAT(shop.directory.rows, IsEmpty());
}

TEST(Rehearsal, brings_invented_customers_to_the_tablet_and_nowhere_else) {
  CountingIds ids;
  Now now{MonoTime{100s}, kOpening, true};
  Rehearsal rehearsal(ids, Policy(), now);
  Effects all;
  std::optional<Prompt> first;
  const auto play_until = [&](std::chrono::seconds end) {
    for (;;) {
      Effects e = rehearsal.advance(now);
      ASSERT_TRUE(e.wake_at);
      const auto step = std::chrono::ceil<std::chrono::milliseconds>(*e.wake_at - now.mono);
      all.append(std::move(e));
      if (!first && !all.prompts.empty()) {
        first = all.prompts[0];
        StaffAction note;
        note.id = "1";
        note.visit = first->visit;
        note.kind = StaffAction::Kind::note;
        note.text = "practised";
        EXPECT_TRUE(rehearsal.has(note.visit));
        all.append(rehearsal.staff(note, now));
      }
      if (now.mono + step > MonoTime{100s} + end) return;
      now.mono += step;
      now.wall += step;
    }
  };
  play_until(240s);
  std::set<std::string> names;
  for (const Prompt& p : all.prompts) {
    EXPECT_TRUE(p.rehearsal);
    names.insert(p.name);
  }
  EXPECT_EQ(names.size(), 3U);
  EXPECT_EQ(all.prompts_cleared.size(), 3U);
  EXPECT_THAT(all.rows, IsEmpty());
  for (const auto& v : all.visits) EXPECT_FALSE(v.report);
  for (const auto& d : all.decisions) EXPECT_FALSE(d.report);

  all = Effects();
  play_until(260s);
  ASSERT_FALSE(all.prompts.empty());
  EXPECT_EQ(all.prompts[0].last_conversation->text, "practised") << "the next round";
  EXPECT_THAT(rehearsal.stop(now).prompts_cleared, SizeIs(1));
}

TEST(Silence, of_the_crm_ends_a_visit_when_the_consents_go_stale) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  p.consent_max_age = std::chrono::hours{1};
  shop.use(p);
  Effects e = shop.stay(paul, Zone::desk, std::chrono::seconds{59min});
  EXPECT_EQ(shop.pipeline->visits().size(), 1U);
  e = shop.wait(90s);
  EXPECT_TRUE(e.loadable_changed);
  ASSERT_THAT(e.visits, SizeIs(1));
  EXPECT_EQ(e.visits[0].ended_why, "consent");
}

TEST(Surveys, one_question_after_a_visit_and_then_none_for_long) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  SurveyRule rule;
  rule.id = "s-nps";
  p.surveys = {rule};
  shop.use(p);
  shop.stay(paul, Zone::desk, std::chrono::seconds{5min});
  const auto first = of_kind(shop.leave(paul), DecisionKind::survey);
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_EQ(first[0].reason, Reason::made);
  EXPECT_EQ(first[0].survey_kind, SurveyKind::nps);
  EXPECT_THAT(first[0].text, testing::HasSubstr("recommend"));
  shop.stay(paul, Zone::desk, std::chrono::seconds{5min});
  const auto second = of_kind(shop.leave(paul), DecisionKind::survey);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].reason, Reason::min_gap);
}

TEST(Surveys, NobodyIsAskedOnADayOnWhichTheyWishToBeLeftAlone) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  p.surveys = {SurveyRule{"s", SurveyKind::csat, 100.0, 3min, std::chrono::days{90}, 1h, {}}};
  shop.use(p);
  shop.stay(paul, Zone::desk, std::chrono::seconds{5min});
  shop.directory.profiles.at(paul).not_today_at = shop.wall;
  shop.handle(event::ProfileChanged{paul});
  const auto asked = of_kind(shop.leave(paul), DecisionKind::survey);
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_EQ(asked[0].reason, Reason::not_today);
}

TEST(Surveys, a_short_visit_is_not_asked_about) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  p.surveys = {SurveyRule{"s", SurveyKind::csat, 100.0, 3min, std::chrono::days{90}, 1h, {}}};
  shop.use(p);
  shop.stay(paul, Zone::desk, 30s);
  EXPECT_THAT(of_kind(shop.leave(paul), DecisionKind::survey), IsEmpty());
}

}  // namespace
}  // namespace welcome
