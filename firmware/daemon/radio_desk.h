// SPDX-License-Identifier: Apache-2.0
#pragma once
// RadioDesk: what `welcomectl radio …` asks of the radio while the box works: recordings, the live
// table, the samples of a walk test and the thresholds made of them. Knows strangers as counts
// only, unless a recording was asked for with them. Engine thread; idle when nobody asks.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "beacon/capture_writer.h"
#include "beacon/tracker.h"
#include "core/result.h"
#include "firmware/control/protocol.h"
#include "firmware/daemon/control_server.h"

namespace welcome::daemon {

class RadioDesk {
 public:
  // Called on the engine thread.
  struct World {
    // The CRM's ids of a customer's identities of that kind.
    std::function<std::string(const CustomerId&, beacon::IdentityKind)> identity_ids;
    std::function<nlohmann::json()> health;  // of the radio
    // Into the audit trail; what cannot be noted is not done.
    std::function<Result<void>(const std::string& detail)> note;
  };

  // The tracker outlives the desk.
  RadioDesk(World world, const beacon::Tracker& tracker);

  // "radio record", "radio watch", "radio sample" or "radio thresholds".
  void on_request(const control::Request& request, std::shared_ptr<Answer> answer, const Now& now);
  // A report that the tracker has just handled.
  void heard(const beacon::AdvertReport& report, const Now& now);
  void tick(const Now& now);  // about every 50 ms

 private:
  using Key = std::pair<CustomerId, beacon::IdentityKind>;

  struct Recording {
    std::shared_ptr<Answer> answer;
    beacon::CaptureWriter writer;
    MonoTime started;
    MonoTime ends;
    MonoTime next_progress;
    std::uint64_t max_bytes = 0;
    std::uint64_t bytes = 0;
  };
  struct Row {
    std::uint64_t reports = 0;  // since the last table
    double rssi_sum = 0.0;
    std::uint64_t rssi_count = 0;
    std::optional<double> rssi;  // mean of the last table with reports; nothing: not measured
    MonoTime heard;
    bool impossible_power = false;
  };
  struct Watching {
    std::shared_ptr<Answer> answer;
    MonoTime since;
    MonoTime ends;
    beacon::TrackerCounters before;
    std::map<Key, Row> rows;
  };
  struct Sampling {
    std::shared_ptr<Answer> answer;
    MonoTime started;
    MonoTime ends;
    MonoTime next_progress;
    // By second since `started`: sum of levels, their number.
    std::map<Key, std::map<std::int64_t, std::pair<double, std::uint64_t>>> levels;
  };

  void start_recording(const nlohmann::json& args, std::shared_ptr<Answer> answer, const Now& now);
  void thresholds(const nlohmann::json& args, Answer& answer) const;
  // True when it has ended.
  bool serve(Recording& recording, const Now& now);
  bool serve(Watching& watching, const Now& now);
  bool serve(Sampling& sampling, const Now& now) const;
  nlohmann::json table(Watching& watching, const Now& now) const;
  nlohmann::json named(const Key& key) const;

  World world_;
  const beacon::Tracker& tracker_;
  std::vector<Recording> recordings_;
  std::vector<Watching> watchings_;
  std::vector<Sampling> samplings_;
};

}  // namespace welcome::daemon
