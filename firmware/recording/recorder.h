// SPDX-License-Identifier: Apache-2.0
#pragma once
// Recorder: writes down what a day's decisions are made from, so that `welcomectl replay` can make
// them again. format.h is what it writes, cast.h who may appear in it.
//
// Engine thread only. A disk that refuses ends the recording, never the decision.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/pipeline.h"
#include "core/timekeeper.h"
#include "firmware/recording/cast.h"
#include "firmware/recording/day_files.h"
#include "firmware/store/store.h"

namespace welcome::recording {

class Recorder : public Pipeline::IdSource {
 public:
  // `days` is how long a recording is kept; 0 = nothing is recorded. Ids come from `ids` either
  // way.
  Recorder(std::filesystem::path dir, int days, store::Store& store, Pipeline::IdSource& ids);

  // What the rules stand on when a file begins.
  struct Beginning {
    std::string box;
    std::int64_t session = 0;
    PipelineSettings settings;
    std::vector<std::string> campaigns;  // items of the feed, as JSON
    std::optional<std::string> policy;   // the same
    std::vector<StateRow> rows;
  };
  // True when a file should begin: none is open, or its day is over and `quiet` (nobody is near, so
  // nothing is cut in two) or long over.
  bool wants_to_begin(const Pipeline& pipeline, const Now& now) const;
  void begin(const Beginning& beginning, const Pipeline& pipeline, Pipeline::Directory& directory,
             const Now& now);

  // Around every handle() of the pipeline. `item`: the JSON of a campaign or policy that the event
  // brings.
  void before(const Event& event, const Pipeline& pipeline, Pipeline::Directory& directory,
              const Now& now);
  void after(const Event& event, std::string_view item, const Effects& effects, const Now& now);

  // The customer's part of all recordings has become unreadable: the key is gone from the store
  // (store::Tx::withdraw).
  void forget(const CustomerId& customer) { cast_.forget(customer); }
  // Hands what was written to the disk, and new keys to the store.
  void flush(const Now& now);
  // Files that are too old go, and keys that no file needs.
  void apply_retention(const AgreedTime& now);

  bool recording() const { return file_.is_open(); }
  // Names, oldest first.
  std::vector<std::string> names() const { return days_on_disk_.names(); }
  // The files whose names begin like this.
  std::vector<std::filesystem::path> files(std::string_view prefix) const {
    return days_on_disk_.starting_with(prefix);
  }
  const CardKeys& keys() const { return cast_.keys(); }

  // Pipeline::IdSource
  std::string next() override { return ids_.next(); }
  std::string visit(const CustomerId& customer) override;

 private:
  std::optional<Who> introduce(const CustomerId& customer, const Pipeline& pipeline,
                               Pipeline::Directory& directory);
  bool open_file(const std::string& name);
  std::vector<Row> rows_of(const Beginning& beginning, const Pipeline& pipeline,
                           Pipeline::Directory& directory);
  void write(const Line& line);
  void stop(std::string_view why);
  std::string day_of(const Pipeline& pipeline, WallTime wall) const;

  const DayFiles days_on_disk_;
  const int days_;
  Pipeline::IdSource& ids_;
  Cast cast_;
  std::ofstream file_;
  std::string day_;  // of the open file
  std::uintmax_t bytes_ = 0;
  bool gave_up_ = false;  // for this day: the disk refused, or there is enough
  std::vector<std::pair<CustomerId, std::string>> visits_;  // begun in this event
  std::optional<Sealed> sealed_;  // what only her key opens, of this event
};

}  // namespace welcome::recording
