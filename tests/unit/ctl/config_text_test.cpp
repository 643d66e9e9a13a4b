// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/config_text.h"

#include <gtest/gtest.h>

namespace welcome::ctl {
namespace {

const KeyName kSource{"radio", "source"};
const KeyName kDeskFps{"camera.desk", "fps"};

TEST(ConfigText, AKeyIsASectionAndAWord) {
  EXPECT_EQ(key_name("camera.desk.fps")->section, "camera.desk");
  EXPECT_EQ(key_name("camera.desk.fps")->key, "fps");
  for (const char* no : {"", "radio", ".source", "radio.", "radio.so urce", "a]\n[b.c", "a.b=c"}) {
    EXPECT_FALSE(key_name(no)) << no;
  }
}

TEST(ConfigText, AValueIsPutWhereItBelongsAndNothingElseChanges) {
  const std::string text =
      "# Ours.\n[radio]\nsource=none   # for now\nbaud = 9\n\n[zones]\ndesk_m = 2\n";
  EXPECT_EQ(with_value(text, kSource, "hci"),
            "# Ours.\n[radio]\nsource= hci  # for now\nbaud = 9\n\n[zones]\ndesk_m = 2\n");
  EXPECT_EQ(with_value(text, {"radio", "device"}, "hci1"),
            "# Ours.\n[radio]\nsource=none   # for now\nbaud = 9\ndevice = hci1\n\n[zones]\n"
            "desk_m = 2\n");
  EXPECT_EQ(with_value(text, kDeskFps, "5"), text + "\n[camera.desk]\nfps = 5\n");
  EXPECT_EQ(with_value("", kDeskFps, "5"), "[camera.desk]\nfps = 5\n");
  EXPECT_EQ(with_value("[radio]", kSource, "hci"), "[radio]\nsource = hci\n") << "no last newline";
  EXPECT_EQ(with_value("radio.source = none\n[zones]\n", kSource, "hci"),
            "radio.source = hci\n[zones]\n");
  EXPECT_EQ(with_value("[zones]\nradio.source = 1\n", kSource, "hci"),
            "[zones]\nradio.source = 1\n\n[radio]\nsource = hci\n")
      << "there it is a key of [zones]";
  EXPECT_EQ(with_value("#source = x\n[radio]\n#source = y\n", kSource, "hci"),
            "#source = x\n[radio]\n#source = y\nsource = hci\n");
}

TEST(ConfigText, AKeyIsTakenOutAndItsSectionWithTheLast) {
  EXPECT_EQ(without_value("[radio]\nsource = hci\nbaud = 9\n", kSource), "[radio]\nbaud = 9\n");
  EXPECT_EQ(without_value("# Ours.\n\n[radio]\nsource = hci\n", kSource), "# Ours.\n");
  EXPECT_EQ(without_value("[radio]\n# why\nsource = hci\n", kSource), "[radio]\n# why\n");
  EXPECT_EQ(without_value("[radio]\n#source = hci\n", kSource), std::nullopt);
  EXPECT_EQ(without_value("[zones]\nsource = hci\n", kSource), std::nullopt);
}

TEST(ConfigText, AValueThatAFileWouldReadOtherwiseIsNone) {
  for (const char* yes : {"", "hci", "box#1", "a b"}) EXPECT_TRUE(can_be_said(yes)) << yes;
  for (const char* no : {"a\nb", "a #b", "# a", " a", "a\t", "a\r"}) {
    EXPECT_FALSE(can_be_said(no)) << no;
  }
}

}  // namespace
}  // namespace welcome::ctl
