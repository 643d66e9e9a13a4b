// SPDX-License-Identifier: Apache-2.0
// Every command of the control socket, asked of a daemon that runs: it is known there, its answer
// is what the table says, and a daemon that hangs keeps nobody waiting.

#include <fstream>
#include <gmock/gmock.h>

#include "firmware/control/commands.h"
#include "firmware/ctl/client.h"
#include "tests/integration/daemon_world.h"

namespace welcome::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DaemonControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kModels)) GTEST_SKIP() << "the face models are not prepared";
    const auto capture = box_.dir() / "day.btsnoop";
    std::ofstream(capture) << std::string("btsnoop\0\0\0\0\1\0\0\3\352", 16);  // H4, and no record
    box_.set("radio.source", "btsnoop");
    box_.set("radio.file", capture.string());
    box_.set("replay.epoch_ms", "1700000000000");
    box_.start();
    ASSERT_TRUE(box_.wait_ready());
  }

  // What a person would type, with something that is not there where a name is wanted.
  static json arguments(control::CommandId id) {
    switch (id) {
      using enum control::CommandId;
      case why:
      case enrol:
      case customer_export:
      case identity_clock:
      case tablet_sign_out:
        return {{"id", "nobody"}};
      case replay:
        return {{"id", "1999"}};
      case radio_watch:
      case radio_record:
      case radio_sample:
        return {{"seconds", 1}};
      case radio_thresholds:
        return {{"places", json::array()}};
      case retire:
        return {{"seconds", 0}};
      case clock_trust:
        return {{"shown", contract::to_rfc3339(std::chrono::floor<std::chrono::milliseconds>(
                              std::chrono::system_clock::now()))}};
      default:
        return json::object();
    }
  }
  // Of nobody and nothing these are refused; of somebody the tests of the engine hold them.
  static bool may_be_refused(control::CommandId id) {
    using enum control::CommandId;
    return id == why || id == replay || id == enrol || id == radio_thresholds ||
           id == identity_clock || id == clock_trust || id == tablet_sign_out || id == camera_check;
  }

  DaemonProcess box_{1};  // nobody listens there
};

TEST_F(DaemonControlTest, KnowsEveryCommandAndAnswersAsTheTableSays) {
  for (const auto& command : control::commands()) {
    SCOPED_TRACE(std::string(command.name));
    ctl::Listener listener;
    listener.part = [&](const json& part) {
      EXPECT_THAT(control::misfits(command.part, part), IsEmpty()) << part.dump();
    };
    const auto answer =
        ctl::ask(box_.socket(), {std::string(command.name), arguments(command.id)}, listener);
    if (answer) {
      EXPECT_THAT(control::misfits(command.answer, *answer), IsEmpty()) << answer->dump();
    } else {
      EXPECT_TRUE(may_be_refused(command.id)) << answer.error().message;
      EXPECT_EQ(answer.error().code, ErrorCode::refused) << answer.error().message;
      EXPECT_THAT(answer.error().message, ::testing::Not(HasSubstr("unknown command")));
    }
  }
}

TEST_F(DaemonControlTest, RefusesWhatIsNotInTheTable) {
  const auto unknown = ctl::ask(box_.socket(), {"dance"}, {});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("unknown command 'dance'"));
  const auto argument = ctl::ask(box_.socket(), {"radio watch", {{"second", 1}}}, {});
  ASSERT_FALSE(argument);
  EXPECT_THAT(argument.error().message, HasSubstr("did you mean 'seconds'?"));
}

TEST_F(DaemonControlTest, ThatHangsIsSaidToHang) {
  box_.signal(SIGSTOP);
  ctl::Listener listener;
  listener.silence = 1s;
  const auto answer = ctl::ask(box_.socket(), {"status"}, listener);
  box_.signal(SIGCONT);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("has not answered for 1 s"));
  EXPECT_TRUE(ctl::ask(box_.socket(), {"status"}, {})) << "and goes on";
}

}  // namespace
}  // namespace welcome::testing
