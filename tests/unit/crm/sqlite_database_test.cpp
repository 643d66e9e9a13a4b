// SPDX-License-Identifier: Apache-2.0
// The files of a CRM on SQLite, as another user of the machine meets them.

#include <atomic>
#include <barrier>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "crm/database.h"

namespace welcome::crm {
namespace {

namespace fs = std::filesystem;

class SqliteFiles : public testing::Test {
 protected:
  SqliteFiles() : umask_(umask(0)) { fs::create_directory(dir_); }
  ~SqliteFiles() override {
    fs::remove_all(dir_);
    umask(umask_);
  }

  // Every file of a database that is written to, by name.
  void expect_private(Database& db) const {
    db.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER) STRICT", {});
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(dir_)) {
      ++files;
      EXPECT_EQ(entry.status().permissions() & ~fs::perms::owner_all, fs::perms::none)
          << entry.path().filename();
    }
    EXPECT_GE(files, 3U) << "database, log and index of the log";
  }

  const fs::path dir_ =
      fs::temp_directory_path() / ("welcome-crm-files-" + std::to_string(getpid()));
  const std::string path_ = dir_ / "crm.db";

 private:
  mode_t umask_;
};

TEST_F(SqliteFiles, AreTheOwnersWhateverTheUmask) { expect_private(*open_database(path_)); }

TEST_F(SqliteFiles, ThatOthersCouldReadAreTheOwnersFromNowOn) {
  std::ofstream(path_).close();
  ASSERT_NE(fs::status(path_).permissions() & fs::perms::others_read, fs::perms::none);
  expect_private(*open_database(path_));
}

// A new database, or one that was put back from a backup, is one without a log: `serve` and a
// command that begin together both want to make it.
TEST_F(SqliteFiles, ManyMayOpenAtOnceWhatHasNoLogYet) {
  std::atomic<int> failed = 0;
  for (int round = 0; round < 100; ++round) {
    for (const char* end : {"", "-wal", "-shm"}) fs::remove(path_ + end);
    std::barrier together(4);
    std::vector<std::jthread> all;
    for (int i = 0; i < 4; ++i) {
      all.emplace_back([&] {
        together.arrive_and_wait();
        try {
          open_database(path_)->query("SELECT 1 FROM sqlite_schema");
        } catch (const DatabaseError&) {
          ++failed;
        }
      });
    }
  }
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace welcome::crm
