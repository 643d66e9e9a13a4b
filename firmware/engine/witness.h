// SPDX-License-Identifier: Apache-2.0
#pragma once
// Witness: what the box says of its audit log, so that the CRM notices a store that was put back
// from a copy. Asked by the CRM; from then on it is said in each hello. Engine thread only.
//
// Nothing is said that a pulled plug could still take away: the CRM would miss it.

#include <chrono>
#include <optional>
#include <string>

#include "contract/contract.h"
#include "contract/signing.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Witness {
 public:
  Witness(Shared& shared, const contract::Signer& signer);

  void hear(const contract::Taken::AuditQuestion& question) { question_ = question; }
  // Nothing: the CRM has not asked, or the disk takes nothing.
  std::optional<contract::AuditWord> word();
  // Entries came since the last word. Asks the store once a minute at most.
  bool has_news(const Now& now);
  const contract::Signer& signer() const { return signer_; }

 private:
  static constexpr std::chrono::minutes kLookEvery{1};

  Shared& shared_;
  const contract::Signer& signer_;
  const std::string run_;  // of this start
  std::optional<contract::Taken::AuditQuestion> question_;
  std::int64_t settled_ = -1;  // the newest entry that is certainly on the disk
  MonoTime next_look_;
};

}  // namespace welcome::daemon
