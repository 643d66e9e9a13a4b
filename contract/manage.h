// SPDX-License-Identifier: Apache-2.0
#pragma once
// What whoever runs the shop, or looks after the box, asks for on a tablet (Manage), and what each
// box answers (Managed). Who asks says the sign-in, whether they may their role. Pure functions;
// any thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/message.h"
#include "core/claim.h"
#include "core/consent_gate.h"
#include "core/ids.h"
#include "core/lights.h"
#include "core/result.h"
#include "core/staff.h"
#include "core/time.h"

namespace welcome::contract {

// Why a function is paused in the shop: a word, so that nobody is described.
enum class PauseReason : std::uint8_t {
  wrong,    // what it says is not right
  bothers,  // guests do not like it
  busy,     // there is no time for it
  broken,   // it does not work
  other,
};

// Tablet → box.
struct Manage {
  enum class Kind : std::uint8_t {
    today,
    pause,
    resume,
    rehearsal_start,
    rehearsal_stop,
    lights,
    signal,
    restart,
  };
  std::string tablet;
  std::string id;
  std::string sign_in;
  Kind kind = Kind::today;
  std::string box;                    // the one that is meant; empty: each of the store
  std::optional<Function> function;   // pause, resume
  std::optional<PauseReason> reason;  // pause
};
// Whose it is to ask for that.
Role role_for(Manage::Kind kind);
// Looks only: asking again and again keeps no tablet from locking itself.
constexpr bool only_looks(Manage::Kind kind) {
  return kind == Manage::Kind::today || kind == Manage::Kind::lights ||
         kind == Manage::Kind::signal;
}

// A pause that holds: head office's, or one that was made here.
struct PauseView {
  struct Here {
    StaffId staff;
    PauseReason reason = PauseReason::other;
    WallTime since;
  };
  Function function = Function::all;
  std::optional<Here> here;  // nothing: head office's
};

// A campaign that is tried in several ways, or against doing nothing.
struct ExperimentView {
  std::string campaign;
  std::string name;
  std::vector<std::string> variants;
  double holdout_percent = 0.0;
};

// The day of one box in numbers; nobody is in them.
struct Today {
  struct SignedIn {
    std::string tablet;
    StaffId staff;
    WallTime since;
    bool locked = false;
  };
  WallTime since;  // local midnight, or the first that the box has of this day
  int arrivals = 0;
  int greeted = 0;
  int greeted_at_once = 0;  // within a minute of coming in
  int served = 0;
  int offers = 0;
  int opened = 0;    // of these offers
  int redeemed = 0;  // of these offers
  int surveys = 0;
  std::map<std::string, int> why_not;  // offers, by the family of the reason
  std::vector<ExperimentView> experiments;
  std::vector<SignedIn> signed_in;
  std::vector<PauseView> paused;
  bool rehearsal = false;
};

// One of the nine, and what a technician can do about it.
struct LightView {
  Light light = Light::clock;
  Lamp lamp = Lamp::off;
  std::string what;
  std::string to_do;  // empty: nothing
};

// Somebody who is heard just now: how strong, by what, and where. No address, no identity, no name.
struct SignalView {
  enum class By : std::uint8_t { phone, fob };
  By by = By::phone;
  int bars = 1;  // 1 to 4
  Zone zone = Zone::street;
};

// Box → tablet.
struct Managed {
  std::string tablet;
  std::string re;  // the tablet's message
  std::string box;
  Manage::Kind kind = Manage::Kind::today;
  std::optional<Today> today;  // what a lead asks for: how it is now
  std::optional<std::vector<LightView>> lights;
  std::optional<std::vector<SignalView>> signal;
  WallTime at;
};

std::string_view to_string(Manage::Kind kind);
std::string_view to_string(PauseReason reason);
std::optional<PauseReason> pause_reason_from_string(std::string_view text);

Result<Manage> decode_manage(const std::string& tablet, std::string_view payload);
Message encode_managed(const Managed& managed);

}  // namespace welcome::contract
