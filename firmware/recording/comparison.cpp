// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/comparison.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "contract/message.h"
#include "core/store_clock.h"

namespace welcome::recording {

using nlohmann::json;

namespace {

Made made_of(const Decision& d) {
  return {d.id, d.kind, d.reason, d.customer, d.campaign, d.variant, d.survey};
}

std::string words(const Made& m) {
  std::string out(to_string(m.kind));
  out += m.reason == Reason::made ? " made" : " suppressed: " + std::string(to_string(m.reason));
  if (!m.campaign.empty()) out += ", campaign " + m.campaign.str();
  if (!m.variant.empty()) out += ", variant " + m.variant;
  if (!m.survey.empty()) out += ", survey " + m.survey;
  return out;
}

}  // namespace

bool Made::same(const Made& o) const {
  return std::tie(kind, reason, customer, campaign, variant, survey) ==
         std::tie(o.kind, o.reason, o.customer, o.campaign, o.variant, o.survey);
}

// ---- what one campaign did

void Comparison::Deeds::count(const Made& made) {
  if (made.reason == Reason::made) {
    ++offers;
    customers.insert(made.customer);
  } else {
    ++suppressed[std::string(to_string(made.reason))];
  }
}

json Comparison::Deeds::to_json() const {
  return {{"offers", offers}, {"customers", customers.size()}, {"suppressed", suppressed}};
}

std::string Comparison::Deeds::to_text() const {
  std::string out = std::to_string(offers) + " offered to " + std::to_string(customers.size()) +
                    (customers.size() == 1 ? " customer" : " customers");
  std::string not_made;
  for (const auto& [reason, n] : suppressed) {
    not_made += (not_made.empty() ? "; not made: " : ", ") + reason + " " + std::to_string(n);
  }
  return out + not_made;
}

void Comparison::tally(const Made& made, ByCampaign& deeds) {
  switch (made.kind) {
    case DecisionKind::offer:
      return deeds[made.campaign.str()].count(made);
    case DecisionKind::prompt:
      return deeds["(prompts)"].count(made);
    case DecisionKind::survey:
      return deeds["(survey " + made.survey + ")"].count(made);
  }
}

// ---- then and now

void Comparison::happened(const Now& now) {
  ++events_;
  if (!from_) from_ = now.wall;
  until_ = now.wall;
}

std::vector<bool> Comparison::compare(const std::vector<Made>& then,
                                      const std::vector<Decision>& now, WallTime at) {
  for (const Made& m : then) tally(m, then_);
  for (const Decision& d : now) tally(made_of(d), now_);
  std::vector<bool> differs(std::max(then.size(), now.size()));
  for (std::size_t i = 0; i < differs.size(); ++i) {
    const Made* was = i < then.size() ? &then[i] : nullptr;
    const Decision* is = i < now.size() ? &now[i] : nullptr;
    if (was != nullptr && is != nullptr && was->same(made_of(*is))) continue;
    differs[i] = true;
    ++differences_;
    if (!first_) first_ = difference(was, is, at);
  }
  return differs;
}

Comparison::Difference Comparison::difference(const Made* then, const Decision* now, WallTime at) {
  Difference out;
  out.at = at;
  out.customer = (now != nullptr ? now->customer : then->customer).str();
  out.then = then != nullptr ? words(*then) : "nothing";
  out.now = now != nullptr ? words(made_of(*now)) : "nothing";
  if (now != nullptr) out.steps = now->steps;
  return out;
}

// ---- the report

void Comparison::describe(json& lines) const {
  lines.push_back(std::to_string(events_) + " events" +
                  (from_ ? " from " + utc_text(*from_) + " to " + utc_text(until_) : ""));
  if (!left_out_.empty()) {
    lines.push_back("customers who have withdrawn or been erased since, and are left out: " +
                    std::to_string(left_out_.size()));
  }
  if (differences_ == 0) {
    lines.push_back("the same decisions as then");
    return;
  }
  lines.push_back(std::to_string(differences_) + " decisions differ; the first:");
  lines.push_back("  " + contract::to_rfc3339(first_->at) + "  customer " + first_->customer);
  lines.push_back("    then  " + first_->then);
  lines.push_back("    now   " + first_->now);
  for (const Step& s : first_->steps) {
    lines.push_back((s.passed ? "          yes  " : "          no   ") + std::string(s.rule) +
                    ": " + s.detail);
  }
}

json Comparison::campaigns(json& lines) const {
  json campaigns = json::object();
  std::set<std::string> all;
  for (const auto* deeds : {&then_, &now_}) {
    for (const auto& [name, d] : *deeds) all.insert(name);
  }
  for (const std::string& name : all) {
    const auto of = [&](const ByCampaign& deeds) {
      const auto it = deeds.find(name);
      return it == deeds.end() ? Deeds{} : it->second;
    };
    const Deeds then = of(then_);
    const Deeds now = of(now_);
    campaigns[name] = {{"then", then.to_json()}, {"now", now.to_json()}};
    lines.push_back(name);
    lines.push_back("    then  " + then.to_text());
    if (then.to_text() != now.to_text()) lines.push_back("    now   " + now.to_text());
  }
  return campaigns;
}

json Comparison::report(const std::vector<std::filesystem::path>& files) const {
  json names = json::array();
  for (const auto& file : files) names.push_back(file.stem().string());
  json lines = json::array();
  describe(lines);
  json by_campaign = campaigns(lines);
  json first;
  if (first_) {
    first = {{"at", contract::to_rfc3339(first_->at)},
             {"customer", first_->customer},
             {"then", first_->then},
             {"now", first_->now},
             {"steps", json::array()}};
    for (const Step& s : first_->steps) {
      first["steps"].push_back({{"rule", s.rule}, {"passed", s.passed}, {"detail", s.detail}});
    }
  }
  return {{"recordings", std::move(names)},
          {"events", events_},
          {"from", from_ ? json(contract::to_rfc3339(*from_)) : json()},
          {"until", contract::to_rfc3339(until_)},
          {"left_out", left_out_.size()},
          {"differences", differences_},
          {"first_difference", std::move(first)},
          {"campaigns", std::move(by_campaign)},
          {"lines", std::move(lines)}};
}

}  // namespace welcome::recording
