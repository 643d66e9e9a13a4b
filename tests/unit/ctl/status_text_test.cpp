// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/status_text.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "tests/unit/ctl/clock_sample.h"
#include "tests/unit/ctl/lines.h"

namespace welcome::ctl {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json status() {
  return {
      {"box",
       {{"tenant", "demo"},
        {"store", "aroma-1"},
        {"id", "box-1"},
        {"version", "0.2.0"},
        {"session", 7},
        {"fingerprint", "a1b2"}}},
      {"clock", clock_sample()},
      {"links",
       {{"uplink", {{"state", "up"}, {"in_flight", 2}}},
        {"floor", {{"state", "up"}, {"in_flight", 0}}}}},
      {"crm",
       {{"last_heard", "2026-05-04T07:59:00.000Z"},
        {"region", "north"},
        {"feed", {{"profiles", {{"items", 120}, {"seq", 9}}}}}}},
      {"radio",
       {{"source", "running"},
        {"per_second", 206.1},
        {"expected_per_second", 208.0},
        {"identified", 64},
        {"discarded", 1600},
        {"restarts", 0}}},
      {"consents", {{"footing", "firm"}}},
      {"visits", {{"near", 3}, {"in_store", 2}}},
      {"cameras", {{"desk", {{"health", "asleep"}}}}},
      {"decisions",
       {{"offers", 3},
        {"prompts", 2},
        {"surveys", 0},
        {"suppressed", {{"holdout", 2}, {"min_gap", 9}}}}},
      {"outbox", {{"uplink", 12}, {"floor", 0}}},
      {"store", {{"bytes", 1234567}, {"customers", 120}, {"trouble", ""}}},
      {"latency_ms", {{"p50", 11.5}, {"p95", 40.0}}},
  };
}

std::size_t columns(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

void expect_one_screen(const json& status) {
  const auto shown = lines(status_text(status));
  EXPECT_LE(shown.size(), 23U) << "a prompt has to fit below";
  for (const auto& line : shown) EXPECT_LE(columns(line), 80U) << line;
}

TEST(StatusText, OfAWellBoxSaysWhatItDoesAndNoTrouble) {
  const std::string text = status_text(status());
  for (const char* part :
       {"box       demo/aroma-1/box-1, welcomed 0.2.0, start 7, no image\n",
        "CRM       up; 12 wait, 2 under way\n", "feed      profiles 120; of region north\n",
        "radio     running; 206.1 of 208.0 adverts/s expected\n", "cameras   desk asleep\n",
        "near      3, of them in the store 2\n", "decided   3 offers, 2 prompts, 0 surveys\n",
        "not made  min_gap 9, holdout 2\n", "store     1.2 MB, 120 customers\n",
        "trouble   none\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  expect_one_screen(status());
}

TEST(StatusText, SaysWhatIsWrongAndFitsTheScreenAllTheSame) {
  json bad = status();
  bad["clock"].update(
      {{"trusted", false}, {"quality", "unknown"}, {"words", "Nobody has said it"}});
  bad["consents"] = {{"footing", "clock not set"}, {"refused", {{"unsigned", 4}}}};
  bad["links"]["uplink"] = {{"state", "down"}, {"why", std::string(200, 'x')}, {"in_flight", 0}};
  bad["links"]["floor"]["state"] = "down";
  bad["radio"]["source"] = "recovering";
  bad["radio"]["detail"] = "there is no adapter hci0";
  bad["radio"]["copies"] = 2;
  bad["store"]["trouble"] = "disk full";
  bad["store"]["errors"] = 9;
  bad["paused"] = {"offers"};
  bad["rehearsal"] = true;
  for (int i = 0; i < 20; ++i) {
    bad["cameras"]["c-" + std::to_string(i)] = {{"health", "gone"}};
    bad["decisions"]["suppressed"]["reason-" + std::to_string(i)] = i;
  }
  const std::string text = status_text(bad);
  EXPECT_THAT(text, HasSubstr("TROUBLE   clock: Nobody has said it"));
  EXPECT_THAT(text, HasSubstr("the line uplink is down"));
  EXPECT_THAT(text, HasSubstr("nothing can be stored: disk full"));
  EXPECT_THAT(text, HasSubstr("more: welcomectl status --json"));
  EXPECT_THAT(text, Not(HasSubstr("trouble   none")));
  expect_one_screen(bad);
}

TEST(StatusText, SaysWhatSomebodyHasOpenedAndWhatIsRefused) {
  json open = status();
  open["consents"]["signatures_asked"] = true;
  EXPECT_THAT(status_text(open), HasSubstr("trouble   none"));
  open["consents"]["signatures_asked"] = false;
  open["crm"]["refused"] = {{"refused", 7}};
  open["crm"]["heads_ahead"] = 2;
  const std::string text = status_text(open);
  EXPECT_THAT(text, HasSubstr("what nobody signed is believed: consent.unsigned = yes"));
  EXPECT_THAT(text, HasSubstr("messages refused: refused 7"));
  EXPECT_THAT(text, HasSubstr("2 words of the CRM are later than our clock says it is"));
}

TEST(StatusText, OfAnotherVersionIsShownAsFarAsItGoes) {
  EXPECT_NO_THROW(status_text(json::object()));
  EXPECT_NO_THROW(status_text({{"radio", "none"}, {"links", json::array()}, {"box", nullptr}}));
  EXPECT_NO_THROW(status_text(json::array()));
}

}  // namespace
}  // namespace welcome::ctl
