// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/status_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/control/value_at.h"

namespace welcome::ctl {

namespace {

using control::value_at;
using nlohmann::json;

constexpr std::size_t kScreenColumns = 80;
constexpr std::size_t kScreenLines = 23;  // one is left for the prompt
constexpr std::size_t kLabel = 10;

std::string text_at(const json& status, std::string_view path) {
  const json value = value_at(status, path);
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "-" : value.dump();
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

// Columns on a terminal, not bytes: continuation bytes of UTF-8 take none.
std::string cut(const std::string& line) {
  std::size_t column = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80) continue;
    if (column++ == kScreenColumns - 1 && line.size() > i + 1) return line.substr(0, i) + "…";
  }
  return line;
}

// A status, line by line.
class Screen {
 public:
  explicit Screen(const json& status) : status_(status) {}

  std::string box() const {
    return text("box.tenant") + "/" + text("box.store") + "/" + text("box.id") + ", welcomed " +
           text("box.version") + ", start " + text("box.session") +
           (is_image() ? "" : ", no image");
  }
  bool is_image() const { return at("update.version").is_string(); }
  std::string image() const {
    std::string out = text("update.version");
    if (const json wanted = at("update.wanted"); wanted.is_string() && wanted != out)
      out += "; head office wants " + wanted.get<std::string>() + ": " + text("update.step");
    const json why = at("update.why");
    return why.is_string() && !why.empty() && why != "" ? out + " (" + why.get<std::string>() + ")"
                                                        : out;
  }
  std::string clock() const {
    return text("clock.wall") + ", " + text("clock.quality") + " (" + text("clock.source") + ")";
  }
  std::string link(const std::string& name) const {
    std::string out = text("links." + name + ".state");
    const json why = at("links." + name + ".why");
    if (why.is_string()) out += " (" + why.get<std::string>() + ")";
    return out + "; " + text("outbox." + name) + " wait, " + text("links." + name + ".in_flight") +
           " under way";
  }
  std::string feed() const {
    json items = json::object();
    const json collections = at("crm.feed");
    if (collections.is_object()) {
      for (const auto& [name, state] : collections.items()) items[name] = value_at(state, "items");
    }
    const std::string held = counts(items);
    const json region = at("crm.region");
    return (held.empty() ? "nothing yet" : held) +
           (region.is_string() ? "; of region " + region.get<std::string>() : "");
  }
  std::string radio() const {
    if (at("radio.source").is_null()) return "none";
    return text("radio.source") + "; " + text("radio.per_second") + " of " +
           text("radio.expected_per_second") + " adverts/s expected" +
           (yes("radio.advertising") ? ", advertising" : "");
  }
  std::string heard() const {
    return text("radio.identified") + " of customers, " + text("radio.discarded") +
           " of strangers; " + text("radio.restarts") + " restarts";
  }
  std::string cameras() const {
    std::string out;
    const json all = at("cameras");
    if (!all.is_object() || all.empty()) return "none";
    for (const auto& [name, camera] : all.items()) {
      out += (out.empty() ? "" : ", ") + name + " " + text_at(camera, "health");
    }
    return out;
  }
  std::string near() const {
    const std::string distances = counts(at("radio.distance"));
    return text("visits.near") + ", of them in the store " + text("visits.in_store") +
           (distances.empty() ? "" : " (by radio: " + distances + ")");
  }
  std::string decided() const {
    return text("decisions.offers") + " offers, " + text("decisions.prompts") + " prompts, " +
           text("decisions.surveys") + " surveys";
  }
  std::string not_made() const {
    const auto reasons = counts(at("decisions.suppressed"));
    return reasons.empty() ? "none" : reasons;
  }
  std::string store() const {
    char size[32];
    std::snprintf(size, sizeof size, "%.1f MB", figure("store.bytes") / 1e6);
    return size + (", " + text("store.customers")) + " customers" +
           (yes("recording") ? ", the day is recorded" : "");
  }
  std::string text(std::string_view path) const { return text_at(status_, path); }

  // What somebody should look at; docs/technician.md says more of each.
  std::vector<std::string> troubles() const {
    std::vector<std::string> out;
    troubles_of_the_box(out);
    troubles_of_the_senses(out);
    if (const auto refused = counts(at("consents.refused")); !refused.empty()) {
      out.push_back("consents refused: " + refused);
    }
    const json paused = at("paused");
    if (paused.is_array() && !paused.empty()) {
      const json here = at("paused_here");
      const bool in_the_shop = here.is_array() && !here.empty();
      out.push_back(in_the_shop ? "paused in the shop: " + here.dump()
                                : "paused by head office: " + paused.dump());
    }
    if (yes("rehearsal")) out.emplace_back("a rehearsal is on: welcomectl rehearse stop");
    return out;
  }

 private:
  json at(std::string_view path) const { return value_at(status_, path); }
  double figure(std::string_view path) const {
    const json value = at(path);
    return value.is_number() ? value.get<double>() : 0;
  }
  bool yes(std::string_view path) const {
    const json value = at(path);
    return value.is_boolean() && value.get<bool>();
  }
  void count(std::string_view path, const char* what, std::vector<std::string>& out) const {
    if (const auto n = figure(path); n > 0) {
      out.push_back(std::to_string(std::llround(n)) + " " + what);
    }
  }
  void troubles_of_the_box(std::vector<std::string>& out) const {
    if (!yes("clock.trusted") || !yes("clock.deletes")) {
      out.push_back("clock: " + text("clock.words"));
    }
    for (const std::string name : {"uplink", "floor"}) {
      if (text("links." + name + ".state") != "up") out.push_back("the line " + name + " is down");
    }
    if (text("consents.footing") != "firm") {
      out.push_back("nobody consents: " + text("consents.footing"));
    }
    if (at("consents.signatures_asked") == json(false)) {
      out.emplace_back("what nobody signed is believed: consent.unsigned = yes");
    }
    if (const auto refused = counts(at("crm.refused")); !refused.empty()) {
      out.push_back("messages refused: " + refused);
    }
    count("crm.heads_ahead", "words of the CRM are later than our clock says it is", out);
    if (const auto trouble = text("store.trouble"); trouble != "-" && !trouble.empty()) {
      out.push_back("nothing can be stored: " + trouble);
    }
    count("store.errors", "errors of the database", out);
    count("inbox.control_refused", "messages were refused: the inbox was full", out);
  }
  void troubles_of_the_senses(std::vector<std::string>& out) const {
    if (const auto source = text("radio.source"); source != "-" && source != "running") {
      out.push_back("radio " + source + ": " + text("radio.detail"));
    } else if (const auto remark = text("radio.detail"); remark != "-" && !remark.empty()) {
      out.push_back("radio: " + remark);
    }
    count("radio.line_losses", "losses on the controller's serial line: its speed, its wires", out);
    count("radio.impossible_rssi", "adverts came with a level that cannot be: their zones are open",
          out);
    count("radio.copies", "copied identities were found: welcomectl audit show", out);
    count("radio.impossible_power",
          "adverts of customers' devices say a power that cannot be: welcomectl radio watch", out);
    const json all = at("cameras");
    if (!all.is_object()) return;
    for (const auto& [name, camera] : all.items()) {
      const auto health = text_at(camera, "health");
      if (health == "ok" || health == "asleep" || health == "starting") continue;
      const std::string why = text_at(camera, "why");
      out.push_back("camera " + name + ": " + health + (why == "-" ? "" : ", " + why));
    }
  }

  const json& status_;
};

}  // namespace

std::string status_text(const json& status) {
  const Screen s(status);
  std::vector<std::string> lines;
  const auto line = [&](std::string label, const std::string& value) {
    label.resize(kLabel, ' ');
    lines.push_back(cut(label + value));
  };
  line("box", s.box());
  if (s.is_image()) line("image", s.image());
  line("key", s.text("box.fingerprint"));
  line("clock", s.clock());
  line("CRM", s.link("uplink"));
  line("", "last heard " + s.text("crm.last_heard"));
  line("floor", s.link("floor"));
  line("feed", s.feed());
  line("consents", s.text("consents.footing"));
  line("radio", s.radio());
  line("heard", s.heard());
  line("cameras", s.cameras());
  line("faces", s.text("faces.matches") + " matched of " + s.text("faces.seen") + " seen");
  line("near", s.near());
  line("decided", s.decided());
  line("not made", s.not_made());
  line("latency",
       s.text("latency_ms.p50") + " ms, 95 % within " + s.text("latency_ms.p95") + " ms");
  line("store", s.store());
  const auto wrong = s.troubles();
  if (wrong.empty()) line("trouble", "none");
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    if (lines.size() + 1 == kScreenLines && i + 1 < wrong.size()) {
      line("", "and " + std::to_string(wrong.size() - i) + " more: welcomectl status --json");
      break;
    }
    line(i == 0 ? "TROUBLE" : "", wrong[i]);
  }
  std::string out;
  for (const auto& l : lines) out += l + "\n";
  return out;
}

std::string clock_text(const nlohmann::json& clock) {
  const auto line = [](std::string label, const std::string& value) {
    label.resize(kLabel, ' ');
    return label + value + "\n";
  };
  return line("time", text_at(clock, "wall")) + line("machine", text_at(clock, "machine")) +
         line("quality", text_at(clock, "quality") + ", by " + text_at(clock, "source")) +
         text_at(clock, "words") + "\n";
}

}  // namespace welcome::ctl
