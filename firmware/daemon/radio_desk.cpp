// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/radio_desk.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "beacon/calibration.h"
#include "beacon/plausible.h"
#include "core/hex.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t kMostAtOnce = 4;
constexpr std::size_t kMostBacklog = 8 * 1024 * 1024;
constexpr std::int64_t kLongestS = 7 * 24 * 3600;
constexpr auto kTableEvery = 1s;
constexpr auto kRowStays = 60s;  // in the table, after it was last heard

double rounded(double value) { return std::round(value * 10) / 10; }
double seconds(MonoClock::duration time) { return std::chrono::duration<double>(time).count(); }

// A whole number of the request; nothing when it is none or out of range.
std::optional<std::int64_t> whole(const json& args, const char* key, std::int64_t fallback,
                                  std::int64_t most) {
  const auto found = args.find(key);
  if (found == args.end()) return fallback;
  if (!found->is_number_integer()) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  return value > 0 && value <= most ? std::optional(value) : std::nullopt;
}

}  // namespace

RadioDesk::RadioDesk(World world, const beacon::Tracker& tracker)
    : world_(std::move(world)), tracker_(tracker) {}

void RadioDesk::on_request(const control::Request& request, std::shared_ptr<Answer> answer,
                           const Now& now) {
  if (request.command == "radio thresholds") return thresholds(request.args, *answer);
  if (recordings_.size() + watchings_.size() + samplings_.size() >= kMostAtOnce) {
    return answer->error("too many radio commands at once");
  }
  if (request.command == "radio record") {
    return start_recording(request.args, std::move(answer), now);
  }
  const auto time = whole(request.args, "seconds", kLongestS, kLongestS);
  if (!time) return answer->error("seconds: a whole number up to a week");
  const MonoTime ends = now.mono + std::chrono::seconds(*time);
  if (request.command == "radio watch") {
    watchings_.push_back({std::move(answer), now.mono, ends, tracker_.counters(), {}});
  } else if (request.command == "radio sample") {
    samplings_.push_back({std::move(answer), now.mono, ends, now.mono, {}});
  } else {
    answer->error("unknown command '" + request.command + "'");
  }
}

void RadioDesk::start_recording(const json& args, std::shared_ptr<Answer> answer, const Now& now) {
  const auto time = whole(args, "seconds", kLongestS, kLongestS);
  const auto bytes = whole(args, "max_bytes", std::int64_t{1} << 30U, std::int64_t{1} << 40U);
  const auto with = args.find("with_strangers");
  if (!time || !bytes || (with != args.end() && !with->is_boolean())) {
    return answer->error("seconds, max_bytes or with_strangers is not what it should be");
  }
  const bool strangers = with != args.end() && with->get<bool>();
  const auto noted =
      world_.note(strangers ? "recording WITH strangers' addresses and payloads begins"
                            : "recording begins, strangers left out");
  if (!noted) return answer->error(noted.error().message);
  recordings_.push_back(
      {std::move(answer),
       beacon::CaptureWriter(strangers ? beacon::Strangers::recorded : beacon::Strangers::left_out),
       now.mono, now.mono + std::chrono::seconds(*time), now.mono,
       static_cast<std::uint64_t>(*bytes), 0});
}

void RadioDesk::heard(const beacon::AdvertReport& report, const Now& now) {
  if (recordings_.empty() && watchings_.empty() && samplings_.empty()) return;
  const auto& match = tracker_.last_match();
  for (auto& recording : recordings_) recording.writer.record(report, match.has_value(), now);
  if (!match) return;
  const Key key{tracker_.customer(*match), match->kind};
  for (auto& watching : watchings_) {
    Row& row = watching.rows[key];
    ++row.reports;
    row.heard = now.mono;
    row.impossible_power = match->impossible_power;
    if (!beacon::is_possible_rssi(report.rssi_dbm)) continue;
    row.rssi_sum += report.rssi_dbm;
    ++row.rssi_count;
  }
  if (samplings_.empty()) return;
  const auto level = tracker_.level_db(report, *match);
  if (!level) return;
  for (auto& sampling : samplings_) {
    if (now.mono >= sampling.ends) continue;
    auto& [sum, count] =
        sampling.levels[key][std::chrono::floor<std::chrono::seconds>(now.mono - sampling.started)
                                 .count()];
    sum += *level;
    ++count;
  }
}

void RadioDesk::tick(const Now& now) {
  std::erase_if(recordings_, [&](Recording& recording) { return serve(recording, now); });
  std::erase_if(watchings_, [&](Watching& watching) { return serve(watching, now); });
  std::erase_if(samplings_, [&](Sampling& sampling) { return serve(sampling, now); });
}

bool RadioDesk::serve(Recording& recording, const Now& now) {
  Answer& answer = *recording.answer;
  if (recording.writer.waiting() > 0) {
    const std::string bytes = recording.writer.take();
    recording.bytes += bytes.size();
    answer.part({{"bytes", to_hex(bytes)}});
  }
  std::string_view ended;
  if (answer.stopped()) {
    ended = "stopped";
  } else if (now.mono >= recording.ends) {
    ended = "time";
  } else if (recording.bytes >= recording.max_bytes) {
    ended = "size";
  } else if (answer.backlog() > kMostBacklog) {
    ended = "too slow";  // nobody takes the bytes: a full pipe, a stopped process
  }
  const json figures{{"seconds", rounded(seconds(now.mono - recording.started))},
                     {"known", recording.writer.known()},
                     {"strangers", recording.writer.strangers()},
                     {"bytes", recording.bytes}};
  if (ended.empty()) {
    if (now.mono >= recording.next_progress) {
      recording.next_progress = now.mono + 1s;
      answer.part({{"recorded", figures}});
    }
    return false;
  }
  const auto noted = world_.note(
      "recording ended, " +
      std::to_string(recording.writer.known() + recording.writer.strangers()) + " adverts");
  if (!noted) {
    answer.error("the recording has ended, but the audit trail could not take its end: " +
                 noted.error().message);
    return true;
  }
  json last = figures;
  last["ended"] = ended;
  answer.data(last);
  return true;
}

bool RadioDesk::serve(Watching& watching, const Now& now) {
  const bool over = watching.answer->stopped() || now.mono >= watching.ends;
  if (!over && now.mono - watching.since < kTableEvery) return false;
  // Somebody who does not read gets no more tables until he does.
  if (watching.answer->backlog() < kMostBacklog) watching.answer->part(table(watching, now));
  if (over) watching.answer->data(json::object());
  return over;
}

json RadioDesk::table(Watching& watching, const Now& now) const {
  const double time = std::max(seconds(now.mono - watching.since), 0.001);
  const auto rate = [&](std::uint64_t after, std::uint64_t before) {
    return rounded(static_cast<double>(after - before) / time);
  };
  const auto& counters = tracker_.counters();
  json strangers = json::object();
  for (std::size_t i = 0; i < counters.heard.size(); ++i) {
    if (counters.heard[i] == watching.before.heard[i]) continue;
    strangers[std::string(beacon::to_string(static_cast<beacon::AdvertType>(i)))] =
        rate(counters.heard[i], watching.before.heard[i]);
  }
  std::erase_if(watching.rows,
                [&](const auto& entry) { return now.mono - entry.second.heard > kRowStays; });
  json identities = json::array();
  for (auto& [key, row] : watching.rows) {
    if (row.rssi_count > 0) {
      row.rssi = row.rssi_sum / static_cast<double>(row.rssi_count);
    } else if (row.reports > 0) {
      row.rssi.reset();
    }
    json line = named(key);
    line["per_second"] = rounded(static_cast<double>(row.reports) / time);
    line["rssi_dbm"] = row.rssi ? json(std::lround(*row.rssi)) : json();
    line["heard_s"] = rounded(seconds(now.mono - row.heard));
    const auto place = tracker_.place(key.first);
    line["fast"] = place ? json(to_string(place->fast)) : json();
    line["settled"] = place ? json(to_string(place->settled)) : json();
    line["distance"] =
        place && place->distance ? json(beacon::to_string(*place->distance)) : json();
    if (row.impossible_power) {
      const auto taken = std::lround(tracker_.config().zones.default_power_1m_dbm);
      line["hint"] = "says a power at 1 m that cannot be: set its measured_power_1m_dbm (" +
                     std::to_string(taken) + " is usual)";
    }
    identities.push_back(std::move(line));
    row = {0, 0.0, 0, row.rssi, row.heard, false};
  }
  json out{{"radio", world_.health()},
           {"adverts_per_second", rate(counters.reports, watching.before.reports)},
           {"strangers_per_second", rate(counters.discarded, watching.before.discarded)},
           {"by_type", std::move(strangers)},
           {"customers_near", tracker_.present()},
           {"identities", std::move(identities)}};
  watching.before = counters;
  watching.since = now.mono;
  return out;
}

json RadioDesk::named(const Key& key) const {
  return {{"identity", world_.identity_ids(key.first, key.second)},
          {"kind", beacon::to_string(key.second)},
          {"customer", key.first.str()}};
}

bool RadioDesk::serve(Sampling& sampling, const Now& now) const {
  const bool over = sampling.answer->stopped() || now.mono >= sampling.ends;
  if (!over) {
    if (now.mono >= sampling.next_progress) {
      sampling.next_progress = now.mono + 1s;
      std::size_t most = 0;
      for (const auto& [key, levels] : sampling.levels) most = std::max(most, levels.size());
      sampling.answer->progress(
          std::to_string(std::lround(seconds(now.mono - sampling.started))) + " of " +
          std::to_string(std::lround(seconds(sampling.ends - sampling.started))) + " s, heard in " +
          std::to_string(most));
    }
    return false;
  }
  json heard = json::array();
  for (const auto& [key, by_second] : sampling.levels) {
    json levels = json::array();
    for (const auto& [second, sum] : by_second) {
      levels.push_back(rounded(sum.first / static_cast<double>(sum.second)));
    }
    json line = named(key);
    line["levels_db"] = std::move(levels);
    heard.push_back(std::move(line));
  }
  sampling.answer->data({{"heard", std::move(heard)}});
  return true;
}

void RadioDesk::thresholds(const json& args, Answer& answer) const {
  std::vector<beacon::WalkPlace> places;
  const auto given = args.value("places", json::array());
  for (const auto& place : given) {
    const auto zone = place.is_object() && place.contains("zone") && place["zone"].is_string()
                          ? zone_from_string(place["zone"].get<std::string>())
                          : std::nullopt;
    const auto levels = place.is_object() ? place.find("levels_db") : place.end();
    if (!zone || levels == place.end() || !levels->is_array() ||
        !std::all_of(levels->begin(), levels->end(), [](const json& l) { return l.is_number(); })) {
      return answer.error("places: an array of {zone, levels_db}");
    }
    places.push_back({*zone, levels->get<std::vector<double>>()});
  }
  const auto found = beacon::calibrate(places, tracker_.config().zones.path_loss_exponent);
  if (!found) return answer.error(found.error().message);
  json borders = json::array();
  for (const auto& border : found->borders) {
    borders.push_back({{"zone", to_string(border.inner)},
                       {"metres", std::round(border.metres * 100) / 100},
                       {"level_db", rounded(border.level_db)},
                       {"wrong", std::round(border.wrong * 1000) / 1000}});
  }
  answer.data({{"borders", std::move(borders)}});
}

}  // namespace welcome::daemon
