// SPDX-License-Identifier: Apache-2.0
#pragma once
// Health: lives through a disk that takes nothing, a silent CRM and a clock that is not set, and
// says so. Engine thread only.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "firmware/engine/delivery.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Health {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual Effects ask(const Event& event, const Now& now, std::string_view item = {}) = 0;
    virtual void decide(const Event& event, const Now& now) = 0;
    virtual void write(store::Tx& tx, const Effects& effects, const Now& now) = 0;
    virtual void store_works_again(const Now& now) = 0;
    virtual void status_changed(const Now& now) = 0;
  };
  Health(Shared& shared, Delivery& delivery, Needs& needs)
      : shared_(shared), delivery_(delivery), needs_(needs) {}

  void store_failed(const Error& error);
  bool can_store() const { return trouble_.empty(); }
  const std::string& trouble() const { return trouble_; }  // why nothing can be stored
  bool broken() const { return broken_; }                  // the database is damaged
  // What was decided is taken back, what was withdrawn is owed, and tablets are told at once: from
  // memory, where it holds already.
  void could_not_store(const Effects& effects, const Now& now);
  void try_store_again(const Now& now);

  void tell(contract::HealthNews news, const Now& now);
  // Messages with a wrong signature or for somebody else: the CRM should know that they are about.
  void message_refused(std::string_view why) { ++refused_untold_[std::string(why)]; }
  // Messages of ours that the central broker will never take.
  void not_taken(std::string_view why) { ++not_taken_untold_[std::string(why)]; }
  void tell_refusals(const Now& now);

  void load(const Now& now) { footing_ = shared_.pipeline.gate().footing(now); }
  void watch_footing(const Now& now);
  // Without a policy no offer is made: whoever waits for offers should know.
  void watch_policy(const Now& now);
  // What is wrong with radio and cameras just now.
  void senses_are(std::vector<contract::Trouble> troubles, const Now& now);
  // For the tablets.
  std::vector<contract::Trouble> troubles() const;

 private:
  Shared& shared_;
  Delivery& delivery_;
  Needs& needs_;
  std::string trouble_;  // empty = all can be stored
  Effects owed_;         // withdrawals that could not be written yet
  bool broken_ = false;
  std::map<std::string, std::int64_t> refused_untold_;    // from the uplink, by reason
  std::map<std::string, std::int64_t> not_taken_untold_;  // by reason
  MonoTime next_refusals_;
  ConsentFooting footing_ = ConsentFooting::firm;
  std::optional<MonoTime> without_policy_;  // since when
  bool no_policy_told_ = false;
  std::vector<contract::Trouble> senses_;
};

}  // namespace welcome::daemon
