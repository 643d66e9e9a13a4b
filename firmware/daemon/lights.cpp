// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/lights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "firmware/control/value_at.h"

namespace welcome::daemon {

namespace {

using contract::Lamp;
using contract::Light;
using control::value_at;
using control::word_at;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto kCertificateSoon = std::chrono::days(30);
constexpr auto kTabletPatience = 15min;
constexpr std::uint64_t kDiskLittle = 500'000'000;  // a database and its log at their largest
constexpr std::uint64_t kDiskNone = 50'000'000;
// Processors slow down from here on, and switch themselves off not far beyond.
constexpr double kHot = 80, kTooHot = 95;  // degrees Celsius

std::string ago(std::chrono::milliseconds time) {
  const auto s = std::chrono::floor<std::chrono::seconds>(time).count();
  if (s < 120) return std::to_string(s) + " s ago";
  if (s < 2 * 3600) return std::to_string(s / 60) + " min ago";
  if (s < 2 * 86400) return std::to_string(s / 3600) + " h ago";
  return std::to_string(s / 86400) + " days ago";
}

std::string size(std::uint64_t bytes) {
  std::array<char, 32> out{};
  const bool large = bytes >= 1'000'000'000;
  std::snprintf(out.data(), out.size(), large ? "%.1f GB" : "%.0f MB",
                static_cast<double>(bytes) / (large ? 1e9 : 1e6));
  return out.data();
}

std::string degrees(double celsius) { return std::to_string(std::llround(celsius)) + " °C"; }

Finding finding(Light light, Lamp lamp, std::string what, std::string to_do = {}) {
  if (what.size() > contract::kLightWords) what.resize(contract::kLightWords);
  return {{light, lamp, std::move(what)}, std::move(to_do)};
}

// One light after the other.
class Look {
 public:
  Look(const json& status, const json& tablets, const Signs& signs)
      : status_(status), tablets_(tablets), signs_(signs) {}

  Finding clock() const {
    const std::string said = text("clock.quality") + ", by " + text("clock.source");
    if (!yes("clock.trusted")) {
      return finding(Light::clock, Lamp::red, "nobody has said the time since the start",
                     "let it reach a time server, or compare it: welcomectl clock trust");
    }
    if (!yes("clock.deletes")) {
      return finding(Light::clock, Lamp::yellow, said + "; nothing is deleted by age",
                     "set the machine's clock: welcomectl clock says what it lacks");
    }
    return finding(Light::clock, Lamp::green, said);
  }

  Finding line() const {
    if (text("box.retirement") == "confirmed") {
      return finding(Light::line, Lamp::red,
                     "this box is retired: head office serves it no more, and it still holds all",
                     "welcomectl retire: it goes on, and destroys what the box holds");
    }
    if (text("links.uplink.state") != "up") {
      return finding(Light::line, Lamp::red, "down: " + text("links.uplink.why"),
                     "the broker's name, port, account or certificate: [uplink], and the network");
    }
    if (text("box.retirement") == "said") {
      return finding(Light::line, Lamp::yellow,
                     "up; that this box is retired was said, and head office has not taken it",
                     "welcomectl retire: it goes on where it was");
    }
    std::string what = "up";
    if (signs_.certificate_ends) {
      const auto left = *signs_.certificate_ends - signs_.now;
      const auto days = std::chrono::floor<std::chrono::days>(left).count();
      what += ", the certificate is good for " + std::to_string(days) + " days";
      const char* const to_do =
          "put a new one in the place of uplink.tls_cert, then systemctl reload welcomed";
      if (left < 0ms)
        return finding(Light::line, Lamp::red, "the certificate ended " + ago(-left), to_do);
      if (left < kCertificateSoon) return finding(Light::line, Lamp::yellow, what, to_do);
    }
    if (const std::string why = text("links.uplink.why"); !why.empty()) {
      const json refused = at("crm.refused");
      if (refused.is_object() && !refused.empty()) {
        return finding(Light::line, Lamp::yellow,
                       "up, but what comes as head office's is refused: it is not signed as it "
                       "should be",
                       "is the file of consent.crm_keys what `welcome-crm sign-keys` prints?");
      }
      return finding(Light::line, Lamp::yellow, why, "ask head office whether its CRM runs");
    }
    if (const double waits = number("outbox.uplink"); waits >= 1000) {
      return finding(Light::line, Lamp::yellow,
                     what + ", " + std::to_string(std::llround(waits)) + " messages wait",
                     "if they do not get fewer, the line is too slow");
    }
    return finding(Light::line, Lamp::green, what);
  }

  Finding floor() const {
    if (text("links.floor.state") != "up") {
      return finding(Light::floor, Lamp::red, "down: " + text("links.floor.why"),
                     "the shop's broker: does it run (systemctl status), is [floor] right?");
    }
    const auto heard = heard_lately(tablets_);
    if (tablets_.empty()) {
      return finding(Light::floor, Lamp::yellow, "up, but no tablet has said a word yet",
                     "set one up: welcomectl tablet add NAME");
    }
    const std::string what = "up, " + std::to_string(heard) + " of " +
                             std::to_string(tablets_.size()) + " tablets heard lately";
    if (heard == 0) {
      return finding(Light::floor, Lamp::yellow, what, "is the page open on one of them?");
    }
    return finding(Light::floor, Lamp::green, what);
  }

  Finding radio() const {
    const std::string state = text("radio.source");
    const std::string detail = text("radio.detail");
    if (state.empty()) return finding(Light::radio, Lamp::off, "radio.source = none");
    if (state == "starting") return finding(Light::radio, Lamp::off, "it is starting");
    if (state != "running" && state != "ended") {
      return finding(Light::radio, Lamp::red, state + (detail.empty() ? "" : ": " + detail),
                     "is the adapter plugged in, and radio.device its name?");
    }
    std::array<char, 64> heard{};
    std::snprintf(heard.data(), heard.size(), "%.0f adverts a second", number("radio.per_second"));
    const double expected = number("radio.expected_per_second");
    if (!detail.empty()) {
      return finding(Light::radio, Lamp::yellow, std::string(heard.data()) + "; " + detail);
    }
    if (state == "running" && expected > 1 && number("radio.per_second") < expected / 10) {
      return finding(Light::radio, Lamp::yellow,
                     std::string(heard.data()) + ", much less than usual",
                     "the antenna, a metal cupboard, a neighbour on the same USB hub");
    }
    return finding(Light::radio, Lamp::green, heard.data());
  }

  // The worst of them all.
  Finding camera() const {
    const json cameras = at("cameras");
    if (!cameras.is_object() || cameras.empty())
      return finding(Light::camera, Lamp::off, "no camera is set up");
    std::string well;
    for (const auto& [name, camera] : cameras.items()) {
      const std::string health = word_at(camera, "health");
      if (health == "ok" || health == "asleep" || health == "starting" || health == "ended") {
        well += (well.empty() ? "" : ", ") + name + " " + health;
        continue;
      }
      const std::string why = word_at(camera, "why");
      const bool gone = health == "gone";
      return finding(Light::camera, Lamp::red,
                     name + " " + health + (why.empty() ? "" : ": " + why),
                     gone ? "its cable and power; camera.path, ls -l /dev/v4l/by-id"
                          : "look at its lens, its light and its cable");
    }
    for (const auto& [name, camera] : cameras.items()) {
      if (const std::string hint = word_at(camera, "hint"); !hint.empty())
        return finding(Light::camera, Lamp::yellow, name + ": " + hint, "set camera.rotate");
    }
    return finding(Light::camera, Lamp::green, well);
  }

  Finding models() const {
    const std::string pack = text("models.pack");
    const json cameras = at("cameras");
    if (!cameras.is_object() || cameras.empty())
      return finding(Light::models, Lamp::off, "no camera needs them");
    if (pack.empty()) return finding(Light::models, Lamp::off, "none are loaded");
    return finding(Light::models, Lamp::green, "the pack " + pack);
  }

  Finding store() const {
    if (const std::string trouble = text("store.trouble"); !trouble.empty()) {
      return finding(Light::store, Lamp::red, "nothing can be stored: " + trouble,
                     "df, journalctl -k; a card with errors wants to be replaced");
    }
    std::string what =
        at("store.bytes").is_number()
            ? size(static_cast<std::uint64_t>(std::max(0.0, number("store.bytes")))) + " of data"
            : "it can be written to";
    if (signs_.disk_free) what += ", " + size(*signs_.disk_free) + " free";
    if (signs_.temperature) what += ", " + degrees(*signs_.temperature);
    const Lamp hot = heat();
    if (signs_.disk_free && *signs_.disk_free < kDiskLittle && hot != Lamp::red) {
      return finding(Light::store, *signs_.disk_free < kDiskNone ? Lamp::red : Lamp::yellow, what,
                     "make room: df, journalctl --disk-usage");
    }
    if (hot != Lamp::green) {
      return finding(Light::store, hot, what,
                     "the machine is too hot: air around it, its fan, a place out of the sun");
    }
    return finding(Light::store, Lamp::green, what);
  }

  Finding consents() const {
    const std::string footing = text("consents.footing");
    if (footing != "firm") {
      return finding(Light::consents, Lamp::red, "nobody consents: " + footing,
                     "see to the light before this one: clock or line");
    }
    std::string what = "they count";
    if (const auto heard = contract::from_rfc3339(text("crm.last_heard")))
      what += "; the CRM was heard " + ago(std::max(0ms, signs_.now - *heard));
    if (at("consents.signatures_asked") == json(false)) {
      return finding(Light::consents, Lamp::yellow, "what nobody signed is believed",
                     "pin head office's key: consent.crm_keys");
    }
    const json refused = at("consents.refused");
    if (refused.is_object() && !refused.empty()) {
      return finding(Light::consents, Lamp::yellow, what + "; some records were refused",
                     "is the file of consent.crm_keys the newest?");
    }
    return finding(Light::consents, Lamp::green, what);
  }

  Finding decisions() const {
    const std::string last =
        signs_.decided ? "the last was " + ago(std::max(0ms, signs_.now - *signs_.decided))
                       : "none yet";
    const json paused = at("paused");
    if (const json here = at("paused_here"); here.is_array() && !here.empty()) {
      std::string what = "paused in the shop:";
      for (const auto& one : here) what += " " + one.get<std::string>() + ";";
      return finding(Light::decisions, Lamp::yellow, what + " " + last,
                     "a lead lifts it on a tablet");
    }
    if (paused.is_array() && !paused.empty())
      return finding(Light::decisions, Lamp::yellow, "paused by head office; " + last);
    if (!yes("decisions.policy")) {
      return finding(Light::decisions, Lamp::yellow,
                     "no policy is in force, so no offer is made; " + last,
                     "head office gives one: welcome-crm import FILE");
    }
    if (yes("rehearsal"))
      return finding(Light::decisions, Lamp::yellow, "a rehearsal is on; " + last,
                     "welcomectl rehearse stop");
    return finding(Light::decisions, Lamp::green, last);
  }

 private:
  Lamp heat() const {
    const double degrees_now = signs_.temperature.value_or(0);
    if (degrees_now >= kTooHot) return Lamp::red;
    return degrees_now >= kHot ? Lamp::yellow : Lamp::green;
  }
  json at(std::string_view path) const { return value_at(status_, path); }
  std::string text(std::string_view path) const { return word_at(status_, path); }
  bool yes(std::string_view path) const { return at(path) == json(true); }
  double number(std::string_view path) const {
    const json value = at(path);
    return value.is_number() ? value.get<double>() : 0.0;
  }

  const json& status_;
  const json& tablets_;
  const Signs& signs_;
};

bool same_lamps(const std::vector<Finding>& a, const std::vector<Finding>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.state.lamp == y.state.lamp; });
}

}  // namespace

std::size_t heard_lately(const json& tablets) {
  const double patience = std::chrono::duration<double>(kTabletPatience).count();
  return static_cast<std::size_t>(
      std::count_if(tablets.begin(), tablets.end(), [&](const json& tablet) {
        const json seconds = value_at(tablet, "heard_s_ago");
        return seconds.is_number() && seconds.get<double>() < patience;
      }));
}

std::vector<Finding> findings(const json& status, const json& tablets, const Signs& signs) {
  const Look look(status, tablets, signs);
  return {look.clock(),  look.line(),  look.floor(),    look.radio(),    look.camera(),
          look.models(), look.store(), look.consents(), look.decisions()};
}

void LightsWatch::look(std::vector<Finding> found) {
  if (same_lamps(found, seen_)) steady_ = found;
  seen_ = std::move(found);
}

bool LightsWatch::has_news() const { return !same_lamps(steady_, told_); }

std::vector<contract::LightState> states_of(const std::vector<Finding>& findings) {
  std::vector<contract::LightState> out;
  for (const Finding& f : findings) out.push_back(f.state);
  return out;
}

std::vector<contract::Trouble> troubles_of(const std::vector<Finding>& findings) {
  std::vector<contract::Trouble> out;
  for (const Finding& f : findings) {
    if (f.state.lamp != Lamp::red) continue;
    if (f.state.light == Light::radio) out.push_back(contract::Trouble::radio);
    if (f.state.light == Light::camera) out.push_back(contract::Trouble::camera);
  }
  return out;
}

json lights_json(const std::vector<Finding>& findings) {
  json out = json::object();
  for (const Finding& f : findings) {
    out[std::string(to_string(f.state.light))] = {
        {"lamp", to_string(f.state.lamp)}, {"what", f.state.what}, {"to_do", f.to_do}};
  }
  return out;
}

json findings_json(const std::vector<Finding>& findings) {
  json out = json::array();
  for (const Finding& f : findings) {
    out.push_back({{"light", to_string(f.state.light)},
                   {"lamp", to_string(f.state.lamp)},
                   {"what", f.state.what},
                   {"to_do", f.to_do}});
  }
  return out;
}

}  // namespace welcome::daemon
