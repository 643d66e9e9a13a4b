// SPDX-License-Identifier: Apache-2.0
// scope, ledger, pause, resume, status

#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>

#include "crm/cli/command.h"

namespace welcome::crm::cli {
namespace {

constexpr std::int64_t kEventsAtOnce = 1000;

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
    {"scope", "[all|visited|region|region visited]",
     "whom boxes know: everybody; of profiles, those alone that they have seen; those alone of "
     "their region; or both",
     scope, kScope},
    {"ledger", "", "every event, once; one JSON object a line with --json", ledger, kLedger},
    {"pause", "FUNCTION", "stop face, offers, prompts, surveys or all, everywhere at once", pause,
     kStore},
    {"resume", "FUNCTION", "and go on", resume, kStore},
    {"status", "", "whether the broker is reached, and what serve has counted", status},
};

}  // namespace

std::span<const Command> fleet_commands() { return kFleetCommands; }

}  // namespace welcome::crm::cli
