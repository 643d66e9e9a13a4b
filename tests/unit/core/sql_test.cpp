// SPDX-License-Identifier: Apache-2.0
#include "core/sql.h"

#include <gtest/gtest.h>

namespace welcome {
namespace {

TEST(Sql, AnInsertNamesItsColumns) {
  EXPECT_TRUE(Sql::names_columns("INSERT INTO visit (id, ended) VALUES (?, ?)"));
  EXPECT_TRUE(Sql::names_columns("INSERT OR IGNORE INTO meta (name) SELECT name FROM old"));
  EXPECT_TRUE(Sql::names_columns("SELECT id FROM visit"));
  EXPECT_FALSE(Sql::names_columns("INSERT INTO visit VALUES (?, ?)"));
  EXPECT_FALSE(Sql::names_columns("INSERT INTO visit SELECT id FROM old"));
  EXPECT_TRUE(Sql::names_columns("VACUUM INTO ?"));
  EXPECT_FALSE(Sql::names_columns("INSERT OR REPLACE INTO visit VALUES (?)"));
  EXPECT_FALSE(Sql::names_columns("INSERT INTO a (b) VALUES (1); INSERT INTO c DEFAULT VALUES"));
}

}  // namespace
}  // namespace welcome
