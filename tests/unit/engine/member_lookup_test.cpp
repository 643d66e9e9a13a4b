// SPDX-License-Identifier: Apache-2.0
// A desk learns whether there is such a member before anybody agrees to anything.

#include "firmware/engine/member_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

class MemberLookupTest : public testing::Test {
 protected:
  MemberLookupTest() : box_(test::kStart) {
    box_.links_up();
    box_.feed_shop();
    box_.feed_staff({"eva"});
    sign_in_ = box_.sign_in();
  }
  void look_up(const std::string& customer) {
    box_.tablet_says("enrol/s-1", {{"session", "s-1"},
                                   {"from", "tablet"},
                                   {"kind", "lookup"},
                                   {"sign_in", sign_in_},
                                   {"customer", customer}});
  }
  std::vector<json> asked() { return box_.sent("/lookup"); }
  void crm_answers(const std::string& id, const std::string& answer, const std::string& name = "",
                   const std::string& page = "") {
    using Answer = contract::Found::Answer;
    const contract::Found found{MessageId(id),
                                answer == "known"     ? Answer::known
                                : answer == "unknown" ? Answer::unknown
                                                      : Answer::too_often,
                                name, page};
    const auto message = contract::encode_found(test::bench_address, found, box_.now().wall);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }
  // What the tablet was told.
  json told() {
    const auto words = box_.sent("floor/to/tablet-1/enrol/s-1");
    return words.empty() ? json() : words.back();
  }

  test::BenchBox box_;
  std::string sign_in_;
};

TEST_F(MemberLookupTest, TheCrmIsAskedAndTheTabletIsTold) {
  look_up("c-new");
  ASSERT_EQ(asked().size(), 1U);
  EXPECT_EQ(asked()[0]["customer"], "c-new");
  EXPECT_EQ(told(), json());
  crm_answers(asked()[0]["id"], "known", "Ada Berg", "https://my.example/");
  EXPECT_EQ(told()["kind"], "member");
  EXPECT_EQ(told()["known"], "yes");
  EXPECT_EQ(told()["name"], "Ada Berg");
  EXPECT_EQ(told()["page"], "https://my.example/");
}

TEST_F(MemberLookupTest, WhomTheCrmDoesNotKnowIsNobodyWhateverTheBoxKnows) {
  look_up("c-mia");
  crm_answers(asked().at(0)["id"], "unknown");
  EXPECT_EQ(told()["known"], "no");
  EXPECT_FALSE(told().contains("name"));
}

TEST_F(MemberLookupTest, WhoWasShownWhoseNameIsWrittenDownOrItIsNotShown) {
  look_up("c-new");
  crm_answers(asked().at(0)["id"], "known", "Ada Berg");
  EXPECT_THAT(box_.audit(), testing::Contains("lookup staff:eva "));
  box_.power_off();
  box_.refuse_to_store("INSERT ON audit");
  box_.power_on();
  box_.links_up();
  look_up("c-new");
  crm_answers(asked().at(1)["id"], "known", "Ada Berg");
  EXPECT_EQ(told()["kind"], "failed");
  EXPECT_FALSE(told().contains("name"));
}

TEST_F(MemberLookupTest, WhatNobodyAskedIsNotHeardAndNothingIsHeardTwice) {
  crm_answers("another", "known", "Somebody");
  EXPECT_EQ(told(), json());
  look_up("c-new");
  crm_answers(asked().at(0)["id"], "too_often");
  crm_answers(asked().at(0)["id"], "known", "Somebody");
  EXPECT_EQ(told()["known"], "too_often");
}

TEST_F(MemberLookupTest, WithoutTheCrmTheBoxSaysWhatItKnows) {
  box_.link_down(LinkName::uplink);
  look_up("c-mia");
  EXPECT_EQ(told()["known"], "yes");
  EXPECT_NE(told().value("name", ""), "");
  look_up("c-new");
  EXPECT_EQ(told()["known"], "unchecked");
  EXPECT_TRUE(asked().empty());
}

TEST_F(MemberLookupTest, AnAnswerThatDoesNotComeIsNotWaitedForForLong) {
  look_up("c-new");
  box_.advance(MemberLookup::kPatience - 1s);
  EXPECT_EQ(told(), json());
  box_.advance(2s);
  EXPECT_EQ(told()["known"], "unchecked");
  crm_answers(asked().at(0)["id"], "known", "Ada Berg");
  EXPECT_EQ(told()["known"], "unchecked") << "the tablet has gone on";
}

}  // namespace
}  // namespace welcome::daemon
