// SPDX-License-Identifier: Apache-2.0
// A box whose store was put back from a copy is noticed, and one whose was not is left in peace.

#include "crm/trails.h"

#include <gtest/gtest.h>

#include "crm/boxes.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

const std::string kStore = "aroma-1";
const std::string kBox = "box-1";

// A box's audit log as far as it is told: the hash of entry n of this life of the store.
std::string entry(std::uint64_t n, char life = 'a') {
  return n == 0 ? std::string() : std::string(62, life) + (n < 10 ? "0" : "") + std::to_string(n);
}

class TrailsTest : public CrmTest {
 protected:
  TrailsTest() : trails_(*crm_) {
    see_box(kStore, kBox);
    crm_->box_says_key(kStore, kBox, key_.public_key(), now_);
  }
  // One start of the box: it says hello, is asked, and answers.
  std::string starts(std::int64_t session, std::uint64_t seq, char life = 'a',
                     std::uint64_t since = 1) {
    asked_ = trails_.ask(kStore, kBox, now_);
    run_ = "run-" + std::to_string(++runs_);
    return says(session, seq, life, since);
  }
  // What it says later, to the same question.
  std::string says(std::int64_t session, std::uint64_t seq, char life = 'a',
                   std::uint64_t since = 1, const contract::Signer* signer = nullptr) {
    contract::AuditWord word;
    word.asked = asked_.ask;
    word.session = static_cast<std::uint64_t>(session);
    word.run = run_;
    word.seq = seq;
    word.hash = entry(seq, life);
    word.since = since;
    if (asked_.seq <= seq && asked_.seq + 1 >= since) word.before = entry(asked_.seq, life);
    contract::Hello hello;
    hello.session = word.session;
    hello.version = "1";
    hello.audit = word;
    const auto message =
        encode_hello({"demo", kStore, kBox}, hello, signer == nullptr ? &key_ : signer);
    last_ = message.payload;
    return hears(message.payload);
  }
  std::string hears(const std::string& payload) {
    contract::RawMessage raw;
    raw.topic = contract::hello_topic({"demo", kStore, kBox});
    raw.payload = payload;
    const auto decoded = contract::decode_for_crm("demo", raw);
    EXPECT_TRUE(decoded) << decoded.error().message;
    const auto& audit = std::get<contract::Hello>(decoded->message).audit;
    return audit ? trails_.take(kStore, kBox, *audit, now_) : "not said";
  }
  TrailState state() { return trails_.of(kStore, kBox).value(); }

  const contract::Signer key_{kBox, contract::Signer::new_seed()};
  Trails trails_;
  contract::Taken::AuditQuestion asked_;
  std::string run_;
  std::string last_;
  int runs_ = 0;
};

TEST_F(TrailsTest, WhoGoesOnIsLeftInPeace) {
  EXPECT_EQ(starts(1, 3), "");
  EXPECT_EQ(says(1, 5), "");
  EXPECT_EQ(starts(2, 5), "") << "nothing happened meanwhile";
  EXPECT_EQ(starts(5, 9), "") << "starts of which the CRM never heard";
  EXPECT_EQ(state().seq, 9);
  EXPECT_EQ(state().session, 5);
  EXPECT_FALSE(state().back_at);
}

TEST_F(TrailsTest, AStoreThatWasPutBackIsNoticed) {
  EXPECT_EQ(starts(7, 9), "");
  EXPECT_EQ(starts(8, 6), "it does not have entry 9 of its audit log");
  EXPECT_TRUE(state().back_at);
  EXPECT_EQ(state().seq, 9) << "what was known stays";
}

TEST_F(TrailsTest, AlsoWhenItHasCaughtUpMeanwhile) {
  EXPECT_EQ(starts(7, 9), "");
  EXPECT_EQ(starts(12, 30, 'b'), "entry 9 of its audit log is another one");
}

TEST_F(TrailsTest, ASessionThatGoesBackOrBeginsTwiceIsNoticedThoughTheLogIsTheSame) {
  EXPECT_EQ(starts(7, 9), "");
  EXPECT_EQ(starts(7, 9), "its session 7 began a second time");
  ASSERT_TRUE(trails_.acknowledge(kStore, kBox));
  EXPECT_EQ(starts(5, 9), "its session is 5 and was 7");
}

TEST_F(TrailsTest, ItStaysUntilSomebodyAcknowledgesItAndIsToldOnce) {
  EXPECT_FALSE(trails_.acknowledge(kStore, kBox));
  EXPECT_EQ(starts(7, 9), "");
  EXPECT_FALSE(trails_.acknowledge(kStore, kBox)) << "it was not set back";
  EXPECT_NE(starts(8, 6), "");
  const auto why = state().back_why;
  EXPECT_EQ(starts(9, 20), "") << "the newer card in its place again: still marked";
  EXPECT_EQ(state().back_why, why);
  EXPECT_EQ(starts(10, 7, 'b'), "");
  ASSERT_TRUE(trails_.acknowledge(kStore, kBox));
  EXPECT_FALSE(state().back_at);
  EXPECT_EQ(state().seq, 7);
  EXPECT_EQ(says(10, 8, 'b'), "") << "the box need not connect again";
  EXPECT_EQ(starts(11, 8, 'b'), "");
  EXPECT_EQ(starts(12, 7, 'b'), "it does not have entry 8 of its audit log");
}

TEST_F(TrailsTest, EntriesThatCameToTheirEndAreNoAlarm) {
  EXPECT_EQ(starts(1, 9), "");
  now_ += std::chrono::hours(24);
  EXPECT_EQ(starts(2, 9, 'a', 10), "") << "all are gone; the box still knows where it was";
  EXPECT_EQ(starts(3, 12, 'a', 11), "it does not have entry 9 of its audit log")
      << "that one was there yesterday";
  ASSERT_TRUE(trails_.acknowledge(kStore, kBox));
  now_ += std::chrono::hours(24 * 1200);
  EXPECT_EQ(starts(4, 30, 'a', 20), "") << "three years later";
  EXPECT_EQ(state().seq, 30);
}

TEST_F(TrailsTest, AnOldMessageOrSomebodyElsesCountsForNothing) {
  EXPECT_EQ(starts(7, 9), "");
  const std::string early = last_;
  EXPECT_EQ(starts(8, 12), "");
  EXPECT_EQ(hears(early), "") << "an answer to an older question";
  EXPECT_EQ(says(8, 14), "");
  EXPECT_EQ(says(8, 13), "") << "overtaken on its way";
  EXPECT_EQ(state().seq, 14);
  const contract::Signer other(kBox, contract::Signer::new_seed());
  asked_ = trails_.ask(kStore, kBox, now_);
  EXPECT_EQ(says(2, 1, 'b', 1, &other), "");
  json changed = json::parse(last_);
  changed["audit"]["box"] = "box-2";
  EXPECT_EQ(hears(changed.dump()), "not said");
  EXPECT_EQ(state().seq, 14);
  EXPECT_FALSE(state().back_at);
}

TEST_F(TrailsTest, AnotherKeyIsAnotherBox) {
  EXPECT_EQ(starts(7, 9), "");
  const contract::Signer fresh(kBox, contract::Signer::new_seed());
  asked_ = trails_.ask(kStore, kBox, now_);
  EXPECT_EQ(says(1, 1, 'b', 1, &fresh), "") << "which nobody trusts yet";
  ASSERT_TRUE(crm_->trust_box(kStore, kBox, fresh.public_key(), now_));
  asked_ = trails_.ask(kStore, kBox, now_);
  EXPECT_EQ(asked_.seq, 0U);
  EXPECT_EQ(says(1, 1, 'b', 1, &fresh), "");
  EXPECT_EQ(state().seq, 1);
}

TEST_F(TrailsTest, AKeyThatWasHandedOverIsTheSameBox) {
  EXPECT_EQ(starts(7, 9), "");
  const contract::Signer fresh(kBox, contract::Signer::new_seed());
  const contract::BoxAddress box{"demo", kStore, kBox};
  ASSERT_TRUE(crm_->hand_over(kStore, kBox, fresh.public_key(),
                              {contract::vouch_for(box, fresh.public_key(), key_)}, now_));
  asked_ = trails_.ask(kStore, kBox, now_);
  EXPECT_EQ(asked_.seq, 9U);
  run_ = "run-of-the-new-key";
  EXPECT_EQ(says(8, 6, 'a', 1, &fresh), "it does not have entry 9 of its audit log");
}

TEST_F(TrailsTest, ABoxThatWasRevokedAndAdmittedBeginsAnew) {
  EXPECT_EQ(starts(7, 9), "");
  ASSERT_TRUE(Boxes(*crm_).revoke(kStore, kBox, now_));
  EXPECT_FALSE(trails_.of(kStore, kBox));
}

}  // namespace
}  // namespace welcome::crm
