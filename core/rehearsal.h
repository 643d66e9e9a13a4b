// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rehearsal: invented customers walk in again and again, so that new staff can practise on the real
// tablet. A pipeline of its own with a gate and a directory of its own: real customers, the store
// and the uplink are out of its reach. Publish its prompts on the floor, and nothing else.
//
// Engine thread only. Start it while no real customer's prompt is to be shown, or beside them.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/pipeline.h"

namespace welcome {

class Rehearsal {
 public:
  // The policy is the store's, so that staff see what they will see.
  Rehearsal(Pipeline::IdSource& ids, Policy policy, const Now& now);

  // Plays what is due. Call again at `wake_at`. Effects hold prompts to publish and to clear;
  // visits and decisions are not to be reported, rows there are none.
  Effects advance(const Now& now);
  Effects staff(const StaffAction& action, const Now& now);
  // Everybody leaves; the prompts to clear.
  Effects stop(const Now& now);

  bool has(const VisitId& visit) const;

 private:
  struct Cast : Pipeline::Directory {
    explicit Cast(std::map<CustomerId, Profile> people) : profiles(std::move(people)) {}
    const Profile* profile(const CustomerId& customer) override;
    std::optional<std::string> facts(const CustomerId&) override { return std::nullopt; }
    std::map<CustomerId, Profile> profiles;
  };
  struct Cue {
    std::chrono::seconds at;
    CustomerId who;
    Zone zone;
    bool face;
  };
  Effects play(const Cue& cue, const Now& now);
  MonoTime due(std::size_t cue) const;

  Cast cast_;
  Pipeline pipeline_;
  std::vector<Cue> cues_;  // one round, by time
  MonoTime round_;         // when this round began
  std::size_t next_ = 0;
};

}  // namespace welcome
