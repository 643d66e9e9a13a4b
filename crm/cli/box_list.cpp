// SPDX-License-Identifier: Apache-2.0
// boxes, boxes trust, boxes acknowledge

#include <nlohmann/json.hpp>
#include <ostream>

#include "contract/signing.h"
#include "crm/boxes.h"
#include "crm/cli/command.h"
#include "crm/invitations.h"
#include "crm/trails.h"

namespace welcome::crm::cli {
namespace {

json to_json(const std::optional<PinnedKey>& known) {
  if (!known) return nullptr;
  json out = {{"public_key", contract::public_key_text(known->key)},
              {"fingerprint", contract::fingerprint(known->key)},
              {"trusted_at", known->trusted_at}};
  if (known->other) {
    out["other"] = {{"public_key", contract::public_key_text(*known->other)},
                    {"fingerprint", contract::fingerprint(*known->other)},
                    {"said_at", known->other_at}};
  }
  return out;
}

int boxes_trust(const Call& call) {
  const auto [store, box] = box_of(call);
  std::optional<contract::Ed25519Public> key;
  if (call.has("key")) {
    const auto given = contract::public_key_from_text(call.text("key"));
    if (!given) throw Usage("--key: " + given.error().message);
    key = *given;
  }
  Opened opened(call);
  Transaction transaction(*opened.db);
  if (const auto trusted = opened.crm.trust_box(store, box, key, wall_now()); !trusted) {
    return call.no(trusted.error());
  }
  transaction.commit();
  opened.db->announce();
  const auto known = opened.crm.box_key(store, box);
  return call.done(to_json(known),
                   call.words[0] + " is trusted with the key " + contract::fingerprint(known->key));
}

json to_json(const std::optional<TrailState>& trail) {
  if (!trail || trail->session == 0) return nullptr;
  json back = nullptr;
  if (trail->back_at) back = {{"at", *trail->back_at}, {"why", trail->back_why}};
  return {{"session", trail->session},   {"seq", trail->seq},
          {"hash", trail->hash},         {"heard_at", trail->heard_at},
          {"asked_at", trail->asked_at}, {"set_back", std::move(back)}};
}

int boxes_acknowledge(const Call& call) {
  const auto [store, box] = box_of(call);
  Opened opened(call);
  Transaction transaction(*opened.db);
  if (const auto done = Trails(opened.crm).acknowledge(store, box); !done) {
    return call.no(done.error());
  }
  transaction.commit();
  return call.done(to_json(Trails(opened.crm).of(store, box)),
                   call.words[0] + " goes on from where it is now");
}

// How a box stands, by its own word.
struct Standing {
  json told = json::object(), confirmed = json::object();
  std::string behind, unconfirmed;
  bool control = true;  // it has every control message that is for it
  bool region = true;   // it knows in which region it is
  bool up_to_date() const { return behind.empty() && unconfirmed.empty() && control && region; }

  std::string text() const {
    std::string out;
    const auto add = [&](const std::string& what) { out += (out.empty() ? "" : "; ") + what; };
    if (!behind.empty()) add("behind: " + behind);
    if (!unconfirmed.empty()) add("not confirmed: " + unconfirmed);
    if (!control) add("not confirmed: pause or resume");
    if (!region) add("not confirmed: its region");
    return out.empty() ? "up to date" : out;
  }
};

Standing standing_of(Opened& opened, const std::string& store, const std::string& box,
                     std::int64_t control) {
  Standing out;
  for (const Collection collection : contract::kAllCollections) {
    const std::string name(contract::to_string(collection));
    const Position head =
        opened.crm.feed().head(collection, opened.crm.feed().scope_of(collection, {store, box}));
    const auto at = [&](const Rows& rows) -> std::optional<std::int64_t> {
      if (rows.empty() || rows[0].text(0) != head.epoch) return std::nullopt;
      return rows[0].integer(1);
    };
    const auto told = at(opened.db->query(
        "SELECT epoch, seq FROM told WHERE store = $1 AND box = $2 AND collection = $3",
        {store, box, name}));
    const auto confirmed = at(opened.db->query(
        "SELECT epoch, seq FROM confirmed WHERE store = $1 AND box = $2 AND collection = $3",
        {store, box, name}));
    if (told) out.told[name] = *told;
    if (confirmed) out.confirmed[name] = *confirmed;
    if (confirmed == head.seq) continue;
    std::string& list = told == head.seq ? out.unconfirmed : out.behind;
    list += (list.empty() ? "" : ", ") + name;
  }
  const Rows newest =
      opened.db->query("SELECT COALESCE(MAX(seq), 0) FROM control WHERE store = $1 OR store = $2",
                       {store, std::string(contract::kAllStores)});
  out.control = control >= newest.at(0).integer(0);
  return out;
}

json refused_items(Opened& opened, const std::string& store, const std::string& box) {
  json out = json::array();
  for (const Row& row : opened.db->query(
           "SELECT set_aside.collection, set_aside.key, set_aside.reason, set_aside.at "
           "FROM set_aside JOIN item ON item.collection = set_aside.collection "
           "AND item.key = set_aside.key AND item.seq = set_aside.seq AND item.deleted = 0 "
           "WHERE set_aside.store = $1 AND set_aside.box = $2 ORDER BY set_aside.at",
           {store, box})) {
    out.push_back({{"collection", row.text(0)},
                   {"key", row.text(1)},
                   {"reason", row.text(2)},
                   {"at", row.text(3)}});
  }
  return out;
}

std::int64_t refused_receipts(Opened& opened, const std::string& store, const std::string& box) {
  return opened.db
      ->query(
          "SELECT COUNT(*) FROM erasure_box WHERE store = $1 AND box = $2 "
          "AND refused IS NOT NULL",
          {store, box})
      .at(0)
      .integer(0);
}

std::string trust_of(const std::optional<PinnedKey>& key, std::int64_t refused) {
  std::string out = key ? contract::fingerprint(key->key) : "not said";
  if (key && key->other) out += ", now says " + contract::fingerprint(*key->other);
  if (refused > 0) out += ", receipts refused: " + std::to_string(refused);
  return out;
}

json to_json(const std::optional<Invitations::State>& invitation) {
  if (!invitation) return nullptr;
  return {{"made_at", invitation->made_at},
          {"expires_at", invitation->expires_at},
          {"used_at", invitation->used_at ? json(*invitation->used_at) : json(nullptr)},
          {"refused", invitation->refused}};
}

// What is still to be done, or to be asked about. `now` as the database has times.
std::string text_of(const Invitations::State& invitation, const std::string& now) {
  std::string out;
  if (!invitation.used_at && now < invitation.expires_at)
    out = ", invited until " + invitation.expires_at;
  if (invitation.refused > 0)
    out += ", CODE TRIED by another box: " + std::to_string(invitation.refused);
  return out;
}

// Those that nobody admitted: who they say they are, and what they tried.
void add_strangers(Opened& opened, json& list, Table& table) {
  for (const Stranger& one : Boxes(opened.crm).strangers()) {
    list.push_back({{"store", one.store},
                    {"box", one.box},
                    {"state", "not admitted"},
                    {"admitted", false},
                    {"since", one.since},
                    {"seen_at", one.last_at},
                    {"tried", one.tried},
                    {"tries", one.tries}});
    table.push_back(
        {one.store, one.box, "", "not admitted", "", "", one.last_at,
         "tried " + one.tried + ", " + std::to_string(one.tries) + " times since " + one.since,
         ""});
  }
}

// By their own signed word, and not admitted again.
void add_retired(Opened& opened, json& list, Table& table) {
  for (const Row& row : opened.db->query(
           "SELECT retired.store, retired.box, retired.retired_at FROM retired LEFT JOIN box ON "
           "box.store = retired.store AND box.box = retired.box WHERE box.box IS NULL "
           "ORDER BY retired.store, retired.box")) {
    list.push_back({{"store", row.text(0)},
                    {"box", row.text(1)},
                    {"state", "retired"},
                    {"admitted", false},
                    {"retired_at", row.text(2)}});
    table.push_back(
        {row.text(0), row.text(1), "", "retired, with proof, " + row.text(2), "", "", "", "", ""});
  }
}

int boxes(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  json list = json::array();
  Table table{{"STORE", "BOX", "REGION", "STATE", "SESSION", "VERSION", "SEEN", "FEED", "KEY"}};
  std::string loud;
  const Regions& regions = opened.crm.feed().regions();
  const std::string now = contract::to_rfc3339(wall_now());
  for (const Row& row : opened.db->query("SELECT store, box, state, session, version, seen_at, "
                                         "control, admitted_at, admitted_by, region FROM box "
                                         "ORDER BY store, box")) {
    Standing standing = standing_of(opened, row.text(0), row.text(1), row.integer(6));
    const std::string region = regions.of_store(row.text(0));
    standing.region = !regions.on() || region == row.text(9);
    const json refused = refused_items(opened, row.text(0), row.text(1));
    const auto key = opened.crm.box_key(row.text(0), row.text(1));
    const std::int64_t receipts = refused_receipts(opened, row.text(0), row.text(1));
    const auto believes = opened.crm.believed(row.text(0), row.text(1));
    const auto trail = Trails(opened.crm).of(row.text(0), row.text(1));
    const auto invitation = Invitations(opened.crm).of(row.text(0), row.text(1));
    list.push_back({{"store", row.text(0)},
                    {"box", row.text(1)},
                    {"region", region.empty() ? json() : json(region)},
                    {"state", row.text(2)},
                    {"admitted", true},
                    {"admitted_at", row.text(7)},
                    {"admitted_by", row.text(8)},
                    {"session", row.integer(3)},
                    {"version", row.text(4)},
                    {"seen_at", row.text(5)},
                    {"up_to_date", standing.up_to_date()},
                    {"told", standing.told},
                    {"confirmed", standing.confirmed},
                    {"control_confirmed", standing.control},
                    {"refuses", refused},
                    {"key", to_json(key)},
                    {"receipts_refused", receipts},
                    {"audit", to_json(trail)},
                    {"invitation", to_json(invitation)},
                    {"believes", believes.keys},
                    {"believes_signer", believes.signer}});
    std::string feed = standing.text();
    for (const json& one : refused) {
      if (one.at("collection") == "policy") feed += "; refuses the policy";
    }
    if (!refused.empty()) feed += "; refuses items: " + std::to_string(refused.size());
    std::string state = row.text(2);
    if (invitation) state += text_of(*invitation, now);
    if (trail && trail->back_at) {
      const std::string name = row.text(0) + "/" + row.text(1);
      state += ", SET BACK";
      loud += name + " was set back, noticed " + *trail->back_at + ": " + trail->back_why +
              ".\n  Once you know why: welcome-crm boxes acknowledge " + name + "\n";
    }
    if (!believes.signer) {
      loud += row.text(0) + "/" + row.text(1) +
              " does not believe the key that signs now, and obeys nothing new.\n  If that does "
              "not change when it has come again: put what `welcome-crm sign-keys` prints into\n  "
              "the file of its consent.crm_keys, and say `welcomectl reload` there\n";
    }
    table.push_back({row.text(0), row.text(1), region, state, row.text(3), row.text(4), row.text(5),
                     feed, trust_of(key, receipts)});
  }
  add_retired(opened, list, table);
  add_strangers(opened, list, table);
  if (call.json_wanted) {
    call.print(list);
  } else {
    print_table(*call.out, table);
    *call.out << loud;
  }
  return kDone;
}

constexpr Option kTrust[] = {
    {"key", nullptr, "its public key, base64, before it says one: `welcomectl status` shows it"},
};

constexpr Command kBoxListCommands[] = {
    {"boxes trust", "STORE/BOX", "count receipts signed with the key that it says now", boxes_trust,
     kTrust},
    {"boxes acknowledge", "STORE/BOX",
     "its store was put back from a copy, and you know why: go on from there", boxes_acknowledge},
    {"boxes list", "", "every box, what it has confirmed, and its key", boxes},
    {"boxes", "", "the same", boxes},
};

}  // namespace

std::span<const Command> box_list_commands() { return kBoxListCommands; }

}  // namespace welcome::crm::cli
