// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/tablets.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "firmware/control/commands.h"
#include "firmware/ctl/client.h"
#include "firmware/ctl/floor.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/terminal.h"
#include "provision/broker_files.h"
#include "provision/qr.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

std::string now_text() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

int files_failed(const TabletCommand& command, const Error& error) {
  return broker_files_failed(command.broker_files, error);
}

// What is left to do, for who asked for JSON in the answer and for a person on the error stream.
void say_reloaded(const TabletCommand& command, json& answer) {
  const bool done = reload_floor();
  answer["reloaded"] = done;
  if (!done && !command.json) say_not_reloaded();
}

bool is_tablet(const std::vector<provision::TabletAccount>& tablets, const std::string& name) {
  return std::any_of(tablets.begin(), tablets.end(),
                     [&](const auto& tablet) { return tablet.name == name; });
}

}  // namespace

int tablet_add(const TabletCommand& command) {
  if (!provision::valid_account(command.name)) {
    return failed("the name of a tablet is 1 to 64 letters, digits, . _ and -", kUsage);
  }
  if (!command.page.starts_with("https://") && !command.page.starts_with("http://")) {
    return failed("say --page https://…/tablet/, the address of the page in this shop", kUsage);
  }
  const auto tablets = provision::tablets(command.broker_files);
  if (!tablets) return files_failed(command, tablets.error());
  const auto accounts = provision::accounts(command.broker_files);
  if (!accounts) return files_failed(command, accounts.error());
  const bool again = is_tablet(*tablets, command.name);
  if (!again && std::find(accounts->begin(), accounts->end(), command.name) != accounts->end()) {
    return failed("the broker has another account of that name");
  }
  const std::string password = provision::new_password();
  const auto done =
      provision::put_account(command.broker_files, command.name,
                             provision::tablet_rules({command.name, now_text()}), password);
  if (!done) return files_failed(command, done.error());
  const std::string link = command.page + "#" + command.name + ":" + password;
  json answer{{"tablet", command.name}, {"again", again}, {"link", link}};
  say_reloaded(command, answer);
  if (command.json) {
    std::cout << answer.dump() << '\n';
    return kDone;
  }
  std::cout << (again ? "A new password; the one before is not good any more.\n" : "")
            << "Point the camera of " << command.name
            << " at this. The page that opens is the tablet's from then on; whoever has\n"
               "this code is that tablet, so show it to nobody else.\n\n"
            << provision::qr_for_terminal(link) << '\n'
            << link << '\n';
  return kDone;
}

int tablet_revoke(const TabletCommand& command) {
  const auto tablets = provision::tablets(command.broker_files);
  if (!tablets) return files_failed(command, tablets.error());
  if (!is_tablet(*tablets, command.name)) {
    return failed("there is no such tablet; welcomectl tablet list has them");
  }
  const auto done = provision::remove_account(command.broker_files, command.name);
  if (!done) return files_failed(command, done.error());
  json answer{{"tablet", command.name}};
  say_reloaded(command, answer);
  // Who was signed in on it is out; a daemon that is away has nobody signed in for long.
  const auto over =
      ask(command.socket, control::CommandId::tablet_sign_out, {{"id", command.name}});
  answer["signed_out"] = over ? over->value("signed_out", false) : false;
  if (command.json) {
    std::cout << answer.dump() << '\n';
  } else {
    print(std::cout, json{{"lines", {command.name + " is revoked: its account is gone"}}});
  }
  return kDone;
}

int tablet_list(const TabletCommand& command) {
  const auto tablets = provision::tablets(command.broker_files);
  if (!tablets) return files_failed(command, tablets.error());
  const auto heard = ask(command.socket, control::CommandId::tablets);
  json list = json::array();
  for (const auto& [name, since] : *tablets) {
    json row{{"tablet", name}, {"registered", since}, {"signed in", nullptr}, {"heard", nullptr}};
    for (const json& one : heard ? *heard : json::array()) {
      if (one.value("tablet", "") != name) continue;
      if (one["name"].is_string()) {
        row["signed in"] = one["name"].get<std::string>() + (one["locked"] ? " (locked)" : "");
      }
      if (one["heard_s_ago"].is_number()) {
        row["heard"] = one["heard_s_ago"].dump() + " s ago";
      }
    }
    list.push_back(std::move(row));
  }
  if (!heard) std::cerr << "welcomectl: " << heard.error().message << '\n';
  if (command.json) {
    std::cout << list.dump() << '\n';
  } else {
    print(std::cout, list);
  }
  return kDone;
}

}  // namespace welcome::ctl
