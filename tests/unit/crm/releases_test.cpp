// SPDX-License-Identifier: Apache-2.0
// Which box is to run which release, in stages, and what stops it.

#include "crm/releases.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

#include "contract/signing.h"
#include "crm/boxes.h"
#include "crm/bundle.h"
#include "crm/cli/cli.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

class ReleasesTest : public CrmTest {
 protected:
  ReleasesTest() {
    Transaction transaction(*db_);
    crm_->new_signing_key(now_);
    EXPECT_TRUE(releases_.add({digest('a'), "1.4.0", 1000, ""}, now_));
    transaction.commit();
  }
  static std::string digest(char c) { return std::string(64, c); }

  // So many stores of two boxes.
  void shops(int count) {
    Transaction transaction(*db_);
    for (int i = 0; i < count; ++i) {
      for (const char* box : {"box-1", "box-2"}) {
        see_box("shop-" + std::to_string(i), box);
        take("shop-" + std::to_string(i), box, {UpdateStep::idle, "1.3.0", 0, ""});
      }
    }
    transaction.commit();
  }
  bool take(const std::string& store, const std::string& box, const contract::UpdateState& said) {
    return releases_.take(store, box, said, now_);
  }
  Result<std::int64_t> stage(double percent, const std::string& version = "") {
    return releases_.stage({version, std::llround(percent * 100), false, false, kDoor}, now_);
  }
  // What is said to whom, and the boxes hear it.
  std::map<BoxKey, contract::Taken::Update> say() {
    std::map<BoxKey, contract::Taken::Update> out;
    for (auto& word : releases_.unheard(now_)) {
      EXPECT_TRUE(out.emplace(BoxKey{word.store, word.box}, word.update).second);
    }
    for (const auto& [box, update] : out)
      take(box.first, box.second, {UpdateStep::fetching, "1.3.0", update.word, ""});
    return out;
  }
  std::set<BoxKey> wanted() {
    std::set<BoxKey> out;
    for (const BoxRelease& box : releases_.boxes()) {
      if (!box.wanted.empty()) out.emplace(box.store, box.box);
    }
    return out;
  }

  static constexpr const char* kDoor = "https://my.aroma.example";
  Releases releases_{*crm_};
};

TEST_F(ReleasesTest, AWiderStageHasEverybodyOfTheOneBeforeAndWholeStores) {
  shops(50);
  std::set<BoxKey> before;
  for (const double percent : {1.0, 5.0, 20.0, 20.0, 100.0}) {
    ASSERT_TRUE(stage(percent));
    const auto now = wanted();
    EXPECT_TRUE(std::includes(now.begin(), now.end(), before.begin(), before.end()));
    EXPECT_GE(now.size(), percent);
    EXPECT_LE(now.size(), percent + 1) << "a store has two boxes";
    for (const BoxKey& box : now)
      EXPECT_TRUE(now.contains({box.first, box.second == "box-1" ? "box-2" : "box-1"}));
    before = now;
  }
  EXPECT_EQ(before.size(), 100U);
  EXPECT_EQ(stage(1).value(), 100) << "nothing is taken back";
}

TEST_F(ReleasesTest, TheNextReleaseBeginsInOtherStores) {
  shops(50);
  ASSERT_TRUE(stage(5));
  const auto first = wanted();
  ASSERT_TRUE(releases_.add({digest('b'), "1.5.0", 1000, ""}, now_ + 1h));
  now_ += 1h;
  EXPECT_EQ(stage(20).error().code, ErrorCode::refused) << "which one is meant?";
  ASSERT_TRUE(stage(5, "1.5.0"));
  std::set<BoxKey> second;
  for (const BoxRelease& box : releases_.boxes()) {
    if (box.wanted == "1.5.0") second.emplace(box.store, box.box);
  }
  EXPECT_EQ(second.size(), first.size());
  EXPECT_NE(second, first);
}

TEST_F(ReleasesTest, ABoxIsToldUntilItHasHeard) {
  shops(1);
  ASSERT_EQ(stage(100).value(), 2);
  const auto said = releases_.unheard(now_);
  ASSERT_EQ(said.size(), 2U);
  const auto& release = said[0].update.release.value();
  EXPECT_EQ(release.version, "1.4.0");
  EXPECT_EQ(release.url, std::string(kDoor) + "/v1/releases/" + digest('a'));
  EXPECT_EQ(releases_.unheard(now_).size(), 2U);
  EXPECT_FALSE(take("shop-0", "box-1", {UpdateStep::fetching, "1.3.0", said[0].update.word, ""}));
  EXPECT_EQ(releases_.unheard(now_).size(), 1U);
  EXPECT_TRUE(take("shop-0", "box-1", {UpdateStep::idle, "1.3.0", 0, ""})) << "its store was lost";
  EXPECT_EQ(releases_.unheard(now_).size(), 2U);
}

TEST_F(ReleasesTest, WhatWentBackStopsItAndOthersLetItBe) {
  shops(3);
  ASSERT_TRUE(stage(100));
  const auto said = say();
  take("shop-0", "box-1", {UpdateStep::done, "1.4.0", said.at({"shop-0", "box-1"}).word, ""});
  take("shop-1", "box-1",
       {UpdateStep::back, "1.3.0", said.at({"shop-1", "box-1"}).word, "worse than before: radio"});
  const auto it = releases_.rollout().value();
  EXPECT_EQ(it.state, "stopped");
  EXPECT_EQ(it.why, "shop-1/box-1 went back: worse than before: radio");
  const auto then = say();
  EXPECT_EQ(then.size(), 4U) << "not the one that runs it, nor the one that went back";
  for (const auto& [box, update] : then) EXPECT_FALSE(update.release);
  EXPECT_EQ(stage(100).error().code, ErrorCode::refused) << "a person says that it goes on";
  now_ += 1h;
  ASSERT_TRUE(releases_.resume(now_));
  const auto again = say();
  EXPECT_EQ(again.size(), 4U);
  for (const auto& [box, update] : again) {
    EXPECT_TRUE(update.release);
    EXPECT_GT(update.word, then.at(box).word);
  }
}

TEST_F(ReleasesTest, WhoRefusedALowerOneIsAskedAgainByTheExplicitWord) {
  shops(1);
  ASSERT_TRUE(stage(100));
  const auto word = say().at({"shop-0", "box-1"}).word;
  take("shop-0", "box-1", {UpdateStep::refused, "1.5.0", word, "1.4.0 is lower"});
  EXPECT_EQ(releases_.rollout()->state, "stopped");
  ASSERT_TRUE(releases_.resume(now_));
  EXPECT_FALSE(say().contains({"shop-0", "box-1"}));
  ASSERT_TRUE(releases_.stage({"", kWholeFleet, false, true, kDoor}, now_));
  const auto release = say().at({"shop-0", "box-1"}).release;
  ASSERT_TRUE(release);
  EXPECT_TRUE(release->may_be_lower);
}

TEST_F(ReleasesTest, APausedOneGoesOnWhereItWas) {
  shops(2);
  ASSERT_TRUE(stage(100));
  say();
  ASSERT_TRUE(releases_.pause(now_));
  EXPECT_FALSE(releases_.pause(now_));
  for (const auto& [box, update] : say()) EXPECT_FALSE(update.release);
  ASSERT_TRUE(releases_.resume(now_));
  const auto again = say();
  EXPECT_EQ(again.size(), 4U);
  for (const auto& [box, update] : again) EXPECT_TRUE(update.release);
}

TEST_F(ReleasesTest, WhoIsNoImageTakesNoPart) {
  shops(1);
  take("shop-0", "box-2", {UpdateStep::no_image, "", 0, ""});
  EXPECT_EQ(stage(100).value(), 1);
  EXPECT_EQ(say().size(), 1U);
  EXPECT_EQ(releases_.boxes().at(1).step, "no_image");
}

TEST_F(ReleasesTest, ABoxThatComesLaterGoesWithItsStoreOrWithEverybody) {
  shops(2);
  ASSERT_TRUE(stage(1));
  const std::string store = wanted().begin()->first;
  const std::string other = store == "shop-0" ? "shop-1" : "shop-0";
  see_box(store, "box-3");
  see_box(other, "box-3");
  EXPECT_TRUE(take(store, "box-3", {UpdateStep::idle, "1.3.0", 0, ""}));
  EXPECT_FALSE(take(other, "box-3", {UpdateStep::idle, "1.3.0", 0, ""}));
  ASSERT_TRUE(stage(100));
  see_box("shop-9", "box-1");
  EXPECT_TRUE(take("shop-9", "box-1", {UpdateStep::idle, "1.3.0", 0, ""}));
}

TEST_F(ReleasesTest, ADatabaseThatWasPutBackIsHeardAgain) {
  shops(1);
  ASSERT_TRUE(stage(100));
  const auto word = say().at({"shop-0", "box-1"}).word;
  EXPECT_TRUE(take("shop-0", "box-1", {UpdateStep::fetching, "1.3.0", word + 5, ""}));
  EXPECT_GT(say().at({"shop-0", "box-1"}).word, word + 5);
}

TEST_F(ReleasesTest, EachVersionIsOneFileAndWhatRunsIsNotRemoved) {
  shops(1);
  EXPECT_EQ(releases_.add({digest('a'), "1.4.1", 1000, ""}, now_).error().code, ErrorCode::refused);
  EXPECT_EQ(releases_.add({digest('c'), "1.4.0", 1000, ""}, now_).error().code, ErrorCode::refused);
  EXPECT_EQ(releases_.add({digest('c'), "new", 1000, ""}, now_).error().code, ErrorCode::malformed);
  ASSERT_TRUE(stage(100));
  EXPECT_EQ(releases_.remove("1.4.0").error().code, ErrorCode::refused);
  EXPECT_EQ(releases_.remove("9.9.9").error().code, ErrorCode::not_found);
  ASSERT_TRUE(releases_.add({digest('b'), "1.5.0", 1000, ""}, now_ + 1h));
  EXPECT_TRUE(releases_.remove("1.5.0"));
}

TEST_F(ReleasesTest, ARevokedBoxIsForgotten) {
  shops(1);
  ASSERT_TRUE(stage(100));
  ASSERT_TRUE(Boxes(*crm_).revoke("shop-0", "box-1", now_));
  EXPECT_EQ(releases_.boxes().size(), 1U);
  EXPECT_EQ(say().size(), 1U);
}

class BundleTest : public CrmTest {
 protected:
  // As RAUC lays it out: squashfs, then the CMS with the manifest in it, and its length.
  std::string file(const std::string& manifest, const std::string& begin = "hsqs") {
    const std::string cms = "\x30\x82" + manifest + "\x30\x81 signature";
    std::string length(8, '\0');
    length[6] = static_cast<char>(cms.size() >> 8U);
    length[7] = static_cast<char>(cms.size() & 0xFFU);
    const std::string name = (dir_ / "bundle").string();
    std::ofstream(name, std::ios::binary) << begin << std::string(5000, 'x') << cms << length;
    return name;
  }
  static std::string manifest(const std::string& version) {
    return "[update]\ncompatible=welcome-box-amd64\nversion=" + version +
           "\n\n[bundle]\nformat=verity\nverity-hash=00\n\n[image.rootfs]\nfilename=rootfs.img\n";
  }
};

TEST_F(BundleTest, SaysItsVersionForWhichBoxAndIsKnownByItsBytes) {
  const auto bundle = read_bundle(file(manifest("1.4.0")));
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ(bundle->version, "1.4.0");
  EXPECT_EQ(bundle->compatible, "welcome-box-amd64");
  EXPECT_EQ(bundle->size, static_cast<std::int64_t>(std::filesystem::file_size(dir_ / "bundle")));
  EXPECT_EQ(bundle->digest.size(), 64U);
}

TEST_F(BundleTest, WhatIsNoneIsRefusedWithAReason) {
  for (const std::string& bad :
       {file(manifest("new")), file("[update]\nversion=1.4.0\n"), file("")}) {
    EXPECT_EQ(read_bundle(bad).error().code, ErrorCode::malformed);
  }
  EXPECT_EQ(read_bundle(file(manifest("1.4.0"), "PK..")).error().code, ErrorCode::malformed);
  std::ofstream(dir_ / "short") << "hsqs";
  EXPECT_EQ(read_bundle((dir_ / "short").string()).error().code, ErrorCode::malformed);
  EXPECT_EQ(read_bundle((dir_ / "none").string()).error().code, ErrorCode::unavailable);
}

TEST_F(BundleTest, IsHandedOutWholeAndOneThatIsRefusedLeavesNothing) {
  const auto release = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {"--database", path(), "fleet", "release"});
    std::ostringstream out;
    return run(args, out, out);
  };
  const auto folder = dir_ / "handed-out";
  const auto handed_out = [&] {
    std::set<std::string> names;
    for (const auto& one : std::filesystem::directory_iterator(folder))
      names.insert(one.path().filename().string());
    return names;
  };
  const std::string digest = read_bundle(file(manifest("1.4.0")))->digest;
  const std::string bundle = (dir_ / "bundle").string();
  EXPECT_EQ(release({"add", bundle, "--folder", folder.string()}), kNo)
      << "there is no such folder";
  std::filesystem::create_directory(folder);
  ASSERT_EQ(release({"add", bundle, "--folder", folder.string()}), kDone);
  EXPECT_EQ(handed_out(), std::set{digest});
  EXPECT_EQ(read_bundle((folder / digest).string())->digest, digest);

  file(manifest("1.4.0") + "filename=other.img\n");
  EXPECT_EQ(release({"add", bundle}), kNo) << "another one of this version is there";
  EXPECT_EQ(handed_out(), std::set{digest});
  ASSERT_EQ(release({"remove", "1.4.0"}), kDone);
  EXPECT_TRUE(handed_out().empty());
}

}  // namespace
}  // namespace welcome::crm
