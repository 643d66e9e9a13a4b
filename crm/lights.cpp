// SPDX-License-Identifier: Apache-2.0
#include "crm/lights.h"

#include "crm/boxes.h"

namespace welcome::crm {

void Lights::take(const std::string& store, const std::string& box,
                  const std::vector<contract::LightState>& lights, WallTime at) {
  for (const contract::LightState& light : lights) {
    db_.execute(
        "INSERT INTO box_light (store, box, light, lamp, what, since, place) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (store, box, light) DO UPDATE SET "
        "since = CASE WHEN box_light.lamp = excluded.lamp THEN box_light.since "
        "ELSE excluded.since END, lamp = excluded.lamp, what = excluded.what",
        {store, box, std::string(to_string(light.light)), std::string(to_string(light.lamp)),
         light.what, contract::to_rfc3339(at), static_cast<std::int64_t>(light.light)});
  }
}

std::vector<BoxLights> Lights::fleet(const std::string& store) {
  std::vector<BoxLights> out;
  for (const Row& row : db_.query(
           "SELECT box.store, box.box, box.state, box.version, box.seen_at, light, lamp, what, "
           "since FROM box LEFT JOIN box_light ON box_light.store = box.store AND "
           "box_light.box = box.box WHERE box.store = $1 OR $1 = '' "
           "ORDER BY box.store, box.box, place",
           {store})) {
    if (out.empty() || out.back().store != row.text(0) || out.back().box != row.text(1))
      out.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), {}});
    if (!row.null(5))
      out.back().lights.push_back({row.text(5), row.text(6), row.text(7), row.text(8)});
  }
  return out;
}

Result<std::string> Lights::ask(const std::string& store, const std::string& box, WallTime now) {
  if (!Boxes(crm_).admitted(store, box))
    return fail(ErrorCode::not_found, "this box is not admitted");
  contract::Command command;
  command.id = MessageId(contract::new_uuid());
  command.kind = contract::Command::Kind::diagnostics;
  command.at = now;
  crm_.to_box(store, box, command, now, now + kAskFor);
  db_.execute(
      "INSERT INTO diagnosis (store, box, question, body) VALUES ($1, $2, $3, '') "
      "ON CONFLICT (store, box) DO UPDATE SET question = excluded.question, body = ''",
      {store, box, command.id.str()});
  return command.id.str();
}

void Lights::answered(const std::string& store, const std::string& box,
                      const contract::CommandResponse& answer) {
  if (!answer.ok) return;
  db_.execute(
      "UPDATE diagnosis SET body = $4 WHERE store = $1 AND box = $2 AND question = $3 "
      "AND body = ''",
      {store, box, answer.command.str(), answer.result});
}

std::optional<std::string> Lights::answer_to(const std::string& question) {
  const Rows rows =
      db_.query("SELECT body FROM diagnosis WHERE question = $1 AND body <> ''", {question});
  if (rows.empty()) return std::nullopt;
  return rows.front().text(0);
}

}  // namespace welcome::crm
