// SPDX-License-Identifier: Apache-2.0
// A box says that it is retired, and knows whether the CRM has taken it.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "contract/contract.h"
#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

const contract::BoxAddress kBox{"demo", "aroma-1", "box-1"};

class RetirementTest : public ::testing::Test {
 protected:
  RetirementTest() : box_(test::kStart) {}

  void crm_has_taken(const std::vector<std::string>& ids) {
    contract::Taken taken;
    for (const auto& id : ids) taken.ids.emplace_back(id);
    const auto message = encode_taken(kBox, taken);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }
  std::vector<json> said() {
    std::vector<json> out;
    for (json& event : box_.sent("/event")) {
      if (event.at("type") == "com.welcomed.box.retired.v1") out.push_back(std::move(event));
    }
    return out;
  }
  bool confirmed() { return box_.engine().retirement()->confirmed; }

  test::BenchBox box_;
};

TEST_F(RetirementTest, IsSignedForThisBoxAndConfirmedByTheCrmAlone) {
  EXPECT_FALSE(box_.engine().retirement());
  const auto state = box_.engine().retire(box_.now());
  ASSERT_TRUE(state);
  const auto key = contract::public_key_from_text(box_.engine().public_key());
  EXPECT_TRUE(contract::check_retired(kBox, state->proof, *key));
  EXPECT_FALSE(contract::check_retired({"demo", "aroma-1", "box-2"}, state->proof, *key));
  EXPECT_TRUE(said().empty()) << "the line is away";
  box_.link_up(LinkName::uplink);
  crm_has_taken({});
  box_.advance(50ms);
  ASSERT_EQ(said().size(), 1U);
  EXPECT_EQ(said()[0].at("data").dump(), state->proof);
  EXPECT_FALSE(confirmed()) << "the broker has it, and that is not enough";
  crm_has_taken({"another"});
  EXPECT_FALSE(confirmed());
  crm_has_taken({said()[0].at("id")});
  EXPECT_TRUE(confirmed());
}

TEST_F(RetirementTest, SaidAgainItIsTheSameWord) {
  const auto first = box_.engine().retire(box_.now());
  box_.advance(10min);
  const auto again = box_.engine().retire(box_.now());
  ASSERT_TRUE(first && again);
  EXPECT_EQ(again->proof, first->proof);
  box_.link_up(LinkName::uplink);
  crm_has_taken({});
  box_.advance(50ms);
  EXPECT_EQ(said().size(), 1U);
}

TEST_F(RetirementTest, OutlivesARestart) {
  const auto first = box_.engine().retire(box_.now());
  ASSERT_TRUE(first);
  box_.power_cycle();
  ASSERT_TRUE(box_.engine().retirement());
  EXPECT_EQ(box_.engine().retirement()->proof, first->proof);
  box_.link_up(LinkName::uplink);
  crm_has_taken({});
  box_.advance(50ms);
  ASSERT_EQ(said().size(), 1U);
  crm_has_taken({said()[0].at("id")});
  EXPECT_TRUE(confirmed());
  box_.power_cycle();
  EXPECT_TRUE(confirmed());
}

}  // namespace
}  // namespace welcome
