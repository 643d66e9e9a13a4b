// SPDX-License-Identifier: Apache-2.0
#pragma once
// What `boxes admit` and `boxes invite` have in common: a box is admitted, and gets an account at
// the broker. By the call's options `region`, `by` and `broker-files`. Used by the commands alone.

#include <string>
#include <utility>

#include "contract/topics.h"
#include "crm/cli/command.h"

namespace welcome::crm::cli {

inline constexpr const char* kRegionName =
    "the name of a region is letters, digits, . _ and -, and not \"all\"";

constexpr Option kBrokerFiles = {
    "broker-files", nullptr,
    "the folder of Mosquitto's files `passwords` and `acl`: they are changed"};
constexpr Option kRegion = {"region", nullptr, "the region that its store is in"};
constexpr Option kBy = {"by", nullptr, "who admits it; else whoever is at the terminal"};

struct NewBox {
  contract::BoxAddress address;
  std::string account, password;
};

// STORE and BOX that the call names, checked with its region before anything is opened. Throws
// Usage.
std::pair<std::string, std::string> named_box(const Call& call);
// That box, with a fresh password; nothing is changed yet. Errors: refused (its store needs a
// region).
Result<NewBox> new_box(const Call& call, Opened& opened);
// Inside the caller's Transaction. False: it was admitted before.
bool admit(const Call& call, Opened& opened, const NewBox& box);
// Before the commit: a box that cannot come in is no use, and one that comes in and is not admitted
// gets nothing.
Result<void> put_account(const Call& call, const NewBox& box);
// What the broker has to be told, or has been; the password is not in it.
std::string broker_lines(const Call& call, const NewBox& box);

}  // namespace welcome::crm::cli
