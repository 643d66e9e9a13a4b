// SPDX-License-Identifier: Apache-2.0
#include "crm/report.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/store_clock.h"
#include "crm/report_words.h"

namespace welcome::crm {
namespace {

constexpr const char* kHoldoutArm = "holdout";

constexpr auto kAnswersWithin = std::chrono::days{7};

struct Answer {
  std::string customer;
  std::string kind;
  std::int64_t score;
  WallTime at;
};

std::vector<Answer> all_answers(Database& db) {
  std::vector<Answer> out;
  for (const Row& row :
       db.query("SELECT customer, kind, score, at FROM survey_answer ORDER BY id")) {
    out.push_back({row.text(0), row.text(1), row.integer(2),
                   contract::from_rfc3339(row.text(3)).value_or(WallTime{})});
  }
  return out;
}

template <class Which>
Answers scores(const std::vector<Answer>& all, Which&& which) {
  std::map<std::string, std::vector<std::int64_t>> by_kind;
  for (const Answer& a : all) {
    if (which(a)) by_kind[a.kind].push_back(a.score);
  }
  return {nps(by_kind["nps"]), csat(by_kind["csat"]), ces(by_kind["ces"])};
}

// When each customer was shown which variant.
using Shown = std::map<std::string, std::map<std::string, std::vector<WallTime>>>;

Shown shown_to(Database& db, const std::string& campaign) {
  Shown out;
  for (const Row& row :
       db.query("SELECT variant, customer, shown_at FROM offer WHERE campaign = $1", {campaign})) {
    if (row.text(1).empty()) continue;
    out[row.text(0)][row.text(1)].push_back(
        contract::from_rfc3339(row.text(2)).value_or(WallTime{}));
  }
  return out;
}

Answers answers_after(const std::vector<Answer>& all, const Shown& shown,
                      const std::string& variant) {
  const auto arm = shown.find(variant);
  if (arm == shown.end()) return {};
  return scores(all, [&](const Answer& a) {
    const auto times = arm->second.find(a.customer);
    return times != arm->second.end() &&
           std::any_of(times->second.begin(), times->second.end(),
                       [&](WallTime t) { return t <= a.at && a.at - t <= kAnswersWithin; });
  });
}

// The stores' clock, from the policy.
StoreClock store_clock(Crm& crm, std::string& zone) {
  zone = "UTC";
  if (const auto item = crm.feed().get(contract::Collection::policy, "policy")) {
    zone = json::parse(item->value).value("time_zone", zone);
  }
  auto clock = StoreClock::open(zone);
  return clock ? *clock : StoreClock();
}

std::string interval(const Rate& rate) {
  return percent(rate.estimate) + " (" + percent(rate.low) + " to " + percent(rate.high) + ")";
}

json rate_json(const Rate& rate) {
  return {{"estimate", rate.estimate}, {"low", rate.low}, {"high", rate.high}};
}

json score_json(const Score& score) {
  return {{"answers", score.n}, {"value", score.value}, {"margin_95", score.margin}};
}

json answers_json(const Answers& answers) {
  return {{"nps", score_json(answers.nps)},
          {"csat", score_json(answers.csat)},
          {"ces", score_json(answers.ces)}};
}

json arm_json(const Arm& arm) {
  json out = {{"variant", arm.variant},
              {"shown", arm.shown},
              {"opened", arm.opened},
              {"redeemed", arm.redeemed},
              {"dismissed", arm.dismissed},
              {"came_in", arm.came_in},
              {"open_rate", rate_json(arm.open_rate)},
              {"redeem_rate", rate_json(arm.redeem_rate)},
              {"came_in_rate", rate_json(arm.came_in_rate)},
              {"probability_best", arm.best},
              {"surveys", answers_json(arm.answers)}};
  if (arm.beats_holdout) out["probability_beats_holdout"] = *arm.beats_holdout;
  return out;
}

std::string right(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::string pad(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

Report make_report(Crm& crm, const std::string& campaign) {
  Database& db = crm.database();
  Report report;
  report.campaign = campaign;
  for (const Row& row :
       db.query("SELECT variant, COUNT(*), COUNT(opened_at), COUNT(redeemed_at), "
                "COUNT(dismissed_at), COUNT(came_in_at) FROM offer WHERE campaign = $1 "
                "GROUP BY variant ORDER BY variant",
                {campaign})) {
    Arm arm;
    arm.variant = row.text(0);
    arm.shown = row.integer(1);
    arm.opened = row.integer(2);
    arm.redeemed = row.integer(3);
    arm.dismissed = row.integer(4);
    arm.came_in = row.integer(5);
    arm.open_rate = rate({arm.shown, arm.opened});
    arm.redeem_rate = rate({arm.shown, arm.redeemed});
    arm.came_in_rate = rate({arm.shown, arm.came_in});
    if (arm.variant == kHoldoutArm) {
      report.holdout = arm;
    } else {
      report.arms.push_back(arm);
    }
  }
  std::vector<Tally> tallies;
  for (const Arm& arm : report.arms) tallies.push_back({arm.shown, arm.redeemed});
  const std::vector<double> best = probability_best(tallies);
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    Arm& arm = report.arms[i];
    arm.best = best[i];
    if (report.holdout) {
      arm.beats_holdout = probability_higher({arm.shown, arm.came_in},
                                             {report.holdout->shown, report.holdout->came_in});
    }
  }
  const std::vector<Answer> answers = all_answers(db);
  const Shown shown = shown_to(db, campaign);
  report.answers = scores(answers, [](const Answer&) { return true; });
  for (Arm& arm : report.arms) arm.answers = answers_after(answers, shown, arm.variant);
  if (report.holdout) report.holdout->answers = answers_after(answers, shown, kHoldoutArm);

  for (const Row& row :
       db.query("SELECT data FROM ledger WHERE type = 'com.welcomed.decision.suppressed.v1'")) {
    const json data = json::parse(row.text(0), nullptr, false);
    if (!data.is_object() || data.value("campaign", "") != campaign) continue;
    ++report.suppressed[data.value("reason", "")];
  }
  const StoreClock clock = store_clock(crm, report.time_zone);
  // By the minute: offsets of time zones are whole minutes.
  for (const Row& row : db.query("SELECT SUBSTR(time, 1, 16), COUNT(*) FROM ledger "
                                 "WHERE type = 'com.welcomed.visit.started.v1' "
                                 "GROUP BY SUBSTR(time, 1, 16)")) {
    const auto at = contract::from_rfc3339(row.text(0) + ":00Z");
    if (!at) continue;
    const StoreClock::Local local = clock.local(*at);
    report.visits[local.weekday][static_cast<std::size_t>(local.time / std::chrono::hours{1})] +=
        row.integer(1);
  }
  return report;
}

std::array<std::int64_t, 4> Report::funnel() const {
  std::array<std::int64_t, 4> steps{};
  for (const Arm& arm : arms) {
    steps[0] += arm.shown;
    steps[1] += arm.opened;
    steps[2] += arm.came_in;
    steps[3] += arm.redeemed;
  }
  return steps;
}

std::string report_json(const Report& report) {
  json out = {
      {"campaign", report.campaign},
      {"variants", json::array()},
      {"funnel", json::object()},
      {"suppressed", report.suppressed},
      {"surveys", answers_json(report.answers)},
      {"visits", {{"time_zone", report.time_zone}, {"by_weekday_and_hour", report.visits}}}};
  const auto steps = report.funnel();
  for (std::size_t i = 0; i < steps.size(); ++i) out["funnel"][kFunnel[i]] = steps[i];
  for (const Arm& arm : report.arms) out["variants"].push_back(arm_json(arm));
  if (report.holdout) out["holdout"] = arm_json(*report.holdout);
  return out.dump(2) + "\n";
}

std::string report_table(const Report& report) {
  std::string out = "campaign " + report.campaign + "\n\n";
  const auto line = [&](const std::vector<std::string>& cells) {
    constexpr std::size_t kWidths[] = {10, 7, 8, 10, 9, 28, 28, 10};
    for (std::size_t i = 0; i < cells.size(); ++i) {
      out += i + 1 < cells.size() ? pad(cells[i], kWidths[i]) : cells[i];
    }
    out += "\n";
  };
  line({"VARIANT", "SHOWN", "OPENED", "REDEEMED", "CAME IN", "REDEEM RATE (95 %)",
        "CAME-IN RATE (95 %)", "BEST", "BEATS HOLD-OUT"});
  const auto arm_line = [&](const Arm& arm, bool held_out) {
    line({arm.variant, std::to_string(arm.shown), std::to_string(arm.opened),
          std::to_string(arm.redeemed), std::to_string(arm.came_in),
          held_out ? "" : interval(arm.redeem_rate), interval(arm.came_in_rate),
          held_out ? "" : percent(arm.best), arm.beats_holdout ? percent(*arm.beats_holdout) : ""});
  };
  for (const Arm& arm : report.arms) arm_line(arm, false);
  if (report.holdout) arm_line(*report.holdout, true);
  out += "\n";
  const auto steps = report.funnel();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    out += pad(kFunnel[i], 10) + pad(std::to_string(steps[i]), 7);
    if (steps[0] > 0) {
      out += percent(static_cast<double>(steps[i]) / static_cast<double>(steps[0]));
    }
    out += "\n";
  }
  if (!report.suppressed.empty()) {
    out += "not offered:";
    for (const auto& [reason, n] : report.suppressed) out += " " + reason + " " + std::to_string(n);
    out += "\n";
  }

  const auto answer_lines = [&](const std::string& of, const Answers& answers) {
    const auto line_of = [&](const char* name, const Score& score, const char* unit) {
      if (score.n == 0) return;
      out += pad(of, 10) + name + " " + number(score.value) + unit + " ± " + number(score.margin) +
             " from " + std::to_string(score.n) + " answers\n";
    };
    line_of("NPS ", answers.nps, "");
    line_of("CSAT", answers.csat, " %");
    line_of("CES ", answers.ces, " of 7");
  };
  out += "\nANSWERS within seven days of being shown it\n";
  for (const Arm& arm : report.arms) answer_lines(arm.variant, arm.answers);
  if (report.holdout) answer_lines(kHoldoutArm, report.holdout->answers);
  answer_lines("everybody", report.answers);

  out += "\nVISITS by weekday and hour (" + report.time_zone + ")\n     ";
  for (int hour = 0; hour < 24; ++hour) out += right(std::to_string(hour), 5);
  for (std::size_t day = 0; day < 7; ++day) {
    out += "\n" + pad(kWeekdays[day], 5);
    for (const std::int64_t n : report.visits[day])
      out += right(n == 0 ? "." : std::to_string(n), 5);
  }
  return out + "\n";
}

}  // namespace welcome::crm
