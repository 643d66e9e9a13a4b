// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tx: the writing half of the store. Only Store::transaction() makes one, so nothing is written
// outside of a transaction.
//
// The first failure sticks: what is written after it does nothing (and returns nothing found, 0 or
// false), all is rolled back, and transaction() returns that failure. So the writers return no
// error, and none can be overlooked. Engine thread, while the transaction lasts.

#include <optional>

#include "core/purpose.h"
#include "firmware/store/audit.h"
#include "firmware/store/erasure.h"
#include "firmware/store/journal.h"
#include "firmware/store/outbox.h"
#include "firmware/store/people.h"
#include "firmware/store/registers.h"
#include "firmware/store/replica.h"

namespace welcome::store {

class Tx {
 public:
  Tx(const Tx&) = delete;
  Tx& operator=(const Tx&) = delete;

  Replica::Writer& replica() { return replica_; }
  Journal::Writer& journal() { return journal_; }
  People::Writer& people() { return people_; }
  Outbox::Writer& outbox() { return outbox_; }
  Erasure::Writer& erasure() { return erasure_; }
  Audit::Writer& audit() { return audit_; }
  Registers::Writer& registers() { return registers_; }

  // What only this purpose allowed goes (core/purpose_rules.h), and the withdrawal is kept.
  void withdraw(const CustomerId& customer, Purpose purpose, std::optional<WallTime> at);
  // Everything that is kept for any purpose goes; the rest with Erasure::erase().
  void withdraw_everything(const CustomerId& customer);

 private:
  friend class Store;
  explicit Tx(Context& context)
      : replica_(context),
        journal_(context),
        people_(context),
        outbox_(context),
        erasure_(context),
        audit_(context),
        registers_(context) {}

  Replica::Writer replica_;
  Journal::Writer journal_;
  People::Writer people_;
  Outbox::Writer outbox_;
  Erasure::Writer erasure_;
  Audit::Writer audit_;
  Registers::Writer registers_;
};

}  // namespace welcome::store
