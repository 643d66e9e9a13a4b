// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/updates.h"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "contract/json_text.h"
#include "core/store_clock.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::string_view kUpdateRegister = "update";
// Where the policy has no quiet hours: shops are closed then.
constexpr DayHours kAtNight{2h, 5h};

json order_json(const contract::Taken::Update& update) {
  json out{{"word", update.word}};
  if (!update.release) return out;
  const contract::Taken::Release& release = *update.release;
  out.update({{"version", release.version},
              {"digest", release.digest},
              {"size", release.size},
              {"url", release.url},
              {"at_once", release.at_once},
              {"may_be_lower", release.may_be_lower}});
  return out;
}

contract::Taken::Update update_of(const json& kept) {
  contract::Taken::Update out;
  out.word = kept.value("word", std::uint64_t{0});
  if (!kept.contains("version")) return out;
  out.release = {
      kept.value("version", ""), kept.value("digest", ""),     kept.value("size", std::uint64_t{0}),
      kept.value("url", ""),     kept.value("at_once", false), kept.value("may_be_lower", false)};
  return out;
}

}  // namespace

Updates::Updates(Shared& shared) : shared_(shared) {
  const auto kept = shared_.store.registers().get(kUpdateRegister);
  if (!kept || !*kept) return;
  const json said = json::parse(**kept, nullptr, false);
  if (said.is_object()) heard_ = update_of(said);
}

Result<void> Updates::hear(const contract::Taken::Update& update, const Now& now) {
  if (update.word <= heard_.word || !now.wall_trusted) return {};
  if (update.at > now.wall + kClocksAgree || update.at + contract::kUpdateWordLife < now.wall)
    return {};
  const std::string version = update.release ? update.release->version : "";
  auto kept = shared_.store.transaction([&](store::Tx& tx) {
    tx.registers().put(kUpdateRegister, contract::dump(order_json(update)));
    tx.audit().append(
        now, "update", "crm", {},
        version.empty() ? "what is not installed yet is let be" : "this box is to run " + version);
  });
  if (!kept) return kept;
  spdlog::info("head office: {}",
               version.empty() ? "nothing is to be installed" : "this box is to run " + version);
  heard_ = update;
  return {};
}

bool Updates::may_install(const Now& now) const {
  if (heard_.release->at_once) return true;
  if (!now.wall_trusted) return false;
  const Policy& policy = shared_.pipeline.policy();
  const auto clock = StoreClock::open(policy.time_zone);
  return clock && within(policy.quiet_hours ? policy.quiet_hours->hours : kAtNight,
                         clock->local(now.wall).time);
}

std::string Updates::order(const Now& now) const {
  if (heard_.word == 0) return {};
  json out = order_json(heard_);
  if (heard_.release) out["install"] = may_install(now);
  return contract::dump(out);
}

}  // namespace welcome::daemon
