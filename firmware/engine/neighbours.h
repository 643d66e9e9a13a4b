// SPDX-License-Identifier: Apache-2.0
#pragma once
// Neighbours: the other boxes of this store, met on the floor broker. Makes what this box tells
// them of the customers it hears, and hands what they say to the tracker.
//
// Customers travel as keyed hashes (BLAKE2b, the store's key, the day, the customer), so the broker
// learns neither who is here nor who was here yesterday. A box looks only for customers that it
// hears itself. Engine thread only.

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "beacon/tracker.h"
#include "contract/contract.h"

namespace welcome::daemon {

// The same 32 bytes in every box of a store, in no other, and in no broker.
using StoreKey = std::array<std::uint8_t, 32>;

class Neighbours {
 public:
  Neighbours(contract::BoxAddress box, Zone zone, const StoreKey& key, std::uint64_t session);
  ~Neighbours();
  Neighbours(const Neighbours&) = delete;
  Neighbours& operator=(const Neighbours&) = delete;

  using Visits = std::map<CustomerId, VisitId>;

  // Whether it is time to tell: a few times a second while somebody is here, else now and then.
  bool due(const beacon::Tracker& tracker, const Now& now) const;
  // What to tell the others, when it is due. `visits`: those that this box has open.
  contract::FloorRanging tell(const beacon::Tracker& tracker, const Visits& visits, const Now& now);

  // Nothing for our own word, for one that comes late or twice, and for people whom we do not hear.
  std::vector<IdentityClaim> hear(const contract::FloorRanging& said, beacon::Tracker& tracker,
                                  const Now& now);

  // Her visit as the box that leads has it, if that is another one. All boxes of a store have one
  // id for it.
  std::optional<VisitId> visit_elsewhere(const CustomerId& customer, const beacon::Tracker& tracker,
                                         const Now& now) const;

  // Whether another box says that it leads on this visit.
  bool is_led_elsewhere(const VisitId& visit, const Now& now) const;

  nlohmann::json status(const Now& now) const;

  // "I am gone": for the last will and for a clean stop.
  static contract::FloorRanging gone(const contract::BoxAddress& box, Zone zone,
                                     std::uint64_t session, WallTime at);

 private:
  struct Peer {
    std::uint64_t session = 0;
    std::uint64_t seq = 0;
    Zone zone = Zone::inside;
    bool gone = false;
    MonoTime heard;
  };
  struct Day {
    std::string date;
    std::unordered_map<CustomerId, std::string> who;
    std::unordered_map<std::string, CustomerId> customer;
  };
  struct Led {  // by another box, last heard
    std::string box;
    VisitId visit;
    MonoTime heard;
  };
  struct SaidFob {  // ours, last told
    std::string device;
    MonoTime at;
  };

  std::string hash(std::string_view what, std::string_view day, std::string_view of) const;
  // A visit's id for the wire and back: its bytes, hidden by what only the store's key makes.
  std::string hide(const VisitId& visit, std::string_view day, const CustomerId& customer) const;
  std::optional<VisitId> reveal(std::string_view hidden, std::string_view day,
                                const CustomerId& customer) const;
  void heard_leader(const std::string& box, const CustomerId& customer,
                    std::optional<VisitId> visit, const Now& now);
  // Ids of that day of everybody who is here or has a visit open.
  const Day& ids(const std::string& date, const beacon::Tracker& tracker);

  const contract::BoxAddress box_;
  const Zone zone_;
  StoreKey key_;
  const std::uint64_t session_;
  std::uint64_t seq_ = 0;
  std::optional<MonoTime> told_;
  std::map<std::string, Peer> peers_;
  std::deque<Day> days_;  // boxes whose clocks differ may live in different ones
  std::unordered_map<std::string, SaidFob> fobs_;
  Visits visits_;  // open here, as last told
  std::map<CustomerId, Led> led_;
  std::uint64_t late_ = 0;
};

}  // namespace welcome::daemon
