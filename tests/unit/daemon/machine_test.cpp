// SPDX-License-Identifier: Apache-2.0
// What the daemon sees of its machine, and the two small files by which the machine's own half
// hears of it.

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "firmware/daemon/heat.h"
#include "firmware/daemon/image.h"
#include "firmware/daemon/radio_help.h"
#include "firmware/daemon/retired_mark.h"
#include "firmware/daemon/uplink_passwords.h"

namespace welcome::daemon {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;

class MachineTest : public testing::Test {
 protected:
  MachineTest()
      : dir_(fs::temp_directory_path() / ("welcome-machine-" + std::to_string(::getpid()))) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  ~MachineTest() override { fs::remove_all(dir_); }
  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name) << text;
  }
  std::string read(const fs::path& name) const {
    std::ifstream in(dir_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const fs::path dir_;
};

TEST_F(MachineTest, IsAsHotAsItsHottestPartThatAnswers) {
  EXPECT_FALSE(temperature(dir_ / "none"));
  write("thermal_zone0/temp", "48000\n");
  write("thermal_zone1/temp", "61500\n");
  write("thermal_zone2/temp", "-273150\n");
  write("thermal_zone3/temp", "");
  write("cooling_device0/temp", "99000\n");
  EXPECT_EQ(temperature(dir_), 61.5);
}

TEST_F(MachineTest, ThatIsNoImageSaysSoAndGetsNoOrder) {
  Image image({}, dir_);
  image.order(R"({"word":7})");
  EXPECT_TRUE(fs::is_empty(dir_));
  const auto said = image.look(7, "1.4.0");
  EXPECT_EQ(said.step, UpdateStep::no_image);
  EXPECT_EQ(said.word, 7U);
}

TEST_F(MachineTest, AnImageSaysHowFarItIsWithThatWord) {
  Image image(dir_, dir_);
  EXPECT_EQ(image.look(0, "").step, UpdateStep::idle);
  EXPECT_EQ(image.look(7, "1.4.0").step, UpdateStep::fetching) << "it has not looked yet";
  write("update.json", R"({"version":"1.3.0","step":"back","word":7,"why":"worse: radio"})");
  const auto said = image.look(7, "1.4.0");
  EXPECT_EQ(said.step, UpdateStep::back);
  EXPECT_EQ(said.version, "1.3.0");
  EXPECT_EQ(said.why, "worse: radio");
  EXPECT_EQ(image.look(8, "1.5.0").step, UpdateStep::fetching) << "that was another word";
  EXPECT_EQ(image.look(8, "").step, UpdateStep::idle);
  EXPECT_EQ(image.look(8, "").version, "1.3.0");
  for (const char* broken :
       {"", "no JSON", "[]", R"({"version":3,"step":4,"word":"x","why":{}})"}) {
    write("update.json", broken);
    EXPECT_EQ(image.look(7, "").step, UpdateStep::idle) << broken;
  }
}

TEST_F(MachineTest, AnOrderIsReplacedWhole) {
  Image image(dir_, dir_ / "state");
  image.order(R"({"word":7})");
  EXPECT_FALSE(fs::exists(dir_ / "state")) << "it cannot be written";
  fs::create_directories(dir_ / "state");
  image.order(R"({"word":7})");
  EXPECT_EQ(read("state/update-order.json"), "{\"word\":7}\n");
  fs::remove(dir_ / "state/update-order.json");
  image.order(R"({"word":7})");
  EXPECT_FALSE(fs::exists(dir_ / "state/update-order.json")) << "what was written is not again";
  image.order(R"({"word":8})");
  EXPECT_EQ(read("state/update-order.json"), "{\"word\":8}\n");
}

TEST_F(MachineTest, HelpIsAskedForAnAdapterThatDoesNotComeBack) {
  RadioHelp help(dir_, "hci0");
  beacon::SourceStatus radio;
  MonoTime now{};
  radio.state = beacon::SourceState::recovering;
  help.look(radio, now);
  help.look(radio, now + RadioHelp::kPatience - 1s);
  EXPECT_EQ(read("radio-stuck"), "") << "our own resets have their time first";
  help.look(radio, now += RadioHelp::kPatience);
  EXPECT_EQ(read("radio-stuck"), "hci0 1\n");
  help.look(radio, now + RadioHelp::kPatience);
  EXPECT_EQ(read("radio-stuck"), "hci0 1\n") << "at growing distances";
  help.look(radio, now += 2 * RadioHelp::kPatience);
  EXPECT_EQ(read("radio-stuck"), "hci0 2\n");
  radio.state = beacon::SourceState::running;
  help.look(radio, now += 1s);
  radio.state = beacon::SourceState::recovering;
  help.look(radio, now += 1s);
  help.look(radio, now += RadioHelp::kPatience);
  EXPECT_EQ(read("radio-stuck"), "hci0 3\n") << "from the beginning";
}

TEST_F(MachineTest, NoHelpIsAskedForWhatIsNoAdapter) {
  beacon::SourceStatus radio;
  radio.state = beacon::SourceState::failed;
  for (const char* other : {"/dev/ttyUSB0", "unix:/x", "", "../../hci0"}) {
    RadioHelp help(dir_, other);
    help.look(radio, MonoTime{});
    help.look(radio, MonoTime{} + 1h);
    EXPECT_TRUE(fs::is_empty(dir_)) << other;
  }
}

TEST_F(MachineTest, ThatHeadOfficeHasTheLastWordStaysKnown) {
  RetiredMark mark(dir_);
  EXPECT_FALSE(mark.there());
  EXPECT_TRUE(mark.put());
  EXPECT_TRUE(RetiredMark(dir_).there());
  EXPECT_FALSE(RetiredMark(dir_ / "none").put());
}

using Passwords = std::vector<std::string>;

TEST_F(MachineTest, TheOldPasswordStaysUntilTheNewOneHasComeIn) {
  UplinkPasswords passwords(dir_, "given");
  EXPECT_EQ(passwords.to_try(), Passwords{"given"});
  const auto hash = passwords.renew();
  ASSERT_TRUE(hash);
  EXPECT_TRUE(hash->starts_with("$7$101$"));
  const auto both = passwords.to_try();
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[1], "given");
  ASSERT_TRUE(passwords.renew());
  EXPECT_EQ(passwords.to_try(), both) << "asked again it is the same one";
  EXPECT_EQ(UplinkPasswords(dir_, "given").to_try(), both) << "also after the plug was pulled";
  passwords.worked("given");
  EXPECT_EQ(passwords.to_try(), both) << "the broker does not have it yet";
  passwords.worked(both[0]);
  EXPECT_EQ(UplinkPasswords(dir_, "given").to_try(), both);
  // The next one: the one before is what comes in until then.
  ASSERT_TRUE(passwords.renew());
  ASSERT_EQ(passwords.to_try().size(), 3U);
  EXPECT_EQ(passwords.to_try()[1], both[0]);
}

TEST_F(MachineTest, ATechniciansPasswordThatComesInIsTheOne) {
  UplinkPasswords passwords(dir_, "given");
  ASSERT_TRUE(passwords.renew());
  passwords.worked(passwords.to_try()[0]);
  UplinkPasswords again(dir_, "given anew");
  again.worked("given anew");
  EXPECT_EQ(again.to_try(), Passwords{"given anew"});
}

TEST_F(MachineTest, NoNewPasswordWhereItCannotBeKeptOrThereIsNone) {
  UplinkPasswords nowhere(dir_ / "none", "given");
  EXPECT_EQ(nowhere.renew().error().code, ErrorCode::unavailable);
  EXPECT_EQ(nowhere.to_try(), Passwords{"given"});
  EXPECT_EQ(UplinkPasswords(dir_, "").renew().error().code, ErrorCode::refused);
  write("uplink-password", "{\"now\": 3");
  EXPECT_EQ(UplinkPasswords(dir_, "given").to_try(), Passwords{"given"});
}

}  // namespace
}  // namespace welcome::daemon
