#include "firmware/daemon/convert.h"

#include <gtest/gtest.h>

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kMay{std::chrono::sys_days{std::chrono::year{2026} / 5 / 4}};

ConsentRecord record(std::vector<ConsentStep> history, std::optional<WallTime> expires = {}) {
  ConsentRecord r;
  r.customer = CustomerId("c-paul");
  r.purpose = Purpose::preference_prompts;
  r.history = std::move(history);
  r.expires_at = expires;
  return r;
}

TEST(ConsentBrief, SaysWhatTheRecordComesDownTo) {
  const ConsentStep given{ConsentState::given, kMay, "app"};
  const ConsentStep withdrawn{ConsentState::withdrawn, kMay + 1h, "desk"};
  const ConsentStep again{ConsentState::given, kMay + 2h, "crm"};
  for (const auto& whole : {record({given}), record({given, withdrawn}), record({withdrawn}),
                            record({}), record({withdrawn, given, again}, kMay + 48h)}) {
    const auto back = consent_of_brief(whole.customer, brief_of(whole));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->customer, whole.customer);
    EXPECT_EQ(back->purpose, whole.purpose);
    EXPECT_EQ(standing(*back), standing(whole)) << brief_of(whole);
  }
}

TEST(ConsentBrief, WhatIsNoneIsNotRead) {
  for (const char* text : {"", "nonsense", "face_recognition", "face_recognition x - -"}) {
    EXPECT_FALSE(consent_of_brief(CustomerId("c"), text)) << text;
  }
}

}  // namespace
}  // namespace welcome::daemon
