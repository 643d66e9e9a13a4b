// SPDX-License-Identifier: Apache-2.0
// What stands in a name must not do anything to the terminal that shows it.

#include "firmware/ctl/print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "firmware/ctl/status_text.h"

namespace welcome::ctl {
namespace {

using nlohmann::json;

// The title of the window, a line that is written over, C1, and a line that runs backwards.
const std::string kNasty =
    "\x1b]0;owned\x07"
    "Eva\x1b[2J\r\x1b[31mroot\xC2\x9B"
    "31m\xE2\x80\xAE";

bool tame(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n') || c == 0x7F) return false;
    if (c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
  }
  return text.find("\xE2\x80\xAE") == std::string::npos;
}

TEST(Print, NothingOfAnAnswerIsObeyedByATerminal) {
  for (const json& answer : {json(kNasty), json{{"actor", kNasty}}, json{{kNasty, 1}},
                             json::array({{{"actor", "staff:" + kNasty}, {"detail", kNasty}}}),
                             json::array({{{kNasty, 1}}}), json::array({kNasty}),
                             json{{"lines", {kNasty}}}, json{{"a", {{"b", {kNasty}}}}}}) {
    std::ostringstream out;
    print(out, answer);
    EXPECT_TRUE(tame(out.str())) << answer.dump();
    EXPECT_NE(out.str().find("owned"), std::string::npos) << "what is harmless stays";
  }
  EXPECT_TRUE(tame(for_terminal(status_text({{"box", {{"store", kNasty}, {"id", kNasty}}}}))));
  EXPECT_EQ(for_terminal("a\nb ü\n"), "a\nb ü\n");
}

}  // namespace
}  // namespace welcome::ctl
