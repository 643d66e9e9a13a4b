// SPDX-License-Identifier: Apache-2.0
// A step of the schema only adds, and a database that a newer welcome-crm has updated is worked
// with after that was rolled back.

#include "crm/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/unit/additive.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

// Asks a file without the CRM's own door to it, which takes literals alone.
AskSql rows_of(const std::string& file) {
  return [file](const std::string& sql, int) {
    std::vector<std::vector<std::string>> out;
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
    const auto row = [](void* to, int columns, char** texts, char**) {
      static_cast<decltype(out)*>(to)->emplace_back(texts, texts + columns);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), row, &out, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
    return out;
  };
}

class CrmSchema : public CrmTest {
 protected:
  // What a database that has taken every step, and then this one, lacks for the oldest reader.
  std::vector<std::string> lacks_after(const std::string& step) {
    const std::string oldest = (dir_ / contract::new_uuid()).string();
    migrate(*open_sqlite(oldest), kOldestReader);
    const std::string newest = (dir_ / contract::new_uuid()).string();
    const auto db = open_sqlite(newest);
    migrate(*db);
    if (!step.empty()) db->define(step);
    return lacks(rows_of(oldest), rows_of(newest));
  }
};

TEST_F(CrmSchema, OlderVersionsGoOnWithIt) {
  ASSERT_LT(kOldestReader, kSchemaVersion) << "an update cannot be rolled back";
  EXPECT_THAT(lacks_after(""), testing::IsEmpty());
}

// The check of the test above.
TEST_F(CrmSchema, AStepThatTakesSomethingAwayIsSeen) {
  using testing::ElementsAre;
  EXPECT_THAT(lacks_after("DROP TABLE consent_end"), ElementsAre("the table consent_end"));
  EXPECT_THAT(lacks_after("ALTER TABLE identity RENAME value TO body"),
              ElementsAre("a column of identity"));
  EXPECT_THAT(lacks_after("CREATE UNIQUE INDEX one ON identity (value)"),
              ElementsAre("freedom from identity.one"));
  EXPECT_THAT(lacks_after("CREATE TABLE more (customer TEXT) STRICT"), testing::IsEmpty());
}

class RolledBack : public CrmTest {
 protected:
  // A version after this one has added a column to every table, and one table.
  void update(std::int64_t its_oldest_reader) {
    for (const Row& row : db_->query("SELECT name FROM sqlite_schema WHERE type = 'table' "
                                     "AND name NOT LIKE 'sqlite_%'"))
      db_->define("ALTER TABLE " + row.text(0) + " ADD COLUMN next TEXT");
    db_->define("CREATE TABLE next (a INTEGER) STRICT");
    db_->execute("UPDATE schema_version SET version = version + 1, oldest_reader = $1",
                 {its_oldest_reader});
  }
  std::int64_t version() {
    return db_->query("SELECT version FROM schema_version").front().integer(0);
  }
};

TEST_F(RolledBack, ThisVersionGoesOn) {
  const std::int64_t mine = version();
  update(mine);
  migrate(*db_);
  EXPECT_EQ(version(), mine + 1) << "it is the newer version's";

  Transaction transaction(*db_);
  add("c-mia", "a-mia");
  consent("c-mia", Purpose::proximity_offers, true, kJanuary);
  see_box("aroma-1", "box-1");
  transaction.commit();
  EXPECT_TRUE(event("e-1", "visit.started", "c-mia", {{"visit", "v-1"}, {"zone", "desk"}}));
  ASSERT_TRUE(crm_->forget("c-paul", now_));
}

TEST_F(RolledBack, ButNotWhereTheNewerOneSaysItCannot) {
  update(version() + 1);
  try {
    migrate(*db_);
    FAIL() << "it was taken";
  } catch (const DatabaseError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("newer welcome-crm"));
  }
}

}  // namespace
}  // namespace welcome::crm
