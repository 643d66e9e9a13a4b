// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/protocol.h"

#include <gtest/gtest.h>

#include "core/hex.h"

namespace welcome::control {
namespace {

TEST(ControlProtocol, RequestSurvivesTheWire) {
  const auto parsed = parse_request(encode({"why", {{"id", "d-1"}}}));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->command, "why");
  EXPECT_EQ(parsed->args["id"], "d-1");
}

TEST(ControlProtocol, AnArgumentThatIsNoTextCountsAsMissing) {
  const auto parsed = parse_request(R"({"v":1,"command":"why","args":{"id":7,"clip":"a.mp4"}})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->text("id"), "");
  EXPECT_EQ(parsed->text("clip"), "a.mp4");
  EXPECT_EQ(parsed->text("nothing"), "");
}

TEST(ControlProtocol, AnswersAreToldApart) {
  EXPECT_EQ(parse_reply(encode_progress("2 of 3"))->kind, Reply::Kind::progress);
  EXPECT_EQ(parse_reply(encode_part({{"x", 2}}))->kind, Reply::Kind::part);
  EXPECT_EQ(parse_reply(encode_part({{"x", 2}}))->data["x"], 2);
  EXPECT_EQ(parse_reply(encode_data({{"x", 1}}))->data["x"], 1);
  const auto error = parse_reply(encode_error("no such visit"));
  EXPECT_EQ(error->kind, Reply::Kind::error);
  EXPECT_EQ(error->text, "no such visit");
}

TEST(ControlProtocol, RefusesWhatIsNoRequest) {
  for (const char* bad : {"", "nonsense", "[]", "{}", R"({"v":2,"command":"status"})",
                          R"({"v":1,"command":7})", R"({"v":1,"command":"x","args":[]})"}) {
    const auto parsed = parse_request(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, ErrorCode::malformed);
  }
  EXPECT_FALSE(parse_request(std::string(kMaxRequestBytes + 1, ' ')));
  // Copied, such a value would end the stack.
  const std::string deep = R"({"v":1,"command":"x","args":{"a":)" + std::string(200'000, '[') +
                           std::string(200'000, ']') + "}}";
  EXPECT_FALSE(parse_request(deep));
}

TEST(ControlProtocol, BytesSurviveAsDigits) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(from_hex(to_hex(all)), all);
  EXPECT_EQ(from_hex(""), "");
  for (const char* bad : {"0", "0g", "AB", "  "}) EXPECT_FALSE(from_hex(bad)) << bad;
}

TEST(ControlProtocol, BrokenUtf8InAnAnswerIsReplacedNotThrown) {
  EXPECT_NO_THROW(encode_error("bad \xff byte"));
}

}  // namespace
}  // namespace welcome::control
