// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/database.h"

#include <cerrno>
#include <sqlite3.h>
#include <system_error>
#include <utility>

namespace welcome::store {

namespace {

ErrorCode code_of(int extended) {
  switch (extended & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::corrupt;
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PERM:
      return ErrorCode::unavailable;
    default:
      return ErrorCode::internal;
  }
}

}  // namespace

DbError db_error(sqlite3* db, const char* doing, int system) {
  const int extended = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
  // errstr and not errmsg: the latter may quote values.
  std::string text = std::string("store: ") + doing + ": " + sqlite3_errstr(extended) + " (" +
                     std::to_string(extended) + ")";
  if (system != 0) text += ": " + std::generic_category().message(system);
  return DbError({code_of(extended), std::move(text)});
}

Statement::~Statement() {
  if (!stmt_) return;
  if (owned_) {
    sqlite3_finalize(stmt_);
  } else {
    sqlite3_reset(stmt_);
    sqlite3_clear_bindings(stmt_);
  }
}

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_), stmt_(other.stmt_), owned_(other.owned_) {
  other.stmt_ = nullptr;
}

void Statement::bind(int at, std::int64_t value) {
  if (sqlite3_bind_int64(stmt_, at, value) != SQLITE_OK) throw db_error(db_, "bind");
}

void Statement::bind(int at, std::string_view text) {
  // A null pointer would bind NULL; an empty text is meant.
  const char* data = text.data() ? text.data() : "";
  if (sqlite3_bind_text64(stmt_, at, data, text.size(), SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
    throw db_error(db_, "bind");
}

void Statement::bind(int at, Blob blob) {
  const char* data = blob.bytes.data() ? blob.bytes.data() : "";
  if (sqlite3_bind_blob64(stmt_, at, data, blob.bytes.size(), SQLITE_STATIC) != SQLITE_OK)
    throw db_error(db_, "bind");
}

void Statement::bind(int at, std::nullopt_t) {
  if (sqlite3_bind_null(stmt_, at) != SQLITE_OK) throw db_error(db_, "bind");
}

void Statement::bind_value(int at, const Statement& from, int column) {
  if (sqlite3_bind_value(stmt_, at, sqlite3_column_value(from.stmt_, column)) != SQLITE_OK)
    throw db_error(db_, "bind");
}

bool Statement::step() {
  // SQLite calls a read-only disk "disk I/O error" and forgets what the system said at a COMMIT.
  errno = 0;
  switch (sqlite3_step(stmt_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      throw db_error(db_, "step", errno == EROFS ? EROFS : 0);
  }
}

void Statement::reset() { sqlite3_reset(stmt_); }

bool Statement::is_null(int column) const {
  return sqlite3_column_type(stmt_, column) == SQLITE_NULL;
}

std::int64_t Statement::int64(int column) const { return sqlite3_column_int64(stmt_, column); }

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
  if (!data) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column))};
}

std::string_view Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(stmt_, column));
  if (!data) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column))};
}

Database::Database(const std::string& path, const std::string& vfs, bool read_only) {
  const int flags =
      (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &db_, flags, vfs.empty() ? nullptr : vfs.c_str()) !=
      SQLITE_OK) {
    Error error = db_error(db_, "open").error;
    sqlite3_close_v2(db_);
    throw DbError(std::move(error));
  }
  // In place of SQLite's own, which moves the log in the middle of things. `PRAGMA
  // wal_autocheckpoint` would take ours away again.
  sqlite3_wal_hook(
      db_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Database*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
}

Database::~Database() {
  for (auto& [sql, stmt] : statements_) sqlite3_finalize(stmt);
  sqlite3_close_v2(db_);
}

Statement Database::cached(Sql sql) {
  sqlite3_stmt*& stmt = statements_[sql.text()];
  if (!stmt && sqlite3_prepare_v3(db_, sql.text(), -1, SQLITE_PREPARE_PERSISTENT, &stmt, nullptr) !=
                   SQLITE_OK)
    throw db_error(db_, "prepare");
  // A nested use of the same statement gets one of its own.
  if (sqlite3_stmt_busy(stmt)) return prepare(sql.text());
  return Statement(db_, stmt, false);
}

Statement Database::prepare(const std::string& sql) {
  sqlite3_stmt* stmt = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), static_cast<int>(sql.size()) + 1, &stmt, nullptr) !=
      SQLITE_OK)
    throw db_error(db_, "prepare");
  return Statement(db_, stmt, true);
}

void Database::script(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    throw db_error(db_, "script");
}

std::int64_t Database::changes() const { return sqlite3_changes64(db_); }

std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(db_); }

std::optional<std::int64_t> Database::integer(Sql sql) {
  Statement s = query(sql);
  if (!s.step() || s.is_null(0)) return std::nullopt;
  return s.int64(0);
}

// Of a log that is not synced after a commit the disk has a beginning; the next sync is of all.
void Database::sync_commits(Durable durable) {
  if (durable_ == durable) return;
  script(durable == Durable::now ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  durable_ = durable;
}

Result<void> Database::begin(Durable durable) {
  if (in_transaction_) return fail(ErrorCode::internal, "store: transactions do not nest");
  auto begun = read([&] {
    sync_commits(durable);
    run("BEGIN IMMEDIATE");
  });
  if (!begun) return begun;
  in_transaction_ = true;
  sticky_.reset();
  return {};
}

Result<void> Database::end() {
  in_transaction_ = false;
  if (!sticky_) {
    const auto committed = read([&] {
      if (before_commit) before_commit();
      run("COMMIT");
    });
    if (!committed) sticky_ = committed.error();
  }
  if (!sticky_) {
    if (on_commit) on_commit();
    return {};
  }
  // Some errors (a full disk) have rolled back already.
  if (sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  if (on_rollback) on_rollback();
  Error error = *sticky_;
  sticky_.reset();
  return tl::unexpected<Error>(std::move(error));
}

void Database::checkpoint(bool truncate) {
  int log = 0;
  int moved = 0;
  const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  if (sqlite3_wal_checkpoint_v2(db_, "main", mode, &log, &moved) != SQLITE_OK)
    throw db_error(db_, "checkpoint");
  wal_pages_ = 0;
}

void Database::note(const Error& error) {
  if (error.code == ErrorCode::corrupt) saw_corruption_ = true;
}

}  // namespace welcome::store
