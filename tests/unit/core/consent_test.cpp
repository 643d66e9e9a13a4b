// SPDX-License-Identifier: Apache-2.0
// The consent gate: nothing without a consent that is valid now.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/core/shop.h"

namespace welcome {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;

const CustomerId kPaul("c-paul");
const Now kNow{MonoTime{500s}, kOpening, true};

ConsentGate gate_with(std::vector<ConsentRecord> records) {
  ConsentGate gate;
  gate.heard_from_crm(kOpening);
  for (const auto& r : records) gate.put(r);
  return gate;
}

IdentityClaim claim(ClaimSource source) {
  IdentityClaim c;
  c.customer = kPaul;
  c.source = source;
  c.fast = c.settled = Zone::desk;
  return c;
}

TEST(ConsentGate, says_no_to_whom_it_does_not_know) {
  ConsentGate gate = gate_with({});
  EXPECT_EQ(gate.verdict(kPaul, Purpose::proximity_offers, kNow), ConsentVerdict::never_given);
  EXPECT_FALSE(gate.admit(claim(ClaimSource::eddystone_eid), kNow));
  EXPECT_EQ(gate.turned_away()[static_cast<std::size_t>(ConsentVerdict::never_given)], 1U);
}

TEST(ConsentGate, takes_each_purpose_for_itself) {
  ConsentGate gate =
      gate_with({consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1h)});
  const auto heard = gate.admit(claim(ClaimSource::eddystone_eid), kNow);
  ASSERT_TRUE(heard);
  EXPECT_TRUE(heard->purposes().has(Purpose::proximity_offers));
  EXPECT_FALSE(heard->purposes().has(Purpose::preference_prompts));
  EXPECT_FALSE(gate.admit(claim(ClaimSource::face), kNow));
  EXPECT_FALSE(gate.face_consent(kPaul, kNow));
}

TEST(ConsentGate, loads_keys_and_templates_only_of_those_who_agreed) {
  const CustomerId mia("c-mia");
  ConsentGate gate =
      gate_with({consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1h),
                 consent(kPaul, Purpose::face_recognition, ConsentState::given, kOpening - 1h),
                 consent(mia, Purpose::proximity_offers, ConsentState::given, kOpening - 1h),
                 consent(mia, Purpose::face_recognition, ConsentState::withdrawn, kOpening - 1h)});
  EXPECT_THAT(gate.loadable_keys(kNow), ElementsAre(mia, kPaul));
  const auto faces = gate.loadable_faces(kNow);
  ASSERT_EQ(faces.size(), 1U);
  EXPECT_EQ(faces[0].customer(), kPaul);
}

TEST(ConsentGate, lets_the_withdrawal_win_a_tie) {
  ConsentRecord r = consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1h);
  r.history.push_back({ConsentState::withdrawn, kOpening - 1h, "app"});
  ConsentGate gate = gate_with({r});
  EXPECT_EQ(gate.verdict(kPaul, Purpose::proximity_offers, kNow), ConsentVerdict::withdrawn);
}

TEST(ConsentGate, never_counts_a_grant_older_than_a_withdrawal) {
  ConsentGate gate =
      gate_with({consent(kPaul, Purpose::proximity_offers, ConsentState::withdrawn, kOpening - 1h),
                 consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 2h)});
  EXPECT_FALSE(gate.permits(kPaul, Purpose::proximity_offers, kNow));
  gate.put(consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1min));
  EXPECT_TRUE(gate.permits(kPaul, Purpose::proximity_offers, kNow));
}

TEST(ConsentGate, ends_a_consent_when_it_expires) {
  ConsentRecord r = consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1h);
  r.expires_at = kOpening + 1h;
  ConsentGate gate = gate_with({r});
  EXPECT_TRUE(gate.permits(kPaul, Purpose::proximity_offers, kNow));
  EXPECT_EQ(gate.next_change(kNow), kOpening + 1h);
  EXPECT_EQ(gate.verdict(kPaul, Purpose::proximity_offers, {kNow.mono, kOpening + 1h, true}),
            ConsentVerdict::expired);
}

TEST(ConsentGate, knows_an_end_that_a_clock_which_was_ahead_had_passed) {
  auto r = consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1h);
  r.expires_at = kOpening + 1h;
  ConsentGate gate = gate_with({r});
  EXPECT_NE(gate.next_change({kNow.mono, kOpening + 24h * 365 * 4, false}), kOpening + 1h);
  EXPECT_EQ(gate.next_change(kNow), kOpening + 1h);
}

TEST(ConsentGate, goes_stale_when_the_crm_is_silent_for_too_long) {
  ConsentGate gate =
      gate_with({consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1h)});
  EXPECT_TRUE(gate.permits(kPaul, Purpose::proximity_offers, {kNow.mono, kOpening + 72h, true}));
  EXPECT_EQ(gate.verdict(kPaul, Purpose::proximity_offers, {kNow.mono, kOpening + 72h + 1ms, true}),
            ConsentVerdict::stale);
  gate.heard_from_crm(kOpening + 80h);
  EXPECT_TRUE(gate.permits(kPaul, Purpose::proximity_offers, {kNow.mono, kOpening + 81h, true}));
}

TEST(ConsentGate, refuses_while_the_clock_cannot_be_trusted) {
  ConsentGate gate =
      gate_with({consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1h)});
  EXPECT_EQ(gate.verdict(kPaul, Purpose::proximity_offers, {kNow.mono, kOpening, false}),
            ConsentVerdict::clock_untrusted);
}

TEST(ConsentGate, lets_a_grant_wait_whose_time_is_still_to_come) {
  ConsentGate gate =
      gate_with({consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening + 1h)});
  const auto verdict = [&](WallTime wall) {
    return gate.verdict(kPaul, Purpose::proximity_offers, {kNow.mono, wall, true});
  };
  EXPECT_EQ(verdict(kOpening), ConsentVerdict::not_yet);
  EXPECT_TRUE(gate.loadable_keys(kNow).empty());
  EXPECT_EQ(gate.next_change(kNow), kOpening + 1h);
  EXPECT_EQ(verdict(kOpening + 1h), ConsentVerdict::permitted);
  gate.put(consent(kPaul, Purpose::proximity_offers, ConsentState::withdrawn, kOpening + 2h));
  EXPECT_EQ(verdict(kOpening), ConsentVerdict::withdrawn) << "a withdrawal does not wait";
}

TEST(ConsentGate, never_lets_a_late_record_bring_back_the_forgotten) {
  ConsentGate gate([](const CustomerId& c) { return "hash of " + c.str(); });
  gate.heard_from_crm(kOpening);
  gate.put(consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 2h));
  gate.forget(kPaul);
  EXPECT_FALSE(gate.put(consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening)));
  EXPECT_EQ(gate.verdict(kPaul, Purpose::proximity_offers, kNow), ConsentVerdict::forgotten);

  ConsentGate after_reboot([](const CustomerId& c) { return "hash of " + c.str(); });
  after_reboot.heard_from_crm(kOpening);
  after_reboot.restore_tombstones({"hash of c-paul"});
  EXPECT_FALSE(
      after_reboot.put(consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening)));
}

TEST(ConsentGate, remembers_a_withdrawal_when_the_record_is_deleted) {
  ConsentGate gate = gate_with(
      {consent(kPaul, Purpose::proximity_offers, ConsentState::withdrawn, kOpening - 1h)});
  gate.remove(kPaul, Purpose::proximity_offers);
  gate.put(consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 2h));
  EXPECT_FALSE(gate.permits(kPaul, Purpose::proximity_offers, kNow));
}

TEST(ConsentGate, pauses_faces_and_only_faces) {
  ConsentGate gate =
      gate_with({consent(kPaul, Purpose::proximity_offers, ConsentState::given, kOpening - 1h),
                 consent(kPaul, Purpose::face_recognition, ConsentState::given, kOpening - 1h)});
  gate.set_paused(Function::face, true);
  EXPECT_EQ(gate.verdict(kPaul, Purpose::face_recognition, kNow), ConsentVerdict::paused);
  EXPECT_TRUE(gate.permits(kPaul, Purpose::proximity_offers, kNow));
  EXPECT_THAT(gate.loadable_faces(kNow), IsEmpty());
  gate.set_paused(Function::all, true);
  gate.set_paused(Function::face, false);
  EXPECT_FALSE(gate.face_consent(kPaul, kNow)) << "everything is still paused";
  gate.set_paused(Function::all, false);
  EXPECT_TRUE(gate.face_consent(kPaul, kNow));
}

// ---- whatever the order of arrival

ConsentRecord arbitrary_record() {
  ConsentRecord r;
  r.customer = kPaul;
  r.purpose = Purpose::face_recognition;
  const auto steps = *rc::gen::inRange(1, 4);
  for (int i = 0; i < steps; ++i) {
    r.history.push_back({*rc::gen::element(ConsentState::given, ConsentState::withdrawn),
                         kOpening - std::chrono::hours{*rc::gen::inRange(0, 6)}, "app"});
  }
  if (*rc::gen::inRange(0, 3) == 0) {
    r.expires_at = kOpening + std::chrono::hours{*rc::gen::inRange(-3, 3)};
  }
  return r;
}

RC_GTEST_PROP(ConsentProperties, the_order_and_the_number_of_arrivals_do_not_matter, ()) {
  std::vector<ConsentRecord> records;
  const auto n = *rc::gen::inRange(1, 6);
  for (int i = 0; i < n; ++i) records.push_back(arbitrary_record());
  std::vector<ConsentRecord> shuffled = records;
  // Some arrive twice, all in another order.
  shuffled.push_back(records[static_cast<std::size_t>(*rc::gen::inRange(0, n))]);
  for (std::size_t i = shuffled.size() - 1; i > 0; --i) {
    std::swap(shuffled[i], shuffled[*rc::gen::inRange<std::size_t>(0, i + 1)]);
  }
  const ConsentGate a = gate_with(records);
  const ConsentGate b = gate_with(shuffled);
  RC_ASSERT(a.standing(kPaul, Purpose::face_recognition) ==
            b.standing(kPaul, Purpose::face_recognition));
}

RC_GTEST_PROP(ConsentProperties, permitted_means_a_live_grant_newer_than_every_withdrawal, ()) {
  std::vector<ConsentRecord> records;
  const auto n = *rc::gen::inRange(1, 6);
  for (int i = 0; i < n; ++i) records.push_back(arbitrary_record());

  // The tiny model: look at all steps at once.
  std::optional<WallTime> grant, withdrawal;
  for (const auto& r : records) {
    for (const auto& s : r.history) {
      auto& newest = s.state == ConsentState::given ? grant : withdrawal;
      if (!newest || s.at > *newest) newest = s.at;
    }
  }
  bool expired = false;
  for (const auto& r : records) {
    for (const auto& s : r.history) {
      if (s.state == ConsentState::given && s.at == grant && r.expires_at &&
          *r.expires_at <= kOpening) {
        expired = true;
      }
    }
  }
  const bool expected = grant && (!withdrawal || *grant > *withdrawal) && !expired;
  RC_ASSERT(gate_with(records).permits(kPaul, Purpose::face_recognition, kNow) == expected);
}

}  // namespace
}  // namespace welcome
