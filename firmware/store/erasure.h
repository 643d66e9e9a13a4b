#pragma once
// Erasure: forgetting a person for good, proving it, and telling a person what we hold.
//
// The customer's key is destroyed first, then the rows, then their bytes: free space is
// overwritten, the write-ahead log is emptied, the files are searched for the key, and the database
// is rebuilt if it is found. What stays: a tombstone (keyed hash of the id), the receipt, and an
// audit entry.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::store {

class Context;

struct ErasureReceipt {
  std::string request;  // the CRM's id of the request; names nobody
  CustomerId customer;  // until mark_reported(); empty afterwards
  WallTime at;
  std::map<std::string, std::int64_t> rows;  // erased, by table
  bool bytes_gone = false;                   // the files were searched: no copy of the key
  // JSON in canonical form (sorted keys, no spaces) and the box's Ed25519 signature over it,
  // Base64.
  std::string text;
  std::string signature;
};

class Erasure {
 public:
  explicit Erasure(Context& context);

  // Not inside transaction(). The same request again returns the same receipt. After a failure
  // nothing, or everything but the receipt, has happened; unreported() or a repeat completes it.
  Result<ErasureReceipt> erase(const CustomerId& customer, const std::string& request,
                               const std::string& box, Now now);

  // The receipt of a request that was carried out before.
  Result<std::optional<ErasureReceipt>> receipt(const std::string& request) const;

  // Receipts that were not yet put in the outbox (the power went in between). Call mark_reported()
  // in the transaction that enqueues one.
  Result<std::vector<ErasureReceipt>> unreported();
  Result<void> mark_reported(const std::string& request);
  // Whoever asked asks again, so the report was lost: unreported() has it once more. Does nothing
  // if the request was about somebody else.
  Result<void> report_again(const std::string& request, const CustomerId& customer);

  // The tombstone: when was this person erased here? Late feed items of such a person are withheld.
  Result<std::optional<WallTime>> erased_at(const CustomerId& customer) const;
  // All of them, as Audit::subject_of() writes a person.
  Result<std::vector<std::string>> tombstones() const;
  // The person has come back (a consent given after the erasure): the tombstone goes, and stays
  // as a withdrawal of every purpose, so that no older grant counts. What was withheld meanwhile
  // is missing; Replica::distrust() has it sent again.
  Result<void> lift(const CustomerId& customer, Now now);

  // Everything the box holds on a person, as JSON (docs/schemas/box/customer-export.json).
  Result<std::string> export_person(const CustomerId& customer, Now now) const;

 private:
  Context& context_;
};

}  // namespace welcome::store
