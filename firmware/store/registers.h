// SPDX-License-Identifier: Apache-2.0
#pragma once
// Registers: the box's own small facts. Nothing personal.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "core/timekeeper.h"

namespace welcome::store {

class Context;

// The newest control message per scope ("_all" or a store) and function; it holds after a reboot.
struct ControlRow {
  std::string scope;
  std::string function;  // face, offers, prompts, surveys, all
  std::int64_t seq = 0;
  bool paused = false;
  std::string body;  // the signed message as it came
};

// How long each kind of row is kept. A row that is in use (an open visit, an unsent message that
// has not expired) is never removed.
struct Retention {
  std::chrono::days visits{90};
  std::chrono::days decisions{90};
  std::chrono::days facts{400};      // per customer: since last changed
  std::chrono::days templates{365};  // from enrolment; BIPA 15
  std::chrono::days outbox{45};
  std::chrono::days receipts{730};
  std::chrono::days tombstones{1095};  // and withdrawals
  std::chrono::days audit{1095};
};

class Registers {
 public:
  explicit Registers(Context& context);

  Result<std::vector<ControlRow>> controls() const;
  Result<std::map<std::string, std::int64_t>> counters() const;
  Result<std::optional<std::string>> get(std::string_view name) const;

  // Part of a transaction (tx.h).
  class Writer {
   public:
    // One more than the last time. Call once per start.
    std::int64_t next_session();
    // False, and nothing changes, when it is not newer than the one we have.
    bool put_control(const ControlRow& row);
    void add_counter(std::string_view name, std::int64_t by);
    void put(std::string_view name, std::string_view value);
    // Removes what is older than allowed; returns rows removed by table. What bears a time that is
    // still to come was written by a wrong clock: it counts as of now.
    std::map<std::string, std::int64_t> apply_retention(const Retention& retention,
                                                        const AgreedTime& now);

   private:
    friend class Tx;
    explicit Writer(Context& context) : context_(context) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Context& context_;
  };

 private:
  Context& context_;
};

}  // namespace welcome::store
