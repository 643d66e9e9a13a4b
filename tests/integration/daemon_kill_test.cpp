// SPDX-License-Identifier: Apache-2.0
// welcomed, killed again and again in the middle of a busy day: what it did and what the CRM was
// told are the same, each thing once.

#include <random>

#include "tests/integration/daemon_world.h"

namespace welcome::testing {
namespace {

using namespace std::chrono_literals;

TEST(DaemonKillTest, TwoHundredKillsLoseNothingAndRepeatNothing) {
  if (!Shop::possible()) GTEST_SKIP() << "mosquitto or the face models are missing";
  constexpr int kKills = 200;
  Shop shop(6h, 30);
  shop.crm().serve();
  DaemonProcess& box = shop.daemon();
  std::mt19937 random(4);  // the same moments in every run, as far as the machine allows
  std::uniform_int_distribution<int> life_ms(0, 1000);
  for (int kill = 0; kill < kKills; ++kill) {
    box.start();
    // Every tenth does not even get up.
    if (kill % 10 != 0) {
      ASSERT_TRUE(box.wait_ready()) << "after " << kill << " kills";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(life_ms(random)));
    ASSERT_TRUE(box.running()) << "it ended by itself after " << kill << " kills";
    box.stop(SIGKILL);
  }
  shop.compare_with_ledger();
}

}  // namespace
}  // namespace welcome::testing
