// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/watch.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <poll.h>
#include <string_view>
#include <termios.h>
#include <unistd.h>

#include "core/lights.h"
#include "firmware/control/commands.h"
#include "firmware/control/value_at.h"
#include "firmware/ctl/client.h"
#include "firmware/ctl/doctor_text.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/terminal.h"

namespace welcome::ctl {

namespace {

using control::value_at;
using nlohmann::json;

constexpr auto kEvery = std::chrono::seconds(2);
constexpr std::size_t kBeforeWatched = 19;  // as the lights have it
constexpr std::size_t kWatchColumns = 80;

std::string shown_at(const json& status, std::string_view path) {
  const json value = value_at(status, path);
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "-" : value.dump();
}

// Bytes of UTF-8 that begin no character take no column.
std::string cut_at(const std::string& text, std::size_t columns) {
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80) continue;
    if (column++ == columns) return text.substr(0, i);
  }
  return text;
}

// In their order; each on its line.
json light_lines(const json& status) {
  json out = json::array();
  for (const auto light : kLightNames) {
    const json found = value_at(status, "lights." + std::string(light));
    out.push_back({{"light", light},
                   {"lamp", shown_at(found, "lamp")},
                   {"what", cut_at(for_terminal(shown_at(found, "what")),
                                   kWatchColumns - kBeforeWatched - 1)}});
  }
  return out;
}

std::string link_words(const json& status, const std::string& name) {
  return shown_at(status, "links." + name + ".state") + ", " + shown_at(status, "outbox." + name) +
         " wait, " + shown_at(status, "links." + name + ".in_flight") + " under way";
}

std::string camera_words(const json& status) {
  const json all = value_at(status, "cameras");
  std::string out;
  if (!all.is_object()) return "none";
  for (const auto& [name, camera] : all.items()) {
    out += (out.empty() ? "" : ", ") + name + " " + shown_at(camera, "health") + " (" +
           shown_at(camera, "frames") + " frames)";
  }
  return out.empty() ? "none" : out;
}

std::string radio_words(const json& status) {
  if (value_at(status, "radio.source").is_null()) return "none";
  return shown_at(status, "radio.per_second") + " of " +
         shown_at(status, "radio.expected_per_second") + " adverts/s expected; " +
         shown_at(status, "radio.identified") + " of customers, " +
         shown_at(status, "radio.discarded") + " of strangers";
}

// What is typed comes at once and is not shown, as long as this lives.
class Keys {
 public:
  Keys() {
    if (::isatty(STDIN_FILENO) != 1 || ::tcgetattr(STDIN_FILENO, &before_.emplace()) != 0) {
      before_.reset();
      return;
    }
    termios now = *before_;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  ~Keys() {
    if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  // Waits; whether it is to end.
  bool quit_within(std::chrono::milliseconds time) const {
    pollfd in{before_ ? STDIN_FILENO : -1, POLLIN, 0};
    char key = 0;
    const bool typed =
        ::poll(&in, 1, static_cast<int>(time.count())) > 0 && ::read(STDIN_FILENO, &key, 1) == 1;
    return stop_wanted() || (typed && (key == 'q' || key == 'Q'));
  }

 private:
  std::optional<termios> before_;
};

// Home, the lines, each cleared to its end, and nothing below: no flicker over a slow line.
std::string redrawn(const std::string& text) {
  std::string out = "\x1b[H";
  for (const char c : text) out += c == '\n' ? "\x1b[K\n" : std::string(1, c);
  return out + "\x1b[J";
}

}  // namespace

std::string watch_text(const json& status, bool coloured) {
  std::string out;
  const auto line = [&](std::string label, const std::string& value) {
    label.resize(kBeforeWatched, ' ');
    out += cut_at(for_terminal(label + value), kWatchColumns) + "\n";
  };
  out +=
      cut_at(for_terminal(shown_at(status, "box.tenant") + "/" + shown_at(status, "box.store") +
                          "/" + shown_at(status, "box.id") + ", welcomed " +
                          shown_at(status, "box.version") + ", " + shown_at(status, "clock.wall")),
             kWatchColumns) +
      "\n\n" + doctor_text(light_lines(status), coloured) + "\n";
  line("radio", radio_words(status));
  line("cameras", camera_words(status));
  line("to head office", link_words(status, "uplink"));
  line("to the tablets", link_words(status, "floor") + "; " + shown_at(status, "tablets.heard") +
                             " of " + shown_at(status, "tablets.known") + " tablets heard");
  line("here", shown_at(status, "visits.near") + " near, " + shown_at(status, "visits.in_store") +
                   " of them in the store");
  line("since the start", shown_at(status, "decisions.offers") + " offers, " +
                              shown_at(status, "decisions.prompts") + " prompts, " +
                              shown_at(status, "decisions.surveys") + " surveys");
  return out;
}

int watch_box(const std::string& socket) {
  auto status = ask(socket, control::CommandId::status);
  if (::isatty(STDOUT_FILENO) != 1) {
    if (!status) return failed(status.error());
    std::cout << watch_text(*status, false);
    return kDone;
  }
  stop_on_signals();
  const Keys keys;
  std::cout << "\x1b[2J";
  do {
    // A box that starts again is watched on.
    std::cout << redrawn((status ? watch_text(*status, true)
                                 : for_terminal(status.error().message) + "\n") +
                         "\nq ends it\n")
              << std::flush;
    if (!std::cout || keys.quit_within(kEvery)) break;
    status = ask(socket, control::CommandId::status);
  } while (!stop_wanted());
  return kDone;
}

}  // namespace welcome::ctl
