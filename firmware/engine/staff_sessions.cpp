// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/staff_sessions.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "contract/json_text.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using contract::StaffSession;
using nlohmann::json;

// Registers that hold who is signed in, and what was tried in vain.
constexpr std::string_view kSessionsRegister = "staff_sessions";
constexpr std::string_view kTriesRegister = "pin_tries";
constexpr std::size_t kMostTablets = 200;  // as many as the floor's broker takes

std::vector<std::string> keys_of(const std::string& tablet, const StaffId& staff) {
  return {"tablet:" + tablet, "staff:" + staff.str()};
}

std::string actor(const StaffId& staff) { return "staff:" + staff.str(); }

}  // namespace

// ---- which staff there are ----

const StaffMember* StaffSessions::find(const StaffId& staff) const {
  const auto found = staff_.find(staff);
  return found == staff_.end() ? nullptr : &found->second;
}

void StaffSessions::set_staff(std::vector<StaffMember> staff, const Now& now) {
  const auto before = std::exchange(staff_, {});
  for (StaffMember& member : staff) {
    const StaffId id = member.id;
    staff_.emplace(id, std::move(member));
  }
  // A new PIN is not guessed yet, and nobody guesses that of somebody who left.
  for (const auto& [id, member] : before) {
    const auto* is = find(id);
    if (is == nullptr || is->pin != member.pin) tries_.forget("staff:" + id.str());
  }
  sign_leavers_out(before, now);
  tell_staff(now);
}

void StaffSessions::sign_leavers_out(const std::map<StaffId, StaffMember>& before, const Now& now) {
  std::vector<std::pair<std::string, Why>> over;
  for (const auto& [tablet, session] : sessions_) {
    const auto* is = find(session.staff);
    const auto was = before.find(session.staff);
    if (is == nullptr || is->pin.empty()) {
      over.emplace_back(tablet, Why::left);
    } else if (was != before.end() && was->second.pin != is->pin) {
      over.emplace_back(tablet, Why::new_pin);
    }
  }
  for (const auto& [tablet, why] : over) end(tablet, why, now);
}

void StaffSessions::tell_staff(const Now& now) {
  if (!needs_.floor_up()) return;
  contract::FloorStaff said{shared_.settings.box.box, {}, now.wall};
  for (const auto& [id, member] : staff_) said.staff.push_back(member);
  shared_.ports.publish(contract::encode_floor_staff(said), kNoRow, std::nullopt);
}

// ---- start ----

void StaffSessions::load(std::vector<StaffMember> staff, const Now& now) {
  set_staff(std::move(staff), now);
  const auto tries = shared_.store.registers().get(kTriesRegister);
  const auto sessions = shared_.store.registers().get(kSessionsRegister);
  if (!tries) return needs_.store_failed(tries.error());
  if (!sessions) return needs_.store_failed(sessions.error());
  tries_.load(tries->value_or(""), now.mono);
  const json read = json::parse(sessions->value_or("{}"), nullptr, false);
  if (!read.is_object()) return;
  for (const auto& [tablet, value] : read.items()) {
    const StaffId who(value.value("staff", ""));
    const auto since = contract::from_rfc3339(value.value("since", ""));
    if (!since) continue;
    // Nobody may know yet how late it is; longer than a whole session it does not get.
    const auto left =
        std::min<std::chrono::milliseconds>(*since + shared_.settings.staff_session_ends - now.wall,
                                            shared_.settings.staff_session_ends);
    sessions_[tablet] = {value.value("id", ""), who,      *since,
                         now.mono + left,       now.mono, value.value("locked", false)};
  }
  sign_leavers_out({}, now);
}

bool StaffSessions::keep(const Now& now, std::string_view kind, const std::string& by,
                         const std::string& detail) {
  json sessions = json::object();
  for (const auto& [tablet, session] : sessions_) {
    sessions[tablet] = {{"id", session.id},
                        {"staff", session.staff.str()},
                        {"since", contract::to_rfc3339(session.since)},
                        {"locked", session.locked}};
  }
  const auto kept = shared_.store.transaction([&](store::Tx& tx) {
    tx.registers().put(kSessionsRegister, contract::dump(sessions));
    tx.registers().put(kTriesRegister, tries_.text());
    if (!kind.empty()) tx.audit().append(now, std::string(kind), by, {}, detail);
  });
  if (!kept) needs_.store_failed(kept.error());
  return kept.has_value();
}

// ---- what tablets say ----

void StaffSessions::hear(contract::SignIn said, const Now& now) {
  using Kind = contract::SignIn::Kind;
  note_heard(said.tablet, now);
  if (said.kind == Kind::sign_in) return sign_in(std::move(said), now);
  Session* session = session_of(said.tablet, said.sign_in);
  if (session == nullptr) {
    // Who goes anyway need not hear it.
    if (said.kind == Kind::active) {
      refuse(said.tablet, said.id, Cause::not_signed_in, now);
    }
  } else if (said.kind == Kind::sign_out) {
    end(said.tablet, Why::signed_out, now);
  } else if (said.kind == Kind::lock) {
    lock(said.tablet, *session, now);
  } else if (!session->locked) {
    session->touched = now.mono;
  }
}

void StaffSessions::note_heard(const std::string& tablet, const Now& now) {
  if (heard_.size() < kMostTablets || heard_.contains(tablet)) heard_[tablet] = now.mono;
}

StaffSessions::Session* StaffSessions::session_of(const std::string& tablet,
                                                  const std::string& sign_in) {
  const auto found = sessions_.find(tablet);
  return found == sessions_.end() || found->second.id != sign_in ? nullptr : &found->second;
}

// A try is taken, and on the disk, before anybody knows whether it is right: pulling the plug gives
// none back.
void StaffSessions::check_pin(Check check, std::string pin, const Now& now) {
  const auto refused = [&](Cause cause) { refuse(check.tablet, check.id, cause, now); };
  if (staff_.empty()) return refused(Cause::no_staff);
  const auto* member = find(check.staff);
  if (member == nullptr || member->pin.empty()) return refused(Cause::unknown);
  if (const auto wait = tries_.take(keys_of(check.tablet, check.staff), now.mono)) {
    return refuse(check.tablet, check.id, Cause::wait, now, {}, wait);
  }
  if (!keep(now)) return refused(Cause::not_stored);
  check.pin_hash = member->pin;
  const auto job = next_check_++;
  checks_[job] = std::move(check);
  shared_.ports.check_pin(job, std::move(pin), member->pin);
}

void StaffSessions::sign_in(contract::SignIn said, const Now& now) {
  check_pin({said.tablet, said.id, said.staff, {}}, std::move(said.pin), now);
}

void StaffSessions::witness(Witness said, const Now& now, std::function<void(const Now&)> seen) {
  if (said.staff == said.signed_in) {
    return refuse(said.tablet, said.re, Cause::somebody_else, now);
  }
  check_pin({said.tablet, said.re, said.staff, {}, std::move(seen)}, std::move(said.pin), now);
}

void StaffSessions::checked(std::uint64_t job, bool right, const Now& now) {
  const auto found = checks_.find(job);
  if (found == checks_.end()) return;
  const Check check = std::move(found->second);
  checks_.erase(found);
  const auto keys = keys_of(check.tablet, check.staff);
  const auto* member = find(check.staff);
  // Meanwhile head office may have changed it, or them.
  if (member == nullptr || member->pin != check.pin_hash) {
    return refuse(check.tablet, check.id, Cause::unknown, now);
  }
  if (right) {
    tries_.right(keys);
    if (check.witnessed) return check.witnessed(now);
    return begin(check, now);
  }
  const int wrong = tries_.wrong("staff:" + check.staff.str());
  keep(now, "wrong_pin", "tablet:" + check.tablet,
       check.staff.str() + ", " + std::to_string(wrong) + " in a row");
  refuse(check.tablet, check.id, Cause::wrong_pin, now, tries_.left(keys),
         tries_.wait(keys, now.mono));
}

void StaffSessions::begin(const Check& check, const Now& now) {
  const auto held = sessions_.find(check.tablet);
  const bool again = held != sessions_.end() && held->second.staff == check.staff;
  const auto before = held == sessions_.end() ? std::nullopt : std::optional(held->second);
  if (before && !again) needs_.signed_out(check.tablet);
  Session session =
      again ? *before : Session{check.id, check.staff,
                                now.wall, now.mono + shared_.settings.staff_session_ends,
                                now.mono, false};
  session.locked = false;
  session.touched = now.mono;
  sessions_[check.tablet] = session;
  // A sign-in that no audit log has did not happen.
  if (!keep(now, again ? "unlock" : "sign_in", actor(check.staff), check.tablet)) {
    sessions_.erase(check.tablet);
    return refuse(check.tablet, check.id, Cause::not_stored, now);
  }
  tell(check.tablet, session, {}, now);
}

std::optional<StaffId> StaffSessions::who(const std::string& tablet, const std::string& sign_in,
                                          const std::string& re, const Now& now, Touch touch) {
  note_heard(tablet, now);
  Session* session = session_of(tablet, sign_in);
  if (session == nullptr || session->locked) {
    refuse(tablet, re, session == nullptr ? Cause::not_signed_in : Cause::locked, now);
    return std::nullopt;
  }
  if (touch == Touch::acts) session->touched = now.mono;
  return session->staff;
}

bool StaffSessions::may(const StaffId& staff, Role role) const {
  const auto* member = find(staff);
  return member != nullptr && member->roles.has(role);
}

std::vector<contract::Today::SignedIn> StaffSessions::signed_in() const {
  std::vector<contract::Today::SignedIn> out;
  for (const auto& [tablet, session] : sessions_) {
    out.push_back({tablet, session.staff, session.since, session.locked});
  }
  return out;
}

// ---- the end ----

void StaffSessions::end(const std::string& tablet, Why why, const Now& now) {
  const auto found = sessions_.find(tablet);
  if (found == sessions_.end()) return;
  const Session session = std::move(found->second);
  sessions_.erase(found);
  needs_.signed_out(tablet);
  keep(now, "sign_out", actor(session.staff),
       tablet + (why == Why::signed_out ? "" : ": " + std::string(contract::to_string(why))));
  tell(tablet, session, why, now);
}

void StaffSessions::lock(const std::string& tablet, Session& session, const Now& now) {
  if (session.locked) return;
  session.locked = true;
  keep(now);
  tell(tablet, session, {}, now);
}

void StaffSessions::tick(const Now& now) {
  std::vector<std::string> over;
  for (auto& [tablet, session] : sessions_) {
    if (session.ends <= now.mono) {
      over.push_back(tablet);
    } else if (session.touched + shared_.settings.staff_lock_after <= now.mono) {
      lock(tablet, session, now);
    }
  }
  for (const auto& tablet : over) end(tablet, Why::time, now);
}

// ---- the other boxes ----

void StaffSessions::hear(const contract::StaffSession& said, const Now& now) {
  if (said.box == shared_.settings.box.box) return;  // of an earlier start of ours
  const auto held = sessions_.find(said.tablet);
  const bool mine = held != sessions_.end();
  const bool same = mine && held->second.id == said.sign_in;
  if (said.state == StaffSession::State::over) {
    if (same) return end(said.tablet, said.why.value_or(Why::signed_out), now);
  } else if (!same && (!mine || held->second.since < said.since)) {
    const auto* member = find(said.staff);
    if (member == nullptr || member->pin.empty()) return;  // here they are nobody
    const auto left = std::clamp<std::chrono::milliseconds>(said.ends_at - now.wall, 0ms,
                                                            shared_.settings.staff_session_ends);
    if (mine) needs_.signed_out(said.tablet);
    sessions_[said.tablet] = {said.sign_in, said.staff,
                              said.since,   now.mono + left,
                              now.mono,     said.state == StaffSession::State::locked};
    keep(now, "sign_in", actor(said.staff), said.tablet + ", checked by " + said.box);
    return;
  }
  // A word about an older session stands now where the tablet looks for its own.
  if (mine && !same) tell(said.tablet, held->second, {}, now);
}

// ---- what is told ----

void StaffSessions::tell(const std::string& tablet, const Session& session, std::optional<Why> over,
                         const Now& now) {
  StaffSession said;
  said.tablet = tablet;
  said.box = shared_.settings.box.box;
  said.sign_in = session.id;
  said.state = over             ? StaffSession::State::over
               : session.locked ? StaffSession::State::locked
                                : StaffSession::State::on;
  said.why = over;
  said.staff = session.staff;
  if (const auto* member = find(session.staff)) {
    said.name = member->name;
    said.roles = member->roles;
  }
  said.since = session.since;
  said.ends_at = now.wall + std::chrono::ceil<std::chrono::milliseconds>(session.ends - now.mono);
  said.lock_after = shared_.settings.staff_lock_after;
  said.at = now.wall;
  untold_.erase(tablet);
  if (needs_.floor_up()) {
    shared_.ports.publish(contract::encode_session(said), kNoRow, std::nullopt);
  } else if (over) {
    untold_[tablet] = contract::encode_session(said);
  }
}

void StaffSessions::refuse(const std::string& tablet, const std::string& re, Cause cause,
                           const Now& now, std::optional<int> tries_left,
                           std::optional<std::chrono::seconds> retry_after) {
  if (!needs_.floor_up()) return;
  shared_.ports.publish(
      contract::encode_refusal({tablet, re, cause, tries_left, retry_after, now.wall}), kNoRow,
      kAnswerLife);
}

void StaffSessions::tell_all(const Now& now) {
  tell_staff(now);
  for (auto& [tablet, message] : std::exchange(untold_, {})) {
    shared_.ports.publish(std::move(message), kNoRow, std::nullopt);
  }
  for (const auto& [tablet, session] : sessions_) tell(tablet, session, {}, now);
}

bool StaffSessions::sign_out(const std::string& tablet, const Now& now) {
  if (!sessions_.contains(tablet)) return false;
  end(tablet, Why::signed_out, now);
  return true;
}

json StaffSessions::tablets(const Now& now) const {
  std::set<std::string> names;
  for (const auto& [tablet, at] : heard_) names.insert(tablet);
  for (const auto& [tablet, session] : sessions_) names.insert(tablet);
  json out = json::array();
  for (const auto& tablet : names) {
    json row{{"tablet", tablet}, {"heard_s_ago", nullptr}, {"staff", nullptr},
             {"name", nullptr},  {"locked", false},        {"since", nullptr}};
    if (const auto heard = heard_.find(tablet); heard != heard_.end()) {
      row["heard_s_ago"] =
          std::chrono::floor<std::chrono::seconds>(now.mono - heard->second).count();
    }
    if (const auto found = sessions_.find(tablet); found != sessions_.end()) {
      const Session& session = found->second;
      const auto* member = find(session.staff);
      row["staff"] = session.staff.str();
      row["name"] = member == nullptr ? session.staff.str() : member->name;
      row["locked"] = session.locked;
      row["since"] = contract::to_rfc3339(session.since);
    }
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace welcome::daemon
