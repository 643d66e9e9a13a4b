#include "firmware/ctl/status_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace welcome::ctl {

namespace {

using nlohmann::json;

constexpr std::size_t kColumns = 80;
constexpr std::size_t kLines = 23;  // one is left for the prompt
constexpr std::size_t kLabel = 10;

// The value at "radio.restarts"; null when it is not there.
json at(const json& status, std::string_view path) {
  const json* here = &status;
  while (!path.empty()) {
    const auto dot = path.find('.');
    const std::string key(path.substr(0, dot));
    if (!here->is_object() || !here->contains(key)) return {};
    here = &(*here)[key];
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return *here;
}

std::string text(const json& status, std::string_view path) {
  const json value = at(status, path);
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "-" : value.dump();
}

double figure(const json& status, std::string_view path) {
  const json value = at(status, path);
  return value.is_number() ? value.get<double>() : 0;
}

bool yes(const json& status, std::string_view path) {
  const json value = at(status, path);
  return value.is_boolean() && value.get<bool>();
}

// "name 3, other 2", the largest first and no zeros; "" when there is nothing.
std::string counts(const json& table) {
  std::vector<std::pair<double, std::string>> rows;
  if (!table.is_object()) return {};
  for (const auto& [name, n] : table.items()) {
    if (n.is_number() && n.get<double>() > 0) rows.emplace_back(-n.get<double>(), name);
  }
  std::sort(rows.begin(), rows.end());
  std::string out;
  for (const auto& [n, name] : rows) {
    out += (out.empty() ? "" : ", ") + name + " " + std::to_string(std::llround(-n));
  }
  return out;
}

std::string size_text(double bytes) {
  char out[32];
  std::snprintf(out, sizeof out, "%.1f MB", bytes / 1e6);
  return out;
}

// ---- one line each

std::string link(const json& status, const std::string& name) {
  std::string out = text(status, "links." + name + ".state");
  const json why = at(status, "links." + name + ".why");
  if (why.is_string()) out += " (" + why.get<std::string>() + ")";
  return out + "; " + text(status, "outbox." + name) + " wait, " +
         text(status, "links." + name + ".in_flight") + " under way";
}

std::string radio(const json& status) {
  if (at(status, "radio.source").is_null()) return "none";
  return text(status, "radio.source") + "; " + text(status, "radio.per_second") + " of " +
         text(status, "radio.expected_per_second") + " adverts/s expected" +
         (yes(status, "radio.advertising") ? ", advertising" : "");
}

std::string heard(const json& status) {
  return text(status, "radio.identified") + " of customers, " + text(status, "radio.discarded") +
         " of strangers; " + text(status, "radio.restarts") + " restarts";
}

std::string cameras(const json& status) {
  std::string out;
  const json all = at(status, "cameras");
  if (!all.is_object() || all.empty()) return "none";
  for (const auto& [name, camera] : all.items()) {
    out += (out.empty() ? "" : ", ") + name + " " + text(camera, "health");
  }
  return out;
}

std::string feed(const json& status) {
  json items = json::object();
  const json collections = at(status, "crm.feed");
  if (collections.is_object()) {
    for (const auto& [name, state] : collections.items()) items[name] = at(state, "items");
  }
  const std::string held = counts(items);
  return held.empty() ? "nothing yet" : held;
}

std::string decided(const json& status) {
  return text(status, "decisions.offers") + " offers, " + text(status, "decisions.prompts") +
         " prompts, " + text(status, "decisions.surveys") + " surveys";
}

std::string near(const json& status) {
  const std::string far = counts(at(status, "radio.distance"));
  return text(status, "visits.near") + ", of them in the store " + text(status, "visits.in_store") +
         (far.empty() ? "" : " (by radio: " + far + ")");
}

// What somebody should look at, and where docs/technician.md says more.
std::vector<std::string> troubles(const json& status) {
  std::vector<std::string> out;
  const auto if_any = [&](std::string_view path, const std::string& what) {
    if (const auto n = figure(status, path); n > 0) {
      out.push_back(std::to_string(std::llround(n)) + " " + what);
    }
  };
  if (!yes(status, "clock.trusted")) out.emplace_back("the clock is not set: timedatectl");
  for (const char* name : {"uplink", "floor"}) {
    if (text(status, std::string("links.") + name + ".state") != "up") {
      out.push_back(std::string("the line ") + name + " is down");
    }
  }
  if (text(status, "consents.footing") != "firm") {
    out.push_back("nobody consents: " + text(status, "consents.footing"));
  }
  if (const auto store = text(status, "store.trouble"); store != "-" && !store.empty()) {
    out.push_back("nothing can be stored: " + store);
  }
  if (const auto source = text(status, "radio.source"); source != "-" && source != "running") {
    out.push_back("radio " + source + ": " + text(status, "radio.detail"));
  }
  const json cameras = at(status, "cameras");
  if (cameras.is_object()) {
    for (const auto& [name, camera] : cameras.items()) {
      const auto health = text(camera, "health");
      if (health != "ok" && health != "asleep" && health != "starting") {
        out.push_back("camera " + name + ": " + health);
      }
    }
  }
  if_any("radio.copies", "copied identities were found: welcomectl audit show");
  if_any("store.errors", "errors of the database");
  if_any("inbox.control_refused", "messages were refused: the inbox was full");
  if (const auto refused = counts(at(status, "consents.refused")); !refused.empty()) {
    out.push_back("consents refused: " + refused);
  }
  const json paused = at(status, "paused");
  if (paused.is_array() && !paused.empty())
    out.push_back("paused by head office: " + paused.dump());
  if (yes(status, "rehearsal")) out.emplace_back("a rehearsal is on: welcomectl rehearse stop");
  return out;
}

// Columns on a terminal, not bytes: continuation bytes of UTF-8 take none.
std::string cut(const std::string& line) {
  std::size_t column = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80) continue;
    if (column++ == kColumns - 1 && line.size() > i + 1) return line.substr(0, i) + "…";
  }
  return line;
}

}  // namespace

std::string status_text(const json& s) {
  std::vector<std::string> lines;
  const auto line = [&](std::string label, const std::string& value) {
    label.resize(kLabel, ' ');
    lines.push_back(cut(label + value));
  };
  line("box", text(s, "box.tenant") + "/" + text(s, "box.store") + "/" + text(s, "box.id") +
                  ", welcomed " + text(s, "box.version") + ", start " + text(s, "box.session"));
  line("key", text(s, "box.fingerprint"));
  line("clock", text(s, "clock.wall") + (yes(s, "clock.trusted") ? ", set" : ", NOT set"));
  line("CRM", link(s, "uplink"));
  line("", "last heard " + text(s, "crm.last_heard"));
  line("floor", link(s, "floor"));
  line("feed", feed(s));
  line("consents", text(s, "consents.footing"));
  line("radio", radio(s));
  line("heard", heard(s));
  line("cameras", cameras(s));
  line("faces", text(s, "faces.matches") + " matched of " + text(s, "faces.seen") + " seen");
  line("near", near(s));
  line("decided", decided(s));
  const auto not_made = counts(at(s, "decisions.suppressed"));
  line("not made", not_made.empty() ? "none" : not_made);
  line("latency",
       text(s, "latency_ms.p50") + " ms, 95 % within " + text(s, "latency_ms.p95") + " ms");
  line("store", size_text(figure(s, "store.bytes")) + ", " + text(s, "store.customers") +
                    " customers" + (yes(s, "recording") ? ", the day is recorded" : ""));
  const auto wrong = troubles(s);
  if (wrong.empty()) line("trouble", "none");
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    if (lines.size() + 1 == kLines && i + 1 < wrong.size()) {
      line("", "and " + std::to_string(wrong.size() - i) + " more: welcomectl status --json");
      break;
    }
    line(i == 0 ? "TROUBLE" : "", wrong[i]);
  }
  std::string out;
  for (const auto& l : lines) out += l + "\n";
  return out;
}

}  // namespace welcome::ctl
