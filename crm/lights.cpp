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
        {store, box, std::string(contract::to_string(light.light)),
         std::string(contract::to_string(light.lamp)), light.what, contract::to_rfc3339(at),
         static_cast<std::int64_t>(light.light)});
  }
}

std::vector<BoxLights> Lights::fleet(const std::string& store) {
  std::vector<BoxLights> out;
  for (const Row& row : db_.query("SELECT store, box, state, version, seen_at FROM box "
                                  "ORDER BY store, box")) {
    if (!store.empty() && row.text(0) != store) continue;
    BoxLights one{row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), {}};
    for (const Row& light :
         db_.query("SELECT light, lamp, what, since FROM box_light WHERE store = $1 AND box = $2 "
                   "ORDER BY place",
                   {one.store, one.box})) {
      one.lights.push_back({light.text(0), light.text(1), light.text(2), light.text(3)});
    }
    out.push_back(std::move(one));
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
