// SPDX-License-Identifier: Apache-2.0
#pragma once
// What was decided on the recorded day and what is decided now, side by side.

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/pipeline.h"

namespace welcome::recording {

struct Made {  // a decision, as far as it can be compared
  DecisionId id;
  DecisionKind kind = DecisionKind::offer;
  Reason reason = Reason::made;
  CustomerId customer;
  CampaignId campaign;
  std::string variant;
  std::string survey;

  bool same(const Made& other) const;
};

class Comparison {
 public:
  void happened(const Now& now);
  // Of one event: the decisions of the day, and those that came of it now.
  // True at `i`: the two differ there.
  std::vector<bool> compare(const std::vector<Made>& then, const std::vector<Decision>& now,
                            WallTime at);
  void left_out(const std::string& key) { left_out_.insert(key); }

  // The answer for welcomectl.
  nlohmann::json report(const std::vector<std::filesystem::path>& files) const;

 private:
  // What one campaign did.
  struct Deeds {
    int offers = 0;
    std::set<CustomerId> customers;
    std::map<std::string, int> suppressed;  // by reason

    void count(const Made& made);
    nlohmann::json to_json() const;
    std::string to_text() const;
  };
  using ByCampaign = std::map<std::string, Deeds>;

  struct Difference {
    WallTime at;
    std::string customer;
    std::string then, now;    // in words
    std::vector<Step> steps;  // of now
  };

  static void tally(const Made& made, ByCampaign& deeds);
  static Difference difference(const Made* then, const Decision* now, WallTime at);
  void describe(nlohmann::json& lines) const;
  nlohmann::json campaigns(nlohmann::json& lines) const;

  std::set<std::string> left_out_;  // keys of cards
  std::int64_t events_ = 0;
  std::optional<WallTime> from_;
  WallTime until_;
  ByCampaign then_, now_;
  int differences_ = 0;
  std::optional<Difference> first_;
};

}  // namespace welcome::recording
