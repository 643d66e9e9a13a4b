// SPDX-License-Identifier: Apache-2.0
#pragma once
// Invitations of boxes, as the CRM keeps them: it can neither open nor answer one
// (provision/invitation.h). A box has one at a time, and the first that answers it has it.
//
// What changes something runs inside the caller's Transaction. One thread.

#include <cstdint>
#include <optional>
#include <string>

#include "core/time.h"
#include "crm/crm.h"
#include "crm/database.h"
#include "provision/invitation.h"

namespace welcome::crm {

class Invitations {
 public:
  explicit Invitations(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // Of a box that is admitted; takes the place of the one that it has.
  void put(const std::string& store, const std::string& box, const std::string& name,
           const std::string& sealed, WallTime expires_at, WallTime now);

  // The sealed invitation for who proves to have its code; the box's key is trusted from then on.
  // The same box is answered again, as the line may have gone. Nothing: there is no such
  // invitation, it is over, or another box has it, which is counted.
  std::optional<std::string> answer(const provision::ProvisionRequest& request, WallTime now);

  struct State {
    std::string made_at, expires_at;
    std::optional<std::string> used_at;
    std::int64_t refused = 0;  // tries of others, and of anybody afterwards, who had the code
  };
  std::optional<State> of(const std::string& store, const std::string& box);

  // Deletes those that are over, `at_most` at once.
  std::int64_t forget_old(WallTime now, int at_most);

 private:
  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
