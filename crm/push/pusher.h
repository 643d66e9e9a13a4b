// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pusher: tells devices what is due (crm/push/pushes.h) over a way to their push services, and
// minds what these say. One thread, with a database connection of its own; makes its own
// transactions. Nothing of a person is logged: a service's host, and its answer.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "crm/crm.h"
#include "crm/push/p256.h"
#include "crm/push/pushes.h"

namespace welcome::crm {

struct PushRequest {
  Endpoint endpoint;
  std::string authorization;
  std::chrono::seconds ttl{0};  // so long the service keeps it for a phone that is off
  bool urgent = false;
  std::string topic;  // the same message again takes the place of the one before
  std::string body;
};
struct PushAnswer {
  int status = 0;  // 0: there was none; `why` says it
  std::string why;
  std::optional<std::chrono::seconds> retry_after;
};
// Asks all of them, and returns when each was answered, or has failed.
using PushWay = std::function<std::vector<PushAnswer>(const std::vector<PushRequest>&)>;

class Pusher {
 public:
  static constexpr std::size_t kAtOnce = 16;

  Pusher(Crm& crm, P256 key, PushWay way);

  // What is due now; when there is more to do. Nothing: not before something changes.
  std::optional<WallTime> work(const Pushes::SetUp& how, WallTime now);

 private:
  void note(const Pushes::Due& due, const PushAnswer& answer, WallTime now);

  Crm& crm_;
  Pushes pushes_;
  P256 key_;
  PushWay way_;
};

// Over HTTPS, with the certificates that the machine trusts.
PushWay push_over_https();

}  // namespace welcome::crm
