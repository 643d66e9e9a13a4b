// SPDX-License-Identifier: Apache-2.0
// A serial line that loses bytes.

#include "beacon/h4_framer.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "beacon/hci_events.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;
using Packet = std::vector<std::uint8_t>;
using Packets = std::vector<Packet>;

Packet advert(unsigned number, bool extended) {
  const Now now = now_at(number);
  AdvertReport report = number % 3 == 0   ? fob_advert(fob("x"), -60, now)
                        : number % 3 == 1 ? phone_advert(phone("y", number), -70, now)
                                          : welcome::beacon::testing::report({}, -80, now);
  report.address[0] = static_cast<std::uint8_t>(number);
  report.address[1] = static_cast<std::uint8_t>(number >> 8U);
  report.extended = extended;
  report.event_type = extended ? 0x10 : 0x03;
  Packet packet = make_advertising_event(report);
  packet.insert(packet.begin(), 0x04);
  return packet;
}

Packet answer(unsigned number) {
  static const std::vector<std::string> kAnswers{"040e0401030c00", "040e0c010110000c00000c00000000",
                                                 "040e0401422000", "040f0400014320", "04100142"};
  return from_hex(kAnswers[number % kAnswers.size()]);
}

Packets fed(H4Framer& framer, std::span<const std::uint8_t> line, std::size_t piece) {
  Packets out;
  for (std::size_t at = 0; at < line.size(); at += piece) {
    framer.feed(line.subspan(at, std::min(piece, line.size() - at)), out);
  }
  return out;
}

TEST(H4Framer, FindsEventsInAnySplitAndSkipsWhatIsNone) {
  // Also commands: a controller sends none.
  const auto bytes = from_hex(
      "ffff040e0401030c00"
      "00"
      "043e0f02010301123456789ac603020106c5"
      "01030c00"
      "040e0401422000");
  for (std::size_t split = 1; split <= bytes.size(); ++split) {
    H4Framer framer;
    const Packets packets = fed(framer, bytes, split);
    ASSERT_EQ(packets.size(), 3U) << split;
    EXPECT_EQ(to_hex(packets[0]), "040e0401030c00");
    EXPECT_EQ(to_hex(packets[1]), "043e0f02010301123456789ac603020106c5");
    EXPECT_EQ(to_hex(packets[2]), "040e0401422000");
    EXPECT_EQ(framer.skipped(), 2U + 1 + 4);
    EXPECT_EQ(framer.losses(), 3U);
  }
}

// Whichever byte of whichever packet is lost, however the line is read: all others come out, and
// in order.
TEST(H4Framer, OneLostByteCostsOneEvent) {
  for (const bool extended : {true, false}) {
    Packets sent;
    for (unsigned i = 0; i < 6; ++i) sent.push_back(i == 3 ? answer(i) : advert(i, extended));
    std::size_t start = 0;
    for (std::size_t damaged = 0; damaged < sent.size(); start += sent[damaged++].size()) {
      for (std::size_t lost = 0; lost < sent[damaged].size(); ++lost) {
        Packet line;
        for (const auto& packet : sent) line.insert(line.end(), packet.begin(), packet.end());
        line.erase(line.begin() + static_cast<std::ptrdiff_t>(start + lost));
        for (const std::size_t piece : {1U, 7U, 4096U}) {
          H4Framer framer;
          const Packets got = fed(framer, line, piece);
          for (std::size_t i = 0; i < sent.size(); ++i) {
            const bool there = std::find(got.begin(), got.end(), sent[i]) != got.end();
            // The last one waits for its last byte.
            ASSERT_TRUE(there || i == damaged) << "packet " << i << " gone with byte " << lost
                                               << " of " << damaged << " by " << piece;
          }
          if (damaged + 1 == sent.size()) continue;
          EXPECT_EQ(framer.losses(), 1U) << damaged << " " << lost;
        }
      }
    }
  }
}

TEST(H4Framer, APacketThatStaysIncompleteOnAnIdleLineIsGivenUp) {
  H4Framer framer;
  Packets packets = fed(framer,
                        from_hex("040e0401030c00"
                                 "040e04014220"),
                        100);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(framer.losses(), 0U);
  framer.idle(packets);
  EXPECT_EQ(framer.losses(), 1U);
  framer.feed(from_hex("040e0401422000"), packets);
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_EQ(to_hex(packets[1]), "040e0401422000");
}

TEST(H4Framer, DebugOutputOfTheVendorIsNoLoss) {
  H4Framer framer;
  const Packets packets = fed(framer,
                              from_hex("040e0401030c00"
                                       "04ff0461626364"
                                       "040e0401422000"),
                              1);
  EXPECT_EQ(packets.size(), 3U);
  EXPECT_EQ(framer.losses(), 0U);
}

// Bytes are lost, changed and invented; whatever happens, an event is lost only near a damage.
TEST(H4FramerProperties, OnlyEventsNearADamageAreLost) {
  const bool holds = rc::check("resynchronises", [] {
    const bool extended = *rc::gen::arbitrary<bool>();
    Packets sent;
    std::vector<bool> damaged;
    Packet line;
    const unsigned count = *rc::gen::inRange(1U, 60U);
    for (unsigned i = 0; i < count; ++i) {
      sent.push_back(i % 10 == 9 ? answer(i / 10) : advert(i, extended));
      Packet bytes = sent.back();
      const int what = *rc::gen::inRange(0, 24);
      damaged.push_back(what < 4);
      const auto at = static_cast<std::ptrdiff_t>(*rc::gen::inRange<std::size_t>(0, bytes.size()));
      const auto some = *rc::gen::inRange(1, 9);
      if (what == 0) bytes.erase(bytes.begin() + at);
      if (what == 1) {
        bytes.erase(bytes.begin() + at,
                    bytes.begin() + std::min<std::ptrdiff_t>(at + some, std::ssize(bytes)));
      }
      if (what == 2) bytes[static_cast<std::size_t>(at)] ^= *rc::gen::inRange<std::uint8_t>(1, 255);
      if (what == 3) {
        const auto noise = *rc::gen::container<Packet>(static_cast<std::size_t>(some),
                                                       rc::gen::arbitrary<std::uint8_t>());
        bytes.insert(bytes.begin() + at, noise.begin(), noise.end());
      }
      line.insert(line.end(), bytes.begin(), bytes.end());
    }
    H4Framer framer;
    Packets got;
    for (std::size_t at = 0; at < line.size();) {
      const auto piece = std::min(*rc::gen::inRange<std::size_t>(1, 300), line.size() - at);
      framer.feed(std::span(line).subspan(at, piece), got);
      at += piece;
    }
    framer.idle(got);
    std::size_t from = 0;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      // A wrong length may reach over the one behind it.
      const bool near = damaged[i] || (i > 0 && damaged[i - 1]) || (i > 1 && damaged[i - 2]) ||
                        (i + 1 < sent.size() && damaged[i + 1]);
      const auto found =
          std::find(got.begin() + static_cast<std::ptrdiff_t>(from), got.end(), sent[i]);
      RC_ASSERT(found != got.end() || near);
      if (found != got.end()) from = static_cast<std::size_t>(found - got.begin()) + 1;
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace welcome::beacon
