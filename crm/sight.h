// SPDX-License-Identifier: Apache-2.0
#pragma once
// Profiles on sight (docs/decisions/0192): a box is sent the profiles of those alone that it has
// seen, until they have not come for `keep_days`. So each box has a part of that collection, with a
// place of its own (crm/places.h).
//
// Inside the caller's Transaction. One thread.

#include <cstdint>
#include <string>
#include <vector>

#include "core/time.h"
#include "crm/database.h"
#include "crm/places.h"
#include "crm/scope.h"

namespace welcome::crm {

inline constexpr std::int64_t kKeepDays = 90;

class Sight {
 public:
  Sight(Database& db, Places& places) : db_(db), places_(places) {}

  bool on() const;
  std::int64_t keep_days() const;
  void set(bool on, std::int64_t keep_days);

  // A box's part of the profiles.
  static std::string part_of(const BoxKey& box) { return box.first + "/" + box.second; }

  // The box has seen them before, and says so again.
  bool seen_again(const BoxKey& box, const std::string& customer, WallTime now);
  // From now on this item is one of the box's, or (`seq` is the deletion's) no more.
  void add(const BoxKey& box, const std::string& customer, std::int64_t seq, WallTime now);
  void remove(const BoxKey& box, const std::string& customer, std::int64_t live_seq,
              std::int64_t seq);
  // An item that boxes may have is another now; 0: it was not, or is not, there.
  void changed(const Places::Step& step);

  struct Seen {
    BoxKey box;
    std::string customer;
  };
  std::vector<Seen> old(WallTime now, int at_most) const;
  std::vector<BoxKey> boxes_that_saw(const std::string& customer) const;
  std::vector<Seen> seen_in(const std::string& store) const;

  void forget(const std::string& customer);
  void forget(const BoxKey& box);
  void forget_everybody();  // boxes ask again; goes with a new epoch

 private:
  Database& db_;
  Places& places_;
};

}  // namespace welcome::crm
