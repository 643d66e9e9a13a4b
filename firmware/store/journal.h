#pragma once
// Journal: visits, decisions with their reasons, and the state that the pipeline restarts from.

#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/pipeline.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::store {

class Context;

struct VisitRow {
  VisitId id;
  CustomerId customer;
  WallTime started;
  std::optional<WallTime> ended;
  std::string detail;  // JSON: zones, level, sources
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

class Journal {
 public:
  explicit Journal(Context& context);

  // Inserts, or replaces the visit of the same id.
  Result<void> put_visit(const VisitRow& row);
  Result<void> add_decision(const DecisionRow& row);

  Result<std::vector<VisitRow>> open_visits() const;
  // Newest first.
  Result<std::vector<VisitRow>> visits(std::size_t limit) const;
  Result<std::vector<DecisionRow>> decisions(std::size_t limit) const;
  Result<VisitRow> visit(const VisitId& id) const;
  Result<DecisionRow> decision(const DecisionId& id) const;
  Result<std::vector<DecisionRow>> decisions_of(const VisitId& visit) const;
  Result<std::vector<VisitRow>> visits_of(const CustomerId& customer) const;
  Result<std::vector<DecisionRow>> decisions_about(const CustomerId& customer) const;

  // Withdrawal: visits and decisions of this customer go, and what was learnt of her devices. The
  // pipeline's state is its own to change. Returns the rows removed.
  Result<std::size_t> erase_sightings(const CustomerId& customer);

  // Pipeline state. A row without a value is deleted.
  Result<void> put_state(const StateRow& row, WallTime at);
  // What the pipeline restarts from: all rows but those of kind `facts`, which are read one by one,
  // and the daemon's own.
  Result<std::vector<StateRow>> states() const;
  Result<std::vector<StateRow>> states_of(const CustomerId& customer) const;
  Result<std::vector<StateRow>> states(StateRow::Kind kind) const;
  Result<std::optional<std::string>> facts(const CustomerId& customer) const;

 private:
  Result<std::vector<StateRow>> states(StateRow::Kind first, StateRow::Kind second,
                                       StateRow::Kind third) const;

  Context& context_;
};

}  // namespace welcome::store
