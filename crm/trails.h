// SPDX-License-Identifier: Apache-2.0
#pragma once
// Trails: how far each box's audit log and session were, by its own signed word. A box whose store
// was put back from a copy finds its own audit log intact; here it is noticed, and stays noticed
// until an operator acknowledges it.
//
// The CRM asks, with a random word: an answer to another question counts for nothing, so nobody who
// repeats an old message brings a box into suspicion. A box has what it tells on its disk for
// certain: a pulled plug is no reason. Another key is another box (Crm::trust_box): its trail
// begins anew.
//
// Every call that changes something runs inside the caller's Transaction. One thread.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "contract/contract.h"
#include "core/result.h"
#include "crm/crm.h"

namespace welcome::crm {

struct TrailState {
  std::int64_t session = 0;  // 0: it has not said yet
  std::int64_t seq = 0;      // the newest entry of its audit log
  std::string hash;
  std::string heard_at;
  std::string asked_at;
  std::optional<std::string> back_at;
  std::string back_why;
};

class Trails {
 public:
  explicit Trails(Crm& crm) : crm_(crm), db_(crm.database()) {}

  contract::Taken::AuditQuestion ask(const std::string& store, const std::string& box,
                                     WallTime now);
  // Why the box's store is older than it was; empty: it is not, it is known already, or this is no
  // answer (not asked, not signed with the box's trusted key).
  std::string take(const std::string& store, const std::string& box,
                   const contract::AuditWord& word, WallTime now);
  // The box goes on from what it says now. Errors: not_found (it was not set back).
  Result<void> acknowledge(const std::string& store, const std::string& box);
  std::optional<TrailState> of(const std::string& store, const std::string& box);

 private:
  // Boxes keep their audit log for three years: from half of that on entries that the box does not
  // have any more may have come to their end.
  static constexpr std::chrono::hours kMayBeRemoved{18 * 30 * 24};

  struct Known : TrailState {
    std::string run;
    std::string ask;
    std::int64_t ask_seq = 0;
    std::string ask_hash;
  };
  std::optional<Known> known(const std::string& store, const std::string& box);
  static std::string doubt(const Known& known, const contract::AuditWord& word, WallTime now);

  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
