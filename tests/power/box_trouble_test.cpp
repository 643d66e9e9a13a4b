// The whole box when its ground gives way: a disk that takes nothing, a database that is damaged, a
// CRM that is silent, a clock that is not set or set back.

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/power/power_vfs.h"
#include "tests/support/bench_box.h"

namespace welcome::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using sync::LinkName;

constexpr WallTime kStart{std::chrono::sys_days{std::chrono::year{2026} / 5 / 4} + 8h};
const std::string kBox = "welcome/v1/demo/aroma-1/box-1/";
const std::string kFeed = std::string(WELCOME_SOURCE_DIR) + "/tests/replay/data/shop-feed.jsonl";

class BoxTrouble : public testing::Test {
 protected:
  BoxTrouble() : box_(kStart, {vfs_.name(), {}}) { lines_up(); }

  void lines_up() {
    box_.link_up(LinkName::uplink);
    box_.link_up(LinkName::floor);
  }
  void feed() { box_.feed_file(kFeed); }

  json status() { return box_.engine().status(box_.now()); }
  std::string footing() { return status()["consents"]["footing"]; }
  bool in_trouble() { return status()["store"]["trouble"] != ""; }

  std::vector<json> sent(const std::string& part) {
    std::vector<json> found;
    for (const auto& one : box_.world().sent) {
      if (one.message.topic.find(part) == std::string::npos) continue;
      found.push_back(one.message.payload.empty() ? json() : json::parse(one.message.payload));
    }
    return found;
  }
  json tablet() { return sent("floor/status").back()["trouble"]; }
  std::size_t hellos() { return sent("/hello").size(); }
  std::vector<json> health() {
    auto found = sent("/event");
    std::erase_if(found, [](const json& e) {
      return e["type"].get<std::string>().find("health") == std::string::npos;
    });
    return found;
  }

  bool mia_is_here() {
    const json visits = box_.engine().visits();
    return std::any_of(visits.begin(), visits.end(), [](const json& v) {
      return v["customer"] == "c-mia" && v["ended"].is_null();
    });
  }

  // A record of the feed with one more step; `seq` beyond the feed's last.
  json one_more_step(const std::string& customer, const std::string& purpose, bool given,
                     std::int64_t* last) {
    std::ifstream in(kFeed);
    for (std::string line; std::getline(in, line);) {
      const json batch = json::parse(line)["payload"];
      if (batch["collection"] != "consents") continue;
      *last = batch["to_seq"];
      for (json item : batch["items"]) {
        if (item["value"]["customer"] != customer || item["value"]["purpose"] != purpose) continue;
        item["value"]["history"].push_back({{"state", given ? "given" : "withdrawn"},
                                            {"at", sync::to_rfc3339(box_.now().wall)},
                                            {"how", "app"}});
        return {{"v", 1},
                {"collection", "consents"},
                {"kind", "delta"},
                {"epoch", batch["epoch"]},
                {"items", {std::move(item)}}};
      }
    }
    ADD_FAILURE() << "no such record";
    return {};
  }
  void step_of_consent(const std::string& customer, const std::string& purpose, bool given) {
    std::int64_t last = 0;
    json batch = one_more_step(customer, purpose, given, &last);
    batch["items"][0]["seq"] = last + 1;
    batch["from_seq"] = last;
    batch["to_seq"] = last + 1;
    box_.inbound(LinkName::uplink, kBox + "feed/consents", batch.dump());
  }
  void erase(const std::string& customer, const std::string& id) {
    box_.inbound(LinkName::uplink, kBox + "command",
                 json{{"v", 1}, {"id", id}, {"kind", "erase"}, {"customer", customer}}.dump());
  }

  PowerVfs vfs_{"box-trouble"};
  BenchBox box_;
};

TEST_F(BoxTrouble, AFullDiskStopsDecisionsIsSaidAndHealsByItself) {
  feed();
  vfs_.full_from(vfs_.operations());
  const auto before = hellos();
  box_.hear_mia_for(3s);
  EXPECT_TRUE(in_trouble());
  EXPECT_EQ(tablet(), json::array({"store"}));
  EXPECT_GT(status()["store"]["held_back"], 0);
  EXPECT_TRUE(sent("/event").empty()) << "nothing is sent that is not stored";

  vfs_.full_from(-1);
  box_.advance(2s);
  EXPECT_FALSE(in_trouble());
  EXPECT_EQ(tablet(), json::array());
  EXPECT_EQ(hellos(), before + 1) << "the CRM may have spoken meanwhile";
  ASSERT_EQ(health().size(), 1U);
  EXPECT_EQ(health()[0]["data"]["part"], "store");
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, AWithdrawalOnAFullDiskHoldsAtOnceAndAfterTheNextStart) {
  feed();
  box_.hear_mia_for(3s);
  ASSERT_TRUE(mia_is_here());
  vfs_.full_from(vfs_.operations());
  step_of_consent("c-mia", "proximity_offers", false);
  EXPECT_TRUE(in_trouble());
  EXPECT_FALSE(mia_is_here());
  vfs_.full_from(-1);
  box_.advance(2s);
  EXPECT_FALSE(in_trouble());
  // The line drops before the CRM could send the record again.
  box_.power_cycle();
  box_.hear_mia_for(3s);
  EXPECT_FALSE(mia_is_here());
  EXPECT_EQ(status()["radio"]["identified"], 0);
}

TEST_F(BoxTrouble, ADamagedDatabaseIsSetAsideAndNobodyConsentsUntilTheCrmHasSpoken) {
  feed();
  erase("c-paul", "00000000-0000-4000-8000-0000000000e1");
  box_.power_off();
  {
    std::fstream file(box_.dir() / "welcomed.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(3 * 4096, '\xA5');
  }
  box_.power_on();
  box_.world().sent.clear();
  lines_up();
  EXPECT_TRUE(sent("/hello")[0]["have"].empty());
  box_.hear_mia_for(2s);
  EXPECT_FALSE(mia_is_here());
  feed();
  ASSERT_EQ(health().size(), 1U);
  EXPECT_EQ(health()[0]["data"]["state"], "failed");
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
  const auto paul = box_.engine().export_person(CustomerId("c-paul"), box_.now());
  ASSERT_TRUE(paul);
  EXPECT_TRUE((*paul)["profiles"].empty()) << "who was erased stays so";
}

TEST_F(BoxTrouble, ALateBoxErasesBeforeItsFirstDecision) {
  feed();
  box_.setup.tweak = [](daemon::EngineSettings& settings) { settings.crm_speaks_first = 3s; };
  box_.crm_answers = false;
  box_.power_cycle();
  box_.world().sent.clear();
  box_.hear_mia_for(2s);
  lines_up();
  box_.hear_mia_for(2s);
  EXPECT_FALSE(mia_is_here()) << "the CRM may know better";
  erase("c-mia", "00000000-0000-4000-8000-0000000000e2");
  box_.hear_mia_for(5s);
  EXPECT_FALSE(mia_is_here());
  for (const json& event : sent("/event"))
    EXPECT_THAT(event["type"], testing::HasSubstr("erasure"));
}

TEST_F(BoxTrouble, ABoxWithoutALineDoesNotWaitForTheCrmForEver) {
  feed();
  box_.setup.tweak = [](daemon::EngineSettings& settings) { settings.crm_speaks_first = 3s; };
  box_.power_cycle();
  box_.hear_mia_for(2s);
  EXPECT_FALSE(mia_is_here());
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, ASilentCrmMeansNobodyConsentsVisibly) {
  feed();
  box_.hear_mia_for(2s);
  ASSERT_TRUE(mia_is_here());
  EXPECT_EQ(footing(), "firm");
  box_.skip(73h);
  box_.advance(2s);
  EXPECT_EQ(footing(), "CRM silent for too long");
  EXPECT_EQ(tablet(), json::array({"crm_silent"}));
  box_.hear_mia_for(2s);
  EXPECT_FALSE(mia_is_here());
  box_.inbound(LinkName::uplink, kBox + "feed/consents",
               R"({"v":1,"collection":"consents","kind":"delta","epoch":"x","from_seq":0,)"
               R"("to_seq":0,"items":[]})");
  box_.advance(2s);
  EXPECT_EQ(footing(), "firm");
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, AClockThatIsNotSetAfterBootMeansNobodyConsentsUntilItIs) {
  feed();
  box_.set_wall(-24h * 365, false);
  box_.power_cycle();
  lines_up();
  box_.hear_mia_for(3s);
  EXPECT_EQ(footing(), "clock not set");
  EXPECT_EQ(tablet(), json::array({"clock_not_set"}));
  EXPECT_FALSE(mia_is_here());
  box_.set_wall(0s, true);
  box_.advance(2s);
  EXPECT_EQ(footing(), "firm") << "the CRM spoke before the restart";
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, AClockThatWasSetBackAnHourEndsConsentUntilTheCrmSpeaksAgain) {
  feed();
  box_.hear_mia_for(2s);
  ASSERT_TRUE(mia_is_here());
  box_.set_wall(-1h, true);
  box_.advance(2s);
  EXPECT_EQ(footing(), "CRM silent for too long") << "how old its word is cannot be said";
  EXPECT_FALSE(mia_is_here());
  feed();
  EXPECT_EQ(footing(), "firm");
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, WhoWasErasedStaysErasedAfterARestartAndMayComeBack) {
  feed();
  erase("c-mia", "00000000-0000-4000-8000-0000000000e2");
  box_.power_cycle();
  lines_up();
  feed();  // late items
  const auto refused = box_.engine().enrol(CustomerId("c-mia"), "clip", box_.now(), {}, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("forgotten"), std::string::npos);

  // The same command again, then a consent that is newer than the erasure.
  erase("c-mia", "00000000-0000-4000-8000-0000000000e2");
  box_.advance(1min);
  const auto before = hellos();
  step_of_consent("c-mia", "proximity_offers", true);
  ASSERT_GT(hellos(), before);
  const json have = sent("/hello").back()["have"];
  EXPECT_FALSE(have.contains("identities")) << "what was withheld is asked for";
  EXPECT_FALSE(have.contains("profiles"));
  EXPECT_TRUE(have.contains("policy"));
  feed();
  step_of_consent("c-mia", "proximity_offers", true);
  erase("c-mia", "00000000-0000-4000-8000-0000000000e2");  // a late repeat erases nobody
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

}  // namespace
}  // namespace welcome::test
