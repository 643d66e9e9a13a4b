// SPDX-License-Identifier: Apache-2.0
// What the engine answers, of a box where somebody was: every field is in the table of commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "firmware/control/commands.h"
#include "harness/bench_box.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
using control::CommandId;
using nlohmann::json;
using test::kStart;
using testing::IsEmpty;

std::vector<std::string> misfits(CommandId id, const json& answer) {
  return control::misfits(control::command(id).answer, answer);
}
std::vector<std::string> misfits(CommandId id, const Result<json>& answer) {
  if (!answer) return {answer.error().message};
  return misfits(id, *answer);
}

TEST(EngineAnswers, FitTheTableOfCommands) {
  test::BenchBox box(kStart);
  box.links_up();
  box.feed_shop();
  box.link_down(contract::LinkName::uplink);  // what is for the CRM waits
  box.hear_mia_for(20s);
  box.erase("c-paul", "00000000-0000-4000-8000-0000000000fe");
  Engine& engine = box.engine();
  ASSERT_FALSE(engine.visits().empty());
  ASSERT_FALSE(engine.decisions().empty());
  ASSERT_FALSE(engine.outbox().empty());
  EXPECT_THAT(misfits(CommandId::visits, engine.visits()), IsEmpty());
  EXPECT_THAT(misfits(CommandId::decisions, engine.decisions()), IsEmpty());
  EXPECT_THAT(misfits(CommandId::outbox, engine.outbox()), IsEmpty());
  const auto decision = engine.decisions().front();
  for (const char* key : {"id", "visit"}) {
    EXPECT_THAT(misfits(CommandId::why, engine.why(decision[key])), IsEmpty()) << key;
  }
  EXPECT_THAT(misfits(CommandId::recordings, engine.recordings()), IsEmpty());
  EXPECT_THAT(
      misfits(CommandId::customer_export, engine.export_person(CustomerId("c-mia"), box.now())),
      IsEmpty());
  EXPECT_THAT(misfits(CommandId::audit_show, engine.audit_trail()), IsEmpty());
  EXPECT_THAT(misfits(CommandId::audit_verify, engine.audit_verdict()), IsEmpty());
  // The rest of the status is the app's; the daemon's own tests have it whole.
  for (const auto& misfit : misfits(CommandId::status, engine.status(box.now()))) {
    EXPECT_THAT(misfit, testing::EndsWith("is missing"));
  }
  box.advance(10min);
  EXPECT_THAT(misfits(CommandId::visits, engine.visits()), IsEmpty()) << "visits that are over";
}

}  // namespace
}  // namespace welcome::daemon
