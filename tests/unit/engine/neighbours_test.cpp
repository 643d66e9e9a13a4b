// SPDX-License-Identifier: Apache-2.0
// Several boxes of a store on one floor: their trackers and what they tell each other, over a wire
// that delays, loses and reorders, with clocks that have nothing in common.

#include "firmware/engine/neighbours.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "contract/message.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
using beacon::IdentityKey;
using beacon::Tracker;
using beacon::TrackerConfig;
using beacon::testing::fob;
using beacon::testing::fob_advert;
using beacon::testing::phone;
using beacon::testing::phone_advert;

constexpr StoreKey kKey{1, 2, 3};

struct Box {
  Box(const std::string& its_name, Zone its_zone, double at_metres, std::chrono::seconds mono,
      std::chrono::seconds wall, const StoreKey& key = kKey)
      : name(its_name),
        zone(its_zone),
        metres(at_metres),
        mono_ahead(mono),
        wall_ahead(wall),
        tracker(TrackerConfig::in_store({its_name, its_zone})),
        talk({"demo", "aroma-1", its_name}, its_zone, key, 1) {}

  Now now(double t) const {
    Now now = beacon::testing::now_at(t);
    now.mono += mono_ahead;
    now.wall += wall_ahead;
    return now;
  }
  // Visits begin and end as the pipeline's do, but for its patience.
  void keep(const std::vector<IdentityClaim>& claims, const Now& now) {
    for (const auto& claim : claims) {
      last[claim.customer] = claim;
      if (claim.fast == Zone::away) {
        visits.erase(claim.customer);
      } else if (!visits.contains(claim.customer)) {
        visits[claim.customer] = talk.visit_elsewhere(claim.customer, tracker, now)
                                     .value_or(VisitId(contract::new_uuid()));
        begun.insert(visits[claim.customer]);
      }
    }
  }

  std::string name;
  Zone zone;
  double metres;
  std::chrono::seconds mono_ahead, wall_ahead;
  Tracker tracker;
  Neighbours talk;
  std::map<CustomerId, IdentityClaim> last;
  Neighbours::Visits visits;
  std::set<VisitId> begun;
  bool running = true;
};

class Store {
 public:
  explicit Store(std::uint32_t seed) : dice_(seed) {}

  Box& add(const std::string& name, Zone zone, double metres, std::chrono::seconds mono = 0s,
           std::chrono::seconds wall = 0s) {
    boxes.push_back(std::make_unique<Box>(name, zone, metres, mono, wall));
    return *boxes.back();
  }
  void know(const std::vector<IdentityKey>& keys) {
    for (auto& box : boxes) {
      box->tracker.set_identities(keys, box->now(t));
      for (int i = 0; i < 10; ++i) box->keep(box->tracker.tick(box->now(t)), box->now(t));
    }
  }
  double uniform() { return static_cast<double>(dice_() % 10'000) / 10'000.0; }

  // `where`: metres along the store, or nothing: she is not here.
  template <class Where>
  void run(const IdentityKey& key, double seconds, Where&& where) {
    const double end = t + seconds;
    for (; t < end - 1e-9; t += 0.05) {
      const std::optional<double> at = where(t);
      const bool sends = ++beat_ % 3 == 0;
      for (auto& box : boxes) {
        if (!box->running) continue;
        deliver(*box);
        const Now now = box->now(t);
        box->keep(box->tracker.tick(now), now);
        if (at && sends) {
          const double d = std::max(0.5, std::abs(*at - box->metres));
          const double rssi = -59.0 - 22.0 * std::log10(d) + 6.0 * (uniform() - 0.5);
          if (rssi > -95 && uniform() > 0.2) {
            box->keep(box->tracker.handle(advert(key, *box, static_cast<int>(rssi), now), now),
                      now);
          }
        }
        if (box->talk.due(box->tracker, now))
          send(*box, box->talk.tell(box->tracker, box->visits, now));
      }
    }
  }
  template <class Key>
  beacon::AdvertReport advert(const Key& key, const Box& box, int rssi, const Now& now) {
    // Her device has the true time, whatever the box thinks.
    Now true_time = now;
    true_time.wall -= box.wall_ahead;
    auto report = key.kind == beacon::IdentityKind::ibeacon ? fob_advert(key, rssi, now)
                                                            : phone_advert(key, rssi, true_time);
    if (const auto it = device_at.find(box.name); it != device_at.end()) {
      report.address[5] = it->second;
    }
    return report;
  }

  void send(const Box& from, contract::FloorRanging word) {
    for (auto& to : boxes) {
      if (to.get() != &from && uniform() >= lost)
        wire_[to.get()].emplace(t + uniform() * delay, word);
    }
  }
  int leaders() {
    int n = 0;
    for (auto& box : boxes) {
      if (!box->running) continue;
      for (const auto& [customer, say] : box->tracker.say(box->now(t))) n += say.leads ? 1 : 0;
    }
    return n;
  }

  std::vector<std::unique_ptr<Box>> boxes;
  std::map<std::string, std::uint8_t> device_at;  // which of several devices a box hears
  double t = 0;
  double delay = 0.3;
  double lost = 0.2;

 private:
  void deliver(Box& box) {
    auto& wire = wire_[&box];
    while (!wire.empty() && wire.begin()->first <= t) {
      box.keep(box.talk.hear(wire.begin()->second, box.tracker, box.now(t)), box.now(t));
      wire.erase(wire.begin());
    }
  }

  std::minstd_rand dice_;
  std::map<Box*, std::multimap<double, contract::FloorRanging>> wire_;
  unsigned beat_ = 0;
};

const CustomerId kAnn("ann");

// Door at 0 m, inside at 9 m, desk at 18 m. Clocks hours and days apart; EIDs need the wall clock,
// so only the fob is heard by boxes whose wall clock is wrong.
class Neighbourhood : public testing::TestWithParam<std::uint32_t> {
 protected:
  Neighbourhood() : store_(GetParam()) {
    const auto hours = [&] {
      return std::chrono::seconds(static_cast<int>(store_.uniform() * 90'000));
    };
    store_.add("box-1", Zone::door, 0, hours(), hours() - 45'000s);
    store_.add("box-2", Zone::inside, 9, hours(), hours() - 45'000s);
    store_.add("box-3", Zone::desk, 18, hours(), hours() - 45'000s);
    store_.know({ann_});
  }
  const IdentityKey ann_ = fob("ann");
  Store store_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, Neighbourhood, testing::Range(1U, 21U));

TEST_P(Neighbourhood, AgreesWhereSheIsWhileSheWalksAndWhereSheStays) {
  store_.run(ann_, 10, [](double) { return 1.0; });
  int differ = 0;
  int looked = 0;
  const double start = store_.t;
  const auto walk = [&](double t) { return std::min(17.0, 1.0 + 0.8 * (t - start)); };
  while (store_.t < start + 60) {
    store_.run(ann_, 0.5, walk);
    ++looked;
    for (auto& box : store_.boxes) {
      if (box->last.contains(kAnn) &&
          box->last[kAnn].settled != store_.boxes[0]->last[kAnn].settled) {
        ++differ;
        break;
      }
    }
  }
  EXPECT_LE(differ, looked / 8) << "a change takes a message to get through";
  for (auto& box : store_.boxes) {
    EXPECT_EQ(box->last[kAnn].settled, Zone::desk) << box->name;
    EXPECT_EQ(box->last[kAnn].fast, Zone::desk) << box->name;
  }
  EXPECT_EQ(store_.leaders(), 1);
}

// From the door to the desk and out, twice: each time the boxes that heard her have one id for it.
TEST_P(Neighbourhood, AVisitHasOneIdInAllBoxes) {
  store_.lost = 0.0;
  for (int times = 1; times <= 2; ++times) {
    const double start = store_.t;
    std::set<VisitId> ids;
    std::set<VisitId> at_once;
    while (store_.t < start + 90) {
      store_.run(ann_, 0.25, [&](double t) { return std::min(17.0, 0.3 * (t - start)); });
      at_once.clear();
      for (auto& box : store_.boxes) {
        if (const auto visit = box->visits.find(kAnn); visit != box->visits.end()) {
          at_once.insert(visit->second);
        }
      }
      ASSERT_LE(at_once.size(), 1U) << store_.t - start;
      ids.insert(at_once.begin(), at_once.end());
    }
    EXPECT_EQ(ids.size(), 1U);
    store_.run(ann_, 30, [](double) { return std::nullopt; });
  }
  std::set<VisitId> all;
  for (auto& box : store_.boxes) {
    EXPECT_EQ(box->begun.size(), 2U) << box->name;
    all.insert(box->begun.begin(), box->begun.end());
  }
  EXPECT_EQ(all.size(), 2U);
}

TEST_P(Neighbourhood, WhoTakesOverGoesOnWithTheSameVisit) {
  store_.lost = 0.0;
  store_.run(ann_, 20, [](double) { return 9.0; });
  const VisitId visit = store_.boxes[0]->visits.at(kAnn);
  store_.boxes[0]->running = false;
  store_.run(ann_, 20, [](double) { return 9.0; });
  for (const std::size_t i : {1U, 2U}) EXPECT_EQ(store_.boxes[i]->visits.at(kAnn), visit);
  EXPECT_EQ(store_.leaders(), 1);
}

TEST_P(Neighbourhood, NobodyIsStuckAtHome) {
  store_.run(ann_, 40, [](double) { return 9.0; });
  const double left = store_.t;
  while (store_.t < left + 20 + 1.0) store_.run(ann_, 0.25, [](double) { return std::nullopt; });
  for (auto& box : store_.boxes) {
    EXPECT_EQ(box->last[kAnn].settled, Zone::away) << box->name;
    EXPECT_EQ(box->tracker.present(), 0U) << box->name;
    const auto at = box->last[kAnn].at - box->now(left).mono;
    EXPECT_GE(at, 18s) << box->name;
  }
}

TEST_P(Neighbourhood, ABoxThatVanishesNoLongerCounts) {
  store_.run(ann_, 40, [](double) { return 17.0; });
  ASSERT_EQ(store_.boxes[0]->last[kAnn].settled, Zone::desk);
  store_.boxes[2]->running = false;
  store_.run(ann_, 30, [](double) { return 17.0; });
  for (std::size_t i : {0U, 1U}) {
    // The next best hears her at 8 m.
    EXPECT_EQ(store_.boxes[i]->last[kAnn].settled, Zone::inside) << i;
  }
  EXPECT_EQ(store_.leaders(), 1) << "somebody took over";
}

TEST_P(Neighbourhood, ALineThatWasCutHealsToOneWord) {
  store_.run(ann_, 15, [](double) { return 9.0; });
  store_.lost = 1.0;
  store_.run(ann_, 15, [](double) { return 9.0; });
  EXPECT_GE(store_.leaders(), 2) << "each for itself";
  store_.lost = 0.2;
  store_.run(ann_, 5, [](double) { return 9.0; });
  EXPECT_EQ(store_.leaders(), 1);
  for (auto& box : store_.boxes) EXPECT_EQ(box->last[kAnn].settled, Zone::inside) << box->name;
}

TEST_P(Neighbourhood, AFobHeardFromTwoDevicesInTwoPlacesIsDoubtedByAllBoxes) {
  store_.device_at = {{"box-1", 1}, {"box-2", 2}, {"box-3", 2}};
  store_.run(ann_, 60, [](double) { return 9.0; });
  for (auto& box : store_.boxes) {
    EXPECT_EQ(box->tracker.counters().copies, 1U) << box->name;
    EXPECT_EQ(box->tracker.take_copied(), std::vector<CustomerId>{kAnn});
    EXPECT_GT(box->tracker.counters().copied, 10U) << box->name;
    EXPECT_EQ(box->tracker.present(), 1U) << box->name << ": the visit goes on";
  }
}

TEST_P(Neighbourhood, ADeviceThatChangesItsAddressIsNoCopy) {
  for (std::uint8_t address = 1; address < 8; ++address) {
    for (auto& box : store_.boxes) store_.device_at[box->name] = address;
    store_.run(ann_, 15, [](double) { return 9.0; });
  }
  for (auto& box : store_.boxes) EXPECT_EQ(box->tracker.counters().copies, 0U) << box->name;
}

struct Pair : testing::Test {
  Pair() : one("box-1", Zone::door, 0, 0s, 0s), two("box-2", Zone::desk, 5, 7s, 0s) {
    for (Box* box : {&one, &two}) {
      box->tracker.set_identities({ann}, box->now(0));
      box->tracker.handle(fob_advert(ann, -60, box->now(0)), box->now(0));
    }
  }
  contract::FloorRanging word(double t) {
    return two.talk.tell(two.tracker, two.visits, two.now(t));
  }

  const IdentityKey ann = fob("ann");
  Box one, two;
};

TEST_F(Pair, NothingOnTheWireSaysWhoSheIs) {
  const auto said = word(1);
  ASSERT_EQ(said.heard.size(), 1U);
  const std::string text = contract::encode_ranging(said).payload;
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("ann")));
  EXPECT_TRUE(contract::validate("floor.ranging", text));
  const auto tomorrow = word(24 * 3600);
  EXPECT_NE(tomorrow.day, said.day);
  two.tracker.handle(fob_advert(ann, -60, two.now(24 * 3600)), two.now(24 * 3600));
  EXPECT_NE(word(24 * 3600 + 1).heard.at(0).who, said.heard.at(0).who);
  Box other("box-2", Zone::desk, 5, 0s, 0s, StoreKey{9});
  other.tracker.set_identities({ann}, other.now(0));
  other.tracker.handle(fob_advert(ann, -60, other.now(1)), other.now(1));
  EXPECT_NE(other.talk.tell(other.tracker, {}, other.now(1)).heard.at(0).who, said.heard.at(0).who);
}

TEST_F(Pair, WhatItSaysComesThroughTheContractUnchanged) {
  const auto said = word(1);
  contract::RawMessage raw;
  raw.topic = contract::ranging_topic("box-2");
  raw.payload = contract::encode_ranging(said).payload;
  const auto read = contract::decode_for_box({"demo", "aroma-1", "box-1"}, raw);
  ASSERT_TRUE(read) << read.error().message;
  const auto& back = std::get<contract::FloorRanging>(*read);
  EXPECT_EQ(contract::encode_ranging(back).payload, raw.payload);
  EXPECT_FALSE(contract::decode_for_box({"demo", "another", "box-1"}, raw)) << "another store";
  raw.topic = contract::ranging_topic("box-3");
  EXPECT_FALSE(contract::decode_for_box({"demo", "aroma-1", "box-1"}, raw)) << "in another's name";
}

TEST_F(Pair, LateAndRepeatedWordsAndAWillOfAnOldSessionChangeNothing) {
  const auto first = word(1);
  const auto second = word(2);
  one.talk.hear(second, one.tracker, one.now(2));
  one.talk.hear(first, one.tracker, one.now(2.1));
  one.talk.hear(second, one.tracker, one.now(2.2));
  auto old_will = Neighbours::gone({"demo", "aroma-1", "box-2"}, Zone::desk, 0, one.now(2).wall);
  one.talk.hear(old_will, one.tracker, one.now(2.3));
  EXPECT_EQ(one.talk.status(one.now(2.5))["late"], 3);
  EXPECT_EQ(one.talk.status(one.now(2.5))["boxes"][0]["state"], "here");
  old_will.session = 1;
  one.talk.hear(old_will, one.tracker, one.now(2.6));
  EXPECT_EQ(one.talk.status(one.now(2.7))["boxes"][0]["state"], "away");
  one.talk.hear(word(3), one.tracker, one.now(3));
  EXPECT_EQ(one.talk.status(one.now(3))["boxes"][0]["state"], "here");
  EXPECT_EQ(one.talk.status(one.now(60))["boxes"][0]["state"], "away");
}

TEST_F(Pair, ABoxThatLostItsDatabaseIsHeardAgainAfterAMinute) {
  auto said = word(1);
  said.session = 50;
  one.talk.hear(said, one.tracker, one.now(1));
  one.talk.hear(word(2), one.tracker, one.now(2));
  EXPECT_EQ(one.talk.status(one.now(2))["late"], 1);
  one.talk.hear(word(70), one.tracker, one.now(70));
  EXPECT_EQ(one.talk.status(one.now(70))["late"], 1);
  EXPECT_EQ(one.talk.status(one.now(70))["boxes"][0]["state"], "here");
}

TEST_F(Pair, AnAgeThatCannotBeKeepsNobodyHere) {
  auto said = word(1);
  said.heard.at(0).heard_ago_ms = -1'000'000;
  one.talk.hear(said, one.tracker, one.now(1));
  for (double t = 1; t < 25; t += 0.1) one.keep(one.tracker.tick(one.now(t)), one.now(t));
  EXPECT_EQ(one.tracker.present(), 0U);
}

TEST_F(Pair, SomebodyWhomThisBoxDoesNotHearIsNotLookedFor) {
  Box three("box-3", Zone::inside, 9, 0s, 0s);
  three.tracker.set_identities({ann}, three.now(0));
  three.keep(three.talk.hear(word(1), three.tracker, three.now(1)), three.now(1));
  EXPECT_TRUE(three.last.empty());
  EXPECT_EQ(three.tracker.present(), 0U);
}

TEST_F(Pair, WhoWithdrewIsInNoWordAnyMore) {
  ASSERT_EQ(word(1).heard.size(), 1U);
  two.tracker.set_identities({}, two.now(1.5));
  EXPECT_TRUE(word(4).heard.empty());
}

TEST_F(Pair, SignsOfLifeAreRareWhileNobodyIsHere) {
  Box quiet("box-9", Zone::inside, 0, 0s, 0s);
  int words = 0;
  for (double t = 0; t < 60; t += 0.05) {
    if (!quiet.talk.due(quiet.tracker, quiet.now(t))) continue;
    (void)quiet.talk.tell(quiet.tracker, {}, quiet.now(t));
    ++words;
  }
  EXPECT_NEAR(words, 30, 2);
}

}  // namespace
}  // namespace welcome::daemon
