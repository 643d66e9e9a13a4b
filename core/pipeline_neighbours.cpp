// SPDX-License-Identifier: Apache-2.0
// Caps over several boxes of one store: docs/decide.md.

#include <algorithm>

#include "core/hash.h"
#include "core/pipeline_impl.h"

namespace welcome {

std::uint64_t store_alias(const Policy& policy, const CustomerId& customer) {
  return stable_hash(policy.seed, {"store", customer.str()});
}

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
    // The order was lost with the line: it takes its place again.
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
    reason = judge_campaign(*campaign->second, context, 0, nullptr);
    if (reason == Reason::made) reason = judge_customer(context);
    if (reason != Reason::made) {
      judge_campaign(*campaign->second, context, 0, &steps);
      explain_customer(context, steps);
    }
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

}  // namespace welcome
