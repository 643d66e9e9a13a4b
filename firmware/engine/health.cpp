// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/health.h"

#include <chrono>
#include <spdlog/spdlog.h>
#include <utility>

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto kTellRefusalsEvery = 1h;
constexpr auto kPolicyPatience = 1min;

}  // namespace

void Health::store_failed(const Error& error) {
  ++shared_.counters.store_errors;
  switch (error.code) {
    case ErrorCode::corrupt:
      if (!std::exchange(broken_, true)) spdlog::critical("store: {}", error.message);
      break;
    case ErrorCode::full:
    case ErrorCode::unavailable:
    case ErrorCode::internal:
      break;
    default:
      spdlog::error("store: {}", error.message);  // about one row, not the disk
      return;
  }
  if (trouble_.empty()) spdlog::error("nothing can be stored: {}", error.message);
  trouble_ = error.message;
}

void Health::could_not_store(const Effects& effects, const Now& now) {
  for (const auto& d : effects.decisions) {
    if (!d.made()) continue;
    // Its rows cannot be stored either; what they say is as it was on the disk.
    needs_.ask(event::DecisionExpired{d.id}, now);
  }
  for (const auto& consent : effects.consents) {
    if (!consent.given) owed_.consents.push_back(consent);
  }
  owed_.withdrawn_decisions.insert(owed_.withdrawn_decisions.end(),
                                   effects.withdrawn_decisions.begin(),
                                   effects.withdrawn_decisions.end());
  for (const auto& visit : effects.prompts_cleared) {
    shared_.ports.publish(contract::encode_prompt_cleared(visit, {}), kNoRow, std::nullopt);
    owed_.prompts_cleared.push_back(visit);
  }
}

void Health::try_store_again(const Now& now) {
  const auto done = shared_.store.transaction([&](store::Tx& tx) {
    tx.registers().add_counter("store_troubles", 1);
    needs_.write(tx, owed_, now);
  });
  if (!done) return store_failed(done.error());
  if (broken_) return;
  owed_ = {};
  const std::string was = std::exchange(trouble_, {});
  spdlog::warn("the store works again");
  tell({"store", "ok", "before: " + was, {}}, now);
  needs_.store_works_again(now);
}

void Health::tell(contract::HealthNews news, const Now& now) {
  const auto done = shared_.store.transaction([&](store::Tx& tx) {
    delivery_.tell_crm(tx, {MessageId(shared_.ids.next()), now.wall, {}, std::move(news), {}},
                       OutboxKind::health, {}, now);
  });
  if (!done) return store_failed(done.error());
  delivery_.pump(contract::LinkName::uplink, now);
}

void Health::tell_refusals(const Now& now) {
  if (now.mono < next_refusals_) return;
  if (refused_untold_.empty() && not_taken_untold_.empty()) return;
  next_refusals_ = now.mono + kTellRefusalsEvery;
  if (!refused_untold_.empty()) {
    tell({"sync", "degraded", "messages from the central broker were refused",
          std::exchange(refused_untold_, {})},
         now);
  }
  if (!not_taken_untold_.empty()) {
    tell({"sync", "degraded", "messages were set aside: a broker does not take them",
          std::exchange(not_taken_untold_, {})},
         now);
  }
}

void Health::watch_policy(const Now& now) {
  if (shared_.pipeline.has_policy()) {
    without_policy_.reset();
    if (!std::exchange(no_policy_told_, false)) return;
    spdlog::info("a policy is in force: offers are made again");
    return tell({"policy", "ok", "a policy is in force", {}}, now);
  }
  if (!without_policy_) without_policy_ = now.mono;
  // A fresh box gets one with its first feed.
  if (no_policy_told_ || now.mono - *without_policy_ < kPolicyPatience) return;
  no_policy_told_ = true;
  spdlog::warn("no policy is in force: no caps and no quiet hours are known, no offer is made");
  tell({"policy", "degraded", "no policy is in force: no offer is made", {}}, now);
}

void Health::watch_footing(const Now& now) {
  needs_.decide(event::Tick{}, now);  // the clock may have been set, forwards or back
  const ConsentFooting footing = shared_.pipeline.gate().footing(now);
  if (footing == footing_) return;
  footing_ = footing;
  switch (footing) {
    case ConsentFooting::firm:
      spdlog::info("the clock is set and the CRM has spoken: consents count");
      break;
    case ConsentFooting::crm_silent:
      spdlog::warn("the CRM has been silent for too long: nobody consents");
      break;
    case ConsentFooting::clock_not_set:
      spdlog::warn("the clock cannot be trusted: nobody consents");
      break;
  }
  needs_.status_changed(now);
}

void Health::senses_are(std::vector<contract::Trouble> troubles, const Now& now) {
  if (troubles == senses_) return;
  senses_ = std::move(troubles);
  needs_.status_changed(now);
}

std::vector<contract::Trouble> Health::troubles() const {
  std::vector<contract::Trouble> all;
  if (footing_ == ConsentFooting::crm_silent) all.push_back(contract::Trouble::crm_silent);
  if (footing_ == ConsentFooting::clock_not_set) all.push_back(contract::Trouble::clock_not_set);
  if (!can_store()) all.push_back(contract::Trouble::store);
  all.insert(all.end(), senses_.begin(), senses_.end());
  return all;
}

}  // namespace welcome::daemon
