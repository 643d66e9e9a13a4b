// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/diag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace welcome::ctl {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::string scrubbed(const std::string& text) {
  Scrub scrub;
  for (const char* name : {"Mia", "Mia Lindt", "c-mia", "Zo\xC3\xAB"}) scrub.add(name);
  return scrub(text);
}

struct Case {
  const char* before;
  const char* after;
};

class Scrubbed : public testing::TestWithParam<Case> {};

TEST_P(Scrubbed, LeavesOutWhatItShould) {
  EXPECT_EQ(scrubbed(GetParam().before), GetParam().after);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Scrubbed,
    testing::Values(Case{"Mia Lindt came", "(name) came"},
                    Case{"for c-mia, \"Mia\"", "for (name), \"(name)\""},
                    Case{"Miami, c-miax, Zo\xC3\xABs", "Miami, c-miax, Zo\xC3\xABs"},
                    Case{"Zo\xC3\xAB!", "(name)!"},
                    Case{"from 4c:1f:86:00:ab:cd at -60", "from (hardware address) at -60"},
                    Case{"dev_4C_1F_86_00_AB_CD", "dev_(hardware address)"},
                    Case{"rtsp://user:p@ss/w@10.0.0.9/1", "rtsp://(left out)@10.0.0.9/1"},
                    Case{"see https://example.org/a and b@c", "see https://example.org/a and b@c"},
                    Case{"irk 4b616e6172696549524b9f3c1d7a88e1.", "irk (key or id)."},
                    Case{"visit 0190b7f2-6a4e-7cc1-9d3b-0242ac120002", "visit (id)"},
                    Case{"key q83vEjRWeJC83vEjRWeJAq83vEjRWeJC83vEjRWeJA=", "key (key or id)"},
                    Case{"/var/lib/Welcomed2/models/known-origin/models.json",
                         "/var/lib/Welcomed2/models/known-origin/models.json"},
                    Case{"/dev/q83vEjRWeJC83vEjRWeJAq83v/x", "/dev/(key or id)/x"},
                    Case{"2026-11-30T12:00:00.000Z 12:34:56",
                         "2026-11-30T12:00:00.000Z 12:34:56"}));

TEST(Diag, CountsInsteadOfListing) {
  const json rows =
      json::array({{{"kind", "offer"}, {"reason", "made"}, {"customer", "c-mia"}},
                   {{"kind", "offer"}, {"reason", "made"}, {"customer", "c-paul"}},
                   {{"kind", "prompt"}, {"reason", "paused"}, {"customer", "c-mia"}}});
  EXPECT_EQ(counts_by(rows, {"kind", "reason"}), (json{{"offer, made", 2}, {"prompt, paused", 1}}));
}

TEST(Diag, ShowsNoValueThatIsNone) {
  const std::string text = settings_text(
      ToldSettings({{"settings",
                     {{{"key", "uplink.port"}, {"value", "s3cret"}, {"where", "/etc/a.conf:8"}},
                      {{"key", "uplink.host"}, {"value", "crm.example"}, {"where", ""}}}},
                    {"wrong",
                     {"/etc/a.conf:8: uplink.port = s3cret is not a whole number",
                      "/etc/a.conf:9: unknown key 'uplink.password'; did you mean 'uplink.port'?"}},
                    {"missing", json::array({"the credential box-key is missing"})}}));
  EXPECT_THAT(text, HasSubstr("uplink.port = (no good value)    # /etc/a.conf:8\n"));
  EXPECT_THAT(text, HasSubstr("uplink.host = crm.example\n"));
  EXPECT_THAT(text, HasSubstr("wrong: /etc/a.conf:9: unknown key 'uplink.password'"));
  EXPECT_THAT(text, HasSubstr("missing: the credential box-key is missing\n"));
  EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  EXPECT_EQ(settings_text(ToldSettings(json())), "");
}

}  // namespace
}  // namespace welcome::ctl
