// SPDX-License-Identifier: Apache-2.0
#pragma once
// The experiment report of a campaign: what each variant did, against the others and against those
// who were held out, where the campaign was stopped, what customers answered afterwards, and when
// they come. Counts only: it names nobody, and people who were erased are still counted (but not
// among the answers: nobody knows any more what they had been shown).

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crm/crm.h"
#include "crm/statistics.h"

namespace welcome::crm {

struct Answers {
  Score nps, csat, ces;
};

struct Arm {
  std::string variant;
  std::int64_t shown = 0;  // held out: how many would have been shown it
  std::int64_t opened = 0, redeemed = 0, dismissed = 0;
  std::int64_t came_in = 0;  // seen inside within two hours (needs visit_analytics)
  Rate open_rate, redeem_rate, came_in_rate;
  double best = 0.0;                    // probability of the highest redemption rate
  std::optional<double> beats_holdout;  // probability that it brings more people in than nothing
  Answers answers;  // given within seven days of being shown it (held out: of the moment)
};

struct Report {
  std::string campaign;
  std::vector<Arm> arms;  // by variant
  std::optional<Arm> holdout;
  std::map<std::string, std::int64_t> suppressed;  // by reason; of customers with visit_analytics
  Answers answers;                                 // all of the tenant
  // Visits that began, by weekday (Monday first) and hour on the stores' clock.
  std::array<std::array<std::int64_t, 24>, 7> visits{};
  std::string time_zone;

  // Shown, opened, came in, redeemed; all variants together.
  std::array<std::int64_t, 4> funnel() const;
};

Report make_report(Crm& crm, const std::string& campaign);

std::string report_json(const Report& report);
std::string report_table(const Report& report);
std::string report_svg(const Report& report);

}  // namespace welcome::crm
