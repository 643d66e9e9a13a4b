// SPDX-License-Identifier: Apache-2.0
// Claims become visits.

#include <algorithm>
#include <cmath>

#include "core/clock_set.h"
#include "core/pipeline_impl.h"

namespace welcome {

namespace {

constexpr std::size_t at(ClaimSource s) { return static_cast<std::size_t>(s); }

}  // namespace

void Pipeline::Impl::on(const event::Claim& e) {
  if (const auto sighting = gate_.admit(e.claim, now_)) take(*sighting);
}

void Pipeline::Impl::take(const Sighting& s) {
  const bool face = s.source() == ClaimSource::face;
  // Such a face says rather that it is somebody else.
  if (face && face_evidence(s.similarity(), settings_.face) <= 0.0) return;
  Presence* p = find(s.customer());
  const bool in_store =
      face ? !p || face_counts(*p) : s.settled() >= Zone::door || s.fast() >= Zone::inside;
  if (p && p->stage == Presence::Stage::lingering && in_store) {
    drop(s.customer());
    p = nullptr;
  }
  if (!p) {
    if (!face && s.fast() == Zone::away && s.settled() == Zone::away) return;
    p = &begin(s.customer());
  }
  if (face) {
    take_face(*p, s);
  } else {
    take_radio(*p, s);
  }
  if (in_store) {
    p->last_in = now_.mono;
    if (p->stage == Presence::Stage::encounter) {
      p->purposes = s.purposes();
      judge_presence(*p);  // first, so that the visit starts where she is
      p->stage = Presence::Stage::in_store;
      p->started_at = now_.wall;
      p->dirty = true;
      visit_event(*p, VisitEvent::Kind::started);
    }
  }
  // The row says when she was last here: never so long ago that a restart takes her for gone.
  const auto patience =
      p->stage == Presence::Stage::in_store ? settings_.visit_timeout : settings_.encounter_timeout;
  if (p->persistent() && (!p->written || now_.mono - *p->written >= patience / 2)) p->dirty = true;
  reassess(s.customer(), s.purposes());
}

Presence& Pipeline::Impl::begin(const CustomerId& customer) {
  Presence& p = presences_[customer];
  p.visit = VisitId(ids_.visit(customer));
  p.customer = customer;
  p.started_at = now_.wall;
  p.last_seen = now_.wall;
  p.last_heard = p.last_radio = p.last_in = p.still_since = now_.mono;
  visits_[p.visit] = customer;
  if (!settings_.rehearsal) out_->near.push_back(customer);
  return p;
}

// A face carries a visit on for this long after the last word of radio, and no longer: a camera
// that is open for her sake sees her because it is open.
bool Pipeline::Impl::face_counts(const Presence& p) const {
  return now_.mono - p.last_radio < settings_.face_alone;
}

void Pipeline::Impl::take_face(Presence& p, const Sighting& s) {
  const double raw = face_evidence(s.similarity(), settings_.face);
  p.last_heard = now_.mono;
  if (!face_counts(p)) return;
  p.last_seen = now_.wall;
  p.still_since = now_.mono;
  p.face_evidence = p.face_at ? std::max(p.face_evidence, raw) : raw;
  if (!p.face_at) p.prompt_stale = true;
  p.face_at = now_.mono;
  p.face_zone = s.settled() == Zone::away ? Zone::desk : s.settled();
  p.face_track = s.track();
  if (s.track() == 0) return;

  auto& matches = tracks_[s.track()];
  std::erase_if(matches, [&](const TrackMatch& m) {
    return m.customer == s.customer() || now_.mono - m.at > settings_.face_window;
  });
  for (const TrackMatch& m : matches) {
    p.face_rival = std::max(p.face_rival.value_or(m.evidence), m.evidence);
    if (Presence* rival = find(m.customer)) {
      rival->face_rival = std::max(rival->face_rival.value_or(raw), raw);
      rival->dirty = true;
      reassess(m.customer);
    }
  }
  matches.push_back({s.customer(), raw, now_.mono});
}

void Pipeline::Impl::take_radio(Presence& p, const Sighting& s) {
  if (s.doubted()) {
    for (const ClaimSource proof : {ClaimSource::eddystone_eid, ClaimSource::rotating_uuid,
                                    ClaimSource::resolvable_address}) {
      p.heard[at(proof)].reset();
    }
    p.dirty = p.prompt_stale = true;
  }
  if (!p.heard[at(s.source())]) p.prompt_stale = true;
  p.heard[at(s.source())] = now_.mono;
  if (s.fast() != Zone::away || s.settled() != Zone::away) {
    p.last_heard = p.last_radio = now_.mono;
    p.last_seen = now_.wall;
  }
  if (s.settled() != p.settled) p.still_since = now_.mono;
  p.fast = s.fast();
  p.settled = s.settled();
  for (std::size_t z = at(Zone::street); z < kZones; ++z) {
    const auto track = [&](std::optional<MonoTime>& since, Zone zone) {
      if (at(zone) < z) {
        since.reset();
      } else if (!since) {
        since = now_.mono;
      }
    };
    track(p.reach_since[z], p.fast);
    track(p.settled_since[z], p.settled);
  }
}

void Pipeline::Impl::judge_presence(Presence& p) {
  std::optional<double> radio;
  const bool left_behind = !p.face_at && now_.mono - p.still_since >= settings_.left_behind;
  for (std::size_t i = 0; i < kSources; ++i) {
    if (!p.heard[i]) continue;
    double llr = radio_evidence(static_cast<ClaimSource>(i));
    // A phone that nobody moved for hours is a phone.
    if (left_behind) llr = std::min(llr, radio_evidence(ClaimSource::static_beacon));
    radio = std::max(radio.value_or(llr), llr);
  }
  std::optional<double> face;
  if (p.face_at && p.purposes.has(Purpose::face_recognition)) {
    face = p.face_rival ? contested(p.face_evidence, *p.face_rival) : p.face_evidence;
    *face -= face_doubt(facts(p.customer));
  }
  const Judgement j = judge(radio, face);
  p.log_odds = j.log_odds;
  if (p.level != j.level) p.dirty = p.prompt_stale = true;
  p.level = j.level;

  Zone zone = p.settled;
  if (p.face_at && now_.mono - *p.face_at <= settings_.face_window) {
    zone = std::max(zone, p.face_zone);
  }
  if (zone != p.zone) {
    p.zone = zone;
    p.dirty = p.prompt_stale = true;
    if (p.stage == Presence::Stage::in_store && zone != Zone::away) {
      visit_event(p, VisitEvent::Kind::moved);
    }
  }
  if (p.level == Level::confirmed && !p.confirmed && p.stage == Presence::Stage::in_store) {
    p.confirmed = true;
    p.dirty = true;
    visit_event(p, VisitEvent::Kind::confirmed);
  }
}

double Pipeline::Impl::face_doubt(const CustomerFacts& f) const {
  if (!f.face_doubt_at) return 0.0;
  const double days = static_cast<double>((now_.wall - *f.face_doubt_at).count()) / 86.4e6;
  return f.face_doubt * std::exp2(-std::max(days, 0.0) / 30.0);
}

// In the order of ids: the tables' own order is nobody's promise, and replay must not depend on it.
void Pipeline::Impl::reassess_everybody() {
  std::vector<CustomerId> all;
  for (auto& [id, p] : presences_) {
    p.prompt_stale = true;
    all.push_back(id);
  }
  std::sort(all.begin(), all.end());
  for (const CustomerId& id : all) reassess(id);
  forget_left();
}

bool Pipeline::Impl::timed_out(Presence& p) {
  switch (p.stage) {
    case Presence::Stage::encounter:
    case Presence::Stage::lingering:
      if (now_.mono - p.last_heard < settings_.encounter_timeout) return false;
      drop(p.customer);
      return true;
    case Presence::Stage::in_store:
      if (now_.mono - p.last_in < settings_.visit_timeout) return false;
      end(p.customer, "left");
      return true;
  }
  return false;
}

bool Pipeline::Impl::reassess(const CustomerId& id, PurposeSet purposes) {
  Presence* p = find(id);
  if (!p) return false;
  touched_.push_back(id);

  if (p->purposes != purposes) p->dirty = p->prompt_stale = true;
  p->purposes = purposes;
  if (!p->purposes.has(Purpose::face_recognition) && p->face_at) {
    p->face_at.reset();
    p->face_evidence = 0.0;
    p->face_rival.reset();
    p->dirty = p->prompt_stale = true;
  }
  if (!p->purposes.has(Purpose::proximity_offers)) {
    // What was heard may not be used any more; a face of her own may carry the visit on.
    p->heard = {};
    p->fast = p->settled = Zone::away;
    p->reach_since = p->settled_since = {};
    if (!p->face_at) {
      end(id, "consent");
      return false;
    }
  }
  if (timed_out(*p)) return find(id) != nullptr;
  std::optional<MonoTime> next_trigger;
  if (p->stage != Presence::Stage::lingering) {
    judge_presence(*p);
    refresh_prompt(*p);
    next_trigger = check_triggers(*p);
  }
  const bool candidate = p->stage != Presence::Stage::lingering &&
                         p->purposes.has(Purpose::face_recognition) &&
                         std::max({p->fast, p->settled, p->zone}) >= settings_.face_wake_zone &&
                         now_.mono < near_until(*p);
  set_candidate(*p, candidate);
  schedule(*p, next_trigger);
  return true;
}

// How long she is near, and worth looking for, if nothing more comes of her.
MonoTime Pipeline::Impl::near_until(const Presence& p) const {
  const MonoTime silence = p.last_heard + settings_.encounter_timeout;
  const MonoTime by_radio = p.last_radio + settings_.encounter_timeout;
  return std::max(by_radio, std::min(silence, p.last_radio + settings_.face_alone));
}

void Pipeline::Impl::set_candidate(Presence& p, bool candidate) {
  if (p.face_candidate == candidate) return;
  p.face_candidate = candidate;
  if (candidate) {
    face_candidates_.insert(p.customer);
  } else {
    face_candidates_.erase(p.customer);
  }
  face_candidates_changed_ = true;
}

void Pipeline::Impl::visit_event(const Presence& p, VisitEvent::Kind kind, std::string why) {
  VisitEvent e;
  e.kind = kind;
  e.visit = p.visit;
  e.customer = p.customer;
  e.zone = p.zone;
  e.level = p.level;
  e.started_at = p.started_at;
  e.at = now_.wall;
  e.ended_why = std::move(why);
  e.report = !settings_.rehearsal && p.purposes.has(Purpose::visit_analytics);
  out_->visits.push_back(std::move(e));
}

void Pipeline::Impl::end(const CustomerId& id, std::string why) {
  Presence& p = *find(id);
  if (p.stage != Presence::Stage::in_store) {
    drop(id);
    return;
  }
  const bool left = why == "left";
  if (left) {
    for (const TriggerSpec& spec : specs_) {
      if (spec.on == TriggerOn::leave) fire(p, spec);
    }
    ask(p);
    if (p.purposes.has(Purpose::personalised_offers)) {
      CustomerFacts& f = changed_facts(id);
      f.visits.push_back(p.started_at);
      ++f.visits_total;
    }
  }
  if (left) {
    let_leave(p);
  } else {
    clear_prompt(p);
  }
  visit_event(p, VisitEvent::Kind::ended, std::move(why));
  if (left && now_.mono - p.last_heard < settings_.encounter_timeout) {
    out_->rows.push_back({StateRow::Kind::visit, p.visit.str(), id, std::nullopt});
    p.stage = Presence::Stage::lingering;
    p.dirty = false;
    set_candidate(p, false);
    schedule(p, std::nullopt);
    return;
  }
  drop(id);
}

void Pipeline::Impl::drop(const CustomerId& id) {
  const auto it = presences_.find(id);
  if (it == presences_.end()) return;
  Presence& p = it->second;
  set_candidate(p, false);
  if (p.persistent() && p.stage != Presence::Stage::lingering) {
    out_->rows.push_back({StateRow::Kind::visit, p.visit.str(), id, std::nullopt});
  }
  visits_.erase(p.visit);
  touched_.push_back(id);
  presences_.erase(it);  // last: `id` may be the one in there
}

void Pipeline::Impl::schedule(Presence& p, std::optional<MonoTime> next_trigger) {
  MonoTime due = p.stage == Presence::Stage::in_store ? near_until(p)
                                                      : p.last_heard + settings_.encounter_timeout;
  if (p.stage == Presence::Stage::in_store) {
    // The camera may sleep again at `due`; after that only the visit's own end is left.
    const MonoTime visit_end = p.last_in + settings_.visit_timeout;
    due = due <= now_.mono ? visit_end : std::min(due, visit_end);
    if (p.prompt_shown) due = std::min(due, p.prompt_renew_at);
    const MonoTime left = p.still_since + settings_.left_behind;
    if (!p.face_at && left > now_.mono) due = std::min(due, left);
    if (p.face_at && p.zone > p.settled) {
      due = std::min(due, *p.face_at + settings_.face_window + chr::microseconds{1});
    }
  }
  if (next_trigger) due = std::min(due, *next_trigger);
  due = std::max(due, now_.mono + chr::milliseconds{1});
  if (p.timer && *p.timer <= due && *p.timer > now_.mono) return;  // looked at then anyway
  p.timer = due;
  timers_.emplace(due, p.customer);
}

// Without a clock or a fresh word from the CRM nobody consents; all changes at once when one of
// them goes or comes.
void Pipeline::Impl::check_footing() {
  const bool footing = gate_.footing(now_) == ConsentFooting::firm;
  if (footing == footing_) return;
  footing_ = footing;
  out_->loadable_changed = true;
  reassess_everybody();
}

void Pipeline::Impl::run_timers() {
  check_footing();
  const bool clock_set = looked_ && clock_was_set(*looked_, now_);
  looked_ = now_;
  if (clock_set || (gate_change_ && now_.wall >= *gate_change_)) {
    out_->loadable_changed = true;
    reassess_everybody();
  }
  while (!timers_.empty() && timers_.top().first <= now_.mono) {
    const auto [due, id] = timers_.top();
    timers_.pop();
    Presence* p = find(id);
    if (!p || p->timer != due) continue;
    p->timer.reset();
    reassess(id);
  }
}

}  // namespace welcome
