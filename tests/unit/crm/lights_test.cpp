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
    Lights(*db_).take("aroma-1", "box-1",
                      {{Light::clock, Lamp::green, "ntp"}, {Light::radio, radio, what}}, when);
    transaction.commit();
  }
  BoxLight radio() {
    const BoxLights box = Lights(*db_).fleet().at(0);
    for (const BoxLight& light : box.lights) {
      if (light.light == "radio") return light;
    }
    return {};
  }
};

TEST_F(LightsTest, AreWhatTheBoxSaidLastAndSinceWhen) {
  EXPECT_TRUE(Lights(*db_).fleet().at(0).lights.empty());
  says(Lamp::red, kJanuary, "there is no adapter hci0");
  says(Lamp::red, kMay, "reset");
  EXPECT_EQ(radio().lamp, "red");
  EXPECT_EQ(radio().what, "reset");
  EXPECT_EQ(radio().since, contract::to_rfc3339(kJanuary));
  says(Lamp::green, kMay);
  EXPECT_EQ(radio().since, contract::to_rfc3339(kMay));
  Lights(*db_).take("aroma-1", "box-1", {}, kMay);
  EXPECT_EQ(radio().lamp, "green") << "a box that has just begun has not looked yet";
}

TEST_F(LightsTest, GoWithTheBox) {
  says(Lamp::red, kMay);
  Transaction transaction(*db_);
  ASSERT_TRUE(Boxes(*crm_).revoke("aroma-1", "box-1", now_));
  transaction.commit();
  EXPECT_TRUE(db_->query("SELECT 1 FROM box_light").empty());
}

}  // namespace
}  // namespace welcome::crm
