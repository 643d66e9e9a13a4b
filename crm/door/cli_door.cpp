// SPDX-License-Identifier: Apache-2.0
// link, device …, passkey …, and the door of serve

#include "crm/door/cli_door.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sodium.h>
#include <sstream>

#include "crm/base64url.h"
#include "crm/door/door.h"
#include "crm/door/passkeys.h"
#include "crm/door/service.h"
#include "crm/door/sessions.h"
#include "crm/push/pushes.h"
#include "crm/push/service.h"
#include "crm/token.h"
#include "mqtt/loopback.h"
#include "provision/qr.h"

namespace welcome::crm::cli {
namespace {

int link(const Call& call) {
  const std::string& customer = call.word(0, "CUSTOMER");
  call.at_most(1);
  const std::chrono::minutes life(call.number("minutes", 1, 7 * 24 * 60));
  Opened opened(call);
  const std::string page = call.has("page") ? call.text("page") : opened.crm.page_address();
  if (origin_of(page).empty()) {
    throw Usage(page.empty() ? "nobody has said where the page is: --page https://…/phone/, or "
                               "serve --door-page"
                             : "--page is an address like https://my.example.com/phone/");
  }
  const WallTime now = wall_now();
  Transaction transaction(*opened.db);
  const auto token = Sessions(opened.crm).new_link(customer, now, life);
  if (!token) return call.no(token.error());
  transaction.commit();
  const std::string url = link_url(page, *token);
  const std::string until = contract::to_rfc3339(now + life);
  return call.done({{"url", url}, {"expires_at", until}},
                   provision::qr_for_terminal(url) + url + "\nGood once, until " + until + ".");
}

int device_list(const Call& call) {
  const std::string& customer = call.word(0, "CUSTOMER");
  call.at_most(1);
  Opened opened(call);
  if (!opened.crm.app_of(customer)) {
    return call.no({ErrorCode::not_found, "there is no such customer"});
  }
  json list = json::array();
  Table table{{"DEVICE", "NAME", "SINCE", "SEEN"}};
  for (const Device& one : Sessions(opened.crm).devices(customer, wall_now())) {
    list.push_back(
        {{"device", one.id}, {"name", one.name}, {"since", one.made_at}, {"seen_at", one.seen_at}});
    table.push_back({one.id, one.name, one.made_at, one.seen_at});
  }
  return call.done(list, table);
}

int device_revoke(const Call& call) {
  const std::string& customer = call.word(0, "CUSTOMER");
  const std::string& id = call.word(1, "DEVICE");
  call.at_most(2);
  Opened opened(call);
  Transaction transaction(*opened.db);
  if (!Sessions(opened.crm).revoke(customer, id, wall_now())) {
    return call.no({ErrorCode::not_found, "there is no such device of this customer"});
  }
  transaction.commit();
  opened.db->announce();
  return call.done({{"ok", true}}, "it is signed out");
}

int passkey_list(const Call& call) {
  const std::string& customer = call.word(0, "CUSTOMER");
  call.at_most(1);
  Opened opened(call);
  if (!opened.crm.app_of(customer)) {
    return call.no({ErrorCode::not_found, "there is no such customer"});
  }
  json list = json::array();
  Table table{{"PASSKEY", "NAME", "SINCE", "USED"}};
  for (const Passkey& one : Passkeys(opened.crm).of(customer)) {
    list.push_back({{"passkey", one.id},
                    {"name", one.name},
                    {"since", one.made_at},
                    {"used_at", one.used_at ? json(*one.used_at) : json(nullptr)}});
    table.push_back({one.id, one.name, one.made_at, one.used_at.value_or("-")});
  }
  return call.done(list, table);
}

int passkey_remove(const Call& call) {
  const std::string& customer = call.word(0, "CUSTOMER");
  const std::string& id = call.word(1, "PASSKEY");
  call.at_most(2);
  Opened opened(call);
  Transaction transaction(*opened.db);
  if (!Passkeys(opened.crm).remove(customer, id, "crm", wall_now())) {
    return call.no({ErrorCode::not_found, "there is no such passkey of this customer"});
  }
  transaction.commit();
  opened.db->announce();
  return call.done({{"ok", true}}, "it opens nothing any more");
}

// The door, and what reaches pages that are closed.
class Both : public Beside {
 public:
  Both(std::unique_ptr<Beside> one, std::unique_ptr<Beside> other)
      : one_(std::move(one)), other_(std::move(other)) {}
  void changed() override {
    one_->changed();
    other_->changed();
  }

 private:
  std::unique_ptr<Beside> one_, other_;
};

std::unique_ptr<Beside> open_door(const Call& call) {
  const std::string where = call.text("door");
  const auto colon = where.rfind(':');
  const std::string port = colon == std::string::npos ? "" : where.substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoi(port) > 65535) throw Usage("--door is HOST:PORT, 127.0.0.1:8080");
  DoorConfig config;
  config.host = where.substr(0, colon);
  config.port = static_cast<std::uint16_t>(std::stoi(port));
  config.page = call.text("door-page");
  // In clear, and with whatever address anybody says: only a proxy of this machine comes here.
  if (!mqtt::on_this_machine(config.host)) {
    throw Usage("--door listens on this machine alone (127.0.0.1): a proxy with TLS is before it");
  }
  return std::make_unique<Both>(
      welcome::crm::open_door(open_database(call.url), SigningKeys(call.keys), config),
      open_pusher(open_database(call.url), SigningKeys(call.keys)));
}

// ---- push ----

std::vector<std::string> services_of(const Call& call) {
  std::vector<std::string> out;
  std::istringstream said(call.text("service"));
  for (std::string one; std::getline(said, one, ',');) {
    const auto endpoint = endpoint_of("https://" + one + "/");
    if (!endpoint || endpoint->service() != one) throw Usage("--service is HOST or HOST:PORT");
    out.push_back(one);
  }
  return out;
}

std::string lines_of(const Pushes::SetUp& how) {
  std::string services = "the services of Google, Mozilla, Apple and Microsoft";
  for (const std::string& one : how.services) services += ", " + one;
  return "contact   " + how.contact + "\nservices  " + services + "\nkey       " + how.key;
}

json json_of(const Pushes::SetUp& how) {
  return {{"on", true}, {"contact", how.contact}, {"services", how.services}, {"key", how.key}};
}

int push_on(const Call& call) {
  call.at_most(0);
  Pushes::SetUp how;
  how.contact = call.text("contact");
  if (!how.contact.starts_with("mailto:") && !how.contact.starts_with("https://")) {
    throw Usage("--contact is mailto:ADDRESS or https://…: the makers of browsers write there");
  }
  how.services = services_of(call);
  Opened opened(call);
  Pushes pushes(opened.crm);
  // Browsers know us by it: another key would end every subscription.
  if (const auto before = pushes.set_up()) {
    how.key = before->key;
  } else {
    const P256 key = P256::make();
    SigningSeed seed = key.scalar();
    SigningKeys(call.keys).keep(kPushKey, seed);
    sodium_memzero(seed.data(), seed.size());
    how.key = to_base64url(key.point());
  }
  Transaction transaction(*opened.db);
  pushes.set_up(how);
  transaction.commit();
  opened.db->announce();
  return call.done(json_of(how), lines_of(how));
}

int push_off(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  Transaction transaction(*opened.db);
  Pushes(opened.crm).turn_off();
  transaction.commit();
  SigningKeys(call.keys).destroy(kPushKey);
  opened.db->announce();
  return call.done({{"on", false}}, "nothing is pushed any more, and every device is forgotten");
}

int push_show(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  const auto how = Pushes(opened.crm).set_up();
  if (!how) return call.done({{"on", false}}, "off; `welcome-crm push on` turns it on");
  return call.done(json_of(*how), lines_of(*how));
}

constexpr Option kLink[] = {
    {"minutes", "15", "how long it is good"},
    {"page", nullptr, "address of the customer's page; as serve --door-page says"},
};

constexpr Option kPushOn[] = {
    {"contact", nullptr,
     "mailto:ADDRESS or https://…, where a push service says that something is wrong", false, true},
    {"service", nullptr, "HOST or HOST:PORT of one more push service; may be given more than once",
     false, false, true},
};

constexpr Command kDoorCommands[] = {
    {"link", "CUSTOMER", "a link that signs one device of a customer in, once, and its QR code",
     link, kLink},
    {"device list", "CUSTOMER", "the devices on which a customer is signed in", device_list},
    {"device revoke", "CUSTOMER DEVICE", "sign one of them out", device_revoke},
    {"push on", "", "tell customers who want it while their page is closed (Web Push)", push_on,
     kPushOn},
    {"push off", "", "do not, and forget every device that wants it", push_off},
    {"push show", "", "whether, and by which services", push_show},
    {"passkey list", "CUSTOMER", "the passkeys of a customer", passkey_list},
    {"passkey remove", "CUSTOMER PASSKEY", "take one of them away", passkey_remove},
};

}  // namespace

const Beyond& with_door() {
  static constexpr Beyond kBeyond{kDoorCommands, open_door};
  return kBeyond;
}

}  // namespace welcome::crm::cli
