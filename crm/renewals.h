// SPDX-License-Identifier: Apache-2.0
#pragma once
// Renewals: boxes get new passwords at the central broker, without a technician. The box makes the
// password; what comes here is its salted hash, signed with the key that is trusted, and it is put
// into the broker's file by whoever may write it (`welcome-crm boxes renew`).
//
// Every call that changes something runs inside the caller's Transaction. One thread.

#include <string>
#include <vector>

#include "contract/contract.h"
#include "core/result.h"
#include "core/time.h"
#include "crm/crm.h"
#include "crm/database.h"

namespace welcome::crm {

class Renewals {
 public:
  explicit Renewals(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // How long a box may take to answer.
  static constexpr std::chrono::hours kAskFor{7 * 24};

  // Boxes whose password is older than that, and that are not asked already; of one box, whatever
  // its age. Returns how many are asked. Errors: not_found (it is not admitted).
  std::int64_t ask_older_than(std::chrono::hours age, WallTime now);
  Result<void> ask(const std::string& store, const std::string& box, WallTime now);
  // What it answers to another question, or not signed with its trusted key, is no password.
  void answered(const std::string& store, const std::string& box,
                const contract::CommandResponse& answer);
  struct Line {
    std::string store, box;
    std::string hash;  // $7$…
  };
  // That the broker does not have yet.
  std::vector<Line> to_put();
  void put(const Line& line, WallTime now);

 private:
  // To a box that is admitted.
  void put_question(const std::string& store, const std::string& box, WallTime now);

  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
