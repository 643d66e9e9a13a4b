// SPDX-License-Identifier: Apache-2.0
// boxes invite

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "crm/box_account.h"
#include "crm/cli/admit.h"
#include "crm/cli/command.h"
#include "crm/cli/door_address.h"
#include "crm/invitations.h"
#include "crm/setting.h"
#include "mqtt/loopback.h"
#include "provision/broker_files.h"
#include "provision/files.h"
#include "provision/invitation.h"
#include "provision/qr.h"

namespace welcome::crm::cli {
namespace {

constexpr std::size_t kCaMost = 32UL * 1024;

// What a box needs to know of its broker.
void name_broker(const Call& call, Opened& opened, provision::Invitation& invitation) {
  const std::string url = said_last(call, opened, "broker", "box_broker");
  if (url.empty()) throw Usage("nobody has said where the broker is: --broker mqtts://HOST:PORT");
  const BrokerUrl broker = broker_of(url);
  if (!broker.tls && !mqtt::on_this_machine(broker.host)) {
    throw Usage("--broker: boxes on other machines want mqtts://");
  }
  invitation.host = broker.host;
  invitation.port = broker.port;
  invitation.tls = broker.tls;
  invitation.ca = setting(*opened.db, "box_ca");
  if (call.has("ca")) invitation.ca = call.text("ca").empty() ? "" : read_file(call.text("ca"));
  if (invitation.ca.empty()) return;
  if (invitation.ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos ||
      invitation.ca.find("PRIVATE KEY") != std::string::npos || invitation.ca.size() > kCaMost) {
    throw Usage("--ca is a file of certificates in PEM, without a key, of at most 32 kB");
  }
}

void keep_what_was_said(const Call& call, Opened& opened, const std::string& door,
                        const provision::Invitation& invitation) {
  if (call.has("door")) set_setting(*opened.db, "door", door);
  if (call.has("broker")) set_setting(*opened.db, "box_broker", call.text("broker"));
  if (call.has("ca")) set_setting(*opened.db, "box_ca", invitation.ca);
}

void print_invitation(const Call& call, const provision::InvitationCode& code,
                      const std::string& link, const std::string& until) {
  *call.out << call.words[0] << " is invited until " << until
            << ". Whoever has this code is that box, once:\n\n    " << code.text() << "\n\n"
            << provision::qr_for_terminal(link) << "\nOn the box, as root:\n\n"
            << "    welcomectl provision " << link << "\n";
  if (call.has("file")) {
    *call.out << "\nor without a line, with " << call.text("file")
              << " on a stick, which asks for the code:\n\n"
              << "    welcomectl provision --invitation FILE\n";
  }
}

int boxes_invite(const Call& call) {
  named_box(call);
  const std::chrono::hours life(call.number("hours", 1, 14 * 24));
  Opened opened(call);
  const std::string door = door_of(call, opened);
  provision::Invitation invitation;
  name_broker(call, opened, invitation);
  const auto box = new_box(call, opened);
  if (!box) return call.no(box.error());
  invitation.crm_keys = opened.crm.public_keys();
  if (invitation.crm_keys.empty()) {
    return call.no({ErrorCode::refused,
                    "nothing is signed yet, and a box believes nothing else: first say "
                    "welcome-crm sign-keys --new"});
  }
  invitation.tenant = box->address.tenant;
  invitation.store = box->address.store;
  invitation.box = box->address.box;
  invitation.password = box->password;
  const WallTime now = wall_now();
  invitation.expires_at = contract::to_rfc3339(now + life);
  const auto code = provision::InvitationCode::fresh();
  const std::string sealed = provision::seal(code, invitation);

  Transaction transaction(*opened.db);
  const bool first = admit(call, opened, *box);
  Invitations(opened.crm)
      .put(invitation.store, invitation.box, code.name(), sealed, now + life, now);
  keep_what_was_said(call, opened, door, invitation);
  if (auto done = put_account(call, *box); !done) return call.no(done.error());
  if (call.has("file") &&
      !provision::replace_private(call.text("file"), json{{"sealed", sealed}}.dump() + "\n")) {
    return call.no({ErrorCode::unavailable, call.text("file") + ": " + std::strerror(errno)});
  }
  transaction.commit();
  opened.db->announce();

  const std::string link = door + "/#" + code.text();
  if (call.json_wanted) {
    call.print({{"ok", true},
                {"admitted_before", !first},
                {"account", box->account},
                {"code", code.text()},
                {"link", link},
                {"expires_at", invitation.expires_at},
                {"password_line", provision::password_line(box->account, box->password)},
                {"acl", acl_lines(box->address)}});
    return kDone;
  }
  print_invitation(call, code, link, invitation.expires_at);
  *call.out << broker_lines(call, *box);
  return kDone;
}

constexpr Option kInvite[] = {
    {"door", nullptr,
     "where the box finds the CRM's door, https://my.example.com; as it was said last, else where "
     "the customer's page is"},
    {"broker", nullptr,
     "the broker's address, mqtts://HOST:PORT, as boxes reach it; as it was said last"},
    {"ca", nullptr,
     "who vouches for the broker, a PEM file; as it was said last, else (or with \"\") whom the "
     "box's "
     "machine trusts"},
    kBrokerFiles,
    {"hours", "72", "how long the code is good"},
    {"file", nullptr, "write the sealed invitation there, too: for a box without a line"},
    kRegion,
    kBy,
};

constexpr Command kInviteCommands[] = {
    {"boxes invite", "STORE/BOX",
     "serve a box, and make the one-time code by which it sets itself up", boxes_invite, kInvite},
};

}  // namespace

std::span<const Command> invite_commands() { return kInviteCommands; }

}  // namespace welcome::crm::cli
