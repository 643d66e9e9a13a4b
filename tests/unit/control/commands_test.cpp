// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/commands.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

namespace welcome::control {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Commands, EachStandsOnceAndIsFoundByItsName) {
  std::set<CommandId> ids;
  std::set<std::string_view> names;
  for (const Command& c : commands()) {
    EXPECT_TRUE(ids.insert(c.id).second) << c.name;
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
    EXPECT_EQ(find_command(c.name), &c);
    EXPECT_EQ(&command(c.id), &c);
    EXPECT_FALSE(c.what.empty()) << c.name;
  }
  // The last one is named here, so that an id without a row shows.
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(CommandId::reload) + 1);
  EXPECT_EQ(find_command("dance"), nullptr);
}

TEST(Commands, ARequestIsCheckedAgainstItsArguments) {
  const auto complaint = [](CommandId id, const json& arguments) {
    const auto fits = check_arguments(command(id), arguments);
    return fits ? "fits" : fits.error().message;
  };
  EXPECT_EQ(complaint(CommandId::why, {{"id", "d-1"}}), "fits");
  EXPECT_EQ(complaint(CommandId::radio_record, {{"with_strangers", true}}), "fits");
  EXPECT_THAT(complaint(CommandId::why, json::object()), HasSubstr("why needs id"));
  EXPECT_THAT(complaint(CommandId::why, {{"id", 7}}), HasSubstr("id is no text"));
  EXPECT_THAT(complaint(CommandId::radio_watch, {{"second", 7}}),
              HasSubstr("knows no second; did you mean 'seconds'?"));
  EXPECT_THAT(complaint(CommandId::status, {{"a", 1}}), HasSubstr("knows no a"));
}

TEST(Answers, AreHeldAgainstTheirFields) {
  constexpr Field kFields[] = {
      {"name", Type::text, ""},
      {"why", Type::text, "", Occurs::sometimes},
      {"last", Type::text, "", Occurs::or_null},
      {"by.*.n", Type::number, ""},
      {"rows", Type::list, ""},
      {"rows.[].on", Type::yes_no, ""},
      {"more", Type::object, "", Occurs::or_null},
      {"more.words", Type::texts, ""},
  };
  const json good{{"name", "a"},
                  {"last", nullptr},
                  {"by", {{"x", {{"n", 1}}}, {"y.z", {{"n", 2.5}}}}},
                  {"rows", {{{"on", true}}}},
                  {"more", {{"words", {"a"}}}}};
  EXPECT_THAT(misfits(kFields, good), IsEmpty());
  json bare = good;
  bare["more"] = nullptr;
  bare["by"] = json::object();
  bare["rows"] = json::array();
  bare["why"] = "because";
  EXPECT_THAT(misfits(kFields, bare), IsEmpty());
  json bad = good;
  bad.erase("name");
  bad["by"]["x"]["n"] = "one";
  bad["by"]["y.z"]["m"] = 1;
  bad["rows"].push_back({{"on", 1}});
  bad["more"]["words"] = {1};
  bad["extra"] = 1;
  EXPECT_THAT(misfits(kFields, bad),
              testing::UnorderedElementsAre(
                  "name: is missing", "by.x.n: is no number", "by.y.z.m: is not in the table",
                  "rows[1].on: is no yes or no", "more.words: is no list of text",
                  "extra: is not in the table"));
  constexpr Field kRows[] = {{"[].id", Type::text, ""}};
  EXPECT_THAT(misfits(kRows, {{{"id", "a"}}}), IsEmpty());
  EXPECT_THAT(misfits(kRows, {{{"id", 1}}}), ElementsAre("[0].id: is no text"));
  EXPECT_THAT(misfits(kRows, "no"), ElementsAre(": is neither object nor list"));
  EXPECT_THAT(misfits({}, json::object()), IsEmpty());
  EXPECT_THAT(misfits({}, {{"a", 1}}), ElementsAre("a: is not in the table"));
}

TEST(PublishedCommands, AreWhatTheTableSays) {
  std::ifstream in(WELCOME_SOURCE_DIR "/docs/control.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(page, HasSubstr(markdown_reference()))
      << "put the output of welcomectl --describe-commands into docs/control.md";
}

}  // namespace
}  // namespace welcome::control
