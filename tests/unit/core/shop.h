// SPDX-License-Identifier: Apache-2.0
#pragma once
// A shop for tests: the test owns time, ids and profiles, and keeps every row like a store would.

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/pipeline.h"

namespace welcome::test {

using namespace std::chrono_literals;

// Saturday 2026-11-21 09:00 UTC.
inline constexpr WallTime kOpening = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} + 9h;

struct CountingIds : Pipeline::IdSource {
  std::string next() override { return prefix + std::to_string(++count); }
  std::string prefix = "id-";
  int count = 0;
};

struct MapDirectory : Pipeline::Directory {
  const Profile* profile(const CustomerId& c) override {
    const auto it = profiles.find(c);
    return it == profiles.end() ? nullptr : &it->second;
  }
  std::optional<std::string> facts(const CustomerId& c) override {
    const auto it = rows.find({StateRow::Kind::facts, c.str()});
    return it == rows.end() ? std::nullopt : it->second.value;
  }
  std::map<CustomerId, Profile> profiles;
  std::map<std::pair<StateRow::Kind, std::string>, StateRow> rows;
};

inline ConsentRecord consent(const CustomerId& customer, Purpose purpose, ConsentState state,
                             WallTime at) {
  ConsentRecord r;
  r.record_id = customer.str() + "/" + std::string(to_string(purpose));
  r.customer = customer;
  r.purpose = purpose;
  r.history.push_back({state, at, "app"});
  return r;
}

inline Campaign campaign(std::string id, TriggerOn on = TriggerOn::pass_by) {
  Campaign c;
  c.id = CampaignId(std::move(id));
  c.trigger.on = on;
  c.trigger.dwell = on == TriggerOn::pass_by ? 5s : 0s;
  Variant v;
  v.id = "a";
  v.text["en"] = "An espresso on the house";
  c.variants.push_back(v);
  return c;
}

class Shop {
 public:
  explicit Shop(PipelineSettings settings = {}) : settings_(settings) {
    pipeline.emplace(settings_, directory, ids);
    hear_crm();
    handle(event::PolicyReplaced{policy});  // without one no offer is made
  }

  // ---- people
  CustomerId member(const std::string& id, std::vector<Purpose> purposes) {
    const CustomerId customer(id);
    Profile p;
    p.customer = customer;
    p.name = "Paul Moreau";
    p.greeting = "Mr Moreau";
    p.met = Met::by_name;
    p.tier = "gold";
    p.points = 100;
    directory.profiles[customer] = p;
    for (Purpose purpose : purposes) give(customer, purpose);
    return customer;
  }
  CustomerId member(const std::string& id) {
    return member(id, {kAllPurposes.begin(), kAllPurposes.end()});
  }
  // The CRM knows it, this box hears of it at its next start.
  void withdraw_unheard(const CustomerId& c, Purpose p) {
    consents_.push_back(consent(c, p, ConsentState::withdrawn, wall));
  }
  Effects give(const CustomerId& c, Purpose p) { return consent_step(c, p, ConsentState::given); }
  Effects withdraw(const CustomerId& c, Purpose p) {
    return consent_step(c, p, ConsentState::withdrawn);
  }

  // ---- time
  Now now() const { return {MonoTime{mono}, wall, wall_trusted}; }
  Effects wait(std::chrono::milliseconds d) {
    Effects all;
    const MonoTime end{mono + d};
    // Like the daemon: wake when asked to, and not otherwise.
    while (last_wake && *last_wake <= end) {
      const auto step = std::chrono::ceil<std::chrono::milliseconds>(
          std::max(*last_wake, MonoTime{mono}).time_since_epoch() - mono);
      step_time(step);
      last_wake.reset();
      all.append(handle(event::Tick{}));
    }
    step_time(std::chrono::duration_cast<std::chrono::milliseconds>(end.time_since_epoch() - mono));
    return all;
  }
  void step_time(std::chrono::milliseconds d) {
    mono += d;
    wall += d;
  }

  // ---- events
  Effects handle(const Event& e) {
    Effects effects = pipeline->handle(e, now());
    last_wake = effects.wake_at;
    keep(effects);
    return effects;
  }
  Effects hear_crm() { return handle(event::CrmHeard{wall}); }
  Effects phone(const CustomerId& c, Zone zone, ClaimSource source = ClaimSource::eddystone_eid) {
    return radio(c, zone, zone, source);
  }
  Effects radio(const CustomerId& c, Zone fast, Zone settled, ClaimSource source) {
    IdentityClaim claim;
    claim.customer = c;
    claim.source = source;
    claim.fast = fast;
    claim.settled = settled;
    claim.at = MonoTime{mono};
    return handle(event::Claim{claim});
  }
  Effects face(const CustomerId& c, double similarity = 0.62, std::uint64_t track = 1) {
    IdentityClaim claim;
    claim.customer = c;
    claim.source = ClaimSource::face;
    claim.fast = claim.settled = Zone::desk;
    claim.similarity = similarity;
    claim.track = track;
    claim.at = MonoTime{mono};
    return handle(event::Claim{claim});
  }
  // Stays in a zone and is heard every second.
  Effects stay(const CustomerId& c, Zone zone, std::chrono::seconds d,
               ClaimSource source = ClaimSource::eddystone_eid) {
    Effects all = phone(c, zone, source);
    for (auto i = 0s; i < d; ++i) {
      all.append(wait(1s));
      all.append(phone(c, zone, source));
    }
    return all;
  }
  // Out of reach until nothing is left of the visit.
  Effects leave(const CustomerId& c) {
    Effects all = phone(c, Zone::away);
    all.append(wait(settings_.visit_timeout + settings_.encounter_timeout + 1s));
    return all;
  }
  Effects sent(const Decision& d) { return handle(event::DecisionSent{d.id}); }
  Effects staff(const VisitId& visit, StaffAction::Kind kind, std::string text = {}) {
    StaffAction a;
    a.id = "action-" + std::to_string(++actions_);
    a.visit = visit;
    a.staff = StaffId("eva");
    a.kind = kind;
    a.text = std::move(text);
    a.at = wall;
    return handle(event::Staff{a});
  }

  // A new process on the same rows; what it did first is in `after_restart`.
  Pipeline::Restored restart(std::chrono::milliseconds off = 5s) {
    std::vector<StateRow> rows;
    for (const auto& [key, row] : directory.rows) {
      if (row.kind != StateRow::Kind::facts) rows.push_back(row);
    }
    wall += off;
    mono = 1000s;  // another boot, another start of the clock
    pipeline.emplace(settings_, directory, ids);
    for (const auto& r : consents_) pipeline->gate_for_loading().put(r);
    const auto restored = pipeline->restore(rows, now());
    after_restart = handle(event::PolicyReplaced{policy});
    after_restart.append(handle(event::CampaignsReplaced{campaigns}));
    return restored;
  }
  Effects use(Policy p) {
    policy = std::move(p);
    return handle(event::PolicyReplaced{policy});
  }
  Effects use(std::vector<Campaign> c) {
    campaigns = std::move(c);
    return handle(event::CampaignsReplaced{campaigns});
  }
  std::vector<StateRow> rows(StateRow::Kind kind) const {
    std::vector<StateRow> out;
    for (const auto& [key, row] : directory.rows) {
      if (row.kind == kind) out.push_back(row);
    }
    return out;
  }

  MapDirectory directory;
  CountingIds ids;
  std::optional<Pipeline> pipeline;
  Policy policy;
  std::vector<Campaign> campaigns;
  WallTime wall = kOpening;
  MonoClock::duration mono{500s};
  bool wall_trusted = true;
  std::optional<MonoTime> last_wake;
  Effects after_restart;

 private:
  Effects consent_step(const CustomerId& c, Purpose p, ConsentState state) {
    consents_.push_back(consent(c, p, state, wall));
    return handle(event::ConsentChanged{{consents_.back()}});
  }
  void keep(const Effects& effects) {
    for (const StateRow& row : effects.rows) {
      if (row.value) {
        directory.rows[{row.kind, row.key}] = row;
      } else {
        directory.rows.erase({row.kind, row.key});
      }
    }
  }

  PipelineSettings settings_;
  std::vector<ConsentRecord> consents_;
  int actions_ = 0;
};

// ---- what came out, in short

inline std::vector<Decision> of_kind(const Effects& e, DecisionKind kind) {
  std::vector<Decision> out;
  for (const Decision& d : e.decisions) {
    if (d.kind == kind) out.push_back(d);
  }
  return out;
}
inline std::vector<Decision> offers(const Effects& e) { return of_kind(e, DecisionKind::offer); }
inline std::vector<Reason> offer_reasons(const Effects& e) {
  std::vector<Reason> out;
  for (const Decision& d : offers(e)) out.push_back(d.reason);
  return out;
}
inline std::vector<Reason> prompt_reasons(const Effects& e) {
  std::vector<Reason> out;
  for (const Decision& d : of_kind(e, DecisionKind::prompt)) out.push_back(d.reason);
  return out;
}
inline std::vector<VisitEvent::Kind> visit_kinds(const Effects& e) {
  std::vector<VisitEvent::Kind> out;
  for (const VisitEvent& v : e.visits) out.push_back(v.kind);
  return out;
}

}  // namespace welcome::test

namespace welcome {
inline void PrintTo(Reason r, std::ostream* os) { *os << to_string(r); }
inline void PrintTo(Level l, std::ostream* os) { *os << to_string(l); }
inline void PrintTo(Zone z, std::ostream* os) { *os << to_string(z); }
inline void PrintTo(VisitEvent::Kind k, std::ostream* os) { *os << to_string(k); }
inline void PrintTo(ConsentVerdict v, std::ostream* os) { *os << to_string(v); }
}  // namespace welcome
