// SPDX-License-Identifier: Apache-2.0
#include "crm/complaints.h"

#include <nlohmann/json.hpp>

#include "contract/contract.h"

namespace welcome::crm {

std::vector<Complaint> complaints(Database& db) {
  std::vector<Complaint> out;
  for (const Row& row :
       db.query("SELECT position, customer, received_at, body, answered_at FROM request "
                "WHERE kind = 'complaint' AND handled = 1 ORDER BY position")) {
    const auto body = nlohmann::json::parse(row.text(3));
    out.push_back({row.integer(0), row.text(1), row.text(2), body.value("text", std::string()),
                   row.maybe(4)});
  }
  return out;
}

bool answer_complaint(Database& db, std::int64_t number, WallTime now) {
  return db.execute(
             "UPDATE request SET answered_at = $2 WHERE position = $1 AND kind = 'complaint' "
             "AND answered_at IS NULL",
             {number, contract::to_rfc3339(now)}) == 1;
}

}  // namespace welcome::crm
