// SPDX-License-Identifier: Apache-2.0
// The part of the Engine that writes down what was decided: visits, decisions, and the messages
// that tell of them. All in the transaction of the event.

#include <nlohmann/json.hpp>
#include <utility>

#include "contract/json_text.h"
#include "firmware/engine/engine.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;

// Who was here longer ago needs no profile here any more.
constexpr std::chrono::hours kWantedLife{24};

std::string explain_text(const Decision& d) {
  json steps = json::array();
  for (const auto& step : d.steps) {
    steps.push_back({{"rule", step.rule}, {"passed", step.passed}, {"detail", step.detail}});
  }
  return contract::dump(
      json{{"campaign", d.campaign.str()}, {"variant", d.variant}, {"steps", std::move(steps)}});
}

// `counts`: as a visit of this box, for the numbers of the day (today.h).
std::string visit_detail(const VisitEvent& v, bool counts) {
  return contract::dump(json{{"zone", to_string(v.zone)},
                             {"level", to_string(v.level)},
                             {"why", v.ended_why},
                             {"counts", counts}});
}

}  // namespace

void Engine::write(store::Tx& tx, const Effects& effects, const Now& now) {
  for (const auto& consent : effects.consents) {
    const char* what = consent.given     ? " given"
                       : consent.removed ? " no longer known here"
                                         : " withdrawn";
    tx.audit().append(now, "consent", consent_by_, consent.customer,
                      std::string(to_string(consent.purpose)) + what);
  }
  for (const auto& decision : effects.withdrawn_decisions) tx.outbox().remove_ref(decision.str());
  write_store_words(tx, effects, now);
  for (const auto& customer : effects.near) {
    delivery_.enqueue(
        tx,
        contract::encode_event(settings_.box, {MessageId(ids_.next()), now.wall, customer,
                                               contract::ProfileWanted{}, settings_.box}),
        OutboxKind::wanted, customer.str(), now.wall + kWantedLife, {}, now);
  }
  write_visits(tx, effects, now);
  write_decisions(tx, effects, now);
  write_staff(tx, effects, now);
  timelines_.write(tx, effects);
  write_prompts(tx, effects, now);
  for (const auto& row : effects.rows) tx.journal().put_state(row, now.wall);
  for (const auto& [decision, not_before] : effects.let_go) {
    tx.outbox().hold_until(decision.str(), not_before);
  }
  write_withdrawals(tx, effects);
}

void Engine::write_store_words(store::Tx& tx, const Effects& effects, const Now& now) {
  const auto say = [&](const DecisionId& decision, std::optional<StoreOffer> offer) {
    delivery_.enqueue(
        tx, contract::encode_store_word({decision, settings_.box.box, false, std::move(offer)}),
        OutboxKind::told, "store:" + decision.str(), {}, {}, now);
  };
  for (const auto& offer : effects.tell_store) say(offer.decision, offer);
  for (const auto& decision : effects.untell_store) say(decision, {});
}

template <class What>
void Engine::tell_crm(store::Tx& tx, const What& what, const CustomerId& customer, WallTime at,
                      Up up, const Now& now) {
  if (up.id.empty()) up.id = MessageId(ids_.next());
  delivery_.enqueue(tx,
                    contract::encode_event(settings_.box, {std::move(up.id), at, customer,
                                                           contract::news(what), settings_.box}),
                    up.kind, std::move(up.ref), up.expires, up.not_before, now);
}

void Engine::write_visits(store::Tx& tx, const Effects& effects, const Now& now) {
  for (const auto& v : effects.visits) {
    const bool ended = v.kind == VisitEvent::Kind::ended;
    const bool counts = v.report && !told_elsewhere(v.customer, v.visit, now);
    tx.journal().put_visit({v.visit, v.customer, v.started_at,
                            ended ? std::optional(v.at) : std::nullopt,
                            visit_detail(v, counts)});  // the time line is added later
    if (counts) {
      tell_crm(tx, v, v.customer, v.at, {OutboxKind::visit, v.visit.str()}, now);
    }
    if (v.kind == VisitEvent::Kind::confirmed) faces_.visit_confirmed(v.customer);
    if (ended) faces_.visit_ended(tx, v, now);
  }
}

void Engine::write_decisions(store::Tx& tx, const Effects& effects, const Now& now) {
  for (const auto& d : effects.decisions) {
    tx.journal().add_decision({d.id, d.visit, d.customer, d.at, std::string(to_string(d.kind)),
                               std::string(to_string(d.reason)), explain_text(d)});
    if (!d.report) continue;
    if (d.made() && d.kind != DecisionKind::prompt) {
      // The event of an offer carries the decision's own id: it can never be told twice.
      tell_crm(
          tx, d, d.customer, d.at,
          {d.kind == DecisionKind::offer ? OutboxKind::offer : OutboxKind::survey, d.id.str(),
           MessageId(d.id.str()), d.expires_at, d.waits_for_store ? d.expires_at : d.not_before},
          now);
    } else if (!told_elsewhere(d.customer, d.visit, now)) {
      tell_crm(tx, d, d.customer, d.at, {OutboxKind::report, d.id.str()}, now);
    }
  }
}

void Engine::write_staff(store::Tx& tx, const Effects& effects, const Now& now) {
  for (const auto& outcome : effects.staff) {
    if (outcome.lowers_face_trust) {
      tx.people().refute_templates(outcome.customer);
      // It may have learnt from somebody else's face.
      tx.people().remove_aged(outcome.customer);
      faces_.forget_view(outcome.customer);
    }
    if (told_elsewhere(outcome.customer, outcome.action.visit, now)) continue;
    tell_crm(tx, outcome, outcome.customer, outcome.action.at,
             {OutboxKind::staff, outcome.action.id}, now);
  }
}

void Engine::write_prompts(store::Tx& tx, const Effects& effects, const Now& now) {
  for (const auto& p : effects.prompts) {
    if (shown_elsewhere(p, now)) continue;
    delivery_.enqueue(tx, contract::encode_prompt(p), OutboxKind::prompt, p.visit.str(),
                      p.expires_at, {}, now);
  }
  for (const auto& visit : effects.prompts_cleared) {
    if (neighbours_ && neighbours_->is_led_elsewhere(visit, now)) continue;
    delivery_.enqueue(tx, contract::encode_prompt_cleared(visit, {}), OutboxKind::prompt,
                      visit.str(), {}, {}, now);
  }
}

// Last, so that the end of a visit goes with the visit.
void Engine::write_withdrawals(store::Tx& tx, const Effects& effects) {
  for (const auto& consent : effects.consents) {
    if (consent.given) continue;
    if (consent.forgotten) {
      tx.withdraw_everything(consent.customer);
    } else {
      tx.withdraw(consent.customer, consent.purpose,
                  pipeline_.gate().standing(consent.customer, consent.purpose).withdrawn_at);
    }
    recorder_.forget(consent.customer);
    timelines_.forget(consent.customer);
  }
}

}  // namespace welcome::daemon
