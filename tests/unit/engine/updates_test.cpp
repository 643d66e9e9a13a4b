// SPDX-License-Identifier: Apache-2.0
// What the CRM wants a box's image to be, and the order that follows from it.

#include "firmware/engine/updates.h"

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "contract/digest.h"
#include "contract/signing.h"
#include "harness/bench_box.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

class UpdatesTest : public testing::Test {
 protected:
  UpdatesTest() : box_(test::kStart, {{}, pinned()}) { box_.link_up(LinkName::uplink); }

  std::string pinned() const {
    contract::KeyRing ring;
    ring.pin(crm_.key_id(), crm_.public_key());
    return ring.to_text();
  }
  contract::Taken::Release release(const std::string& version) const {
    return {version, std::string(64, 'a'), 1000, "https://my.aroma.example/v1/releases/a", false,
            false};
  }
  void says(const contract::Taken::Update& update, const contract::Signer* by) {
    contract::Taken taken;
    taken.update = update;
    const auto message = encode_taken(test::bench_address, taken, by);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }
  void says(const contract::Taken::Update& update) { says(update, &crm_); }
  void has_quiet_hours(const std::string& from, const std::string& to, const std::string& zone) {
    json policy;
    std::ifstream(WELCOME_SOURCE_DIR "/docs/examples/item.policy.json") >> policy;
    policy["quiet_hours"] = {{"from", from}, {"to", to}, {"mode", "drop"}};
    policy["time_zone"] = zone;
    contract::FeedBatch batch;
    batch.collection = contract::Collection::policy;
    batch.epoch = "e1";
    batch.snapshot = true;
    batch.to_seq = 1;
    batch.items.emplace_back();
    batch.items[0].key = "policy";
    batch.items[0].seq = 1;
    batch.items[0].value = policy.dump();
    contract::Digest digest;
    digest.toggle("policy", 1);
    batch.digest = digest.hex();
    batch.head = contract::FeedHead{"demo", "all", 1, batch.digest, box_.now().wall};
    const auto message = encode_feed(test::bench_address, batch, &crm_);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }
  json order() { return json::parse(box_.engine().updates().order(box_.now())); }
  std::string wanted() { return box_.engine().updates().wanted(); }
  WallTime now() { return box_.now().wall; }
  // By the store's clock in UTC, today.
  void it_is(std::chrono::minutes time) {
    const auto day = std::chrono::floor<std::chrono::days>(test::kStart);
    box_.set_wall(
        std::chrono::duration_cast<std::chrono::milliseconds>(day + time - box_.right_time()),
        true);
  }

  const contract::Signer crm_{"k1", contract::Signer::new_seed()};
  test::BenchBox box_;
};

TEST_F(UpdatesTest, TheNewestWordCountsAndIsKept) {
  EXPECT_EQ(box_.engine().updates().order(box_.now()), "");
  says({7, now(), release("1.4.0")});
  EXPECT_EQ(wanted(), "1.4.0");
  says({7, now(), release("1.5.0")});
  says({6, now(), release("1.5.0")});
  EXPECT_EQ(wanted(), "1.4.0") << "that word was heard, and an older one is none";
  box_.power_cycle();
  EXPECT_EQ(wanted(), "1.4.0");
  EXPECT_EQ(order().at("digest"), std::string(64, 'a'));
  says({8, now(), {}});
  EXPECT_EQ(wanted(), "");
  EXPECT_EQ(order(), json({{"word", 8}}));
}

TEST_F(UpdatesTest, WhatTheCrmDidNotSignNowSaysNothing) {
  const contract::Signer other("k1", contract::Signer::new_seed());
  says({7, now(), release("1.4.0")}, nullptr);
  says({7, now(), release("1.4.0")}, &other);
  says({7, now() - 25h, release("1.4.0")});
  says({7, now() + 1h, release("1.4.0")});
  EXPECT_EQ(wanted(), "");
  box_.set_wall(0ms, false);
  says({7, now(), release("1.4.0")});
  EXPECT_EQ(wanted(), "") << "nobody knows what time it is: it may be an old word";
  box_.set_wall(0ms, true);
  says({7, now(), release("1.4.0")});
  EXPECT_EQ(wanted(), "1.4.0");
}

TEST_F(UpdatesTest, ABoxThatAsksForNoSignaturesTakesNoWord) {
  test::BenchBox open(test::kStart);
  open.link_up(LinkName::uplink);
  contract::Taken taken;
  taken.update = {7, open.now().wall, release("1.4.0")};
  const auto message = encode_taken(test::bench_address, taken, &crm_);
  open.inbound(LinkName::uplink, message.topic, message.payload);
  EXPECT_EQ(open.engine().updates().wanted(), "");
}

TEST_F(UpdatesTest, ItIsInstalledInTheStoresQuietHours) {
  it_is(9h);
  says({7, now(), release("1.4.0")});
  EXPECT_FALSE(order().at("install"));
  it_is(3h);
  EXPECT_TRUE(order().at("install")) << "at night, where the policy has none";
  box_.set_wall(0ms, false);
  EXPECT_FALSE(order().at("install")) << "nobody knows whether it is night";
  it_is(9h);
  has_quiet_hours("22:00", "07:00", "America/New_York");
  EXPECT_TRUE(order().at("install")) << "five o'clock there";
  it_is(13h);
  EXPECT_FALSE(order().at("install"));
  auto at_once = release("1.4.0");
  at_once.at_once = true;
  says({8, now(), at_once});
  EXPECT_TRUE(order().at("install"));
}

}  // namespace
}  // namespace welcome::daemon
