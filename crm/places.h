// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the parts of a collection stand. A box that is not sent all of it is sent parts: its own
// (profiles on sight, crm/sight.h), or those of the homes in its region or store (crm/regions.h).
// Each part has a place of its own: the number of the last change that was one for it, and the
// digest of what is live in it. What leaves a part is deleted where the part is, by a row until
// that is done. Digests are XOR sums, so what is made of several parts stands at the sum of theirs.
//
// Inside the caller's Transaction. One thread.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "contract/topics.h"
#include "crm/database.h"

namespace welcome::crm {

using contract::Collection;

inline std::string name_of(Collection collection) {
  return std::string(contract::to_string(collection));
}

struct Place {
  std::int64_t seq = 0;
  std::int64_t oldest = 0;  // from here on every deletion is known
  std::string digest;       // of nothing: 32 zeros

  Place();
  void add(const Place& other);
};

class Places {
 public:
  explicit Places(Database& db) : db_(db) {}

  // What changes in a part. 0: there was no live item, or there is none now.
  struct Step {
    std::string key;
    std::int64_t old_live_seq = 0;
    std::int64_t live_seq = 0;
    std::int64_t seq = 0;
  };

  Place of(Collection collection, const std::string& part) const;
  // A part that is new stands at `seq`: whoever has been there before it was forgotten is behind.
  void begin(Collection collection, const std::string& part, std::int64_t seq);
  void changed(Collection collection, const std::string& part, const Step& step);
  // It is no longer in the part since `seq`, and has to be deleted there; or it is in it again.
  void left(Collection collection, const std::string& part, const std::string& key,
            const std::string& customer, std::int64_t seq);
  void came(Collection collection, const std::string& part, const std::string& key);
  // Whoever has the part says that they have come so far.
  void confirmed(Collection collection, const std::string& part, std::int64_t seq);
  // Nobody is told any more of the deletion that has this number.
  void carried_out(Collection collection, const std::string& part, std::int64_t seq);

  // Forgets whom the deletions are about; who is behind gets a snapshot. So does who is behind in a
  // part of which a deletion is forgotten otherwise.
  void purge(const std::string& customer);
  void cut(Collection collection, const std::string& part);
  void forget(Collection collection, const std::string& part);
  void new_epoch(Collection collection);  // whatever they have, they are told everything

 private:
  void save(Collection collection, const std::string& part, const Place& place);

  Database& db_;
};

}  // namespace welcome::crm
