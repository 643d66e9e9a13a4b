// SPDX-License-Identifier: Apache-2.0
#pragma once
// Store: everything a box keeps, in one SQLite file. Nothing that was committed is lost by a pulled
// plug, nothing personal is legible in the file, and a person can be made to vanish from it.
//
// Thread: the engine's only; the Store holds the only connection.
// Transactions: what is written is written by a Tx (tx.h), which transaction() alone can make.
// Errors: full (no room on the disk), unavailable (file system read-only or away), corrupt (set
// aside by the next open), malformed, refused, not_found, internal. None holds personal data.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "firmware/store/audit.h"
#include "firmware/store/durable.h"
#include "firmware/store/erasure.h"
#include "firmware/store/journal.h"
#include "firmware/store/outbox.h"
#include "firmware/store/people.h"
#include "firmware/store/registers.h"
#include "firmware/store/replica.h"
#include "firmware/store/tx.h"

namespace welcome::store {

using BoxKey = std::array<std::uint8_t, 32>;

// A new random box key, for a box that is provisioned (or a test).
BoxKey make_box_key();

// With the former signing seed: a statement that this public key (32 bytes) comes after it.
using Vouch =
    std::function<std::string(std::span<const std::uint8_t, 32> former, std::string_view key)>;

struct StoreOptions {
  std::string vfs;       // SQLite VFS by name; empty = the default. Tests cut the power with it
  int cache_kib = 8192;  // page cache
  // The key that the file is to have from now on. A file that has it already is opened with it, so
  // both may be given until the change is over.
  std::optional<BoxKey> next_key;
  Vouch vouch;
  bool salvage = true;  // from a corrupt file, bring over what is readable and not the CRM's
};

// What open() found, to be reported by the daemon.
struct OpenReport {
  bool created = false;       // there was no file
  int migrated_from = 0;      // schema version found; equal to the newest = nothing to do
  bool newer = false;         // a newer version has worked with it, and this one can
  bool set_aside = false;     // the old file was corrupt
  std::string set_aside_why;  // for a person
  std::string set_aside_as;   // file name
  std::size_t salvaged_rows = 0;
  bool rekeyed = false;  // the box key was changed
};

class Store {
 public:
  // `path` is the database file; its directory exists and belongs to us. A corrupt file is set
  // aside and a fresh one begun: the replica is then empty, so nobody counts as consenting until
  // the CRM has sent it again. A disk that is full or read-only is an error.
  static Result<Store> open(const std::string& path, const BoxKey& key,
                            const StoreOptions& options = {});

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  const OpenReport& open_report() const;

  // Runs fn(Tx&); commits all it wrote, or nothing. When this returns fn's value the commit is on
  // the disk, or as `durable` says. Inside another one it is part of that.
  template <class F>
  [[nodiscard]] auto transaction(F&& fn, Durable durable = Durable::now)
      -> Result<std::invoke_result_t<F, Tx&>> {
    using T = std::invoke_result_t<F, Tx&>;
    if constexpr (std::is_void_v<T>) {
      return run([&](Tx& tx) { fn(tx); }, durable);
    } else {
      std::optional<T> value;
      if (auto done = run([&](Tx& tx) { value.emplace(fn(tx)); }, durable); !done) {
        return tl::unexpected<Error>(std::move(done.error()));
      }
      return std::move(*value);
    }
  }

  Replica& replica();      // what the CRM told us
  Journal& journal();      // visits, decisions, the pipeline's state
  People& people();        // templates, consents given at the desk
  Outbox& outbox();        // what is still to be sent
  Erasure& erasure();      // forgetting a person, and what we hold on one
  Audit& audit();          // the signed trail
  Registers& registers();  // session number, paused functions, counters, small settings

  // Of the box's Ed25519 key, with which receipts and trail are signed; for signing messages with
  // the same one. Secret.
  std::array<std::uint8_t, 32> signing_seed() const;
  // What the keys before it said of the one that came next, oldest first (StoreOptions::vouch).
  Result<std::vector<std::string>> vouched() const;

  // Housekeeping in small steps: checkpoint, keys of nobody. Call when idle,
  // about once a second; stops after roughly `budget`. True = there is more to do.
  Result<bool> maintain(Now now, std::chrono::milliseconds budget = std::chrono::milliseconds{20});

  struct Size {
    std::int64_t database_bytes = 0;
    std::int64_t wal_bytes = 0;
    std::int64_t customers = 0;
  };
  Result<Size> size() const;

 private:
  struct Impl;
  Result<void> run(const std::function<void(Tx&)>& fn, Durable durable);
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::store
