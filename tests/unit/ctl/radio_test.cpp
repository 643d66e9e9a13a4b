// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/radio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "firmware/ctl/radio_table.h"
#include "tests/unit/ctl/lines.h"

namespace welcome::ctl {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json table() {
  return {{"radio",
           {{"source", "running"},
            {"detail", ""},
            {"expected_per_second", 208.3},
            {"advertising", true},
            {"restarts", 0},
            {"stalls", 2}}},
          {"adverts_per_second", 212.0},
          {"strangers_per_second", 205.2},
          {"by_type", {{"other", 40.0}, {"apple_other", 120.5}}},
          {"identities",
           {{{"identity", "id-paul"},
             {"kind", "irk"},
             {"customer", "c-paul"},
             {"per_second", 4.0},
             {"rssi_dbm", -61},
             {"fast", "inside"},
             {"settled", "door"},
             {"distance", "far"},
             {"heard_s", 0.2}},
            {{"identity", "id-mia"},
             {"kind", "ibeacon"},
             {"customer", "c-mia"},
             {"per_second", 0.0},
             {"rssi_dbm", -80},
             {"fast", nullptr},
             {"settled", nullptr},
             {"distance", nullptr},
             {"heard_s", 31.0}}}}};
}

TEST(RadioTable, ShowsHealthCountsAndWhoIsHeard) {
  const auto shown = lines(radio_table(table(), 100, 24));
  ASSERT_EQ(shown.size(), 7U);
  EXPECT_EQ(shown[0], "radio    running, 208.3/s expected, advertising; 2 stalls");
  EXPECT_EQ(shown[1], "adverts  212.0/s, of strangers 205.2/s");
  EXPECT_EQ(shown[2], "         apple_other 120.5, other 40.0");
  EXPECT_EQ(shown[4], "identity  kind     customer  per s  RSSI  fast    settled  distance  s ago");
  EXPECT_EQ(shown[5], "id-paul   irk      c-paul    4.0    -61   inside  door     far       0.2");
  EXPECT_EQ(shown[6], "id-mia    ibeacon  c-mia     0.0    -80   -       -        -         31.0");
}

TEST(RadioTable, ALevelThatWasNotMeasuredIsUnknown) {
  json unknown = table();
  unknown["identities"][0]["rssi_dbm"] = nullptr;
  EXPECT_THAT(radio_table(unknown, 100, 24), HasSubstr("4.0    unknown  inside"));
  EXPECT_THAT(radio_line(unknown), HasSubstr("id-paul RSSI unknown inside/door"));
}

TEST(RadioTable, SaysHowItScansAndWhatIsLost) {
  json troubled = table();
  troubled["radio"]["scan"] = "legacy scan";
  troubled["radio"]["line_losses"] = 3;
  EXPECT_THAT(radio_line(troubled),
              HasSubstr("advertising, legacy scan; 2 stalls, 3 losses on the line"));
}

TEST(RadioTable, FitsTheTerminal) {
  const auto narrow = lines(radio_table(table(), 30, 6));
  ASSERT_EQ(narrow.size(), 6U);
  for (const auto& line : narrow) EXPECT_LE(line.size(), 30U);
  EXPECT_EQ(narrow.back(), "… 2 more");
}

TEST(RadioTable, AHintStandsUnderTheTable) {
  json hinted = table();
  hinted["identities"][1]["hint"] = "says a power at 1 m that cannot be";
  EXPECT_THAT(radio_table(hinted, 100, 24),
              HasSubstr("\nid-mia says a power at 1 m that cannot be\n"));
}

TEST(RadioTable, SaysWhenNobodyIsHeardAndWhyTheRadioIsDeaf) {
  json quiet = table();
  quiet["identities"] = json::array();
  quiet["radio"]["source"] = "recovering";
  quiet["radio"]["detail"] = "there is no adapter hci0";
  EXPECT_THAT(radio_table(quiet, 100, 24), HasSubstr("nobody known is heard"));
  EXPECT_THAT(radio_line(quiet), HasSubstr("radio recovering (there is no adapter hci0)"));
  EXPECT_THAT(radio_line(quiet), Not(HasSubstr("\n")));
}

TEST(RadioTable, AnAnswerOfAnotherVersionIsShownAsFarAsItGoes) {
  EXPECT_NO_THROW(radio_table(json::object(), 80, 24));
  EXPECT_NO_THROW(radio_line({{"identities", {json::object()}}}));
}

TEST(Duration, IsANumberAndAUnit) {
  EXPECT_EQ(duration_seconds("45s"), 45);
  EXPECT_EQ(duration_seconds("10m"), 600);
  EXPECT_EQ(duration_seconds("2h"), 7200);
  for (const char* bad :
       {"", "s", "10", "0s", "-1m", "1.5h", "200h", "10 m", "99999999999999999999s"}) {
    EXPECT_FALSE(duration_seconds(bad)) << bad;
  }
}

TEST(ZonesFile, IsAConfigurationFile) {
  EXPECT_EQ(
      zones_file({{{"zone", "desk"}, {"metres", 2.853}}, {{"zone", "inside"}, {"metres", 6.0}}},
                 "2026-11-21"),
      "# Walk test of 2026-11-21, written by welcomectl radio calibrate. Remove it for the "
      "zones of before.\n[zones]\ndesk_m = 2.85\ninside_m = 6.00\n");
}

}  // namespace
}  // namespace welcome::ctl
