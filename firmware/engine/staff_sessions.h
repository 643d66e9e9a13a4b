// SPDX-License-Identifier: Apache-2.0
#pragma once
// StaffSessions: who uses which tablet. Which members of staff there are (as the CRM says), signing
// in with a PIN, idle lock, end, and that a leaver is out at once. Sessions and wrong tries outlive
// a restart. The boxes of a store hear the same tablets: each checks by itself, and believes what
// another says of a session whose person it knows. Engine thread only.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "contract/manage.h"
#include "contract/sign_in.h"
#include "core/staff.h"
#include "firmware/engine/pin_tries.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class StaffSessions {
 public:
  using Cause = contract::TabletRefusal::Cause;
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
    virtual bool floor_up() const = 0;
    // What runs on this tablet must stop: its person is gone.
    virtual void signed_out(const std::string& tablet) = 0;
  };
  StaffSessions(Shared& shared, Needs& needs) : shared_(shared), needs_(needs) {}

  // At start. Who does not work here any more is signed out.
  void load(std::vector<StaffMember> staff, const Now& now);
  // Everybody who works here. Who is not among them, has no PIN or another one is signed out.
  void set_staff(std::vector<StaffMember> staff, const Now& now);

  void hear(contract::SignIn said, const Now& now);
  void checked(std::uint64_t job, bool right, const Now& now);
  // Of another box of the store.
  void hear(const contract::StaffSession& said, const Now& now);

  // Who did what this tablet says under this session, which goes on by it; nothing: nobody did, and
  // the tablet was told why. `re`: the message.
  // Who only looks keeps no tablet from locking itself.
  enum class Touch : std::uint8_t { acts, looks };
  std::optional<StaffId> who(const std::string& tablet, const std::string& sign_in,
                             const std::string& re, const Now& now, Touch touch = Touch::acts);
  // Whether head office gave them that role.
  bool may(const StaffId& staff, Role role) const;
  std::vector<contract::Today::SignedIn> signed_in() const;

  // More came from this tablet than is looked at.
  void refuse_too_many(const std::string& tablet, const Now& now) {
    refuse(tablet, "-", Cause::too_many, now);
  }
  // Somebody else of the store's staff says with their PIN that they saw it, on the tablet of who
  // is signed in there; `seen` is called when the PIN was right, and otherwise the tablet is told.
  struct Witness {
    std::string tablet;
    std::string re;  // the message
    StaffId signed_in;
    StaffId staff;
    std::string pin;
  };
  void witness(Witness said, const Now& now, std::function<void(const Now&)> seen);

  // The tablet is told that its message `re` was not taken.
  void refuse(const std::string& tablet, const std::string& re, Cause cause, const Now& now,
              std::optional<int> tries_left = {},
              std::optional<std::chrono::seconds> retry_after = {});

  // The floor's broker knows nothing of it: says it all again.
  void tell_all(const Now& now);
  void tick(const Now& now);

  // A technician takes the tablet away; false: nobody is signed in.
  bool sign_out(const std::string& tablet, const Now& now);

  // For welcomectl: each tablet that was heard since the start, or has somebody signed in.
  nlohmann::json tablets(const Now& now) const;

 private:
  using Why = contract::StaffSession::Why;
  struct Session {
    std::string id;
    StaffId staff;
    WallTime since;
    MonoTime ends;
    MonoTime touched;
    bool locked = false;
  };
  struct Check {
    std::string tablet;
    std::string id;  // of the message
    StaffId staff;
    std::string pin_hash;                         // it was checked against
    std::function<void(const Now&)> witnessed{};  // no sign-in: who else was there says so
  };

  void sign_in(contract::SignIn said, const Now& now);
  void check_pin(Check check, std::string pin, const Now& now);
  void begin(const Check& check, const Now& now);
  void sign_leavers_out(const std::map<StaffId, StaffMember>& before, const Now& now);
  void end(const std::string& tablet, Why why, const Now& now);
  void lock(const std::string& tablet, Session& session, const Now& now);
  void tell(const std::string& tablet, const Session& session, std::optional<Why> over,
            const Now& now);
  void tell_staff(const Now& now);
  // Writes down sessions and tries, and `kind` for the audit trail where it is given. False: the
  // disk does not take it.
  bool keep(const Now& now, std::string_view kind = {}, const std::string& actor = {},
            const std::string& detail = {});
  const StaffMember* find(const StaffId& staff) const;
  void note_heard(const std::string& tablet, const Now& now);
  Session* session_of(const std::string& tablet, const std::string& sign_in);

  Shared& shared_;
  Needs& needs_;
  std::map<StaffId, StaffMember> staff_;
  std::map<std::string, Session> sessions_;          // by tablet
  std::map<std::string, contract::Message> untold_;  // of what ended while the floor was away
  std::map<std::string, MonoTime> heard_;            // tablet → when last
  PinTries tries_;
  std::map<std::uint64_t, Check> checks_;
  std::uint64_t next_check_ = 1;
};

}  // namespace welcome::daemon
