#include "crm/cli.h"

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sodium.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <sys/signalfd.h>
#include <tuple>
#include <unistd.h>

#include "core/version.h"
#include "crm/crm.h"
#include "crm/database.h"
#include "crm/import.h"
#include "crm/report.h"
#include "crm/server.h"
#include "crm/wall_clock.h"

namespace welcome::crm {
namespace {

namespace po = boost::program_options;

constexpr const char* kDefaultDatabase = "/var/lib/welcome-crm/crm.db";
constexpr const char* kDatabaseVariable = "WELCOME_CRM_DATABASE";

struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What every command gets: its own options parsed, its words, and where to write.
struct Call {
  po::variables_map options;
  std::vector<std::string> words;
  std::string url;
  bool json_wanted = false;
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;

  const std::string& word(std::size_t i, const char* what) const {
    if (i >= words.size()) throw Usage(std::string(what) + " is missing");
    return words[i];
  }
  void at_most(std::size_t count) const {
    if (words.size() > count) throw Usage("unexpected \"" + words[count] + "\"");
  }
  bool has(const char* name) const { return options.count(name) != 0; }
  std::string text(const char* name) const { return options[name].as<std::string>(); }

  void print(const json& value) const { *out << value.dump(2) << "\n"; }
  int no(const Error& error) const {
    if (json_wanted) {
      print({{"ok", false}, {"error", error.message}});
    } else {
      *err << "welcome-crm: " << error.message << "\n";
    }
    return error.code == ErrorCode::malformed ? kUsage : kNo;
  }
};

struct Opened {
  std::unique_ptr<Database> db;
  Crm crm;
  explicit Opened(const Call& call) : db(open_and_migrate(call.url)), crm(*db) {}
  static std::unique_ptr<Database> open_and_migrate(const std::string& url) {
    auto db = open_database(url);
    migrate(*db);
    return db;
  }
};

// Columns as wide as their widest cell; the last one as long as it likes.
void print_table(std::ostream& out, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i + 1 < row.size()) {
        out << std::left << std::setw(static_cast<int>(widths[i]) + 2) << row[i];
      } else {
        out << row[i];
      }
    }
    out << "\n";
  }
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(path, std::ios::binary);
  if (!file || !(text << file.rdbuf())) throw DatabaseError("cannot read " + path);
  return text.str();
}

std::optional<WallTime> parse_time(const Call& call, const char* name) {
  if (!call.has(name)) return std::nullopt;
  const auto at = contract::from_rfc3339(call.text(name));
  if (!at) throw Usage(std::string("--") + name + " is not a time like 2026-05-04T08:15:30Z");
  return at;
}

int init(const Call& call) {
  call.at_most(0);
  Settings settings;
  settings.tenant = call.text("tenant");
  settings.controller = call.text("controller");
  settings.jurisdiction = call.text("jurisdiction");
  settings.storage_location = call.text("storage-location");
  settings.retention_days = call.options["retention-days"].as<std::int64_t>();
  std::istringstream notice(call.text("notice"));
  if (!std::getline(notice, settings.notice.id, ':') ||
      !std::getline(notice, settings.notice.version, ':') ||
      !std::getline(notice, settings.notice.language)) {
    throw Usage("--notice is ID:VERSION:LANGUAGE");
  }
  if (!contract::valid_level(settings.tenant)) throw Usage("--tenant cannot be in a topic");
  const auto db = Opened::open_and_migrate(call.url);
  Transaction transaction(*db);
  Crm::init(*db, settings);
  transaction.commit();
  if (call.json_wanted) {
    call.print({{"ok", true}, {"tenant", settings.tenant}});
  } else {
    *call.out << "ready for tenant " << settings.tenant << "\n";
  }
  return kDone;
}

// Customers before what belongs to them, in whatever order the files are named.
std::vector<std::tuple<int, std::string, std::string>> in_order(
    const std::vector<std::string>& paths) {
  std::vector<std::tuple<int, std::string, std::string>> files;
  for (const std::string& path : paths) {
    std::string text = read_file(path);
    const bool consents = text.substr(0, text.find('\n')).find("purpose") != std::string::npos;
    const int rank = path.ends_with(".json") ? 1 : (consents ? 2 : 0);
    files.emplace_back(rank, path, std::move(text));
  }
  std::stable_sort(files.begin(), files.end(),
                   [](const auto& a, const auto& b) { return std::get<0>(a) < std::get<0>(b); });
  return files;
}

int import_files(const Call& call) {
  if (call.words.empty()) throw Usage("a file is missing");
  Opened opened(call);
  json all = json::object();
  // All files or none: consents of customers who did not arrive would be half a truth.
  Transaction transaction(*opened.db);
  for (const auto& [rank, path, text] : in_order(call.words)) {
    const auto done = import_text(opened.crm, text, !path.ends_with(".json"), wall_now());
    if (!done) return call.no({done.error().code, path + ": " + done.error().message});
    for (const auto& [kind, count] : *done) {
      all[kind] = all.value(kind, 0) + count;
    }
  }
  transaction.commit();
  opened.db->announce();
  if (call.json_wanted) {
    call.print({{"ok", true}, {"imported", all}});
  } else {
    for (const auto& [kind, count] : all.items()) *call.out << kind << ": " << count << "\n";
  }
  return kDone;
}

json purposes_of(Crm& crm, const std::string& customer, WallTime now) {
  json out = json::object();
  const PurposeSet given = crm.given(customer, now);
  for (const Purpose purpose : kAllPurposes) {
    out[std::string(to_string(purpose))] = given.has(purpose);
  }
  return out;
}

int customer_add(const Call& call) {
  const std::string& id = call.word(0, "ID");
  call.at_most(1);
  Opened opened(call);
  Transaction transaction(*opened.db);
  json profile = opened.crm.profile(id).value_or(json::object());
  profile["customer"] = id;
  for (const char* name : {"name", "greeting", "pronunciation", "language", "tier"}) {
    if (call.has(name)) profile[name] = call.text(name);
  }
  const std::string app = call.has("app-id") ? call.text("app-id") : "";
  if (auto ok = opened.crm.put_customer(profile, app, wall_now()); !ok) return call.no(ok.error());
  transaction.commit();
  opened.db->announce();
  const std::string app_id = *opened.crm.app_of(id);
  if (call.json_wanted) {
    call.print({{"ok", true}, {"customer", id}, {"app_id", app_id}});
  } else {
    *call.out << id << " has the app id " << app_id << "\n";
  }
  return kDone;
}

int customer_list(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  json list = json::array();
  std::vector<std::vector<std::string>> table{{"CUSTOMER", "APP", "GIVEN"}};
  for (const std::string& id : opened.crm.customers()) {
    const json purposes = purposes_of(opened.crm, id, wall_now());
    std::string given;
    for (const auto& [name, value] : purposes.items()) {
      if (value.get<bool>()) given += (given.empty() ? "" : ", ") + name;
    }
    const std::string app = *opened.crm.app_of(id);
    table.push_back({id, app, given.empty() ? "nothing" : given});
    list.push_back({{"customer", id}, {"app_id", app}, {"purposes", purposes}});
  }
  if (call.json_wanted) {
    call.print(list);
  } else {
    print_table(*call.out, table);
  }
  return kDone;
}

int customer_show(const Call& call) {
  const std::string& id = call.word(0, "ID");
  call.at_most(1);
  Opened opened(call);
  const auto profile = opened.crm.profile(id);
  if (!profile) {
    return call.no({ErrorCode::not_found, opened.crm.was_erased(id) ? "this customer was erased"
                                                                    : "there is no such customer"});
  }
  const json purposes = purposes_of(opened.crm, id, wall_now());
  if (call.json_wanted) {
    call.print({{"customer", id},
                {"app_id", *opened.crm.app_of(id)},
                {"profile", *profile},
                {"purposes", purposes},
                {"consents", opened.crm.consents(id)}});
    return kDone;
  }
  std::vector<std::vector<std::string>> table{{"customer", id}, {"app", *opened.crm.app_of(id)}};
  for (const auto& [name, value] : profile->items()) {
    if (value.is_string() && name != "customer") table.push_back({name, value.get<std::string>()});
    if (value.is_number()) table.push_back({name, value.dump()});
  }
  for (const json& preference : profile->value("preferences", json::array())) {
    table.push_back({"likes (" + preference.at("key").get<std::string>() + ")",
                     preference.at("value").get<std::string>() + ", confirmed " +
                         std::to_string(preference.value("confirmed", 0)) + " times"});
  }
  if (const auto last = profile->find("last_conversation");
      last != profile->end() && last->is_object()) {
    table.push_back({"last conversation", last->at("text").get<std::string>() + " (" +
                                              last->at("at").get<std::string>() + ")"});
  }
  for (const json& record : opened.crm.consents(id)) {
    const std::string name = record.at("purpose");
    const json& last = record.at("history").back();
    table.push_back({name, std::string(purposes.at(name).get<bool>() ? "given" : "not given") +
                               " (" + last.at("state").get<std::string>() + " " +
                               last.at("at").get<std::string>() + ", " +
                               last.at("how").get<std::string>() + ")"});
  }
  print_table(*call.out, table);
  return kDone;
}

int customer_consent(const Call& call) {
  ConsentChange change;
  change.customer = call.word(0, "ID");
  const auto purpose = purpose_from_string(call.word(1, "PURPOSE"));
  const std::string& state = call.word(2, "given or withdrawn");
  call.at_most(3);
  if (!purpose) throw Usage("unknown purpose \"" + call.words[1] + "\"");
  if (state != "given" && state != "withdrawn") throw Usage("say given or withdrawn");
  change.purpose = *purpose;
  change.given = state == "given";
  change.how = call.text("how");
  change.at = parse_time(call, "at").value_or(wall_now());
  change.expires_at = parse_time(call, "expires-at");
  change.ageing = call.has("ageing");
  if (change.ageing && (!change.given || *purpose != Purpose::face_recognition)) {
    throw Usage("--ageing goes with face_recognition given");
  }
  Opened opened(call);
  Transaction transaction(*opened.db);
  const auto record = opened.crm.set_consent(change);
  if (!record) return call.no(record.error());
  transaction.commit();
  opened.db->announce();
  if (call.json_wanted) {
    call.print(*record);
  } else {
    *call.out << call.words[1] << ": " << state << "\n";
  }
  return kDone;
}

json to_json(const Erasure& erasure) {
  json boxes = json::array();
  for (const ErasureBox& box : erasure.boxes) {
    json entry = {{"store", box.store}, {"box", box.box}};
    entry["done_at"] = box.done_at ? json(*box.done_at) : json(nullptr);
    if (!box.refused.empty()) entry["receipt_refused"] = box.refused;
    boxes.push_back(std::move(entry));
  }
  const auto done = std::count_if(erasure.boxes.begin(), erasure.boxes.end(),
                                  [](const ErasureBox& box) { return box.done_at.has_value(); });
  return {{"erasure", erasure.id},
          {"asked_at", erasure.asked_at},
          {"complete", erasure.done_at.has_value()},
          {"done", done},
          {"boxes", boxes.size()},
          {"by_box", boxes}};
}

int customer_forget(const Call& call) {
  const std::string& id = call.word(0, "ID");
  call.at_most(1);
  Opened opened(call);
  Transaction transaction(*opened.db);
  const auto erasure = opened.crm.forget(id, wall_now());
  if (!erasure) return call.no(erasure.error());
  transaction.commit();
  opened.db->scrub();
  opened.db->announce();
  if (call.json_wanted) {
    call.print(to_json(*opened.crm.erasure(*erasure)));
  } else {
    *call.out << "erased here; erasure " << *erasure << " runs on "
              << opened.crm.erasure(*erasure)->boxes.size() << " boxes\n";
  }
  return kDone;
}

int customer_export(const Call& call) {
  const std::string& id = call.word(0, "ID");
  call.at_most(1);
  Opened opened(call);
  const auto data = opened.crm.export_customer(id, wall_now());
  if (!data) return call.no(data.error());
  call.print(*data);
  return kDone;
}

int erasure_status(const Call& call) {
  const std::string& id = call.word(0, "ID");
  call.at_most(1);
  Opened opened(call);
  const auto erasure = opened.crm.erasure(id);
  if (!erasure) return call.no({ErrorCode::not_found, "there is no such erasure"});
  const json status = to_json(*erasure);
  if (call.json_wanted) {
    call.print(status);
  } else {
    *call.out << "erasure " << erasure->id << ", asked " << erasure->asked_at << ": "
              << status.at("done") << " of " << status.at("boxes") << " boxes\n";
    for (const ErasureBox& box : erasure->boxes) {
      *call.out << "  " << box.store << "/" << box.box << ": "
                << (box.done_at ? "done " + *box.done_at : std::string("outstanding"))
                << (box.refused.empty() ? "" : "; its receipt was refused: " + box.refused) << "\n";
    }
  }
  return erasure->done_at ? kDone : kNo;
}

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
  const std::string& name = call.word(0, "STORE/BOX");
  call.at_most(1);
  const auto slash = name.find('/');
  if (slash == std::string::npos) throw Usage("a box is STORE/BOX");
  const std::string store = name.substr(0, slash), box = name.substr(slash + 1);
  if (!contract::valid_level(store) || !contract::valid_level(box))
    throw Usage("a box is STORE/BOX");
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
  if (call.json_wanted) {
    call.print(to_json(known));
  } else {
    *call.out << name << " is trusted with the key " << contract::fingerprint(known->key) << "\n";
  }
  return kDone;
}

int boxes(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  std::map<std::string, Position> heads;
  for (const Collection collection : contract::kAllCollections) {
    heads[std::string(contract::to_string(collection))] = opened.crm.feed().head(collection);
  }
  json list = json::array();
  std::vector<std::vector<std::string>> table{
      {"STORE", "BOX", "STATE", "SESSION", "VERSION", "SEEN", "FEED", "KEY"}};
  for (const Row& row : opened.db->query(
           "SELECT store, box, state, session, version, seen_at FROM box ORDER BY store, box")) {
    json told = json::object();
    std::string behind;
    for (const Row& at :
         opened.db->query("SELECT collection, seq FROM told WHERE store = $1 AND box = $2",
                          {row.text(0), row.text(1)})) {
      told[at.text(0)] = at.integer(1);
    }
    for (const auto& [name, head] : heads) {
      if (told.value(name, std::int64_t{-1}) != head.seq) {
        behind += (behind.empty() ? "behind: " : ", ") + name;
      }
    }
    const auto key = opened.crm.box_key(row.text(0), row.text(1));
    const std::int64_t refused =
        opened.db
            ->query(
                "SELECT COUNT(*) FROM erasure_box WHERE store = $1 AND box = $2 "
                "AND refused IS NOT NULL",
                {row.text(0), row.text(1)})
            .at(0)
            .integer(0);
    list.push_back({{"store", row.text(0)},
                    {"box", row.text(1)},
                    {"state", row.text(2)},
                    {"session", row.integer(3)},
                    {"version", row.text(4)},
                    {"seen_at", row.text(5)},
                    {"up_to_date", behind.empty()},
                    {"told", told},
                    {"key", to_json(key)},
                    {"receipts_refused", refused}});
    std::string trust = key ? contract::fingerprint(key->key) : "not said";
    if (key && key->other) trust += ", now says " + contract::fingerprint(*key->other);
    if (refused > 0) trust += ", receipts refused: " + std::to_string(refused);
    table.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5),
                     behind.empty() ? "up to date" : behind, trust});
  }
  if (call.json_wanted) {
    call.print(list);
  } else {
    print_table(*call.out, table);
  }
  return kDone;
}

int ledger(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  const std::string since = call.has("since") ? call.text("since") : "";
  const std::string type = call.has("type") ? "%" + call.text("type") + "%" : "%";
  const Rows rows = opened.db->query(
      "SELECT position, id, store, box, type, time, customer, data, received_at, handled, note "
      "FROM ledger WHERE received_at >= $1 AND type LIKE $2 ORDER BY position",
      {since, type});
  if (!call.json_wanted) {
    std::vector<std::vector<std::string>> table{{"#", "TIME", "BOX", "TYPE", "CUSTOMER", "NOTE"}};
    for (const Row& row : rows) {
      table.push_back({row.text(0), row.text(5), row.text(2) + "/" + row.text(3), row.text(4),
                       row.text(6), row.text(10)});
    }
    print_table(*call.out, table);
    return kDone;
  }
  // One object a line: a ledger is long.
  for (const Row& row : rows) {
    *call.out << json{{"position", row.integer(0)}, {"id", row.text(1)},
                      {"store", row.text(2)},       {"box", row.text(3)},
                      {"type", row.text(4)},        {"time", row.text(5)},
                      {"customer", row.text(6)},    {"data", json::parse(row.text(7))},
                      {"received_at", row.text(8)}, {"handled", row.integer(9) != 0},
                      {"note", row.text(10)}}
                     .dump()
              << "\n";
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
  Transaction transaction(*opened.db);
  const contract::Control control = opened.crm.set_control(store, *function, paused, wall_now());
  transaction.commit();
  opened.db->announce();
  if (call.json_wanted) {
    call.print({{"ok", true},
                {"store", store},
                {"function", call.words[0]},
                {"paused", paused},
                {"seq", control.seq}});
  } else {
    *call.out << call.words[0] << (paused ? " paused in " : " resumed in ")
              << (call.has("store") ? store : "all stores") << "\n";
  }
  return kDone;
}

int pause(const Call& call) { return pause_or_resume(call, true); }
int resume(const Call& call) { return pause_or_resume(call, false); }

int report(const Call& call) {
  const std::string& campaign = call.word(0, "CAMPAIGN");
  call.at_most(1);
  const std::string format = call.json_wanted ? "json" : call.text("format");
  Opened opened(call);
  const Report made = make_report(opened.crm, campaign);
  if (made.arms.empty() && !made.holdout &&
      !opened.crm.feed().get(Collection::campaigns, campaign)) {
    return call.no({ErrorCode::not_found, "there is no such campaign"});
  }
  if (format == "json") {
    *call.out << report_json(made);
  } else if (format == "svg") {
    *call.out << report_svg(made);
  } else if (format == "table") {
    *call.out << report_table(made);
  } else {
    throw Usage("--format is table, json or svg");
  }
  return kDone;
}

int sign_keys(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  if (call.has("new") || call.has("use")) {
    Transaction transaction(*opened.db);
    if (call.has("new")) opened.crm.new_signing_key(wall_now());
    if (call.has("use")) {
      const auto used = opened.crm.use_signing_key(call.text("use"), wall_now());
      if (!used) return call.no(used.error());
    }
    transaction.commit();
    opened.db->announce();
  }
  const std::string keys = opened.crm.public_keys();
  if (call.json_wanted) {
    call.print({{"keys", keys}, {"signing", opened.crm.signer() != nullptr}});
  } else if (keys.empty()) {
    *call.out << "# nothing is signed yet: welcome-crm sign-keys --new\n";
  } else {
    *call.out << keys;
  }
  return kDone;
}

std::string credential(const Call& call, const char* option) {
  if (!call.has(option)) return {};
  std::string text = read_file(call.text(option));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// mqtt://host:port or mqtts://host:port
void parse_broker(const std::string& url, mqtt::ClientConfig& broker, bool& secure) {
  std::string rest = url;
  secure = rest.starts_with("mqtts://");
  if (!secure && !rest.starts_with("mqtt://")) {
    throw Usage("--broker is mqtt://HOST:PORT or mqtts://HOST:PORT");
  }
  rest.erase(0, rest.find("//") + 2);
  broker.port = secure ? 8883 : 1883;
  if (const auto colon = rest.rfind(':'); colon != std::string::npos && !rest.ends_with(']')) {
    const std::string port = rest.substr(colon + 1);
    const bool digits = !port.empty() && port.size() <= 5 &&
                        port.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(port) < 1 || std::stoi(port) > 65535) {
      throw Usage("--broker: the port is not a port");
    }
    broker.port = static_cast<std::uint16_t>(std::stoi(port));
    rest.erase(colon);
  }
  if (rest.size() > 2 && rest.front() == '[') rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) throw Usage("--broker: the host is missing");
  broker.host = rest;
}

int serve(const Call& call) {
  call.at_most(0);
  ServeConfig config;
  bool secure = false;
  parse_broker(call.text("broker"), config.broker, secure);
  config.broker.client_id = call.text("client-id");
  config.broker.user = call.text("user");
  config.broker.password = credential(call, "password-file");
  if (secure) {
    if (!call.has("ca")) throw Usage("mqtts:// needs --ca FILE");
    config.broker.tls = mqtt::TlsFiles{call.text("ca"),
                                       call.has("cert") ? call.text("cert") : "",
                                       call.has("key") ? call.text("key") : "",
                                       {},
                                       true};
    // What is wrong with the files is said now; later the line just stays down.
    if (const auto tls = mqtt::Tls::load(*config.broker.tls); !tls) {
      throw std::runtime_error(tls.error().message);
    }
  }
  if (call.has("share")) config.share = call.text("share");
  config.heartbeat = std::chrono::seconds(call.options["heartbeat-s"].as<unsigned>());

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int stop_fd = signalfd(-1, &signals, SFD_CLOEXEC);

  spdlog::set_default_logger(spdlog::stderr_logger_mt("welcome-crm"));
  Opened opened(call);
  Server server(*opened.db, config);
  server.run(stop_fd);
  const ServeCounters& c = server.counters();
  spdlog::info(
      "stopped; events {} (+{} repeated), requests {} (+{} repeated), refused {}, hellos {}, "
      "deltas {}, snapshots {}, sent {}, expired {}, undeliverable {}, other keys {}, receipts "
      "refused {}",
      c.events, c.repeated_events, c.requests, c.repeated_requests, c.refused, c.hellos, c.deltas,
      c.snapshots, c.sent, c.expired, c.undeliverable, c.keys_refused, server.receipts_refused());
  ::close(stop_fd);
  return kDone;
}

struct Command {
  const char* name;
  const char* words;
  const char* help;
  int (*run)(const Call&);
  void (*describe)(po::options_description&);
};

void no_options(po::options_description&) {}

void init_options(po::options_description& options) {
  options.add_options()("tenant", po::value<std::string>()->required(),
                        "who we are in topics: welcome/v1/TENANT/…")(
      "controller", po::value<std::string>()->required(),
      "the controller that consent records name")(
      "jurisdiction", po::value<std::string>()->default_value("EU"), "as consent records say it")(
      "storage-location", po::value<std::string>()->default_value("box"), "as records say it")(
      "retention-days", po::value<std::int64_t>()->default_value(365), "as records say it")(
      "notice", po::value<std::string>()->default_value("welcome-pledge:1:en"),
      "notice that a new grant refers to, ID:VERSION:LANGUAGE");
}

void customer_options(po::options_description& options) {
  options.add_options()("name", po::value<std::string>(), "display name")(
      "greeting", po::value<std::string>(), "how to address: \"Ms Berg\"")(
      "pronunciation", po::value<std::string>(), "how to say it")(
      "language", po::value<std::string>(), "BCP 47: en, de-CH")("tier", po::value<std::string>(),
                                                                 "loyalty tier")(
      "app-id", po::value<std::string>(), "pseudonym of the customer's app; random if not given");
}

void consent_options(po::options_description& options) {
  options.add_options()("how", po::value<std::string>()->default_value("crm"),
                        "how she said it: app, desk, crm")(
      "at", po::value<std::string>(), "when (RFC 3339, UTC); now if not given")(
      "expires-at", po::value<std::string>(), "when the grant ends by itself")(
      "ageing", "face_recognition: her templates may follow her looks, and she was told so");
}

void ledger_options(po::options_description& options) {
  options.add_options()("since", po::value<std::string>(), "received at or after (RFC 3339, UTC)")(
      "type", po::value<std::string>(), "only types that contain this: decision.offer");
}

void trust_options(po::options_description& options) {
  options.add_options()("key", po::value<std::string>(),
                        "its public key, base64, before it says one: `welcomectl status` shows it");
}

void store_options(po::options_description& options) {
  options.add_options()("store", po::value<std::string>(), "one store instead of all");
}

void report_options(po::options_description& options) {
  options.add_options()("format", po::value<std::string>()->default_value("table"),
                        "table, json, or svg (a picture)");
}

void key_options(po::options_description& options) {
  options.add_options()("new", "make a key; the first is used at once")(
      "use", po::value<std::string>(), "sign everything with this key, retire the one before");
}

void serve_options(po::options_description& options) {
  options.add_options()("broker", po::value<std::string>()->default_value("mqtt://127.0.0.1:1883"),
                        "mqtt://HOST:PORT or mqtts://HOST:PORT")(
      "user", po::value<std::string>()->default_value("crm"), "the broker's account")(
      "password-file", po::value<std::string>(), "file with its password")(
      "client-id", po::value<std::string>()->default_value("crm"),
      "name of the session that the broker keeps; each instance has its own")(
      "ca", po::value<std::string>(), "mqtts: certificate authority, PEM")(
      "cert", po::value<std::string>(), "mqtts: our certificate, PEM")(
      "key", po::value<std::string>(), "mqtts: its key, PEM")(
      "share", po::value<std::string>(), "several instances: name of their shared subscription")(
      "heartbeat-s", po::value<unsigned>()->default_value(30),
      "how often every box is told where the feed stands");
}

constexpr Command kCommands[] = {
    {"init", "", "make the database, or change what consent records say", init, init_options},
    {"import", "FILE…", "customers, consents (CSV); campaigns, policy, identities (JSON)",
     import_files, no_options},
    {"customer list", "", "everybody, and what she gave consent to", customer_list, no_options},
    {"customer add", "ID", "add or change a customer", customer_add, customer_options},
    {"customer show", "ID", "profile and consents", customer_show, no_options},
    {"customer consent", "ID PURPOSE given|withdrawn", "write into the consent's history",
     customer_consent, consent_options},
    {"customer export", "ID", "everything that is held on a customer, as JSON", customer_export,
     no_options},
    {"customer forget", "ID", "erase a customer here and on every box", customer_forget,
     no_options},
    {"erasure status", "ID", "how many boxes have confirmed; exit code 1 while some are late",
     erasure_status, no_options},
    {"boxes trust", "STORE/BOX", "count receipts signed with the key that it says now", boxes_trust,
     trust_options},
    {"boxes", "", "every box, how far it has been told, and its key", boxes, no_options},
    {"ledger", "", "every event, once; one JSON object a line with --json", ledger, ledger_options},
    {"pause", "FUNCTION", "stop face, offers, prompts, surveys or all, everywhere at once", pause,
     store_options},
    {"resume", "FUNCTION", "and go on", resume, store_options},
    {"report", "CAMPAIGN", "what each variant did, against the hold-out; survey scores", report,
     report_options},
    {"sign-keys", "", "public keys for the boxes' key ring", sign_keys, key_options},
    {"serve", "", "connect to the broker and serve the boxes", serve, serve_options},
};

void global_options(po::options_description& options) {
  options.add_options()("database,d", po::value<std::string>(),
                        "SQLite file or postgresql://…; else $WELCOME_CRM_DATABASE, "
                        "else /var/lib/welcome-crm/crm.db")("json", "answer in JSON")(
      "help,h", "this text, or a command's")("version", "print the version");
}

void print_help(std::ostream& out) {
  out << "welcome-crm: the CRM's half of the contract, for demos, tests and as an example\n\n"
         "usage: welcome-crm [--database DB] [--json] COMMAND …\n\n";
  std::vector<std::vector<std::string>> table;
  for (const Command& command : kCommands) {
    table.push_back({std::string("  ") + command.name + " " + command.words, command.help});
  }
  print_table(out, table);
  out << "\nwelcome-crm COMMAND --help tells a command's options. Commands work beside a running\n"
         "serve, which passes on what they change at once.\n\n";
  po::options_description options("Everywhere");
  global_options(options);
  out << options
      << "\nExit codes: 0 done, 1 no (not found, refused, still open), 2 wrong usage,\n"
         "3 the database or a file failed.\n";
}

void print_help(const Command& command, std::ostream& out) {
  out << "usage: welcome-crm " << command.name << " " << command.words << "\n\n"
      << command.help << "\n\n";
  po::options_description options("Options");
  command.describe(options);
  if (!options.options().empty()) out << options << "\n";
  po::options_description everywhere("Everywhere");
  global_options(everywhere);
  out << everywhere;
}

// The command's one or two words may stand anywhere before its own words.
const Command* find_command(std::vector<std::string>& words) {
  for (const Command& command : kCommands) {
    std::istringstream names(command.name);
    std::vector<std::string> name;
    for (std::string word; names >> word;) name.push_back(word);
    if (words.size() >= name.size() && std::equal(name.begin(), name.end(), words.begin())) {
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(name.size()));
      return &command;
    }
  }
  return nullptr;
}

// Which command is meant has to be known before its options are.
std::vector<std::string> words_of(const std::vector<std::string>& args,
                                  const po::options_description& options) {
  po::options_description all;
  all.add(options).add_options()("words", po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add("words", -1);
  po::variables_map found;
  po::store(
      po::command_line_parser(args).options(all).positional(positions).allow_unregistered().run(),
      found);
  return found.count("words") != 0 ? found["words"].as<std::vector<std::string>>()
                                   : std::vector<std::string>();
}

int dispatch(const std::vector<std::string>& args, std::ostream& out, std::ostream& err) {
  po::options_description everywhere;
  global_options(everywhere);
  std::vector<std::string> first = words_of(args, everywhere);
  const Command* command = find_command(first);
  if (command == nullptr) {
    if (std::find(args.begin(), args.end(), "--version") != args.end()) {
      out << "welcome-crm " << kVersion << '\n';
      return kDone;
    }
    const bool help = args.empty() || std::find(args.begin(), args.end(), "--help") != args.end() ||
                      std::find(args.begin(), args.end(), "-h") != args.end() ||
                      (first.size() == 1 && first[0] == "help");
    if (!help) throw Usage("unknown command \"" + (first.empty() ? args[0] : first[0]) + "\"");
    print_help(out);
    return args.empty() ? kUsage : kDone;
  }

  po::options_description options;
  command->describe(options);
  options.add(everywhere).add_options()("words", po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add("words", -1);
  Call call;
  po::store(po::command_line_parser(args).options(options).positional(positions).run(),
            call.options);
  if (call.has("help")) {
    print_help(*command, out);
    return kDone;
  }
  po::notify(call.options);
  call.words = call.options["words"].as<std::vector<std::string>>();
  find_command(call.words);
  call.json_wanted = call.has("json");
  call.out = &out;
  call.err = &err;
  const char* from_environment = std::getenv(kDatabaseVariable);
  call.url = call.has("database")          ? call.text("database")
             : from_environment != nullptr ? std::string(from_environment)
                                           : std::string(kDefaultDatabase);
  return command->run(call);
}

}  // namespace

int run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err) {
  try {
    if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
    return dispatch(args, out, err);
  } catch (const Usage& error) {
    err << "welcome-crm: " << error.what() << "\nTry welcome-crm --help\n";
    return kUsage;
  } catch (const po::error& error) {
    err << "welcome-crm: " << error.what() << "\nTry welcome-crm --help\n";
    return kUsage;
  } catch (const std::exception& error) {
    err << "welcome-crm: " << error.what() << "\n";
    return kFailed;
  }
}

}  // namespace welcome::crm
