// Files in: taken whole or not at all, with the line that is wrong.

#include "crm/import.h"

#include <tuple>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class ImportTest : public CrmTest {
 protected:
  Result<Imported> csv(const std::string& text) { return import_text(*crm_, text, true, now_); }
  Result<Imported> file(const std::string& text) { return import_text(*crm_, text, false, now_); }
  std::string refusal(const Result<Imported>& result) {
    return result ? "it was accepted" : result.error().message;
  }
};

TEST(CsvTest, QuotesCommasAndLineBreaksBelongToTheCell) {
  const auto csv = parse_csv("a,b\r\n\"x, \"\"y\"\"\nz\",2\r\n\r\n3,4");
  ASSERT_TRUE(csv) << csv.error().message;
  ASSERT_EQ(csv->rows.size(), 2U);
  EXPECT_EQ(csv->rows[0].fields.at("a"), "x, \"y\"\nz");
  EXPECT_EQ(csv->rows[1].fields.at("b"), "4");
  EXPECT_EQ(csv->rows[1].line, 5U);
}

TEST(CsvTest, BrokenFilesNameTheLine) {
  EXPECT_EQ(parse_csv("a,b\n1\n").error().message, "line 2: 1 cells where the header has 2");
  EXPECT_EQ(parse_csv("a\n\"x\n").error().message, "line 2: a quote is not closed");
  EXPECT_EQ(parse_csv("a\n\"x\"y\n").error().message, "line 2: a quote in the middle of a cell");
  EXPECT_EQ(parse_csv("").error().message, "the file is empty");
}

TEST_F(ImportTest, CustomersComeWithProfileAndPreferences) {
  const auto done =
      csv("customer,app_id,name,points,segments,preference.drink\n"
          "c-mia,a-mia,Mia Lindt,310,new; early ,\"tea, hot\"\n");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->at("customers"), 1);
  const json profile = crm_->profile("c-mia").value();
  EXPECT_EQ(profile.at("points"), 310);
  EXPECT_EQ(profile.at("segments"), json({"new", "early"}));
  EXPECT_EQ(profile.at("preferences").at(0).at("value"), "tea, hot");
  EXPECT_EQ(crm_->app_of("c-mia"), "a-mia");
}

TEST_F(ImportTest, PreferencesComeWithHowOftenAndWhenTheyWereConfirmed) {
  ASSERT_TRUE(csv(
      "customer,name,preference.drink,preference.drink.confirmed,preference.drink.last_confirmed\n"
      "c-mia,Mia Lindt,tea,2,2026-05-18T16:20:00Z\n"));
  const json preference = crm_->profile("c-mia").value().at("preferences").at(0);
  EXPECT_EQ(preference.at("value"), "tea");
  EXPECT_EQ(preference.at("confirmed"), 2);
  EXPECT_DOUBLE_EQ(preference.at("confidence"), 0.875);
  EXPECT_EQ(preference.at("last_confirmed"), "2026-05-18T16:20:00.000Z");
}

TEST_F(ImportTest, WhatTheFileDoesNotSayStays) {
  ASSERT_TRUE(crm_->note_conversation("c-paul", "Off to Lyon.", now_));
  ASSERT_TRUE(csv("customer,tier\nc-paul,gold\n"));
  const json profile = crm_->profile("c-paul").value();
  EXPECT_EQ(profile.at("tier"), "gold");
  EXPECT_EQ(profile.at("last_conversation").at("text"), "Off to Lyon.");
  EXPECT_EQ(crm_->app_of("c-paul"), "a-paul");
}

TEST_F(ImportTest, AppIdsAreRandomWhereNoneIsGiven) {
  ASSERT_TRUE(csv("customer,name\nc-1,One\nc-2,Two\n"));
  EXPECT_NE(crm_->app_of("c-1"), crm_->app_of("c-2"));
  EXPECT_EQ(crm_->app_of("c-1")->find("c-1"), std::string::npos);
}

TEST_F(ImportTest, ConsentsWithoutATimeMeanNowAndRepeatingThemChangesNothing) {
  const std::string text = "customer,purpose,state\nc-paul,visit_analytics,withdrawn\n";
  ASSERT_TRUE(csv(text));
  const Position before = crm_->feed().head(Collection::consents);
  now_ += std::chrono::hours(1);
  ASSERT_TRUE(csv(text));
  EXPECT_EQ(crm_->feed().head(Collection::consents), before);
}

TEST_F(ImportTest, MistakesNameTheirPlace) {
  EXPECT_EQ(refusal(csv("name\nX\n")), "line 1: a column \"customer\" is needed");
  EXPECT_EQ(refusal(csv("customer,nmae\nc,X\n")), "line 1: unknown column \"nmae\"");
  EXPECT_EQ(refusal(csv("customer,preference.tea.liked\nc,1\n")),
            "line 1: unknown column \"preference.tea.liked\"");
  EXPECT_EQ(refusal(csv("customer,name,preference.tea.confirmed\nc-1,X,2\n")),
            "line 2: tea.confirmed without a value in the column before it");
  EXPECT_EQ(refusal(csv("customer,name,points\nc-1,X,many\n")),
            "line 2: a whole number was expected");
  EXPECT_EQ(refusal(csv("customer,purpose,state\nc-paul,marketing,given\n")),
            "line 2: unknown purpose");
  EXPECT_EQ(refusal(csv("customer,purpose,state\nc-no,visit_analytics,given\n")),
            "line 2: there is no such customer");
  EXPECT_EQ(refusal(file("[]")), "this is not a JSON object");
  EXPECT_NE(refusal(file("{\"campaign\":{}}")).find("unknown member"), std::string::npos);
  EXPECT_EQ(refusal(file("{\"campaigns\":[{\"campaign\":\"k\"}]}")).substr(0, 13), "campaigns[0]:");
}

TEST_F(ImportTest, HostileCampaignsAreRefusedWithTheReasonAndTheLastGoodSetStays) {
  const json good = {
      {"campaign", "k-espresso"},
      {"name", "Espresso"},
      {"trigger", {{"on", "pass_by"}}},
      {"variants", {{{"id", "a"}, {"title", {{"en", "Hello"}}}, {"text", {{"en", "Coffee?"}}}}}}};
  ASSERT_TRUE(file(json{{"campaigns", {good}}}.dump()));
  const std::string kept = crm_->feed().get(Collection::campaigns, "k-espresso")->value;
  const Position before = crm_->feed().head(Collection::campaigns);

  const auto with = [&](const char* pointer, const json& value) {
    json bad = good;
    bad[json::json_pointer(pointer)] = value;
    json fine = good;
    fine["campaign"] = "k-fine";
    const Transaction undone(*db_);  // as welcome-crm import does
    return refusal(file(json{{"campaigns", {fine, bad}}}.dump()));
  };
  const std::vector<std::tuple<const char*, json, const char*>> hostile{
      {"/audiance", {{"all", json::array()}}, "unknown member /audiance"},
      {"/audience", {{"al", json::array()}}, "unknown member /audience/al"},
      {"/cap", {{"per_customer", -1}, {"per", "day"}}, "per_customer"},
      {"/budget", -5, "budget"},
      {"/holdout_percent", 101, "holdout_percent"},
      {"/schedule",
       {{"from", "2026-05-02T00:00:00Z"}, {"until", "2026-05-01T00:00:00Z"}},
       "ends before it begins"},
      {"/schedule", {{"hours", json::array({json::array({"08:00", "08:00"})})}}, "the same"},
      {"/schedule", {{"days", json::array()}}, "no weekday"},
      {"/schedule", {{"from", "2026-13-45T00:00:00Z"}}, "no such time"},
      {"/variants/0/text/en", "{{>/etc/passwd}}", "only {{name}}"},
      {"/variants/0/text/en", "{{{name}}}", "only {{name}}"},
      {"/variants/0/text/en", "{{=<% %>=}}", "only {{name}}"},
      {"/variants/0/text/en", "{{secret}}", "no value"},
      {"/audience", {{"all", json(51, json{{"field", "tier"}, {"in", {"x"}}})}}, "audience"},
      {"/audience", {{"all", {{{"field", "tier"}, {"in", json(201, "x")}}}}}, "audience"},
      {"/audience", {{"all", {{{"field", "gender"}, {"in", {"f"}}}}}}, "not a field"},
      {"/variants", json(21, good["variants"][0]), "variants"},
  };
  for (const auto& [pointer, value, reason] : hostile) {
    const std::string said = with(pointer, value);
    EXPECT_NE(said.find("campaigns[1]:"), std::string::npos) << said;
    EXPECT_NE(said.find(reason), std::string::npos) << pointer << " said: " << said;
  }
  EXPECT_EQ(crm_->feed().get(Collection::campaigns, "k-espresso")->value, kept);
  EXPECT_FALSE(crm_->feed().get(Collection::campaigns, "k-fine")) << "all of a file, or none";
  EXPECT_EQ(crm_->feed().head(Collection::campaigns), before);
}

}  // namespace
}  // namespace welcome::crm
