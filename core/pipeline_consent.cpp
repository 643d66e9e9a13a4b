// SPDX-License-Identifier: Apache-2.0
// Consents, pauses and profiles change.

#include <algorithm>

#include "core/pipeline_impl.h"

namespace welcome {

namespace {

constexpr chr::minutes kHeardRowEvery{5};

}  // namespace

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

void Pipeline::Impl::withdraw_facts(const CustomerId& customer, FactPart part) {
  switch (part) {
    case FactPart::waiting_offers:
      return withdraw_waiting(customer, false);
    case FactPart::waiting_personalised:
      return withdraw_waiting(customer, true);
    case FactPart::history: {
      CustomerFacts& f = changed_facts(customer);
      f.visits.clear();
      f.visits_total = 0;
      f.purchases.clear();
      f.assigned.clear();
      return;
    }
    case FactPart::notes: {
      CustomerFacts& f = changed_facts(customer);
      f.note.reset();
      f.learnt.clear();
      return;
    }
    case FactPart::face_doubt: {
      CustomerFacts& f = changed_facts(customer);
      f.face_doubt = 0.0;
      f.face_doubt_at.reset();
      return;
    }
  }
}

void Pipeline::Impl::consent_changed(const CustomerId& customer, Purpose purpose, bool before,
                                     bool removed) {
  const bool after = gate_.standing(customer, purpose).given();
  if (rule_of(purpose).loads) {
    out_->loadable_customers.push_back(customer);
  }
  if (before != after) {
    ConsentEffect effect;
    effect.customer = customer;
    effect.purpose = purpose;
    effect.given = after;
    effect.removed = removed;
    out_->consents.push_back(std::move(effect));
    if (!after) {
      for (const FactPart part : rule_of(purpose).facts) withdraw_facts(customer, part);
    }
  }
  reassess(customer);
  forget_left(&customer);
}

void Pipeline::Impl::on(const event::ConsentChanged& e) {
  for (const ConsentRecord& r : e.records) {
    const bool before = gate_.standing(r.customer, r.purpose).given();
    if (gate_.put(r)) consent_changed(r.customer, r.purpose, before, false);
  }
}

void Pipeline::Impl::on(const event::ConsentRemoved& e) {
  const bool before = gate_.standing(e.customer, e.purpose).given();
  gate_.remove(e.customer, e.purpose);
  if (e.instead) gate_.put(*e.instead);
  consent_changed(e.customer, e.purpose, before, true);
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
  forget_left(&e.customer);
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
    store_row(std::string(store_key::kCrmHeard), std::to_string(e.at.time_since_epoch().count()));
  }
}

void Pipeline::Impl::on(const event::PauseChanged& e) {
  gate_.set_paused(e.function, e.paused);
  store_row(store_key::of(store_key::kPause, to_string(e.function)),
            e.paused ? std::optional<std::string>("1") : std::nullopt);
  if (e.function == Function::face || e.function == Function::all) out_->loadable_changed = true;
  reassess_everybody();
}

void Pipeline::Impl::on(const event::ProfileChanged& e) {
  if (Presence* p = find(e.customer)) p->prompt_stale = true;
  // A feed brings everybody's: it is read back only of those for whom something waits.
  const bool waits = std::any_of(waiting_.begin(), waiting_.end(), [&](const auto& one) {
    return one.second.customer == e.customer;
  });
  if (waits && not_today(directory_.profile(e.customer), now_.wall))
    withdraw_waiting(e.customer, false);
  reassess(e.customer);
  forget_left(&e.customer);
}

bool Pipeline::Impl::not_today(const Profile* profile, WallTime wall) const {
  return profile && profile->not_today_at && still_today(clock_, *profile->not_today_at, wall);
}

}  // namespace welcome
