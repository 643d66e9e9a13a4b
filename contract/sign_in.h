// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who uses a tablet: what it says of it (SignIn), and what boxes answer. A tablet is known by the
// account under whose topics it speaks. Pure functions; any thread.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/message.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/staff.h"
#include "core/time.h"

namespace welcome::contract {

// Tablet → box.
struct SignIn {
  enum class Kind : std::uint8_t { sign_in, sign_out, lock, active };
  std::string tablet;
  std::string id;  // of a sign_in: the session's, too
  Kind kind = Kind::sign_in;
  StaffId staff;        // sign_in
  std::string pin;      // sign_in; never logged, never stored
  std::string sign_in;  // the others: which session
};

// Box → tablet, and to the other boxes of the store; retained.
struct StaffSession {
  enum class State : std::uint8_t { on, locked, over };
  enum class Why : std::uint8_t { signed_out, somebody_else, time, left, new_pin };
  std::string tablet;
  std::string box;
  std::string sign_in;
  State state = State::on;
  std::optional<Why> why;  // over
  StaffId staff;
  std::string name;
  RoleSet roles;
  WallTime since;
  WallTime ends_at;
  std::chrono::seconds lock_after{};
  WallTime at;
};

// Box → tablet: what it did not take.
struct TabletRefusal {
  enum class Cause : std::uint8_t {
    wrong_pin,
    wait,
    unknown,        // nobody of this id works here, or they have no PIN yet
    no_staff,       // nobody works here, as far as the CRM has said
    not_signed_in,  // or another session
    locked,
    somebody_else,  // has to be the witness
    no_witness,     // the policy of the company allows none
    too_many,
    not_stored,
    not_allowed,  // to somebody of their roles
  };
  std::string tablet;
  std::string re;  // the tablet's message
  Cause cause = Cause::wrong_pin;
  std::optional<int> tries_left;                    // wrong_pin
  std::optional<std::chrono::seconds> retry_after;  // from when on a PIN is looked at again
  WallTime at;
};

// Box → tablets: who may sign in; retained. A member's PIN is not sent.
struct FloorStaff {
  std::string box;
  std::vector<StaffMember> staff;
  WallTime at;
};

std::string_view to_string(StaffSession::Why why);

Result<SignIn> decode_sign_in(const std::string& tablet, std::string_view payload);
Result<StaffSession> decode_session(const std::string& tablet, std::string_view payload);
Message encode_session(const StaffSession& session);
Message encode_refusal(const TabletRefusal& refusal);
Message encode_floor_staff(const FloorStaff& staff);

}  // namespace welcome::contract
