// SPDX-License-Identifier: Apache-2.0
// The part of Engine that hears tablets and the staff on them.

#include <nlohmann/json.hpp>
#include <utility>

#include "contract/items.h"
#include "firmware/engine/engine.h"

namespace welcome::daemon {

using nlohmann::json;

Result<std::vector<StaffMember>> Engine::staff_of_store() {
  std::vector<StaffMember> staff;
  const auto read =
      store_.replica().load(store::Collection::staff, [&](store::ReplicaItem&& stored) {
        auto item = contract::decode_item(contract::Collection::staff, stored.body);
        if (item) staff.push_back(std::get<StaffMember>(std::move(*item)));
      });
  if (!read) return tl::unexpected(read.error());
  return staff;
}

// Who cannot be read is not let in, but nobody is signed out because a disk is in trouble.
void Engine::staff_changed(const Now& now) {
  auto staff = staff_of_store();
  if (!staff) return store_failed(staff.error());
  staff_.set_staff(std::move(*staff), now);
}

void Engine::on(const input::PinChecked& checked, const Now& now) {
  staff_.checked(checked.job, checked.right, now);
}

bool Engine::takes(const std::string& tablet, double tokens, const Now& now) {
  if (tablet_limits_.take(tablet, tokens, now.mono)) return true;
  on_undecodable(contract::LinkName::floor,
                 {ErrorCode::full, "a tablet says more than a person can"}, now);
  if (tablet_limits_.may_tell(tablet, now.mono)) staff_.refuse_too_many(tablet, now);
  return false;
}

// Who it was is never said by the message: it names the sign-in, and that is this tablet's own.
void Engine::on_tablet(contract::TabletAction&& said, const Now& now) {
  const auto staff = staff_.who(said.tablet, said.sign_in, said.action.id, now);
  if (!staff) return;
  said.action.staff = *staff;
  if (rehearsal_.staff(said.action, now)) return;
  decide(event::Staff{std::move(said.action)}, now);
}

void Engine::on_tablet(contract::EnrolMessage&& said, const Now& now) {
  // What runs on this tablet it may stop whoever is signed in.
  if (said.kind != contract::EnrolMessage::Kind::stop) {
    const auto staff = staff_.who(said.tablet, said.sign_in, said.id.str(), now);
    if (!staff) return;
    said.staff = *staff;
  }
  if (said.kind == contract::EnrolMessage::Kind::consent &&
      !takes(said.tablet, TabletLimits::kConsent, now)) {
    return;
  }
  const auto& confirm = said.confirm;
  if (confirm && confirm->by == contract::Confirmation::By::witness) return witness(said, now);
  desk_.hear(said, now);
}

// Nothing is agreed to before the witness is known to be somebody else, and there.
void Engine::witness(const contract::EnrolMessage& said, const Now& now) {
  if (!pipeline_.policy().desk_witness) {
    return staff_.refuse(said.tablet, said.id.str(), StaffSessions::Cause::no_witness, now);
  }
  contract::EnrolMessage seen = said;
  seen.pin.clear();
  staff_.witness({said.tablet, said.id.str(), said.staff, said.confirm->witness, said.pin}, now,
                 [this, seen = std::move(seen)](const Now& at) { desk_.hear(seen, at); });
}

json Engine::tablets(const Now& now) const { return staff_.tablets(now); }

bool Engine::sign_out(const std::string& tablet, const Now& now) {
  return staff_.sign_out(tablet, now);
}

}  // namespace welcome::daemon
