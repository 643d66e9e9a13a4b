// SPDX-License-Identifier: Apache-2.0
// fleet, fleet ask

#include "crm/lights.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "crm/cli/command.h"
#include "crm/releases.h"
#include "crm/wall_clock.h"

namespace welcome::crm::cli {

namespace {

// "1.4.0 runs", "1.4.0: fetching (no route)". A machine that is no image says so.
std::string in_a_word(const BoxRelease& box) {
  if (box.step.empty()) return "-";
  if (box.step == to_string(UpdateStep::no_image)) return "not by image";
  const std::string why = box.why.empty() ? "" : " (" + box.why + ")";
  if (box.wanted.empty() || box.step == to_string(UpdateStep::idle))
    return box.version + " runs" + why;
  if (box.wanted == box.version && box.step == to_string(UpdateStep::done))
    return box.version + " runs";
  return box.version + " runs, " + box.wanted + ": " + (box.heard ? box.step : "not told yet") +
         why;
}

json to_json(const BoxLights& box, const BoxRelease& release) {
  json lights = json::array();
  for (const BoxLight& light : box.lights) {
    lights.push_back({{"light", light.light},
                      {"lamp", light.lamp},
                      {"what", light.what},
                      {"since", light.since}});
  }
  return {{"store", box.store},
          {"box", box.box},
          {"state", box.state},
          {"version", box.version},
          {"seen_at", box.seen_at},
          {"lights", std::move(lights)},
          {"image",
           {{"step", release.step},
            {"version", release.version},
            {"wanted", release.wanted},
            {"heard", release.heard},
            {"why", release.why}}}};
}

// "camera, radio", or nothing.
std::string with(const BoxLights& box, std::string_view lamp) {
  std::string out;
  for (const BoxLight& light : box.lights) {
    if (light.lamp == lamp) out += (out.empty() ? "" : ", ") + light.light;
  }
  return out;
}

std::string in_a_word(const BoxLights& box) {
  if (box.state != "online") return box.state;
  if (box.lights.empty()) return "it has not said yet";
  const std::string red = with(box, "red");
  const std::string yellow = with(box, "yellow");
  if (red.empty() && yellow.empty()) return "ok";
  return (red.empty() ? "" : "WRONG " + red) + (red.empty() || yellow.empty() ? "" : "; ") +
         (yellow.empty() ? "" : "look at " + yellow);
}

bool is_well(const BoxLights& box) { return box.state == "online" && with(box, "red").empty(); }

int fleet(const Call& call) {
  call.at_most(1);
  Opened opened(call);
  const auto boxes = Lights(opened.crm).fleet(call.words.empty() ? "" : call.words[0]);
  if (boxes.empty() && !call.words.empty()) {
    return call.no({ErrorCode::not_found, "no box of this store is admitted"});
  }
  json list = json::array();
  std::map<std::pair<std::string, std::string>, BoxRelease> releases;
  for (BoxRelease& one : Releases(opened.crm).boxes(call.words.empty() ? "" : call.words[0]))
    releases.emplace(std::pair(one.store, one.box), one);
  Table table{{"STORE", "BOX", "VERSION", "IMAGE", "SEEN", "LIGHTS"}};
  Table more;
  for (const BoxLights& box : boxes) {
    const BoxRelease& release = releases[{box.store, box.box}];
    list.push_back(to_json(box, release));
    table.push_back(
        {box.store, box.box, box.version, in_a_word(release), box.seen_at, in_a_word(box)});
    for (const BoxLight& light : box.lights) {
      if (light.lamp != "red" && light.lamp != "yellow") continue;
      more.push_back({box.store + "/" + box.box, light.light, light.since, light.what});
    }
  }
  if (call.json_wanted) {
    call.print(list);
  } else {
    print_table(*call.out, table);
    if (!more.empty()) {
      *call.out << "\n";
      more.insert(more.begin(), {"BOX", "LIGHT", "SINCE", "WHAT"});
      print_table(*call.out, more);
    }
  }
  return std::all_of(boxes.begin(), boxes.end(), is_well) ? kDone : kNo;
}

int fleet_ask(const Call& call) {
  using namespace std::chrono_literals;
  constexpr auto kLook = 100ms;
  constexpr int kLooks = 300;
  const auto [store, box] = box_of(call);
  Opened opened(call);
  Transaction transaction(*opened.db);
  const auto question = Lights(opened.crm).ask(store, box, wall_now());
  if (!question) return call.no(question.error());
  transaction.commit();
  opened.db->announce();
  for (int look = 0; look < kLooks; ++look) {
    if (const auto answer = Lights(opened.crm).answer_to(*question)) {
      call.print(json::parse(*answer));
      return kDone;
    }
    std::this_thread::sleep_for(kLook);
  }
  return call.no({ErrorCode::unavailable,
                  "no answer within 30 s: does `welcome-crm serve` run, and is the box online "
                  "(`welcome-crm boxes`)?"});
}

constexpr Command kLightCommands[] = {
    {"fleet ask", "STORE/BOX", "the whole status of one box, as JSON; it names nobody", fleet_ask},
    {"fleet", "[STORE]",
     "is every box well? its lights, as its technician sees them with `welcomectl doctor`; exit "
     "code 1 while one is red or away",
     fleet},
};

}  // namespace

std::span<const Command> light_commands() { return kLightCommands; }

}  // namespace welcome::crm::cli
