// SPDX-License-Identifier: Apache-2.0
#pragma once
// Player: puts recorded events through the rules again, file by file. Needs no store and no clock.
// One thread.

#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/pipeline.h"
#include "core/result.h"
#include "firmware/recording/cards.h"
#include "firmware/recording/comparison.h"
#include "firmware/recording/format.h"
#include "firmware/recording/replay.h"

namespace welcome::recording {

// What the directory and the store would answer in the world of one file.
struct RecordedWorld : Pipeline::Directory, Pipeline::IdSource {
  const Profile* profile(const CustomerId& customer) override;
  std::optional<std::string> facts(const CustomerId& customer) override;
  std::string next() override;
  std::string visit(const CustomerId& customer) override;

  std::unordered_map<CustomerId, Profile> profiles;
  std::unordered_map<CustomerId, std::string> facts_rows;
  std::map<CustomerId, std::string> visits;  // that begin in this event
  std::deque<std::string> decisions;         // of this event
  std::uint64_t count = 0;
};

class Player {
 public:
  // Both outlive it.
  Player(const ReplayOrder& order, const std::stop_token& stop) : order_(order), stop_(stop) {}

  // Errors as replay().
  Result<void> play(const std::filesystem::path& path);
  const Comparison& comparison() const { return comparison_; }

 private:
  class EventOf;

  void begin_file();
  Result<void> take(Line line);
  // Who cannot be read stays a number without a person.
  Result<void> meet(const Card& card);
  Result<void> begin(const Head& head);
  Result<void> load_rules(const Head& head);
  std::vector<StateRow> rows_of(const Head& head) const;
  Result<void> happen(const Moment& moment);
  void wake_until(const Now& now);
  void settle(const Effects& effects, const std::vector<Made>& then, const Now& now);
  void keep(const Effects& effects);

  const CustomerId* person(Who who) const;
  bool replaced(const CampaignId& id) const;

  const ReplayOrder& order_;
  const std::stop_token& stop_;
  Comparison comparison_;
  RecordedWorld world_;
  std::map<Who, std::pair<CustomerId, CardKey>> people_;
  std::map<std::uint64_t, CustomerId> aliases_;
  std::vector<Card> before_head_;
  std::vector<ConsentRecord> consents_;  // of cards before the first event
  std::optional<Head> head_;
  std::optional<Pipeline> pipeline_;
  std::optional<MonoTime> wake_;
  std::set<DecisionId> own_;  // decided otherwise than then: what became of those is not theirs
};

}  // namespace welcome::recording
