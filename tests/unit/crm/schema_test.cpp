// SPDX-License-Identifier: Apache-2.0
// A database that a newer welcome-crm has updated, after that was rolled back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

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
