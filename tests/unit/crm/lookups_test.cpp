// SPDX-License-Identifier: Apache-2.0
// A desk learns whether there is such a member, and by which name; not who the members are.

#include "crm/lookups.h"

#include <gtest/gtest.h>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using Answer = contract::Found::Answer;

class LookupsTest : public CrmTest {
 protected:
  contract::Found ask(const std::string& customer, const std::string& box = "box-1") {
    return lookups_.answer({"aroma-1", box}, {MessageId("q-1"), CustomerId(customer), now_}, mono_);
  }
  Lookups lookups_{*crm_};
  Lookups::Steady mono_{};
};

TEST_F(LookupsTest, WhoIsAMemberIsKnownByNameWhateverTheyAgreedTo) {
  crm_->set_page_address("https://my.example/");
  const auto found = ask("c-paul");
  EXPECT_EQ(found.id, MessageId("q-1"));
  EXPECT_EQ(found.answer, Answer::known);
  EXPECT_EQ(found.name, crm_->profile("c-paul")->at("name"));
  EXPECT_EQ(found.page, "https://my.example/");
}

TEST_F(LookupsTest, WhoDoesNotExistOrWasErasedIsUnknown) {
  EXPECT_EQ(ask("c-nobody").answer, Answer::unknown);
  EXPECT_EQ(ask("c-nobody").name, "");
  ASSERT_TRUE(crm_->forget("c-paul", now_));
  EXPECT_EQ(ask("c-paul").answer, Answer::unknown);
}

TEST_F(LookupsTest, ABoxThatAsksForEverybodyIsNotAnsweredForLong) {
  for (std::size_t i = 0; i < Lookups::kAnHour; ++i) {
    EXPECT_EQ(ask("c-paul").answer, Answer::known);
    mono_ += 1s;
  }
  EXPECT_EQ(ask("c-paul").answer, Answer::too_often);
  EXPECT_EQ(ask("c-paul").name, "");
  EXPECT_EQ(ask("c-paul", "box-2").answer, Answer::known) << "another box has an hour of its own";
  mono_ += 1h;
  EXPECT_EQ(ask("c-paul").answer, Answer::known);
}

}  // namespace
}  // namespace welcome::crm
