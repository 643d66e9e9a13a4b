#pragma once
// The experiment report of a campaign: what each variant did, against the others and against those
// who were held out, and what customers answered. Counts only: it names nobody, and people who
// were erased are still counted.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sync/crm/crm.h"
#include "sync/crm/statistics.h"

namespace welcome::crm {

struct Arm {
  std::string variant;
  std::int64_t shown = 0;  // held out: how many would have been shown it
  std::int64_t opened = 0, redeemed = 0, dismissed = 0;
  std::int64_t came_in = 0;  // seen inside within two hours (needs visit_analytics)
  Rate open_rate, redeem_rate, came_in_rate;
  double best = 0.0;                    // probability of the highest redemption rate
  std::optional<double> beats_holdout;  // probability that it brings more people in than nothing
};

struct Report {
  std::string campaign;
  std::vector<Arm> arms;  // by variant
  std::optional<Arm> holdout;
  Score nps, csat, ces;                           // all answers of the tenant
  std::array<std::int64_t, 24> visits_by_hour{};  // UTC
};

Report make_report(Crm& crm, const std::string& campaign);

std::string report_json(const Report& report);
std::string report_table(const Report& report);
std::string report_svg(const Report& report);

}  // namespace welcome::crm
