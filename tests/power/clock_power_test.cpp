// SPDX-License-Identifier: Apache-2.0
// The plug is pulled while the clock jumps, at any change to the disk of the hours after it: what
// proves an erasure or a withdrawal is there when the box comes back with the same wrong clock, and
// so is what is kept for a time. By default a sample of the points; WELCOME_POWER_ALL=1 takes all.

#include <cstdlib>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "contract/message.h"
#include "harness/bench_box.h"
#include "tests/power/power_vfs.h"

namespace welcome::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kFourYears = 24h * 365 * 4;
const CustomerId kErased("c-paul");
const CustomerId kWithdrew("c-bruno");

// A box that holds proofs, until the plug is pulled so many changes to the disk after the jump.
class Shop {
 public:
  Shop() : vfs_("clock-power"), box_(kStart, {vfs_.name(), {}}) {
    box_.use_timekeeper();
    crm_speaks();
    box_.feed_shop();
    box_.erase("c-paul", "erase-1");
    box_.feed_step_of_consent("c-bruno", "visit_analytics", "withdrawn", ++changes_);
    box_.hear_mia_for(3s);
    const auto stored = box_.store().transaction([&](store::Tx& tx) {
      tx.people().add_template({TemplateId("t-1"), kWithdrew, "test-model", box_.now().wall,
                                std::vector<std::uint8_t>{1, 2, 3}, 0, std::nullopt});
    });
    if (!stored) throw std::runtime_error(stored.error().message);
    box_.advance(60s);
    audit_ = box_.store().audit().verify()->entries;
  }

  BenchBox& box() { return box_; }
  void crm_speaks() {
    box_.crm_says(box_.right_time());
    box_.links_up();
  }
  void pull_the_plug_after(std::int64_t changes) { vfs_.cut_at(vfs_.operations() + changes); }
  // Housekeeping comes by, and there is something to write; false: the plug was pulled meanwhile.
  bool live_for_hours() {
    for (int i = 0; i < 3 && !vfs_.is_cut(); ++i) {
      box_.skip(1h);
      if (!vfs_.is_cut()) box_.hear_mia_for(1s);
      if (!vfs_.is_cut()) box_.have_an_item_refused("somebody-" + std::to_string(++told_));
    }
    return !vfs_.is_cut();
  }
  // Another boot, in which the plug may be pulled as well.
  void boot() {
    try {
      box_.reboot();
    } catch (const std::runtime_error&) {
      if (!vfs_.is_cut()) throw;
    }
    if (!vfs_.is_cut()) box_.links_up();
  }
  void come_back(std::int64_t seed) {
    box_.power_off();
    vfs_.restore(static_cast<std::uint64_t>(seed));
    boot();
  }
  void expect_all_there() {
    const auto erased = box_.store().erasure().erased_at(kErased);
    EXPECT_TRUE(erased && *erased);
    const auto withdrawn = box_.store().people().withdrawn_at(kWithdrew, Purpose::visit_analytics);
    EXPECT_TRUE(withdrawn && *withdrawn);
    EXPECT_EQ(box_.store().people().templates()->size(), 1U);
    const auto trail = box_.store().audit().verify();
    EXPECT_TRUE(trail && trail->intact);
    EXPECT_GE(trail->entries, audit_);
    // Nor does what somebody has kept bring anybody back.
    box_.feed_consent(BenchBox::shop_consent("c-paul", "proximity_offers"), ++changes_);
    box_.feed_consent(BenchBox::shop_consent("c-bruno", "visit_analytics"), ++changes_);
    EXPECT_TRUE(*box_.store().erasure().erased_at(kErased));
  }

 private:
  PowerVfs vfs_;
  BenchBox box_;
  int changes_ = 0;
  int told_ = 0;
  std::int64_t audit_ = 0;
};

struct Jump {
  const char* name;
  void (*make)(Shop&);
};

class PlugAroundAJump : public testing::TestWithParam<Jump> {};

TEST_P(PlugAroundAJump, KeepsEveryProof) {
  const std::int64_t step = std::getenv("WELCOME_POWER_ALL") != nullptr ? 1 : 7;
  std::int64_t cut = 1;
  for (bool cut_off = true; cut_off && !HasFailure(); cut += step) {
    SCOPED_TRACE("plug pulled at change " + std::to_string(cut));
    Shop shop;
    shop.pull_the_plug_after(cut);
    GetParam().make(shop);
    cut_off = !shop.live_for_hours();
    if (!cut_off) break;
    shop.come_back(cut);
    shop.live_for_hours();
    shop.expect_all_there();
    // The time is known again.
    shop.box().set_machine(0s);
    shop.crm_speaks();
    shop.live_for_hours();
    shop.expect_all_there();
  }
  EXPECT_GT(cut, 20) << "the plug was never pulled";
}

INSTANTIATE_TEST_SUITE_P(
    Jumps, PlugAroundAJump,
    testing::Values(Jump{"ByHandIntoTheFuture", [](Shop& s) { s.box().set_machine(kFourYears); }},
                    Jump{"ByHandIntoThePast", [](Shop& s) { s.box().set_machine(-kFourYears); }},
                    Jump{"NtpIntoTheFuture", [](Shop& s) { s.box().ntp_says(kFourYears); }},
                    Jump{"NtpIntoThePast", [](Shop& s) { s.box().ntp_says(-kFourYears); }},
                    Jump{"UnknownThenBounded",
                         [](Shop& s) {
                           s.box().set_machine(kFourYears);
                           s.boot();
                           if (s.live_for_hours()) s.crm_speaks();
                         }}),
    [](const auto& jump) { return std::string(jump.param.name); });

}  // namespace
}  // namespace welcome::test
