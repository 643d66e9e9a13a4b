// SPDX-License-Identifier: Apache-2.0
// Schema and migrations must meet, and a file of every released version is opened for ever.

#include "firmware/store/schema.h"

#include <algorithm>
#include <filesystem>
#include <gmock/gmock.h>
#include <map>
#include <set>

#include "core/hex.h"
#include "firmware/store/database.h"
#include "firmware/store/tables.h"
#include "tests/unit/additive.h"
#include "tests/unit/store/fixture.h"

namespace welcome::store {
namespace {

namespace fs = std::filesystem;

fs::path kept() { return fs::path(WELCOME_SOURCE_DIR) / "tests" / "data" / "schema"; }

using Tables = std::map<std::string, std::string>;

// Every object's SQL, without what white space a migration may have put differently.
Tables objects(Database& db) {
  Tables out;
  auto s = db.prepare("SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  while (s.step()) {
    std::string sql;
    for (const char c : s.text(1)) {
      const bool space = c == ' ' || c == '\n';
      if (!space || (!sql.empty() && sql.back() != ' ')) sql.push_back(space ? ' ' : c);
    }
    out[std::string(s.text(0))] = sql;
  }
  return out;
}

// Something of every kind.
void fill(Store& store) {
  const CustomerId paul("c-paul");
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.replica().apply(
        Collection::profiles,
        FeedState{"e1", 3, *digest_from_hex("4fcb80796d3618112224da02575d7c4e")},
        std::vector{put("c-paul", 3, "c-paul", R"({"name":"Paul"})")});
  }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.journal().put_visit({VisitId("v-1"), paul, wall(), std::nullopt, "{}"});
  }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.journal().add_decision(
        {DecisionId("d-1"), VisitId("v-1"), paul, wall(), "offer", "made", "[]"});
  }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.journal().put_state({StateRow::Kind::facts, "c-paul", paul, "facts"}, wall());
  }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.people().add_template({TemplateId("t-1"), paul, "m", wall(), {1, 2, 3}});
  }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.people().add_desk_consent({"dc-1", paul, wall(), "{}"});
  }));
  ASSERT_TRUE(
      store.transaction([&](Tx& tx) { return tx.outbox().enqueue(message("m-1", "c-paul")); }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.registers().put_control({"_all", "face", 1, true, "signed"});
  }));
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    return tx.people().note_withdrawal(paul, Purpose::face_recognition, wall());
  }));
  ASSERT_TRUE(store.erasure().erase(CustomerId("c-gone"), MessageId("req-1"), at()));
}

void expect_filled(Store& store) {
  EXPECT_EQ(store.replica().find(Collection::profiles, "c-paul")->body, R"({"name":"Paul"})");
  EXPECT_EQ(to_hex(store.replica().state(Collection::profiles)->digest),
            "4fcb80796d3618112224da02575d7c4e");
  EXPECT_EQ(store.journal().visit(VisitId("v-1"))->customer, CustomerId("c-paul"));
  EXPECT_EQ(store.journal().decision(DecisionId("d-1"))->explain, "[]");
  EXPECT_EQ(*store.journal().facts(CustomerId("c-paul")), "facts");
  EXPECT_EQ(store.people().templates()->front().bytes, (std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_EQ(store.people().desk_consents()->front().record, "{}");
  EXPECT_EQ(store.outbox().take(Link::uplink, 1, at())->front().id, MessageId("m-1"));
  EXPECT_TRUE(store.registers().controls()->front().paused);
  EXPECT_TRUE(*store.erasure().erased_at(CustomerId("c-gone")));
  EXPECT_EQ(store.erasure().unreported()->front().request, MessageId("req-1"));
}

// Again, beside it.
void fill_more(Store& store) {
  const CustomerId mia("c-mia");
  ASSERT_TRUE(store.transaction([&](Tx& tx) {
    tx.replica().apply(Collection::identities, FeedState{"e1", 1, {}},
                       std::vector{put("i-mia", 1, "c-mia", R"({"kind":"irk"})")});
    tx.journal().put_visit({VisitId("v-2"), mia, wall(), std::nullopt, "{}"});
    tx.journal().add_decision(
        {DecisionId("d-2"), VisitId("v-2"), mia, wall(), "offer", "made", "[]"});
    tx.journal().put_state({StateRow::Kind::facts, "c-mia", mia, "facts"}, wall());
    tx.people().add_template({TemplateId("t-2"), mia, "m", wall(), {1, 2, 3}});
    tx.people().add_desk_consent({"dc-2", mia, wall(), "{}"});
    tx.people().note_withdrawal(mia, Purpose::face_recognition, wall());
    tx.outbox().enqueue(message("m-2", "c-mia"));
    tx.registers().put_control({"_all", "radio", 2, true, "signed"});
  }));
}

// What a version after this one might do with the file.
constexpr const char* kNextVersion = R"sql(
ALTER TABLE meta ADD COLUMN next TEXT;
ALTER TABLE counter ADD COLUMN next TEXT;
ALTER TABLE control ADD COLUMN next TEXT;
ALTER TABLE customer ADD COLUMN next TEXT NOT NULL DEFAULT '';
ALTER TABLE tombstone ADD COLUMN next TEXT;
ALTER TABLE withdrawal ADD COLUMN next TEXT;
ALTER TABLE feed ADD COLUMN next TEXT;
ALTER TABLE feed_item ADD COLUMN next TEXT;
ALTER TABLE feed_name ADD COLUMN next TEXT;
ALTER TABLE feed_brief ADD COLUMN next TEXT;
ALTER TABLE visit ADD COLUMN next TEXT;
ALTER TABLE decision ADD COLUMN next TEXT;
ALTER TABLE state ADD COLUMN next TEXT;
ALTER TABLE template ADD COLUMN next TEXT;
ALTER TABLE desk_consent ADD COLUMN next TEXT;
ALTER TABLE outbox ADD COLUMN next TEXT;
ALTER TABLE erasure ADD COLUMN next TEXT;
ALTER TABLE audit ADD COLUMN next TEXT;
ALTER TABLE audit_anchor ADD COLUMN next TEXT;
ALTER TABLE kept ADD COLUMN next TEXT;
CREATE TABLE more (
  customer INTEGER REFERENCES customer (id) ON DELETE CASCADE
) STRICT;
)sql";

TEST(Schema, IsTheSumOfItsMigrations) {
  ASSERT_EQ(migrations().size(), static_cast<std::size_t>(kSchemaVersion - 1));
  Database newest(":memory:", "", false);
  newest.script(schema());
  Database migrated(":memory:", "", false);
  migrated.script(bytes_of(kept() / "v1.sql"));
  for (const char* step : migrations()) migrated.script(step);
  EXPECT_EQ(objects(migrated), objects(newest));
}

TEST(Schema, EveryTableIsStrict) {
  Database db(":memory:", "", false);
  db.script(schema());
  auto s = db.prepare(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict"
      " AND name NOT LIKE 'sqlite_%'");
  EXPECT_FALSE(s.step()) << s.text(0);
}

// Who forgets it in the table of tables leaves rows behind at an erasure or a damaged file.
TEST(Schema, EveryTableHasAnOwner) {
  Database db(":memory:", "", false);
  db.script(schema());
  std::set<std::string, std::less<>> named;
  for (const TableRule& table : kTables) EXPECT_TRUE(named.emplace(table.name).second);
  std::set<std::string, std::less<>> there;
  auto s = db.prepare(
      "SELECT name, (SELECT count(*) FROM pragma_table_info(t.name)),"
      " (SELECT count(*) FROM pragma_foreign_key_list(t.name) WHERE \"table\" = 'customer')"
      " FROM pragma_table_list AS t WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'");
  while (s.step()) {
    const std::string name(s.text(0));
    there.insert(name);
    const auto rule = std::find_if(kTables.begin(), kTables.end(),
                                   [&](const TableRule& table) { return table.name == name; });
    ASSERT_NE(rule, kTables.end()) << name << " has no owner";
    if (rule->columns != 0 && rule->which == "*") {
      EXPECT_EQ(rule->columns, s.int64(1)) << name;
    }
    const bool of_a_person = s.int64(2) > 0 && name != "feed_item";
    EXPECT_EQ(rule->owner == Owner::person, of_a_person) << name;
  }
  EXPECT_EQ(named, there);
}

// For tests/unit/additive.h.
AskSql rows_of(Database& db) {
  return [&db](const std::string& sql, int columns) {
    std::vector<std::vector<std::string>> out;
    auto s = db.prepare(sql);
    while (s.step()) {
      auto& row = out.emplace_back();
      for (int i = 0; i < columns; ++i) row.emplace_back(s.text(i));
    }
    return out;
  };
}
std::vector<std::string> lacks(Database& older, Database& newer) {
  return welcome::lacks(rows_of(older), rows_of(newer));
}

TEST(Schema, OlderVersionsGoOnWithIt) {
  ASSERT_TRUE(kOldestReader < kSchemaVersion || kSchemaVersion == 6)
      << "an update cannot be rolled back";
  Database oldest(":memory:", "", false);
  oldest.script(bytes_of(kept() / "v1.sql"));
  for (int step = 1; step < kOldestReader; ++step)
    oldest.script(migrations()[static_cast<std::size_t>(step - 1)]);
  Database newest(":memory:", "", false);
  newest.script(schema());
  EXPECT_THAT(lacks(oldest, newest), testing::IsEmpty());
}

// The check of the test above.
TEST(Schema, AStepThatTakesSomethingAwayIsSeen) {
  const auto after = [](const std::string& step) {
    Database before(":memory:", "", false);
    before.script(schema());
    Database newer(":memory:", "", false);
    newer.script(schema());
    newer.script(step);
    return lacks(before, newer);
  };
  using testing::ElementsAre;
  EXPECT_THAT(after("DROP TABLE desk_consent"), ElementsAre("the table desk_consent"));
  EXPECT_THAT(after("ALTER TABLE visit RENAME started TO began"), ElementsAre("a column of visit"));
  EXPECT_THAT(after("DROP TABLE tombstone; CREATE TABLE tombstone (hash BLOB PRIMARY KEY, "
                    "at INTEGER NOT NULL, why TEXT NOT NULL) STRICT, WITHOUT ROWID"),
              ElementsAre("a value for tombstone.why"));
  EXPECT_THAT(after("CREATE UNIQUE INDEX one ON decision (reason)"),
              ElementsAre("freedom from decision.one"));
  EXPECT_THAT(after("CREATE TRIGGER t AFTER INSERT ON visit BEGIN DELETE FROM visit; END"),
              ElementsAre("freedom from t"));
  EXPECT_THAT(after("CREATE TABLE more (customer INTEGER REFERENCES customer (id)) STRICT"),
              ElementsAre("CASCADE of more"));
  EXPECT_THAT(after(kNextVersion), testing::IsEmpty());
}

class RolledBack : public StoreTest {
 protected:
  // A newer version has worked with the file, says from which version on one can, and this one is
  // started again.
  Result<Store> after_newer(int its_oldest_reader) {
    close();
    {
      Database db(path(), "", false);
      db.script(kNextVersion);
      db.script("INSERT INTO more (customer) SELECT id FROM customer");
      db.run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", kOldestReaderName,
             std::to_string(its_oldest_reader));
      db.script("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1));
      db.script("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    return Store::open(path(), test_key());
  }
  std::int64_t in_file(const std::string& sql) {
    Database db(path(), "", true);
    auto s = db.prepare(sql);
    return s.step() ? s.int64(0) : -1;
  }
};

TEST_F(RolledBack, WorksWithTheFileOfTheNewerVersion) {
  fill(store());
  {
    auto opened = after_newer(kSchemaVersion);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(opened->open_report().newer);
    EXPECT_FALSE(opened->open_report().set_aside) << opened->open_report().set_aside_why;
    expect_filled(*opened);
    fill_more(*opened);
    // Whoever is forgotten now goes with what the newer version had kept about them.
    ASSERT_TRUE(opened->erasure().erase(CustomerId("c-paul"), MessageId("req-2"), at()));
  }
  EXPECT_EQ(in_file("SELECT count(*) FROM more"), 0);
  EXPECT_EQ(in_file("PRAGMA user_version"), kSchemaVersion + 1) << "it is the newer version's";
  EXPECT_EQ(in_file("SELECT count(*) FROM meta WHERE name = 'oldest_reader' AND value = '" +
                    std::to_string(kSchemaVersion) + "'"),
            1);
}

TEST_F(RolledBack, ButNotWhereThatSaysItCannot) {
  const auto opened = after_newer(kSchemaVersion + 1);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::refused);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("newer version"));
  EXPECT_TRUE(fs::exists(path())) << "it is not damaged";
}

TEST_F(RolledBack, NorWhereItSaysNothing) {
  close();
  {
    Database db(path(), "", false);
    db.script("DELETE FROM meta WHERE name = 'oldest_reader'");
    db.script("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1));
  }
  const auto opened = Store::open(path(), test_key());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::refused);
}

class ReleasedFile : public testing::TestWithParam<int> {};

TEST_P(ReleasedFile, OpensWithAllThatWasInIt) {
  const TempDir dir;
  const std::string path = dir.file("box.db");
  fs::copy_file(kept() / ("v" + std::to_string(GetParam()) + ".db"), path);
  auto store = Store::open(path, test_key());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_FALSE(store->open_report().set_aside) << store->open_report().set_aside_why;
  EXPECT_EQ(store->open_report().migrated_from, GetParam());

  expect_filled(*store);
  if (GetParam() >= 2) {
    EXPECT_EQ(*store->people().withdrawn_at(CustomerId("c-paul"), Purpose::face_recognition),
              wall());
  }
  EXPECT_TRUE(store->audit().verify()->intact);
  EXPECT_EQ(store->audit().verify()->entries, 1);
}

INSTANTIATE_TEST_SUITE_P(All, ReleasedFile, testing::Range(1, kSchemaVersion + 1));

// Run by hand when a version is released; see docs/store.md.
TEST(ReleasedFileWriter, DISABLED_WriteAFileOfThisVersion) {
  const fs::path path = kept() / ("v" + std::to_string(kSchemaVersion) + ".db");
  fs::remove(path);
  {
    auto opened = Store::open(path.string(), test_key());
    ASSERT_TRUE(opened);
    fill(*opened);
  }
  // The file is kept in version control: as small as it can be.
  Database db(path.string(), "", false);
  db.script("VACUUM");
  db.script("PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace
}  // namespace welcome::store
