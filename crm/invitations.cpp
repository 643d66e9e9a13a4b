// SPDX-License-Identifier: Apache-2.0
#include "crm/invitations.h"

#include <chrono>

#include "contract/signing.h"

namespace welcome::crm {
namespace {

// What became of it can be seen for so long.
constexpr std::chrono::hours kRemembered{7 * 24};

}  // namespace

void Invitations::put(const std::string& store, const std::string& box, const std::string& name,
                      const std::string& sealed, WallTime expires_at, WallTime now) {
  db_.execute("DELETE FROM invitation WHERE store = $1 AND box = $2", {store, box});
  db_.execute(
      "INSERT INTO invitation (store, box, name, sealed, made_at, expires_at, refused) "
      "VALUES ($1, $2, $3, $4, $5, $6, 0)",
      {store, box, name, sealed, contract::to_rfc3339(now), contract::to_rfc3339(expires_at)});
}

std::optional<std::string> Invitations::answer(const provision::ProvisionRequest& request,
                                               WallTime now) {
  const Rows rows = db_.query(
      "SELECT store, box, sealed, expires_at, used_at, box_key FROM invitation WHERE name = $1",
      {request.invitation});
  if (rows.empty() || !provision::proves(request)) return std::nullopt;
  const auto key = contract::public_key_from_text(request.box_key);
  if (!key) return std::nullopt;  // it has signed, so it is one
  const std::string store = rows[0].text(0);
  const std::string box = rows[0].text(1);
  const bool used = !rows[0].null(4);
  const bool over = rows[0].text(3) <= contract::to_rfc3339(now);
  if (over || (used && rows[0].text(5) != request.box_key)) {
    db_.execute("UPDATE invitation SET refused = refused + 1 WHERE name = $1",
                {request.invitation});
    return std::nullopt;
  }
  if (used) return rows[0].text(2);
  if (!crm_.trust_box(store, box, *key, now)) return std::nullopt;
  db_.execute("UPDATE invitation SET used_at = $2, box_key = $3 WHERE name = $1",
              {request.invitation, contract::to_rfc3339(now), request.box_key});
  return rows[0].text(2);
}

std::optional<Invitations::State> Invitations::of(const std::string& store,
                                                  const std::string& box) {
  const Rows rows = db_.query(
      "SELECT made_at, expires_at, used_at, refused FROM invitation WHERE store = $1 AND box = $2",
      {store, box});
  if (rows.empty()) return std::nullopt;
  return State{rows[0].text(0), rows[0].text(1), rows[0].maybe(2), rows[0].integer(3)};
}

std::int64_t Invitations::forget_old(WallTime now, int at_most) {
  return db_.execute(
      "DELETE FROM invitation WHERE name IN (SELECT name FROM invitation WHERE expires_at < $1 "
      "ORDER BY expires_at LIMIT $2)",
      {contract::to_rfc3339(now - kRemembered), std::int64_t{at_most}});
}

}  // namespace welcome::crm
