// The part of the Engine that lives through a disk that takes nothing, a silent CRM and a clock
// that is not set, and says so.

#include <chrono>
#include <spdlog/spdlog.h>
#include <utility>

#include "firmware/daemon/engine.h"
#include "firmware/daemon/outbox_kinds.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto kTellRefusalsEvery = 1h;

}  // namespace

void Engine::store_failed(const Error& error) {
  ++counters_.store_errors;
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
  if (store_trouble_.empty()) spdlog::error("nothing can be stored: {}", error.message);
  store_trouble_ = error.message;
}

// What was decided is taken back, what was withdrawn is owed, and tablets are told at once: from
// memory, where it holds already.
void Engine::could_not_store(const Effects& effects, const Now& now) {
  for (const auto& d : effects.decisions) {
    if (d.made()) (void)ask(event::DecisionExpired{d.id}, now);
  }
  for (const auto& consent : effects.consents) {
    if (!consent.given) owed_.consents.push_back(consent);
  }
  owed_.withdrawn_decisions.insert(owed_.withdrawn_decisions.end(),
                                   effects.withdrawn_decisions.begin(),
                                   effects.withdrawn_decisions.end());
  for (const auto& visit : effects.prompts_cleared) {
    ports_.publish(contract::encode_prompt_cleared(visit, {}), kNoRow, std::nullopt);
    owed_.prompts_cleared.push_back(visit);
  }
}

void Engine::try_store_again(const Now& now) {
  const auto done = store_.transaction([&] {
    (void)store_.registers().add_counter("store_troubles", 1);
    write(owed_, now);
  });
  if (!done) return store_failed(done.error());
  if (broken_) return;
  owed_ = {};
  const std::string was = std::exchange(store_trouble_, {});
  spdlog::warn("the store works again");
  tell_health({"store", "ok", "before: " + was, {}}, now);
  // The feed went on without us.
  if (uplink_.up) say_hello();
  publish_floor_status(now);
}

void Engine::tell_health(contract::HealthNews news, const Now& now) {
  const auto done = store_.transaction([&] {
    enqueue(contract::encode_event(settings_.box,
                                   {MessageId(ids_.next()), now.wall, {}, std::move(news), {}}),
            kind::kHealth, {}, {}, {}, now);
  });
  if (!done) return store_failed(done.error());
  pump(contract::LinkName::uplink, now);
}

// Messages with a wrong signature or for somebody else: the CRM should know that they are about.
void Engine::tell_refusals(const Now& now) {
  if (refused_untold_.empty() || now.mono < next_refusals_) return;
  next_refusals_ = now.mono + kTellRefusalsEvery;
  tell_health({"sync", "degraded", "messages from the central broker were refused",
               std::exchange(refused_untold_, {})},
              now);
}

void Engine::watch_footing(const Now& now) {
  decide(event::Tick{}, now);  // the clock may have been set, forwards or back
  const ConsentFooting footing = pipeline_.gate().footing(now);
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
  publish_floor_status(now);
}

}  // namespace welcome::daemon
