// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>

#include "crm/database.h"

namespace welcome::crm {
namespace {

// While somebody else writes: asked again so often that a short pause of theirs is enough, and for
// so long (who serves never gives up).
constexpr auto kAskAgain = std::chrono::milliseconds(1);
constexpr auto kPatience = std::chrono::minutes(1);
constexpr int kScrubPatienceMs = 200;

// It holds names and keys of phones: the account that runs the CRM reads it and nobody else,
// whatever umask it was made under. SQLite makes the log beside it alike.
void keep_private(const std::string& path) {
  if (path == ":memory:") return;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return;
  }
  struct stat is {};
  if (stat(path.c_str(), &is) == 0 && (is.st_mode & 0077) != 0 &&
      chmod(path.c_str(), is.st_mode & 0700) != 0) {
    throw DatabaseError("others can read the database " + path + ": " + std::strerror(errno));
  }
}

class SqliteDatabase : public Database {
 public:
  explicit SqliteDatabase(const std::string& path) : path_(path) {
    keep_private(path);
    const int rc =
        sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    if (rc != SQLITE_OK) {
      const std::string why = db_ != nullptr ? sqlite3_errmsg(db_) : "out of memory";
      sqlite3_close(db_);
      throw DatabaseError("cannot open the database " + path + ": " + why);
    }
    try {
      sqlite3_busy_handler(db_, &SqliteDatabase::wait_for_turn, this);
      begin_log();
      query("PRAGMA synchronous = FULL");
      query("PRAGMA secure_delete = ON");
      query("PRAGMA foreign_keys = ON");
    } catch (...) {
      close();
      throw;
    }
  }

  ~SqliteDatabase() override { close(); }

  Rows query(Sql sql, const std::vector<Value>& values) override {
    sqlite3_stmt* statement = prepare(sql, values);
    Rows rows;
    int rc = SQLITE_ROW;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
      std::vector<Value> row;
      const int columns = sqlite3_column_count(statement);
      row.reserve(static_cast<std::size_t>(columns));
      for (int i = 0; i < columns; ++i) row.push_back(column(statement, i));
      rows.emplace_back(std::move(row));
    }
    finish(statement, rc);
    return rows;
  }
  Rows query(Sql sql) { return query(sql, {}); }

  std::int64_t execute(Sql sql, const std::vector<Value>& values) override {
    sqlite3_stmt* statement = prepare(sql, values);
    int rc = SQLITE_ROW;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    finish(statement, rc);
    return sqlite3_changes64(db_);
  }

  void define(const std::string& sql) override {
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) raise();
  }

  void begin() override { execute("BEGIN IMMEDIATE", {}); }
  void commit() override { execute("COMMIT", {}); }
  void rollback() noexcept override {
    // Fails only when SQLite already rolled back by itself.
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  }

  Types types() const override {
    return {"INTEGER", "INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT", " STRICT"};
  }

  void announce() override {
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return;
    sockaddr_un address{};
    if (socket_address(address)) {
      // Nobody there, or a wake-up is already waiting: both are fine.
      (void)sendto(fd, "!", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    ::close(fd);
  }

  void listen() override {
    const std::string lock = path_ + ".serve";
    lock_fd_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_fd_ < 0 || flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
      throw DatabaseError("another serve is using " + path_ +
                          " (several instances need PostgreSQL)");
    }
    sockaddr_un address{};
    if (!socket_address(address)) throw DatabaseError("the database's path is too long");
    ::unlink(address.sun_path);
    wake_fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wake_fd_ < 0 ||
        bind(wake_fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw DatabaseError("cannot listen at " + std::string(address.sun_path) + ": " +
                          std::strerror(errno));
    }
  }

  int wake_fd() const override { return wake_fd_; }

  bool take_wake() override {
    bool woken = false;
    char bytes[16];
    while (recv(wake_fd_, bytes, sizeof bytes, 0) > 0) woken = true;
    return woken;
  }

  void backup(const std::string& file) override { execute("VACUUM INTO $1", {file}); }

  bool scrub() override {
    // secure_delete zeroes what is freed in the file; the log still has the old pages. Who reads
    // them is not waited for: that may be somebody who looks at a table for an hour.
    sqlite3_busy_timeout(db_, kScrubPatienceMs);
    const Rows rows = query("PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_busy_handler(db_, &SqliteDatabase::wait_for_turn, this);
    return !rows.empty() && rows[0].integer(0) == 0;
  }

 private:
  // For the first log of a file SQLite wants the file to itself and does not ask whether to wait:
  // somebody else may just be opening what is new, or was put back from a backup.
  void begin_log() {
    for (int times = 0;; ++times) {
      const int rc = sqlite3_exec(db_, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
      if (rc == SQLITE_OK) return;
      if (rc != SQLITE_BUSY || wait_for_turn(this, times) == 0) raise();
    }
  }

  static int wait_for_turn(void* self, int times) {
    const auto* db = static_cast<const SqliteDatabase*>(self);
    if (db->lock_fd_ < 0 && times * kAskAgain > kPatience) return 0;
    std::this_thread::sleep_for(kAskAgain);
    return 1;
  }

  bool socket_address(sockaddr_un& address) const {
    const std::string path = path_ + ".wake";
    if (path.size() >= sizeof address.sun_path) return false;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return true;
  }

  [[noreturn]] void raise() const { throw DatabaseError(sqlite3_errmsg(db_)); }

  sqlite3_stmt* prepare(Sql sql, const std::vector<Value>& values) {
    sqlite3_stmt*& statement = statements_[sql.text()];
    if (statement == nullptr && sqlite3_prepare_v3(db_, sql.text(), -1, SQLITE_PREPARE_PERSISTENT,
                                                   &statement, nullptr) != SQLITE_OK) {
      statements_.erase(sql.text());
      raise();
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      // "$1" is a name to SQLite, and its number is the order in which it first appears.
      const std::string name = "$" + std::to_string(i + 1);
      const int index = sqlite3_bind_parameter_index(statement, name.c_str());
      if (index != 0) bind_value(statement, index, values[i]);
    }
    return statement;
  }

  static void bind_value(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* s = std::get_if<std::string>(&value)) {
      sqlite3_bind_text64(statement, index, s->data(), s->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    } else if (const auto* i = std::get_if<std::int64_t>(&value)) {
      sqlite3_bind_int64(statement, index, *i);
    } else if (const auto* d = std::get_if<double>(&value)) {
      sqlite3_bind_double(statement, index, *d);
    } else {
      sqlite3_bind_null(statement, index);
    }
  }

  static Value column(sqlite3_stmt* statement, int i) {
    switch (sqlite3_column_type(statement, i)) {
      case SQLITE_INTEGER:
        return std::int64_t{sqlite3_column_int64(statement, i)};
      case SQLITE_FLOAT:
        return sqlite3_column_double(statement, i);
      case SQLITE_NULL:
        return nullptr;
      default: {
        const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
      }
    }
  }

  void finish(sqlite3_stmt* statement, int rc) {
    const std::string why = rc == SQLITE_DONE ? "" : sqlite3_errmsg(db_);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (rc != SQLITE_DONE) throw DatabaseError(why);
  }

  void close() noexcept {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    statements_.clear();
    sqlite3_close(db_);
    if (wake_fd_ >= 0) {
      ::close(wake_fd_);
      ::unlink((path_ + ".wake").c_str());
    }
    if (lock_fd_ >= 0) ::close(lock_fd_);
  }

  std::string path_;
  sqlite3* db_ = nullptr;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;  // by where the literal lies
  int lock_fd_ = -1;
  int wake_fd_ = -1;
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::string& path) {
  return std::make_unique<SqliteDatabase>(path);
}

}  // namespace welcome::crm
