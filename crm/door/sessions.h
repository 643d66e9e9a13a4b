// SPDX-License-Identifier: Apache-2.0
#pragma once
// One-time links and the devices that opened them. A link and a session are secrets that the
// database keeps as their hash (crm/token.h).
//
// What changes something runs inside the caller's Transaction. One thread.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "crm/crm.h"

namespace welcome::crm {

struct Session {
  std::string hash;  // of its token
  std::string id;    // its name for everybody else
  std::string customer;
  WallTime seen_at, linked_at;

  // Opened a link so lately that it may do what asks for that.
  bool fresh(WallTime now) const { return now < fresh_until(); }
  WallTime fresh_until() const { return linked_at + kFresh; }

  static constexpr std::chrono::minutes kFresh{5};
};

struct Device {
  std::string id, name, made_at, seen_at;
};

class Sessions {
 public:
  static constexpr std::chrono::minutes kLinkLife{15};
  static constexpr std::chrono::hours kLife{180 * 24};  // since it was seen last
  static constexpr std::size_t kDevicesMost = 20;       // whoever was seen longest ago has to go

  explicit Sessions(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // The token. Errors: not_found.
  Result<std::string> new_link(const std::string& customer, WallTime now,
                               std::chrono::minutes life = kLinkLife);

  struct Link {
    std::string customer;
    bool used = false, over = false;
    bool good() const { return !used && !over; }
  };
  std::optional<Link> link(const std::string& token, WallTime now);
  // Once: false when somebody was faster.
  bool use(const std::string& token, WallTime now);

  // A new device of this customer; its token.
  std::string open(const std::string& customer, const std::string& device, WallTime now);
  // This device has opened another link of the same customer.
  void refresh(const Session& session, WallTime now);

  std::optional<Session> find(const std::string& token, WallTime now);
  bool is_open(const std::string& hash, WallTime now);
  // It was here; is written down once an hour.
  bool seen_lately(const Session& session, WallTime now) const;
  void saw(const Session& session, WallTime now);

  std::vector<Device> devices(const std::string& customer, WallTime now);  // the newest first
  bool revoke(const std::string& customer, const std::string& id, WallTime now);

 private:
  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
