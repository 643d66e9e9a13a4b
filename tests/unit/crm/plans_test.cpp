// SPDX-License-Identifier: Apache-2.0
// How every statement of the CRM is carried out: none reads the whole of a table that grows.
//
// A statement is a literal (crm/database.h, Sql), so they all stand in the sources, where this test
// finds them: one that somebody adds is looked at without anybody thinking of it.

#include <cctype>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sqlite3.h>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

// As many rows as there are boxes, collections, keys, homes, releases or people at work.
const std::set<std::string> kSmall{
    "box",       "box_key",      "box_release",    "image_release", "rollout", "renewal",
    "confirmed", "control",      "diagnosis",      "feed",          "home",    "invitation",
    "place",     "retired",      "schema_version", "serving",       "setting", "signing_key",
    "staff",     "store_region", "stranger",       "told"};

// What reads everything because everything is asked for.
const std::map<std::string, const char*> kWholeOnPurpose{
    {"SELECT customer, kind, score, at FROM survey_answer ORDER BY id",
     "a report counts every answer"},
    {"SELECT DISTINCT collection, part FROM gone",
     "what boxes still have to delete: it goes when they have"},
};

// The literals of a C++ source, neighbours joined as the compiler joins them.
std::vector<std::string> literals(const std::string& source) {
  std::vector<std::string> out;
  bool joins = false;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) continue;
    if (c == '/' && source[i + 1] == '/') {
      i = std::min(source.find('\n', i), source.size());
    } else if (c == '\'' && i > 0 && std::isdigit(static_cast<unsigned char>(source[i - 1])) == 0) {
      i += source[i + 1] == '\\' ? 3 : 2;
      joins = false;
    } else if (c != '"') {
      joins = false;
    } else {
      std::string text;
      for (++i; source[i] != '"'; ++i) {
        if (source[i] == '\\') ++i;
        text += source[i];
      }
      if (joins) {
        out.back() += text;
      } else {
        out.push_back(text);
      }
      joins = true;
    }
  }
  return out;
}

bool is_statement(const std::string& text) {
  for (const char* verb : {"SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH "}) {
    if (text.starts_with(verb)) return true;
  }
  return false;
}

std::map<std::string, std::string> all_statements() {
  std::map<std::string, std::string> out;  // and the file
  for (const auto& file : std::filesystem::recursive_directory_iterator(
           std::filesystem::path(WELCOME_SOURCE_DIR) / "crm")) {
    const std::string name = file.path().filename().string();
    // What only PostgreSQL understands is in its own file.
    if (!name.ends_with(".cpp") || name == "schema.cpp" || name == "postgres_database.cpp") {
      continue;
    }
    std::ostringstream text;
    text << std::ifstream(file.path()).rdbuf();
    for (const std::string& literal : literals(text.str())) {
      if (is_statement(literal)) out[literal] = name;
    }
  }
  return out;
}

class PlansTest : public CrmTest {
 protected:
  PlansTest() { EXPECT_EQ(sqlite3_open(path().c_str(), &raw_), SQLITE_OK); }
  ~PlansTest() override { sqlite3_close(raw_); }

  std::vector<std::string> plan(const std::string& sql) {
    std::vector<std::string> out;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(raw_, ("EXPLAIN QUERY PLAN " + sql).c_str(), -1, &statement, nullptr) !=
        SQLITE_OK) {
      ADD_FAILURE() << sql << ": " << sqlite3_errmsg(raw_);
      return out;
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
      out.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, 3)));
    }
    sqlite3_finalize(statement);
    return out;
  }

  // "SCAN item USING …": the table. Through an index of what is still open it is no scan of a
  // table.
  static std::string scanned(const std::string& step) {
    if (!step.starts_with("SCAN ") || step.starts_with("SCAN CONSTANT")) return {};
    if (step.find("_open") != std::string::npos) return {};
    const std::string table = step.substr(5, step.find(' ', 5) - 5);
    return kSmall.contains(table) ? std::string() : table;
  }

  sqlite3* raw_ = nullptr;
};

TEST_F(PlansTest, NoStatementReadsTheWholeOfATableThatGrows) {
  const auto statements = all_statements();
  EXPECT_GT(statements.size(), 90U) << "the sources are not found";
  std::set<std::string> on_purpose;
  for (const auto& [sql, file] : statements) {
    if (kWholeOnPurpose.contains(sql)) {
      on_purpose.insert(sql);
      continue;
    }
    for (const std::string& step : plan(sql)) {
      EXPECT_EQ(scanned(step), "") << file << ": " << sql << "\n  " << step;
    }
  }
  EXPECT_EQ(on_purpose.size(), kWholeOnPurpose.size()) << "an exception that nobody needs any more";
}

TEST_F(PlansTest, AScanIsNoticed) {
  EXPECT_EQ(scanned(plan("SELECT value FROM item WHERE value = $1").at(0)), "item");
  EXPECT_EQ(scanned(plan("SELECT 1 FROM ledger WHERE note LIKE $1").at(0)), "ledger");
}

// A page of what somebody has in the feed comes in the order of its index.
TEST_F(PlansTest, ACustomersItemsAreFoundByTheCustomer) {
  const auto steps = plan(
      "SELECT key, customer, seq, deleted, value FROM item "
      "WHERE collection = $1 AND customer = $2 AND deleted = 0 ORDER BY key");
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_NE(steps[0].find("item_customer (collection=? AND customer=?)"), std::string::npos)
      << steps[0];
}

}  // namespace
}  // namespace welcome::crm
