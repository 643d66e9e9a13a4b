// SPDX-License-Identifier: Apache-2.0
// A box with pinned keys believes of the feed what the CRM signed, and takes consents to be as
// fresh as the newest signed head that it has come to.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "contract/digest.h"
#include "contract/signing.h"
#include "harness/bench_box.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
using contract::Collection;
using contract::LinkName;
using nlohmann::json;

class SignedFeedTest : public testing::Test {
 protected:
  SignedFeedTest() : box_(test::kStart, {{}, pinned({&crm_})}) { box_.link_up(LinkName::uplink); }

  static std::string pinned(const std::vector<const contract::Signer*>& keys) {
    contract::KeyRing ring;
    for (const auto* key : keys) ring.pin(key->key_id(), key->public_key());
    return ring.to_text();
  }

  static contract::FeedItem profile(const std::string& id, std::uint64_t seq) {
    contract::FeedItem item;
    item.key = id;
    item.seq = seq;
    item.value = json{{"customer", id}, {"name", "Somebody"}}.dump();
    return item;
  }
  // A snapshot of one part.
  static contract::FeedBatch snapshot(Collection collection,
                                      std::vector<contract::FeedItem> items = {},
                                      const std::string& epoch = "e1") {
    contract::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = epoch;
    batch.snapshot = true;
    contract::Digest digest;
    for (const auto& item : items) {
      digest.toggle(item.key, item.seq);
      batch.to_seq = std::max(batch.to_seq, item.seq);
    }
    batch.digest = digest.hex();
    batch.items = std::move(items);
    return batch;
  }
  static contract::FeedBatch beat(Collection collection, std::uint64_t seq = 0,
                                  const std::string& digest = contract::Digest().hex()) {
    contract::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = "e1";
    batch.from_seq = batch.to_seq = seq;
    batch.digest = digest;
    return batch;
  }

  // Signed at that time; by nobody, where `by` is null.
  void receive(contract::FeedBatch batch, WallTime at, const contract::Signer* by,
               const std::string& scope = "all") {
    batch.head = contract::FeedHead{"demo", scope, batch.to_seq, batch.digest, at};
    const auto message = encode_feed(test::bench_address, batch, by);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }
  void receive(contract::FeedBatch batch, WallTime at) { receive(std::move(batch), at, &crm_); }

  // Which keys it has from now on, signed by that one.
  void says_keys(const std::vector<const contract::Signer*>& keys, WallTime at,
                 const contract::Signer* by,
                 const contract::BoxAddress& box = test::bench_address) {
    contract::Taken taken;
    taken.keys = contract::Taken::Keys{{}, at};
    for (const auto* key : keys) taken.keys->ring.pin(key->key_id(), key->public_key());
    const auto message = encode_taken(box, taken, by);
    box_.inbound(LinkName::uplink, taken_topic(test::bench_address), message.payload);
    box_.advance(1100ms);
  }
  std::vector<std::string> believes() {
    return box_.sent("/hello").back().value("keys", std::vector<std::string>());
  }

  // In which region this box is.
  void says_region(const std::string& region, WallTime at, const contract::Signer* by,
                   const contract::BoxAddress& box = test::bench_address) {
    contract::Taken taken;
    taken.region = {region, at};
    const auto message = encode_taken(box, taken, by);
    box_.inbound(LinkName::uplink, taken_topic(test::bench_address), message.payload);
    box_.advance(1100ms);
  }
  std::string region() { return box_.sent("/hello").back().value("region", ""); }

  json crm() { return box_.engine().status(box_.now())["crm"]; }
  json last_heard() { return crm()["last_heard"]; }
  json have() { return box_.sent("/hello").back()["have"]; }
  static std::string text(WallTime at) { return contract::to_rfc3339(at); }

  const contract::Signer crm_{"k1", contract::Signer::new_seed()};
  test::BenchBox box_;
};

TEST_F(SignedFeedTest, ConsentsAreAsFreshAsTheNewestSignedHead) {
  const WallTime first = box_.now().wall - 1h;
  receive(snapshot(Collection::consents), first);
  EXPECT_EQ(last_heard(), text(first)) << "when it was signed, not when it came";
  receive(beat(Collection::consents), first + 10min);
  EXPECT_EQ(last_heard(), text(first + 10min));

  // Played again, not signed, or of something else.
  receive(beat(Collection::consents), first + 5min);
  receive(snapshot(Collection::consents), first);
  receive(beat(Collection::consents), first + 20min, nullptr);
  receive(snapshot(Collection::profiles), first + 20min);
  EXPECT_EQ(last_heard(), text(first + 10min));
  EXPECT_EQ(crm()["refused"]["refused"], 1);
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  receive(beat(Collection::consents), first + 5min);
  EXPECT_EQ(last_heard(), text(first + 10min));
}

// Who keeps a withdrawal back cannot hide it: the head says that there is more.
TEST_F(SignedFeedTest, AHeadThatTheBoxHasNotComeToKeepsNothingFresh) {
  const WallTime first = box_.now().wall;
  receive(snapshot(Collection::consents), first);
  box_.advance(2s);
  const auto hellos = box_.sent("/hello").size();
  receive(beat(Collection::consents, 7), first + 1s);
  box_.advance(2s);
  EXPECT_EQ(last_heard(), text(first));
  EXPECT_GT(box_.sent("/hello").size(), hellos) << "it asks for what it lacks";
  EXPECT_TRUE(have().contains("consents"));
  receive(beat(Collection::consents, 0, std::string(32, 'd')), first + 2s);
  box_.advance(2s);
  EXPECT_EQ(last_heard(), text(first));
  EXPECT_FALSE(have().contains("consents")) << "what it has is not what the CRM has";
}

TEST_F(SignedFeedTest, AHeadFromTheFutureDoesNotCount) {
  const WallTime now = box_.now().wall;
  receive(snapshot(Collection::consents), now + 4min);
  EXPECT_EQ(last_heard(), text(now + 4min)) << "clocks differ by so much";
  receive(beat(Collection::consents), now + 1h);
  EXPECT_EQ(last_heard(), text(now + 4min));
  EXPECT_EQ(crm()["heads_ahead"], 1);
}

// The machine has just begun, and the time server answers after the CRM.
TEST_F(SignedFeedTest, WhatTheCrmSaidBeforeSomebodyKnewTheTimeCountsAfterwards) {
  const WallTime said = box_.now().wall;
  box_.set_wall(0ms, false);
  receive(snapshot(Collection::consents), said);
  box_.advance(20s);
  EXPECT_NE(last_heard(), text(said));
  box_.set_wall(0ms, true);
  box_.advance(1s);
  EXPECT_EQ(last_heard(), text(said));
}

// A clock that was ahead when it last heard the CRM and is right now.
TEST_F(SignedFeedTest, WhatWasHeardOfTheFutureHoldsNobodyUp) {
  box_.set_wall(24h * 400, true);
  const WallTime ahead = box_.now().wall;
  receive(snapshot(Collection::consents), ahead);
  ASSERT_EQ(last_heard(), text(ahead));
  box_.set_wall(0ms, true);
  const WallTime now = box_.now().wall;
  receive(beat(Collection::consents), now);
  EXPECT_EQ(last_heard(), text(now));
}

TEST_F(SignedFeedTest, ABatchOfLongAgoIsRefused) {
  const WallTime now = box_.now().wall;
  receive(snapshot(Collection::profiles, {profile("c-new", 1)}, "e2"), now);
  receive(snapshot(Collection::profiles, {profile("c-old", 1)}, "e1"), now - 25h);
  EXPECT_EQ(crm()["refused"]["refused"], 1);
  EXPECT_TRUE(box_.store().replica().find(store::Collection::profiles, "c-new"));
  EXPECT_FALSE(box_.store().replica().find(store::Collection::profiles, "c-old"));
}

TEST_F(SignedFeedTest, TheWorldHearsSignedTimesAndNoOthers) {
  auto& said = box_.world().crm_said;
  const WallTime now = box_.now().wall;
  receive(snapshot(Collection::profiles), now - 10s);
  receive(beat(Collection::profiles), now - 20s);
  receive(beat(Collection::profiles), now + 1s, nullptr);
  box_.set_wall(0ms, false);
  receive(beat(Collection::profiles), now);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0].first, now - 10s);
  EXPECT_EQ(said[1].first, now);
  EXPECT_EQ(said[1].second, box_.now().mono);
}

// What came unsigned, or under a key that is no longer pinned, is asked for again; until then it is
// used.
// ---- the CRM's next key ----

TEST_F(SignedFeedTest, AKeyThatTheCrmHasDroppedSignsNothingAnyMore) {
  const contract::Signer next("k2", contract::Signer::new_seed());
  const WallTime now = box_.now().wall;
  receive(snapshot(Collection::consents), now);
  EXPECT_EQ(believes(), std::vector<std::string>{"k1"});
  says_keys({&crm_, &next}, now, &crm_);
  EXPECT_EQ(believes(), (std::vector<std::string>{"k1", "k2"})) << "it says so";
  receive(beat(Collection::consents), now + 1s, &next);
  receive(beat(Collection::consents), now + 2s, &crm_);
  EXPECT_EQ(last_heard(), text(now + 2s)) << "for a while both count";

  says_keys({&next}, now + 3s, &next);
  EXPECT_EQ(believes(), std::vector<std::string>{"k2"});
  receive(beat(Collection::consents), now + 4s, &crm_);
  EXPECT_EQ(last_heard(), text(now + 2s));
  EXPECT_GE(crm()["refused"]["refused"], 1);
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_EQ(believes(), std::vector<std::string>{"k2"}) << "also after a start";
  says_keys({&crm_, &next}, now + 5s, &crm_);
  EXPECT_EQ(believes(), std::vector<std::string>{"k2"}) << "the old one does not come back";
}

TEST_F(SignedFeedTest, NobodyElseSaysWhichKeysThereAre) {
  const contract::Signer mine("k-mine", contract::Signer::new_seed());
  const contract::Signer next("k2", contract::Signer::new_seed());
  const WallTime now = box_.now().wall;
  says_keys({&crm_, &mine}, now, nullptr);
  says_keys({&crm_, &mine}, now, &mine);
  says_keys({&crm_, &mine}, now, &crm_, {"demo", "aroma-1", "box-2"});
  EXPECT_EQ(believes(), std::vector<std::string>{"k1"});
  // An old word that is played again takes no key away.
  says_keys({&crm_, &next}, now + 2s, &crm_);
  says_keys({&crm_}, now + 1s, &crm_);
  EXPECT_EQ(believes(), (std::vector<std::string>{"k1", "k2"}));
}

TEST_F(SignedFeedTest, WhatATechnicianPinsWinsOverWhatWasHeardBefore) {
  const contract::Signer next("k2", contract::Signer::new_seed());
  const contract::Signer third("k3", contract::Signer::new_seed());
  const WallTime now = box_.now().wall;
  says_keys({&next}, now, &crm_);
  EXPECT_EQ(believes(), std::vector<std::string>{"k2"});
  // The file is read again as it was: nothing changes.
  ASSERT_TRUE(box_.engine().set_crm_keys(pinned({&crm_}), box_.now()));
  box_.link_down(LinkName::uplink);
  box_.link_up(LinkName::uplink);
  EXPECT_EQ(believes(), std::vector<std::string>{"k2"});
  ASSERT_TRUE(box_.engine().set_crm_keys(pinned({&third}), box_.now()));
  box_.link_down(LinkName::uplink);
  box_.link_up(LinkName::uplink);
  EXPECT_EQ(believes(), std::vector<std::string>{"k3"});
}

TEST_F(SignedFeedTest, WhatNoPinnedKeySignedIsAskedForAgain) {
  const contract::Signer next("k2", contract::Signer::new_seed());
  const WallTime now = box_.now().wall;
  const auto whole = snapshot(Collection::profiles, {profile("c-paul", 1)});
  receive(whole, now);
  const auto asked_with = [&](const std::optional<std::string>& keys) {
    const auto before = box_.sent("/hello").size();
    EXPECT_TRUE(box_.engine().set_crm_keys(keys, box_.now()));
    return box_.sent("/hello").size() > before && !have().contains("profiles");
  };
  EXPECT_FALSE(asked_with(pinned({&crm_, &next}))) << "one more";
  EXPECT_TRUE(asked_with(pinned({&next}))) << "the one that signed it is gone";
  EXPECT_TRUE(box_.store().replica().find(store::Collection::profiles, "c-paul"));
  receive(whole, now + 1s, &next);
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_FALSE(have().contains("profiles")) << "it starts with the first key again";
}

TEST_F(SignedFeedTest, WhatCameBeforeThereWereKeysIsAskedForAgain) {
  test::BenchBox open(test::kStart);
  open.link_up(LinkName::uplink);
  const auto message =
      encode_feed(test::bench_address, snapshot(Collection::profiles, {profile("c-paul", 1)}));
  open.inbound(LinkName::uplink, message.topic, message.payload);
  open.setup.crm_keys = pinned({&crm_});
  open.power_cycle();
  open.link_up(LinkName::uplink);
  EXPECT_TRUE(open.sent("/hello").back()["have"].empty());
  EXPECT_TRUE(open.store().replica().find(store::Collection::profiles, "c-paul"));
}

TEST_F(SignedFeedTest, ACommandWhoseTimeIsOverIsAnsweredAndNotCarriedOut) {
  const auto answer_to = [&](const std::string& id, WallTime ends) {
    contract::Command command;
    command.id = MessageId(id);
    command.expires_at = ends;
    const auto message = encode_command(test::bench_address, command, &crm_);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
    return box_.sent("/response").back();
  };
  const WallTime now = box_.now().wall;
  EXPECT_EQ(answer_to("a", now - 4min)["ok"], true);
  const auto late = answer_to("b", now - 6min);
  EXPECT_EQ(late["ok"], false);
  EXPECT_NE(late["error"].get<std::string>().find("time is over"), std::string::npos);
  // Nobody knows what time it is; the answer leaves when somebody does.
  box_.set_wall(0ms, false);
  answer_to("c", now - 6min);
  box_.set_wall(0ms, true);
  box_.advance(2s);
  const auto unsure = box_.sent("/response").back();
  EXPECT_EQ(unsure["id"], "c");
  EXPECT_EQ(unsure["ok"], true) << unsure;
}

// The broker hands one box the profiles of another's guests.
TEST_F(SignedFeedTest, ProfilesOnSightAreThoseThatNameThisBox) {
  const WallTime now = box_.now().wall;
  const auto has = [&](const char* id) {
    return box_.store().replica().find(store::Collection::profiles, id).has_value();
  };
  receive(snapshot(Collection::profiles, {profile("c-other", 1)}), now, &crm_,
          "demo/aroma-1/box-2");
  EXPECT_FALSE(has("c-other"));
  receive(snapshot(Collection::profiles, {profile("c-mine", 1)}), now, &crm_, "demo/aroma-1/box-1");
  EXPECT_TRUE(has("c-mine"));
  receive(snapshot(Collection::campaigns), now, &crm_, "demo/aroma-1/box-1");
  box_.link_up(LinkName::uplink);
  EXPECT_TRUE(have().contains("profiles"));
  EXPECT_FALSE(have().contains("campaigns")) << "the rest is everybody's";
}

// ---- staff ----

TEST_F(SignedFeedTest, StaffAreThoseOfThisStoreAndGoWhenTheyAreDeletedOrCannotBeRead) {
  const auto member = [](std::uint64_t seq, const std::string& name) {
    contract::FeedItem item;
    item.key = "anna";
    item.seq = seq;
    item.value = json{{"staff", "anna"}, {"name", name}, {"roles", {"lead"}}}.dump();
    return item;
  };
  const auto has_anna = [&] {
    return box_.store().replica().find(store::Collection::staff, "anna").has_value();
  };
  const WallTime now = box_.now().wall;
  receive(snapshot(Collection::staff, {member(1, "Anna")}), now, &crm_, "store/aroma-2");
  receive(snapshot(Collection::staff, {member(1, "Anna")}), now, &crm_);
  EXPECT_FALSE(has_anna());
  EXPECT_EQ(crm()["refused"]["refused"], 2);
  receive(snapshot(Collection::staff, {member(1, "Anna")}), now, &crm_, "store/aroma-1");
  EXPECT_TRUE(has_anna());
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_TRUE(has_anna());
  EXPECT_EQ(crm()["feed"]["staff"]["items"], 1);

  // What cannot be read may have taken a role from her.
  receive(snapshot(Collection::staff, {member(2, "")}), now + 1s, &crm_, "store/aroma-1");
  EXPECT_FALSE(has_anna());
  receive(snapshot(Collection::staff, {member(3, "Anna")}), now + 2s, &crm_, "store/aroma-1");
  EXPECT_TRUE(has_anna());
  receive(snapshot(Collection::staff, {}, "e2"), now + 3s, &crm_, "store/aroma-1");
  EXPECT_FALSE(has_anna());
}

// ---- keys by region ----

// The broker hands one box what is another region's.
TEST_F(SignedFeedTest, WhatWasMadeForAnotherRegionIsNotForThisBox) {
  const WallTime now = box_.now().wall;
  const auto has = [&](const char* id) {
    return box_.store().replica().find(store::Collection::profiles, id).has_value();
  };
  receive(snapshot(Collection::profiles, {profile("c-north", 1)}), now, &crm_, "region/north");
  EXPECT_FALSE(has("c-north")) << "nobody has said where this box is";
  EXPECT_EQ(crm()["refused"]["refused"], 1);
  says_region("north", now, &crm_);
  EXPECT_EQ(region(), "north") << "and it says so";
  receive(snapshot(Collection::profiles, {profile("c-north", 1)}), now + 1s, &crm_, "region/north");
  EXPECT_TRUE(has("c-north"));
  receive(snapshot(Collection::profiles, {profile("c-south", 1)}, "e2"), now + 2s, &crm_,
          "region/south");
  receive(beat(Collection::consents), now + 3s, &crm_, "region/south");
  EXPECT_FALSE(has("c-south"));
  EXPECT_EQ(last_heard(), json()) << "nor are consents fresh by the word for another region";
  receive(snapshot(Collection::policy), now + 4s, &crm_, "region/north");
  box_.link_up(LinkName::uplink);
  EXPECT_FALSE(have().contains("policy")) << "what is about nobody is for all";
}

TEST_F(SignedFeedTest, WhereTheBoxIsSaysTheCrmAloneAndItsNewestWord) {
  const contract::Signer mine("k-mine", contract::Signer::new_seed());
  const WallTime now = box_.now().wall;
  says_region("south", now, nullptr);
  says_region("south", now, &mine);
  says_region("south", now, &crm_, {"demo", "aroma-1", "box-2"});
  EXPECT_EQ(region(), "");
  says_region("north", now + 2s, &crm_);
  says_region("south", now + 1s, &crm_);
  EXPECT_EQ(region(), "north") << "an old word that is played again moves no box";
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_EQ(region(), "north") << "also after a start";
  EXPECT_EQ(crm()["region"], "north");
  says_region("north", now + 4s, &crm_);
  says_region("south", now + 3s, &crm_);
  EXPECT_EQ(region(), "north") << "the newest word may be the one that was said before";
  says_region("south", now + 5s, &crm_);
  EXPECT_EQ(region(), "south");
}

// What it had is replaced as a whole: the other region counts by itself.
TEST_F(SignedFeedTest, ABoxThatMovesHasWhatIsThereAndNothingElse) {
  const WallTime now = box_.now().wall;
  const auto has = [&](const char* id) {
    return box_.store().replica().find(store::Collection::profiles, id).has_value();
  };
  says_region("north", now, &crm_);
  receive(snapshot(Collection::profiles, {profile("c-north", 9), profile("c-both", 3)}, "e-north"),
          now, &crm_, "region/north");
  says_region("south", now + 1s, &crm_);
  auto heartbeat = beat(Collection::profiles, 3);
  heartbeat.epoch = "e-south";
  const auto hellos = box_.sent("/hello").size();
  receive(heartbeat, now + 2s, &crm_, "region/south");
  box_.advance(2s);
  EXPECT_GT(box_.sent("/hello").size(), hellos) << "it asks";
  receive(snapshot(Collection::profiles, {profile("c-both", 3)}, "e-south"), now + 3s, &crm_,
          "region/south");
  EXPECT_FALSE(has("c-north"));
  EXPECT_TRUE(has("c-both"));
}

}  // namespace
}  // namespace welcome::daemon
