// SPDX-License-Identifier: Apache-2.0
#include "crm/cli/admit.h"

#include <cstdlib>
#include <pwd.h>
#include <unistd.h>

#include "crm/box_account.h"
#include "crm/boxes.h"
#include "provision/broker_files.h"

namespace welcome::crm::cli {
namespace {

// Who sits at the terminal, as far as the machine knows.
std::string whoever_asks() {
  if (const char* before_sudo = std::getenv("SUDO_USER"); before_sudo != nullptr) {
    return before_sudo;
  }
  const passwd* account = ::getpwuid(::getuid());
  return account != nullptr ? account->pw_name : "";
}

}  // namespace

std::pair<std::string, std::string> named_box(const Call& call) {
  auto [store, box] = box_of(call);
  if (!Boxes::valid_name(store) || !Boxes::valid_name(box)) {
    throw Usage("the names of a store and a box are letters, digits, . _ and -");
  }
  if (call.has("region") && !Regions::valid(call.text("region"))) throw Usage(kRegionName);
  return {store, box};
}

Result<NewBox> new_box(const Call& call, Opened& opened) {
  const auto [store, box] = named_box(call);
  const Regions& regions = opened.crm.feed().regions();
  if (regions.on() && !call.has("region") && regions.of_store(store).empty()) {
    return fail(ErrorCode::refused,
                "a box has what its region has, and " + store + " is in none yet: say --region");
  }
  const contract::BoxAddress address{opened.crm.settings().tenant, store, box};
  return NewBox{address, contract::address_text(address), provision::new_password()};
}

bool admit(const Call& call, Opened& opened, const NewBox& box) {
  const std::string by = call.has("by") ? call.text("by") : whoever_asks();
  const bool first = Boxes(opened.crm).admit(box.address.store, box.address.box, by, wall_now());
  if (call.has("region")) opened.crm.feed().set_region(box.address.store, call.text("region"));
  return first;
}

Result<void> put_account(const Call& call, const NewBox& box) {
  if (!call.has("broker-files")) return {};
  return provision::put_account(call.text("broker-files"), box.account, acl_lines(box.address),
                                box.password);
}

std::string broker_lines(const Call& call, const NewBox& box) {
  if (call.has("broker-files")) {
    return "\nThe broker's files are written: reload it (SIGHUP; systemctl reload mosquitto).\n";
  }
  return "\nFor the broker's password_file:\n\n" +
         provision::password_line(box.account, box.password) + "\nfor its acl_file:\n\n" +
         acl_lines(box.address) + "\nand then reload it (SIGHUP).\n";
}

}  // namespace welcome::crm::cli
