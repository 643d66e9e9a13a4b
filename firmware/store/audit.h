// SPDX-License-Identifier: Apache-2.0
#pragma once
// Audit: a trail of every export, erasure, enrolment, consent change, pause and configuration
// change. Each entry carries the hash of the one before, the last of a transaction also the box's
// Ed25519 signature. No personal data: a person is a keyed hash that only this box can compute.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::store {

class Context;

struct AuditEntry {
  std::int64_t seq = 0;
  WallTime at;
  std::string kind;     // "erasure", "export", "enrolment", "consent", "pause", "config", …
  std::string actor;    // "crm", "app", "desk", "technician", "box"
  std::string subject;  // hex of the keyed hash, or empty
  std::string detail;   // short, no personal data
  std::string hash;     // hex, over this entry and the one before
};

struct AuditHead {
  std::int64_t seq = 0;
  std::string hash;       // hex
  std::string signature;  // Base64; tell it to somebody else, and cutting the tail shows
};

// How the trail goes on from an entry, for somebody who remembers it.
struct AuditAccount {
  std::int64_t seq = 0;    // the newest entry
  std::string hash;        // of it, hex; empty: there is none
  std::string before;      // of the entry asked for; empty: there is no such entry here
  std::int64_t since = 1;  // the first entry that is kept
};

struct AuditVerdict {
  bool intact = true;
  std::int64_t entries = 0;
  std::int64_t first_bad = 0;  // 0 = none
  std::string problem;
};

class Audit {
 public:
  explicit Audit(Context& context);

  Result<std::vector<AuditEntry>> show(std::size_t limit) const;  // newest first
  Result<AuditVerdict> verify() const;
  Result<AuditHead> head() const;
  Result<AuditAccount> account(std::int64_t of) const;

  // The box's public key (Ed25519, Base64), for whoever checks receipts and trail.
  std::string public_key() const;
  // The person's keyed hash as it stands in `subject`.
  std::string subject_of(const CustomerId& customer) const;

  // Part of a transaction (tx.h).
  class Writer {
   public:
    void append(Now now, std::string_view kind, std::string_view actor, const CustomerId& subject,
                std::string_view detail);

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
