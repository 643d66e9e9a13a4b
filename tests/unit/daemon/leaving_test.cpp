// SPDX-License-Identifier: Apache-2.0
// Who retires a box waits for head office, and the daemon ends when it has the box's last word.

#include "firmware/daemon/leaving.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>

#include "contract/contract.h"
#include "harness/bench_box.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct Waiting : Answer {
  void progress(std::string_view /*text*/) override {}
  void part(const nlohmann::json& /*part*/) override {}
  void data(const nlohmann::json& data) override { last = data; }
  void error(std::string_view message) override { refused = message; }
  bool stopped() const override { return gone; }
  std::size_t backlog() const override { return 0; }

  std::optional<nlohmann::json> last;
  std::string refused;
  bool gone = false;
};

class LeavingTest : public testing::Test {
 protected:
  LeavingTest() {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    box_.link_up(contract::LinkName::uplink);
  }
  ~LeavingTest() override { fs::remove_all(dir_); }

  std::shared_ptr<Waiting> ask(bool by_root = true) {
    auto asker = std::make_shared<Waiting>();
    control::Request request;
    request.command = "retire";
    request.by_root = by_root;
    leaving_.start(request, asker, box_.now());
    return asker;
  }
  void head_office_has_it() {
    const contract::BoxAddress address{"demo", "aroma-1", "box-1"};
    const auto take = [&](const contract::Taken& taken) {
      const auto message = encode_taken(address, taken);
      box_.inbound(contract::LinkName::uplink, message.topic, message.payload);
      box_.advance(50ms);
    };
    take({});
    contract::Taken taken;
    for (const auto& event : box_.sent("/event"))
      taken.ids.emplace_back(event.at("id").get<std::string>());
    take(taken);
    ASSERT_TRUE(box_.engine().retirement()->confirmed);
  }
  bool tick() { return leaving_.tick(box_.now()); }
  bool marked() const { return fs::exists(dir_ / "retired"); }

  const fs::path dir_ = fs::temp_directory_path() / ("leaving-" + std::to_string(::getpid()));
  test::BenchBox box_{test::kStart};
  Leaving leaving_{box_.engine(), dir_};
};

TEST_F(LeavingTest, WhoWaitsHearsItBeforeTheEnd) {
  const auto asker = ask();
  EXPECT_FALSE(tick());
  EXPECT_FALSE(asker->last);
  EXPECT_FALSE(marked());
  head_office_has_it();
  EXPECT_FALSE(tick()) << "the answer leaves first";
  ASSERT_TRUE(asker->last);
  EXPECT_TRUE(asker->last->at("confirmed").get<bool>());
  EXPECT_TRUE(marked());
  box_.advance(1s);
  EXPECT_TRUE(tick());
  EXPECT_FALSE(leaving_.starts_again());
}

TEST_F(LeavingTest, WhoseTimeIsOverHearsThatItIsNotTaken) {
  const auto asker = ask();
  box_.advance(2min);
  EXPECT_FALSE(tick());
  ASSERT_TRUE(asker->last);
  EXPECT_FALSE(asker->last->at("confirmed").get<bool>());
  head_office_has_it();
  EXPECT_TRUE(tick()) << "nobody waits any more";
  EXPECT_TRUE(leaving_.starts_again());
}

TEST_F(LeavingTest, WhoCallsItOffInTheMomentWhenHeadOfficeHasItWaitsNoMore) {
  const auto asker = ask();
  EXPECT_FALSE(tick());
  asker->gone = true;
  head_office_has_it();
  EXPECT_TRUE(tick());
  EXPECT_TRUE(leaving_.starts_again()) << "the next start sees whether it is to go on";
  EXPECT_FALSE(asker->last);
}

TEST_F(LeavingTest, OnlyRootRetiresABoxAndOneAtATime) {
  EXPECT_NE(ask(false)->refused, "");
  EXPECT_FALSE(box_.engine().retirement());
  EXPECT_EQ(ask()->refused, "");
  EXPECT_NE(ask()->refused, "");
}

}  // namespace
}  // namespace welcome::daemon
