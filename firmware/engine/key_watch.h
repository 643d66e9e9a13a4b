// SPDX-License-Identifier: Apache-2.0
#pragma once
// KeyWatch: which of the CRM's keys do not fit what is heard, and clocks of devices that were set
// by hand. Head office, which gave the key, is told; nothing of it is believed by itself. Engine
// thread only.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "beacon/key_doubts.h"
#include "firmware/engine/delivery.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class KeyWatch {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
    virtual void keys_changed(const std::vector<CustomerId>& customers, const Now& now) = 0;
  };
  KeyWatch(Shared& shared, Delivery& delivery, Needs& needs)
      : shared_(shared), delivery_(delivery), needs_(needs) {}

  // A row of StateRow::Kind::device. False: it is none of ours.
  bool load(const StateRow& row);
  // With the clock that was set by hand, for as long as the feed says what it said then.
  beacon::IdentityKey with_clock(beacon::IdentityKey key) const;

  // The keys that are listened for; all of them, or those of these customers.
  void set(const std::vector<beacon::IdentityKey>& keys) { doubts_.set(keys); }
  void update(const std::unordered_set<CustomerId>& customers,
              const std::vector<beacon::IdentityKey>& keys) {
    doubts_.update(customers, keys);
  }
  // A report that belongs to nobody known.
  void unknown(const beacon::AdvertReport& report, const Now& now) { doubts_.unknown(report, now); }
  void work(const Now& now) { doubts_.work(now); }
  void report(const Now& now);

  // The clock of an EID device is what it is heard to be now, until the feed says another. Errors:
  // not_found; refused: not heard, or may not be.
  Result<nlohmann::json> set_clock(const std::string& identity, const Now& now);

 private:
  struct SetClock {
    WallTime clock_zero;
    WallTime instead_of;  // what the feed said
  };
  // `over`: what was said of it before does not hold any more.
  void tell_crm(store::Tx& tx, const store::ReplicaItem& identity, const std::string& reason,
                bool over, const Now& now);

  Shared& shared_;
  Delivery& delivery_;
  Needs& needs_;
  beacon::KeyDoubts doubts_;
  std::unordered_map<std::string, SetClock> clocks_;  // by identity
};

}  // namespace welcome::daemon
