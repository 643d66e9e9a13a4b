// SPDX-License-Identifier: Apache-2.0
#pragma once
// Erasure: forgetting a person for good, proving it, and telling a person what we hold.
//
// The customer's key is destroyed first, then the rows, then their bytes: free space is
// overwritten, the write-ahead log is emptied, the files are searched for the key, and the database
// is rebuilt if it is found. What stays: a tombstone (keyed hash of the id), the receipt, and an
// audit entry. Where bytes cannot be removed the receipt says so, until they can.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/erasure_receipt.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/sql.h"
#include "core/time.h"

namespace welcome::store {

class Context;

class Erasure {
 public:
  explicit Erasure(Context& context);

  // Not inside transaction(). The same request again returns the same receipt. After a failure
  // nothing, or everything but the receipt, has happened; unreported() or a repeat completes it.
  [[nodiscard]] Result<ErasureReceipt> erase(const CustomerId& customer, const MessageId& request,
                                             Now now);

  // The receipt of a request that was carried out before.
  Result<std::optional<ErasureReceipt>> receipt(const MessageId& request) const;

  // Receipts that were not yet put in the outbox (the power went in between). Call mark_reported()
  // in the transaction that enqueues one.
  [[nodiscard]] Result<std::vector<ErasureReceipt>> unreported();
  // Tries again to get rid of bytes that could not be removed. Those that are gone now have a new
  // receipt, which is unreported() again.
  [[nodiscard]] Result<void> scrub_again();

  // The tombstone: when was this person erased here? Late feed items of such a person are withheld.
  Result<std::optional<WallTime>> erased_at(const CustomerId& customer) const;
  // All of them, as Audit::subject_of() writes a person.
  Result<std::vector<std::string>> tombstones() const;

  // Everything the box holds on a person, as JSON (docs/schemas/box/customer-export.json).
  Result<std::string> export_person(const CustomerId& customer, Now now) const;

  // Part of a transaction (tx.h).
  class Writer {
   public:
    void mark_reported(const MessageId& request);
    // Whoever asked asks again, so the report was lost: unreported() has it once more. Does nothing
    // if the request was about somebody else.
    void report_again(const MessageId& request, const CustomerId& customer);
    // The person has come back (a consent given after the erasure): the tombstone goes, and stays
    // as a withdrawal of every purpose, so that no older grant counts. What was withheld meanwhile
    // is missing; Replica::Writer::distrust() has it sent again.
    void lift(const CustomerId& customer, Now now);

   private:
    friend class Tx;
    explicit Writer(Context& context) : context_(context) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Context& context_;
  };

 private:
  Result<void> complete_all(Sql which);

  Context& context_;
};

}  // namespace welcome::store
