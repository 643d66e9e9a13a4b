// SPDX-License-Identifier: Apache-2.0
// The part of the Engine that shares a store with other boxes.

#include <utility>

#include "firmware/engine/engine.h"

namespace welcome::daemon {

void Engine::talk_to_neighbours(const Now& now) {
  if (!neighbours_ || !delivery_.side(contract::LinkName::floor).up ||
      !neighbours_->due(tracker_, now))
    return;
  Neighbours::Visits visits;
  for (const auto& visit : pipeline_.visits()) visits.emplace(visit.customer, visit.visit);
  const auto word = neighbours_->tell(tracker_, visits, now);
  std::set<VisitId> elsewhere;
  for (const auto& [customer, visit] : visits) {
    if (told_elsewhere(customer, visit, now)) elsewhere.insert(visit);
  }
  told_elsewhere_ = std::move(elsewhere);

  // News of a quarter of a second: lost is lost.
  ports_.publish(contract::encode_ranging(word), kNoRow, std::nullopt);
}

std::string Engine::visit(const CustomerId& customer) {
  if (neighbours_) {
    if (const auto led = neighbours_->visit_elsewhere(customer, tracker_, asked_)) {
      return led->str();
    }
  }
  return ids_.next();
}

// Whether the box that leads tells the CRM of this visit. When she has left nobody leads any more,
// and the visit goes on for a while: then what was is what counts.
bool Engine::told_elsewhere(const CustomerId& customer, const VisitId& visit, const Now& now) {
  if (!neighbours_) return false;
  if (const auto led = neighbours_->visit_elsewhere(customer, tracker_, now)) {
    if (*led == visit) {
      told_elsewhere_.insert(visit);
    } else {
      told_elsewhere_.erase(visit);
    }
  } else if (tracker_.leads(customer)) {
    told_elsewhere_.erase(visit);
  }
  return told_elsewhere_.contains(visit);
}

// One guest, one card: the box that leads shows it, and whose camera has confirmed them.
bool Engine::shown_elsewhere(const Prompt& prompt, const Now& now) const {
  return prompt.level != Level::confirmed && neighbours_ &&
         neighbours_->is_led_elsewhere(prompt.visit, now);
}

}  // namespace welcome::daemon
