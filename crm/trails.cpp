// SPDX-License-Identifier: Apache-2.0
#include "crm/trails.h"

#include <nlohmann/json.hpp>

#include "contract/message.h"
#include "contract/signing.h"

namespace welcome::crm {

std::optional<Trails::Known> Trails::known(const std::string& store, const std::string& box) {
  const Rows rows = db_.query(
      "SELECT session, seq, hash, heard_at, asked_at, back_at, back_why, run, ask, ask_seq, "
      "ask_hash FROM box_trail WHERE store = $1 AND box = $2",
      {store, box});
  if (rows.empty()) return std::nullopt;
  const Row& row = rows[0];
  Known out;
  out.session = row.integer(0);
  out.seq = row.integer(1);
  out.hash = row.text(2);
  out.heard_at = row.text(3);
  out.asked_at = row.text(4);
  if (!row.null(5)) out.back_at = row.text(5);
  out.back_why = row.text(6);
  out.run = row.text(7);
  out.ask = row.text(8);
  out.ask_seq = row.integer(9);
  out.ask_hash = row.text(10);
  return out;
}

std::optional<TrailState> Trails::of(const std::string& store, const std::string& box) {
  return known(store, box);
}

contract::Taken::AuditQuestion Trails::ask(const std::string& store, const std::string& box,
                                           WallTime now) {
  const auto key = crm_.box_key(store, box);
  const std::string key_text = key ? contract::public_key_text(key->key) : std::string();
  // What another key said is another box's.
  db_.execute("DELETE FROM box_trail WHERE store = $1 AND box = $2 AND public_key <> $3",
              {store, box, key_text});
  db_.execute(
      "INSERT INTO box_trail (store, box, public_key, session, run, seq, hash, heard_at, ask, "
      "ask_seq, ask_hash, asked_at, back_why, said) "
      "VALUES ($1, $2, $3, 0, '', 0, '', '', $4, 0, '', $5, '', '') "
      "ON CONFLICT (store, box) DO UPDATE SET ask = excluded.ask, ask_seq = box_trail.seq, "
      "ask_hash = box_trail.hash, asked_at = excluded.asked_at",
      {store, box, key_text, contract::new_uuid(), contract::to_rfc3339(now)});
  const auto asked = known(store, box);
  return {asked->ask, static_cast<std::uint64_t>(asked->ask_seq)};
}

// The question was asked when the box had told `known` already, so it must have had that on its
// disk. Within one start nothing goes back: what says less there has been overtaken on its way.
std::string Trails::doubt(const Known& known, const contract::AuditWord& word, WallTime now) {
  const auto session = static_cast<std::int64_t>(word.session);
  if (session < known.session) {
    return "its session is " + std::to_string(session) + " and was " +
           std::to_string(known.session);
  }
  if (session == known.session && word.run != known.run) {
    return "its session " + std::to_string(session) + " began a second time";
  }
  if (known.ask_seq == 0 || word.before == known.ask_hash) return {};
  const std::string entry = "entry " + std::to_string(known.ask_seq) + " of its audit log";
  if (!word.before.empty()) return entry + " is another one";
  const auto heard = contract::from_rfc3339(known.heard_at);
  const bool removed = static_cast<std::int64_t>(word.since) > known.ask_seq && heard &&
                       now - *heard > kMayBeRemoved;
  return removed ? std::string() : "it does not have " + entry;
}

std::string Trails::take(const std::string& store, const std::string& box,
                         const contract::AuditWord& word, WallTime now) {
  const auto before = known(store, box);
  if (!before || before->ask != word.asked || !crm_.signed_by_box(store, box, word.text, now))
    return {};
  const std::string why = doubt(*before, word, now);
  if (!why.empty() || before->back_at) {
    db_.execute(
        "UPDATE box_trail SET said = $3, back_at = COALESCE(back_at, $4), "
        "back_why = CASE WHEN back_at IS NULL THEN $5 ELSE back_why END "
        "WHERE store = $1 AND box = $2",
        {store, box, word.text, contract::to_rfc3339(now), why});
    return before->back_at ? std::string() : why;
  }
  const auto seq = static_cast<std::int64_t>(word.seq);
  const auto session = static_cast<std::int64_t>(word.session);
  if (session == before->session && seq < before->seq) return {};  // overtaken on its way
  db_.execute(
      "UPDATE box_trail SET session = $3, run = $4, seq = $5, hash = $6, heard_at = $7 "
      "WHERE store = $1 AND box = $2",
      {store, box, session, word.run, seq, word.hash, contract::to_rfc3339(now)});
  return {};
}

Result<void> Trails::acknowledge(const std::string& store, const std::string& box) {
  const Rows rows =
      db_.query("SELECT said FROM box_trail WHERE store = $1 AND box = $2 AND back_at IS NOT NULL",
                {store, box});
  if (rows.empty()) return fail(ErrorCode::not_found, "this box was not set back");
  const json said = json::parse(rows[0].text(0));
  db_.execute(
      "UPDATE box_trail SET session = $3, run = $4, seq = $5, hash = $6, ask_seq = 0, "
      "ask_hash = '', back_at = NULL, back_why = '', said = '' WHERE store = $1 AND box = $2",
      {store, box, said.at("session").get<std::int64_t>(), said.at("run").get<std::string>(),
       said.at("seq").get<std::int64_t>(), said.value("hash", "")});
  return {};
}

}  // namespace welcome::crm
