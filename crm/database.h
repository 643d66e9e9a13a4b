// SPDX-License-Identifier: Apache-2.0
#pragma once
// The CRM's database, as little of it as the CRM needs: statements with $1…$n, and transactions.
// The same SQL runs on SQLite and on PostgreSQL.
//
// One Database per thread. A database that fails throws DatabaseError: the transaction is rolled
// back, nothing was acknowledged, and whoever started the work (one command, one round of
// `serve`) reports it or tries again.

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/sql.h"

namespace welcome::crm {

struct DatabaseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

class Row {
 public:
  explicit Row(std::vector<Value> values) : values_(std::move(values)) {}

  bool null(std::size_t column) const;
  std::string text(std::size_t column) const;      // "" for NULL
  std::int64_t integer(std::size_t column) const;  // 0 for NULL
  std::optional<std::string> maybe(std::size_t column) const;

 private:
  std::vector<Value> values_;
};

using Rows = std::vector<Row>;

class Database {
 public:
  virtual ~Database() = default;
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  virtual Rows query(Sql sql, const std::vector<Value>& values = {}) = 0;
  // Returns how many rows were inserted, changed or deleted.
  virtual std::int64_t execute(Sql sql, const std::vector<Value>& values = {}) = 0;
  // A statement of the schema, spelled for this database.
  virtual void define(const std::string& sql) = 0;

  // A transaction that is alone with the data until commit(): what it read stays true.
  virtual void begin() = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;

  // What a column of each kind is called here, for the schema.
  struct Types {
    std::string integer, serial, text, table_end;
  };
  virtual Types types() const = 0;

  // Tells a running `serve`, in whatever process, that something changed. After a commit.
  virtual void announce() = 0;
  // From now on wake_fd() becomes readable when another connection announced something, and
  // take_wake() says whether one did since it was last asked.
  // Who listens waits for its turn to write as long as it takes; others give up after a minute.
  // Throws DatabaseError when the database can have one listener only and has it already.
  virtual void listen() = 0;
  virtual int wake_fd() const = 0;
  virtual bool take_wake() = 0;

  // Makes deleted bytes unreadable in the files, as far as the database can. False: somebody reads
  // what was there before; again later.
  virtual bool scrub() = 0;
  // A copy as it is at this moment, into a new file. Throws DatabaseError where the database has a
  // tool of its own for that.
  virtual void backup(const std::string& file) = 0;
};

// `url`: a path (SQLite) or postgresql://…
std::unique_ptr<Database> open_database(const std::string& url);
std::unique_ptr<Database> open_sqlite(const std::string& path);
std::unique_ptr<Database> open_postgres(const std::string& url);

// Begins; commits when told to; rolls back otherwise.
class Transaction {
 public:
  explicit Transaction(Database& db) : db_(db) { db_.begin(); }
  ~Transaction() {
    if (!done_) db_.rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() {
    db_.commit();
    done_ = true;
  }

 private:
  Database& db_;
  bool done_ = false;
};

// Creates or updates the tables to this version. A database that a newer one has updated stays as
// it is; throws where this version cannot work with it.
void migrate(Database& db);

}  // namespace welcome::crm
