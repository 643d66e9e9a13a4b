// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/rehearsal_stage.h"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <sstream>
#include <utility>

namespace welcome::daemon {

namespace {

// Register that holds the invented visits whose prompts are on the tablets.
constexpr std::string_view kRehearsalRegister = "rehearsal_visits";

}  // namespace

void RehearsalStage::load() {
  const auto left = shared_.store.registers().get(kRehearsalRegister);
  if (!left || !*left) return;
  std::istringstream visits(**left);
  for (std::string visit; visits >> visit;) leftovers_.emplace_back(visit);
  register_ = **left;
}

Result<void> RehearsalStage::start(const std::string& by, const Now& now) {
  if (rehearsal_) return fail(ErrorCode::refused, "a rehearsal is running");
  if (auto noted = note(by, "started", now); !noted) return noted;
  rehearsal_.emplace(shared_.ids, shared_.pipeline.policy(), now);
  spdlog::warn("rehearsal started: invented customers on the tablets");
  show(rehearsal_->advance(now), now);
  needs_.status_changed(now);
  return {};
}

Result<void> RehearsalStage::stop(const std::string& by, const Now& now) {
  if (!rehearsal_) return fail(ErrorCode::refused, "no rehearsal is running");
  if (auto noted = note(by, "ended", now); !noted) return noted;
  show(rehearsal_->stop(now), now);
  rehearsal_.reset();
  wake_.reset();
  spdlog::warn("rehearsal ended");
  needs_.status_changed(now);
  return {};
}

Result<void> RehearsalStage::note(const std::string& by, const std::string& what, const Now& now) {
  auto noted = shared_.store.transaction(
      [&](store::Tx& tx) { tx.audit().append(now, "rehearsal", by, {}, what); });
  if (!noted) needs_.store_failed(noted.error());
  return noted;
}

void RehearsalStage::tick(const Now& now) {
  if (rehearsal_ && wake_ && *wake_ <= now.mono) show(rehearsal_->advance(now), now);
}

bool RehearsalStage::staff(const StaffAction& action, const Now& now) {
  if (!rehearsal_ || !rehearsal_->has(action.visit)) return false;
  show(rehearsal_->staff(action, now), now);
  return true;
}

void RehearsalStage::show(const Effects& effects, const Now& now) {
  const bool up = delivery_.side(contract::LinkName::floor).up;
  for (const auto& prompt : effects.prompts) {
    auto& message = prompts_[prompt.visit] = contract::encode_prompt(prompt);
    if (!up) continue;
    shared_.ports.publish(message, kNoRow,
                          std::chrono::ceil<std::chrono::seconds>(*message.expires_at - now.wall));
  }
  for (const auto& visit : effects.prompts_cleared) {
    prompts_.erase(visit);
    leftovers_.push_back(visit);
  }
  if (effects.wake_at) wake_ = effects.wake_at;
  if (up) {
    clear_leftovers();
  } else {
    remember_shown();
  }
}

std::vector<contract::Message> RehearsalStage::shown() const {
  std::vector<contract::Message> messages;
  for (const auto& [visit, prompt] : prompts_) messages.push_back(prompt);
  return messages;
}

void RehearsalStage::clear_leftovers() {
  for (const auto& visit : std::exchange(leftovers_, {})) {
    shared_.ports.publish(contract::encode_prompt_cleared(visit, {}), kNoRow, std::nullopt);
  }
  remember_shown();
}

void RehearsalStage::remember_shown() {
  std::string shown;
  for (const auto& [visit, prompt] : prompts_) shown += visit.str() + " ";
  for (const auto& visit : leftovers_) shown += visit.str() + " ";
  if (shown == register_) return;
  const auto kept = shared_.store.transaction(
      [&](store::Tx& tx) { tx.registers().put(kRehearsalRegister, shown); });
  if (!kept) return needs_.store_failed(kept.error());
  register_ = shown;
}

}  // namespace welcome::daemon
