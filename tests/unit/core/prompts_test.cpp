// SPDX-License-Identifier: Apache-2.0
// Prompts to staff: how to greet, worded so that a wrong match does no harm.

#include "tests/unit/core/shop.h"

namespace welcome {
namespace {

using namespace test;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST(Prompts, a_phone_alone_is_present_and_a_face_confirms) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Effects e = shop.stay(paul, Zone::inside, 2s);
  ASSERT_THAT(e.prompts, SizeIs(1));
  EXPECT_EQ(e.prompts[0].level, Level::present);
  EXPECT_THAT(e.prompts[0].by, ElementsAre("phone"));
  EXPECT_EQ(e.prompts[0].headline, "Paul Moreau may be here");
  e = shop.face(paul);
  ASSERT_THAT(e.prompts, SizeIs(1));
  EXPECT_EQ(e.prompts[0].level, Level::confirmed);
  EXPECT_THAT(e.prompts[0].by, ElementsAre("phone", "face"));
  EXPECT_EQ(e.prompts[0].headline, "This may be Paul Moreau");
  EXPECT_THAT(visit_kinds(e), Contains(VisitEvent::Kind::confirmed));
}

// Whatever is on the card may be read out.
TEST(Prompts, WhoDidNotChooseItIsNotNamed) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Profile& profile = shop.directory.profiles.at(paul);
  profile.met = Met::quietly;
  profile.pronunciation = "mo-ROH";
  Effects e = shop.stay(paul, Zone::inside, 2s);
  e.append(shop.face(paul));
  ASSERT_THAT(e.prompts, SizeIs(2));
  for (const Prompt& p : e.prompts) {
    EXPECT_EQ(p.met, Met::quietly);
    EXPECT_EQ(p.greeting + p.pronunciation, "");
    EXPECT_THAT(p.headline, Not(testing::HasSubstr("Moreau")));
    EXPECT_EQ(p.name, "Paul Moreau") << "for who looks after him";
  }
  profile.met = Met::by_name;
  e = shop.handle(event::ProfileChanged{paul});
  ASSERT_THAT(e.prompts, SizeIs(1)) << "his choice is there at once";
  EXPECT_EQ(e.prompts[0].greeting, "Mr Moreau");
  EXPECT_EQ(e.prompts[0].headline, "This may be Paul Moreau");
}

TEST(Prompts, NotTodayEndsByItselfWithTheStoresDay) {
  Shop shop;  // 09:00 UTC, 10:00 in the store
  Policy policy = shop.policy;
  policy.time_zone = "Europe/Berlin";
  shop.use(policy);
  const auto paul = shop.member("c-paul");
  EXPECT_THAT(shop.stay(paul, Zone::inside, 2s).prompts, SizeIs(1));
  shop.directory.profiles.at(paul).not_today_at = shop.wall;
  Effects e = shop.handle(event::ProfileChanged{paul});
  EXPECT_THAT(e.prompts_cleared, SizeIs(1)) << "what is there goes";
  EXPECT_THAT(prompt_reasons(e), ElementsAre(Reason::not_today));
  EXPECT_THAT(shop.pipeline->prompts(shop.now()), IsEmpty());
  shop.leave(paul);
  shop.wait(13h + 30min);  // 23:30 there
  EXPECT_THAT(shop.stay(paul, Zone::inside, 2s).prompts, IsEmpty());
  shop.leave(paul);
  shop.wait(40min);  // tomorrow there, and today in UTC
  shop.hear_crm();
  EXPECT_THAT(shop.stay(paul, Zone::inside, 2s).prompts, SizeIs(1));
}

TEST(Prompts, NotTodayIsNoOfferAndTakesBackWhatHasNotLeft) {
  Shop shop;
  shop.handle(event::CampaignPut{campaign("k-espresso")});
  const auto paul = shop.member("c-paul", {Purpose::proximity_offers});
  Effects e = shop.stay(paul, Zone::street, 6s);
  ASSERT_THAT(offer_reasons(e), ElementsAre(Reason::made));
  shop.directory.profiles.at(paul).not_today_at = shop.wall;
  EXPECT_THAT(shop.handle(event::ProfileChanged{paul}).withdrawn_decisions, SizeIs(1));
  const auto mia = shop.member("c-mia", {Purpose::proximity_offers});
  shop.directory.profiles.at(mia).not_today_at = shop.wall;
  e = shop.stay(mia, Zone::street, 6s);
  EXPECT_THAT(offer_reasons(e), ElementsAre(Reason::not_today));
}

TEST(Prompts, there_is_one_per_visit_updated_in_place) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Effects e = shop.stay(paul, Zone::door, 5s);
  e.append(shop.stay(paul, Zone::desk, 5s));
  e.append(shop.face(paul));
  EXPECT_THAT(prompt_reasons(e), ElementsAre(Reason::made));
  ASSERT_THAT(e.prompts, SizeIs(3)) << "raised, moved to the desk, confirmed";
  for (const Prompt& p : e.prompts) EXPECT_EQ(p.decision, e.prompts[0].decision);
  const Effects gone = shop.leave(paul);
  EXPECT_THAT(gone.prompts_cleared, IsEmpty());
  ASSERT_FALSE(gone.prompts.empty());
  EXPECT_EQ(gone.prompts.back().decision, e.prompts[0].decision);
  EXPECT_TRUE(gone.prompts.back().left_at) << "it stays for what is still to be noted";
}

TEST(Prompts, what_was_said_may_be_noted_for_half_an_hour_after_the_guest_has_left) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  shop.leave(paul);
  shop.wait(20min);
  StaffAction note;
  note.id = "n-1";
  note.visit = visit;
  note.staff = StaffId("eva");
  note.kind = StaffAction::Kind::note;
  note.text = "Flying to Lisbon on Friday";
  EXPECT_THAT(shop.handle(event::Staff{note}).staff, SizeIs(1));
  EXPECT_THAT(shop.handle(event::Staff{note}).staff, IsEmpty()) << "twice";
  EXPECT_THAT(shop.staff(visit, StaffAction::Kind::served).staff, IsEmpty());
  shop.wait(10min);
  EXPECT_THAT(shop.staff(visit, StaffAction::Kind::note, "too late").staff, IsEmpty());
  EXPECT_EQ(shop.stay(paul, Zone::desk, 2s).prompts.at(0).last_conversation->text, note.text);
}

TEST(Prompts, who_left_and_withdraws_is_off_the_tablets_at_once_after_a_restart_too) {
  for (const bool restarted : {false, true}) {
    Shop shop;
    const auto paul = shop.member("c-paul");
    const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
    shop.leave(paul);
    if (restarted) {
      shop.restart();
      shop.hear_crm();
    }
    const Effects e = restarted ? shop.handle(event::CustomerForgotten{paul})
                                : shop.withdraw(paul, Purpose::preference_prompts);
    EXPECT_THAT(e.prompts_cleared, ElementsAre(visit));
    EXPECT_THAT(shop.staff(visit, StaffAction::Kind::note, "x").staff, IsEmpty());
    EXPECT_THAT(shop.give(paul, Purpose::preference_prompts).prompts_cleared, IsEmpty());
  }
}

TEST(Prompts, who_left_and_wants_to_be_left_alone_today_is_off_the_tablets_too) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  shop.leave(paul);
  shop.directory.profiles[paul].not_today_at = shop.wall;
  EXPECT_THAT(shop.handle(event::ProfileChanged{paul}).prompts_cleared, ElementsAre(visit));
}

TEST(Prompts, what_was_tapped_by_mistake_is_taken_back) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  const auto reopened = [&](StaffAction::Kind kind) {
    shop.staff(visit, kind);
    const Effects e = shop.staff(visit, StaffAction::Kind::reopen);
    EXPECT_THAT(e.staff, SizeIs(1)) << to_string(kind);
    return e.prompts.at(0);
  };
  EXPECT_EQ(reopened(StaffAction::Kind::served).state, PromptState::fresh);
  EXPECT_EQ(reopened(StaffAction::Kind::declined).state, PromptState::fresh);
  EXPECT_EQ(reopened(StaffAction::Kind::not_this_person).visit, visit);
  shop.staff(visit, StaffAction::Kind::claim);
  EXPECT_THAT(shop.staff(visit, StaffAction::Kind::reopen).staff, IsEmpty()) << "nothing to undo";
  const Prompt mine = reopened(StaffAction::Kind::served);
  EXPECT_EQ(mine.state, PromptState::claimed);
  EXPECT_EQ(mine.claimed_by, StaffId("eva"));
}

TEST(Prompts, what_staff_could_do_is_data_and_the_tablet_has_the_words) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Profile& profile = shop.directory.profiles[paul];
  const auto suggested = [&] {
    return shop.handle(event::ProfileChanged{paul}).prompts.at(0).suggest;
  };
  EXPECT_EQ(shop.stay(paul, Zone::desk, 2s).prompts.at(0).suggest.kind, Suggestion::Kind::open);
  profile.next_reward_points = 110;
  const Suggestion points = suggested();
  EXPECT_EQ(points.kind, Suggestion::Kind::points);
  EXPECT_EQ(points.points, 10);
  profile.preferences = {{"drink", "espresso", 0.9, 2, shop.wall}};
  const Suggestion offer = suggested();
  EXPECT_EQ(offer.kind, Suggestion::Kind::offer);
  EXPECT_EQ(offer.value, "espresso");
}

TEST(Prompts, a_static_beacon_alone_never_unlocks_one) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const Effects e = shop.stay(paul, Zone::desk, 60s, ClaimSource::static_beacon);
  EXPECT_THAT(e.prompts, IsEmpty());
  EXPECT_THAT(prompt_reasons(e), ElementsAre(Reason::level_too_low));
}

TEST(Prompts, one_is_taken_back_when_what_proved_it_may_have_been_a_copy) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Effects e = shop.stay(paul, Zone::desk, 60s);
  ASSERT_THAT(e.prompts, Not(IsEmpty()));
  IdentityClaim doubt;
  doubt.customer = paul;
  doubt.source = ClaimSource::static_beacon;
  doubt.fast = doubt.settled = Zone::desk;
  doubt.doubted = true;
  e = shop.handle(event::Claim{doubt});
  EXPECT_THAT(e.prompts_cleared, SizeIs(1));
  e.append(shop.stay(paul, Zone::desk, 60s, ClaimSource::static_beacon));
  EXPECT_THAT(e.prompts, IsEmpty());
  EXPECT_THAT(visit_kinds(e), Not(Contains(VisitEvent::Kind::ended))) << "the visit goes on";
  e = shop.face(paul);
  EXPECT_THAT(e.prompts, SizeIs(1)) << "her face brings it back";
}

TEST(Prompts, a_face_without_a_phone_is_present_not_confirmed) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const Effects e = shop.face(paul, 0.8);
  ASSERT_THAT(e.prompts, SizeIs(1));
  EXPECT_EQ(e.prompts[0].level, Level::present);
}

TEST(Prompts, wait_for_confirmation_where_policy_wants_it) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Policy p;
  p.prompt_min_level = Level::confirmed;
  shop.use(p);
  Effects e = shop.stay(paul, Zone::desk, 10s);
  EXPECT_THAT(e.prompts, IsEmpty());
  e = shop.face(paul);
  EXPECT_THAT(e.prompts, SizeIs(1));
}

TEST(Prompts, nobody_without_the_purpose_is_named_to_staff) {
  Shop shop;
  const auto mia = shop.member("c-mia", {Purpose::proximity_offers});
  const Effects e = shop.stay(mia, Zone::desk, 10s);
  EXPECT_THAT(e.prompts, IsEmpty());
  EXPECT_THAT(prompt_reasons(e), ElementsAre(Reason::no_consent)) << "recorded once";
  EXPECT_FALSE(e.decisions[0].report) << "and kept in the shop: no visit_analytics";
}

TEST(Prompts, two_staff_do_not_both_walk_up) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  const Effects first = shop.staff(visit, StaffAction::Kind::claim);
  EXPECT_EQ(first.prompts.at(0).state, PromptState::claimed);
  EXPECT_EQ(first.prompts.at(0).claimed_by, StaffId("eva"));
  StaffAction late;
  late.id = "x";
  late.visit = visit;
  late.staff = StaffId("tom");
  EXPECT_THAT(shop.handle(event::Staff{late}).staff, IsEmpty());
}

TEST(Prompts, an_action_that_arrives_twice_counts_once) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  StaffAction a;
  a.id = "m-1";
  a.visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  a.kind = StaffAction::Kind::served;
  EXPECT_THAT(shop.handle(event::Staff{a}).staff, SizeIs(1));
  EXPECT_THAT(shop.handle(event::Staff{a}).staff, IsEmpty());
}

TEST(Prompts, the_next_visit_starts_from_the_note) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  const Effects noted = shop.staff(visit, StaffAction::Kind::note, "Flying to Lisbon on Friday");
  EXPECT_EQ(noted.staff.at(0).action.text, "Flying to Lisbon on Friday");
  EXPECT_EQ(noted.prompts.at(0).last_conversation->text, "Flying to Lisbon on Friday");
  shop.leave(paul);
  shop.wait(24h);
  const Effects back = shop.stay(paul, Zone::desk, 2s);
  EXPECT_EQ(back.prompts.at(0).last_conversation->text, "Flying to Lisbon on Friday");
}

TEST(Prompts, the_newer_word_wins_whether_from_the_crm_or_from_the_desk) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  shop.staff(visit, StaffAction::Kind::note, "old");
  shop.wait(1s);
  shop.directory.profiles[paul].last_conversation = Conversation{"new", shop.wall};
  const Effects e = shop.handle(event::ProfileChanged{paul});
  EXPECT_EQ(e.prompts.at(0).last_conversation->text, "new");
}

TEST(Prompts, not_this_person_ends_it_for_the_visit_and_lowers_trust_in_the_face) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.stay(paul, Zone::desk, 2s);
  const VisitId visit = shop.face(paul).prompts.at(0).visit;
  const Effects e = shop.staff(visit, StaffAction::Kind::not_this_person);
  EXPECT_THAT(e.prompts_cleared, ElementsAre(visit));
  EXPECT_TRUE(e.staff.at(0).lowers_face_trust);
  EXPECT_THAT(shop.face(paul).prompts, IsEmpty());
  EXPECT_THAT(shop.stay(paul, Zone::desk, 5s).prompts, IsEmpty());
}

TEST(Prompts, a_face_that_was_often_wrong_needs_to_be_clearer) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  for (int day = 0; day < 4; ++day) {
    shop.stay(paul, Zone::desk, 2s);
    const VisitId visit = shop.face(paul, 0.42).prompts.at(0).visit;
    shop.staff(visit, StaffAction::Kind::not_this_person);
    shop.leave(paul);
    shop.hear_crm();
    shop.wait(24h);
  }
  shop.stay(paul, Zone::desk, 2s);
  shop.face(paul, 0.42);
  EXPECT_EQ(shop.pipeline->visits().at(0).level, Level::present);
  shop.face(paul, 0.62);
  EXPECT_EQ(shop.pipeline->visits().at(0).level, Level::confirmed);
}

TEST(Prompts, preferences_come_by_confidence_and_age) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.directory.profiles[paul].preferences = {
      {"seat", "window", 0.9, 3, kOpening - 24h * 365 * 3},
      {"drink", "sparkling water, no ice", 0.8, 2, kOpening - 24h * 190},
      {"paper", "Le Monde", 0.7, 1, kOpening - 24h * 2}};
  const Prompt p = shop.stay(paul, Zone::desk, 2s).prompts.at(0);
  ASSERT_THAT(p.preferences, SizeIs(3));
  EXPECT_EQ(p.preferences[0].key, "paper");
  EXPECT_EQ(p.preferences[0].detail, "confirmed once, last in November");
  EXPECT_EQ(p.preferences[1].key, "drink");
  EXPECT_EQ(p.preferences[1].detail, "confirmed twice, last in May");
  EXPECT_EQ(p.preferences[2].detail, "confirmed 3 times, last in November 2023");
  EXPECT_EQ(p.suggestion, "Offer: Le Monde");
}

TEST(Prompts, staff_teach_preferences) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.directory.profiles[paul].preferences = {{"drink", "espresso", 0.5, 1, kOpening - 24h}};
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  StaffAction a;
  a.visit = visit;
  a.staff = StaffId("eva");
  a.kind = StaffAction::Kind::preference;
  a.preference_key = "drink";
  a.id = "1";
  Effects e = shop.handle(event::Staff{a});
  EXPECT_EQ(e.prompts.at(0).preferences.at(0).detail, "from staff, confirmed twice, last today");
  EXPECT_EQ(e.staff.at(0).action.preference_value, "espresso")
      << "the CRM hears what was confirmed";
  a.id = "2";
  a.verdict = StaffAction::Verdict::change;
  a.preference_value = "green tea";
  e = shop.handle(event::Staff{a});
  EXPECT_EQ(e.prompts.at(0).preferences.at(0).text, "green tea");
  EXPECT_EQ(e.prompts.at(0).preferences.at(0).detail, "from staff, confirmed once, last today");
}

TEST(Prompts, withdrawing_the_face_takes_the_face_away_at_once) {
  Shop shop;
  const auto bruno = shop.member("c-bruno");
  shop.stay(bruno, Zone::desk, 2s);
  shop.face(bruno);
  const Effects e = shop.withdraw(bruno, Purpose::face_recognition);
  ASSERT_THAT(e.prompts, SizeIs(1));
  EXPECT_EQ(e.prompts[0].level, Level::present);
  EXPECT_THAT(e.prompts[0].by, ElementsAre("phone"));
  ASSERT_THAT(e.consents, SizeIs(1));
  EXPECT_EQ(e.consents[0].purpose, Purpose::face_recognition);
  EXPECT_FALSE(e.consents[0].given);
  ASSERT_TRUE(e.face_candidates);
  EXPECT_THAT(*e.face_candidates, IsEmpty()) << "the camera may sleep";
  EXPECT_THAT(shop.face(bruno).prompts, IsEmpty()) << "a late match is turned away";
}

TEST(Prompts, withdrawing_prompts_clears_the_tablet_and_what_staff_learnt) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  shop.staff(visit, StaffAction::Kind::note, "Flying to Lisbon");
  const Effects e = shop.withdraw(paul, Purpose::preference_prompts);
  EXPECT_THAT(e.prompts_cleared, ElementsAre(visit));
  for (const StateRow& row : shop.rows(StateRow::Kind::facts)) {
    EXPECT_EQ(row.value->find("Lisbon"), std::string::npos);
  }
}

TEST(Prompts, a_pause_clears_them_and_resuming_brings_them_back) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const VisitId visit = shop.stay(paul, Zone::desk, 2s).prompts.at(0).visit;
  EXPECT_THAT(shop.handle(event::PauseChanged{Function::prompts, true}).prompts_cleared,
              ElementsAre(visit));
  EXPECT_THAT(shop.handle(event::PauseChanged{Function::prompts, false}).prompts, SizeIs(1));
}

TEST(Prompts, are_renewed_before_they_expire) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Effects e = shop.phone(paul, Zone::desk);
  for (int i = 0; i < 20; ++i) {
    e.append(shop.wait(60s));
    e.append(shop.phone(paul, Zone::desk));
  }
  ASSERT_THAT(e.prompts, SizeIs(2));
  EXPECT_LT(e.prompts[1].expires_at - e.prompts[0].expires_at, 20min);
}

TEST(Evidence, twins_in_front_of_one_camera_cancel_out) {
  Shop shop;
  const auto a = shop.member("c-a"), b = shop.member("c-b");
  shop.stay(a, Zone::desk, 2s);
  shop.stay(b, Zone::desk, 2s);
  shop.face(a, 0.62, 7);
  shop.face(b, 0.61, 7);
  for (const VisitView& v : shop.pipeline->visits()) EXPECT_EQ(v.level, Level::present);
}

TEST(Evidence, two_customers_on_two_tracks_are_both_confirmed) {
  Shop shop;
  const auto a = shop.member("c-a"), b = shop.member("c-b");
  shop.stay(a, Zone::desk, 2s);
  shop.stay(b, Zone::desk, 2s);
  shop.face(a, 0.62, 7);
  shop.face(b, 0.61, 8);
  for (const VisitView& v : shop.pipeline->visits()) EXPECT_EQ(v.level, Level::confirmed);
}

TEST(Evidence, a_phone_left_on_a_table_is_a_phone_after_some_hours) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Effects e = shop.stay(paul, Zone::desk, std::chrono::seconds{3h});
  EXPECT_EQ(shop.pipeline->visits().at(0).level, Level::present);
  e = shop.stay(paul, Zone::desk, std::chrono::seconds{2h});
  EXPECT_EQ(shop.pipeline->visits().at(0).level, Level::near);
  EXPECT_THAT(e.prompts_cleared, SizeIs(1));
}

TEST(Evidence, a_companion_with_another_face_does_not_become_the_phones_owner) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.stay(paul, Zone::desk, 2s);
  shop.face(paul, 0.12);  // the nearest in the gallery, and not near
  EXPECT_EQ(shop.pipeline->visits().at(0).level, Level::present);
}

TEST(Camera, wakes_for_those_who_agreed_and_are_near_and_sleeps_again) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  const auto mia = shop.member("c-mia", {Purpose::proximity_offers});
  EXPECT_FALSE(shop.stay(mia, Zone::desk, 2s).face_candidates);
  EXPECT_FALSE(shop.stay(paul, Zone::street, 2s).face_candidates);
  const Effects near = shop.phone(paul, Zone::door);
  ASSERT_TRUE(near.face_candidates);
  EXPECT_THAT(*near.face_candidates, ElementsAre(paul));
  const Effects silent = shop.wait(20s);
  ASSERT_TRUE(silent.face_candidates);
  EXPECT_THAT(*silent.face_candidates, IsEmpty());
}

}  // namespace
}  // namespace welcome
