// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/ctl/lines.h"

namespace welcome::ctl {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json watched() {
  json lights = json::object();
  for (const char* light :
       {"clock", "line", "floor", "radio", "camera", "models", "store", "consents", "decisions"}) {
    lights[light] = {{"lamp", "green"}, {"what", "well"}, {"to_do", ""}};
  }
  lights["radio"] = {{"lamp", "red"}, {"what", std::string(300, 'x')}, {"to_do", "plug it in"}};
  return {
      {"box", {{"tenant", "demo"}, {"store", "aroma-1"}, {"id", "box-1"}, {"version", "0.2.0"}}},
      {"clock", {{"wall", "2026-05-04T08:00:00.000Z"}}},
      {"lights", std::move(lights)},
      {"radio",
       {{"source", "running"},
        {"per_second", 206.1},
        {"expected_per_second", 208.0},
        {"identified", 64},
        {"discarded", 1600}}},
      {"cameras", {{"desk", {{"health", "asleep"}, {"frames", 7}}}}},
      {"links",
       {{"uplink", {{"state", "up"}, {"in_flight", 2}}},
        {"floor", {{"state", "down"}, {"in_flight", 0}}}}},
      {"outbox", {{"uplink", 12}, {"floor", nullptr}}},
      {"tablets", {{"known", 3}, {"heard", 2}}},
      {"visits", {{"near", 3}, {"in_store", 2}}},
      {"decisions", {{"offers", 3}, {"prompts", 2}, {"surveys", 0}}}};
}

TEST(Watch, ShowsABoxOnOneScreen) {
  const std::string text = watch_text(watched(), false);
  for (const char* part :
       {"demo/aroma-1/box-1, welcomed 0.2.0, 2026-05-04T08:00:00.000Z\n",
        "ok     clock       well\n", "WRONG  radio       xxx",
        "radio              206.1 of 208.0 adverts/s expected; 64 of customers, 1600 of ",
        "cameras            desk asleep (7 frames)\n",
        "to head office     up, 12 wait, 2 under way\n",
        "to the tablets     down, - wait, 0 under way; 2 of 3 tablets heard\n",
        "here               3 near, 2 of them in the store\n",
        "since the start    3 offers, 2 prompts, 0 surveys\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  const auto shown = lines(text);
  EXPECT_LE(shown.size(), 21U) << "how to end it stands below";
  for (const auto& line : shown) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_LT(text.find("clock "), text.find("decisions ")) << "the lights in their order";
}

TEST(Watch, ShowsAnAnswerOfAnotherShapeAsFarAsItGoes) {
  for (const json& status : {json(), json::array(), json{{"lights", 7}, {"cameras", "no"}}}) {
    EXPECT_NO_THROW(watch_text(status, true));
  }
}

}  // namespace
}  // namespace welcome::ctl
