// SPDX-License-Identifier: Apache-2.0
#pragma once
// Control messages that wait in the database, on their way to the broker. Among several
// instances a row belongs to who took it, for as long as sending may take (its lease).
//
// One thread; makes its own Transactions, so not inside another.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "crm/database.h"

namespace welcome::crm {

class Outbox {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  // How many more messages the broker takes now; and one for it, with the row's position.
  struct Line {
    std::function<std::size_t()> room;
    std::function<void(const contract::Message&, std::int64_t position)> publish;
  };
  Outbox(Database& db, bool shared, Line line);

  // A new line: what the broker has not acknowledged goes again.
  void line_is_up();
  void line_is_down();
  // When send() wants to be called again although nothing has happened.
  Steady deadline() const;

  void send(Steady now);
  // What the broker says of a row. False: it is set aside, the broker never takes it.
  void arrived(std::int64_t position);
  bool refused(std::int64_t position, std::uint8_t reason, Steady now);
  // Writes down what arrived() and refused() said.
  void write_down();
  // Who has a line need not wait for the leases of who has none.
  void give_back();

 private:
  void send_mine();
  void send_shared();
  void send_again(Steady now);
  void publish(const Row& row);

  Database& db_;
  const bool shared_;
  const Line line_;
  std::int64_t sent_ = 0;          // position up to which rows are in flight; not where shared
  std::set<std::int64_t> leased_;  // rows that only this instance sends now
  std::vector<std::int64_t> done_;
  std::vector<std::int64_t> again_;  // the broker did not take them now
  Steady next_again_;
  std::set<std::int64_t> refused_once_;
  std::map<std::int64_t, std::string> refused_;  // it never takes them, and why
};

}  // namespace welcome::crm
