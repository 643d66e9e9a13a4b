// SPDX-License-Identifier: Apache-2.0
// boxes renew

#include <chrono>
#include <nlohmann/json.hpp>

#include "contract/topics.h"
#include "crm/box_account.h"
#include "crm/cli/command.h"
#include "crm/renewals.h"
#include "provision/broker_files.h"

namespace welcome::crm::cli {
namespace {

// What boxes have made since the last time. The file first: a line that is put twice is the same.
Result<std::int64_t> put_what_came(const Call& call, Opened& opened) {
  Renewals renewals(opened.crm);
  std::int64_t count = 0;
  for (const Renewals::Line& line : renewals.to_put()) {
    const contract::BoxAddress box{opened.crm.settings().tenant, line.store, line.box};
    if (auto done = provision::put_account_hash(
            call.text("broker-files"), contract::address_text(box), acl_lines(box), line.hash);
        !done) {
      return tl::unexpected(done.error());
    }
    Transaction transaction(*opened.db);
    renewals.put(line, wall_now());
    transaction.commit();
    ++count;
  }
  return count;
}

int boxes_renew(const Call& call) {
  call.at_most(1);
  const auto days = call.number("days", 0, 3650);
  Opened opened(call);
  const auto put = put_what_came(call, opened);
  if (!put) return call.no(put.error());
  Transaction transaction(*opened.db);
  Renewals renewals(opened.crm);
  std::int64_t asked = 0;
  if (call.words.empty()) {
    asked = renewals.ask_older_than(std::chrono::hours(24 * days), wall_now());
  } else {
    const auto [store, box] = box_of(call);
    if (auto done = renewals.ask(store, box, wall_now()); !done) return call.no(done.error());
    asked = 1;
  }
  transaction.commit();
  opened.db->announce();
  return call.done({{"ok", true}, {"put", *put}, {"asked", asked}},
                   std::to_string(*put) + " new passwords are in the broker's file" +
                       (*put > 0 ? ": reload it (SIGHUP; systemctl reload mosquitto)" : "") + "; " +
                       std::to_string(asked) + " boxes are asked to make one");
}

constexpr Option kRenew[] = {
    {"broker-files", nullptr, "the folder of Mosquitto's files `passwords` and `acl`", false, true},
    {"days", "90", "how old a password becomes"},
};

constexpr Command kRenewCommands[] = {
    {"boxes renew", "[STORE/BOX]",
     "new passwords at the broker, without a technician: what boxes have made is put into its "
     "file, "
     "and those whose password is old are asked to make one; to be said every day",
     boxes_renew, kRenew},
};

}  // namespace

std::span<const Command> renew_commands() { return kRenewCommands; }

}  // namespace welcome::crm::cli
