#include "sync/crm/report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace welcome::crm {
namespace {

constexpr const char* kHoldout = "holdout";

std::vector<std::int64_t> answers(Database& db, const std::string& kind) {
  std::vector<std::int64_t> out;
  for (const Row& row :
       db.query("SELECT score FROM survey_answer WHERE kind = $1 ORDER BY id", {kind})) {
    out.push_back(row.integer(0));
  }
  return out;
}

std::string percent(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", value * 100.0);
  return text;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string interval(const Rate& rate) {
  return percent(rate.estimate) + " (" + percent(rate.low) + " to " + percent(rate.high) + ")";
}

json rate_json(const Rate& rate) {
  return {{"estimate", rate.estimate}, {"low", rate.low}, {"high", rate.high}};
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
              {"probability_best", arm.best}};
  if (arm.beats_holdout) out["probability_beats_holdout"] = *arm.beats_holdout;
  return out;
}

json score_json(const Score& score) {
  return {{"answers", score.n}, {"value", score.value}, {"margin_95", score.margin}};
}

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
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
    if (arm.variant == kHoldout) {
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
  report.nps = nps(answers(db, "nps"));
  report.csat = csat(answers(db, "csat"));
  report.ces = ces(answers(db, "ces"));
  for (const Row& row :
       db.query("SELECT substr(time, 12, 2), COUNT(*) FROM ledger "
                "WHERE type LIKE '%visit.started%' GROUP BY substr(time, 12, 2)")) {
    const std::int64_t hour = row.integer(0) % 24;
    report.visits_by_hour[static_cast<std::size_t>(hour)] = row.integer(1);
  }
  return report;
}

std::string report_json(const Report& report) {
  json out = {{"campaign", report.campaign},
              {"variants", json::array()},
              {"surveys",
               {{"nps", score_json(report.nps)},
                {"csat", score_json(report.csat)},
                {"ces", score_json(report.ces)}}},
              {"visits_by_hour_utc", report.visits_by_hour}};
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
  const auto score_line = [&](const char* name, const Score& score, const char* unit) {
    if (score.n == 0) return;
    out += std::string(name) + " " + number(score.value) + unit + " ± " + number(score.margin) +
           " from " + std::to_string(score.n) + " answers\n";
  };
  score_line("NPS ", report.nps, "");
  score_line("CSAT", report.csat, " %");
  score_line("CES ", report.ces, " of 7");
  return out;
}

std::string report_svg(const Report& report) {
  constexpr int kWidth = 720;
  constexpr int kLeft = 120;
  constexpr int kRight = 150;
  constexpr int kRow = 44;
  std::vector<const Arm*> arms;
  for (const Arm& arm : report.arms) arms.push_back(&arm);
  double most = 0.05;
  for (const Arm* arm : arms) most = std::max(most, arm->redeem_rate.high);
  const auto x = [&](double value) {
    return number(kLeft + value / most * (kWidth - kLeft - kRight));
  };
  const int height = 70 + kRow * static_cast<int>(arms.size()) + 30;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " +
                    std::to_string(kWidth) + " " + std::to_string(height) +
                    "\" font-family=\"sans-serif\" font-size=\"14\" role=\"img\">\n";
  out += "<title>" + escape(report.campaign) + ": redemption by variant</title>\n";
  out += "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  out += "<text x=\"16\" y=\"28\" font-size=\"17\" font-weight=\"bold\">" +
         escape(report.campaign) + "</text>\n";
  out +=
      "<text x=\"16\" y=\"48\" fill=\"#555\">redeemed of shown, with 95 % credible "
      "interval</text>\n";
  int y = 70;
  for (const Arm* arm : arms) {
    const std::string middle = std::to_string(y + kRow / 2);
    const std::string text_y = std::to_string(y + kRow / 2 + 5);
    out += "<text x=\"16\" y=\"" + text_y + "\">" + escape(arm->variant) + "</text>\n";
    out += "<rect x=\"" + x(0.0) + "\" y=\"" + std::to_string(y + 10) + "\" width=\"" +
           number(arm->redeem_rate.estimate / most * (kWidth - kLeft - kRight)) + "\" height=\"" +
           std::to_string(kRow - 20) + "\" fill=\"#b5cdea\"/>\n";
    out += "<line x1=\"" + x(arm->redeem_rate.low) + "\" x2=\"" + x(arm->redeem_rate.high) +
           "\" y1=\"" + middle + "\" y2=\"" + middle +
           "\" stroke=\"#1f4e8c\" stroke-width=\"3\"/>\n";
    out += "<circle cx=\"" + x(arm->redeem_rate.estimate) + "\" cy=\"" + middle +
           "\" r=\"5\" fill=\"#1f4e8c\"/>\n";
    out += "<text x=\"" + std::to_string(kWidth - kRight + 12) + "\" y=\"" + text_y + "\">" +
           std::to_string(arm->redeemed) + " of " + std::to_string(arm->shown) + ", best " +
           percent(arm->best) + "</text>\n";
    y += kRow;
  }
  out += "<line x1=\"" + x(0.0) + "\" x2=\"" + x(0.0) + "\" y1=\"66\" y2=\"" + std::to_string(y) +
         "\" stroke=\"#555\"/>\n";
  out += "<text x=\"" + std::to_string(kLeft) + "\" y=\"" + std::to_string(y + 20) +
         "\" fill=\"#555\">0</text>\n";
  out += "<text x=\"" + x(most) + "\" y=\"" + std::to_string(y + 20) +
         "\" fill=\"#555\" text-anchor=\"end\">" + percent(most) + "</text>\n";
  out += "</svg>\n";
  return out;
}

}  // namespace welcome::crm
