// SPDX-License-Identifier: Apache-2.0
// A recorded day gives the same messages every time, byte for byte: the capture of the shop goes
// through the real tracker, pipeline, store and codec, and what leaves the box is compared with a
// golden file. After a wanted change: WELCOME_GOLDEN=write, and read the difference.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unistd.h>

#include "beacon/capture_source.h"
#include "harness/bench_box.h"

namespace welcome {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;
using test::kStart;

constexpr auto kEnd = 240s;

std::vector<beacon::AdvertReport> shop_capture(int seed) {
  const fs::path file = fs::path(testing::TempDir()) /
                        ("shop-" + std::to_string(::getpid()) + "-" + std::to_string(seed));
  const std::string command = std::string(WELCOME_SHOP) + " --out " + file.string() + " --start " +
                              std::to_string(kStart.time_since_epoch().count()) + " --seed " +
                              std::to_string(seed) + " 2>/dev/null";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("welcome-shop failed");

  std::vector<beacon::AdvertReport> reports;
  std::promise<void> ended;
  auto source = beacon::make_capture_source(file);
  source->start({[&](std::vector<beacon::AdvertReport> some) {
                   for (auto& report : some) reports.push_back(std::move(report));
                 },
                 [&](const beacon::SourceStatus& status) {
                   if (status.state == beacon::SourceState::ended ||
                       status.state == beacon::SourceState::failed) {
                     ended.set_value();
                   }
                 }});
  ended.get_future().wait();
  source->stop();
  fs::remove(file);
  for (auto& report : reports)
    report.at = MonoTime(report.at - MonoTime(kStart.time_since_epoch()));
  return reports;
}

// What happens beside the radio. Faces are as the camera of the demo confirms them.
struct Play {
  std::chrono::seconds at;
  std::function<void(test::BenchBox&)> what;
};

void prompt_action(test::BenchBox& box, const std::string& name, json action) {
  for (auto sent = box.world().sent.rbegin(); sent != box.world().sent.rend(); ++sent) {
    if (sent->message.link != LinkName::floor || sent->message.payload.empty()) continue;
    const json prompt = json::parse(sent->message.payload);
    if (!prompt.contains("greet") || prompt["greet"]["name"] != name) continue;
    const std::string visit = prompt["visit"];
    static int count = 0;
    char id[40];
    std::snprintf(id, sizeof id, "00000000-0000-4000-9000-%012x", ++count);
    action.update({{"v", 1}, {"id", id}, {"visit", visit}, {"sign_in", box.sign_in()}});
    box.tablet_says("action/" + visit, action);
    return;
  }
  ADD_FAILURE() << "no prompt to act on";
}

// Everything that left the box, a line each.
std::string play(int seed, std::optional<std::chrono::seconds> plug_pulled_at = {}) {
  test::BenchBox box(kStart);
  box.links_up();
  box.feed_shop();
  box.feed_staff({"eva"});

  std::vector<Play> plays{
      {70s,
       [](auto& b) {
         prompt_action(b, "Paul Moreau", {{"kind", "claim"}});
       }},
      {80s,
       [](auto& b) {
         prompt_action(b, "Paul Moreau", {{"kind", "served"}});
       }},
      {81s,
       [](auto& b) {
         prompt_action(b, "Paul Moreau", {{"kind", "note"}, {"text", "Asked about the grinder."}});
       }},
  };
  if (plug_pulled_at) {
    plays.push_back({*plug_pulled_at, [](auto& b) {
                       b.power_cycle();
                       b.links_up();
                     }});
  }
  std::stable_sort(plays.begin(), plays.end(),
                   [](const Play& a, const Play& b) { return a.at < b.at; });

  auto next = plays.begin();
  const auto advance_to = [&](MonoTime to) {
    while (next != plays.end() && MonoTime(next->at) <= to) {
      box.advance(MonoTime(next->at) - box.now().mono);
      next->what(box);
      ++next;
    }
    box.advance(to - box.now().mono);
  };
  for (auto& report : shop_capture(seed)) {
    advance_to(report.at);
    box.engine().handle(daemon::input::Adverts{{report}, {}}, box.now());
    box.ack_all();
  }
  advance_to(MonoTime(kEnd));

  std::ostringstream out;
  for (const auto& sent : box.world().sent) {
    out << sent.at.time_since_epoch().count() / 1000 << ' ' << sent.message.topic << ' '
        << sent.message.payload << '\n';
  }
  return out.str();
}

TEST(ShopReplay, GivesTheMessagesOfTheGoldenFile) {
  const std::string got = play(1);
  const fs::path golden = fs::path(REPLAY_DATA) / "shop.golden";
  if (const char* mode = std::getenv("WELCOME_GOLDEN"); mode != nullptr) {
    std::ofstream(golden) << got;
    GTEST_SKIP() << "the golden file was written";
  }
  std::ifstream in(golden);
  const std::string wanted{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(got, wanted);
}

TEST(ShopReplay, IsTheSameTwice) { EXPECT_EQ(play(2), play(2)); }

std::vector<json> events(const std::string& log, const std::string& type) {
  std::vector<json> found;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto payload = line.find(' ', line.find(' ') + 1);
    const json message = json::parse(line.substr(payload + 1), nullptr, false);
    if (message.is_object() && message.value("type", "").find(type) != std::string::npos) {
      found.push_back(message);
    }
  }
  return found;
}

TEST(ShopReplay, TellsTheStory) {
  const std::string log = play(1);
  const auto offers = events(log, "decision.offer");
  ASSERT_FALSE(offers.empty());
  EXPECT_EQ(offers.front()["subject"], "c-paul");
  EXPECT_FALSE(events(log, "decision.suppressed").empty()) << "the second walk-by is capped";
  EXPECT_THAT(log, testing::HasSubstr("\"text\":\"Asked about the grinder.\""));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("Mia"))) << "offers only: no prompt names her";
}

TEST(ShopReplay, APulledPlugLosesNoOfferAndRepeatsNone) {
  const auto whole = events(play(1), "decision.offer");
  for (const auto at : {12s, 20s, 30s, 75s, 100s, 160s}) {
    std::map<std::string, int> offers;  // by customer; the campaign allows one a day
    for (const auto& offer : events(play(1, at), "decision.offer")) ++offers[offer["subject"]];
    for (const auto& [customer, count] : offers) {
      EXPECT_EQ(count, 1) << customer << ", plug pulled at " << at.count() << " s";
    }
    for (const auto& offer : whole) {
      if (*contract::from_rfc3339(offer["time"].get<std::string>()) < kStart + at) {
        EXPECT_EQ(offers[offer["subject"]], 1) << "plug pulled at " << at.count() << " s";
      }
    }
  }
}

}  // namespace
}  // namespace welcome
