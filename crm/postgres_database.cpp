// SPDX-License-Identifier: Apache-2.0
#include <libpq-fe.h>

#include "crm/database.h"

namespace welcome::crm {
namespace {

// Everybody who writes takes this lock first, so that a transaction is alone with the data as it
// is in SQLite. A CRM that outgrows this has outgrown the reference.
constexpr const char* kWriteLock = "SELECT pg_advisory_xact_lock(7310011)";

struct ResultDeleter {
  void operator()(PGresult* r) const { PQclear(r); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;

class PostgresDatabase : public Database {
 public:
  explicit PostgresDatabase(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
    if (PQstatus(connection_) != CONNECTION_OK) {
      const std::string why = PQerrorMessage(connection_);
      PQfinish(connection_);
      throw DatabaseError("cannot open the PostgreSQL database: " + why);
    }
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
  }

  ~PostgresDatabase() override { PQfinish(connection_); }

  Rows query(Sql sql, const std::vector<Value>& values) override {
    const ResultPtr result = run(sql.text(), values);
    Rows rows;
    const int count = PQntuples(result.get());
    const int columns = PQnfields(result.get());
    for (int r = 0; r < count; ++r) {
      std::vector<Value> row;
      for (int c = 0; c < columns; ++c) {
        if (PQgetisnull(result.get(), r, c) != 0) {
          row.emplace_back(nullptr);
        } else {
          row.emplace_back(std::string(PQgetvalue(result.get(), r, c),
                                       static_cast<std::size_t>(PQgetlength(result.get(), r, c))));
        }
      }
      rows.emplace_back(std::move(row));
    }
    return rows;
  }

  std::int64_t execute(Sql sql, const std::vector<Value>& values) override {
    const ResultPtr result = run(sql.text(), values);
    const std::string changed = PQcmdTuples(result.get());
    return changed.empty() ? 0 : std::stoll(changed);
  }

  void define(const std::string& sql) override { run(sql.c_str(), {}); }

  void begin() override {
    run("BEGIN", {});
    run(kWriteLock, {});
  }
  void commit() override { run("COMMIT", {}); }
  void rollback() noexcept override { PQclear(PQexec(connection_, "ROLLBACK")); }

  Types types() const override { return {"BIGINT", "BIGSERIAL PRIMARY KEY", "TEXT", ""}; }

  void announce() override { run("NOTIFY welcome_crm", {}); }
  void listen() override {
    run("LISTEN welcome_crm", {});
    listening_ = true;
  }
  int wake_fd() const override { return listening_ ? PQsocket(connection_) : -1; }
  bool take_wake() override {
    bool woken = false;
    PQconsumeInput(connection_);
    while (PGnotify* notification = PQnotifies(connection_)) {
      PQfreemem(notification);
      woken = true;
    }
    if (PQstatus(connection_) != CONNECTION_OK) throw DatabaseError(PQerrorMessage(connection_));
    return woken;
  }

  // PostgreSQL overwrites dead rows at its own pace; VACUUM asks for it now.
  bool scrub() override {
    run("VACUUM", {});
    return true;
  }
  void backup(const std::string&) override {
    throw DatabaseError("PostgreSQL is backed up with pg_dump");
  }

 private:
  ResultPtr run(const char* sql, const std::vector<Value>& values) {
    std::vector<std::string> texts;
    std::vector<const char*> pointers;
    texts.reserve(values.size());
    for (const Value& value : values) {
      if (std::holds_alternative<std::nullptr_t>(value)) {
        pointers.push_back(nullptr);
        continue;
      }
      if (const auto* s = std::get_if<std::string>(&value)) {
        texts.push_back(*s);
      } else if (const auto* i = std::get_if<std::int64_t>(&value)) {
        texts.push_back(std::to_string(*i));
      } else {
        texts.push_back(std::to_string(std::get<double>(value)));
      }
      pointers.push_back(texts.back().c_str());
    }
    ResultPtr result(PQexecParams(connection_, sql, static_cast<int>(values.size()), nullptr,
                                  pointers.data(), nullptr, nullptr, 0));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw DatabaseError(PQerrorMessage(connection_));
    }
    return result;
  }

  PGconn* connection_;
  bool listening_ = false;
};

}  // namespace

std::unique_ptr<Database> open_postgres(const std::string& url) {
  return std::make_unique<PostgresDatabase>(url);
}

}  // namespace welcome::crm
