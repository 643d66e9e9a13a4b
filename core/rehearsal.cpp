// SPDX-License-Identifier: Apache-2.0
#include "core/rehearsal.h"

#include <algorithm>
#include <utility>

namespace welcome {

namespace {

using std::chrono::seconds;

constexpr seconds kRound{240};

PipelineSettings settings() {
  PipelineSettings s;
  s.rehearsal = true;
  s.visit_timeout = seconds{30};  // the next one is waiting
  return s;
}

// Names that nobody takes for a real customer's.
std::map<CustomerId, Profile> people(WallTime now) {
  using std::chrono::days;
  Profile ada;
  ada.customer = CustomerId("rehearsal-1");
  ada.name = "Ada Example";
  ada.greeting = "Ms Example";
  ada.pronunciation = "AY-da";
  ada.met = Met::by_name;
  ada.tier = "gold";
  ada.points = 1240;
  ada.next_reward_points = 1500;
  ada.preferences = {{"drink", "sparkling water, no ice", 0.9, 2, now - days{20}},
                     {"seat", "by the window", 0.6, 1, now - days{90}}};
  ada.last_conversation = Conversation{"Asked about the early train", now - days{6}};

  Profile ben;
  ben.customer = CustomerId("rehearsal-2");
  ben.name = "Ben Sample";
  ben.greeting = "Mr Sample";  // who is met quietly, and so not called that
  ben.tier = "silver";
  ben.preferences = {{"drink", "double espresso", 0.7, 3, now - days{2}}};
  ben.avoid = {"work"};

  Profile chi;
  chi.customer = CustomerId("rehearsal-3");
  chi.name = "Chi Placeholder";
  chi.greeting = "Chi";
  chi.pronunciation = "chee";
  chi.met = Met::by_name;

  std::map<CustomerId, Profile> all;
  for (const Profile& p : {ada, ben, chi}) all[p.customer] = p;
  return all;
}

ConsentGate consenting(const std::map<CustomerId, Profile>& cast, WallTime now) {
  ConsentGate gate;
  gate.heard_from_crm(now);
  gate.set_max_age(std::chrono::hours{24 * 365});
  for (const auto& [customer, profile] : cast) {
    ConsentRecord record;
    record.customer = customer;
    record.history = {{ConsentState::given, now, "rehearsal"}};
    for (Purpose p : kAllPurposes) {
      record.purpose = p;
      gate.put(record);
    }
  }
  return gate;
}

}  // namespace

const Profile* Rehearsal::Cast::profile(const CustomerId& customer) {
  const auto it = profiles.find(customer);
  return it == profiles.end() ? nullptr : &it->second;
}

Rehearsal::Rehearsal(Pipeline::IdSource& ids, Policy policy, const Now& now)
    : cast_(people(now.wall)),
      pipeline_(settings(), cast_, ids, consenting(cast_.profiles, now.wall)),
      round_(now.mono) {
  policy.consent_max_age = std::chrono::hours{24 * 365};
  pipeline_.handle(event::PolicyReplaced{std::move(policy)}, now);

  struct Part {
    const char* who;
    int comes, stays;
    bool face;
  };
  // One comes alone, then two at once, one of whom only the phone tells.
  for (const Part& part : {Part{"rehearsal-1", 2, 70, true}, Part{"rehearsal-2", 95, 80, false},
                           Part{"rehearsal-3", 110, 90, true}}) {
    const CustomerId who(part.who);
    const auto cue = [&](int at, Zone zone, bool face = false) {
      cues_.push_back({seconds{part.comes + at}, who, zone, face});
    };
    cue(0, Zone::door);
    cue(5, Zone::inside);
    cue(10, Zone::desk);
    if (part.face) cue(13, Zone::desk, true);
    for (int at = 20; at < part.stays; at += 10) cue(at, Zone::desk);
    cue(part.stays, Zone::away);
  }
  std::stable_sort(cues_.begin(), cues_.end(), [](auto& a, auto& b) { return a.at < b.at; });
}

MonoTime Rehearsal::due(std::size_t cue) const { return round_ + cues_[cue].at; }

Effects Rehearsal::play(const Cue& cue, const Now& now) {
  IdentityClaim claim;
  claim.customer = cue.who;
  claim.source = cue.face ? ClaimSource::face : ClaimSource::eddystone_eid;
  claim.fast = claim.settled = cue.zone;
  if (cue.face) claim.similarity = 0.7;
  claim.at = now.mono;
  return pipeline_.handle(event::Claim{std::move(claim)}, now);
}

Effects Rehearsal::advance(const Now& now) {
  Effects all = pipeline_.handle(event::Tick{}, now);
  // A box that slept through a round starts a new one instead of playing everything at once.
  if (now.mono - round_ >= 2 * kRound) {
    round_ = now.mono;
    next_ = 0;
  }
  while (due(next_) <= now.mono) {
    all.append(play(cues_[next_], now));
    if (++next_ == cues_.size()) {
      next_ = 0;
      round_ += kRound;
    }
  }
  if (!all.wake_at || due(next_) < *all.wake_at) all.wake_at = due(next_);
  return all;
}

Effects Rehearsal::staff(const StaffAction& action, const Now& now) {
  Effects all = pipeline_.handle(event::Staff{action}, now);
  // The next round starts from the note, as the next visit of a real customer would.
  for (const StaffOutcome& outcome : all.staff) {
    if (outcome.action.kind != StaffAction::Kind::note) continue;
    cast_.profiles[outcome.customer].last_conversation =
        Conversation{outcome.action.text, now.wall};
  }
  if (!all.wake_at || due(next_) < *all.wake_at) all.wake_at = due(next_);
  return all;
}

Effects Rehearsal::stop(const Now& now) {
  Effects all;
  for (const auto& [customer, profile] : cast_.profiles) {
    all.append(pipeline_.handle(event::CustomerForgotten{customer}, now));
  }
  all.consents.clear();
  all.wake_at.reset();
  return all;
}

bool Rehearsal::has(const VisitId& visit) const {
  const auto visits = pipeline_.visits();
  return std::any_of(visits.begin(), visits.end(),
                     [&](const VisitView& v) { return v.visit == visit; });
}

}  // namespace welcome
