// SPDX-License-Identifier: Apache-2.0
#include "crm/lane.h"

#include <array>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>

namespace welcome::crm {
namespace {

contract::FeedBatch batch() {
  contract::FeedBatch out;
  out.collection = contract::Collection::profiles;
  out.epoch = "e1";
  out.to_seq = 7;
  contract::FeedItem item;
  item.seq = 7;
  item.key = "c-1";
  item.value = R"({"customer":"c-1","greeting":"Mr Moreau"})";
  out.items.push_back(std::move(item));
  return out;
}

TEST(ParcelTest, IsMadeWhenItIsSentAndThenOnceForAll) {
  const auto signer =
      std::make_shared<const contract::Signer>("k1", std::array<std::uint8_t, 32>{1, 2, 3});
  const std::string sent = contract::encode_feed({}, batch(), signer.get()).payload;
  const Parcel parcel(batch(), signer);
  EXPECT_GE(parcel.bytes(), batch().items[0].value.size());
  EXPECT_EQ(signer.use_count(), 2) << "what it will be signed with";
  const std::string& payload = parcel.payload();
  EXPECT_EQ(payload, sent);
  EXPECT_EQ(signer.use_count(), 1);
  EXPECT_EQ(parcel.bytes(), sent.size()) << "and its items are let go";
  EXPECT_EQ(&parcel.payload(), &payload);
  EXPECT_EQ(parcel.collection(), contract::Collection::profiles);
  EXPECT_EQ(parcel.epoch(), "e1");
  EXPECT_EQ(parcel.to_seq(), 7U);
}

TEST(LaneTest, BoxesTakeTurns) {
  Lane lane;
  const auto one = std::make_shared<const Parcel>(batch(), nullptr);
  const BoxKey a{"s", "a"};
  const BoxKey b{"s", "b"};
  lane.add(a, one);
  lane.add(a, one);
  lane.add(b, one);
  EXPECT_EQ(lane.take().first, a);
  EXPECT_EQ(lane.take().first, b);
  EXPECT_EQ(lane.take().first, a);
  EXPECT_TRUE(lane.empty());
}

}  // namespace
}  // namespace welcome::crm
