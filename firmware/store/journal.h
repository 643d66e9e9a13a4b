#pragma once
// Journal: visits, decisions with their reasons, and what was really sent (for the caps).

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "firmware/core/ids.h"
#include "firmware/core/result.h"
#include "firmware/core/time.h"

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

// One thing that reached the customer.
struct CapRow {
  CustomerId customer;
  CampaignId campaign;
  std::string kind;  // offer, prompt, survey
  std::string variant;
  WallTime at;
};

class Journal {
 public:
  explicit Journal(Context& context);

  // Inserts, or replaces the visit of the same id.
  Result<void> put_visit(const VisitRow& row);
  Result<void> add_decision(const DecisionRow& row);
  Result<void> add_cap(const CapRow& row);

  Result<std::vector<VisitRow>> open_visits() const;
  // Newest first.
  Result<std::vector<VisitRow>> visits(std::size_t limit) const;
  Result<std::vector<DecisionRow>> decisions(std::size_t limit) const;
  Result<VisitRow> visit(const VisitId& id) const;
  Result<DecisionRow> decision(const DecisionId& id) const;
  Result<std::vector<DecisionRow>> decisions_of(const VisitId& visit) const;
  Result<std::vector<CapRow>> caps_since(WallTime since) const;

  // Withdrawal: what was derived from sightings goes, caps stay (a promise of "not more often"
  // must survive switching off and on). Returns the rows removed.
  Result<std::size_t> erase_sightings(const CustomerId& customer);

 private:
  Context& context_;
};

}  // namespace welcome::store
