// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/retirement.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contract/json_text.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;

constexpr std::string_view kRetirementRegister = "retirement";
constexpr const char* kRef = "retirement";  // of its row in the outbox

}  // namespace

Retirement::Retirement(Shared& shared, Delivery& delivery, const contract::Signer& signer)
    : shared_(shared), delivery_(delivery), signer_(signer) {
  const auto kept = shared_.store.registers().get(kRetirementRegister);
  if (!kept || !*kept) return;
  const json said = json::parse(**kept, nullptr, false);
  const auto at = contract::from_rfc3339(said.value("at", ""));
  if (!at) return;
  event_ = MessageId(said.value("event", ""));
  at_ = *at;
  state_ = State{said.value("proof", ""), said.value("confirmed", false)};
}

void Retirement::keep(const State& state, store::Tx& tx) const {
  tx.registers().put(kRetirementRegister, contract::dump({{"event", event_.str()},
                                                          {"at", contract::to_rfc3339(at_)},
                                                          {"proof", state.proof},
                                                          {"confirmed", state.confirmed}}));
}

Result<Retirement::State> Retirement::say(const Now& now) {
  if (state_ && state_->confirmed) return *state_;
  if (!state_) {
    event_ = MessageId(shared_.ids.next());
    at_ = now.wall;
  }
  const auto message = contract::encode_event(
      shared_.settings.box, {event_, at_, {}, contract::BoxRetired{at_}, {}}, &signer_);
  const State said{contract::dump(json::parse(message.payload).at("data")), false};
  const auto kept = shared_.store.transaction([&](store::Tx& tx) {
    tx.outbox().remove_ref(kRef);
    delivery_.enqueue(tx, message, OutboxKind::retired, kRef, {}, {}, now);
    keep(said, tx);
    if (!state_) tx.audit().append(now, "retire", "technician", {}, "head office is told");
  });
  if (!kept) return tl::unexpected(kept.error());
  state_ = said;
  delivery_.pump(contract::LinkName::uplink, now);
  return said;
}

Result<void> Retirement::taken(const contract::Taken& taken, const Now& now) {
  if (!state_ || state_->confirmed ||
      std::find(taken.ids.begin(), taken.ids.end(), event_) == taken.ids.end()) {
    return {};
  }
  const State confirmed{state_->proof, true};
  auto kept = shared_.store.transaction([&](store::Tx& tx) {
    keep(confirmed, tx);
    tx.audit().append(now, "retire", "crm", {}, "head office has it");
  });
  if (kept) state_ = confirmed;
  return kept;
}

}  // namespace welcome::daemon
