// SPDX-License-Identifier: Apache-2.0
// Two boxes of one store, engine, store and all: for the CRM and for the staff a customer is there
// once, whichever box hears her best and whichever box falls over.

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;
using test::kStart;

test::BenchSetup in_the_store(const std::string& name, Zone zone) {
  test::BenchSetup setup;
  setup.ids_after = zone == Zone::desk ? 1'000'000 : 0;
  setup.tweak = [name, zone](daemon::EngineSettings& settings) {
    settings.box.box = name;
    settings.tracker = beacon::TrackerConfig::in_store({name, zone});
    settings.store_key = daemon::StoreKey{4, 5, 6};
    settings.pipeline.visit_timeout = 60s;
  };
  return setup;
}

class StoreVisit : public testing::Test {
 protected:
  StoreVisit() {
    for (test::BenchBox* box : {&door_, &desk_}) {
      box->links_up();
      box->feed_shop();
    }
    paul_.key = beacon::testing::array_from_hex<16>("5b1e0f7a9c3d48264e80b1d2f3657a91");
    paul_.rotation_exponent = 7;
    paul_.clock_zero = WallTime{std::chrono::sys_days{std::chrono::year{2020} / 1 / 1}};
  }

  // So many seconds; `metres` from the door, which is twelve from the desk. Nothing: he is away.
  void run(int seconds, std::optional<double> metres) {
    for (int i = 0; i < seconds * 5; ++i) {
      hear(door_, metres);
      hear(desk_, metres ? std::optional(12.0 - *metres) : std::nullopt);
      for (test::BenchBox* box : {&door_, &desk_}) {
        if (box->running()) box->advance(200ms);
      }
      carry(door_, desk_, said_by_door_);
      carry(desk_, door_, said_by_desk_);
    }
  }
  void hear(test::BenchBox& box, std::optional<double> metres) {
    if (!metres || !box.running()) return;
    const int rssi = static_cast<int>(-59 - 22 * std::log10(std::max(0.7, std::abs(*metres))));
    const auto advert = beacon::testing::phone_advert(paul_, rssi, box.now());
    box.engine().handle(daemon::input::Adverts{{advert}, {}}, box.now());
  }
  static void carry(test::BenchBox& from, test::BenchBox& to, std::size_t& done) {
    const auto& sent = from.world().sent;
    for (; done < sent.size(); ++done) {
      const auto& message = sent[done].message;
      if (to.running() && message.topic.find("/ranging/") != std::string::npos) {
        to.inbound(LinkName::floor, message.topic, message.payload);
      }
    }
  }

  // Visit ids of what that box told the CRM.
  static std::vector<std::string> told(const test::BenchBox& box, const std::string& type) {
    std::vector<std::string> visits;
    for (const json& event : box.events(type)) visits.push_back(event["data"]["visit"]);
    return visits;
  }
  std::vector<std::string> told(const std::string& type) const {
    auto all = told(door_, type);
    for (auto& visit : told(desk_, type)) all.push_back(std::move(visit));
    return all;
  }
  static std::string open_visit(test::BenchBox& box) {
    for (const auto& row : box.engine().visits()) {
      if (row["ended"].is_null()) return row["visit"];
    }
    return "";
  }

  beacon::IdentityKey paul_;
  test::BenchBox door_{kStart, in_the_store("box-1", Zone::door)};
  test::BenchBox desk_{kStart, in_the_store("box-2", Zone::desk)};
  std::size_t said_by_door_ = 0;
  std::size_t said_by_desk_ = 0;
};

TEST_F(StoreVisit, WhoWalksFromOneBoxToTheOtherIsOneVisitForTheCrm) {
  run(2, std::nullopt);
  run(20, 1.0);
  const std::string visit = open_visit(door_);
  ASSERT_FALSE(visit.empty());
  EXPECT_EQ(open_visit(desk_), visit);
  run(30, 11.0);
  EXPECT_EQ(open_visit(door_), visit);
  EXPECT_EQ(open_visit(desk_), visit);
  run(180, std::nullopt);
  EXPECT_EQ(told("visit.started"), std::vector<std::string>{visit});
  EXPECT_EQ(told("visit.ended"), std::vector<std::string>{visit});
  EXPECT_GE(told("visit.moved").size(), 1U);
  EXPECT_TRUE(told(desk_, "visit.").empty()) << "the door met him first and told of him";
}

TEST_F(StoreVisit, ABoxThatFallsOverLeavesTheVisitToTheOther) {
  run(2, std::nullopt);
  run(20, 6.0);
  const std::string visit = open_visit(door_);
  ASSERT_EQ(told(door_, "visit.started"), std::vector<std::string>{visit});
  door_.power_off();
  run(30, 11.0);
  EXPECT_EQ(open_visit(desk_), visit);
  run(180, std::nullopt);
  EXPECT_EQ(told("visit.started"), std::vector<std::string>{visit});
  EXPECT_EQ(told(desk_, "visit.ended"), std::vector<std::string>{visit});
}

TEST_F(StoreVisit, ABoxThatComesBackTellsNothingOfAVisitThatTheOtherLeads) {
  run(2, std::nullopt);
  run(20, 6.0);
  const std::string visit = open_visit(door_);
  desk_.power_cycle();
  desk_.links_up();
  run(200, 0.7);
  EXPECT_TRUE(told("visit.ended").empty());
  run(180, std::nullopt);
  EXPECT_EQ(told("visit.started"), std::vector<std::string>{visit});
  EXPECT_EQ(told("visit.ended"), std::vector<std::string>{visit});
}

TEST_F(StoreVisit, StaffSeeOneCard) {
  run(2, std::nullopt);
  run(20, 1.0);
  run(20, 11.0);
  std::set<std::string> topics;
  for (test::BenchBox* box : {&door_, &desk_}) {
    for (const auto& one : box->world().sent) {
      if (one.message.topic.find("/prompt/") != std::string::npos) topics.insert(one.message.topic);
    }
  }
  EXPECT_EQ(topics, std::set<std::string>{"welcome/v1/floor/prompt/" + open_visit(door_)});
}

}  // namespace
}  // namespace welcome
