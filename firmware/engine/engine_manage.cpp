// SPDX-License-Identifier: Apache-2.0
// The part of Engine that does what a lead or a technician asks for on a tablet.

#include <spdlog/spdlog.h>
#include <utility>

#include "firmware/engine/engine.h"
#include "firmware/engine/today.h"

namespace welcome::daemon {

using Kind = contract::Manage::Kind;

// Who asks is never said by the message, and neither is what they may: the session says the one,
// head office's list of staff the other.
void Engine::on_tablet(contract::Manage&& said, const Now& now) {
  if (!said.box.empty() && said.box != settings_.box.box) return;
  const auto staff = staff_.who(
      said.tablet, said.sign_in, said.id, now,
      contract::only_looks(said.kind) ? StaffSessions::Touch::looks : StaffSessions::Touch::acts);
  if (!staff) return;
  if (!staff_.may(*staff, contract::role_for(said.kind))) {
    return staff_.refuse(said.tablet, said.id, StaffSessions::Cause::not_allowed, now);
  }
  auto answer = manage(said, *staff, now);
  if (!answer) {
    spdlog::error("a tablet asked for {}: {}", contract::to_string(said.kind),
                  answer.error().message);
    return staff_.refuse(said.tablet, said.id, StaffSessions::Cause::not_stored, now);
  }
  answer->tablet = said.tablet;
  answer->re = said.id;
  answer->box = settings_.box.box;
  answer->kind = said.kind;
  answer->at = now.wall;
  ports_.publish(contract::encode_managed(*answer), kNoRow, kAnswerLife);
}

Result<contract::Managed> Engine::manage(const contract::Manage& said, const StaffId& staff,
                                         const Now& now) {
  contract::Managed answer;
  switch (said.kind) {
    case Kind::lights:
      answer.lights = ports_.lights();
      return answer;
    case Kind::signal:
      answer.signal = signals_.look(tracker_, now);
      return answer;
    case Kind::restart: {
      const auto noted = store_.transaction([&](store::Tx& tx) {
        tx.audit().append(now, "restart", "staff:" + staff.str(), {}, "on a tablet");
      });
      // A box whose disk takes nothing may need it most: the log has it.
      if (!noted) store_failed(noted.error());
      spdlog::warn("a technician restarts this box on a tablet");
      ports_.restart();
      return answer;
    }
    default:
      return manage_shop(said, staff, now);
  }
}

Result<contract::Managed> Engine::manage_shop(const contract::Manage& said, const StaffId& staff,
                                              const Now& now) {
  Result<void> done;
  switch (said.kind) {
    case Kind::today:
      break;
    case Kind::pause:
    case Kind::resume:
      done = pause_here(said, staff, now);
      break;
    // What is so already is what was asked for.
    case Kind::rehearsal_start:
      if (!rehearsal_.running()) done = rehearsal_.start("staff:" + staff.str(), now);
      break;
    case Kind::rehearsal_stop:
      if (rehearsal_.running()) done = rehearsal_.stop("staff:" + staff.str(), now);
      break;
    default:
      return fail(ErrorCode::internal, "not of a lead");
  }
  if (!done) return tl::unexpected(done.error());
  auto today = count_today(shared_, now);
  if (!today) return tl::unexpected(today.error());
  auto paused = pauses_.view();
  if (!paused) return tl::unexpected(paused.error());
  today->paused = std::move(*paused);
  today->signed_in = staff_.signed_in();
  today->rehearsal = rehearsal_.running();
  contract::Managed answer;
  answer.today = std::move(*today);
  return answer;
}

// One transaction: it holds, is in the audit trail and on its way to head office, or it is not.
Result<void> Engine::pause_here(const contract::Manage& said, const StaffId& staff,
                                const Now& now) {
  const Function function = *said.function;
  const bool pause = said.kind == Kind::pause;
  auto here = pauses_.here();
  if (here.contains(function) == pause) return {};
  if (!can_store()) return fail(ErrorCode::unavailable, health_.trouble());
  const auto head_office = pauses_.by_head_office(function);
  if (!head_office) return tl::unexpected(head_office.error());
  if (pause) {
    here[function] = {staff, *said.reason, now.wall};
  } else {
    here.erase(function);
  }
  const std::string by = "staff:" + staff.str();
  const std::string what = std::string(to_string(function)) +
                           (pause ? " paused in the shop: " : " no longer paused in the shop") +
                           std::string(pause ? contract::to_string(*said.reason) : "");
  auto stored =
      decide_by(by, event::PauseChanged{function, pause || *head_office}, now, [&](store::Tx& tx) {
        Pauses::write(tx, here);
        tx.audit().append(now, "pause", by, {}, what);
        contract::HealthNews news{"pause", pause ? "degraded" : "ok", what + ", by " + by, {}};
        delivery_.tell_crm(tx, {MessageId(ids_.next()), now.wall, {}, std::move(news), {}},
                           OutboxKind::health, {}, now);
      });
  if (!stored) {
    decide(event::PauseChanged{function, !pause || *head_office}, now);
    return stored;
  }
  pauses_.keep(std::move(here));
  spdlog::warn("{} {} in the shop", to_string(function), pause ? "paused" : "resumed");
  tablets_.publish_status(now);
  return {};
}

}  // namespace welcome::daemon
