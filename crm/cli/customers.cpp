// SPDX-License-Identifier: Apache-2.0
// customer …, erasure …

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <ostream>

#include "crm/cli/command.h"
#include "crm/desk_consents.h"
#include "crm/token.h"

namespace welcome::crm::cli {
namespace {

constexpr std::size_t kCustomersAtOnce = 500;

json to_json(PurposeSet given) {
  json out = json::object();
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
  for (const char* name : {"name", "greeting", "pronunciation", "language", "tier", "met"}) {
    if (call.has(name)) profile[name] = call.text(name);
  }
  const std::string app = call.has("app-id") ? call.text("app-id") : "";
  if (auto ok = opened.crm.put_customer(profile, app, wall_now()); !ok) return call.no(ok.error());
  transaction.commit();
  opened.db->announce();
  const std::string app_id = *opened.crm.app_of(id);
  return call.done({{"ok", true}, {"customer", id}, {"app_id", app_id}},
                   id + " has the app id " + app_id);
}

std::string names_of(PurposeSet given) {
  std::string out;
  for (const Purpose purpose : kAllPurposes) {
    if (!given.has(purpose)) continue;
    out += out.empty() ? "" : ", ";
    out += to_string(purpose);
  }
  return out.empty() ? "nothing" : out;
}

// Page by page: a shop may have a million.
int customer_list(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  std::string last;
  bool first = true;
  if (call.json_wanted) *call.out << "[";
  while (true) {
    const auto page = opened.crm.customers_after(last, kCustomersAtOnce, wall_now());
    if (page.empty() && !first) break;
    Table table;
    if (first) table.push_back({"CUSTOMER", "APP", "GIVEN"});
    for (const Crm::Line& line : page) {
      if (call.json_wanted) {
        *call.out << (last.empty() ? "\n" : ",\n")
                  << json{{"customer", line.customer},
                          {"app_id", line.app_id},
                          {"purposes", to_json(line.given)}}
                         .dump();
      } else {
        table.push_back({line.customer, line.app_id, names_of(line.given)});
      }
      last = line.customer;
    }
    if (!call.json_wanted) print_table(*call.out, table);
    first = false;
    if (page.size() < kCustomersAtOnce) break;
  }
  if (call.json_wanted) *call.out << "\n]\n";
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
  const json purposes = to_json(opened.crm.given(id, wall_now()));
  const Home home = opened.crm.feed().regions().home_of(id);
  if (call.json_wanted) {
    call.print({{"customer", id},
                {"app_id", *opened.crm.app_of(id)},
                {"profile", *profile},
                {"regions", Regions::named_in(home)},
                {"purposes", purposes},
                {"consents", opened.crm.consents(id)}});
    return kDone;
  }
  Table table{{"customer", id}, {"app", *opened.crm.app_of(id)}};
  if (!home.empty()) table.push_back({"at home in", home});
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
  change.at = call.time("at").value_or(wall_now());
  change.expires_at = call.time("expires-at");
  change.ageing = call.has("ageing");
  if (change.ageing && (!change.given || *purpose != Purpose::face_recognition)) {
    throw Usage("--ageing goes with face_recognition given");
  }
  Opened opened(call);
  Transaction transaction(*opened.db);
  const auto record = opened.crm.set_consent(change, wall_now());
  if (!record) return call.no(record.error());
  transaction.commit();
  opened.db->announce();
  const bool stands = opened.crm.given(change.customer, wall_now()).has(*purpose);
  if (change.given && !stands) {
    call.warn("written down, but it does not count: it is older than a withdrawal, or over");
  }
  return call.done(*record, call.words[1] + ": " + (stands ? "given" : "not given"));
}

int customer_region(const Call& call) {
  const std::string& id = call.word(0, "ID");
  const std::string& words = call.word(1, "REGIONS");
  call.at_most(2);
  Opened opened(call);
  const auto home = opened.crm.home_from(words);
  if (!home) return call.no(home.error());
  Transaction transaction(*opened.db);
  if (const auto done = opened.crm.set_home(id, *home); !done) return call.no(done.error());
  transaction.commit();
  opened.db->announce();
  return call.done({{"ok", true}, {"customer", id}, {"regions", Regions::named_in(*home)}},
                   id + " is at home in " + (home->empty() ? "all regions" : *home));
}

std::string standing_of(const ErasureBox& box) {
  if (box.done_at) return "done " + *box.done_at;
  if (box.revoked_at) return "revoked " + *box.revoked_at + ", nobody waits for it";
  return "outstanding";
}

json to_json(const Erasure& erasure) {
  json boxes = json::array();
  for (const ErasureBox& box : erasure.boxes) {
    json entry = {{"store", box.store}, {"box", box.box}};
    entry["done_at"] = box.done_at ? json(*box.done_at) : json(nullptr);
    if (!box.refused.empty()) entry["receipt_refused"] = box.refused;
    if (box.revoked_at) entry["revoked_at"] = *box.revoked_at;
    boxes.push_back(std::move(entry));
  }
  const auto done = std::count_if(erasure.boxes.begin(), erasure.boxes.end(),
                                  [](const ErasureBox& box) { return box.done_at.has_value(); });
  const auto revoked =
      std::count_if(erasure.boxes.begin(), erasure.boxes.end(),
                    [](const ErasureBox& box) { return box.revoked_at.has_value(); });
  return {{"erasure", erasure.id},
          {"asked_at", erasure.asked_at},
          {"complete", erasure.done_at.has_value()},
          {"done", done},
          {"revoked", revoked},
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
  // For the person: how far it is, until the last box.
  const std::string page = opened.crm.page_address();
  const std::string status =
      page.empty() ? "" : status_url(page, opened.crm.new_erasure_token(*erasure));
  transaction.commit();
  opened.crm.scrub_what_was_erased();
  opened.db->announce();
  if (call.json_wanted) {
    json out = to_json(*opened.crm.erasure(*erasure));
    if (!status.empty()) out["status_url"] = status;
    call.print(out);
  } else {
    *call.out << "erased here; erasure " << *erasure << " runs on "
              << opened.crm.erasure(*erasure)->boxes.size() << " boxes\n";
    if (!status.empty()) *call.out << "for the person, to see how far it is: " << status << "\n";
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
      *call.out << "  " << box.store << "/" << box.box << ": " << standing_of(box)
                << (box.refused.empty() ? "" : "; its receipt was refused: " + box.refused) << "\n";
    }
  }
  return erasure->done_at ? kDone : kNo;
}

// From a file: a secret on the command line is everybody's who lists processes.
int identity_key(const Call& call) {
  const std::string& identity = call.word(0, "ID");
  const std::string& file = call.word(1, "FILE");
  call.at_most(2);
  std::string key = read_file(file);
  while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back())) != 0) key.pop_back();
  Opened opened(call);
  Transaction transaction(*opened.db);
  if (const auto done = opened.crm.set_device_key(identity, key); !done) {
    return call.no(done.error());
  }
  transaction.commit();
  opened.db->announce();
  return call.done({{"ok", true}, {"identity", identity}}, identity + " has another key");
}

int identity_clock(const Call& call) {
  const std::string& identity = call.word(0, "ID");
  call.at_most(1);
  const WallTime began = call.time("began").value_or(wall_now());
  Opened opened(call);
  Transaction transaction(*opened.db);
  const auto value = opened.crm.set_clock(identity, began);
  if (!value) return call.no(value.error());
  transaction.commit();
  opened.db->announce();
  const std::string zero = value->at("clock_zero");
  return call.done({{"identity", identity}, {"clock_zero", zero}},
                   "the clock of " + identity + " began at " + zero);
}

// Read out on the phone, or sent by mail: whoever gives it out knows whom they talk to.
int code(const Call& call) {
  const std::string& customer = call.word(0, "CUSTOMER");
  call.at_most(1);
  Opened opened(call);
  if (!opened.crm.app_of(customer)) {
    return call.no({ErrorCode::not_found, "there is no such customer"});
  }
  Transaction transaction(*opened.db);
  const auto made = DeskConsents(opened.crm).new_code(customer, wall_now());
  transaction.commit();
  const std::string until = contract::to_rfc3339(made.expires_at);
  return call.done({{"customer", customer}, {"code", made.digits}, {"expires_at", until}},
                   made.digits + "\nfor one pledge at a desk, until " + until);
}

constexpr Option kClock[] = {
    {"began", nullptr,
     "when (RFC 3339, UTC), as the box says in feed.rejected (`ledger`); now if not given"},
};

constexpr Option kCustomer[] = {
    {"name", nullptr, "display name"},
    {"greeting", nullptr, "how to address: \"Ms Berg\""},
    {"pronunciation", nullptr, "how to say it"},
    {"language", nullptr, "BCP 47: en, de-CH"},
    {"tier", nullptr, "loyalty tier"},
    {"met", nullptr, "how they wish to be met, by their own choice: quietly, by_name"},
    {"app-id", nullptr, "pseudonym of the customer's app; random if not given"},
};

constexpr Option kConsent[] = {
    {"how", "crm", "how they said it: app, desk, crm"},
    {"at", nullptr, "when (RFC 3339, UTC); now if not given, and never later than now"},
    {"expires-at", nullptr, "when the grant ends by itself"},
    {"ageing", nullptr,
     "face_recognition: their templates may follow their looks, and they were told so", true},
};

constexpr Command kCustomerCommands[] = {
    {"customer list", "", "everybody, and what they gave consent to", customer_list},
    {"customer add", "ID", "add or change a customer", customer_add, kCustomer},
    {"customer show", "ID", "profile and consents", customer_show},
    {"customer consent", "ID PURPOSE given|withdrawn", "write into the consent's history",
     customer_consent, kConsent},
    {"customer region", "ID NORTH,SOUTH|all",
     "where they are at home: the boxes there know their devices, and no others", customer_region},
    {"customer export", "ID", "everything that is held on a customer, as JSON", customer_export},
    {"customer forget", "ID", "erase a customer here and on every box", customer_forget},
    {"identity key", "ID FILE", "a device's new secret key, as hexadecimal digits; - is stdin",
     identity_key},
    {"identity clock", "ID", "a fob with a new battery: when its clock began again", identity_clock,
     kClock},
    {"code", "CUSTOMER", "six digits that confirm one consent of theirs at a desk, for ten minutes",
     code},
    {"erasure status", "ID", "how many boxes have confirmed; exit code 1 while some are late",
     erasure_status},
};

}  // namespace

std::span<const Command> customer_commands() { return kCustomerCommands; }

}  // namespace welcome::crm::cli
