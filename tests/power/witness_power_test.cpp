// SPDX-License-Identifier: Apache-2.0
// What a box has told the CRM of its audit log is there after a pulled plug: otherwise the CRM
// would take a box that lost its power for one that was set back (attack H10).

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "contract/message.h"
#include "harness/bench_box.h"
#include "tests/power/power_vfs.h"

namespace welcome::test {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

// A box in the middle of its first snapshot, whose commits wait for no sync of the disk.
class Newcomer {
 public:
  Newcomer() : vfs_("witness-power"), box_(kStart, {vfs_.name(), {}}) {
    box_.crm_answers = false;
    box_.link_up(LinkName::uplink);
    ask("q-1");
    json part = BenchBox::shop_consents();
    part["part"] = 1;
    part["parts"] = 2;
    box_.inbound(LinkName::uplink, feed_topic(bench_address, contract::Collection::consents),
                 part.dump());
  }
  // The entry that the box says is its newest.
  std::int64_t ask(const std::string& question) {
    contract::Taken taken;
    taken.audit = {question, 0};
    const auto message = encode_taken(bench_address, taken);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
    box_.advance(1100ms);
    return box_.sent("/hello").back().at("audit").at("seq").get<std::int64_t>();
  }
  std::int64_t newest() { return box_.store().audit().head().value().seq; }
  void lose_power(std::uint64_t seed) {
    vfs_.cut_at(vfs_.operations() + 1);
    box_.power_off();
    vfs_.restore(seed);
    box_.power_on();
  }

 private:
  PowerVfs vfs_;
  BenchBox box_;
};

TEST(WitnessPower, WhatWasToldIsThereAfterThePlugIsPulled) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Newcomer box;
    const std::int64_t told = box.ask("q-2");
    ASSERT_GT(told, 1) << "the snapshot brought entries";
    box.lose_power(seed);
    EXPECT_GE(box.newest(), told);
  }
}

// The test above would prove nothing if the disk had it anyway.
TEST(WitnessPower, WhatWasNotToldMayBeGone) {
  bool gone = false;
  for (std::uint64_t seed = 1; seed <= 20 && !gone; ++seed) {
    Newcomer box;
    const std::int64_t before = box.newest();
    box.lose_power(seed);
    gone = box.newest() < before;
  }
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace welcome::test
