// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline.h"

#include <algorithm>
#include <charconv>

#include "core/hash.h"
#include "core/pipeline_impl.h"
#include "core/text.h"

namespace welcome {

namespace {

constexpr chr::days kToldFor{8};  // a day longer than any cap looks back

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

void Effects::append(Effects&& o) {
  const auto move_all = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_all(near, o.near);
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

bool Effects::tells() const {
  return !visits.empty() || !decisions.empty() || !prompts.empty() || !prompts_cleared.empty() ||
         !staff.empty() || !withdrawn_decisions.empty() || !tell_store.empty() ||
         !untell_store.empty();
}

// ---- decisions

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

// ---- state

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
  if (local_.day == today_ || !now_.wall_trusted) return;
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
  store_row(std::string(store_key::kToday),
            std::to_string(today_.time_since_epoch().count()) + " " + std::to_string(sent_today_));
}

void Pipeline::Impl::count_budget(const CampaignId& campaign, int change) {
  const auto it = budget_used_.find(campaign);
  if (change < 0 && it == budget_used_.end()) return;
  const std::int64_t used = budget_used_[campaign] += change;
  store_row(store_key::of(store_key::kBudget, campaign.str()), std::to_string(used));
}

void Pipeline::Impl::sweep() {
  std::erase_if(waiting_, [&](const auto& w) {
    if (now_.mono < w.second.over) return false;
    unagreed_.erase(w.first);
    out_->rows.push_back(
        {StateRow::Kind::decision, w.first.str(), w.second.customer, std::nullopt});
    return true;
  });
  std::erase_if(tracks_, [&](const auto& t) {
    return t.second.empty() || now_.mono - t.second.back().at > settings_.face_window;
  });
  // A clock that is trusted and wrong would forget what other boxes told; set right again, the caps
  // would not know of it.
  if (!agreed_) return;
  std::vector<DecisionId> old;
  for (const auto& [whom, offers] : told_) {
    for (const Told& t : offers) {
      if (agreed_->wall() - t.offer.at > kToldFor) old.push_back(t.offer.decision);
    }
  }
  for (const DecisionId& id : old) forget_told(id);
}

void Pipeline::Impl::finish() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  for (const CustomerId& id : touched_) {
    Presence* p = find(id);
    if (p && p->dirty) {
      p->dirty = false;
      if (p->persistent() && p->stage != Presence::Stage::lingering) {
        p->written = now_.mono;
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
  if (now_.mono - swept_at_ >= chr::hours{1}) {
    swept_at_ = now_.mono;
    if (now_.wall_trusted) forget_left();
    sweep();
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
        const WallTime end{chr::milliseconds{*expires}};
        waiting_[DecisionId(row.key)] = {row.customer, end, over(end, now)};
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
        if (key.starts_with(store_key::kLeft) && number) {
          const auto left = WallTime{chr::milliseconds{*number}} - now.wall;
          just_left_[VisitId(std::string(rest(store_key::kLeft)))] = {
              row.customer, now.mono + std::clamp(left, chr::milliseconds{0}, kJustLeft), {}};
        } else if (key.starts_with(store_key::kPause)) {
          const auto function = function_from_string(rest(store_key::kPause));
          if (function) gate_.set_paused(*function, true);
        } else if (key.starts_with(store_key::kBudget) && number) {
          budget_used_[CampaignId(std::string(rest(store_key::kBudget)))] = *number;
        } else if (key.starts_with(store_key::kLearner)) {
          if (!learner_.load(CampaignId(std::string(rest(store_key::kLearner))), value)) {
            ++result.unreadable;
          }
        } else if (key == store_key::kCrmHeard && number) {
          heard_row_at_ = WallTime{chr::milliseconds{*number}};
          gate_.heard_from_crm(*heard_row_at_);
        } else if (key == store_key::kToday) {
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

// ---- Pipeline

Pipeline::Pipeline(PipelineSettings settings, Directory& directory, IdSource& ids, ConsentGate gate)
    : impl_(std::make_unique<Impl>(settings, directory, ids, std::move(gate))) {}
Pipeline::~Pipeline() = default;
Pipeline::Pipeline(Pipeline&&) noexcept = default;

Effects Pipeline::handle(const Event& event, const Now& now) { return impl_->handle(event, now); }
Pipeline::Restored Pipeline::restore(const std::vector<StateRow>& rows, const Now& now) {
  return impl_->restore(rows, now);
}
void Pipeline::hear_agreed(const AgreedTime& agreed) { impl_->hear_agreed(agreed); }
const ConsentGate& Pipeline::gate() const { return impl_->gate(); }
ConsentGate& Pipeline::gate_for_loading() { return impl_->gate(); }
std::vector<VisitView> Pipeline::visits() const { return impl_->visits(); }
std::vector<Prompt> Pipeline::prompts(const Now& now) { return impl_->prompts(now); }
bool Pipeline::empty() const { return impl_->empty(); }
const Policy& Pipeline::policy() const { return impl_->policy(); }
bool Pipeline::has_policy() const { return impl_->has_policy(); }
std::size_t Pipeline::campaigns() const { return impl_->campaigns(); }

}  // namespace welcome
