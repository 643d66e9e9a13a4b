// SPDX-License-Identifier: Apache-2.0
#pragma once
// What everybody of a random week (week_test.cpp) agreed to, and how long a box may go by it.

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "contract/message.h"
#include "core/pipeline.h"
#include "core/purpose.h"
#include "core/time.h"

namespace welcome::test {

inline constexpr std::chrono::hours kConsentMaxAge{72};  // as the week's policy says

// What the box was told, and can be held to. A grant counts from the moment it is on its way; a
// withdrawal when the box has taken it in, and after a pulled plug only if it was on the disk.
class Model {
 public:
  void grant(int n, Purpose p, WallTime at, std::optional<WallTime> expires) {
    auto& t = told_[{n, p}];
    // What was said before they were forgotten is no measure of what they say since, ...
    if (!std::exchange(t.forgotten, false) && t.given && *t.given > at) return;
    // ... and a newer record may give the same step another end.
    const bool again = t.given == at;
    if (t.given && !again) t.before[*t.given] = t.expires;
    if (!again || !expires) {
      t.expires = expires;
    } else if (t.expires) {
      t.expires = std::max(t.expires, expires);
    }
    t.given = at;
  }
  // The box has it: what was given before counts no more for itself.
  void has(int n, Purpose p, WallTime at, bool on_disk) {
    if (on_disk)
      std::erase_if(told_[{n, p}].before, [&](const auto& one) { return one.first < at; });
  }
  void withdrawn(int n, Purpose p, WallTime at, bool on_disk) {
    auto& t = told_[{n, p}];
    t.withdrawn = std::max(t.withdrawn.value_or(at), at);
    if (on_disk) t.withdrawn_on_disk = t.withdrawn;
  }
  void erased(int n, WallTime at, bool on_disk) {
    erased_[n].now = at;
    for (const Purpose p : kAllPurposes) {
      told_[{n, p}].forgotten = true;
      answered(n, p, on_disk);
    }
    if (on_disk) erased_[n].on_disk = at;
  }
  // Said at the desk, and not yet confirmed: it counts at this box, for this visit.
  void said_at_desk(int n, Purpose p, WallTime at) { desk_[{n, p}][at] = {}; }
  // It was confirmed, refused or over; `at`: that pledge alone.
  void answered(int n, Purpose p, bool on_disk, std::optional<WallTime> at = {}) {
    for (auto& [said, pledge] : desk_[{n, p}]) {
      if (at && said != *at) continue;
      pledge.over = true;
      pledge.over_on_disk = pledge.over_on_disk || on_disk;
    }
  }
  // Of pledges that still wait, the last.
  std::optional<WallTime> waits(int n, Purpose p) const {
    std::optional<WallTime> last;
    const auto found = desk_.find({n, p});
    if (found == desk_.end()) return last;
    for (const auto& [said, pledge] : found->second) {
      if (!pledge.over) last = said;
    }
    return last;
  }
  void heard(MonoTime at) { heard_ = at; }
  void all_on_disk() {
    for (auto& [key, t] : told_) t.withdrawn_on_disk = t.withdrawn;
    for (auto& [key, pledges] : desk_) {
      for (auto& [at, pledge] : pledges) pledge.over_on_disk = pledge.over;
    }
  }
  void plug_pulled() {
    for (auto& [key, t] : told_) t.withdrawn = t.withdrawn_on_disk;
    for (auto& [key, pledges] : desk_) {
      for (auto& [at, pledge] : pledges) pledge.over = pledge.over_on_disk;
    }
    for (auto& [n, e] : erased_) e.now = e.on_disk;
  }

  // Withdrawn or erased, and the box knows.
  bool revoked(int n, Purpose p) const {
    const auto found = told_.find({n, p});
    return over(n, p, found == told_.end() ? std::nullopt : found->second.given) &&
           over(n, p, waits(n, p));
  }
  bool gone(int n) const { return erased_.contains(n) && erased_.at(n).now; }
  // Forgotten for good (on a full disk the CRM is told that it failed, and asks again), and has
  // agreed to nothing since.
  bool forgotten(int n) const {
    return gone(n) && erased_.at(n).on_disk == erased_.at(n).now &&
           std::none_of(told_.begin(), told_.end(), [&](const auto& told) {
             const auto& [whose, p] = told.first;
             return whose == n &&
                    (told.second.given > erased_.at(n).now || waits(n, p) > erased_.at(n).now);
           });
  }
  bool may(int n, Purpose p, const Now& now) const {
    if (!now.wall_trusted || !heard_ || now.mono - *heard_ > kConsentMaxAge + std::chrono::hours(1))
      return false;
    // A grant waits for its time. What two clocks may differ by cannot be seen.
    const auto counts = [&](std::optional<WallTime> given, std::optional<WallTime> expires) {
      return !over(n, p, given) && *given <= now.wall && (!expires || now.wall < *expires);
    };
    if (counts(waits(n, p), {})) return true;
    const auto found = told_.find({n, p});
    if (found == told_.end()) return false;
    const Told& t = found->second;
    return counts(t.given, t.expires) ||
           std::any_of(t.before.begin(), t.before.end(),
                       [&](const auto& one) { return counts(one.first, one.second); });
  }
  // For who has to find out why.
  std::string what_of(int n, Purpose p, const Now& now) const {
    const auto text = [](std::optional<WallTime> at) {
      return at ? contract::to_rfc3339(*at) : std::string("never");
    };
    const auto found = told_.find({n, p});
    const Told t = found == told_.end() ? Told{} : found->second;
    const auto erased = erased_.find(n);
    return "at " + text(now.wall) + (now.wall_trusted ? "" : " (not trusted)") + ": given " +
           text(t.given) + ", expires " + text(t.expires) + ", withdrawn " + text(t.withdrawn) +
           ", at the desk " + text(waits(n, p)) + ", erased " +
           (erased == erased_.end() ? "never" : text(erased->second.now)) + ", the CRM heard " +
           (heard_ ? std::to_string((now.mono - *heard_) / std::chrono::seconds(1)) + " s ago"
                   : "never");
  }
  bool may_be_noticed(int n, const Now& now) const {
    return may(n, Purpose::proximity_offers, now) || may(n, Purpose::face_recognition, now);
  }

 private:
  struct Told {
    std::optional<WallTime> given, expires, withdrawn, withdrawn_on_disk;
    bool forgotten = false;  // since it was given
    // Of before, each with its end: a box that has not got the newest yet goes by them.
    std::map<WallTime, std::optional<WallTime>> before;
  };
  struct Erased {
    std::optional<WallTime> now, on_disk;
  };
  struct Pledge {
    bool over = false, over_on_disk = false;
  };
  // A grant of then, or none, is taken back.
  bool over(int n, Purpose p, std::optional<WallTime> given) const {
    if (!given) return true;
    const auto found = told_.find({n, p});
    if (found != told_.end() && found->second.withdrawn && *given <= *found->second.withdrawn)
      return true;
    return gone(n) && *given <= *erased_.at(n).now;
  }
  std::map<std::pair<int, Purpose>, Told> told_;
  std::map<std::pair<int, Purpose>, std::map<WallTime, Pledge>> desk_;  // by when it was said
  std::map<int, Erased> erased_;
  std::optional<MonoTime> heard_;
};

}  // namespace welcome::test
