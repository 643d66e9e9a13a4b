// SPDX-License-Identifier: Apache-2.0
#pragma once
// Report: answers about the box, as JSON, for welcomectl and for the CRM's diagnostics. Customers
// appear by their pseudonym only: no name, no text that was written for them. Engine thread only.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "beacon/tracker.h"
#include "firmware/engine/crm_feed.h"
#include "firmware/engine/delivery.h"
#include "firmware/engine/health.h"
#include "firmware/engine/neighbours.h"
#include "firmware/engine/pauses.h"
#include "firmware/engine/rehearsal_stage.h"
#include "firmware/engine/shared.h"
#include "firmware/engine/timelines.h"
#include "firmware/recording/recorder.h"

namespace welcome::daemon {

class Report {
 public:
  // What is told of; all of it outlives the report.
  struct About {
    const Shared& shared;
    const Delivery& delivery;
    const CrmFeed& feed;
    const Health& health;
    const Pauses& pauses;
    const RehearsalStage& rehearsal;
    const Timelines& timelines;
    const recording::Recorder& recorder;
    const beacon::Tracker& tracker;
    const std::optional<Neighbours>& neighbours;
    const contract::Signer& signer;
  };
  explicit Report(About about) : about_(about) {}

  nlohmann::json status(const Now& now) const;
  // The parts of it that are at hand: what is counted in the store takes 0.1 s with 100,000
  // customers.
  nlohmann::json vitals(const Now& now) const;
  nlohmann::json visits() const;
  nlohmann::json decisions() const;
  nlohmann::json outbox() const;
  Result<nlohmann::json> why(const std::string& decision_or_visit) const;
  Result<nlohmann::json> audit_trail() const;
  Result<nlohmann::json> audit_verdict() const;
  nlohmann::json recordings() const;

 private:
  nlohmann::json box() const;
  nlohmann::json links() const;
  nlohmann::json crm() const;
  nlohmann::json feed() const;
  nlohmann::json radio() const;
  nlohmann::json gate() const;
  nlohmann::json consents(const Now& now) const;
  nlohmann::json visits_now() const;
  nlohmann::json decided() const;
  nlohmann::json outbox_now() const;
  nlohmann::json store_now() const;
  nlohmann::json latency() const;
  Result<std::vector<store::DecisionRow>> decisions_for(const std::string& decision_or_visit) const;

  store::Store& store() const { return about_.shared.store; }
  const Pipeline& pipeline() const { return about_.shared.pipeline; }

  const About about_;
};

}  // namespace welcome::daemon
