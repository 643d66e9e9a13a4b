#include "firmware/core/pipeline.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <queue>
#include <set>
#include <unordered_map>

#include "firmware/core/facts.h"
#include "firmware/core/hash.h"
#include "firmware/core/learner.h"
#include "firmware/core/offers.h"
#include "firmware/core/presence.h"
#include "firmware/core/prompts.h"
#include "firmware/core/store_clock.h"
#include "firmware/core/text.h"

namespace welcome {

namespace chr = std::chrono;

namespace {

constexpr chr::minutes kPromptLife{30};
constexpr chr::minutes kPromptRenew{15};
constexpr chr::seconds kHeardLately{3};
constexpr chr::minutes kHeardRowEvery{5};
constexpr chr::days kToldFor{8};                  // a day longer than any cap looks back
constexpr std::string_view kUnagreed = " waits";  // at the end of a decision's row
constexpr std::size_t kMaxNote = 2000;
constexpr double kMaxFaceDoubt = 3.0;  // a very clear face with a phone can always confirm

constexpr std::size_t at(Zone z) { return static_cast<std::size_t>(z); }
constexpr std::size_t at(ClaimSource s) { return static_cast<std::size_t>(s); }

std::string key_of(std::string_view prefix, std::string_view id) {
  return std::string(prefix) + std::string(id);
}

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

// How far an offer got before a rule stopped it: the furthest one is what people ask about.
int progress(Reason reason) {
  switch (reason) {
    case Reason::not_in_audience:
      return 0;
    case Reason::no_consent:
      return 1;
    case Reason::schedule:
      return 2;
    case Reason::budget:
      return 3;
    case Reason::just_bought:
      return 4;
    case Reason::cap_campaign:
      return 5;
    default:
      return 6;
  }
}

// The prefix of a row of kind `store`.
constexpr std::string_view kPauseRow = "pause:";
constexpr std::string_view kBudgetRow = "budget:";
constexpr std::string_view kLearnerRow = "learner:";
constexpr std::string_view kTodayRow = "today";
constexpr std::string_view kHeardRow = "crm_heard";

}  // namespace

std::uint64_t store_alias(const Policy& policy, const CustomerId& customer) {
  return stable_hash(policy.seed, {"store", customer.str()});
}

void Effects::append(Effects&& o) {
  const auto move_all = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_all(visits, o.visits);
  move_all(decisions, o.decisions);
  move_all(prompts, o.prompts);
  move_all(prompts_cleared, o.prompts_cleared);
  move_all(staff, o.staff);
  move_all(consents, o.consents);
  move_all(withdrawn_decisions, o.withdrawn_decisions);
  move_all(tell_store, o.tell_store);
  move_all(untell_store, o.untell_store);
  move_all(let_go, o.let_go);
  move_all(rows, o.rows);
  move_all(refused, o.refused);
  if (o.face_candidates) face_candidates = std::move(o.face_candidates);
  loadable_changed = loadable_changed || o.loadable_changed;
  move_all(loadable_customers, o.loadable_customers);
  wake_at = o.wake_at;
}

class Pipeline::Impl {
 public:
  Impl(PipelineSettings settings, Directory& directory, IdSource& ids, ConsentGate gate)
      : settings_(settings), directory_(directory), ids_(ids), gate_(std::move(gate)) {
    limit_silence();
  }

  Effects handle(const Event& event, const Now& now) {
    Effects effects;
    out_ = &effects;
    now_ = now;
    local_ = clock_.local(now.wall);
    run_timers();
    std::visit([this](const auto& e) { on(e); }, event);
    finish();
    out_ = nullptr;
    return effects;
  }

  Restored restore(const std::vector<StateRow>& rows, const Now& now);

  std::vector<VisitView> visits() const;

  ConsentGate& gate() { return gate_; }
  const Policy& policy() const { return policy_; }
  std::size_t campaigns() const { return campaigns_.size(); }
  bool empty() const { return presences_.empty(); }

 private:
  struct Loaded {
    CustomerFacts facts;
    bool dirty = false;
  };
  struct Waiting {
    CustomerId customer;
    WallTime expires_at;
  };
  // All campaigns that fire at the same moment.
  struct TriggerSpec {
    TriggerOn on;
    Zone zone;
    chr::milliseconds dwell;
    std::uint64_t key;
    std::vector<const CompiledCampaign*> campaigns;  // highest priority first
  };
  struct TrackMatch {
    CustomerId customer;
    double evidence;
    MonoTime at;
  };

  // ---- events
  void on(const event::Claim& e);
  void on(const event::Staff& e);
  void on(const event::CampaignsReplaced& e);
  void on(const event::CampaignPut& e);
  void on(const event::CampaignRemoved& e);
  void on(const event::PolicyReplaced& e);
  void on(const event::ConsentChanged& e);
  void on(const event::ConsentRemoved& e);
  void on(const event::CustomerForgotten& e);
  void on(const event::CrmHeard& e);
  void on(const event::PauseChanged& e);
  void on(const event::ProfileChanged& e);
  void on(const event::DecisionSent& e);
  void on(const event::DecisionExpired& e);
  void on(const event::OfferElsewhere& e);
  void on(const event::OfferTold& e);
  void on(const event::OfferTakenBack& e);
  void on(const event::ExternalOutcome& e);
  void on(const event::Tick&) {}

  // ---- consent
  void limit_silence() {
    gate_.set_max_age(std::min(settings_.consent_max_age, policy_.consent_max_age));
  }
  void consent_changed(const CustomerId& customer, Purpose purpose, bool before);
  void withdraw_waiting(const CustomerId& customer, bool personalised_only);

  // ---- visits
  void take(const Sighting& sighting);
  void take_face(Presence& p, const Sighting& sighting);
  void take_radio(Presence& p, const Sighting& sighting);
  Presence& begin(const CustomerId& customer);
  // Looks again at everything about a presence. False if it is gone.
  bool reassess(const CustomerId& customer) {
    return reassess(customer, gate_.purposes(customer, now_));
  }
  bool reassess(const CustomerId& customer, PurposeSet purposes);
  void reassess_everybody();
  bool timed_out(Presence& p);
  void set_candidate(Presence& p, bool candidate);
  void judge_presence(Presence& p);
  double face_doubt(const CustomerFacts& f) const;
  void end(const CustomerId& customer, std::string why);
  void visit_event(const Presence& p, VisitEvent::Kind kind, std::string why = {});
  void drop(const CustomerId& customer);
  void schedule(Presence& p, std::optional<MonoTime> next_trigger);
  void run_timers();
  void check_footing();

  // ---- decisions
  void refresh_prompt(Presence& p);
  void clear_prompt(Presence& p);
  void waiting_row(const DecisionId& decision, const Waiting& waiting);
  // Fires what is due; says when the next one will be.
  std::optional<MonoTime> check_triggers(Presence& p);
  std::optional<MonoTime> trigger_due(const Presence& p, const TriggerSpec& spec) const;
  void fire(Presence& p, const TriggerSpec& spec);
  void make_offer(Presence& p, const CompiledCampaign& c, const TriggerSpec& spec,
                  const OfferContext& context, std::size_t variant, const std::string& segment,
                  Rendered rendered, std::optional<WallTime> not_before);
  void suppress_offer(Presence& p, const CompiledCampaign& c, const TriggerSpec& spec,
                      const OfferContext& context, Reason reason, const std::string& detail);
  OfferContext context_for(const CustomerId& customer, PurposeSet purposes);
  // With what other boxes told; without this box's own that wait for them, if `agreed_only`.
  const CustomerFacts* counted_facts(const CustomerId& customer, bool agreed_only);
  int told_today() const;
  void agree(const DecisionId& decision);
  void tell(const OfferFact& offer, const CustomerId& customer);
  void forget_told(const DecisionId& decision);
  void give_back(const DecisionId& decision);
  Decision decision_for(const Presence& p, DecisionKind kind, Reason reason);
  Steps seen_steps(const Presence& p) const;
  bool first_time(Presence& p, std::string_view what, Reason reason);
  void ask(const Presence& p);

  // ---- state
  CustomerFacts& facts(const CustomerId& customer);
  CustomerFacts& changed_facts(const CustomerId& customer);
  OfferFact* find_offer(CustomerFacts& f, const DecisionId& decision);
  void mark_sent(OfferFact& offer);
  void store_row(std::string key, std::optional<std::string> value);
  void count_today(int change);
  void store_today();
  void count_budget(const CampaignId& campaign, int change);
  void roll_day();
  void rebuild_specs();
  bool accept(Campaign campaign);
  void forget_rows(const CampaignId& campaign);
  void finish();
  Presence* find(const CustomerId& customer) {
    const auto it = presences_.find(customer);
    return it == presences_.end() ? nullptr : &it->second;
  }

  PipelineSettings settings_;
  Directory& directory_;
  IdSource& ids_;
  ConsentGate gate_;
  Policy policy_;
  StoreClock clock_;
  std::map<CampaignId, std::unique_ptr<CompiledCampaign>> campaigns_;
  std::vector<TriggerSpec> specs_;
  std::uint64_t specs_version_ = 1;
  Learner learner_;

  std::unordered_map<CustomerId, Presence> presences_;
  std::unordered_map<VisitId, CustomerId> visits_;
  std::unordered_map<CustomerId, Loaded> loaded_;
  std::unordered_map<DecisionId, Waiting> waiting_;
  std::set<DecisionId> unagreed_;  // of these
  struct Told {
    StoreOffer offer;
    bool own;
  };
  std::unordered_map<std::uint64_t, std::vector<Told>> told_;  // by whom
  std::map<DecisionId, std::uint64_t> told_whom_;
  CustomerFacts counted_;  // made by counted_facts()
  std::unordered_map<std::uint64_t, std::vector<TrackMatch>> tracks_;
  std::set<CustomerId> face_candidates_;
  bool face_candidates_changed_ = false;

  std::map<CampaignId, std::int64_t> budget_used_;
  chr::local_days today_{};
  int sent_today_ = 0;
  std::optional<WallTime> heard_row_at_;
  bool footing_ = false;
  std::optional<WallTime> gate_change_;
  WallTime swept_at_{};

  using Timer = std::pair<MonoTime, CustomerId>;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<CustomerId> touched_;

  // During handle() only.
  Effects* out_ = nullptr;
  Now now_;
  StoreClock::Local local_;
};

// ------------------------------------------------------------------ claims and visits

void Pipeline::Impl::on(const event::Claim& e) {
  if (const auto sighting = gate_.admit(e.claim, now_)) take(*sighting);
}

void Pipeline::Impl::take(const Sighting& s) {
  const bool face = s.source() == ClaimSource::face;
  const bool in_store = face || s.settled() >= Zone::door || s.fast() >= Zone::inside;
  Presence* p = find(s.customer());
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
  reassess(s.customer(), s.purposes());
}

Presence& Pipeline::Impl::begin(const CustomerId& customer) {
  Presence& p = presences_[customer];
  p.visit = VisitId(ids_.visit(customer));
  p.customer = customer;
  p.started_at = now_.wall;
  p.last_seen = now_.wall;
  p.last_heard = p.last_in = p.still_since = now_.mono;
  visits_[p.visit] = customer;
  return p;
}

void Pipeline::Impl::take_face(Presence& p, const Sighting& s) {
  const double raw = face_evidence(s.confidence(), settings_.face);
  p.last_seen = now_.wall;
  p.last_heard = now_.mono;
  p.still_since = now_.mono;
  if (raw <= 0.0) return;  // says rather that it is somebody else
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
  if (!p.heard[at(s.source())]) p.prompt_stale = true;
  p.heard[at(s.source())] = now_.mono;
  if (s.fast() != Zone::away || s.settled() != Zone::away) {
    p.last_heard = now_.mono;
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
                         now_.mono - p->last_heard < settings_.encounter_timeout;
  set_candidate(*p, candidate);
  schedule(*p, next_trigger);
  return true;
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
  clear_prompt(p);
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
  MonoTime due = p.last_heard + settings_.encounter_timeout;
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
  if (gate_change_ && now_.wall >= *gate_change_) {
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

// ------------------------------------------------------------------ prompts

bool Pipeline::Impl::first_time(Presence& p, std::string_view what, Reason reason) {
  const std::uint64_t key = stable_hash(0, {what, to_string(reason)});
  if (std::find(p.suppressed.begin(), p.suppressed.end(), key) != p.suppressed.end()) return false;
  p.suppressed.push_back(key);
  p.dirty = true;
  return true;
}

Decision Pipeline::Impl::decision_for(const Presence& p, DecisionKind kind, Reason reason) {
  Decision d;
  d.id = DecisionId(ids_.next());
  d.kind = kind;
  d.reason = reason;
  d.customer = p.customer;
  d.visit = p.visit;
  d.at = now_.wall;
  d.expires_at = now_.wall;
  // An offer or a question that was made goes to the customer herself; the rest is analytics.
  d.report = !settings_.rehearsal && (p.purposes.has(Purpose::visit_analytics) ||
                                      (d.made() && kind != DecisionKind::prompt));
  d.steps = seen_steps(p);
  return d;
}

Steps Pipeline::Impl::seen_steps(const Presence& p) const {
  Steps steps;
  for (std::size_t i = 0; i < kSources; ++i) {
    if (!p.heard[i]) continue;
    steps.push_back({"heard by " + std::string(to_string(static_cast<ClaimSource>(i))), true,
                     duration_text(chr::duration_cast<chr::milliseconds>(now_.mono - *p.heard[i])) +
                         " ago, this second in zone " + std::string(to_string(p.fast)) +
                         ", settled in zone " + std::string(to_string(p.settled))});
  }
  if (p.face_at) {
    std::string detail = "evidence " + number_text(p.face_evidence);
    if (p.face_rival) detail += ", contested by another customer on the same track";
    steps.push_back({"face matched", true, std::move(detail)});
  }
  steps.push_back({"how sure that it is this customer", true,
                   std::string(to_string(p.level)) + ", log-odds " + number_text(p.log_odds) +
                       " (present from " + number_text(kPresentLogOdds) + ", confirmed from " +
                       number_text(kConfirmedLogOdds) + " with phone and face)"});
  return steps;
}

void Pipeline::Impl::clear_prompt(Presence& p) {
  if (!p.prompt_shown) return;
  p.prompt_shown = false;
  p.dirty = true;
  out_->prompts_cleared.push_back(p.visit);
}

void Pipeline::Impl::refresh_prompt(Presence& p) {
  if (p.stage != Presence::Stage::in_store) return;
  if (p.prompt.empty() && p.zone < settings_.prompt_zone) return;

  if (!p.prompt_stale && (!p.prompt_shown || now_.mono < p.prompt_renew_at)) return;
  p.prompt_stale = false;

  const Profile* profile = directory_.profile(p.customer);
  Reason reason = Reason::made;
  std::string detail;
  if (gate_.paused(Function::prompts)) {
    reason = Reason::paused;
    detail = "prompts are paused";
  } else if (!p.purposes.has(Purpose::preference_prompts)) {
    reason = Reason::no_consent;
    detail = "preference_prompts: " +
             std::string(to_string(gate_.verdict(p.customer, Purpose::preference_prompts, now_)));
  } else if (p.not_this_person) {
    reason = Reason::not_this_person;
    detail = "staff said so during this visit";
  } else if (p.level < policy_.prompt_min_level) {
    reason = Reason::level_too_low;
    detail = std::string(to_string(p.level)) + ", needed " +
             std::string(to_string(policy_.prompt_min_level));
  } else if (!profile) {
    reason = Reason::missing_value;
    detail = "no profile on this box";
  }
  if (reason != Reason::made) {
    clear_prompt(p);
    if (first_time(p, "prompt", reason)) {
      Decision d = decision_for(p, DecisionKind::prompt, reason);
      d.steps.push_back({std::string(plain_words(reason)), false, std::move(detail)});
      out_->decisions.push_back(std::move(d));
    }
    return;
  }

  if (p.prompt.empty()) {
    Decision d = decision_for(p, DecisionKind::prompt, Reason::made);
    d.expires_at = now_.wall + kPromptLife;
    d.language = profile->language;
    d.steps.push_back({"consent: preference_prompts", true, "in force"});
    d.steps.push_back({"sure enough for a prompt", true,
                       "needed " + std::string(to_string(policy_.prompt_min_level))});
    p.prompt = d.id;
    p.prompt_since = now_.wall;
    p.dirty = true;
    out_->decisions.push_back(std::move(d));
  }
  Prompt prompt = make_prompt(p, *profile, facts(p.customer), now_.wall);
  const std::uint64_t print = print_of(prompt);
  if (p.prompt_shown && print == p.prompt_print && now_.mono < p.prompt_renew_at) return;
  p.prompt_shown = true;
  p.prompt_print = print;
  p.prompt_renew_at = now_.mono + kPromptRenew;
  p.dirty = true;
  prompt.expires_at = now_.wall + kPromptLife;
  prompt.rehearsal = settings_.rehearsal;
  out_->prompts.push_back(std::move(prompt));
}

void Pipeline::Impl::on(const event::Staff& e) {
  const StaffAction& a = e.action;
  const auto visit = visits_.find(a.visit);
  if (visit == visits_.end()) return;  // the visit is over
  Presence& p = *find(visit->second);
  if (!a.id.empty()) {
    if (std::find(p.actions.begin(), p.actions.end(), a.id) != p.actions.end()) return;
    p.actions.push_back(a.id);
  }
  p.dirty = p.prompt_stale = true;
  StaffOutcome outcome{a, p.customer, false};
  const bool may_learn = p.purposes.has(Purpose::preference_prompts);
  switch (a.kind) {
    case StaffAction::Kind::claim:
      if (!p.claimed_by.empty() && p.claimed_by != a.staff) return;  // first come
      p.claimed_by = a.staff;
      if (p.prompt_state == PromptState::fresh) p.prompt_state = PromptState::claimed;
      break;
    case StaffAction::Kind::release:
      if (p.claimed_by != a.staff) return;
      p.claimed_by = StaffId();
      if (p.prompt_state == PromptState::claimed) p.prompt_state = PromptState::fresh;
      break;
    case StaffAction::Kind::greeted:
    case StaffAction::Kind::served: {
      p.prompt_state =
          a.kind == StaffAction::Kind::served ? PromptState::served : PromptState::greeted;
      // She was there: that speaks for the template again.
      if (p.face_at && facts(p.customer).face_doubt > 0.0) {
        changed_facts(p.customer).face_doubt *= 0.5;
      }
      break;
    }
    case StaffAction::Kind::declined:
      p.prompt_state = PromptState::declined;
      break;
    case StaffAction::Kind::not_this_person:
      p.not_this_person = true;
      if (p.face_at) {
        CustomerFacts& f = changed_facts(p.customer);
        f.face_doubt = std::min(face_doubt(f) + 1.0, kMaxFaceDoubt);
        f.face_doubt_at = now_.wall;
        outcome.lowers_face_trust = true;
        p.face_at.reset();
        p.face_evidence = 0.0;
      }
      break;
    case StaffAction::Kind::note:
      if (!may_learn || a.text.empty()) return;
      outcome.action.text = plain_text(a.text, kMaxNote);
      changed_facts(p.customer).note = Conversation{outcome.action.text, now_.wall};
      break;
    case StaffAction::Kind::preference:
      if (!may_learn || a.preference_key.empty()) return;
      outcome.action.preference_value =
          learn_preference(changed_facts(p.customer), directory_.profile(p.customer),
                           plain_text(a.preference_key, 64), plain_text(a.preference_value),
                           a.verdict == StaffAction::Verdict::confirm, now_.wall);
      if (outcome.action.preference_value.empty()) return;  // confirms what nobody knows
      break;
  }
  out_->staff.push_back(std::move(outcome));
  reassess(CustomerId(p.customer));  // a copy: it may be the end of p
}

// ------------------------------------------------------------------ offers

std::optional<MonoTime> Pipeline::Impl::trigger_due(const Presence& p,
                                                    const TriggerSpec& spec) const {
  const bool in_store = p.stage == Presence::Stage::in_store;
  switch (spec.on) {
    case TriggerOn::pass_by:
      if (!p.reach_since[at(spec.zone)]) return std::nullopt;
      return *p.reach_since[at(spec.zone)] + spec.dwell;
    case TriggerOn::enter:
    case TriggerOn::dwell:
      if (!in_store || !p.settled_since[at(spec.zone)]) return std::nullopt;
      return *p.settled_since[at(spec.zone)] + spec.dwell;
    case TriggerOn::confirmed:
      if (!in_store || p.level != Level::confirmed) return std::nullopt;
      return now_.mono;
    case TriggerOn::leave:
      if (!in_store || p.settled >= Zone::door || p.face_at || !p.settled_since[at(Zone::street)]) {
        return std::nullopt;
      }
      return p.last_in < now_.mono ? std::optional(now_.mono) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<MonoTime> Pipeline::Impl::check_triggers(Presence& p) {
  if (p.unfired_of != specs_version_) {
    p.unfired_of = specs_version_;
    p.unfired.clear();
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      if (std::find(p.fired.begin(), p.fired.end(), specs_[i].key) == p.fired.end()) {
        p.unfired.push_back(static_cast<std::uint16_t>(i));
      }
    }
  }
  const bool heard = now_.mono - p.last_heard <= kHeardLately;
  std::optional<MonoTime> next;
  for (std::size_t i = 0; i < p.unfired.size();) {
    const TriggerSpec& spec = specs_[p.unfired[i]];
    const auto due = trigger_due(p, spec);
    if (due && *due <= now_.mono && (heard || spec.on == TriggerOn::leave)) {
      p.unfired.erase(p.unfired.begin() + static_cast<std::ptrdiff_t>(i));
      fire(p, spec);
      continue;
    }
    if (due && *due > now_.mono && (!next || *due < *next)) next = due;
    ++i;
  }
  return next;
}

OfferContext Pipeline::Impl::context_for(const CustomerId& customer, PurposeSet purposes) {
  OfferContext c;
  c.purposes = purposes;
  c.facts = counted_facts(customer, false);
  if (c.purposes.has(Purpose::personalised_offers)) {
    c.profile = directory_.profile(customer);
    if (c.profile) c.preferences = lasting_preferences(*c.profile, *c.facts, now_.wall);
  }
  c.policy = &policy_;
  c.clock = &clock_;
  c.customer = customer;
  c.wall = now_.wall;
  c.wall_trusted = now_.wall_trusted;
  c.local = local_;
  c.offers_paused = gate_.paused(Function::offers);
  roll_day();
  c.sent_today = sent_today_ + told_today();
  return c;
}

void Pipeline::Impl::fire(Presence& p, const TriggerSpec& spec) {
  if (std::find(p.fired.begin(), p.fired.end(), spec.key) != p.fired.end()) return;
  p.fired.push_back(spec.key);
  p.dirty = true;
  const OfferContext context = context_for(p.customer, p.purposes);
  std::optional<WallTime> not_before;
  const Reason customer_reason = judge_customer(context, &not_before, nullptr);

  const CompiledCampaign* stopped = nullptr;
  Reason stopped_by = Reason::not_in_audience;
  std::string stopped_detail;
  const auto stop = [&](const CompiledCampaign* c, Reason r, std::string detail = {}) {
    if (progress(r) <= progress(stopped_by)) return;
    stopped = c;
    stopped_by = r;
    stopped_detail = std::move(detail);
  };

  struct Eligible {
    WallTime last_sent;
    std::uint64_t order;
    const CompiledCampaign* campaign;
  };
  std::vector<Eligible> group;
  for (std::size_t i = 0; i < spec.campaigns.size();) {
    const int priority = spec.campaigns[i]->campaign.priority;
    group.clear();
    for (; i < spec.campaigns.size() && spec.campaigns[i]->campaign.priority == priority; ++i) {
      const CompiledCampaign* c = spec.campaigns[i];
      const auto used = budget_used_.find(c->campaign.id);
      Reason r =
          judge_campaign(*c, context, used == budget_used_.end() ? 0 : used->second, nullptr);
      if (r == Reason::not_in_audience) continue;
      if (r == Reason::made) r = customer_reason;
      if (r == Reason::made && spec.on == TriggerOn::pass_by &&
          p.stage == Presence::Stage::in_store) {
        r = Reason::already_inside;
      }
      if (r != Reason::made) {
        stop(c, r);
        continue;
      }
      WallTime last{};
      for (const OfferFact& o : context.facts->offers) {
        if (o.campaign == c->campaign.id) last = std::max(last, o.at);
      }
      group.push_back({last,
                       stable_hash(policy_.seed, {"order", c->campaign.id.str(), p.customer.str(),
                                                  day_text(local_.day)}),
                       c});
    }
    // Equal priority: what was not said for longest goes first.
    std::sort(group.begin(), group.end(), [](const Eligible& a, const Eligible& b) {
      return std::tie(a.last_sent, a.order) < std::tie(b.last_sent, b.order);
    });
    for (const Eligible& e : group) {
      if (held_out(e.campaign->campaign, context, nullptr)) {
        suppress_offer(p, *e.campaign, spec, context, Reason::holdout, "");
        OfferFact fact;
        fact.campaign = e.campaign->campaign.id;
        fact.state = OfferFact::State::holdout;
        fact.at = fact.expires_at = now_.wall;
        changed_facts(p.customer).offers.push_back(std::move(fact));
        continue;
      }
      const std::string segment = learning_segment(context);
      const std::size_t variant =
          choose_variant(e.campaign->campaign, context, learner_, segment, nullptr);
      auto rendered = render(*e.campaign, variant, context);
      if (!rendered) {
        stop(e.campaign, context.profile ? Reason::missing_value : Reason::no_consent,
             rendered.error().message);
        continue;
      }
      make_offer(p, *e.campaign, spec, context, variant, segment, std::move(*rendered), not_before);
      return;
    }
  }
  if (stopped) suppress_offer(p, *stopped, spec, context, stopped_by, stopped_detail);
}

namespace {

Step trigger_step(TriggerOn on, Zone zone, chr::milliseconds dwell) {
  return {"trigger: " + std::string(to_string(on)), true,
          "zone " + std::string(to_string(zone)) + " for " + duration_text(dwell)};
}

}  // namespace

void Pipeline::Impl::suppress_offer(Presence& p, const CompiledCampaign& c, const TriggerSpec& spec,
                                    const OfferContext& context, Reason reason,
                                    const std::string& detail) {
  if (!first_time(p, c.campaign.id.str(), reason)) return;
  Decision d = decision_for(p, DecisionKind::offer, reason);
  d.campaign = c.campaign.id;
  d.steps.push_back(trigger_step(spec.on, spec.zone, spec.dwell));
  const auto used = budget_used_.find(c.campaign.id);
  judge_campaign(c, context, used == budget_used_.end() ? 0 : used->second, &d.steps);
  if (progress(reason) == 6) judge_customer(context, nullptr, &d.steps);
  if (reason == Reason::holdout) held_out(c.campaign, context, &d.steps);
  if (reason == Reason::already_inside) {
    d.steps.push_back({"still outside", false,
                       "came in at " + utc_text(p.started_at) + ", now in zone " +
                           std::string(to_string(p.zone))});
  }
  if (!detail.empty()) d.steps.push_back({"text", false, detail});
  out_->decisions.push_back(std::move(d));
}

void Pipeline::Impl::make_offer(Presence& p, const CompiledCampaign& c, const TriggerSpec& spec,
                                const OfferContext& context, std::size_t variant,
                                const std::string& segment, Rendered rendered,
                                std::optional<WallTime> not_before) {
  const Campaign& k = c.campaign;
  Decision d = decision_for(p, DecisionKind::offer, Reason::made);
  d.campaign = k.id;
  d.variant = k.variants[variant].id;
  d.language = std::move(rendered.language);
  d.title = std::move(rendered.title);
  d.text = std::move(rendered.text);
  d.code = k.code;
  d.not_before = not_before;
  d.expires_at = not_before.value_or(now_.wall) + k.expires;
  d.steps.push_back(trigger_step(spec.on, spec.zone, spec.dwell));
  const auto used = budget_used_.find(k.id);
  judge_campaign(c, context, used == budget_used_.end() ? 0 : used->second, &d.steps);
  judge_customer(context, nullptr, &d.steps);
  held_out(k, context, &d.steps);
  choose_variant(k, context, learner_, segment, &d.steps);

  CustomerFacts& f = changed_facts(p.customer);
  f.forget_old(now_.wall);
  OfferFact fact;
  fact.decision = d.id;
  fact.campaign = k.id;
  fact.variant = d.variant;
  fact.segment = segment;
  fact.at = not_before.value_or(now_.wall);
  fact.expires_at = d.expires_at;
  fact.personalised = context.profile != nullptr;
  f.offers.push_back(std::move(fact));
  if (k.choice == VariantChoice::learn) f.assigned[k.id] = d.variant;

  if (settings_.shared_store) {
    d.waits_for_store = true;
    unagreed_.insert(d.id);
    tell(f.offers.back(), p.customer);
  }
  waiting_[d.id] = {p.customer, d.expires_at};
  waiting_row(d.id, waiting_[d.id]);
  count_today(+1);
  if (k.budget) count_budget(k.id, +1);
  out_->decisions.push_back(std::move(d));
}

OfferFact* Pipeline::Impl::find_offer(CustomerFacts& f, const DecisionId& decision) {
  const auto it = std::find_if(f.offers.begin(), f.offers.end(),
                               [&](const OfferFact& o) { return o.decision == decision; });
  return it == f.offers.end() ? nullptr : &*it;
}

void Pipeline::Impl::mark_sent(OfferFact& offer) {
  offer.state = OfferFact::State::sent;
  offer.at = now_.wall;
  learner_.sent(offer.campaign, offer.segment, offer.variant);
  store_row(key_of(kLearnerRow, offer.campaign.str()), learner_.encode(offer.campaign));
}

void Pipeline::Impl::on(const event::DecisionSent& e) {
  const auto it = waiting_.find(e.decision);
  if (it == waiting_.end()) return;  // a repeat
  const CustomerId customer = it->second.customer;
  waiting_.erase(it);
  out_->rows.push_back({StateRow::Kind::decision, e.decision.str(), customer, std::nullopt});
  unagreed_.erase(e.decision);
  CustomerFacts& f = changed_facts(customer);
  OfferFact* offer = find_offer(f, e.decision);
  if (!offer || offer->state != OfferFact::State::pending) return;
  mark_sent(*offer);
  if (settings_.shared_store) tell(*offer, customer);
}

void Pipeline::Impl::on(const event::DecisionExpired& e) { give_back(e.decision); }

void Pipeline::Impl::waiting_row(const DecisionId& decision, const Waiting& waiting) {
  std::string value = std::to_string(waiting.expires_at.time_since_epoch().count());
  if (unagreed_.contains(decision)) value += kUnagreed;
  out_->rows.push_back(
      {StateRow::Kind::decision, decision.str(), waiting.customer, std::move(value)});
}

// It was not sent and will not be.
void Pipeline::Impl::give_back(const DecisionId& decision) {
  const auto it = waiting_.find(decision);
  if (it == waiting_.end()) return;
  const CustomerId customer = it->second.customer;
  waiting_.erase(it);
  unagreed_.erase(decision);
  if (settings_.shared_store) {
    forget_told(decision);
    out_->untell_store.push_back(decision);
  }
  out_->rows.push_back({StateRow::Kind::decision, decision.str(), customer, std::nullopt});
  CustomerFacts& f = changed_facts(customer);
  OfferFact* offer = find_offer(f, decision);
  if (!offer || offer->state != OfferFact::State::pending) return;
  count_today(-1);
  count_budget(offer->campaign, -1);
  f.offers.erase(f.offers.begin() + (offer - f.offers.data()));
}

void Pipeline::Impl::on(const event::OfferElsewhere& e) {
  if (gate_.forgotten(e.customer)) return;
  CustomerFacts& f = changed_facts(e.customer);
  if (find_offer(f, e.decision)) return;
  OfferFact fact;
  fact.decision = e.decision;
  fact.campaign = e.campaign;
  fact.variant = e.variant;
  fact.state = OfferFact::State::sent;
  fact.at = e.at;
  fact.expires_at = e.at;
  f.offers.push_back(std::move(fact));
  // Where the boxes share a floor broker, that is who counts for the store.
  if (!settings_.shared_store && clock_.local(e.at).day == local_.day) count_today(+1);
}

// ------------------------------------------------------------------ several boxes of one store

void Pipeline::Impl::tell(const OfferFact& offer, const CustomerId& customer) {
  out_->tell_store.push_back({offer.decision, store_alias(policy_, customer), offer.campaign,
                              offer.at, offer.expires_at,
                              offer.state != OfferFact::State::pending});
}

void Pipeline::Impl::forget_told(const DecisionId& decision) {
  const auto whom = told_whom_.find(decision);
  if (whom == told_whom_.end()) return;
  auto& offers = told_[whom->second];
  std::erase_if(offers, [&](const Told& t) { return t.offer.decision == decision; });
  if (offers.empty()) told_.erase(whom->second);
  told_whom_.erase(whom);
}

const CustomerFacts* Pipeline::Impl::counted_facts(const CustomerId& customer, bool agreed_only) {
  CustomerFacts& own = facts(customer);
  const auto told = told_.empty() ? told_.end() : told_.find(store_alias(policy_, customer));
  if (told == told_.end() && !agreed_only) return &own;
  counted_ = own;
  if (told != told_.end()) {
    for (const Told& t : told->second) {
      if (find_offer(own, t.offer.decision)) continue;
      OfferFact fact;
      fact.decision = t.offer.decision;
      fact.campaign = t.offer.campaign;
      fact.expires_at = t.offer.expires_at;
      // What may have been sent and could not be told counts as sent at the last moment.
      const bool open = !t.offer.sent && now_.wall < t.offer.expires_at;
      fact.state = open ? OfferFact::State::pending : OfferFact::State::sent;
      fact.at = t.offer.sent ? t.offer.at : t.offer.expires_at;
      counted_.offers.push_back(std::move(fact));
    }
    std::stable_sort(counted_.offers.begin(), counted_.offers.end(),
                     [](const OfferFact& a, const OfferFact& b) { return a.at < b.at; });
  }
  if (agreed_only) {
    std::erase_if(counted_.offers,
                  [&](const OfferFact& o) { return unagreed_.contains(o.decision); });
  }
  return &counted_;
}

int Pipeline::Impl::told_today() const {
  int n = 0;
  for (const auto& [whom, offers] : told_) {
    for (const Told& t : offers) {
      const StoreOffer& o = t.offer;
      const bool open = !o.sent && now_.wall < o.expires_at;
      n += !t.own && (open || clock_.local(o.sent ? o.at : o.expires_at).day == local_.day);
    }
  }
  return n;
}

void Pipeline::Impl::on(const event::OfferTold& e) {
  if (!settings_.shared_store) return;
  const DecisionId& id = e.offer.decision;
  const auto waiting = waiting_.find(id);
  if (e.own && e.kept && unagreed_.contains(id) && waiting != waiting_.end()) {
    // The order was lost with the line: it takes its place anew.
    const CustomerId customer = waiting->second.customer;
    if (const OfferFact* offer = find_offer(facts(customer), id)) tell(*offer, customer);
    return;
  }
  forget_told(id);
  told_[e.offer.whom].push_back({e.offer, e.own});
  told_whom_[id] = e.offer.whom;
  if (e.own && !e.kept && unagreed_.contains(id)) agree(id);
}

void Pipeline::Impl::on(const event::OfferTakenBack& e) { forget_told(e.decision); }

// All that was told before this offer is known now, here as on every box: do the caps still allow
// it?
void Pipeline::Impl::agree(const DecisionId& decision) {
  const auto waiting = waiting_.find(decision);
  if (waiting == waiting_.end()) return;
  const CustomerId customer = waiting->second.customer;
  const OfferFact* offer = find_offer(facts(customer), decision);
  const auto campaign = offer ? campaigns_.find(offer->campaign) : campaigns_.end();
  Reason reason = Reason::expired;
  Steps steps;
  if (campaign != campaigns_.end()) {
    OfferContext context = context_for(customer, gate_.purposes(customer, now_));
    context.sent_today -= static_cast<int>(unagreed_.size());
    context.facts = counted_facts(customer, true);
    reason = judge_campaign(*campaign->second, context, 0, &steps);
    const Reason of_customer = judge_customer(context, nullptr, &steps);
    if (reason == Reason::made) reason = of_customer;
  }
  if (reason == Reason::made) {
    unagreed_.erase(decision);
    waiting_row(decision, waiting->second);
    out_->let_go.emplace_back(decision,
                              offer->at > now_.wall ? std::optional(offer->at) : std::nullopt);
    return;
  }
  if (Presence* p = find(customer); p && offer) {
    Decision d = decision_for(*p, DecisionKind::offer, reason);
    d.campaign = offer->campaign;
    d.steps.push_back({"agreed with the other boxes of the store", false,
                       "decided as " + decision.str() + ", but another box was first"});
    d.steps.insert(d.steps.end(), steps.begin(), steps.end());
    out_->decisions.push_back(std::move(d));
  }
  out_->withdrawn_decisions.push_back(decision);
  give_back(decision);
}

void Pipeline::Impl::on(const event::ExternalOutcome& e) {
  if (gate_.forgotten(e.customer)) return;
  switch (e.outcome) {
    case Outcome::opened:
    case Outcome::redeemed:
    case Outcome::dismissed: {
      CustomerFacts& f = facts(e.customer);
      OfferFact* offer = find_offer(f, e.decision);
      if (!offer || offer->state == OfferFact::State::redeemed) return;
      // She has it, whatever the broker said so far.
      if (offer->state == OfferFact::State::pending) {
        mark_sent(*offer);
        if (settings_.shared_store) tell(*offer, e.customer);
      }
      if (e.outcome == Outcome::redeemed) {
        offer->state = OfferFact::State::redeemed;
        learner_.succeeded(offer->campaign, offer->segment, offer->variant);
        store_row(key_of(kLearnerRow, offer->campaign.str()), learner_.encode(offer->campaign));
      } else if (offer->state == OfferFact::State::sent) {
        offer->state =
            e.outcome == Outcome::opened ? OfferFact::State::opened : OfferFact::State::dismissed;
      }
      changed_facts(e.customer);
      return;
    }
    case Outcome::complaint:
      changed_facts(e.customer).complaint_at = e.at;
      return;
    case Outcome::purchase: {
      if (!gate_.permits(e.customer, Purpose::personalised_offers, now_)) return;
      CustomerFacts& f = changed_facts(e.customer);
      f.purchases.push_back({e.product, e.value, e.at});
      return;
    }
  }
}

// ------------------------------------------------------------------ surveys

namespace {

// The wordings that the published definitions use: NPS (Reichheld 2003), CSAT, CES 2.0 (Dixon).
std::string question(const SurveyRule& rule, const std::string& language, std::string* used) {
  for (const std::string& l :
       {language, language.substr(0, language.find('-')), std::string("en")}) {
    if (const auto it = rule.question.find(l); it != rule.question.end()) {
      *used = l;
      return it->second;
    }
  }
  *used = "en";
  switch (rule.kind) {
    case SurveyKind::nps:
      return "How likely are you to recommend us to a friend or colleague? (0 to 10)";
    case SurveyKind::csat:
      return "How satisfied were you with your visit today? (1 to 5)";
    case SurveyKind::ces:
      return "We made it easy for you today. Do you agree? (1 to 7)";
  }
  return {};
}

}  // namespace

void Pipeline::Impl::ask(const Presence& p) {
  // A question about the visit reports the visit.
  if (settings_.rehearsal || !p.purposes.has(Purpose::visit_analytics)) return;
  for (const SurveyRule& rule : policy_.surveys) {
    const auto length = now_.wall - p.started_at - (now_.mono - p.last_in);
    if (length < rule.min_visit) continue;
    const double u =
        100.0 * unit_interval(stable_hash(policy_.seed, {"survey", rule.id, p.visit.str()}));
    if (u >= rule.percent) continue;
    const auto asked = facts(p.customer).surveyed_at;
    Reason reason = Reason::made;
    if (gate_.paused(Function::surveys)) reason = Reason::paused;
    if (reason == Reason::made && asked && now_.wall - *asked < rule.gap) {
      reason = Reason::min_gap;
    }
    Decision d = decision_for(p, DecisionKind::survey, reason);
    d.survey = rule.id;
    d.survey_kind = rule.kind;
    d.steps.push_back({"consent: visit_analytics", true, "in force"});
    d.steps.push_back({"the visit was long enough", true,
                       duration_text(chr::duration_cast<chr::milliseconds>(length)) + ", needed " +
                           duration_text(rule.min_visit)});
    d.steps.push_back(
        {"drawn to be asked", true, number_text(u) + ", asked below " + number_text(rule.percent)});
    d.steps.push_back({"surveys are not paused", reason != Reason::paused,
                       reason == Reason::paused ? "paused" : "running"});
    d.steps.push_back({"time since the last question", reason != Reason::min_gap,
                       asked ? "asked " + utc_text(*asked) : "never asked"});
    if (d.made()) {
      const Profile* profile = directory_.profile(p.customer);
      d.text = question(rule, profile ? profile->language : "en", &d.language);
      if (policy_.quiet_hours && within(policy_.quiet_hours->hours, local_.time)) {
        d.not_before = clock_.end_of(policy_.quiet_hours->hours, now_.wall);
      }
      d.expires_at = d.not_before.value_or(now_.wall) + rule.expires;
      changed_facts(p.customer).surveyed_at = now_.wall;
    }
    const bool made = d.made();
    out_->decisions.push_back(std::move(d));
    if (made) return;  // one question a visit
  }
}

// ------------------------------------------------------------------ consent

void Pipeline::Impl::withdraw_waiting(const CustomerId& customer, bool personalised_only) {
  CustomerFacts& f = facts(customer);
  for (OfferFact& o : f.offers) {
    if (o.state != OfferFact::State::pending || (personalised_only && !o.personalised)) continue;
    // It may be on its way already: it goes on counting.
    o.state = OfferFact::State::sent;
    changed_facts(customer);
    waiting_.erase(o.decision);
    unagreed_.erase(o.decision);
    out_->rows.push_back({StateRow::Kind::decision, o.decision.str(), customer, std::nullopt});
    out_->withdrawn_decisions.push_back(o.decision);
  }
}

void Pipeline::Impl::consent_changed(const CustomerId& customer, Purpose purpose, bool before) {
  const bool after = gate_.standing(customer, purpose).given();
  if (purpose == Purpose::proximity_offers || purpose == Purpose::face_recognition) {
    out_->loadable_customers.push_back(customer);
  }
  if (before != after) {
    ConsentEffect effect;
    effect.customer = customer;
    effect.purpose = purpose;
    effect.given = after;
    out_->consents.push_back(std::move(effect));
    if (!after) {
      switch (purpose) {
        case Purpose::proximity_offers:
          withdraw_waiting(customer, false);
          break;
        case Purpose::personalised_offers: {
          withdraw_waiting(customer, true);
          CustomerFacts& f = changed_facts(customer);
          f.visits.clear();
          f.visits_total = 0;
          f.purchases.clear();
          f.assigned.clear();
          break;
        }
        case Purpose::preference_prompts: {
          CustomerFacts& f = changed_facts(customer);
          f.note.reset();
          f.learnt.clear();
          break;
        }
        case Purpose::face_recognition: {
          CustomerFacts& f = changed_facts(customer);
          f.face_doubt = 0.0;
          f.face_doubt_at.reset();
          break;
        }
        case Purpose::visit_analytics:
          break;
      }
    }
  }
  reassess(customer);
}

void Pipeline::Impl::on(const event::ConsentChanged& e) {
  for (const ConsentRecord& r : e.records) {
    const bool before = gate_.standing(r.customer, r.purpose).given();
    if (gate_.put(r)) consent_changed(r.customer, r.purpose, before);
  }
}

void Pipeline::Impl::on(const event::ConsentRemoved& e) {
  const bool before = gate_.standing(e.customer, e.purpose).given();
  gate_.remove(e.customer, e.purpose);
  consent_changed(e.customer, e.purpose, before);
}

void Pipeline::Impl::on(const event::CustomerForgotten& e) {
  gate_.forget(e.customer);
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.customer != e.customer) {
      ++it;
      continue;
    }
    out_->rows.push_back({StateRow::Kind::decision, it->first.str(), e.customer, std::nullopt});
    out_->withdrawn_decisions.push_back(it->first);
    unagreed_.erase(it->first);
    it = waiting_.erase(it);
  }
  std::sort(out_->withdrawn_decisions.begin(), out_->withdrawn_decisions.end());
  if (settings_.shared_store) {
    for (const OfferFact& o : facts(e.customer).offers) {
      if (o.state == OfferFact::State::holdout) continue;
      unagreed_.erase(o.decision);
      forget_told(o.decision);
      out_->untell_store.push_back(o.decision);
    }
  }
  if (Presence* p = find(e.customer)) {
    p->purposes = PurposeSet();
    end(e.customer, "forgotten");
  }
  drop(e.customer);
  loaded_.erase(e.customer);
  for (auto& [track, matches] : tracks_) {
    std::erase_if(matches, [&](const TrackMatch& m) { return m.customer == e.customer; });
  }
  out_->rows.push_back({StateRow::Kind::facts, e.customer.str(), e.customer, std::nullopt});
  ConsentEffect effect;
  effect.customer = e.customer;
  effect.forgotten = true;
  out_->consents.push_back(std::move(effect));
  out_->loadable_customers.push_back(e.customer);
}

void Pipeline::Impl::on(const event::CrmHeard& e) {
  gate_.heard_from_crm(e.at);
  check_footing();
  if (!heard_row_at_ || e.at - *heard_row_at_ >= kHeardRowEvery || e.at < *heard_row_at_) {
    heard_row_at_ = e.at;
    store_row(std::string(kHeardRow), std::to_string(e.at.time_since_epoch().count()));
  }
}

void Pipeline::Impl::on(const event::PauseChanged& e) {
  gate_.set_paused(e.function, e.paused);
  store_row(key_of(kPauseRow, to_string(e.function)),
            e.paused ? std::optional<std::string>("1") : std::nullopt);
  if (e.function == Function::face || e.function == Function::all) out_->loadable_changed = true;
  reassess_everybody();
}

void Pipeline::Impl::on(const event::ProfileChanged& e) {
  if (Presence* p = find(e.customer)) p->prompt_stale = true;
  reassess(e.customer);
}

// ------------------------------------------------------------------ campaigns and policy

bool Pipeline::Impl::accept(Campaign campaign) {
  const CampaignId id = campaign.id;
  const auto refuse = [&](const Error& error) {
    out_->refused.push_back("campaign " + plain_text(id.str(), 64) + ": " + error.message);
    return false;
  };
  if (auto ok = check_protected(campaign, policy_); !ok) return refuse(ok.error());
  auto compiled = compile(std::move(campaign));
  if (!compiled) return refuse(compiled.error());
  campaigns_[id] = std::make_unique<CompiledCampaign>(std::move(*compiled));
  return true;
}

void Pipeline::Impl::rebuild_specs() {
  std::map<std::uint64_t, TriggerSpec> by_key;
  for (const auto& [id, c] : campaigns_) {
    const Trigger& t = c->campaign.trigger;
    auto [it, fresh] = by_key.try_emplace(
        c->trigger_key, TriggerSpec{t.on, c->trigger_zone, t.dwell, c->trigger_key, {}});
    it->second.campaigns.push_back(c.get());
  }
  ++specs_version_;
  specs_.clear();
  for (auto& [key, spec] : by_key) {
    std::stable_sort(spec.campaigns.begin(), spec.campaigns.end(),
                     [](auto* a, auto* b) { return a->campaign.priority > b->campaign.priority; });
    specs_.push_back(std::move(spec));
  }
}

void Pipeline::Impl::on(const event::CampaignsReplaced& e) {
  std::set<CampaignId> named;
  for (const Campaign& c : e.campaigns) {
    named.insert(c.id);
    accept(c);  // if refused, the last good one of this id stays
  }
  std::erase_if(campaigns_, [&](const auto& c) { return !named.contains(c.first); });
  std::set<CampaignId> known;
  for (const auto& [id, used] : budget_used_) known.insert(id);
  for (const CampaignId& id : learner_.campaigns()) known.insert(id);
  for (const CampaignId& id : known) {
    if (!named.contains(id)) forget_rows(id);
  }
  rebuild_specs();
}

// What was spent and learnt goes with its campaign.
void Pipeline::Impl::forget_rows(const CampaignId& campaign) {
  if (learner_.forget(campaign)) {
    store_row(key_of(kLearnerRow, campaign.str()), std::nullopt);
  }
  if (budget_used_.erase(campaign) > 0) {
    store_row(key_of(kBudgetRow, campaign.str()), std::nullopt);
  }
}

void Pipeline::Impl::on(const event::CampaignPut& e) {
  if (accept(e.campaign)) rebuild_specs();
}

void Pipeline::Impl::on(const event::CampaignRemoved& e) {
  forget_rows(e.campaign);
  if (campaigns_.erase(e.campaign) > 0) rebuild_specs();
}

void Pipeline::Impl::on(const event::PolicyReplaced& e) {
  if (auto ok = validate(e.policy); !ok) {
    out_->refused.push_back("policy: " + ok.error().message);
    return;
  }
  if (e.policy.time_zone != policy_.time_zone) clock_ = *StoreClock::open(e.policy.time_zone);
  policy_ = e.policy;
  local_ = clock_.local(now_.wall);
  limit_silence();
  out_->loadable_changed = true;
  bool removed = false;
  for (auto it = campaigns_.begin(); it != campaigns_.end();) {
    const auto ok = check_protected(it->second->campaign, policy_);
    if (ok) {
      ++it;
      continue;
    }
    out_->refused.push_back("campaign " + plain_text(it->first.str(), 64) + ": " +
                            ok.error().message);
    it = campaigns_.erase(it);
    removed = true;
  }
  if (removed) rebuild_specs();
  reassess_everybody();
}

// ------------------------------------------------------------------ state

CustomerFacts& Pipeline::Impl::facts(const CustomerId& customer) {
  const auto it = loaded_.find(customer);
  if (it != loaded_.end()) return it->second.facts;
  Loaded& loaded = loaded_[customer];
  touched_.push_back(customer);
  if (const auto text = directory_.facts(customer)) {
    if (auto decoded = decode_facts(*text)) loaded.facts = std::move(*decoded);
  }
  return loaded.facts;
}

CustomerFacts& Pipeline::Impl::changed_facts(const CustomerId& customer) {
  CustomerFacts& f = facts(customer);
  loaded_[customer].dirty = true;
  touched_.push_back(customer);
  if (Presence* p = find(customer)) p->prompt_stale = true;
  return f;
}

void Pipeline::Impl::store_row(std::string key, std::optional<std::string> value) {
  out_->rows.push_back({StateRow::Kind::store, std::move(key), CustomerId(), std::move(value)});
}

void Pipeline::Impl::roll_day() {
  if (local_.day == today_) return;
  today_ = local_.day;
  sent_today_ = static_cast<int>(waiting_.size());
  store_today();
}

void Pipeline::Impl::count_today(int change) {
  roll_day();
  sent_today_ = std::max(sent_today_ + change, 0);
  store_today();
}

void Pipeline::Impl::store_today() {
  store_row(std::string(kTodayRow),
            std::to_string(today_.time_since_epoch().count()) + " " + std::to_string(sent_today_));
}

void Pipeline::Impl::count_budget(const CampaignId& campaign, int change) {
  const auto it = budget_used_.find(campaign);
  if (change < 0 && it == budget_used_.end()) return;
  const std::int64_t used = budget_used_[campaign] += change;
  store_row(key_of(kBudgetRow, campaign.str()), std::to_string(used));
}

void Pipeline::Impl::finish() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  for (const CustomerId& id : touched_) {
    Presence* p = find(id);
    if (p && p->dirty) {
      p->dirty = false;
      if (p->persistent() && p->stage != Presence::Stage::lingering) {
        out_->rows.push_back({StateRow::Kind::visit, p->visit.str(), id, encode(*p, now_)});
      }
    }
    const auto loaded = loaded_.find(id);
    if (loaded == loaded_.end()) continue;
    if (loaded->second.dirty) {
      loaded->second.dirty = false;
      out_->rows.push_back({StateRow::Kind::facts, id.str(), id, encode(loaded->second.facts)});
    }
    if (!p) loaded_.erase(loaded);
  }
  touched_.clear();
  if (face_candidates_changed_) {
    face_candidates_changed_ = false;
    out_->face_candidates.emplace(face_candidates_.begin(), face_candidates_.end());
  }
  if (now_.wall - swept_at_ >= chr::hours{1}) {
    swept_at_ = now_.wall;
    std::erase_if(waiting_, [&](const auto& w) {
      const bool old = now_.wall - w.second.expires_at > chr::days{1};
      if (old) {
        unagreed_.erase(w.first);
        out_->rows.push_back(
            {StateRow::Kind::decision, w.first.str(), w.second.customer, std::nullopt});
      }
      return old;
    });
    std::vector<DecisionId> old;
    for (const auto& [whom, offers] : told_) {
      for (const Told& t : offers) {
        if (now_.wall - t.offer.at > kToldFor) old.push_back(t.offer.decision);
      }
    }
    for (const DecisionId& id : old) forget_told(id);
    std::erase_if(tracks_, [&](const auto& t) {
      return t.second.empty() || now_.mono - t.second.back().at > settings_.face_window;
    });
  }
  if (settings_.rehearsal) out_->rows.clear();
  gate_change_ = gate_.next_change(now_);
  while (!timers_.empty()) {
    const Presence* p = find(timers_.top().second);
    if (p && p->timer == timers_.top().first) break;
    timers_.pop();
  }
  if (!timers_.empty()) out_->wake_at = timers_.top().first;
  if (gate_change_) {
    const MonoTime change = now_.mono + (*gate_change_ - now_.wall);
    if (!out_->wake_at || change < *out_->wake_at) out_->wake_at = change;
  }
}

Pipeline::Restored Pipeline::Impl::restore(const std::vector<StateRow>& rows, const Now& now) {
  Restored result;
  for (const StateRow& row : rows) {
    if (!row.value) continue;
    const std::string_view value = *row.value;
    const auto number = to_number(value);
    switch (row.kind) {
      case StateRow::Kind::visit: {
        auto p = decode_presence(value, now);
        if (!p) {
          ++result.unreadable;
          break;
        }
        p->timer = now.mono;
        timers_.emplace(now.mono, p->customer);
        visits_[p->visit] = p->customer;
        presences_[p->customer] = std::move(*p);
        ++result.visits;
        break;
      }
      case StateRow::Kind::decision: {
        const bool unagreed = value.ends_with(kUnagreed);
        const auto expires =
            to_number(value.substr(0, value.size() - (unagreed ? kUnagreed.size() : 0)));
        if (!expires) {
          ++result.unreadable;
          break;
        }
        waiting_[DecisionId(row.key)] = {row.customer, WallTime{chr::milliseconds{*expires}}};
        if (unagreed) unagreed_.insert(DecisionId(row.key));
        ++result.decisions;
        break;
      }
      case StateRow::Kind::facts:
      case StateRow::Kind::recording:
      case StateRow::Kind::device:
        break;
      case StateRow::Kind::store: {
        const std::string_view key = row.key;
        const auto rest = [&](std::string_view prefix) { return key.substr(prefix.size()); };
        if (key.starts_with(kPauseRow)) {
          const auto function = function_from_string(rest(kPauseRow));
          if (function) gate_.set_paused(*function, true);
        } else if (key.starts_with(kBudgetRow) && number) {
          budget_used_[CampaignId(std::string(rest(kBudgetRow)))] = *number;
        } else if (key.starts_with(kLearnerRow)) {
          if (!learner_.load(CampaignId(std::string(rest(kLearnerRow))), value)) {
            ++result.unreadable;
          }
        } else if (key == kHeardRow && number) {
          heard_row_at_ = WallTime{chr::milliseconds{*number}};
          gate_.heard_from_crm(*heard_row_at_);
        } else if (key == kTodayRow) {
          const std::size_t space = value.find(' ');
          const auto day = to_number(value.substr(0, space));
          const auto sent =
              space == std::string_view::npos ? std::nullopt : to_number(value.substr(space + 1));
          if (day && sent) {
            today_ = chr::local_days{chr::days{static_cast<int>(*day)}};
            sent_today_ = static_cast<int>(*sent);
          } else {
            ++result.unreadable;
          }
        } else {
          ++result.unreadable;
        }
        break;
      }
    }
  }
  return result;
}

std::vector<VisitView> Pipeline::Impl::visits() const {
  std::vector<VisitView> views;
  for (const auto& [id, p] : presences_) {
    if (p.stage == Presence::Stage::lingering) continue;
    views.push_back({p.visit, id, p.stage == Presence::Stage::in_store, p.zone, p.level,
                     p.started_at, p.last_seen, noticed_by(p)});
  }
  std::sort(views.begin(), views.end(), [](const VisitView& a, const VisitView& b) {
    return std::tie(a.started_at, a.visit) < std::tie(b.started_at, b.visit);
  });
  return views;
}

// ------------------------------------------------------------------ Pipeline

Pipeline::Pipeline(PipelineSettings settings, Directory& directory, IdSource& ids, ConsentGate gate)
    : impl_(std::make_unique<Impl>(settings, directory, ids, std::move(gate))) {}
Pipeline::~Pipeline() = default;
Pipeline::Pipeline(Pipeline&&) noexcept = default;

Effects Pipeline::handle(const Event& event, const Now& now) { return impl_->handle(event, now); }
Pipeline::Restored Pipeline::restore(const std::vector<StateRow>& rows, const Now& now) {
  return impl_->restore(rows, now);
}
const ConsentGate& Pipeline::gate() const { return impl_->gate(); }
ConsentGate& Pipeline::gate_for_loading() { return impl_->gate(); }
std::vector<VisitView> Pipeline::visits() const { return impl_->visits(); }
bool Pipeline::empty() const { return impl_->empty(); }
const Policy& Pipeline::policy() const { return impl_->policy(); }
std::size_t Pipeline::campaigns() const { return impl_->campaigns(); }

}  // namespace welcome
