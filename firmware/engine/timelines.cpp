// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/timelines.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "contract/json_text.h"

namespace welcome::daemon {

using nlohmann::json;

namespace {

constexpr std::size_t kMostLines = 256;

std::string words(const VisitEvent& v) {
  const std::string zone(to_string(v.zone));
  switch (v.kind) {
    case VisitEvent::Kind::started:
      return "came in, zone " + zone;
    case VisitEvent::Kind::moved:
      return "moved to zone " + zone;
    case VisitEvent::Kind::confirmed:
      return "confirmed: phone and face";
    case VisitEvent::Kind::ended:
      return "ended: " + v.ended_why;
  }
  return {};
}

std::string words(const Decision& d) {
  std::string out(to_string(d.kind));
  out += d.made() ? " made" : " not made: " + std::string(to_string(d.reason));
  if (!d.campaign.empty()) out += ", campaign " + d.campaign.str();
  if (!d.survey.empty()) out += ", " + d.survey;
  return out;
}

}  // namespace

Timelines::Timelines(Shared& shared, Needs& needs) : shared_(shared), needs_(needs) {}
Timelines::~Timelines() = default;

json Timelines::of(const VisitId& visit) const {
  const auto row = shared_.store.journal().visit(visit);
  const json detail = row ? json::parse(row->detail, nullptr, false) : json();
  return detail.is_object() ? detail.value("timeline", json::array()) : json::array();
}

void Timelines::note(const VisitId& visit, WallTime at, TimelineOf what_of, std::string what) {
  auto [line, fresh] = lines_.try_emplace(visit);
  if (fresh) line->second = of(visit);
  line->second.push_back({at.time_since_epoch().count(), to_string(what_of), std::move(what)});
}

void Timelines::write(store::Tx& tx, const Effects& effects) {
  std::set<VisitId> changed;
  const auto add = [&](const VisitId& visit, WallTime at, TimelineOf of, std::string what) {
    if (visit.empty()) return;
    note(visit, at, of, std::move(what));
    changed.insert(visit);
  };
  for (const auto& v : effects.visits) {
    add(v.visit, v.at, v.kind == VisitEvent::Kind::confirmed ? TimelineOf::face : TimelineOf::visit,
        words(v));
  }
  for (const auto& d : effects.decisions) {
    add(d.visit, d.at, d.kind == DecisionKind::prompt ? TimelineOf::prompt : TimelineOf::offer,
        words(d));
  }
  for (const auto& s : effects.staff) {
    add(s.action.visit, s.action.at, TimelineOf::prompt,
        "staff " + s.action.staff.str() + ": " + std::string(to_string(s.action.kind)));
  }
  for (const auto& visit : changed) {
    auto row = shared_.store.journal().visit(visit);
    if (!row) continue;  // still outside: kept until they come in
    json detail = json::parse(row->detail);
    json& line = detail["timeline"] = lines_.at(visit);
    std::stable_sort(line.begin(), line.end(),
                     [](const json& a, const json& b) { return a[0] < b[0]; });
    row->detail = contract::dump(detail);
    tx.journal().put_visit(*row);
    if (row->ended) lines_.erase(visit);
  }
  if (lines_.size() > kMostLines) keep_those_near();
}

// Who went by is forgotten with the rest of the encounter.
void Timelines::keep_those_near() {
  std::set<VisitId> near;
  for (const auto& v : shared_.pipeline.visits()) near.insert(v.visit);
  std::erase_if(lines_, [&](const auto& t) { return !near.contains(t.first); });
}

void Timelines::forget(const CustomerId& customer) {
  const auto rows = shared_.store.journal().visits_of(customer);
  if (!rows) return needs_.store_failed(rows.error());
  for (const auto& row : *rows) lines_.erase(row.id);
}

}  // namespace welcome::daemon
