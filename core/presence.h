// SPDX-License-Identifier: Apache-2.0
#pragma once
// Presence: one customer near or in the store, as the pipeline tracks her. Internal to the core.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/claim.h"
#include "core/decision.h"
#include "core/ids.h"
#include "core/level.h"
#include "core/purpose.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome {

inline constexpr std::size_t kZones = 5;
inline constexpr std::size_t kSources = 6;

struct Presence {
  // encounter: in the street. in_store: a visit. lingering: the visit has ended but she is still
  // in reach; nothing happens until she is gone or comes in again.
  enum class Stage : std::uint8_t { encounter, in_store, lingering };

  VisitId visit;
  CustomerId customer;
  Stage stage = Stage::encounter;
  WallTime started_at;  // of the encounter, then of the visit
  WallTime last_seen;
  MonoTime last_heard;  // in any zone but away, or seen
  MonoTime last_radio;  // the same by radio alone; or since when she is known at all
  MonoTime last_in;     // in the store
  Zone fast = Zone::away;
  Zone settled = Zone::away;
  Zone zone = Zone::away;  // of the visit: settled, or where the face is
  std::array<std::optional<MonoTime>, kZones> reach_since{};    // fast at least this near
  std::array<std::optional<MonoTime>, kZones> settled_since{};  // settled at least this near
  std::array<std::optional<MonoTime>, kSources> heard{};
  MonoTime still_since;  // no change of zone and no face since

  double face_evidence = 0.0;        // the best of this visit
  std::optional<double> face_rival;  // another customer's best on the same track
  std::optional<MonoTime> face_at;
  Zone face_zone = Zone::away;
  std::uint64_t face_track = 0;
  bool not_this_person = false;

  double log_odds = 0.0;
  Level level = Level::near;
  bool confirmed = false;  // said once
  PurposeSet purposes;

  std::vector<std::uint64_t> fired;       // triggers, by key
  std::vector<std::uint64_t> suppressed;  // campaign and reason, recorded once a visit
  std::vector<std::string> actions;       // ids of staff actions taken

  DecisionId prompt;  // empty: none raised
  bool prompt_shown = false;
  PromptState prompt_state = PromptState::fresh;
  StaffId claimed_by;
  WallTime prompt_since;
  MonoTime prompt_renew_at;
  std::uint64_t prompt_print = 0;  // what the tablet shows now

  // Not stored: found again from the rest.
  std::optional<MonoTime> timer;
  std::vector<std::uint16_t> unfired;  // the pipeline's triggers that may still fire
  std::uint64_t unfired_of = 0;        // which set of triggers that is
  bool prompt_stale = true;            // something that the tablet shows may have changed
  bool face_candidate = false;
  bool dirty = false;               // the row must be written
  std::optional<MonoTime> written;  // when that was, in this run

  bool persistent() const { return stage == Stage::in_store || !fired.empty(); }
};

// The row of a presence. Monotonic times are kept as ages, so that a restart can go on.
std::string encode(const Presence& presence, const Now& now);
Result<Presence> decode_presence(std::string_view text, const Now& now);

}  // namespace welcome
