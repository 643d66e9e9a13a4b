// SPDX-License-Identifier: Apache-2.0
#pragma once
// Database: the little of SQLite that the store's parts need. Internal to firmware/store.
//
// Inside the store a failing statement throws DbError; Database::write and ::read are where it
// turns into a Result, so that no exception leaves the room.

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include "core/result.h"
#include "core/sql.h"
#include "core/time.h"
#include "firmware/store/durable.h"

struct sqlite3;
struct sqlite3_stmt;

namespace welcome::store {

struct DbError : std::exception {
  explicit DbError(Error e) : error(std::move(e)) {}
  const char* what() const noexcept override { return error.message.c_str(); }
  Error error;
};

struct Blob {
  std::string_view bytes;
};

// A prepared statement on loan from the Database's cache; goes back at the end of the scope.
class Statement {
 public:
  Statement(sqlite3* db, sqlite3_stmt* stmt, bool owned) : db_(db), stmt_(stmt), owned_(owned) {}
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement& operator=(Statement&&) = delete;

  // The bytes of text and blobs must live until the statement has been stepped to its end.
  void bind(int at, std::int64_t value);
  void bind(int at, std::string_view text);
  void bind(int at, Blob blob);
  void bind(int at, std::nullopt_t);
  void bind(int at, WallTime time) { bind(at, std::int64_t{time.time_since_epoch().count()}); }
  template <class T>
  void bind(int at, const std::optional<T>& value) {
    value ? bind(at, *value) : bind(at, std::nullopt);
  }

  // Another statement's column as it is.
  void bind_value(int at, const Statement& from, int column);

  bool step();   // true = a row
  void reset();  // for the next round; what is bound stays
  bool is_null(int column) const;
  std::int64_t int64(int column) const;
  std::string_view text(int column) const;  // until the next step
  std::string_view blob(int column) const;  // until the next step
  WallTime time(int column) const { return WallTime{std::chrono::milliseconds{int64(column)}}; }

 private:
  sqlite3* db_;
  sqlite3_stmt* stmt_;
  bool owned_;
};

class Database {
 public:
  // Opens without touching the file's content. Throws DbError.
  Database(const std::string& path, const std::string& vfs, bool read_only);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Statements are cached by the literal's address.
  template <class... Args>
  Statement query(Sql sql, const Args&... args) {
    Statement statement = cached(sql);
    int at = 0;
    (bind_one(statement, ++at, args), ...);
    return statement;
  }
  // Runs to the end; returns the number of rows changed.
  template <class... Args>
  std::int64_t run(Sql sql, const Args&... args) {
    Statement statement = query(sql, args...);
    while (statement.step()) {
    }
    return changes();
  }
  // For loops that call out while they are stepping, and for SQL that is put together.
  Statement prepare(const std::string& sql);
  void script(const std::string& sql);
  std::int64_t changes() const;
  std::int64_t last_row() const;
  std::optional<std::int64_t> integer(Sql sql);

  // Runs fn as (part of) a transaction. See store.h: within transaction() the first failure sticks.
  template <class F>
  auto write(F&& fn, Durable durable = Durable::now) -> Result<std::invoke_result_t<F>> {
    using T = std::invoke_result_t<F>;
    if (in_transaction_) {
      if (sticky_) return tl::unexpected<Error>(*sticky_);
      Result<T> result = guarded<T>(fn);
      if (!result) sticky_ = result.error();
      return result;
    }
    if (auto begun = begin(durable); !begun) return tl::unexpected<Error>(begun.error());
    Result<T> result = guarded<T>(fn);
    if (!result) sticky_ = result.error();
    if (auto ended = end(); !ended) return tl::unexpected<Error>(ended.error());
    return result;
  }
  // One write of a transaction that is under way: after a failure of it or of one before it
  // nothing, and end() says which.
  template <class F>
  auto part(F&& fn) -> std::invoke_result_t<F> {
    using T = std::invoke_result_t<F>;
    if (!in_transaction_)
      sticky_ = Error{ErrorCode::internal, "store: a write outside of a transaction"};
    if (!sticky_) {
      Result<T> result = guarded<T>(fn);
      if (result) {
        if constexpr (std::is_void_v<T>) {
          return;
        } else {
          return std::move(*result);
        }
      }
      sticky_ = result.error();
    }
    return T();
  }
  template <class F>
  auto read(F&& fn) -> Result<std::invoke_result_t<F>> {
    return guarded<std::invoke_result_t<F>>(fn);
  }

  Result<void> begin(Durable durable);
  // Commits, or rolls back when something failed and says what.
  Result<void> end();
  bool in_transaction() const { return in_transaction_; }
  // Of the transaction under way, or the last one.
  Durable durable() const { return durable_; }

  int wal_pages() const { return wal_pages_; }
  // Moves the log into the database file; with `truncate` the log is empty afterwards. Throws.
  void checkpoint(bool truncate);

  // Set when SQLite found the file damaged while working.
  bool saw_corruption() const { return saw_corruption_; }

  std::function<void()> before_commit;  // may write, and throw DbError
  std::function<void()> on_commit;
  std::function<void()> on_rollback;

  sqlite3* handle() { return db_; }

 private:
  template <class T, class F>
  Result<T> guarded(F& fn) {
    try {
      if constexpr (std::is_void_v<T>) {
        fn();
        return {};
      } else {
        return fn();
      }
    } catch (const DbError& e) {
      note(e.error);
      return tl::unexpected<Error>(e.error);
    } catch (const std::exception& e) {
      return fail(ErrorCode::internal, e.what());
    }
  }
  template <class T>
  static void bind_one(Statement& s, int at, const T& value) {
    if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      s.bind(at, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
      s.bind(at, std::string_view(value));
    } else {
      s.bind(at, value);
    }
  }
  Statement cached(Sql sql);
  void note(const Error& error);
  void sync_commits(Durable durable);

  sqlite3* db_ = nullptr;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
  bool in_transaction_ = false;
  Durable durable_ = Durable::now;  // of the next commit; SQLite begins so, too
  std::optional<Error> sticky_;
  int wal_pages_ = 0;
  bool saw_corruption_ = false;
};

// What SQLite's last error means to us.
// `system`: the error of the system behind it, where it is known.
DbError db_error(sqlite3* db, const char* doing, int system = 0);

}  // namespace welcome::store
