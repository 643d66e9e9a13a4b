// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/convert.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

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

// The CRM asks the one, boxes ask the other.
TEST(Identity, IsTheSameDeviceToBoxAndCrm) {
  std::vector<IdentityItem> items;
  const auto add = [&](const auto& key) {
    items.push_back({"i-" + std::to_string(items.size()), CustomerId("c-paul"), key, {}});
  };
  constexpr std::array<std::uint8_t, 16> kOne{1, 2, 3};
  auto turned = kOne;
  std::reverse(turned.begin(), turned.end());
  add(RotatingKey{false, kOne, 7, kMay});
  add(RotatingKey{true, kOne, 9, kMay + 1h});
  add(RotatingKey{false, turned, 7, kMay});
  add(ResolvingKey{kOne});
  add(ResolvingKey{turned});
  add(IbeaconId{kOne, 1, 2});
  add(IbeaconId{kOne, 1, 2});
  add(IbeaconId{kOne, 1, 3});
  add(IbeaconId{turned, 1, 2});
  add(AltBeaconId{{1, 2, 3}});
  add(AltBeaconId{{3, 2, 1}});
  add(EddystoneUid{{1, 2}, {3}});
  add(EddystoneUid{{1, 2}, {4}});
  for (const auto& a : items) {
    for (const auto& b : items) {
      EXPECT_EQ(device_of(a) == device_of(b),
                beacon::same_device_hash(key_of(a)) == beacon::same_device_hash(key_of(b)))
          << a.identity << " and " << b.identity;
    }
  }
}

TEST(ConsentBrief, WhatIsNoneIsNotRead) {
  for (const char* text : {"", "nonsense", "face_recognition", "face_recognition x - -"}) {
    EXPECT_FALSE(consent_of_brief(CustomerId("c"), text)) << text;
  }
}

TEST(IdentityBrief, IsTheKeyAgain) {
  IdentityItem item;
  item.identity = "i-mia fob";
  item.customer = CustomerId("c-mia");
  const std::array<std::uint8_t, 16> bytes{0, 1, 0x7F, 0x80, 0xFF};
  const std::vector<decltype(item.key)> kinds{RotatingKey{false, bytes, 15, kMay},
                                              RotatingKey{true, bytes, 0, kMay - 24h},
                                              ResolvingKey{bytes},
                                              IbeaconId{bytes, 0xFFFE, 3},
                                              AltBeaconId{{9, 8, 7}},
                                              EddystoneUid{{1, 2}, {3, 4}}};
  for (const auto& kind : kinds) {
    for (const std::optional<int> power : {std::optional<int>(), std::optional<int>(-59)}) {
      item.key = kind;
      item.measured_power_1m_dbm = power;
      const beacon::IdentityKey key = key_of(item);
      const auto back = key_of_brief(item.customer, brief_of(key));
      ASSERT_TRUE(back);
      EXPECT_EQ(back->identity, key.identity);
      EXPECT_EQ(back->customer, key.customer);
      EXPECT_EQ(back->kind, key.kind);
      EXPECT_EQ(back->key, key.key);
      EXPECT_EQ(back->static_id, key.static_id);
      EXPECT_EQ(back->rotation_exponent, key.rotation_exponent);
      EXPECT_EQ(back->clock_zero, key.clock_zero);
      EXPECT_EQ(back->measured_power_1m_dbm, key.measured_power_1m_dbm);
    }
  }
}

TEST(IdentityBrief, WhatIsNoneIsNotRead) {
  const std::string brief = brief_of(beacon::IdentityKey());
  for (const std::string& text : {std::string(), std::string("nonsense"), brief.substr(1),
                                  "9" + brief.substr(1), brief.substr(0, 40)}) {
    EXPECT_FALSE(key_of_brief(CustomerId("c"), text)) << text;
  }
}

}  // namespace
}  // namespace welcome::daemon
