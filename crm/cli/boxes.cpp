// SPDX-License-Identifier: Apache-2.0
// boxes admit, boxes revoke

#include "crm/boxes.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "contract/signing.h"
#include "crm/box_account.h"
#include "crm/cli/admit.h"
#include "crm/cli/command.h"
#include "crm/staff.h"
#include "provision/broker_files.h"
#include "provision/qr.h"

namespace welcome::crm::cli {
namespace {

std::optional<contract::Ed25519Public> key_of(const Call& call) {
  if (!call.has("key")) return std::nullopt;
  const auto given = contract::public_key_from_text(call.text("key"));
  if (!given) throw Usage("--key: " + given.error().message);
  return *given;
}

// What the technician takes along. The text of the QR code, too.
struct Slip {
  std::string account, password, broker, keys;

  std::string text() const {
    std::string out = "account " + account + "\npassword " + password + "\n";
    if (!broker.empty()) out += "broker " + broker + "\n";
    return out + keys;
  }
};

void print_slip(const Call& call, const Slip& slip, const NewBox& box) {
  *call.out << "For the technician; the password is shown this once:\n\n"
            << slip.text() << "\n"
            << provision::qr_for_terminal(slip.text());
  if (slip.keys.empty()) {
    call.warn("nothing is signed: make a key with `welcome-crm sign-keys --new`");
  }
  *call.out << broker_lines(call, box);
}

int boxes_admit(const Call& call) {
  const auto key = key_of(call);
  named_box(call);
  Opened opened(call);
  const auto box = new_box(call, opened);
  if (!box) return call.no(box.error());
  const Slip slip{box->account, box->password, call.text("broker"), opened.crm.public_keys()};
  Transaction transaction(*opened.db);
  const bool first = admit(call, opened, *box);
  if (key) {
    if (auto done = opened.crm.trust_box(box->address.store, box->address.box, key, wall_now());
        !done) {
      return call.no(done.error());
    }
  }
  if (auto done = put_account(call, *box); !done) return call.no(done.error());
  transaction.commit();
  opened.db->announce();
  if (call.json_wanted) {
    call.print({{"ok", true},
                {"admitted_before", !first},
                {"account", slip.account},
                {"password", slip.password},
                {"broker", slip.broker},
                {"crm_keys", slip.keys},
                {"password_line", provision::password_line(slip.account, slip.password)},
                {"acl", acl_lines(box->address)}});
    return kDone;
  }
  *call.out << call.words[0]
            << (first ? " is admitted.\n"
                      : " was admitted before; this is a new "
                        "password.\n");
  print_slip(call, slip, *box);
  return kDone;
}

json to_json(const Revoked& revoked) {
  json devices = json::array();
  for (const HeldDevice& one : revoked.devices) {
    devices.push_back({{"identity", one.identity}, {"customer", one.customer}, {"kind", one.kind}});
  }
  return {{"ok", true},
          {"held", revoked.customers.size()},
          {"customers", revoked.customers},
          {"new_keys_for", std::move(devices)},
          {"erasures", revoked.erasures}};
}

void print_revoked(const Call& call, const Revoked& revoked) {
  *call.out << call.words[0] << " is revoked: it gets nothing and is not believed.\n"
            << "It was told of " << revoked.customers.size() << " customers; the keys of "
            << revoked.devices.size()
            << " devices should be changed.\nOpen erasures that nobody waits for it with: "
            << revoked.erasures << "\n";
  if (!call.has("list")) return;
  Table table;
  for (const std::string& customer : revoked.customers) table.push_back({"customer", customer});
  for (const HeldDevice& one : revoked.devices) {
    table.push_back({"new key", one.customer, one.identity, one.kind});
  }
  print_table(*call.out, table);
}

int region_store(const Call& call) {
  const std::string& store = call.word(0, "STORE");
  const std::string& region = call.word(1, "REGION");
  call.at_most(2);
  if (!Boxes::valid_name(store)) throw Usage("this cannot be a store");
  if (!Regions::valid(region)) throw Usage(kRegionName);
  Opened opened(call);
  if (opened.crm.boxes(store).empty()) {
    call.warn("no box of the store \"" + store + "\" is admitted yet: is the name right?");
  }
  Transaction transaction(*opened.db);
  opened.crm.feed().set_region(store, region);
  transaction.commit();
  opened.db->announce();
  const bool counts = opened.crm.feed().regions().on();
  return call.done(
      {{"ok", true}, {"store", store}, {"region", region}},
      store + " is in " + region + (counts ? "" : "; that counts with `welcome-crm scope region`"));
}

int boxes_retired(const Call& call) {
  const auto [store, box] = box_of(call);
  if (!call.has("proof"))
    throw Usage("--proof is what `welcomectl retire --without-proof` printed");
  Opened opened(call);
  Transaction transaction(*opened.db);
  const auto done = Boxes(opened.crm).retire(store, box, call.text("proof"), wall_now());
  if (!done) return call.no(done.error());
  transaction.commit();
  opened.db->announce();
  call.warn("take its account out of the broker: welcome-crm boxes revoke " + call.words[0] +
            " --broker-files DIR");
  return call.done({{"ok", true}, {"retired", call.words[0]}},
                   call.words[0] + " is retired, with proof: it holds nothing of anybody");
}

// One that is retired already has an account at the broker all the same.
int boxes_revoke(const Call& call) {
  const auto [store, box] = box_of(call);
  Opened opened(call);
  const contract::BoxAddress address{opened.crm.settings().tenant, store, box};
  Transaction transaction(*opened.db);
  auto revoked = Boxes(opened.crm).revoke(store, box, wall_now());
  if (!revoked && Boxes(opened.crm).retired_at(store, box)) revoked = Revoked{};
  if (!revoked) return call.no(revoked.error());
  transaction.commit();
  opened.db->announce();
  if (call.json_wanted) {
    call.print(to_json(*revoked));
  } else {
    print_revoked(call, *revoked);
  }
  if (const auto pins = Staff(*opened.db, opened.crm.feed()).with_a_pin(store); pins > 0) {
    call.warn("it could check the PINs of " + std::to_string(pins) +
              " members of staff, and four digits are soon found: give them new ones with "
              "`welcome-crm staff pin`");
  }
  // Here it is out already, whatever becomes of the file.
  if (!call.has("broker-files")) {
    call.warn("take the account " + contract::address_text(address) +
              " out of the broker's password_file and acl_file, and reload it");
    return kDone;
  }
  if (auto done =
          provision::remove_account(call.text("broker-files"), contract::address_text(address));
      !done) {
    return call.no(done.error());
  }
  call.warn("the broker's files are written: reload it (SIGHUP; systemctl reload mosquitto)");
  return kDone;
}

constexpr Option kAdmit[] = {
    {"key", nullptr, "its public key, base64: no other is trusted; else the first that it says"},
    {"broker", nullptr, "the broker's address, for the technician"},
    kBrokerFiles,
    kRegion,
    kBy,
};

constexpr Option kRevoke[] = {
    kBrokerFiles,
    {"list", nullptr, "name everybody whose data it held; it is not kept", true},
};

constexpr Option kRetired[] = {
    {"proof", nullptr, "what the box signed: the text that its technician was shown"},
};

constexpr Command kBoxCommands[] = {
    {"region store", "STORE REGION", "in which region a store is; its boxes get what is there",
     region_store},
    {"boxes admit", "STORE/BOX",
     "serve a box: its account at the broker, and what its technician needs", boxes_admit, kAdmit},
    {"boxes retired", "STORE/BOX",
     "take a box's signed word that it destroys all it holds, where the line did not bring it",
     boxes_retired, kRetired},
    {"boxes revoke", "STORE/BOX", "serve it no more (stolen, retired), and say whose data it held",
     boxes_revoke, kRevoke},
};

}  // namespace

std::span<const Command> box_commands() { return kBoxCommands; }

}  // namespace welcome::crm::cli
