// SPDX-License-Identifier: Apache-2.0
// Captures from the field that were judged wrongly once, where they are at hand: with each the
// identities that the CRM had.

#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>

#include "beacon/capture.h"
#include "beacon/intake.h"
#include "beacon/tracker.h"
#include "tests/unit/beacon/bytes.h"

namespace welcome::beacon {
namespace {

using nlohmann::json;

WallTime wall_of(const std::string& text) {
  std::tm parts{};
  std::istringstream in(text);
  in >> std::get_time(&parts, "%Y-%m-%dT%H:%M:%S");
  return WallTime{std::chrono::seconds{::timegm(&parts)}};
}

IdentityKey key_of(const json& item) {
  IdentityKey key;
  key.identity = item.at("identity");
  key.customer = CustomerId(item.at("customer").get<std::string>());
  const std::string kind = item.at("kind");
  if (kind == "ibeacon") {
    key.kind = IdentityKind::ibeacon;
    std::string uuid = item.at("uuid");
    std::erase(uuid, '-');
    const auto major = item.at("major").get<unsigned>();
    const auto minor = item.at("minor").get<unsigned>();
    key.static_id = testing::array_from_hex<20>(uuid);
    key.static_id[16] = static_cast<std::uint8_t>(major >> 8U);
    key.static_id[17] = static_cast<std::uint8_t>(major);
    key.static_id[18] = static_cast<std::uint8_t>(minor >> 8U);
    key.static_id[19] = static_cast<std::uint8_t>(minor);
  } else if (kind == "irk") {
    key.kind = IdentityKind::irk;
    key.key = testing::array_from_hex<16>(item.at("irk").get<std::string>());
  } else {
    key.key = testing::array_from_hex<16>(item.at("key").get<std::string>());
    key.rotation_exponent = item.at("rotation_exponent");
    key.clock_zero = wall_of(item.at("clock_zero"));
  }
  return key;
}

class Field : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto data = testing::ble_data();
    folder_ = data ? data->parent_path().parent_path() / "field" / "radio" : "";
    if (!data || !std::filesystem::exists(folder_)) {
      GTEST_SKIP() << "WELCOME_DATA/../field/radio is not there: no captures from the field";
    }
  }

  // `later` than it was recorded.
  void play(const std::string& name, std::chrono::milliseconds later = {}) {
    const json about = json::parse(std::ifstream(folder_ / (name + ".json")));
    std::vector<IdentityKey> keys;
    for (const auto& item : about.at("identities")) keys.push_back(key_of(item));
    const auto reader = open_capture(folder_ / (name + ".btsnoop"));
    ASSERT_TRUE(reader);
    CaptureRecord record;
    AdvertIntake intake;
    std::vector<AdvertReport> reports;
    bool known = false;
    while ((*reader)->next(record)) {
      const auto at = record.at.time_since_epoch();
      const Now now{MonoTime{at + later},
                    WallTime{std::chrono::floor<std::chrono::milliseconds>(at + later)}, true};
      if (!std::exchange(known, true)) tracker_.set_identities(keys, now);
      note(tracker_.tick(now));
      reports.clear();
      intake.take(record.packet, now.mono, reports);
      for (const auto& report : reports) note(tracker_.handle(report, now));
    }
  }
  void note(const std::vector<IdentityClaim>& claims) {
    for (const auto& claim : claims) said_[claim.customer.str()].push_back(claim);
  }

  std::filesystem::path folder_;
  Tracker tracker_;
  std::map<std::string, std::vector<IdentityClaim>> said_;
};

TEST_F(Field, ARealPhoneIsNoCopyOfItself) {
  play("mitphone");
  EXPECT_EQ(tracker_.counters().copies, 0U);
  EXPECT_EQ(tracker_.counters().copied, 0U);
  EXPECT_EQ(tracker_.present(), 1U);
  for (const auto& claim : said_["c-fob"]) EXPECT_NE(claim.fast, Zone::away);
}

TEST_F(Field, TwoSetsThatOverlapByASecondAreNoCopy) {
  play("overlap1");
  EXPECT_EQ(tracker_.counters().copies, 0U);
  EXPECT_EQ(tracker_.counters().copied, 0U);
  EXPECT_EQ(tracker_.present(), 1U);
  for (const auto& claim : said_["c-phone"]) {
    EXPECT_EQ(claim.source, ClaimSource::eddystone_eid);
    EXPECT_NE(claim.fast, Zone::away);
  }
}

TEST_F(Field, AnAddressNinetyDaysLaterProvesNothing) {
  play("rpa_day90", -std::chrono::days{90});
  ASSERT_FALSE(said_["c-irk"].empty());
  EXPECT_EQ(said_["c-irk"].back().source, ClaimSource::resolvable_address);
  said_.clear();
  play("rpa_day90");
  ASSERT_FALSE(said_["c-irk"].empty());
  for (const auto& claim : said_["c-irk"]) {
    if (claim.fast == Zone::away) continue;
    EXPECT_EQ(claim.source, ClaimSource::static_beacon);
  }
}

TEST_F(Field, ImpossiblePowersPutNobodyAwayOrAtTheDesk) {
  play("power");
  EXPECT_EQ(tracker_.counters().impossible_power, 400U);
  EXPECT_EQ(tracker_.present(), 5U);
  const auto zone = [&](const std::string& who) { return said_[who].back().settled; };
  for (const char* who : {"c-m3", "c-p1"}) EXPECT_EQ(zone(who), zone("c-ok")) << who;
  EXPECT_EQ(zone("c-ok"), Zone::desk);
  EXPECT_EQ(zone("c-zero"), Zone::street) << "it says that the distance is unknown";
  EXPECT_EQ(zone("c-m100"), Zone::street);
}

}  // namespace
}  // namespace welcome::beacon
