// SPDX-License-Identifier: Apache-2.0
// Files in: taken whole or not at all, with the line that is wrong.

#include "crm/import.h"

#include <chrono>
#include <tuple>

#include "crm/csv.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class ImportTest : public CrmTest {
 protected:
  using Imported = std::map<std::string, std::int64_t>;
  Result<Imported> csv(const std::string& text) {
    Import import(*crm_, now_);
    if (auto ok = import.add("", text); !ok) return tl::unexpected(ok.error());
    if (auto ok = import.check(); !ok) return tl::unexpected(ok.error());
    while (import.take(std::chrono::steady_clock::time_point::max())) {
    }
    left_out_ = import.left_out();
    return import.taken();
  }
  Result<Imported> file(const std::string& text) { return csv(text); }
  std::string refusal(const Result<Imported>& result) {
    return result ? "it was accepted" : result.error().message;
  }

  std::vector<Import::LeftOut> left_out_;
};

TEST(CsvTest, QuotesCommasAndLineBreaksBelongToTheCell) {
  auto csv = CsvReader::open("a,b\r\n\"x, \"\"y\"\"\nz\",2\r\n\r\n3,4");
  ASSERT_TRUE(csv) << csv.error().message;
  ASSERT_TRUE(csv->next().value());
  EXPECT_EQ(csv->field("a"), "x, \"y\"\nz");
  ASSERT_TRUE(csv->next().value());
  EXPECT_EQ(csv->field("b"), "4");
  EXPECT_EQ(csv->line(), 5U);
  EXPECT_FALSE(csv->next().value());
}

TEST(CsvTest, LinesEndAsOnAnySystemAndRowsOfNothingAreNone) {
  for (const char* text : {"a,b\n1,2\n,\n", "a,b\r\n1,2\r\n,\r\n", "a,b\r1,2\r,\r"}) {
    auto csv = CsvReader::open(text);
    ASSERT_TRUE(csv) << csv.error().message;
    ASSERT_TRUE(csv->next().value());
    EXPECT_EQ(csv->field("b"), "2");
    EXPECT_FALSE(csv->next().value());
  }
}

// What opening a file, or reading its rows, says of it.
std::string said(std::string_view text) {
  const auto good = readable(text);
  if (!good) return good.error().message;
  auto csv = CsvReader::open(*good);
  if (!csv) return csv.error().message;
  while (true) {
    const auto row = csv->next();
    if (!row) return row.error().message;
    if (!*row) return "";
  }
}

TEST(CsvTest, FilesAsPeopleHaveThemNameTheLineAndWhatToDo) {
  using namespace std::string_view_literals;
  EXPECT_EQ(said("\xEF\xBB\xBF"
                 "a,b\n1,2\n"),
            "")
      << "a byte order mark";
  const std::pair<std::string_view, const char*> files[] = {
      {"customer,name\nc-ok,O\nc-lat,J\xFCrgen\n", "line 3: a letter that is not UTF-8"},
      {"\xFF\xFE"
       "c\0u\0"sv,
       "line 1: this is UTF-16"},
      {"c\0u\0"sv, "line 1: a zero byte"},
      {"customer;name\nc-1;One\n", "line 1: the columns are separated by semicolons"},
      {"customer\tname\nc-1\tOne\n", "line 1: the columns are separated by tabs"},
      {"customer,name,name\n", "line 1: the column \"name\" is there twice"},
  };
  for (const auto& [text, words] : files) {
    EXPECT_EQ(said(text).substr(0, std::string_view(words).size()), words);
    EXPECT_NE(said(text).find(words[5] == '1' ? ": " : "save the file"), std::string::npos);
  }
}

TEST(CsvTest, BrokenFilesNameTheLine) {
  EXPECT_EQ(said("a,b\n1\n"), "line 2: 1 cells where the header has 2");
  EXPECT_EQ(said("a\n\"x\n"), "line 2: a quote is not closed");
  EXPECT_EQ(said("a\n\"x\"y\n"), "line 2: a quote in the middle of a cell");
  EXPECT_EQ(said(""), "the file is empty");
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
            "line 2: points: a whole number was expected");
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

TEST_F(ImportTest, AnEmptyCellClearsAndAColumnThatIsNotThereDoesNot) {
  ASSERT_TRUE(csv("customer,tier,segments,preference.drink\nc-paul,gold,a;b,tea\n"));
  ASSERT_TRUE(csv("customer,name,tier,points,segments\nc-paul,Paul Moreau,,0,\n"));
  json profile = crm_->profile("c-paul").value();
  EXPECT_FALSE(profile.contains("tier"));
  EXPECT_FALSE(profile.contains("segments"));
  EXPECT_EQ(profile.at("points"), 0);
  EXPECT_EQ(profile.at("preferences").at(0).at("value"), "tea");
  ASSERT_TRUE(csv("customer,preference.drink\nc-paul,\n"));
  profile = crm_->profile("c-paul").value();
  EXPECT_TRUE(profile.at("preferences").empty());
}

TEST_F(ImportTest, AnIdWithABlankAtItsEndIsNoTwin) {
  const std::string before = crm_->profile("c-paul")->dump();
  EXPECT_EQ(refusal(csv("customer,name\nc-paul ,Paul Copy\n")),
            "line 2: the customer \"c-paul \" begins or ends with a blank: take it out");
  EXPECT_FALSE(
      csv("customer,name\n\xC2\xA0"
          "c-paul,Paul Copy\n"));
  EXPECT_FALSE(csv("customer,name,app_id\nc-new,New,a-paul \n"));
  EXPECT_EQ(crm_->profile("c-paul")->dump(), before);
}

TEST_F(ImportTest, TwiceInOneFileIsAMistake) {
  EXPECT_EQ(refusal(csv("customer,name\nc-a,A\nc-b,B\nc-a,C\n")),
            "line 4: the customer \"c-a\" is in line 2 already: take one out");
  EXPECT_EQ(refusal(csv("customer,name,app_id\nc-a,A,a-1\nc-b,B,a-1\n")),
            "line 3: this app_id is that of \"c-a\" too");
  const json identity = {{"identity", "i"},
                         {"customer", "c-paul"},
                         {"kind", "eddystone_uid"},
                         {"namespace", "00112233445566778899"},
                         {"instance", "001122334455"}};
  EXPECT_EQ(refusal(file(json{{"identities", {identity, identity}}}.dump())),
            "identities[1]: \"i\" is identities[0] already: take one out");
  EXPECT_FALSE(crm_->profile("c-a"));
}

TEST_F(ImportTest, BracketsWithoutEndAreAnErrorWithItsLine) {
  EXPECT_EQ(refusal(file("{\"campaigns\":\n" + std::string(200'000, '[') +
                         std::string(200'000, ']') + "}")),
            "line 2: brackets are nested deeper than 32 levels");
  EXPECT_EQ(refusal(file("{\"policy\":\n{,}}")),
            "line 2: this is not JSON (or its end is missing)");
}

TEST_F(ImportTest, WhoWasErasedIsLeftOutAndNamedAndTheRestIsTaken) {
  add("c-bruno", "a-bruno");
  ASSERT_TRUE(crm_->forget("c-bruno", now_));
  const auto done =
      csv("customer,name,points\nc-paul,Paul Moreau,1300\nc-bruno,Bruno,470\n"
          "c-new,New Person,0\n");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->at("customers"), 2);
  ASSERT_EQ(left_out_.size(), 1U);
  EXPECT_EQ(left_out_[0].customer, "c-bruno");
  EXPECT_EQ(left_out_[0].place, "line 3");
  EXPECT_EQ(crm_->profile("c-paul")->at("points"), 1300);
  EXPECT_FALSE(crm_->profile("c-bruno"));

  ASSERT_TRUE(
      csv("customer,purpose,state\nc-bruno,visit_analytics,given\n"
          "c-new,visit_analytics,given\n"));
  ASSERT_EQ(left_out_.size(), 1U);
  EXPECT_TRUE(crm_->given("c-new", now_).has(Purpose::visit_analytics));
}

TEST_F(ImportTest, AGrantWithoutATimeBringsNobodyBackAndIsNamed) {
  consent("c-paul", Purpose::visit_analytics, false, kMay);
  now_ += std::chrono::hours(24);
  ASSERT_TRUE(csv("customer,purpose,state\nc-paul,visit_analytics,given\n"));
  EXPECT_FALSE(crm_->given("c-paul", now_).has(Purpose::visit_analytics));
  ASSERT_EQ(left_out_.size(), 1U);
  EXPECT_EQ(left_out_[0].customer, "c-paul");
  ASSERT_TRUE(
      csv("customer,purpose,state,at\nc-paul,visit_analytics,given,2026-05-05T00:00:00Z\n"));
  EXPECT_TRUE(crm_->given("c-paul", now_).has(Purpose::visit_analytics)) << "a later yes counts";
}

TEST_F(ImportTest, WhatComesInOneFileCountsInTheOrderInWhichItWasSaid) {
  add("c-new", "a-new");
  ASSERT_TRUE(
      csv("customer,purpose,state,at\n"
          "c-new,visit_analytics,given,2026-03-01T00:00:00Z\n"
          "c-new,visit_analytics,withdrawn,2026-02-01T00:00:00Z\n"
          "c-new,visit_analytics,given,2026-01-01T00:00:00Z\n"));
  EXPECT_TRUE(crm_->given("c-new", now_).has(Purpose::visit_analytics));
  EXPECT_EQ(crm_->consents("c-new").at(0).at("history").size(), 3U);
}

// ---- identities that cannot be

std::string irk_file(const std::string& id, const std::string& customer, const std::string& key) {
  return json{
      {"identities", {{{"identity", id}, {"customer", customer}, {"kind", "irk"}, {"irk", key}}}}}
      .dump();
}

TEST_F(ImportTest, AKeyThatIsNoneIsRefused) {
  ASSERT_TRUE(csv("customer,name\nc-mia,Mia\n"));
  EXPECT_NE(refusal(file(irk_file("i-1", "c-mia", std::string(32, '0')))).find("zeros"),
            std::string::npos);
  EXPECT_NE(
      refusal(file(irk_file("i-1", "c-mia", "ec0234a357c8ad05341010a60a397d9b"))).find("published"),
      std::string::npos);
  EXPECT_TRUE(file(irk_file("i-1", "c-mia", "c2a94d1087e35f6b0b7d9e4421a6f83c")));
}

TEST_F(ImportTest, ADeviceIsOneCustomers) {
  ASSERT_TRUE(csv("customer,name\nc-mia,Mia\nc-ben,Ben\n"));
  const std::string key = "c2a94d1087e35f6b0b7d9e4421a6f83c";
  ASSERT_TRUE(file(irk_file("i-mia", "c-mia", key)));
  ASSERT_TRUE(file(irk_file("i-mia", "c-mia", key))) << "again";
  const std::string why = refusal(file(irk_file("i-ben", "c-ben", key)));
  EXPECT_NE(why.find("i-mia"), std::string::npos) << why;
  // Also when another process asks, and when it was written the other way round.
  crm_ = std::make_unique<Crm>(*db_);
  EXPECT_FALSE(file(irk_file("i-ben", "c-ben", "3cf8a621449e7d0b6b5fe387104da9c2")));
  // Or twice in one file.
  json both = json::parse(irk_file("i-1", "c-mia", "5b1e0f7a9c3d48264e80b1d2f3657a91"));
  both["identities"].push_back(
      json::parse(irk_file("i-2", "c-ben", "5b1e0f7a9c3d48264e80b1d2f3657a91"))["identities"][0]);
  EXPECT_NE(refusal(file(both.dump())).find("c-mia"), std::string::npos);
  // The identity itself may change hands, and then the device is the other's.
  ASSERT_TRUE(file(irk_file("i-mia", "c-ben", key)));
  EXPECT_FALSE(file(irk_file("i-mia2", "c-mia", key)));
  // One customer may have it twice; it is theirs until the last of the two goes.
  const std::string twice = "3b0f19e4d7625c8aa1f07e3392d84b6c";
  ASSERT_TRUE(file(irk_file("i-a", "c-mia", twice)));
  ASSERT_TRUE(file(irk_file("i-b", "c-mia", twice)));
  ASSERT_TRUE(file(irk_file("i-b", "c-mia", "90c4a76e1d2f58b3376be0f4128a5d9f")));
  EXPECT_FALSE(file(irk_file("i-c", "c-ben", twice)));
  ASSERT_TRUE(file(irk_file("i-a", "c-mia", "71e8d3054b9cf26a0d5e84c7b3196fa2")));
  EXPECT_TRUE(file(irk_file("i-c", "c-ben", twice)));
}

}  // namespace
}  // namespace welcome::crm
