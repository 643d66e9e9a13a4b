// SPDX-License-Identifier: Apache-2.0
// What customers get on their phones, and what became of it.

#include <algorithm>

#include "core/hash.h"
#include "core/pipeline_impl.h"
#include "core/text.h"

namespace welcome {

namespace {

constexpr chr::seconds kHeardLately{3};

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

}  // namespace

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
  const Profile* const profile = directory_.profile(customer);
  if (profile && c.purposes.has(Purpose::personalised_offers)) {
    c.profile = profile;
    c.preferences = lasting_preferences(*profile, *c.facts, now_.wall);
  }
  c.policy = &policy_;
  c.has_policy = has_policy_;
  c.clock = &clock_;
  c.customer = customer;
  c.wall = now_.wall;
  c.wall_trusted = now_.wall_trusted;
  c.local = local_;
  c.offers_paused = gate_.paused(Function::offers);
  c.not_today = not_today(profile, now_.wall);
  roll_day();
  c.sent_today = sent_today_ + told_today();
  return c;
}

void Pipeline::Impl::fire(Presence& p, const TriggerSpec& spec) {
  if (std::find(p.fired.begin(), p.fired.end(), spec.key) != p.fired.end()) return;
  p.fired.push_back(spec.key);
  p.dirty = true;
  const OfferContext context = context_for(p.customer, p.purposes);
  const Reason of_customer = judge_customer(context);
  Stopped stopped;
  std::vector<const CompiledCampaign*> group;
  for (std::size_t i = 0; i < spec.campaigns.size();) {
    const int priority = spec.campaigns[i]->campaign.priority;
    group.clear();
    for (; i < spec.campaigns.size() && spec.campaigns[i]->campaign.priority == priority; ++i) {
      const CompiledCampaign* c = spec.campaigns[i];
      Reason r = judge_campaign(*c, context, budget_used(c->campaign.id), nullptr);
      if (r == Reason::made) r = of_customer;
      if (r == Reason::made && spec.on == TriggerOn::pass_by &&
          p.stage == Presence::Stage::in_store) {
        r = Reason::already_inside;
      }
      r == Reason::made ? group.push_back(c) : stopped.note(c, r);
    }
    longest_unsaid_first(group, context);
    for (const CompiledCampaign* c : group) {
      if (speak(p, *c, spec, context, stopped)) return;
    }
  }
  if (stopped.campaign) {
    suppress_offer(p, *stopped.campaign, spec, context, stopped.reason, stopped.detail);
  }
}

void Pipeline::Impl::Stopped::note(const CompiledCampaign* c, Reason r, std::string why) {
  if (progress(r) <= progress(reason)) return;
  campaign = c;
  reason = r;
  detail = std::move(why);
}

std::int64_t Pipeline::Impl::budget_used(const CampaignId& campaign) const {
  const auto used = budget_used_.find(campaign);
  return used == budget_used_.end() ? 0 : used->second;
}

void Pipeline::Impl::longest_unsaid_first(std::vector<const CompiledCampaign*>& group,
                                          const OfferContext& context) const {
  if (group.size() < 2) return;
  struct Ranked {
    WallTime last_sent;
    std::uint64_t order;
    const CompiledCampaign* campaign;
  };
  std::vector<Ranked> ranked;
  for (const CompiledCampaign* c : group) {
    WallTime last{};
    for (const OfferFact& o : context.facts->offers) {
      if (o.campaign == c->campaign.id) last = std::max(last, o.at);
    }
    ranked.push_back({last,
                      stable_hash(policy_.seed, {"order", c->campaign.id.str(),
                                                 context.customer.str(), day_text(local_.day)}),
                      c});
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::tie(a.last_sent, a.order) < std::tie(b.last_sent, b.order);
  });
  std::transform(ranked.begin(), ranked.end(), group.begin(),
                 [](const Ranked& r) { return r.campaign; });
}

bool Pipeline::Impl::speak(Presence& p, const CompiledCampaign& c, const TriggerSpec& spec,
                           const OfferContext& context, Stopped& stopped) {
  if (held_out(c.campaign, context, nullptr)) {
    suppress_offer(p, c, spec, context, Reason::holdout, "");
    OfferFact fact;
    fact.campaign = c.campaign.id;
    fact.state = OfferFact::State::holdout;
    fact.at = fact.expires_at = now_.wall;
    changed_facts(p.customer).offers.push_back(std::move(fact));
    return false;
  }
  const std::string segment = learning_segment(context);
  const std::size_t variant = choose_variant(c.campaign, context, learner_, segment, nullptr);
  auto rendered = render(c, variant, context);
  if (!rendered) {
    stopped.note(&c, context.profile ? Reason::missing_value : Reason::no_consent,
                 rendered.error().message);
    return false;
  }
  make_offer(p, c, spec, context, variant, segment, std::move(*rendered));
  return true;
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
  judge_campaign(c, context, budget_used(c.campaign.id), &d.steps);
  if (progress(reason) == 6) explain_customer(context, d.steps);
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
                                const std::string& segment, Rendered rendered) {
  const Campaign& k = c.campaign;
  const auto not_before = held_until(context);
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
  judge_campaign(c, context, budget_used(k.id), &d.steps);
  explain_customer(context, d.steps);
  held_out(k, context, &d.steps);
  choose_variant(k, context, learner_, segment, &d.steps);

  CustomerFacts& f = changed_facts(p.customer);
  if (agreed_) f.forget_old(*agreed_);
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
  waiting_[d.id] = {p.customer, d.expires_at, over(d.expires_at, now_)};
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
  store_row(store_key::of(store_key::kLearner, offer.campaign.str()),
            learner_.encode(offer.campaign));
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

// By how long it has run, so that no clock that is set lets go of an offer too early, and none that
// is never right keeps it for ever.
MonoTime Pipeline::Impl::over(WallTime expires_at, const Now& now) {
  constexpr chr::milliseconds kLongest = chr::days{90};  // of a campaign
  return now.mono + std::clamp(expires_at - now.wall, chr::milliseconds{0}, kLongest) +
         chr::days{1};
}

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
        store_row(store_key::of(store_key::kLearner, offer->campaign.str()),
                  learner_.encode(offer->campaign));
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

}  // namespace welcome
