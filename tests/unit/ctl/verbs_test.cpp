// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "firmware/control/commands.h"
#include "firmware/ctl/command_line.h"

namespace welcome::ctl {
namespace {

using testing::HasSubstr;

Typed typed(std::vector<std::string> words) {
  words.insert(words.begin(), "/usr/bin/welcomectl");
  return read_words(words);
}

TEST(Verbs, EveryCommandOfTheSocketIsOneOrBelongsToOne) {
  std::set<std::string_view> words;
  for (const Verb& verb : verbs()) EXPECT_TRUE(words.insert(verb.words).second) << verb.words;
  const std::set<std::string_view> of_the_walk_test{"radio sample", "radio thresholds"};
  for (const auto& command : control::commands()) {
    EXPECT_TRUE(words.contains(command.name) != of_the_walk_test.contains(command.name))
        << command.name;
  }
}

TEST(Verbs, EveryOptionBelongsToAVerbAndHasAHelp) {
  std::set<std::string_view> used;
  for (const Verb& verb : verbs()) used.insert(verb.options.begin(), verb.options.end());
  std::set<std::string_view> known;
  for (const Option& option : special_options()) {
    known.insert(option.name);
    EXPECT_FALSE(option.what.empty()) << option.name;
  }
  EXPECT_EQ(used, known);
}

TEST(Verbs, AreDescribedForTheManualWithTheirOptions) {
  std::ostringstream out;
  describe(out);
  const auto said = nlohmann::json::parse(out.str());
  ASSERT_EQ(said["commands"].size(), verbs().size());
  EXPECT_EQ(said["options"].size(), common_options().size());
  for (std::size_t i = 0; i < verbs().size(); ++i) {
    EXPECT_EQ(said["commands"][i]["name"], verbs()[i].words);
    EXPECT_EQ(said["commands"][i]["options"].size(), verbs()[i].options.size());
  }
}

TEST(CommandLine, IsTakenApart) {
  const auto one = typed({"-s", "/run/x.sock", "why", "d-1", "--json"});
  ASSERT_EQ(one.wrong, "");
  EXPECT_EQ(one.verb->words, "why");
  EXPECT_EQ(one.call.operand, "d-1");
  EXPECT_EQ(one.call.text("socket"), "/run/x.sock");
  EXPECT_TRUE(one.call.has("json"));
  const auto two = typed({"radio", "record", "--for=10m", "--max-mb", "5", "-"});
  ASSERT_EQ(two.wrong, "");
  EXPECT_EQ(two.verb->words, "radio record");
  EXPECT_EQ(two.call.operand, "-");
  EXPECT_EQ(two.call.text("for"), "10m");
  EXPECT_EQ(two.call.text("max-mb"), "5");
  EXPECT_EQ(two.call.text("customer", "nobody"), "nobody");
}

TEST(CommandLine, AnOperandMayBeLeftOutBeRepeatedOrBeANumber) {
  EXPECT_EQ(typed({"config", "get"}).wrong, "");
  EXPECT_EQ(typed({"config", "get", "box.id"}).call.operand, "box.id");
  EXPECT_EQ(typed({"config", "get", "a", "b"}).wrong, "config get takes one operand: [KEY]");
  const auto set = typed({"config", "set", "a.b", "-59", "c.d", "1", "--apply"});
  ASSERT_EQ(set.wrong, "");
  EXPECT_EQ(set.call.operands, (std::vector<std::string>{"a.b", "-59", "c.d", "1"}));
  EXPECT_EQ(typed({"config", "set", "a.b"}).wrong, "config set takes KEY VALUE…");
}

TEST(CommandLine, WhatIsWrongIsSaidWithWhatWasMeant) {
  EXPECT_THAT(typed({"staus"}).wrong, HasSubstr("unknown verb 'staus'; did you mean 'status'?"));
  EXPECT_THAT(typed({"raido", "watch"}).wrong, HasSubstr("did you mean 'radio watch'?"));
  for (const char* word : {"radio", "raido"}) {
    EXPECT_THAT(typed({word}).wrong, HasSubstr("there is radio watch, radio record")) << word;
  }
  EXPECT_THAT(typed({"statsu", "now"}).wrong, HasSubstr("did you mean 'status'?"));
  EXPECT_THAT(typed({"status", "--jsn"}).wrong, HasSubstr("did you mean '--json'?"));
  EXPECT_EQ(typed({"status", "now"}).wrong, "status takes no operand");
  EXPECT_EQ(typed({"why"}).wrong, "why takes one operand: ID");
  EXPECT_EQ(typed({"status", "--clip", "x"}).wrong, "--clip is not for status");
  EXPECT_EQ(typed({"--socket"}).wrong, "--socket needs PATH");
  EXPECT_EQ(typed({"--json=yes", "status"}).wrong, "--json takes no value");
  EXPECT_EQ(typed({}).wrong, "no verb");
}

TEST(CommandLine, HelpAndVersionNeedNoVerb) {
  EXPECT_EQ(typed({"--version"}).wrong, "");
  EXPECT_EQ(typed({"-h"}).wrong, "");
  EXPECT_EQ(typed({"help"}).wrong, "");
  for (const auto& words :
       {std::vector<std::string>{"help", "radio", "record"}, {"radio", "record", "--help"}}) {
    const auto asked = typed(words);
    ASSERT_EQ(asked.wrong, "");
    std::ostringstream help;
    print_help(*asked.verb, help);
    for (const char* part : {"radio record FILE", "--max-mb N", "--with-strangers", "--socket"}) {
      EXPECT_THAT(help.str(), HasSubstr(part));
    }
    EXPECT_THAT(help.str(), testing::Not(HasSubstr("--clip")));
  }
}

TEST(Help, NamesEveryVerbAndFitsTheScreen) {
  std::ostringstream help;
  print_help(help);
  for (const Verb& verb : verbs()) EXPECT_THAT(help.str(), HasSubstr(std::string(verb.words)));
  EXPECT_THAT(help.str(), HasSubstr("3 welcomed is away"));
  std::istringstream in(help.str());
  for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), 80U) << line;
}

}  // namespace
}  // namespace welcome::ctl
