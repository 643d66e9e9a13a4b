// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which boxes the CRM serves: those that somebody admitted. A box that nobody admitted gets
// nothing, nothing of it is kept but that it was there, and what strangers can cause has a limit.
//
// Every call that changes something runs inside the caller's Transaction. One thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "crm/crm.h"
#include "crm/database.h"

namespace welcome::crm {

// So many rows strangers can cause, and so long each stays after its last try.
inline constexpr std::int64_t kStrangers = 100;
inline constexpr std::chrono::hours kStrangerLife{30 * 24};

struct Stranger {
  std::string store, box;
  std::string since, last_at;
  std::int64_t tries = 0;
  std::string tried;  // "hello, state"
};

// A device of somebody whose data a box held.
struct HeldDevice {
  std::string identity, customer, kind;
};

struct Revoked {
  std::vector<std::string> customers;  // whose data it was told
  std::vector<HeldDevice> devices;     // whose secret key it was told, and that can have a new one
  std::int64_t erasures = 0;           // open ones that it is taken out of
};

class Boxes {
 public:
  explicit Boxes(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // Whether a name can be a store or a box in an address, an account and a line of a broker's file.
  static bool valid_name(std::string_view name);

  // False: it was admitted before, and stays so.
  bool admit(const std::string& store, const std::string& box, const std::string& by, WallTime now);
  bool admitted(const std::string& store, const std::string& box);
  // Errors: not_found (it is not admitted).
  Result<Revoked> revoke(const std::string& store, const std::string& box, WallTime now);

  // By its own signed word (data of box.retired), with its trusted key: as revoked, and on record
  // with the proof. The same word again changes nothing. Errors: not_found (it is not admitted),
  // refused (it does not count), malformed.
  Result<void> retire(const std::string& store, const std::string& box, const std::string& proof,
                      WallTime now);
  // When it was, of one that is not admitted again.
  std::optional<std::string> retired_at(const std::string& store, const std::string& box);

  // In which region the box knows itself to be.
  std::string region_said(const std::string& store, const std::string& box);

  // Whose data is on the box: who was told, less who left the feed before its last word.
  std::vector<std::string> held_by(const std::string& store, const std::string& box);

  // A message of a box that is not admitted. True: the first of it.
  bool turn_away(const std::string& store, const std::string& box, std::string_view tried,
                 WallTime now);
  std::vector<Stranger> strangers();

 private:
  std::vector<HeldDevice> devices_of(const std::vector<std::string>& customers);
  std::int64_t leave_erasures(const std::string& store, const std::string& box, WallTime now);

  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
