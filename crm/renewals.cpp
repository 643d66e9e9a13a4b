// SPDX-License-Identifier: Apache-2.0
#include "crm/renewals.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contract/json_text.h"
#include "contract/signing.h"
#include "contract/topics.h"
#include "crm/boxes.h"

namespace welcome::crm {

namespace {

// A salted hash as our boxes make it, and nothing that could be another line of the broker's file.
bool is_hash(const std::string& text) {
  constexpr std::size_t kLeast = 60, kMost = 200;
  if (!text.starts_with("$7$101$") || text.size() < kLeast || text.size() > kMost) return false;
  return std::count(text.begin(), text.end(), '$') == 4 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/' || c == '=' || c == '$';
         });
}

}  // namespace

std::int64_t Renewals::ask_older_than(std::chrono::hours age, WallTime now) {
  const std::string before = contract::to_rfc3339(now - age);
  const std::string given_up = contract::to_rfc3339(now - kAskFor);
  std::vector<BoxKey> boxes;
  for (const Row& row : db_.query(
           "SELECT box.store, box.box FROM box LEFT JOIN renewal ON renewal.store = box.store "
           "AND renewal.box = box.box WHERE admitted_at < $1 AND (renewal.box IS NULL OR "
           "(put_at IS NOT NULL AND put_at < $1) OR (put_at IS NULL AND asked_at < $2))",
           {before, given_up})) {
    boxes.emplace_back(row.text(0), row.text(1));
  }
  for (const auto& [store, box] : boxes) put_question(store, box, now);
  return static_cast<std::int64_t>(boxes.size());
}

Result<void> Renewals::ask(const std::string& store, const std::string& box, WallTime now) {
  if (!Boxes(crm_).admitted(store, box))
    return fail(ErrorCode::not_found, "this box is not admitted");
  put_question(store, box, now);
  return {};
}

void Renewals::put_question(const std::string& store, const std::string& box, WallTime now) {
  contract::Command command;
  command.id = MessageId(contract::new_uuid());
  command.kind = contract::Command::Kind::config;
  command.settings = {{"uplink.password", "renew"}};
  crm_.to_box(store, box, command, now, now + kAskFor);
  db_.execute(
      "INSERT INTO renewal (store, box, question, hash, asked_at, put_at) "
      "VALUES ($1, $2, $3, '', $4, NULL) ON CONFLICT (store, box) DO UPDATE SET "
      "question = excluded.question, hash = '', asked_at = excluded.asked_at, put_at = NULL",
      {store, box, command.id.str(), contract::to_rfc3339(now)});
}

void Renewals::answered(const std::string& store, const std::string& box,
                        const contract::CommandResponse& answer) {
  if (!answer.ok) return;
  const Rows rows = db_.query(
      "SELECT 1 FROM renewal WHERE store = $1 AND box = $2 AND question = $3 AND hash = ''",
      {store, box, answer.command.str()});
  const auto key = crm_.box_key(store, box);
  if (rows.empty() || !key) return;
  contract::KeyRing ring;
  ring.pin(box, key->key);
  const auto said = contract::parse_json(answer.result);
  if (!said || !said->is_object() || !ring.verify(answer.result)) return;
  const std::string hash = said->value("hash", "");
  const std::string account = contract::address_text({crm_.settings().tenant, store, box});
  if (said->value("account", "") != account || !is_hash(hash)) return;
  db_.execute("UPDATE renewal SET hash = $3 WHERE store = $1 AND box = $2", {store, box, hash});
}

std::vector<Renewals::Line> Renewals::to_put() {
  std::vector<Line> out;
  for (const Row& row :
       db_.query("SELECT store, box, hash FROM renewal WHERE hash <> '' AND put_at IS NULL "
                 "ORDER BY store, box")) {
    out.push_back({row.text(0), row.text(1), row.text(2)});
  }
  return out;
}

void Renewals::put(const Line& line, WallTime now) {
  db_.execute("UPDATE renewal SET put_at = $4 WHERE store = $1 AND box = $2 AND hash = $3",
              {line.store, line.box, line.hash, contract::to_rfc3339(now)});
}

}  // namespace welcome::crm
