// SPDX-License-Identifier: Apache-2.0
#pragma once
// Timelines: what happened when in each visit, for `welcomectl why VISIT`: zones, confirmations,
// prompts, offers, staff. A line is part of its visit's row: sealed, and gone with it. Engine
// thread only.

#include <map>
#include <nlohmann/json_fwd.hpp>

#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Timelines {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
  };
  Timelines(Shared& shared, Needs& needs);
  ~Timelines();
  Timelines(const Timelines&) = delete;
  Timelines& operator=(const Timelines&) = delete;

  void write(store::Tx& tx, const Effects& effects);
  // Lines of stored visits are read again, as store::Tx::withdraw() has left them.
  void forget(const CustomerId& customer);
  // Entries of [milliseconds since 1970, TimelineOf, words].
  nlohmann::json of(const VisitId& visit) const;

 private:
  void note(const VisitId& visit, WallTime at, TimelineOf of, std::string what);
  void keep_those_near();

  Shared& shared_;
  Needs& needs_;
  std::map<VisitId, nlohmann::json> lines_;  // of those who are near
};

}  // namespace welcome::daemon
