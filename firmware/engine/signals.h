// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signals: who is heard just now, as bars for a technician who walks with a phone in their hand.
// Listens only while somebody looks, knows customers alone, and tells nobody from anybody. Engine
// thread only.

#include <map>
#include <utility>
#include <vector>

#include "beacon/tracker.h"
#include "contract/manage.h"
#include "core/ids.h"
#include "core/time.h"

namespace welcome::daemon {

class Signals {
 public:
  // A report that the tracker has just handled, and whose it was.
  void heard(const beacon::AdvertReport& report, const beacon::Resolved& match,
             const beacon::Tracker& tracker, const Now& now);
  // The strongest first. The first look begins to listen, and is empty.
  std::vector<contract::SignalView> look(const beacon::Tracker& tracker, const Now& now);

 private:
  struct Row {
    double rssi_dbm = 0.0;  // smoothed
    MonoTime heard;
  };
  std::map<std::pair<CustomerId, beacon::IdentityKind>, Row> rows_;
  MonoTime until_;  // somebody looks
};

}  // namespace welcome::daemon
