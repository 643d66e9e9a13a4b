// SPDX-License-Identifier: Apache-2.0
// A factory reset, and the power that is cut at each of its steps.

#include "firmware/ctl/reset.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "provision/broker_files.h"

namespace welcome::ctl {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr int kCut = 7;
const std::string kKey(64, 'a');
constexpr const char* kUsed[] = {
    "etc/credstore/welcomed.box-key",
    "etc/credstore/welcomed.box-key.new",
    "etc/credstore.encrypted/welcomed.box-key",
    "var/lib/welcomed/welcomed.db",
    "var/lib/welcomed/welcomed.db-wal",
    "var/lib/welcomed/recordings/2026-11-30.rec",
    "etc/credstore/welcomed.uplink-password",
    "etc/credstore/welcomed.floor-password",
    "etc/welcomed/conf.d/50-provisioned.conf",
    "etc/welcomed/crm-keys",
    "etc/welcomed/broker-ca.pem",
    "etc/systemd/system/welcomed.service.d/box-key.conf",
    "etc/systemd/system/multi-user.target.wants/welcomed.service",
};
constexpr const char* kOwn[] = {
    "etc/welcomed/welcomed.conf",
    "etc/welcomed/conf.d/90-local.conf",
    "etc/systemd/system/welcomed.service.d/raw-hci.conf",
};
constexpr const char* kOthers[] = {
    "etc/credstore/welcome-crm.broker-password",
    "usr/share/welcomed/welcomed.conf",
    "var/lib/other/file",
};

// A machine that was a box, in a folder.
class ResetTest : public ::testing::Test {
 protected:
  ResetTest() : dir_(fs::temp_directory_path() / ("welcome-reset-" + std::to_string(::getpid()))) {
    fs::remove_all(dir_);
    fs::create_directories(dir_ / "bin");
    ::setenv("PATH", ((dir_ / "bin").string() + ":" + path_).c_str(), 1);
  }
  ~ResetTest() override {
    ::setenv("PATH", path_.c_str(), 1);
    fs::remove_all(dir_);
  }

  fs::path root() const { return dir_ / "root"; }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root() / name).parent_path());
    std::ofstream(root() / name) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(root() / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void make_box() const {
    fs::remove_all(root());
    for (const char* name : kUsed) write(name, "of " + kKey);
    for (const char* name : kOwn) write(name, "[radio]\nsource = hci\n");
    for (const char* name : kOthers) write(name, "of others");
    write("etc/welcome-floor/passwords", "");
    write("etc/welcome-floor/acl", "topic read everybody\n");
    for (const char* name : {"box-1", "bar-1"}) {
      ASSERT_TRUE(provision::put_account((root() / "etc/welcome-floor").string(), name,
                                         provision::tablet_rules({name, "today"}), "secret"));
    }
  }
  // How a process ends that does this and has its power cut at that step: kCut, or 0 where it is
  // done before.
  template <class Work>
  int end_of(int cut, const Work& work) const {
    const pid_t child = ::fork();
    if (child == 0) {
      int steps = 0;
      const Reset reset(root(), [&](std::string_view) {
        if (++steps == cut) ::_exit(kCut);
      });
      ::_exit(work(reset) ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }
  // What a reset leaves of it.
  void expect_as_installed(bool all) const {
    for (const char* name : kUsed) EXPECT_FALSE(fs::exists(root() / name)) << name;
    for (const char* name : kOthers) EXPECT_EQ(read(name), "of others") << name;
    EXPECT_EQ(read("etc/welcome-floor/passwords"), "");
    EXPECT_EQ(read("etc/welcome-floor/acl"), "topic read everybody\n");
    EXPECT_EQ(read("etc/welcomed/welcomed.conf"), all ? "of others" : "[radio]\nsource = hci\n");
    for (const char* name : {kOwn[1], kOwn[2]}) EXPECT_EQ(fs::exists(root() / name), !all) << name;
    EXPECT_FALSE(Reset(root()).begun());
    for (const auto& one : fs::recursive_directory_iterator(root())) {
      if (!one.is_regular_file()) continue;
      std::ifstream in(one.path());
      const std::string text{std::istreambuf_iterator<char>(in), {}};
      EXPECT_THAT(text, Not(HasSubstr(kKey))) << one.path();
    }
  }

  const std::string path_ = std::getenv("PATH");
  const fs::path dir_;
};

TEST_F(ResetTest, LeavesNothingOfTheBoxAndWhatTheOwnerWrote) {
  make_box();
  std::vector<std::string> steps;
  const Reset reset(root(), [&](std::string_view what) { steps.emplace_back(what); });
  ASSERT_TRUE(reset.begin({}));
  ASSERT_TRUE(reset.finish({}, false));
  expect_as_installed(false);
  // The key in all its forms goes before anything else.
  const auto of_key = [](const std::string& step) {
    return step.starts_with("destroy") && step.find("box-key") != std::string::npos;
  };
  ASSERT_GT(steps.size(), 4U);
  EXPECT_EQ(std::count_if(steps.begin(), steps.end(), of_key), 3);
  EXPECT_TRUE(std::all_of(steps.begin() + 1, steps.begin() + 4, of_key))
      << testing::PrintToString(steps);
}

TEST_F(ResetTest, OfAllIsAsInstalled) {
  make_box();
  const Reset reset(root());
  ASSERT_TRUE(reset.begin({true, "/var/lib/welcomed"}));
  ASSERT_TRUE(reset.finish(*reset.begun(), false));
  expect_as_installed(true);
}

TEST_F(ResetTest, IsEndedWhereverThePowerWasCut) {
  constexpr bool all = true;  // with all steps that there are
  for (int cut = 1;; ++cut) {
    SCOPED_TRACE("cut at step " + std::to_string(cut));
    make_box();
    const int status = end_of(cut, [&](const Reset& reset) {
      const ResetOrder order{all, "/var/lib/welcomed"};
      return reset.begin(order) && reset.finish(order, false);
    });
    if (status == 0) {
      ASSERT_GT(cut, 15) << "there are as many steps";
      break;
    }
    ASSERT_EQ(status, kCut);
    // As the next start of the service does.
    const Reset again(root());
    const auto begun = again.begun();
    if (cut == 1) {
      EXPECT_FALSE(begun) << "nothing has happened";
      for (const char* name : kUsed) EXPECT_TRUE(fs::exists(root() / name)) << name;
      continue;
    }
    ASSERT_TRUE(begun);
    EXPECT_EQ(begun->all, all);
    ASSERT_TRUE(again.finish(*begun, true));
    expect_as_installed(all);
  }
}

TEST_F(ResetTest, ThatWaitsForHeadOfficeIsBegunWhenTheBoxKnowsThatItHasItsWord) {
  make_box();
  const Reset reset(root());
  ResetOrder order{true, "/var/lib/welcomed", true};
  ASSERT_TRUE(reset.begin(order));
  EXPECT_FALSE(reset.begun()) << "the plug may be pulled: it is a box still";
  ASSERT_TRUE(reset.call_off());
  write("var/lib/welcomed/retired", "");
  EXPECT_FALSE(reset.begun()) << "it was called off, and head office heard it later";
  ASSERT_TRUE(reset.begin(order));
  const auto begun = reset.begun();
  ASSERT_TRUE(begun);
  EXPECT_TRUE(begun->all);
  order.when_retired = false;
  ASSERT_TRUE(reset.begin(order));
  ASSERT_TRUE(reset.call_off());
  EXPECT_TRUE(reset.begun()) << "what is begun is not called off";
}

TEST_F(ResetTest, OfARetiredBoxIsEndedWhereverThePowerWasCut) {
  // As `welcomectl factory-reset --finish` does it.
  const auto start_of_the_service = [](const Reset& reset) {
    const auto begun = reset.begun();
    return begun && reset.begin(*begun) && reset.finish(*begun, true);
  };
  for (int cut = 1;; ++cut) {
    SCOPED_TRACE("cut at step " + std::to_string(cut));
    make_box();
    write("var/lib/welcomed/retired", "");
    ASSERT_TRUE(Reset(root()).begin({true, "/var/lib/welcomed", true}));
    const int status = end_of(cut, start_of_the_service);
    if (status == 0) {
      ASSERT_GT(cut, 15) << "there are as many steps";
      expect_as_installed(true);
      break;
    }
    ASSERT_EQ(status, kCut);
    ASSERT_TRUE(start_of_the_service(Reset(root())));
    expect_as_installed(true);
  }
}

TEST_F(ResetTest, TakesOfAFolderOfSomebodysChoiceOnlyWhatIsTheBoxes) {
  make_box();
  write("srv/data/welcomed.db", "of " + kKey);
  write("srv/data/recordings/a.rec", "of " + kKey);
  const auto kept = {"uplink-password", "uplink-password.new", "update-order.json", "retired"};
  for (const char* name : kept) write(std::string("srv/data/") + name, "of " + kKey);
  write("srv/data/pictures.zip", "of others");
  const Reset reset(root());
  const ResetOrder order{false, "/srv/data"};
  ASSERT_TRUE(reset.begin(order));
  ASSERT_TRUE(reset.finish(order, false));
  EXPECT_FALSE(fs::exists(root() / "srv/data/welcomed.db"));
  EXPECT_FALSE(fs::exists(root() / "srv/data/recordings"));
  for (const char* name : kept) EXPECT_FALSE(fs::exists(root() / "srv/data" / name)) << name;
  EXPECT_TRUE(fs::exists(root() / "srv/data/pictures.zip"));
  EXPECT_FALSE(reset.begin({false, "data"}));
}

TEST_F(ResetTest, IsNotNarrowedByASecondOrderAndAMarkThatIsDamagedMeansAll) {
  make_box();
  const Reset reset(root());
  ASSERT_TRUE(reset.begin({true, "/var/lib/welcomed"}));
  ASSERT_TRUE(reset.begin({false, "/var/lib/welcomed"}));
  EXPECT_TRUE(reset.begun()->all);
  write("etc/welcomed/reset", "");
  ASSERT_TRUE(reset.begun());
  EXPECT_TRUE(reset.begun()->all);
}

TEST_F(ResetTest, StopsWhereAKeyCannotBeDestroyedAndGoesOnWhenItCan) {
  make_box();
  std::ofstream(dir_ / "bin/shred") << "#!/bin/sh\nexit 1\n";
  fs::permissions(dir_ / "bin/shred", fs::perms::owner_all);
  const Reset reset(root());
  ASSERT_TRUE(reset.begin({}));
  EXPECT_FALSE(reset.finish({}, false));
  EXPECT_TRUE(fs::exists(root() / "var/lib/welcomed/welcomed.db")) << "the key goes first";
  fs::remove(dir_ / "bin/shred");
  ASSERT_TRUE(reset.finish(*reset.begun(), false));
  expect_as_installed(false);
}

}  // namespace
}  // namespace welcome::ctl
