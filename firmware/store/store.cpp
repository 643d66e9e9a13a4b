// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/store.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include "firmware/store/context.h"
#include "firmware/store/rekey.h"
#include "firmware/store/salvage.h"
#include "firmware/store/schema.h"
#include "firmware/store/tables.h"

namespace welcome::store {

namespace fs = std::filesystem;

namespace {

// A log of this many pages (4 KiB) is moved into the database when there is time…
constexpr int kCheckpointPages = 128;
// …and at this size even when there is none: some milliseconds' work.
constexpr int kCheckpointAtOnce = 512;
// Files up to this size are checked in full at every start (measured: about 1 ms per MiB).
constexpr std::uintmax_t kCheckUpTo = 64U << 20;
constexpr std::chrono::minutes kCollectEvery{60};

std::string suspect_file(const std::string& path) { return path + ".suspect"; }

void configure(Database& db, const StoreOptions& options) {
  if (sqlite3_db_readonly(db.handle(), "main") == 1)
    throw DbError({ErrorCode::unavailable, "store: the database file is read-only"});
  // The only connection: no shared-memory file, and a second process is refused.
  db.script("PRAGMA locking_mode = EXCLUSIVE");
  db.script("PRAGMA journal_mode = WAL");
  db.script("PRAGMA synchronous = FULL");
  db.script("PRAGMA foreign_keys = ON");
  db.script("PRAGMA secure_delete = ON");
  db.script("PRAGMA journal_size_limit = 4194304");
  db.script("PRAGMA cell_size_check = ON");
  db.script("PRAGMA trusted_schema = OFF");
  db.script("PRAGMA cache_size = -" + std::to_string(options.cache_kib));
}

void in_transaction(Database& db, const std::function<void()>& fn) {
  auto done = db.write([&] { fn(); });
  if (!done) throw DbError(done.error());
}

void set_version(Database& db, int version) {
  db.script("PRAGMA user_version = " + std::to_string(version));
}

// The oldest schema whose versions work with this file. A file that does not say so: its own.
int oldest_reader(Database& db, int version) {
  auto s = db.query("SELECT CAST(value AS INTEGER) FROM meta WHERE name = ?", kOldestReaderName);
  return s.step() ? static_cast<int>(s.int64(0)) : version;
}

void say_oldest_reader(Database& db) {
  db.run(
      "INSERT INTO meta (name, value) VALUES (?, ?)"
      " ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
      kOldestReaderName, std::to_string(kOldestReader));
}

// Brings the file to this schema, unless it is beyond it. Returns the version found; 0 = it was
// empty.
int migrate(Context& context) {
  Database& db = context.db;
  const auto version = static_cast<int>(db.integer("PRAGMA user_version").value_or(0));
  if (version == 0) {
    if (db.integer("SELECT count(*) FROM sqlite_schema").value_or(0) != 0)
      throw DbError({ErrorCode::corrupt, "store: the file is not a database of ours"});
    in_transaction(db, [&] {
      db.script(schema());
      db.script("PRAGMA application_id = " + std::to_string(kApplicationId));
      db.run("INSERT INTO meta (name, value) VALUES (?, ?)", kKeyCheck, context.sealer.key_check());
      say_oldest_reader(db);
      set_version(db, kSchemaVersion);
    });
    return 0;
  }
  if (db.integer("PRAGMA application_id") != kApplicationId)
    throw DbError({ErrorCode::corrupt, "store: the file is not a database of ours"});
  if (version > kSchemaVersion) {
    if (oldest_reader(db, version) > kSchemaVersion)
      throw DbError({ErrorCode::refused,
                     "store: the database is of a newer version (schema " +
                         std::to_string(version) +
                         "), and this one cannot work with it; install that version again"});
    spdlog::info("the database is of a newer version (schema {}); this one works with it", version);
    return version;
  }
  if (version < kSchemaVersion) {
    spdlog::info("the database is brought from schema {} to {}", version, kSchemaVersion);
  }
  for (int from = version; from < kSchemaVersion; ++from) {
    in_transaction(db, [&] {
      db.script(migrations()[static_cast<std::size_t>(from - 1)]);
      set_version(db, from + 1);
    });
  }
  in_transaction(db, [&] { say_oldest_reader(db); });
  return version;
}

void check_key(Context& context) {
  auto s = context.db.query("SELECT value FROM meta WHERE name = ?", kKeyCheck);
  if (!s.step()) throw DbError({ErrorCode::corrupt, "store: the key check is missing"});
  if (s.text(0) != context.sealer.key_check())
    throw DbError({ErrorCode::refused,
                   "store: the database was sealed with another box key; give that key, or move "
                   "the file away to begin afresh"});
}

void check_pages(Context& context) {
  std::error_code ignored;
  const bool suspect = fs::exists(suspect_file(context.path), ignored);
  const auto size = fs::file_size(context.path, ignored);
  if (!suspect && (ignored || size > kCheckUpTo)) return;
  auto s = context.db.prepare("PRAGMA quick_check(1)");
  if (!s.step() || s.text(0) != "ok")
    throw DbError({ErrorCode::corrupt, "store: the database file is damaged"});
  fs::remove(suspect_file(context.path), ignored);
}

struct Opened {
  std::unique_ptr<Context> context;
  int version = 0;
  bool rekeyed = false;
};

// With exactly this key.
Opened open_with(const std::string& path, const BoxKey& key, const StoreOptions& options) {
  Opened opened;
  opened.context =
      std::make_unique<Context>(path, options.vfs, std::span<const std::uint8_t, 32>(key));
  configure(opened.context->db, options);
  opened.version = migrate(*opened.context);
  if (opened.version != 0) check_pages(*opened.context);
  check_key(*opened.context);
  adopt_hash_key(*opened.context);
  Names& names = opened.context->names;
  if (names.left_behind()) in_transaction(opened.context->db, [&] { names.recover(); });
  return opened;
}

// A file that has the next key already was changed before, and whoever changes it was stopped.
Opened open_file(const std::string& path, const BoxKey& key, const StoreOptions& options) {
  if (!options.next_key) return open_with(path, key, options);
  try {
    return open_with(path, *options.next_key, options);
  } catch (const DbError& e) {
    if (e.error.code != ErrorCode::refused) throw;
  }
  Opened opened = open_with(path, key, options);
  rekey(*opened.context, *options.next_key, options.vouch);
  const int version = opened.version;
  opened.context.reset();
  opened = open_with(path, *options.next_key, options);
  opened.version = version;
  opened.rekeyed = true;
  return opened;
}

// By which of the two keys a damaged file was sealed, as far as that can be read.
const BoxKey& key_of(const std::string& damaged, const BoxKey& key, const StoreOptions& options) {
  if (!options.next_key) return key;
  try {
    Database db(damaged, options.vfs, false);
    auto s = db.prepare("SELECT value FROM meta WHERE name = 'store:key_check'");
    if (s.step() && s.text(0) == Sealer(*options.next_key).key_check()) return *options.next_key;
  } catch (const DbError&) {
  }
  return key;
}

// What is readable of a damaged file goes into a fresh one, by its key; then the fresh one changes.
Opened begin_afresh(const std::string& path, const std::string& aside, const BoxKey& key,
                    const StoreOptions& options, OpenReport& report) {
  const BoxKey& its = key_of(aside, key, options);
  {
    const Opened fresh = open_with(path, its, options);
    if (options.salvage) report.salvaged_rows = salvage(*fresh.context, aside, options.vfs);
    drop_unreadable(*fresh.context);
  }
  return open_file(path, its, options);
}

// Renames the database and its log; returns the new name.
std::string set_aside(const std::string& path) {
  std::error_code error;
  std::string aside;
  for (int n = 1;; ++n) {
    aside = path + ".corrupt-" + std::to_string(n);
    if (!fs::exists(aside, error)) break;
  }
  fs::rename(path, aside, error);
  if (error)
    throw DbError({ErrorCode::unavailable, "store: a damaged database cannot be set aside"});
  for (const char* tail : {"-wal", "-journal"}) {
    if (fs::exists(path + tail, error)) fs::rename(path + tail, aside + tail, error);
  }
  fs::remove(path + "-shm", error);
  fs::remove(suspect_file(path), error);
  return aside;
}

}  // namespace

BoxKey make_box_key() {
  if (sodium_init() < 0) throw std::runtime_error("store: libsodium does not start");
  BoxKey key;
  randombytes_buf(key.data(), key.size());
  return key;
}

struct Store::Impl {
  explicit Impl(std::unique_ptr<Context> opened)
      : context(std::move(opened)),
        replica(*context),
        journal(*context),
        people(*context),
        outbox(*context),
        erasure(*context),
        audit(*context),
        registers(*context) {}
  ~Impl() {
    if (context && context->db.saw_corruption()) std::ofstream(suspect_file(context->path));
  }

  void move_log() {
    try {
      context->db.checkpoint(false);
    } catch (const DbError&) {
    }
  }
  // One small piece of housekeeping; true = did something.
  bool step(const Now& now);
  bool collect_keys(const Now& now);
  void tidy_names();

  std::unique_ptr<Context> context;
  Replica replica;
  Journal journal;
  People people;
  Outbox outbox;
  Erasure erasure;
  Audit audit;
  Registers registers;
  OpenReport report;
  std::optional<MonoTime> collected;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::string& path, const BoxKey& key, const StoreOptions& options) {
  try {
    OpenReport report;
    Opened opened;
    try {
      opened = open_file(path, key, options);
    } catch (const DbError& e) {
      if (e.error.code != ErrorCode::corrupt) throw;
      report.set_aside = true;
      report.set_aside_why = e.error.message;
    }
    if (report.set_aside) {
      const std::string aside = set_aside(path);
      report.set_aside_as = fs::path(aside).filename().string();
      opened = begin_afresh(path, aside, key, options, report);
    }
    report.rekeyed = opened.rekeyed;
    report.created = opened.version == 0 && !report.set_aside;
    report.migrated_from = opened.version == 0 ? kSchemaVersion : opened.version;
    report.newer = opened.version > kSchemaVersion;

    Context& context = *opened.context;
    context.next_outbox_row = 1 + context.db.integer("SELECT max(row) FROM outbox").value_or(0);

    auto impl = std::make_unique<Impl>(std::move(opened.context));
    impl->report = std::move(report);
    return Store(std::move(impl));
  } catch (const DbError& e) {
    return tl::unexpected<Error>(e.error);
  }
}

const OpenReport& Store::open_report() const { return impl_->report; }

Result<void> Store::run(const std::function<void(Tx&)>& fn, Durable durable) {
  Database& db = impl_->context->db;
  auto result = db.write(
      [&] {
        Tx tx(*impl_->context);
        fn(tx);
      },
      durable);
  // It is committed. A log that cannot be moved now is moved by maintain(), which says why not.
  if (result && db.wal_pages() >= kCheckpointAtOnce) impl_->move_log();
  return result;
}

Replica& Store::replica() { return impl_->replica; }
Journal& Store::journal() { return impl_->journal; }
People& Store::people() { return impl_->people; }
Outbox& Store::outbox() { return impl_->outbox; }
Erasure& Store::erasure() { return impl_->erasure; }
Audit& Store::audit() { return impl_->audit; }
Registers& Store::registers() { return impl_->registers; }

Result<std::vector<std::string>> Store::vouched() const {
  return impl_->context->db.read([&] {
    std::vector<std::string> out;
    for (auto& former : former_keys(*impl_->context)) out.push_back(std::move(former.vouched));
    return out;
  });
}

std::array<std::uint8_t, 32> Store::signing_seed() const {
  return impl_->context->sealer.signing_seed();
}

namespace {

// A customer's row on which nothing hangs any more.
std::string nobodys() {
  std::string sql = "DELETE FROM customer WHERE id = ?1";
  for (const TableRule& table : kTables) {
    if (table.owner != Owner::person && table.name != "feed_item") continue;
    sql += " AND NOT EXISTS (SELECT 1 FROM " + std::string(table.name) + " WHERE customer = ?1)";
  }
  // Its erasure is under way: the zeros where the key was must not be lost track of.
  sql += " AND NOT EXISTS (SELECT 1 FROM erasure WHERE hash = customer.hash AND state < 2)";
  return sql;
}

}  // namespace

bool Store::Impl::collect_keys(const Now& now) {
  if (!context->keys_to_collect) return false;
  if (context->collect_cursor == 0 && collected && now.mono - *collected < kCollectEvery)
    return false;
  Database& db = context->db;
  std::vector<std::int64_t> batch;
  {
    auto s = db.query("SELECT id FROM customer WHERE id > ? ORDER BY id LIMIT 200",
                      context->collect_cursor);
    while (s.step()) batch.push_back(s.int64(0));
  }
  if (batch.empty()) {
    context->collect_cursor = 0;
    context->keys_to_collect = false;
    collected = now.mono;
    return false;
  }
  std::int64_t removed = 0;
  in_transaction(db, [&] {
    Statement collect = db.prepare(nobodys());
    for (const auto id : batch) {
      collect.bind(1, id);
      while (collect.step()) {
      }
      removed += db.changes();
      collect.reset();
    }
  });
  if (removed > 0) context->forget_keys();
  context->collect_cursor = batch.back();
  return true;
}

// Once in a turn. What is lost with the power is found again, so no sync is waited for.
void Store::Impl::tidy_names() {
  if (!context->names.waiting()) return;
  const auto done = context->db.write([&] { context->names.tidy(); }, Durable::later);
  if (!done) throw DbError(done.error());
}

bool Store::Impl::step(const Now& now) {
  Database& db = context->db;
  if (db.wal_pages() >= kCheckpointPages) {
    db.checkpoint(false);
    return true;
  }
  return collect_keys(now);
}

Result<bool> Store::maintain(Now now, std::chrono::milliseconds budget) {
  // The one clock in here measures our own work, and decides nothing else.
  const auto until = std::chrono::steady_clock::now() + budget;
  return impl_->context->db.read([&] {
    impl_->tidy_names();
    while (impl_->step(now)) {
      if (std::chrono::steady_clock::now() >= until) return true;
    }
    return false;
  });
}

Result<Store::Size> Store::size() const {
  Database& db = impl_->context->db;
  return db.read([&] {
    Size size;
    const auto page = db.integer("PRAGMA page_size").value_or(0);
    size.database_bytes = page * db.integer("PRAGMA page_count").value_or(0);
    size.wal_bytes = page * db.wal_pages();
    size.customers = db.integer("SELECT count(*) FROM customer").value_or(0);
    return size;
  });
}

}  // namespace welcome::store
