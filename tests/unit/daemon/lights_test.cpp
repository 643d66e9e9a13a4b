// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/lights.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

#include "contract/topics.h"
#include "core/consent_gate.h"
#include "firmware/control/metrics.h"
#include "vision/camera_worker.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
using contract::Lamp;
using contract::Light;
using nlohmann::json;

const WallTime kNow = contract::from_rfc3339("2026-11-30T10:00:00Z").value();

struct Box : Signs {
  json status = json::object();
  json tablets = json::array();
};

std::vector<Finding> findings(const Box& box) {
  return daemon::findings(box.status, box.tablets, box);
}

// It has all it needs.
Box well() {
  Box s;
  s.now = kNow;
  s.status = {
      {"clock",
       {{"trusted", true}, {"deletes", true}, {"quality", "synchronised"}, {"source", "ntp"}}},
      {"links",
       {{"uplink", {{"state", "up"}, {"in_flight", 0}}},
        {"floor", {{"state", "up"}, {"in_flight", 0}}}}},
      {"crm", {{"last_heard", "2026-11-30T09:59:48Z"}}},
      {"radio",
       {{"source", "running"},
        {"detail", ""},
        {"per_second", 208.0},
        {"expected_per_second", 206.1}}},
      {"consents", {{"footing", "firm"}, {"refused", json::object()}, {"signatures_asked", true}}},
      {"paused", json::array()},
      {"rehearsal", false},
      {"decisions", {{"policy", true}}},
      {"cameras", {{"main", {{"health", "asleep"}}}}},
      {"models", {{"pack", "clear"}}},
      {"store", {{"bytes", 2'000'000}, {"trouble", ""}}},
      {"outbox", {{"uplink", 0}}}};
  s.tablets = json::array({{{"tablet", "bar-1"}, {"heard_s_ago", 12}}});
  s.decided = kNow - 3min;
  s.disk_free = 20'000'000'000;
  return s;
}

contract::LightState light(const Box& box, Light which) {
  return findings(box).at(static_cast<std::size_t>(which)).state;
}

TEST(Lights, AHotMachineIsSaid) {
  Box box = well();
  box.temperature = 61.4;
  EXPECT_EQ(light(box, Light::store).lamp, Lamp::green);
  EXPECT_NE(light(box, Light::store).what.find("61 °C"), std::string::npos);
  box.temperature = 80;
  EXPECT_EQ(light(box, Light::store).lamp, Lamp::yellow);
  box.temperature = 95;
  EXPECT_EQ(light(box, Light::store).lamp, Lamp::red);
  box.disk_free = 1'000'000;
  EXPECT_NE(findings(box).at(static_cast<std::size_t>(Light::store)).to_do.find("too hot"),
            std::string::npos);
}

TEST(Lights, ABoxThatIsRetiredAndWasNotDestroyedIsSaid) {
  Box box = well();
  box.status["box"]["retirement"] = "said";
  EXPECT_EQ(light(box, Light::line).lamp, Lamp::yellow);
  box.status["box"]["retirement"] = "confirmed";
  EXPECT_EQ(light(box, Light::line).lamp, Lamp::red);
  EXPECT_NE(light(box, Light::line).what.find("retired"), std::string::npos);
}

TEST(Lights, AreAllGreenOnABoxThatIsWell) {
  const auto all = findings(well());
  ASSERT_EQ(all.size(), 9U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].state.light, static_cast<Light>(i)) << "in their order";
    EXPECT_EQ(all[i].state.lamp, Lamp::green) << to_string(all[i].state.light);
    EXPECT_EQ(all[i].to_do, "");
  }
  EXPECT_EQ(all[3].state.what, "208 adverts a second");
  EXPECT_EQ(all[7].state.what, "they count; the CRM was heard 12 s ago");
  EXPECT_EQ(all[8].state.what, "the last was 3 min ago");
  EXPECT_TRUE(troubles_of(all).empty());
}

// What is changed, which light it is, and how it shines then.
struct Fault {
  const char* path;
  json value;
  Light which;
  Lamp lamp;
  const char* what;
};

class EachFault : public testing::TestWithParam<Fault> {};

TEST_P(EachFault, IsSeenInItsLightAndInNoOther) {
  const Fault& fault = GetParam();
  Box box = well();
  box.status[json::json_pointer(fault.path)] = fault.value;
  for (const Finding& f : findings(box)) {
    if (f.state.light != fault.which) {
      EXPECT_EQ(f.state.lamp, Lamp::green) << to_string(f.state.light);
      continue;
    }
    EXPECT_EQ(f.state.lamp, fault.lamp) << f.state.what;
    EXPECT_THAT(f.state.what, testing::HasSubstr(fault.what));
    EXPECT_TRUE(f.state.lamp != Lamp::red || !f.to_do.empty()) << "nobody knows what to do";
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, EachFault,
    testing::Values(
        Fault{"/clock/trusted", false, Light::clock, Lamp::red, "nobody has said the time"},
        Fault{"/clock/deletes", false, Light::clock, Lamp::yellow, "nothing is deleted by age"},
        Fault{"/links/uplink",
              {{"state", "down"}, {"why", "connection refused"}},
              Light::line,
              Lamp::red,
              "connection refused"},
        Fault{"/links/uplink/why", "the CRM has not spoken yet", Light::line, Lamp::yellow,
              "has not spoken"},
        Fault{"/outbox/uplink", 5000, Light::line, Lamp::yellow, "5000 messages wait"},
        Fault{"/links/floor/state", "down", Light::floor, Lamp::red, "down"},
        Fault{"/radio/source", "recovering", Light::radio, Lamp::red, "recovering"},
        Fault{"/radio/source", "failed", Light::radio, Lamp::red, "failed"},
        Fault{"/radio/per_second", 3, Light::radio, Lamp::yellow, "much less than usual"},
        Fault{"/cameras/main",
              {{"health", "gone"}, {"why", "there is no such device"}},
              Light::camera,
              Lamp::red,
              "there is no such device"},
        Fault{"/cameras/main/health", "black", Light::camera, Lamp::red, "main black"},
        Fault{"/cameras/main/hint", "turn it", Light::camera, Lamp::yellow, "turn it"},
        Fault{"/store/trouble", "the disk is full", Light::store, Lamp::red, "the disk is full"},
        Fault{"/consents/footing", "clock not set", Light::consents, Lamp::red, "clock not set"},
        Fault{"/consents/signatures_asked", false, Light::consents, Lamp::yellow, "nobody signed"},
        Fault{"/consents/refused", {{"unsigned", 2}}, Light::consents, Lamp::yellow, "refused"},
        Fault{"/decisions/policy", false, Light::decisions, Lamp::yellow, "no policy"},
        Fault{"/paused", json::array({"offers"}), Light::decisions, Lamp::yellow,
              "paused by head office"},
        Fault{"/paused_here", json::array({"offers: bothers"}), Light::decisions, Lamp::yellow,
              "paused in the shop: offers: bothers"},
        Fault{"/rehearsal", true, Light::decisions, Lamp::yellow, "rehearsal"}));

TEST(Lights, SayWhatIsNotSetUp) {
  Box box = well();
  box.status.erase("radio");
  box.status.erase("cameras");
  EXPECT_EQ(light(box, Light::radio).lamp, Lamp::off);
  EXPECT_EQ(light(box, Light::camera).lamp, Lamp::off);
  EXPECT_EQ(light(box, Light::models).lamp, Lamp::off);
  for (const Finding& f : findings(Box{})) EXPECT_FALSE(f.state.what.empty());
}

TEST(Lights, TellAWrongKeyFromACrmThatIsAway) {
  Box box = well();
  box.status["links"]["uplink"]["why"] = "the CRM has not spoken yet";
  box.status["crm"]["refused"] = {{"refused", 14}};
  EXPECT_EQ(light(box, Light::line).lamp, Lamp::yellow);
  EXPECT_THAT(light(box, Light::line).what, testing::HasSubstr("not signed"));
}

TEST(Lights, CountTheDaysOfTheCertificate) {
  Box box = well();
  const auto line = [&](std::chrono::hours left) {
    box.certificate_ends = kNow + left;
    return light(box, Light::line);
  };
  EXPECT_EQ(line(24h * 90).lamp, Lamp::green);
  EXPECT_EQ(line(24h * 90).what, "up, the certificate is good for 90 days");
  EXPECT_EQ(line(24h * 29).lamp, Lamp::yellow);
  EXPECT_EQ(line(-24h * 3).lamp, Lamp::red);
  EXPECT_EQ(line(-24h * 3).what, "the certificate ended 3 days ago");
}

TEST(Lights, LookAtTheDisk) {
  Box box = well();
  box.disk_free = 400'000'000;
  EXPECT_EQ(light(box, Light::store).lamp, Lamp::yellow);
  box.disk_free = 10'000'000;
  EXPECT_EQ(light(box, Light::store).lamp, Lamp::red);
  EXPECT_EQ(light(box, Light::store).what, "2 MB of data, 10 MB free");
}

TEST(Lights, LookForTablets) {
  Box box = well();
  box.tablets = json::array({{{"tablet", "bar-1"}, {"heard_s_ago", 7200}},
                             {{"tablet", "bar-2"}, {"heard_s_ago", nullptr}}});
  EXPECT_EQ(light(box, Light::floor).lamp, Lamp::yellow);
  EXPECT_EQ(light(box, Light::floor).what, "up, 0 of 2 tablets heard lately");
  box.tablets = json::array();
  EXPECT_EQ(light(box, Light::floor).lamp, Lamp::yellow);
}

TEST(Lights, TellTheTabletsOfRadioAndCamera) {
  Box box = well();
  box.status["radio"]["source"] = "recovering";
  box.status["cameras"]["main"]["health"] = "gone";
  box.status["links"]["uplink"]["state"] = "down";
  EXPECT_THAT(troubles_of(findings(box)),
              testing::ElementsAre(contract::Trouble::radio, contract::Trouble::camera));
}

TEST(Lights, FitTheContractWhateverADeviceAnswers) {
  Box box = well();
  box.status["radio"]["source"] = "failed";
  box.status["radio"]["detail"] = std::string(1000, 'x');
  EXPECT_EQ(light(box, Light::radio).what.size(), contract::kLightWords);
}

TEST(LightsWatch, TellsOnceOfWhatStays) {
  LightsWatch watch;
  // Whether others are to be told after this look, and told they are.
  const auto tells = [&](const Box& box) {
    watch.look(findings(box));
    const bool news = watch.has_news();
    watch.told();
    return news;
  };
  EXPECT_FALSE(tells(well())) << "it may be a blink";
  EXPECT_TRUE(tells(well()));
  EXPECT_EQ(states_of(watch.steady()).size(), 9U);
  EXPECT_FALSE(tells(well()));
  Box box = well();
  box.status["radio"]["source"] = "recovering";
  EXPECT_FALSE(tells(box));
  EXPECT_FALSE(tells(well())) << "it was a blink";
  EXPECT_FALSE(tells(box));
  EXPECT_TRUE(tells(box));
  EXPECT_EQ(states_of(watch.steady()).at(3).lamp, Lamp::red);
}

// The line was down, or had no room.
TEST(LightsWatch, HasNewsUntilTheyAreTold) {
  LightsWatch watch;
  for (int look = 0; look < 4; ++look) watch.look(findings(well()));
  EXPECT_TRUE(watch.has_news());
  watch.told();
  EXPECT_FALSE(watch.has_news());
}

TEST(Lights, AreAlsoAPartOfTheStatus) {
  Box box = well();
  box.status["radio"]["source"] = "recovering";
  const json lights = lights_json(findings(box));
  EXPECT_EQ(lights.size(), 9U);
  EXPECT_EQ(lights["radio"]["lamp"], "red");
  EXPECT_EQ(lights["radio"]["what"], "recovering");
  EXPECT_NE(lights["radio"]["to_do"], "");
  EXPECT_EQ(lights["clock"],
            (json{{"lamp", "green"}, {"what", "synchronised, by ntp"}, {"to_do", ""}}));
}

TEST(Lights, CountATabletThatWasHeardInTheLastQuarterOfAnHour) {
  EXPECT_EQ(heard_lately(json::array(
                {{{"heard_s_ago", 899}}, {{"heard_s_ago", 901}}, {{"heard_s_ago", nullptr}}})),
            1U);
}

// The table of metrics cannot see the enumerations.
TEST(MetricsTable, SaysTheWordsOfLightsCamerasAndVerdicts) {
  const auto of = [](std::string_view name) {
    const auto all = control::metrics();
    return *std::find_if(all.begin(), all.end(), [&](const auto& m) { return m.name == name; });
  };
  const auto check = [](std::span<const std::string_view> said, auto first, std::size_t count) {
    std::set<std::string_view> words;
    for (auto i = static_cast<std::size_t>(first); i < count; ++i) {
      words.insert(to_string(static_cast<decltype(first)>(i)));
    }
    EXPECT_EQ(std::set<std::string_view>(said.begin(), said.end()), words);
  };
  check(of("light").words, Lamp::green, 4);
  check(of("light").keys, Light::clock, 9);
  check(of("camera_health").words, vision::CameraHealth::asleep, 10);
  std::set<std::string_view> collections;
  for (const auto one : contract::kAllCollections) collections.insert(contract::to_string(one));
  const auto said = of("feed_items").keys;
  EXPECT_EQ(std::set<std::string_view>(said.begin(), said.end()), collections);
  check(of("claims_turned_away").keys, ConsentVerdict::never_given, kConsentVerdicts);
}

}  // namespace
}  // namespace welcome::daemon
