// SPDX-License-Identifier: Apache-2.0
// What must hold for any split and order of what comes off the line, and for any clock.

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck.h>

#include "beacon/h4_framer.h"
#include "beacon/hci_events.h"
#include "beacon/hci_host.h"
#include "beacon/tracker.h"
#include "tests/unit/beacon/adverts.h"
#include "tests/unit/beacon/controller_emulator.h"

namespace welcome::beacon {
namespace {

using namespace testing;

std::vector<IdentityKey> people() {
  return {phone("ann", 1, 7), phone("ben", 2, 4), phone("cem", 3, 10, IdentityKind::rotating_uuid),
          phone("dee", 4, 0, IdentityKind::irk), fob("mia")};
}

AdvertReport advert_of(const IdentityKey& key, const Now& now) {
  if (key.kind == IdentityKind::ibeacon) return fob_advert(key, -60, now);
  if (key.kind == IdentityKind::irk) {
    AdvertReport r = report({}, -60, now);
    r.address = address_of(key, 0x123456);
    return r;
  }
  return phone_advert(key, -60, now);
}

AdvertReport stranger(unsigned n, const Now& now) {
  AdvertReport r = phone_advert(phone("nobody", 1000 + n), -70, now);
  r.address[5] = static_cast<std::uint8_t>(n);
  return r;
}

using Heard = std::map<std::string, int>;

TEST(RadioProperties, AnySplitAndOrderOfEventsGivesTheSameIdentities) {
  const bool holds = rc::check("same identities", [] {
    const Now now = now_at(5);
    const auto keys = people();
    // Who is heard how often, and among how many strangers.
    std::vector<AdvertReport> air;
    Heard expected;
    for (const auto& key : keys) {
      const int times = *rc::gen::inRange(0, 5);
      for (int i = 0; i < times; ++i) air.push_back(advert_of(key, now));
      if (times > 0) expected[key.customer.str()] = times;
    }
    const auto strangers = *rc::gen::inRange<unsigned>(0, 30);
    for (unsigned i = 0; i < strangers; ++i) air.push_back(stranger(i, now));
    const auto order = *rc::gen::container<std::vector<unsigned>>(
        air.size(), rc::gen::inRange<unsigned>(0, 1'000'000));
    std::vector<std::size_t> shuffled(air.size());
    for (std::size_t i = 0; i < air.size(); ++i) shuffled[i] = i;
    std::stable_sort(shuffled.begin(), shuffled.end(),
                     [&](std::size_t a, std::size_t b) { return order[a] < order[b]; });

    // As a controller sends them over a line, with bytes that belong to nothing in between.
    std::vector<std::uint8_t> line;
    for (const std::size_t i : shuffled) {
      if (order[i] % 7 == 0) line.insert(line.end(), {0x00, 0xFF, 0x02});
      line.push_back(0x04);
      const auto event = make_advertising_event(air[i]);
      line.insert(line.end(), event.begin(), event.end());
    }

    ControllerEmulator radio;
    HciHost host({}, [&](std::span<const std::uint8_t> p) { radio.take(p); });
    host.start(now);
    std::vector<AdvertReport> reports;
    for (; !radio.to_host.empty(); radio.to_host.pop_front()) {
      host.receive(radio.to_host.front(), now, reports);
    }
    Tracker tracker;
    tracker.set_identities(keys, now);
    tracker.tick(now);
    Heard heard;
    H4Framer framer;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t piece =
          std::min<std::size_t>(*rc::gen::inRange<std::size_t>(1, 200), line.size() - at);
      std::vector<std::vector<std::uint8_t>> packets;
      framer.feed(std::span(line).subspan(at, piece), packets);
      at += piece;
      reports.clear();
      for (const auto& packet : packets) host.receive(packet, now, reports);
      for (const auto& one : reports) {
        tracker.handle(one, now);
        if (tracker.last_match()) ++heard[tracker.customer(*tracker.last_match()).str()];
      }
    }
    RC_ASSERT(heard == expected);
  });
  EXPECT_TRUE(holds);
}

// The box's wall clock is set forwards and backwards, by seconds or by years, at any time; the
// phone's own clock runs on, up to 150 ppm wrong. While the box's clock is right, she is heard; at
// no time is anybody else.
TEST(RadioProperties, NoClockBreaksRecognition) {
  const bool holds = rc::check("heard whenever the clock is right", [] {
    const auto kind = *rc::gen::element(IdentityKind::eddystone_eid, IdentityKind::rotating_uuid);
    const IdentityKey ann = phone("ann", 1, *rc::gen::inRange(0U, 16U), kind);
    const double ppm = *rc::gen::inRange(-150, 151);
    Tracker tracker;
    tracker.set_identities({ann, phone("ben", 2), fob("mia")}, now_at(0));
    double t = 0;
    double wrong = 0;  // by how much the box's clock is off
    const int steps = *rc::gen::inRange(1, 30);
    for (int i = 0; i < steps; ++i) {
      if (*rc::gen::inRange(0, 3) == 0) {
        wrong = *rc::gen::element(0.0, 0.0, 3600.0, -3600.0, 7200.0, 86400.0 * 365, -86400.0 * 20);
      }
      // Heard every few minutes, as the drift is learnt by hearing.
      t += *rc::gen::inRange(1, 300);
      Now now = now_at(t);
      now.wall += std::chrono::milliseconds{static_cast<std::int64_t>(wrong * 1000)};
      tracker.tick(now);
      tracker.tick(now);
      Now real = now_at(t);
      AdvertReport r = phone_advert(ann, -60, real, t * ppm * 1e-6);
      r.at = now.mono;
      for (const auto& claim : tracker.handle(r, now)) RC_ASSERT(claim.customer.str() == "ann");
      if (wrong == 0) RC_ASSERT(tracker.last_match().has_value());
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace welcome::beacon
