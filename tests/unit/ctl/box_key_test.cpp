// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/box_key.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <unistd.h>

#include "core/hex.h"
#include "firmware/control/box_keys.h"
#include "firmware/ctl/process.h"

namespace welcome::ctl {
namespace {

namespace fs = std::filesystem;

using control::box_keys_in;

class BoxKeyFile : public ::testing::Test {
 protected:
  BoxKeyFile() {
    dir_ = fs::temp_directory_path() / ("welcome-box-key-" + std::to_string(::getpid()));
    fs::create_directory(dir_);
  }
  ~BoxKeyFile() override { fs::remove_all(dir_); }
  std::string file() const { return (dir_ / "welcomed.box-key").string(); }
  BoxKeyPlace place() const {
    return {file(), (dir_ / "encrypted/box-key").string(), (dir_ / "unit.d/box-key.conf").string()};
  }
  void write(const std::string& text) { std::ofstream(file(), std::ios::binary) << text; }
  std::string read() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const std::string kKey = std::string(62, 'a') + "01";
  fs::path dir_;
};

TEST_F(BoxKeyFile, IsChangedInTwoStepsAndHasTheOldKeyUntilTheSecond) {
  write(kKey + "\n");
  ASSERT_TRUE(begin_key_change(place()));
  const auto both = box_keys_in(read());
  ASSERT_TRUE(both);
  EXPECT_EQ(to_hex(both->key), kKey);
  ASSERT_TRUE(both->next);
  const std::string next = to_hex(*both->next);
  EXPECT_EQ(next.size(), 64U);
  EXPECT_NE(next, kKey);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_FALSE(begin_key_change(place())) << "a third key would leave the box without one of them";
  EXPECT_EQ(box_keys_in(read())->next, both->next);
  ASSERT_TRUE(end_key_change(place()));
  EXPECT_EQ(read(), next + "\n");
  EXPECT_FALSE(end_key_change(place()));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), {}), 1) << "no copy is left";
}

// systemd's tools, as far as they matter here: the real ones are asked on an installed machine
// (tests/deb/key.sh, tests/vm/tpm.sh).
class SealedBoxKey : public BoxKeyFile {
 protected:
  SealedBoxKey() {
    program("systemd-creds", "[ \"$2\" = --name=box-key ] && tr 0123456789abcdef fedcba9876543210");
    program("systemctl", "echo \"$@\" >>\"$(dirname \"$0\")/told\"");
    ::setenv("PATH", (dir_.string() + ":" + path_).c_str(), 1);
  }
  ~SealedBoxKey() override { ::setenv("PATH", path_.c_str(), 1); }
  void program(const std::string& name, const std::string& does) {
    std::ofstream(dir_ / name) << "#!/bin/sh\n" << does << "\n";
    fs::permissions(dir_ / name, fs::perms::owner_all);
  }
  bool plain() const { return fs::exists(file()); }
  std::string opened() {
    EXPECT_TRUE(fs::exists(place().sealed));
    const auto seen =
        output_of({"systemd-creds", "decrypt", "--name=box-key"}, text(place().sealed));
    return seen ? *seen : "";
  }
  static std::string text(const std::string& of) {
    std::ifstream in(of, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const std::string path_ = std::getenv("PATH");
};

TEST_F(SealedBoxKey, HasNoPlainCopyAndSystemdIsTold) {
  write(kKey + "\n");
  ASSERT_TRUE(seal_key(place()));
  EXPECT_FALSE(plain());
  EXPECT_EQ(opened(), kKey + "\n");
  EXPECT_EQ(text(place().sealed).find(kKey), std::string::npos);
  EXPECT_NE(text(place().drop_in).find("LoadCredentialEncrypted=box-key:welcomed.box-key"),
            std::string::npos);
  EXPECT_EQ(text((dir_ / "told").string()), "daemon-reload\n");
  EXPECT_EQ(fs::status(fs::path(place().sealed).parent_path()).permissions(), fs::perms::owner_all);
  EXPECT_EQ(seal_key(place()).error().code, ErrorCode::refused) << "it is sealed";
}

TEST_F(SealedBoxKey, IsChangedLikeAPlainOne) {
  write(kKey + "\n");
  ASSERT_TRUE(seal_key(place()));
  ASSERT_TRUE(begin_key_change(place()));
  const auto both = box_keys_in(opened());
  ASSERT_TRUE(both && both->next);
  EXPECT_EQ(to_hex(both->key), kKey);
  ASSERT_TRUE(end_key_change(place()));
  EXPECT_EQ(opened(), to_hex(*both->next) + "\n");
  EXPECT_FALSE(plain());
}

TEST_F(SealedBoxKey, IsSealedInSpiteOfAStopAndNeverOverAnotherOne) {
  write(kKey + "\n");
  ASSERT_TRUE(seal_key(place()));
  write(kKey + "\n");  // stopped before it was destroyed
  EXPECT_FALSE(begin_key_change(place())) << "which of the two?";
  ASSERT_TRUE(seal_key(place()));
  EXPECT_FALSE(plain());
  write(std::string(64, 'b') + "\n");
  EXPECT_EQ(seal_key(place()).error().code, ErrorCode::refused);
  EXPECT_TRUE(plain());
  EXPECT_EQ(opened(), kKey + "\n");
}

TEST_F(SealedBoxKey, IsFoundByTheServiceThoughSomebodyTookTheDropInAway) {
  write(kKey + "\n");
  ASSERT_TRUE(seal_key(place()));
  fs::remove(place().drop_in);
  ASSERT_TRUE(seal_key(place()));
  EXPECT_NE(text(place().drop_in).find("LoadCredentialEncrypted"), std::string::npos);
  EXPECT_EQ(seal_key(place()).error().code, ErrorCode::refused);
}

// The drop-in comes before the plain key goes: there is a way back from everywhere in between.
TEST_F(SealedBoxKey, StaysPlainWhereTheServiceCannotBeTold) {
  write(kKey + "\n");
  fs::create_directories(fs::path(place().drop_in).parent_path().parent_path());
  std::ofstream(fs::path(place().drop_in).parent_path()) << "a file where the folder should be";
  EXPECT_FALSE(seal_key(place()));
  EXPECT_TRUE(plain());
}

TEST_F(SealedBoxKey, StaysPlainWhereItWouldNotOpenAgain) {
  write(kKey + "\n");
  program("systemd-creds", "[ \"$1\" = encrypt ] && cat || exit 1");
  EXPECT_FALSE(seal_key(place()));
  program("systemd-creds", "echo something else");
  EXPECT_FALSE(seal_key(place()));
  program("systemctl", "exit 1");
  program("systemd-creds", "cat");
  EXPECT_FALSE(seal_key(place()));
  EXPECT_EQ(read(), kKey + "\n");
}

TEST_F(BoxKeyFile, TakesTheKeyAsPeopleKeepIt) {
  write(std::string(31, 'x') + "\n");  // 32 raw bytes, the last of which looks like a line's end
  ASSERT_TRUE(begin_key_change(place()));
  EXPECT_EQ(to_hex(box_keys_in(read())->key).substr(0, 4), "7878");
  for (const char* bad : {"", "abc", "\n\n"}) {
    write(bad);
    EXPECT_FALSE(begin_key_change(place())) << bad;
    EXPECT_EQ(read(), bad);
  }
  EXPECT_FALSE(box_keys_in(kKey + "\n" + kKey.substr(1)));
  EXPECT_FALSE(begin_key_change({(dir_ / "none").string(), "", ""}));
}

}  // namespace
}  // namespace welcome::ctl
