// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/tx.h"

#include "core/purpose_rules.h"

namespace welcome::store {

void Tx::withdraw(const CustomerId& customer, Purpose purpose, std::optional<WallTime> at) {
  if (at) people_.note_withdrawal(customer, purpose, *at);
  const PurposeRule& rule = rule_of(purpose);
  outbox_.remove(customer, rule.messages);
  for (const StateRow::Kind kind : rule.rows) journal_.erase_states(customer, kind);
  for (const TimelineOf of : rule.words) journal_.erase_words(customer, of);
  if (rule.sightings) journal_.erase_sightings(customer);
  if (rule.templates) people_.remove_templates(customer);
}

void Tx::withdraw_everything(const CustomerId& customer) {
  for (const Purpose purpose : kAllPurposes) withdraw(customer, purpose, std::nullopt);
  outbox_.remove_all(customer);
}

}  // namespace welcome::store
