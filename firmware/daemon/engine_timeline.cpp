// The part of the Engine that keeps each visit's time line: what happened when, for
// `welcomectl why VISIT`. It is part of the visit's row: sealed, and gone with it.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "firmware/daemon/engine.h"

namespace welcome::daemon {

using nlohmann::json;

namespace {

// Whose purpose an entry is kept for.
constexpr std::string_view kVisit = "visit";  // proximity_offers or face_recognition
constexpr std::string_view kFace = "face";
constexpr std::string_view kPrompt = "prompt";
constexpr std::string_view kOffer = "offer";

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

json Engine::timeline_of(const VisitId& visit) const {
  const auto row = store_.journal().visit(visit);
  const json detail = row ? json::parse(row->detail, nullptr, false) : json();
  return detail.is_object() ? detail.value("timeline", json::array()) : json::array();
}

void Engine::write_timelines(const Effects& effects) {
  std::set<VisitId> changed;
  const auto note = [&](const VisitId& visit, WallTime at, std::string_view of, std::string what) {
    if (visit.empty()) return;
    auto [line, fresh] = timelines_.try_emplace(visit);
    if (fresh) line->second = timeline_of(visit);
    line->second.push_back({at.time_since_epoch().count(), of, std::move(what)});
    changed.insert(visit);
  };
  for (const auto& v : effects.visits) {
    note(v.visit, v.at, v.kind == VisitEvent::Kind::confirmed ? kFace : kVisit, words(v));
  }
  for (const auto& d : effects.decisions) {
    note(d.visit, d.at, d.kind == DecisionKind::prompt ? kPrompt : kOffer, words(d));
  }
  for (const auto& s : effects.staff) {
    note(s.action.visit, s.action.at, kPrompt,
         "staff " + s.action.staff.str() + ": " + std::string(to_string(s.action.kind)));
  }
  for (const auto& visit : changed) {
    auto row = store_.journal().visit(visit);
    if (!row) continue;  // still outside: kept until she comes in
    json detail = json::parse(row->detail);
    json& line = detail["timeline"] = timelines_.at(visit);
    std::stable_sort(line.begin(), line.end(),
                     [](const json& a, const json& b) { return a[0] < b[0]; });
    row->detail = detail.dump();
    (void)store_.journal().put_visit(*row);
    if (row->ended) timelines_.erase(visit);
  }
  // Who went by is forgotten with the rest of the encounter.
  if (timelines_.size() > 256) {
    std::set<VisitId> near;
    for (const auto& v : pipeline_.visits()) near.insert(v.visit);
    std::erase_if(timelines_, [&](const auto& t) { return !near.contains(t.first); });
  }
}

void Engine::withdraw_from_timelines(const ConsentEffect& consent) {
  std::string_view gone;
  if (consent.purpose == Purpose::face_recognition) gone = kFace;
  if (consent.purpose == Purpose::preference_prompts) gone = kPrompt;
  if (gone.empty()) return;
  const auto rows = store_.journal().visits_of(consent.customer);
  if (!rows) return store_failed(rows.error());
  for (auto row : *rows) {
    json detail = json::parse(row.detail, nullptr, false);
    if (!detail.is_object() || !detail.contains("timeline")) continue;
    json kept = json::array();
    for (auto& entry : detail["timeline"]) {
      if (entry[1].get<std::string>() != gone) kept.push_back(entry);
    }
    if (const auto open = timelines_.find(row.id); open != timelines_.end()) open->second = kept;
    detail["timeline"] = std::move(kept);
    row.detail = detail.dump();
    (void)store_.journal().put_visit(row);
  }
}

}  // namespace welcome::daemon
