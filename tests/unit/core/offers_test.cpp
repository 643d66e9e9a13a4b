// SPDX-License-Identifier: Apache-2.0
// Offers: the right word, never once too often.

#include "core/facts.h"
#include "harness/agreed_time.h"
#include "tests/unit/core/shop.h"

namespace welcome {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Offers, a_walk_by_offer_is_made_after_five_seconds_in_reach) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  EXPECT_THAT(shop.stay(paul, Zone::street, 4s).decisions, IsEmpty());
  const auto made = offers(shop.stay(paul, Zone::street, 2s));
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0].reason, Reason::made);
  EXPECT_EQ(made[0].campaign, CampaignId("k-espresso"));
  EXPECT_EQ(made[0].text, "An espresso on the house");
  EXPECT_EQ(made[0].expires_at, made[0].at + 600s);
}

TEST(Offers, the_dwell_time_is_reached_without_a_further_claim) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  shop.stay(paul, Zone::street, 4s);
  EXPECT_THAT(offer_reasons(shop.wait(1500ms)), ElementsAre(Reason::made));
}

TEST(Offers, somebody_who_hurries_past_gets_none) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  Effects e = shop.stay(paul, Zone::street, 3s);
  e.append(shop.leave(paul));
  EXPECT_THAT(e.decisions, IsEmpty());
}

TEST(Offers, a_second_pass_the_same_day_stays_silent_and_says_why) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  shop.sent(offers(shop.stay(paul, Zone::street, 6s)).at(0));
  shop.leave(paul);
  shop.wait(2h);
  const auto second = offers(shop.stay(paul, Zone::street, 6s));
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].reason, Reason::cap_campaign);
  EXPECT_EQ(family(second[0].reason), "cap");
}

TEST(Offers, tomorrow_brings_the_other_variant) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Campaign c = campaign("k-espresso");
  c.variants.push_back(c.variants[0]);
  c.variants[1].id = "b";
  shop.use({c});
  const auto first = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  shop.sent(first);
  shop.leave(paul);
  shop.wait(24h);
  const auto second = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  EXPECT_EQ(second.reason, Reason::made);
  EXPECT_NE(second.variant, first.variant);
}

TEST(Offers, a_sticky_variant_stays_for_ever) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Campaign c = campaign("k-espresso");
  c.choice = VariantChoice::sticky;
  c.variants.push_back(c.variants[0]);
  c.variants[1].id = "b";
  shop.use({c});
  const auto first = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  shop.sent(first);
  for (int day = 0; day < 2; ++day) {
    shop.leave(paul);
    shop.wait(24h);
    const auto next = offers(shop.stay(paul, Zone::street, 6s)).at(0);
    EXPECT_EQ(next.variant, first.variant);
    shop.sent(next);
  }
}

TEST(Offers, a_cap_counts_what_was_really_sent) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  const auto lost = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  shop.handle(event::DecisionExpired{lost.id});
  shop.leave(paul);
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::made));
}

TEST(Offers, one_that_still_waits_to_be_sent_counts_too) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  shop.stay(paul, Zone::street, 6s);  // made, neither sent nor expired yet
  shop.leave(paul);
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::cap_campaign));
}

TEST(Offers, the_day_and_the_week_are_capped_over_all_campaigns) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  p.caps.per_customer_day = 1;
  p.caps.per_customer_week = 3;
  p.fatigue_after = 0;
  shop.use(p);
  shop.use({campaign("k-a"), campaign("k-b"), campaign("k-c"), campaign("k-d"), campaign("k-e")});
  std::vector<Reason> seen;
  for (int day = 0; day < 5; ++day) {
    for (int pass = 0; pass < 2; ++pass) {
      for (const auto& d : offers(shop.stay(paul, Zone::street, 6s))) {
        seen.push_back(d.reason);
        if (d.made()) shop.sent(d);
      }
      shop.leave(paul);
    }
    shop.wait(24h);
    shop.hear_crm();
  }
  EXPECT_THAT(seen, ElementsAre(Reason::made, Reason::cap_customer_day, Reason::made,
                                Reason::cap_customer_day, Reason::made, Reason::cap_customer_day,
                                Reason::cap_customer_week, Reason::cap_customer_week,
                                Reason::cap_customer_week, Reason::cap_customer_week));
}

TEST(Offers, there_is_a_minimum_gap_between_two) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  p.caps.min_gap = 1h;
  shop.use(p);
  shop.use({campaign("k-a"), campaign("k-b")});
  shop.sent(offers(shop.stay(paul, Zone::street, 6s)).at(0));
  shop.leave(paul);
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::min_gap));
  shop.leave(paul);
  shop.wait(1h);
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::made));
}

TEST(Offers, the_store_has_a_cap_of_its_own) {
  Shop shop;
  Policy p;
  p.caps.per_store_day = 2;
  shop.use(p);
  shop.use({campaign("k-a")});
  std::vector<Reason> seen;
  for (const char* id : {"c-1", "c-2", "c-3"}) {
    const auto d = offers(shop.stay(shop.member(id), Zone::street, 6s)).at(0);
    seen.push_back(d.reason);
    if (d.made()) shop.sent(d);
  }
  EXPECT_THAT(seen, ElementsAre(Reason::made, Reason::made, Reason::cap_store));
}

TEST(Offers, without_a_policy_none_is_made) {
  Shop shop;
  shop.use({campaign("k-a")});
  EXPECT_TRUE(shop.pipeline->has_policy());
  shop.handle(event::PolicyReplaced{});
  EXPECT_FALSE(shop.pipeline->has_policy());
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-1"), Zone::street, 6s)),
              ElementsAre(Reason::no_policy));

  Policy elsewhere;
  elsewhere.time_zone = "Mars/Olympus_Mons";
  EXPECT_FALSE(shop.use(elsewhere).refused.empty());
  EXPECT_FALSE(shop.pipeline->has_policy()) << "a policy that is refused is none";
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-2"), Zone::street, 6s)),
              ElementsAre(Reason::no_policy));

  shop.use(Policy{});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-3"), Zone::street, 6s)),
              ElementsAre(Reason::made));
}

TEST(Offers, an_offer_of_another_box_counts_here_too) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  shop.handle(
      event::OfferElsewhere{paul, CampaignId("k-espresso"), "a", DecisionId("other-1"), shop.wall});
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::cap_campaign));
}

// Two boxes of a store that decide about one customer in the same second.
TEST(Offers, of_two_boxes_that_decide_at_once_the_one_goes_that_the_broker_heard_first) {
  PipelineSettings settings;
  settings.shared_store = true;
  Shop street(settings), inside(settings);
  inside.ids.prefix = "other-";
  Policy p;
  p.caps.per_customer_day = 1;
  for (Shop* box : {&street, &inside}) {
    box->use(p);
    Campaign c = campaign("k-espresso");
    c.cap.per_customer = 5;
    box->use({c});
  }
  const auto paul = street.member("c-paul");
  inside.member("c-paul");
  const Effects a = street.stay(paul, Zone::street, 6s), b = inside.stay(paul, Zone::street, 6s);
  ASSERT_TRUE(offers(a).at(0).waits_for_store && offers(b).at(0).waits_for_store);
  ASSERT_EQ(a.tell_store.at(0).whom, b.tell_store.at(0).whom) << "both mean the same customer";

  // The broker heard `inside` first, and tells both of both.
  inside.handle(event::OfferTold{b.tell_store[0], true, false});
  street.handle(event::OfferTold{b.tell_store[0], false, false});
  const Effects late = street.handle(event::OfferTold{a.tell_store[0], true, false});
  EXPECT_THAT(late.let_go, IsEmpty());
  EXPECT_THAT(late.withdrawn_decisions, ElementsAre(offers(a)[0].id));
  EXPECT_THAT(late.untell_store, ElementsAre(offers(a)[0].id));
  EXPECT_THAT(offer_reasons(late), ElementsAre(Reason::cap_customer_day));
}

TEST(Offers, wait_while_the_boxes_of_a_store_cannot_talk_and_lapse_then) {
  PipelineSettings settings;
  settings.shared_store = true;
  Shop shop(settings);
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  shop.restart();
  // After the connect its own word comes back, in no order: it is told again.
  const Effects again = shop.handle(event::OfferTold{
      {d.id, store_alias(shop.policy, paul), d.campaign, d.at, d.expires_at, false}, true, true});
  EXPECT_THAT(again.let_go, IsEmpty());
  ASSERT_THAT(again.tell_store, SizeIs(1));
  const Effects agreed_on = shop.handle(event::OfferTold{again.tell_store[0], true, false});
  ASSERT_THAT(agreed_on.let_go, SizeIs(1));
  const Effects sent = shop.sent(d);
  ASSERT_THAT(sent.tell_store, SizeIs(1));
  EXPECT_TRUE(sent.tell_store[0].sent);

  const auto mia = shop.member("c-mia");
  const auto lost = offers(shop.stay(mia, Zone::street, 6s)).at(0);
  EXPECT_THAT(shop.handle(event::DecisionExpired{lost.id}).untell_store, ElementsAre(lost.id));
}

// A trusted clock that is years ahead for an hour (NTP is not signed) must not lift a cap for good.
TEST(Offers, what_other_boxes_told_is_not_aged_by_one_clock_alone) {
  PipelineSettings settings;
  settings.shared_store = true;
  Shop shop(settings);
  Policy p;
  p.caps.per_customer_day = 1;
  shop.use(p);
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  const StoreOffer told{DecisionId("d-other"), store_alias(shop.policy, paul),
                        CampaignId("k-other"), shop.wall,
                        shop.wall + 1h,        true};
  shop.handle(event::OfferTold{told, false, false});

  shop.wall += std::chrono::years{1};
  shop.wait(2h);
  shop.handle(event::Tick{});
  shop.wall -= std::chrono::years{1};
  shop.hear_crm();
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)),
              ElementsAre(Reason::cap_customer_day));

  shop.wall += std::chrono::days{9};
  shop.pipeline->hear_agreed(agreed(shop.wall));
  shop.wait(2h);
  shop.handle(event::Tick{});
  shop.wall -= std::chrono::days{9};  // only to look: had it been kept, it would count
  shop.hear_crm();
  shop.leave(paul);
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::made));
}

TEST(Offers, what_was_offered_is_not_aged_by_one_clock_alone) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  const auto offers_kept = [&] {
    const auto rows = shop.rows(StateRow::Kind::facts);
    return decode_facts(rows.at(0).value.value())->offers.size();
  };
  const auto offer_again = [&] {
    shop.hear_crm();
    shop.sent(offers(shop.stay(paul, Zone::street, 6s)).at(0));
    shop.leave(paul);
  };
  offer_again();
  shop.wall += std::chrono::days{100};
  offer_again();
  EXPECT_EQ(offers_kept(), 2U);
  shop.wall += std::chrono::days{3};
  shop.pipeline->hear_agreed(agreed(shop.wall));
  offer_again();
  EXPECT_EQ(offers_kept(), 2U) << "the first went, and one came";
}

TEST(Offers, a_budget_is_spent_and_then_it_is_over) {
  Shop shop;
  Campaign c = campaign("k-espresso");
  c.budget = 1;
  shop.use({c});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-1"), Zone::street, 6s)),
              ElementsAre(Reason::made));
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-2"), Zone::street, 6s)),
              ElementsAre(Reason::budget));
}

TEST(Offers, quiet_hours_drop_or_hold) {
  Shop shop;
  Policy p;
  p.time_zone = "Europe/Berlin";  // 10:00 there
  p.quiet_hours = QuietHours{{10h, 12h}, QuietHours::Mode::drop};
  shop.use(p);
  shop.use({campaign("k-espresso")});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-1"), Zone::street, 6s)),
              ElementsAre(Reason::quiet_hours));
  p.quiet_hours->mode = QuietHours::Mode::hold;
  shop.use(p);
  const auto held = offers(shop.stay(shop.member("c-2"), Zone::street, 6s)).at(0);
  EXPECT_EQ(held.reason, Reason::made);
  EXPECT_EQ(held.not_before, kOpening + 2h);
  EXPECT_EQ(held.expires_at, kOpening + 2h + 600s);
}

TEST(Offers, quiet_hours_from_midnight_to_midnight_are_always_and_hold_nothing_until_they_end) {
  Shop shop;
  Policy p;
  for (const auto mode : {QuietHours::Mode::drop, QuietHours::Mode::hold}) {
    p.quiet_hours = QuietHours{{0h, 24h}, mode};
    ASSERT_TRUE(validate(p));
    p.surveys = {SurveyRule{"s", SurveyKind::csat, 100.0, 3min, std::chrono::days{90}, 1h, {}}};
    shop.use(p);
    shop.use({campaign("k-espresso")});
    const auto who = shop.member(mode == QuietHours::Mode::drop ? "c-1" : "c-2");
    EXPECT_THAT(offer_reasons(shop.stay(who, Zone::street, 6s)), ElementsAre(Reason::quiet_hours));
  }
}

TEST(Offers, follow_the_campaigns_dates_days_and_hours) {
  Shop shop;
  Campaign c = campaign("k-espresso");
  c.schedule.days = {true, true, true, true, true, false, false};  // today is Saturday
  shop.use({c});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-1"), Zone::street, 6s)),
              ElementsAre(Reason::schedule));
  c.schedule.days = {true, true, true, true, true, true, true};
  c.schedule.hours = {{7h, 9h}};
  shop.use({c});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-2"), Zone::street, 6s)),
              ElementsAre(Reason::schedule));
  c.schedule.hours = {{7h, 9h}, {22h, 10h}};
  shop.use({c});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-3"), Zone::street, 6s)),
              ElementsAre(Reason::made));
}

TEST(Offers, keep_off_holidays_when_asked_to) {
  Shop shop;
  Campaign c = campaign("k-espresso");
  c.schedule.skip_holidays = true;
  Policy p;
  p.holidays = {std::chrono::local_days{std::chrono::year{2026} / 11 / 21}};
  shop.use(p);
  shop.use({c});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-1"), Zone::street, 6s)),
              ElementsAre(Reason::schedule));
}

TEST(Offers, an_audience_is_asked_only_with_consent_to_personalise) {
  Shop shop;
  Campaign c = campaign("k-gold");
  c.audience.all = {{"tier", Condition::Op::in, {"gold"}, 0}};
  shop.use({c});
  const auto mia = shop.member("c-mia", {Purpose::proximity_offers});
  EXPECT_THAT(offer_reasons(shop.stay(mia, Zone::street, 6s)), ElementsAre(Reason::no_consent));
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-paul"), Zone::street, 6s)),
              ElementsAre(Reason::made));
}

TEST(Offers, somebody_outside_the_audience_hears_nothing_and_leaves_no_record) {
  Shop shop;
  Campaign c = campaign("k-platinum");
  c.audience.all = {{"tier", Condition::Op::in, {"platinum"}, 0}};
  shop.use({c});
  EXPECT_THAT(shop.stay(shop.member("c-paul"), Zone::street, 6s).decisions, IsEmpty());
}

TEST(Offers, audiences_join_all_any_and_none_with_recency_and_frequency) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Profile& profile = shop.directory.profiles[paul];
  profile.segments = {"regular", "lunch"};
  profile.preferences = {{"drink", "espresso", 0.9, 1, std::nullopt}};
  Campaign c = campaign("k-espresso", TriggerOn::enter);
  c.audience.all = {{"segments", Condition::Op::has, {"regular", "lunch"}, 0},
                    {"visits_30d", Condition::Op::at_least, {}, 1},
                    {"days_since_visit", Condition::Op::at_most, {}, 7}};
  c.audience.any = {{"preference.drink", Condition::Op::in, {"tea", "espresso"}, 0},
                    {"points", Condition::Op::at_least, {}, 1e6}};
  c.audience.none = {{"tags", Condition::Op::in, {"no-coffee"}, 0}};
  shop.use({c});
  EXPECT_THAT(offers(shop.stay(paul, Zone::inside, 2s)), IsEmpty()) << "the first visit";
  shop.leave(paul);
  shop.wait(24h);
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::inside, 2s)), ElementsAre(Reason::made));
  shop.leave(paul);
  shop.wait(24h);
  profile.tags = {"no-coffee"};
  EXPECT_THAT(offers(shop.stay(paul, Zone::inside, 2s)), IsEmpty());
}

TEST(Offers, the_text_has_the_customers_own_words_and_language) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.directory.profiles[paul].language = "fr-CH";
  Campaign c = campaign("k-espresso");
  c.variants[0].text["fr"] = "Bonjour {{greeting}}, un espresso ?";
  shop.use({c});
  const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  EXPECT_EQ(d.language, "fr");
  EXPECT_EQ(d.text, "Bonjour Mr Moreau, un espresso ?");
}

// A preference that staff heard at the desk.
Effects teach(Shop& shop, const CustomerId& who, const std::string& key, const std::string& value) {
  StaffAction a;
  a.visit = shop.stay(who, Zone::desk, 2s).prompts.at(0).visit;
  a.staff = StaffId("eva");
  a.kind = StaffAction::Kind::preference;
  a.preference_key = key;
  a.preference_value = value;
  a.verdict = StaffAction::Verdict::change;
  Effects e = shop.handle(event::Staff{a});
  shop.leave(who);
  return e;
}

TEST(Offers, go_by_what_staff_learnt_until_it_has_faded) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.directory.profiles[paul].preferences = {{"drink", "espresso", 0.9, 1, kOpening - 24h}};
  Campaign c = campaign("k-tea");
  c.cap.per_customer = 1000;
  c.audience.all = {{"preference.drink", Condition::Op::in, {"green tea"}, 0}};
  c.variants[0].text["en"] = "Your {{preference.drink}} is ready";
  Policy p;
  p.fatigue_after = 0;
  p.consent_max_age = 24h * 366;
  shop.use(p);
  shop.use({c});
  EXPECT_THAT(offers(shop.stay(paul, Zone::street, 6s)), IsEmpty()) << "espresso, says the CRM";
  shop.leave(paul);
  teach(shop, paul, "drink", "green tea");
  const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  EXPECT_EQ(d.text, "Your green tea is ready");
  shop.leave(paul);
  shop.directory.profiles[paul].preferences.clear();
  shop.wait(24h * 290);
  shop.hear_crm();
  EXPECT_THAT(offers(shop.stay(paul, Zone::street, 6s)), IsEmpty())
      << "0.6 has halved more than once since";
}

TEST(Offers, nobody_reads_a_text_with_a_hole_in_it) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Campaign c = campaign("k-points");
  c.variants[0].text["en"] = "{{points_to_reward}} points to go";
  shop.use({c});
  const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  EXPECT_EQ(d.reason, Reason::missing_value);
  EXPECT_THAT(d.steps.back().detail, HasSubstr("points_to_reward"));
}

TEST(Offers, priority_decides_and_among_equals_what_was_not_said_for_longest) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Campaign low = campaign("k-low"), a = campaign("k-a"), b = campaign("k-b");
  a.priority = b.priority = 5;
  shop.use({low, a, b});
  std::vector<std::string> said;
  for (int day = 0; day < 4; ++day) {
    const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
    said.push_back(d.campaign.str());
    shop.sent(d);
    shop.handle(event::ExternalOutcome{paul, d.id, Outcome::opened, "", 0, shop.wall});
    shop.leave(paul);
    shop.wait(24h);
    shop.hear_crm();
  }
  EXPECT_EQ(said[0], said[2]);
  EXPECT_EQ(said[1], said[3]);
  EXPECT_NE(said[0], said[1]);
}

TEST(Offers, a_campaign_that_may_not_speak_leaves_the_word_to_the_next) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Campaign high = campaign("k-high");
  high.priority = 10;
  high.schedule.days = {true, true, true, true, true, false, true};
  shop.use({high, campaign("k-low")});
  const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  EXPECT_EQ(d.campaign, CampaignId("k-low"));
}

TEST(Offers, the_hold_out_group_is_recorded_and_never_shown) {
  Shop shop;
  Campaign c = campaign("k-espresso");
  c.holdout_percent = 50;
  c.choice = VariantChoice::sticky;
  shop.use({c});
  int made = 0, held = 0;
  for (int i = 0; i < 200; ++i) {
    const auto d = offers(shop.stay(shop.member("c-" + std::to_string(i)), Zone::street, 6s)).at(0);
    made += d.reason == Reason::made;
    held += d.reason == Reason::holdout;
  }
  EXPECT_EQ(made + held, 200);
  EXPECT_NEAR(held, 100, 30);
}

TEST(Offers, somebody_who_ignores_them_is_asked_less_often) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  p.fatigue_after = 2;
  p.fatigue_rest = std::chrono::days{3};
  shop.use(p);
  shop.use({campaign("k-espresso")});
  std::string days;
  for (int day = 0; day < 12; ++day) {
    for (const auto& d : offers(shop.stay(paul, Zone::street, 6s))) {
      days += d.made() ? 'o' : d.reason == Reason::fatigue ? '.' : '?';
      if (d.made()) shop.sent(d);
    }
    shop.leave(paul);
    shop.wait(24h);
    shop.hear_crm();
  }
  EXPECT_EQ(days, "oo..o.....o.") << "two ignored, a rest of 3 days; a third, a rest of 6";
}

TEST(Offers, rest_after_a_complaint) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  shop.handle(event::ExternalOutcome{paul, {}, Outcome::complaint, "", 0, shop.wall});
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::complaint));
}

TEST(Offers, do_not_praise_what_was_just_bought) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Campaign c = campaign("k-espresso");
  c.product = "espresso";
  shop.use({c});
  shop.handle(event::ExternalOutcome{paul, {}, Outcome::purchase, "espresso", 2.5, shop.wall});
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::just_bought));
}

TEST(Offers, a_walk_by_offer_is_not_for_somebody_who_came_in) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  Effects e = shop.stay(paul, Zone::street, 2s);
  e.append(shop.stay(paul, Zone::inside, 5s));
  EXPECT_THAT(offer_reasons(e), ElementsAre(Reason::already_inside));
}

TEST(Offers, a_walk_by_offer_is_not_for_somebody_at_the_door_nor_for_one_who_steps_out_again) {
  for (const Zone after : {Zone::door, Zone::street}) {
    Shop shop;
    const auto paul = shop.member("c-paul");
    shop.use({campaign("k-espresso")});
    Effects e = shop.stay(paul, Zone::street, 2s);
    e.append(shop.phone(paul, Zone::door));
    e.append(shop.stay(paul, after, 6s));
    EXPECT_THAT(offer_reasons(e), ElementsAre(Reason::already_inside));
    EXPECT_THAT(offers(e).at(0).steps.back().detail, HasSubstr("came in at"));
  }
}

TEST(Offers, can_wait_for_entering_staying_recognising_or_leaving) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Campaign enter = campaign("k-enter", TriggerOn::enter);
  Campaign dwell = campaign("k-dwell", TriggerOn::dwell);
  dwell.trigger.dwell = 10s;
  shop.use({enter, dwell, campaign("k-confirmed", TriggerOn::confirmed),
            campaign("k-leave", TriggerOn::leave)});
  std::vector<std::string> said;
  const auto note = [&](const Effects& e) {
    for (const auto& d : offers(e)) said.push_back(d.campaign.str());
  };
  note(shop.stay(paul, Zone::door, 2s));
  EXPECT_THAT(said, IsEmpty());
  note(shop.stay(paul, Zone::inside, 2s));
  EXPECT_THAT(said, ElementsAre("k-enter"));
  note(shop.stay(paul, Zone::desk, 9s));
  EXPECT_EQ(said.size(), 1U);
  note(shop.stay(paul, Zone::desk, 2s));
  EXPECT_THAT(said, ElementsAre("k-enter", "k-dwell"));
  note(shop.face(paul));
  EXPECT_EQ(said.back(), "k-confirmed");
  note(shop.leave(paul));
  EXPECT_EQ(said.back(), "k-leave");
  EXPECT_EQ(said.size(), 4U);
}

TEST(Offers, stop_at_once_when_paused) {
  Shop shop;
  shop.use({campaign("k-espresso")});
  shop.handle(event::PauseChanged{Function::offers, true});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-1"), Zone::street, 6s)),
              ElementsAre(Reason::paused));
  shop.handle(event::PauseChanged{Function::offers, false});
  EXPECT_THAT(offer_reasons(shop.stay(shop.member("c-2"), Zone::street, 6s)),
              ElementsAre(Reason::made));
}

TEST(Offers, tell_the_whole_chain_in_plain_words) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  p.caps.per_customer_day = 2;
  p.quiet_hours = QuietHours{{21h, 8h}, QuietHours::Mode::drop};
  shop.use(p);
  Campaign c = campaign("k-gold");
  c.audience.all = {{"tier", Condition::Op::in, {"gold"}, 0}};
  shop.use({c});
  const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  std::string chain;
  for (const Step& s : d.steps) chain += s.rule + ": " + s.detail + "\n";
  for (const char* part :
       {"heard by eddystone_eid",
        "how sure that it is this customer: ", "trigger: pass_by: zone street for 5.0 s",
        "consent: personalised_offers: in force", "audience (all): tier in gold: is gold",
        "schedule: 2026-11-21 09:00 local", "cap of the campaign per customer and day: 0 of 1",
        "consent: proximity_offers: in force", "cap per customer and day: 0 of 2",
        "quiet hours 21:00 to 08:00: 09:00 local", "variant: a by hash"}) {
    EXPECT_THAT(chain, HasSubstr(part));
  }
  EXPECT_THAT(chain, Not(HasSubstr("Moreau")));
}

TEST(Offers, a_customer_who_withdraws_gets_nothing_that_was_not_sent_yet) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
  const Effects e = shop.withdraw(paul, Purpose::proximity_offers);
  EXPECT_THAT(e.withdrawn_decisions, ElementsAre(d.id));
  EXPECT_THAT(e.loadable_customers, ElementsAre(paul));
  EXPECT_THAT(shop.pipeline->visits(), IsEmpty());
}

}  // namespace
}  // namespace welcome
