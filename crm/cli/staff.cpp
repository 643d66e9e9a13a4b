// SPDX-License-Identifier: Apache-2.0
// staff add, pin, remove, list, policy

#include "core/staff.h"

#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <termios.h>
#include <unistd.h>

#include "crm/cli/command.h"
#include "crm/regions.h"
#include "crm/staff.h"

namespace welcome::crm::cli {
namespace {

std::string stores_text(const Home& stores) { return stores.empty() ? "all" : stores; }

// What is typed is not shown for as long as this lives.
class Unseen {
 public:
  Unseen() : tty_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!tty_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~Unseen() {
    if (tty_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

 private:
  termios before_{};
  const bool tty_;
};

std::string line_of_stdin() {
  std::string out;
  std::getline(std::cin, out);
  if (out.ends_with('\r')) out.pop_back();
  return out;
}

// Twice from a terminal, as nobody sees what they type; one line from anything else.
std::string ask_for_pin(const Call& call, const std::string& staff) {
  if (::isatty(STDIN_FILENO) == 0) return line_of_stdin();
  const Unseen unseen;
  *call.err << "PIN of " << staff << ": " << std::flush;
  std::string pin = line_of_stdin();
  *call.err << "\nand once more: " << std::flush;
  const std::string again = line_of_stdin();
  *call.err << "\n";
  if (pin != again) throw Usage("that was not the same twice");
  return pin;
}

json to_json(const Staff::Line& line) {
  return {{"staff", line.member.id.str()},
          {"name", line.member.name},
          {"roles", words_of(line.member.roles)},
          {"all_stores", line.stores.empty()},
          {"stores", Regions::named_in(line.stores)},
          {"pin", !line.member.pin.empty()},
          {"changed_at", line.changed_at}};
}

void warn_of_unknown(const Call& call, Opened& opened, const Home& stores) {
  for (const std::string& store : Regions::named_in(stores)) {
    if (opened.crm.boxes(store).empty()) call.warn("no box is admitted in " + store + " yet");
  }
}

// Boxes hear of it, and who asked.
int told(const Call& call, Opened& opened, const std::string& id, const char* what) {
  opened.db->announce();
  return call.done({{"ok", true}, {"staff", id}}, id + " " + what);
}

int staff_add(const Call& call) {
  const std::string& id = call.word(0, "ID");
  call.at_most(1);
  Opened opened(call);
  Staff staff(*opened.db, opened.crm.feed());
  const auto before = staff.find(id);
  Staff::Line line = before.value_or(Staff::Line());
  line.member.id = StaffId(id);
  if (call.has("name")) line.member.name = call.text("name");
  if (line.member.name.empty()) throw Usage("--name is missing");
  if (call.has("role") || !before) {
    const auto roles = Staff::roles_from(call.text("role"));
    if (!roles) return call.no(roles.error());
    line.member.roles = *roles;
  }
  if (call.has("store") || !before) {
    const auto stores = Staff::stores_from(call.text("store"));
    if (!stores) return call.no(stores.error());
    line.stores = *stores;
  }
  Transaction transaction(*opened.db);
  if (auto done = staff.put(line, wall_now()); !done) return call.no(done.error());
  transaction.commit();
  opened.db->announce();
  warn_of_unknown(call, opened, line.stores);
  if (call.json_wanted) {
    call.print(to_json(*staff.find(id)));
    return kDone;
  }
  *call.out << id << (before ? " is changed: " : " is added: ") << roles_text(line.member.roles)
            << "; stores: " << stores_text(line.stores) << "\n";
  if (line.member.pin.empty()) {
    *call.out << "they cannot sign in yet: welcome-crm staff pin " << id << "\n";
  }
  return kDone;
}

int staff_pin(const Call& call) {
  const std::string& id = call.word(0, "ID");
  if (call.words.size() > 1) {
    throw Usage("a PIN is never part of a command: type it when asked, or give it on stdin");
  }
  Opened opened(call);
  Staff staff(*opened.db, opened.crm.feed());
  if (!staff.find(id)) {
    return call.no({ErrorCode::not_found, "nobody of that id is among the staff"});
  }
  std::string pin = ask_for_pin(call, id);
  Transaction transaction(*opened.db);
  if (auto done = staff.set_pin(id, pin, wall_now()); !done) return call.no(done.error());
  transaction.commit();
  return told(call, opened, id, "signs in with it on every tablet of their stores from now on");
}

int staff_remove(const Call& call) {
  const std::string& id = call.word(0, "ID");
  call.at_most(1);
  Opened opened(call);
  Transaction transaction(*opened.db);
  if (!Staff(*opened.db, opened.crm.feed()).remove(id)) {
    return call.no({ErrorCode::not_found, "nobody of that id is among the staff"});
  }
  transaction.commit();
  return told(call, opened, id, "is removed: boxes that are on the line let them in no more");
}

int staff_list(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  const Staff staff(*opened.db, opened.crm.feed());
  json list = json::array();
  Table table{{"ID", "NAME", "ROLES", "PIN", "CHANGED", "STORES"}};
  for (const Staff::Line& line : staff.all()) {
    if (call.has("store") && !Regions::holds(line.stores, call.text("store"))) continue;
    list.push_back(to_json(line));
    table.push_back({line.member.id.str(), line.member.name, roles_text(line.member.roles),
                     line.member.pin.empty() ? "none" : "yes", line.changed_at,
                     stores_text(line.stores)});
  }
  return call.done(list, table);
}

int staff_policy(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  Staff staff(*opened.db, opened.crm.feed());
  if (call.has("digits")) {
    Transaction transaction(*opened.db);
    staff.set_digits(call.number("digits", kPinDigitsLeast, kPinDigitsMost));
    transaction.commit();
  }
  return call.done({{"digits", staff.digits()}},
                   "a new PIN has at least " + std::to_string(staff.digits()) + " digits");
}

constexpr Option kAdd[] = {
    {.name = "name", .otherwise = nullptr, .help = "as colleagues call them"},
    {.name = "role",
     .otherwise = nullptr,
     .help = "staff (if nothing is said), lead, technician; more than once",
     .many = true},
    {.name = "store",
     .otherwise = nullptr,
     .help = "where they work, more than once; all if nothing is said",
     .many = true},
};
constexpr Option kOneStore[] = {{"store", nullptr, "those of one store"}};
constexpr Option kPolicy[] = {{"digits", nullptr, "how many a new PIN has at least, 4 to 12"}};

constexpr Command kStaffCommands[] = {
    {"staff add", "ID", "somebody who works in stores; again: what is said is changed", staff_add,
     kAdd},
    {"staff pin", "ID", "the PIN that they sign in with, asked for or from stdin", staff_pin},
    {"staff remove", "ID", "let them in no more, anywhere", staff_remove},
    {"staff list", "", "who works where, and whether they can sign in", staff_list, kOneStore},
    {"staff policy", "", "how long a PIN has to be", staff_policy, kPolicy},
};

}  // namespace

std::span<const Command> staff_commands() { return kStaffCommands; }

}  // namespace welcome::crm::cli
