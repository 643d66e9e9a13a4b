// SPDX-License-Identifier: Apache-2.0
#pragma once
// Listening: whose devices the radio listens for. Loads keys into the tracker as consent allows,
// and keeps what the radio learnt of devices: sealed with the customer's key, gone with the
// consent, the identity, or after 400 days without news. Engine thread only.

#include <string>
#include <unordered_set>
#include <vector>

#include "firmware/engine/device_index.h"
#include "firmware/engine/key_watch.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Listening {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
  };
  Listening(Shared& shared, beacon::Tracker& tracker, DeviceIndex& devices, KeyWatch& watch,
            Needs& needs)
      : shared_(shared), tracker_(tracker), devices_(devices), watch_(watch), needs_(needs) {}

  void load_learnt();
  // At start, and for a new tracker: everybody at once.
  void load(const Now& now);
  // The gate has changed, for anybody or for these.
  void refresh(const Now& now);
  void refresh(const std::vector<CustomerId>& customers, const Now& now);
  void expect(std::size_t people);
  // With a hundred thousand customers at once, decisions come in between.
  void fetch(const Now& now);
  void keep_learnt(const Now& now);

 private:
  void unload(const std::unordered_set<CustomerId>& gone, const Now& now);
  void forget_unknown_devices(const Now& now);

  Shared& shared_;
  beacon::Tracker& tracker_;
  DeviceIndex& devices_;
  KeyWatch& watch_;
  Needs& needs_;
  beacon::LearntDevices learnt_;                 // as in the store
  std::unordered_set<CustomerId> listened_for_;  // may be, and their keys were asked for
  std::unordered_set<CustomerId> to_fetch_;      // of them: whose keys are to be read (again)
  MonoTime next_fetch_;
};

}  // namespace welcome::daemon
