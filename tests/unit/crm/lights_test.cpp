// SPDX-License-Identifier: Apache-2.0
#include "crm/lights.h"

#include <gtest/gtest.h>

#include "crm/boxes.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using contract::Lamp;
using contract::Light;

class LightsTest : public CrmTest {
 protected:
  LightsTest() { see_box("aroma-1", "box-1"); }
  void says(Lamp radio, WallTime when, const std::string& what = "as it is") {
    Transaction transaction(*db_);
    Lights(*crm_).take("aroma-1", "box-1",
                       {{Light::clock, Lamp::green, "ntp"}, {Light::radio, radio, what}}, when);
    transaction.commit();
  }
  BoxLight radio() {
    const BoxLights box = Lights(*crm_).fleet().at(0);
    for (const BoxLight& light : box.lights) {
      if (light.light == "radio") return light;
    }
    return {};
  }
};

TEST_F(LightsTest, AreWhatTheBoxSaidLastAndSinceWhen) {
  EXPECT_TRUE(Lights(*crm_).fleet().at(0).lights.empty());
  says(Lamp::red, kJanuary, "there is no adapter hci0");
  says(Lamp::red, kMay, "reset");
  EXPECT_EQ(radio().lamp, "red");
  EXPECT_EQ(radio().what, "reset");
  EXPECT_EQ(radio().since, contract::to_rfc3339(kJanuary));
  says(Lamp::green, kMay);
  EXPECT_EQ(radio().since, contract::to_rfc3339(kMay));
  Lights(*crm_).take("aroma-1", "box-1", {}, kMay);
  EXPECT_EQ(radio().lamp, "green") << "a box that has just begun has not looked yet";
}

TEST_F(LightsTest, ABoxThatWasAskedAnswersThatQuestionAlone) {
  Transaction transaction(*db_);
  EXPECT_EQ(Lights(*crm_).ask("aroma-1", "box-9", now_).error().code, ErrorCode::not_found);
  const auto first = Lights(*crm_).ask("aroma-1", "box-1", now_);
  const auto question = Lights(*crm_).ask("aroma-1", "box-1", now_);
  ASSERT_TRUE(question);
  const auto answers = [&](const std::string& to, const std::string& result, bool ok = true) {
    Lights(*crm_).answered("aroma-1", "box-1", {MessageId(to), "box-1", ok, "", result, now_});
  };
  answers("nobody-asked", "{\"a\":1}");
  answers(*first, "{\"a\":2}");
  answers(*question, "{\"a\":3}", false);
  EXPECT_FALSE(Lights(*crm_).answer_to(*question));
  answers(*question, "{\"a\":4}");
  answers(*question, "{\"a\":5}");
  EXPECT_EQ(Lights(*crm_).answer_to(*question), "{\"a\":4}");
  transaction.commit();
}

TEST_F(LightsTest, GoWithTheBox) {
  says(Lamp::red, kMay);
  ASSERT_TRUE(Lights(*crm_).ask("aroma-1", "box-1", now_));
  Transaction transaction(*db_);
  ASSERT_TRUE(Boxes(*crm_).revoke("aroma-1", "box-1", now_));
  transaction.commit();
  EXPECT_TRUE(db_->query("SELECT 1 FROM box_light").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM diagnosis").empty());
}

}  // namespace
}  // namespace welcome::crm
