// SPDX-License-Identifier: Apache-2.0
// boxes …, ledger, pause, resume, status

#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>

#include "contract/signing.h"
#include "crm/boxes.h"
#include "crm/cli/command.h"
#include "crm/invitations.h"
#include "crm/trails.h"

namespace welcome::crm::cli {
namespace {

constexpr std::int64_t kEventsAtOnce = 1000;

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
  add_strangers(opened, list, table);
  if (call.json_wanted) {
    call.print(list);
  } else {
    print_table(*call.out, table);
    *call.out << loud;
  }
  return kDone;
}

// One JSON object a line, and page by page: a ledger is long.
int ledger(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  const std::string wanted = call.text("type");
  const Rows first = opened.db->query(
      "SELECT position FROM ledger WHERE received_at >= $1 ORDER BY received_at, position LIMIT 1",
      {call.text("since")});
  if (!call.json_wanted) print_table(*call.out, {{"#", "TIME", "BOX", "TYPE", "CUSTOMER", "NOTE"}});
  for (std::int64_t last = first.empty() ? -1 : first[0].integer(0) - 1; last >= 0;) {
    const Rows page = opened.db->query(
        "SELECT position, id, store, box, type, time, customer, data, received_at, handled, note "
        "FROM ledger WHERE position > $1 ORDER BY position LIMIT $2",
        {last, kEventsAtOnce});
    Table table;
    for (const Row& row : page) {
      last = row.integer(0);
      if (row.text(4).find(wanted) == std::string::npos || row.text(8) < call.text("since"))
        continue;
      if (!call.json_wanted) {
        table.push_back({row.text(0), row.text(5), row.text(2) + "/" + row.text(3), row.text(4),
                         row.text(6), row.text(10)});
        continue;
      }
      *call.out << json{{"position", row.integer(0)}, {"id", row.text(1)},
                        {"store", row.text(2)},       {"box", row.text(3)},
                        {"type", row.text(4)},        {"time", row.text(5)},
                        {"customer", row.text(6)},    {"data", json::parse(row.text(7))},
                        {"received_at", row.text(8)}, {"handled", row.integer(9) != 0},
                        {"note", row.text(10)}}
                       .dump()
                << "\n";
    }
    print_table(*call.out, table);
    if (page.size() < static_cast<std::size_t>(kEventsAtOnce)) break;
  }
  return kDone;
}

int pause_or_resume(const Call& call, bool paused) {
  const auto function = function_from_string(call.word(0, "FUNCTION"));
  if (!function) throw Usage("FUNCTION is one of face, offers, prompts, surveys, all");
  call.at_most(1);
  const std::string store =
      call.has("store") ? call.text("store") : std::string(contract::kAllStores);
  if (!contract::valid_level(store)) throw Usage("--store cannot be in a topic");
  Opened opened(call);
  if (call.has("store") && opened.crm.boxes(store).empty()) {
    call.warn("no box of the store \"" + store + "\" was ever here: is the name right?");
  }
  Transaction transaction(*opened.db);
  const contract::Control control = opened.crm.set_control(store, *function, paused, wall_now());
  transaction.commit();
  opened.db->announce();
  return call.done({{"ok", true},
                    {"store", store},
                    {"function", call.words[0]},
                    {"paused", paused},
                    {"seq", control.seq}},
                   call.words[0] + (paused ? " paused in " : " resumed in ") +
                       (call.has("store") ? store : "all stores"));
}

int pause(const Call& call) { return pause_or_resume(call, true); }
int resume(const Call& call) { return pause_or_resume(call, false); }

// What the running `serve` has counted.
int status(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  json list = json::array();
  for (const Row& row : opened.db->query(
           "SELECT client_id, started_at, at, link, counters FROM serving ORDER BY client_id")) {
    list.push_back({{"client_id", row.text(0)},
                    {"started_at", row.text(1)},
                    {"at", row.text(2)},
                    {"link", row.text(3)},
                    {"counters", json::parse(row.text(4))}});
  }
  if (call.json_wanted) {
    call.print(list);
    return list.empty() ? kNo : kDone;
  }
  if (list.empty()) *call.out << "nobody has served from this database yet\n";
  for (const json& one : list) {
    Table table{{"serve", one.at("client_id")},
                {"since", one.at("started_at")},
                {"last word", one.at("at")},
                {"broker", one.at("link")}};
    for (const auto& [name, count] : one.at("counters").items())
      table.push_back({name, count.dump()});
    print_table(*call.out, table);
  }
  return list.empty() ? kNo : kDone;
}

constexpr Option kLedger[] = {
    {"since", nullptr, "received at or after (RFC 3339, UTC)"},
    {"type", nullptr, "only types that contain this: decision.offer"},
};

constexpr Option kTrust[] = {
    {"key", nullptr, "its public key, base64, before it says one: `welcomectl status` shows it"},
};

constexpr Option kStore[] = {{"store", nullptr, "one store instead of all"}};

struct ScopeWords {
  bool visited = false, region = false;
};

ScopeWords scope_words(const Call& call) {
  ScopeWords out;
  for (const std::string& word : call.words) {
    if (word == "visited") {
      out.visited = true;
    } else if (word == "region") {
      out.region = true;
    } else if (word != "all" || call.words.size() > 1) {
      throw Usage("a scope is all, or visited, or region, or both: region visited");
    }
  }
  return out;
}

// What would leave a shop without anybody is said before it happens.
Result<void> may_be_in_force(Opened& opened, const ScopeWords& words) {
  if ((words.visited || words.region) && !opened.crm.signer()) {
    return fail(ErrorCode::refused,
                "a box knows its scope by the signature: make a key with `welcome-crm "
                "sign-keys --new`");
  }
  if (!words.region) return {};
  const auto without = opened.crm.feed().regions().stores_without();
  if (without.empty()) return {};
  return fail(ErrorCode::refused,
              "no region yet has the store " + without.front() +
                  (without.size() > 1 ? " (and " + std::to_string(without.size() - 1) + " more)"
                                      : std::string()) +
                  ": welcome-crm region store STORE REGION");
}

std::string in_words(const Feed::Scopes& scopes) {
  std::string out;
  if (scopes.by_region) {
    out +=
        "region: a box has the consents and the devices of those alone who are at home in its "
        "region\n";
  }
  if (scopes.on_sight) {
    out += "visited: a box has the profiles of those that it has seen in the last " +
           std::to_string(scopes.keep_days) + " days\n";
  }
  if (scopes.by_region && !scopes.on_sight) out += "and their profiles\n";
  return out.empty() ? "all: every box has every profile\n" : out;
}

int scope(const Call& call) {
  call.at_most(2);
  Opened opened(call);
  Feed& feed = opened.crm.feed();
  if (!call.words.empty()) {
    const ScopeWords words = scope_words(call);
    if (const auto may = may_be_in_force(opened, words); !may) return call.no(may.error());
    if (words.region && !feed.regions().anybody_has_one()) {
      call.warn(
          "no customer has a region, so every box still has everybody: welcome-crm customer "
          "region, or the column `regions` of an import");
    }
    Transaction transaction(*opened.db);
    feed.set_scopes(
        {words.region, words.visited,
         call.has("keep-days") ? call.number("keep-days", 1, 3650) : feed.sight().keep_days()});
    transaction.commit();
    opened.db->announce();
  } else if (call.has("keep-days")) {
    throw Usage("--keep-days goes with a scope: welcome-crm scope visited --keep-days N");
  }
  const Feed::Scopes scopes = feed.scopes();
  if (!call.json_wanted) {
    *call.out << in_words(scopes);
    return kDone;
  }
  call.print({{"scope", scopes.by_region ? (scopes.on_sight ? "region visited" : "region")
                                         : (scopes.on_sight ? "visited" : "all")},
              {"keep_days", scopes.keep_days}});
  return kDone;
}

constexpr Option kScope[] = {
    {"keep-days", nullptr, "how long after their last visit a box has their profile; else 90"},
};

constexpr Command kFleetCommands[] = {
    {"boxes trust", "STORE/BOX", "count receipts signed with the key that it says now", boxes_trust,
     kTrust},
    {"scope", "[all|visited|region|region visited]",
     "whom boxes know: everybody; of profiles, those alone that they have seen; those alone of "
     "their region; or both",
     scope, kScope},
    {"boxes acknowledge", "STORE/BOX",
     "its store was put back from a copy, and you know why: go on from there", boxes_acknowledge},
    {"boxes list", "", "every box, what it has confirmed, and its key", boxes},
    {"boxes", "", "the same", boxes},
    {"ledger", "", "every event, once; one JSON object a line with --json", ledger, kLedger},
    {"pause", "FUNCTION", "stop face, offers, prompts, surveys or all, everywhere at once", pause,
     kStore},
    {"resume", "FUNCTION", "and go on", resume, kStore},
    {"status", "", "whether the broker is reached, and what serve has counted", status},
};

}  // namespace

std::span<const Command> fleet_commands() { return kFleetCommands; }

}  // namespace welcome::crm::cli
