// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/witness.h"

#include "contract/message.h"

namespace welcome::daemon {

namespace {

// Written so that a commit is waited for; nobody reads it.
constexpr const char* kToldRegister = "audit_told";

}  // namespace

Witness::Witness(Shared& shared, const contract::Signer& signer)
    : shared_(shared), signer_(signer), run_(contract::new_uuid()) {}

std::optional<contract::AuditWord> Witness::word() {
  if (!question_) return std::nullopt;
  const auto account = shared_.store.audit().account(static_cast<std::int64_t>(question_->seq));
  if (!account) return std::nullopt;
  if (account->seq != settled_) {
    // Entries may be of a commit that is not waited for.
    const auto settled = shared_.store.transaction([&](store::Tx& tx) {
      tx.registers().put(kToldRegister,
                         std::to_string(shared_.session) + " " + std::to_string(account->seq));
    });
    if (!settled) return std::nullopt;
    settled_ = account->seq;
  }
  return contract::AuditWord{.asked = question_->ask,
                             .session = static_cast<std::uint64_t>(shared_.session),
                             .run = run_,
                             .seq = static_cast<std::uint64_t>(account->seq),
                             .hash = account->hash,
                             .before = account->before,
                             .since = static_cast<std::uint64_t>(account->since)};
}

bool Witness::has_news(const Now& now) {
  if (!question_ || now.mono < next_look_) return false;
  next_look_ = now.mono + kLookEvery;
  const auto head = shared_.store.audit().account(0);
  return head && head->seq != settled_;
}

}  // namespace welcome::daemon
