// SPDX-License-Identifier: Apache-2.0
// The drawing of a report: redemption by variant, the way from shown to redeemed, visits by hour.

#include <algorithm>

#include "crm/markup.h"
#include "crm/report.h"
#include "crm/report_words.h"

namespace welcome::crm {
namespace {

constexpr int kWidth = 720;
constexpr int kLeft = 120;  // of what is drawn to scale
constexpr int kRight = 150;
constexpr int kTop = 70;
constexpr int kBetween = 60;  // two parts
constexpr int kRow = 44;      // a variant
constexpr int kStep = 26;     // a step from shown to redeemed
constexpr int kCell = 24;     // an hour

constexpr const char* kGrey = " fill=\"#555\"";

// `share` of the room that is drawn to scale.
std::string wide(double share) { return number(share * (kWidth - kLeft - kRight)); }
std::string across(double share) { return number(kLeft + share * (kWidth - kLeft - kRight)); }

class Svg {
 public:
  Svg(int height, const std::string& title) {
    out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + std::to_string(kWidth) +
           " " + std::to_string(height) +
           "\" font-family=\"sans-serif\" font-size=\"14\" role=\"img\">\n<title>" +
           escape_markup(title) +
           "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  }
  void text(const std::string& x, int y, const std::string& what, const std::string& more = {}) {
    out_ += "<text x=\"" + x + "\" y=\"" + std::to_string(y) + "\"" + more + ">" +
            escape_markup(what) + "</text>\n";
  }
  void text(int x, int y, const std::string& what, const std::string& more = {}) {
    text(std::to_string(x), y, what, more);
  }
  void box(const std::string& x, int y, const std::string& width, int height,
           const std::string& fill) {
    out_ += "<rect x=\"" + x + "\" y=\"" + std::to_string(y) + "\" width=\"" + width +
            "\" height=\"" + std::to_string(height) + "\" fill=\"" + fill + "\"/>\n";
  }
  void line(const std::string& from_x, int from_y, const std::string& to_x, int to_y,
            const std::string& stroke) {
    out_ += "<line x1=\"" + from_x + "\" x2=\"" + to_x + "\" y1=\"" + std::to_string(from_y) +
            "\" y2=\"" + std::to_string(to_y) + "\"" + stroke + "/>\n";
  }
  void dot(const std::string& x, int y) {
    out_ +=
        "<circle cx=\"" + x + "\" cy=\"" + std::to_string(y) + "\" r=\"5\" fill=\"#1f4e8c\"/>\n";
  }
  std::string end() && { return std::move(out_) + "</svg>\n"; }

 private:
  std::string out_;
};

void draw_variants(Svg& svg, const std::vector<Arm>& arms) {
  double most = 0.05;
  for (const Arm& arm : arms) most = std::max(most, arm.redeem_rate.high);
  svg.text(16, 48, "redeemed of shown, with 95 % credible interval", kGrey);
  int y = kTop;
  for (const Arm& arm : arms) {
    const Rate& rate = arm.redeem_rate;
    const int middle = y + kRow / 2;
    svg.text(16, middle + 5, arm.variant);
    svg.box(across(0.0), y + 10, wide(rate.estimate / most), kRow - 20, "#b5cdea");
    svg.line(across(rate.low / most), middle, across(rate.high / most), middle,
             " stroke=\"#1f4e8c\" stroke-width=\"3\"");
    svg.dot(across(rate.estimate / most), middle);
    svg.text(kWidth - kRight + 12, middle + 5,
             std::to_string(arm.redeemed) + " of " + std::to_string(arm.shown) + ", best " +
                 percent(arm.best));
    y += kRow;
  }
  svg.line(across(0.0), kTop - 4, across(0.0), y, " stroke=\"#555\"");
  svg.text(kLeft, y + 20, "0", kGrey);
  svg.text(across(1.0), y + 20, percent(most), std::string(kGrey) + " text-anchor=\"end\"");
}

void draw_funnel(Svg& svg, const Report& report, int top) {
  svg.text(16, top - 12, "from shown to redeemed", kGrey);
  const auto steps = report.funnel();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double share =
        steps[0] == 0 ? 0.0 : static_cast<double>(steps[i]) / static_cast<double>(steps[0]);
    svg.text(16, top + 16, kFunnel[i]);
    svg.box(std::to_string(kLeft), top + 3, wide(share), kStep - 6, "#b5cdea");
    svg.text(kWidth - kRight + 12, top + 16, std::to_string(steps[i]) + ", " + percent(share));
    top += kStep;
  }
}

// From white to dark blue.
std::string colour_of(double heat) {
  const auto mix = [&](int low, int high) {
    return std::to_string(static_cast<int>(high + (low - high) * heat));
  };
  return "rgb(" + mix(31, 238) + "," + mix(78, 242) + "," + mix(140, 247) + ")";
}

void draw_visits(Svg& svg, const Report& report, int top) {
  constexpr int kCells = 60;  // where midnight is
  svg.text(16, top - 12, "visits by weekday and hour (" + report.time_zone + ")", kGrey);
  std::int64_t busiest = 1;
  for (const auto& day : report.visits) {
    busiest = std::max(busiest, *std::max_element(day.begin(), day.end()));
  }
  for (std::size_t day = 0; day < kWeekdays.size(); ++day) {
    const int y = top + kCell * static_cast<int>(day);
    svg.text(16, y + 16, kWeekdays[day]);
    for (std::size_t hour = 0; hour < 24; ++hour) {
      const double heat =
          static_cast<double>(report.visits[day][hour]) / static_cast<double>(busiest);
      svg.box(std::to_string(kCells + kCell * static_cast<int>(hour)), y, std::to_string(kCell - 2),
              kCell - 2, colour_of(heat));
    }
  }
  for (int hour = 0; hour < 24; hour += 3) {
    svg.text(kCells + kCell * hour, top + kCell * 7 + 16, std::to_string(hour), kGrey);
  }
}

}  // namespace

std::string report_svg(const Report& report) {
  const int funnel_top = kTop + kRow * static_cast<int>(report.arms.size()) + kBetween;
  const int visits_top = funnel_top + kStep * static_cast<int>(kFunnel.size()) + kBetween;
  Svg svg(visits_top + kCell * 8 + 10, report.campaign + ": redemption by variant");
  svg.text(16, 28, report.campaign, " font-size=\"17\" font-weight=\"bold\"");
  draw_variants(svg, report.arms);
  draw_funnel(svg, report, funnel_top);
  draw_visits(svg, report, visits_top);
  return std::move(svg).end();
}

}  // namespace welcome::crm
