// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/today.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "contract/items.h"
#include "core/facts.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kAtOnce = 60s;

// What staff did in a visit, as its time line has it: a tap that was taken back is none.
struct Served {
  std::optional<WallTime> greeted;
  bool served = false;
};

Served served_of(const json& timeline) {
  Served out;
  for (const json& entry : timeline) {
    if (!entry.is_array() || entry.size() < 3 || entry[1] != to_string(TimelineOf::prompt))
      continue;
    const std::string words = entry[2].get<std::string>();
    if (!words.starts_with("staff ")) continue;
    const auto done = staff_action_from_string(words.substr(words.rfind(' ') + 1));
    if (!done) continue;
    switch (*done) {
      case StaffAction::Kind::greeted:
        out.greeted = WallTime(WallTime::duration(entry[0].get<std::int64_t>()));
        break;
      case StaffAction::Kind::served:
        out.served = true;
        break;
      case StaffAction::Kind::reopen:
      case StaffAction::Kind::not_this_person:
        out = {};
        break;
      default:
        break;
    }
  }
  return out;
}

Result<std::set<VisitId>> count_visits(const Shared& shared, const Now& now,
                                       contract::Today& today) {
  const auto visits = shared.store.journal().visits_since(today.since);
  if (!visits) return tl::unexpected(visits.error());
  std::set<VisitId> counted;
  for (const auto& visit : *visits) {
    const json detail = json::parse(visit.detail, nullptr, false);
    if (!detail.is_object() || detail.value("counts", false) == false) continue;
    if (!shared.pipeline.gate().permits(visit.customer, Purpose::visit_analytics, now)) continue;
    counted.insert(visit.id);
    ++today.arrivals;
    const Served done = served_of(detail.value("timeline", json::array()));
    if (done.greeted) ++today.greeted;
    if (done.greeted && *done.greeted - visit.started <= kAtOnce) ++today.greeted_at_once;
    if (done.served) ++today.served;
  }
  return counted;
}

// An offer counts once it went: what waits, or was another box's in the end, did not.
Result<void> count_offers(const Shared& shared, contract::Today& today) {
  const auto made = shared.store.journal().made_since(today.since, to_string(DecisionKind::offer));
  if (!made) return tl::unexpected(made.error());
  std::map<CustomerId, std::set<DecisionId>> of;
  for (const auto& decision : *made) of[decision.customer].insert(decision.id);
  for (const auto& [customer, decisions] : of) {
    const auto stored = shared.store.journal().facts(customer);
    if (!stored) return tl::unexpected(stored.error());
    const auto facts = decode_facts(stored->value_or(""));
    if (!facts) continue;
    for (const auto& offer : facts->offers) {
      if (!decisions.contains(offer.decision)) continue;
      using State = OfferFact::State;
      if (offer.state == State::pending || offer.state == State::holdout) continue;
      ++today.offers;
      if (offer.state != State::sent) ++today.opened;
      if (offer.state == State::redeemed) ++today.redeemed;
    }
  }
  return {};
}

Result<void> count_why_not(const Shared& shared, const std::set<VisitId>& counted,
                           contract::Today& today) {
  const auto rows = shared.store.journal().not_offered_since(today.since);
  if (!rows) return tl::unexpected(rows.error());
  for (const auto& row : *rows) {
    if (!counted.contains(row.visit)) continue;
    const auto reason = reason_from_string(row.reason);
    if (reason) today.why_not[std::string(family(*reason))] += row.count;
  }
  return {};
}

// Of the campaigns that are in force.
Result<void> list_experiments(const Shared& shared, contract::Today& today) {
  const auto loaded =
      shared.store.replica().load(store::Collection::campaigns, [&](store::ReplicaItem&& stored) {
        const auto item = contract::decode_item(contract::Collection::campaigns, stored.body);
        if (!item) return;
        const auto& campaign = std::get<Campaign>(*item);
        if (campaign.variants.size() < 2 && campaign.holdout_percent <= 0) return;
        contract::ExperimentView view{
            campaign.id.str(), campaign.name, {}, campaign.holdout_percent};
        for (const auto& variant : campaign.variants) view.variants.push_back(variant.id);
        today.experiments.push_back(std::move(view));
      });
  if (!loaded) return tl::unexpected(loaded.error());
  return {};
}

}  // namespace

WallTime start_of_day(const StoreClock& clock, WallTime t) {
  const auto day = clock.local(t).day;
  WallTime start = std::chrono::floor<std::chrono::minutes>(t) - clock.local(t).time;
  // Where the clock was changed since then.
  const auto local = clock.local(start);
  if (local.day < day) return start + (24h - local.time);
  return start - local.time;
}

Result<contract::Today> count_today(const Shared& shared, const Now& now) {
  const auto clock = StoreClock::open(shared.pipeline.policy().time_zone);
  contract::Today today;
  today.since = start_of_day(clock.value_or(StoreClock()), now.wall);
  const auto counted = count_visits(shared, now, today);
  if (!counted) return tl::unexpected(counted.error());
  if (auto done = count_offers(shared, today); !done) return tl::unexpected(done.error());
  if (auto done = count_why_not(shared, *counted, today); !done) {
    return tl::unexpected(done.error());
  }
  const auto surveys =
      shared.store.journal().made_since(today.since, to_string(DecisionKind::survey));
  if (!surveys) return tl::unexpected(surveys.error());
  today.surveys = static_cast<int>(surveys->size());
  if (auto done = list_experiments(shared, today); !done) return tl::unexpected(done.error());
  return today;
}

}  // namespace welcome::daemon
