// SPDX-License-Identifier: Apache-2.0
#pragma once
// Journal: visits, decisions with their reasons, and the state that the pipeline restarts from.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/pipeline.h"
#include "core/purpose_rules.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::store {

class Context;

struct VisitRow {
  VisitId id;
  CustomerId customer;
  WallTime started;
  std::optional<WallTime> ended;
  // JSON: zone, level, why it ended, and "timeline": entries of [time, TimelineOf, words].
  std::string detail;
};

struct DecisionRow {
  DecisionId id;
  VisitId visit;  // may be empty
  CustomerId customer;
  WallTime at;
  std::string kind;     // offer, prompt, survey, suppressed
  std::string reason;   // short word, for counting
  std::string explain;  // JSON: the chain of checks with their outcome, for `why`
};

// Offers that were not made, of one visit for one reason.
struct NotMade {
  VisitId visit;
  std::string reason;
  int count = 0;
};

class Journal {
 public:
  explicit Journal(Context& context);

  Result<std::vector<VisitRow>> open_visits() const;
  // Newest first.
  Result<std::vector<VisitRow>> visits(std::size_t limit) const;
  Result<std::vector<DecisionRow>> decisions(std::size_t limit) const;
  Result<VisitRow> visit(const VisitId& id) const;
  Result<DecisionRow> decision(const DecisionId& id) const;
  Result<std::vector<DecisionRow>> decisions_of(const VisitId& visit) const;
  Result<std::vector<VisitRow>> visits_of(const CustomerId& customer) const;
  // Of a day that began then.
  Result<std::vector<VisitRow>> visits_since(WallTime start) const;
  Result<std::vector<DecisionRow>> made_since(WallTime start, std::string_view kind) const;
  Result<std::vector<NotMade>> not_offered_since(WallTime start) const;
  Result<std::vector<DecisionRow>> decisions_about(const CustomerId& customer) const;

  // What the pipeline restarts from: all rows but those of kind `facts`, which are read one by one,
  // and the daemon's own.
  Result<std::vector<StateRow>> states() const;
  Result<std::vector<StateRow>> states_of(const CustomerId& customer) const;
  Result<std::vector<StateRow>> states(StateRow::Kind kind) const;
  Result<std::optional<std::string>> facts(const CustomerId& customer) const;

  // Part of a transaction (tx.h).
  class Writer {
   public:
    // Inserts, or replaces the visit of the same id.
    void put_visit(const VisitRow& row);
    void add_decision(const DecisionRow& row);
    // Visits and decisions of this customer. Return the rows removed.
    std::size_t erase_sightings(const CustomerId& customer);
    std::size_t erase_states(const CustomerId& customer, StateRow::Kind kind);
    // Entries of the time lines in this customer's visits (VisitRow::detail) that are kept for
    // this.
    void erase_words(const CustomerId& customer, TimelineOf of);
    // Pipeline state. A row without a value is deleted.
    void put_state(const StateRow& row, WallTime at);

   private:
    friend class Tx;
    explicit Writer(Context& context) : context_(context) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Context& context_;
  };

 private:
  Result<std::vector<StateRow>> states(StateRow::Kind first, StateRow::Kind second,
                                       StateRow::Kind third) const;

  Context& context_;
};

}  // namespace welcome::store
