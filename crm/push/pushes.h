// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which devices want to be told while their page is closed, and what each is still to be told. A
// device is a session of the door (its token's hash): when that ends, nothing is pushed to it.
//
// A message of the page (Crm::to_page) is to be pushed to each device of its customer that asked
// for it from the transaction on that put it there, until it was taken, or is over. Inside the
// caller's Transaction. One thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "crm/crm.h"
#include "crm/push/endpoint.h"
#include "crm/push/webpush.h"

namespace welcome::crm {

class Pushes {
 public:
  explicit Pushes(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // ---- by the company ----
  struct SetUp {
    std::string contact;                // mailto: or https:
    std::string key;                    // the point of its VAPID key, base64url
    std::vector<std::string> services;  // HOST[:PORT], beside the public ones
    bool knows(const Endpoint& endpoint) const;
  };
  std::optional<SetUp> set_up();  // nothing: there is no push
  void set_up(const SetUp& how);
  void turn_off();  // and every device is forgotten

  // ---- by a device ----
  struct Device {
    std::string endpoint;
    webpush::Receiver receiver;
    std::string language;
    bool shows = false;  // the words of an offer, and not only that there is one
  };
  void subscribe(const std::string& session, const std::string& customer, const Device& device,
                 WallTime now);
  void unsubscribe(const std::string& session);
  std::optional<bool> shows(const std::string& session);  // nothing: it is not told

  // ---- what is to be told ----
  struct Due {
    std::string message, session;
    Endpoint endpoint;
    webpush::Receiver receiver;
    std::string words;  // JSON, for the page's worker
    WallTime expires_at;
    bool urgent = false;
    std::int64_t tries = 0;  // this one with it
  };
  // They are this caller's for a minute; then whoever asks gets them again. What may not be told
  // any more goes.
  std::vector<Due> take(const SetUp& how, WallTime now, std::size_t at_most);
  void done(const Due& due);
  void again(const Due& due, WallTime at);
  std::optional<WallTime> next();

 private:
  std::optional<Due> due_of(const SetUp& how, const Row& row, WallTime now);

  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
