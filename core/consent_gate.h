// SPDX-License-Identifier: Apache-2.0
#pragma once
// ConsentGate: the one place that says whether a person may be acted on. It fails closed: no
// record, no fresh word from the CRM, or no trusted clock means no.
//
// Engine thread only. Holds a compact standing per customer and purpose, not the records.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/claim.h"
#include "core/consent.h"
#include "core/purpose.h"
#include "core/sighting.h"
#include "core/time.h"

namespace welcome {

// What head office can pause. `all` is a switch of its own: resuming `face` does not undo it.
enum class Function : std::uint8_t { face, offers, prompts, surveys, all };
inline constexpr std::array kAllFunctions{Function::face, Function::offers, Function::prompts,
                                          Function::surveys, Function::all};

std::string_view to_string(Function function);
std::optional<Function> function_from_string(std::string_view text);

enum class ConsentVerdict : std::uint8_t {
  permitted,
  never_given,
  withdrawn,
  expired,
  stale,            // the CRM has been silent for longer than the policy allows
  clock_untrusted,  // expiry and freshness cannot be judged
  forgotten,        // erased: nothing brings this customer back
  paused,           // the function is paused (faces only; offers and prompts say it themselves)
  not_yet,          // the grant bears a time that is still to come: it waits
};
inline constexpr std::size_t kConsentVerdicts = 9;

std::string_view to_string(ConsentVerdict verdict);

// On what all consents stand.
enum class ConsentFooting : std::uint8_t { firm, crm_silent, clock_not_set };

class ConsentGate {
 public:
  // Tombstones are kept as whatever `tombstone_key` makes of a customer id (the daemon passes a
  // keyed hash), so that the list of the forgotten names nobody.
  using TombstoneKey = std::function<std::string(const CustomerId&)>;

  ConsentGate();
  explicit ConsentGate(TombstoneKey tombstone_key);

  // The CRM said something (any feed message or an answer to hello) at this time of our clock.
  void heard_from_crm(WallTime at) { last_heard_ = at; }
  std::optional<WallTime> last_heard() const { return last_heard_; }
  void set_max_age(std::chrono::hours max_age) { max_age_ = max_age; }
  // No word for longer than that, or one that our clock says is still to come: it was set back, and
  // how old the word is cannot be said.
  bool stale(const Now& now) const;
  ConsentFooting footing(const Now& now) const {
    return !now.wall_trusted ? ConsentFooting::clock_not_set
           : stale(now)      ? ConsentFooting::crm_silent
                             : ConsentFooting::firm;
  }

  // Merges the record's history into what is known. False if the customer is forgotten.
  bool put(const ConsentRecord& record);
  // The CRM deleted the record: its grants are gone, a withdrawal stays remembered.
  void remove(const CustomerId& customer, Purpose purpose);
  void forget(const CustomerId& customer);
  bool forgotten(const CustomerId& customer) const;
  // The person came back: a consent given after the erasure may count.
  void lift(const CustomerId& customer) { tombstones_.erase(tombstone_key_(customer)); }
  void restore_tombstones(const std::vector<std::string>& keys);

  void set_paused(Function function, bool paused);
  bool paused(Function function) const;

  ConsentVerdict verdict(const CustomerId& customer, Purpose purpose, const Now& now) const;
  bool permits(const CustomerId& customer, Purpose purpose, const Now& now) const {
    return verdict(customer, purpose, now) == ConsentVerdict::permitted;
  }
  PurposeSet purposes(const CustomerId& customer, const Now& now) const;
  ConsentStanding standing(const CustomerId& customer, Purpose purpose) const;

  // So many will be known soon.
  void expect(std::size_t people) { people_.reserve(people); }

  // Radio and app claims need `proximity_offers`, face claims `face_recognition`.
  std::optional<Sighting> admit(const IdentityClaim& claim, const Now& now);
  std::optional<FaceConsent> face_consent(const CustomerId& customer, const Now& now) const;

  // The second lock: only these customers' BLE keys and face templates may be loaded.
  std::vector<CustomerId> loadable_keys(const Now& now) const;
  std::vector<FaceConsent> loadable_faces(const Now& now) const;

  // When a verdict will next change by itself (an expiry, the CRM's silence, a grant whose time
  // comes), if ever.
  std::optional<WallTime> next_change(const Now& now);

  // Claims turned away, by verdict; no customer is named.
  const std::array<std::uint64_t, kConsentVerdicts>& turned_away() const { return turned_away_; }

 private:
  // 24 bytes a purpose instead of 48: with 100,000 customers it shows.
  struct Packed {
    static constexpr std::int64_t kNone = INT64_MIN;
    std::int64_t given = kNone;
    std::int64_t withdrawn = kNone;
    std::int64_t expires = kNone;
  };
  struct Person {
    std::array<Packed, kAllPurposes.size()> purposes;
  };
  // libstdc++ takes a hash that is noexcept for a fast one, keeps no codes in the table, and hashes
  // the text again at every step of a look-up; this one it keeps.
  struct KeptHash {
    std::size_t operator()(const CustomerId& c) const { return std::hash<CustomerId>()(c); }
  };
  static Packed pack(const ConsentStanding& standing);
  static ConsentStanding unpack(const Packed& packed);
  ConsentVerdict judge(const Packed& packed, const Now& now) const;
  void collect_expiries();
  PurposeSet purposes(const Person& person, const Now& now) const;

  TombstoneKey tombstone_key_;
  std::unordered_map<CustomerId, Person, KeptHash> people_;
  std::unordered_set<std::string> tombstones_;
  std::optional<WallTime> last_heard_;
  std::chrono::hours max_age_{72};
  mutable std::optional<WallTime> next_grant_;  // the first that judge() has found to be waiting
  std::priority_queue<WallTime, std::vector<WallTime>, std::greater<>> expiries_;
  WallTime expiries_after_{};  // the earlier ones were over, and are not in there any more
  std::array<bool, kAllFunctions.size()> paused_{};
  std::array<std::uint64_t, kConsentVerdicts> turned_away_{};
};

}  // namespace welcome
