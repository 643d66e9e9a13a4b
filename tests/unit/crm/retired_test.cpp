// SPDX-License-Identifier: Apache-2.0
// A box that proves that it is retired: who is believed, and what follows.

#include <gtest/gtest.h>
#include <sstream>

#include "crm/boxes.h"
#include "crm/cli/cli.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class RetiredTest : public CrmTest {
 protected:
  RetiredTest() {
    see_box("aroma-1", "box-1");
    see_box("aroma-1", "box-2");
    crm_->box_says_key("aroma-1", "box-1", key_.public_key(), now_);
  }
  std::string proof(const contract::Signer& key, const char* box = "box-1") const {
    const auto event = contract::encode_event(
        {"demo", "aroma-1", box},
        {MessageId("e"), kJanuary, {}, contract::BoxRetired{kJanuary}, {}}, &key);
    return json::parse(event.payload).at("data").dump();
  }
  int cli(std::vector<std::string> words) {
    words.insert(words.begin(), {"-d", path()});
    out_.str("");
    err_.str("");
    return run(words, out_, err_);
  }

  const contract::Signer key_{"box-1", contract::Signer::new_seed()};
  const contract::Signer other_{"box-1", contract::Signer::new_seed()};
  Boxes boxes_{*crm_};
  std::ostringstream out_, err_;
};

TEST_F(RetiredTest, OnlyTheTrustedKeyOfThisBoxProvesIt) {
  const auto refused = [&](const std::string& box, const std::string& text) {
    const auto done = boxes_.retire("aroma-1", box, text, now_);
    EXPECT_TRUE(boxes_.admitted("aroma-1", box)) << text;
    return done ? std::string("none") : done.error().message;
  };
  json unsigned_one = json::parse(proof(key_));
  unsigned_one.erase("sig");
  json later = json::parse(proof(key_));
  later["at"] = "2027-01-01T00:00:00Z";
  const contract::Signer by_another_name("box-2", contract::Signer::new_seed());
  EXPECT_EQ(refused("box-1", proof(other_)), "the box's trusted key did not sign it");
  EXPECT_EQ(refused("box-1", later.dump()), "the box's trusted key did not sign it");
  EXPECT_EQ(refused("box-1", unsigned_one.dump()), "it is not signed");
  EXPECT_EQ(refused("box-1", proof(key_, "box-2")), "it is another box's");
  EXPECT_EQ(refused("box-2", proof(by_another_name, "box-2")), "the box has not said its key");
  EXPECT_NE(refused("box-1", "{"), "none");
  EXPECT_NE(refused("box-1", "{}"), "none");
  EXPECT_NE(refused("box-1", json(receipt("x", "c-paul", &key_)).dump()), "none")
      << "what it signed for something else";
  EXPECT_EQ(boxes_.retire("aroma-9", "box-1", proof(key_), now_).error().code,
            ErrorCode::not_found);
}

TEST_F(RetiredTest, ARetiredBoxIsServedNoMoreAndNobodyWaitsForIt) {
  const auto erasure = crm_->forget("c-paul", now_);
  ASSERT_TRUE(erasure);
  crm_->erasure_done(*erasure, "aroma-1", "box-2", "{}", now_);
  ASSERT_TRUE(boxes_.retire("aroma-1", "box-1", proof(key_), now_));
  EXPECT_FALSE(boxes_.admitted("aroma-1", "box-1"));
  EXPECT_TRUE(crm_->erasure(*erasure)->done_at);
  EXPECT_TRUE(boxes_.retired_at("aroma-1", "box-1"));
  EXPECT_FALSE(boxes_.retired_at("aroma-1", "box-2"));
  EXPECT_TRUE(boxes_.retire("aroma-1", "box-1", proof(key_), now_)) << "it did not hear `taken`";
  EXPECT_FALSE(boxes_.retire("aroma-1", "box-1", proof(other_), now_));
  ASSERT_EQ(cli({"--json", "boxes", "list"}), kDone) << err_.str();
  const json list = json::parse(out_.str());
  ASSERT_EQ(list.size(), 2U) << list;
  EXPECT_EQ(list[1].at("state"), "retired");
  EXPECT_EQ(list[1].at("retired_at"), contract::to_rfc3339(now_));
  ASSERT_EQ(cli({"boxes", "list"}), kDone);
  EXPECT_NE(out_.str().find("retired, with proof, 2"), std::string::npos) << out_.str();
  EXPECT_EQ(cli({"boxes", "revoke", "aroma-1/box-1"}), kDone) << "its account at the broker";
}

TEST_F(RetiredTest, ByHandWhereTheLineWasAway) {
  EXPECT_EQ(cli({"boxes", "retired", "aroma-1/box-1"}), kUsage);
  EXPECT_EQ(cli({"boxes", "retired", "aroma-1/box-1", "--proof", proof(other_)}), kNo);
  EXPECT_TRUE(boxes_.admitted("aroma-1", "box-1"));
  EXPECT_EQ(cli({"boxes", "retired", "aroma-1/box-1", "--proof", proof(key_)}), kDone)
      << err_.str();
  EXPECT_FALSE(boxes_.admitted("aroma-1", "box-1"));
}

TEST_F(RetiredTest, AdmittedAgainItIsANewBoxAndAnOldProofEndsNothing) {
  ASSERT_TRUE(boxes_.retire("aroma-1", "box-1", proof(key_), now_));
  ASSERT_TRUE(boxes_.admit("aroma-1", "box-1", "ada", now_));
  EXPECT_FALSE(boxes_.retired_at("aroma-1", "box-1"));
  EXPECT_FALSE(boxes_.retire("aroma-1", "box-1", proof(key_), now_)) << "it has said no key yet";
  crm_->box_says_key("aroma-1", "box-1", other_.public_key(), now_);
  EXPECT_FALSE(boxes_.retire("aroma-1", "box-1", proof(key_), now_));
  EXPECT_TRUE(boxes_.admitted("aroma-1", "box-1"));
  ASSERT_EQ(cli({"--json", "boxes", "list"}), kDone);
  EXPECT_EQ(json::parse(out_.str()).size(), 2U);
}

}  // namespace
}  // namespace welcome::crm
