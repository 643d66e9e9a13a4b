#pragma once
// Recorder: writes down what a day's decisions are made from, so that `welcomectl replay` can make
// them again. replay.h reads it; docs/decide.md, "Recordings", has the format.
//
// A customer is a number in the file. Who that is, and what the rules may know of her (no name, no
// note, no key of a phone, no template), stands on a card that is sealed under a key of her own.
// The keys are in the store; hers goes with the first consent that she withdraws, and then her part
// of every recording is noise.
//
// Engine thread only. A disk that refuses ends the recording, never the decision.

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/pipeline.h"
#include "firmware/store/store.h"

namespace welcome::recording {

struct CardKey {
  std::string id;  // names the key on the card; random
  std::array<std::uint8_t, 32> secret{};
};

// By the key's id: whose it is.
using CardKeys = std::map<std::string, std::pair<CustomerId, CardKey>, std::less<>>;

std::string seal_card(const CardKey& key, std::string_view plain);
std::optional<std::string> open_card(const CardKey& key, std::string_view sealed);

nlohmann::json settings_json(const PipelineSettings& settings);
PipelineSettings settings_of(const nlohmann::json& json);

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

  // Her part of all recordings becomes unreadable. Within the transaction of what demands it.
  void forget(const CustomerId& customer);
  // Hands what was written to the disk, and new keys to the store.
  void flush(const Now& now);
  // Files that are too old go, and keys that no file needs.
  void apply_retention(const Now& now);

  bool recording() const { return file_.is_open(); }
  // Names, oldest first.
  std::vector<std::string> names() const;
  // The files whose names begin like this.
  std::vector<std::filesystem::path> files(std::string_view prefix) const;
  const CardKeys& keys() const { return keys_; }

  // Pipeline::IdSource
  std::string next() override { return ids_.next(); }
  std::string visit(const CustomerId& customer) override;

 private:
  struct Known {
    int who;
    std::string key;
  };
  std::optional<int> who(const CustomerId& customer) const;
  // Nothing for the forgotten.
  std::optional<int> introduce(const CustomerId& customer, const Pipeline& pipeline,
                               Pipeline::Directory& directory);
  const CardKey& key_of(const CustomerId& customer);
  std::uint64_t salted(std::uint64_t alias) const;
  std::string sealed(const CustomerId& customer, const nlohmann::json& what);
  nlohmann::json line_of(const Event& event, std::string_view item);
  void write(const nlohmann::json& line);
  void stop(std::string_view why);
  std::string day_of(const Pipeline& pipeline, WallTime wall) const;
  std::filesystem::path path_of(const std::string& name) const;

  const std::filesystem::path dir_;
  const int days_;
  store::Store& store_;
  Pipeline::IdSource& ids_;
  std::ofstream file_;
  std::string day_;  // of the open file
  std::uintmax_t bytes_ = 0;
  bool gave_up_ = false;  // for this day: the disk refused, or there is enough
  std::unordered_map<CustomerId, Known> known_;  // in the open file
  std::unordered_set<CustomerId> left_out_;      // of it: they have withdrawn since it began
  int next_who_ = 1;
  std::uint64_t salt_ = 0;  // of the open file; written nowhere
  CardKeys keys_;
  std::unordered_map<CustomerId, std::string> key_ids_;
  std::vector<std::string> new_keys_;  // not yet in the store, or used on another day
  std::vector<std::pair<CustomerId, std::string>> visits_;  // begun in this event
  std::string sealed_;  // what only her key opens, of this event
};

}  // namespace welcome::recording
