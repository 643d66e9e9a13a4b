// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/floor.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <vector>

#include "firmware/ctl/print.h"
#include "firmware/ctl/process.h"
#include "firmware/ctl/terminal.h"
#include "provision/broker_files.h"
#include "provision/files.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

// Whose account is it?
enum class Account : std::uint8_t { none, box, tablet };
Result<Account> account_of(const FloorCommand& command) {
  const auto tablets = provision::tablets(command.broker_files);
  if (!tablets) return tl::unexpected(tablets.error());
  const auto accounts = provision::accounts(command.broker_files);
  if (!accounts) return tl::unexpected(accounts.error());
  const auto named = [&](const auto& tablet) { return tablet.name == command.box; };
  if (std::any_of(tablets->begin(), tablets->end(), named)) return Account::tablet;
  const bool there = std::find(accounts->begin(), accounts->end(), command.box) != accounts->end();
  return there ? Account::box : Account::none;
}

int done(const FloorCommand& command, json answer, const std::string& said) {
  const bool reloaded = reload_floor();
  answer["reloaded"] = reloaded;
  if (command.json) {
    std::cout << answer.dump() << '\n';
    return kDone;
  }
  if (!reloaded) say_not_reloaded();
  print(std::cout, json{{"lines", {said}}});
  return kDone;
}

}  // namespace

bool reload_floor() {
  return output_of({"systemctl", "--quiet", "reload", "welcome-floor"}, {}, Complaints::hidden)
      .has_value();
}

void say_not_reloaded() {
  std::cerr << "The broker was not told. It reads its files again after: systemctl reload "
               "welcome-floor\n(or SIGHUP to its process)\n";
}

int broker_files_failed(const std::string& folder, const Error& error) {
  const bool elsewhere = error.code == ErrorCode::not_found;
  return failed(error.message + (elsewhere ? ": say --broker-files DIR, the folder of the floor's "
                                             "broker (" +
                                                 folder + " is not it)"
                                 : ::geteuid() == 0 ? ""
                                                    : "; as root it may go"));
}

Result<bool> put_box_account(const FloorCommand& command) {
  if (!provision::valid_account(command.box)) {
    return fail(ErrorCode::refused, "the name of a box is 1 to 64 letters, digits, . _ and -");
  }
  const auto is = account_of(command);
  if (!is) return tl::unexpected(is.error());
  if (*is == Account::tablet) return fail(ErrorCode::refused, "that is a tablet's name");
  // The file first: what cannot be written down leaves the account as it is.
  const std::string password = provision::new_password();
  if (!provision::replace_private(command.password_file, password)) {
    return fail(ErrorCode::unavailable, command.password_file + ": " + std::strerror(errno));
  }
  const auto put = provision::put_account(command.broker_files, command.box,
                                          provision::box_rules(command.box), password);
  if (!put) return tl::unexpected(put.error());
  return *is == Account::box;
}

int floor_add(const FloorCommand& command) {
  if (!provision::valid_account(command.box)) {
    return failed("the name of a box is 1 to 64 letters, digits, . _ and -", kUsage);
  }
  const auto again = put_box_account(command);
  if (!again) {
    return again.error().code == ErrorCode::refused
               ? failed(again.error().message)
               : broker_files_failed(command.broker_files, again.error());
  }
  return done(command,
              {{"box", command.box}, {"again", *again}, {"password_file", command.password_file}},
              command.box + " has an account at the floor's broker; its password is in " +
                  command.password_file + ". Of the box it wants floor.user = " + command.box +
                  ", and systemctl restart welcomed");
}

int floor_revoke(const FloorCommand& command) {
  const auto is = account_of(command);
  if (!is) return broker_files_failed(command.broker_files, is.error());
  if (*is == Account::tablet) return failed("that is a tablet: welcomectl tablet revoke");
  if (*is == Account::none) return failed("the floor's broker has no such account");
  const auto gone = provision::remove_account(command.broker_files, command.box);
  if (!gone) return broker_files_failed(command.broker_files, gone.error());
  return done(command, {{"box", command.box}},
              command.box + " is revoked: its account at the floor's broker is gone");
}

}  // namespace welcome::ctl
