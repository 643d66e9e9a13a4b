// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an invitation makes of a machine: the files that name the box, its broker and whom it
// believes. Each is replaced as a whole, and what refers to others comes last, so whoever is
// stopped says the same again. One thread.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/result.h"
#include "provision/invitation.h"

namespace welcome::ctl {

struct BoxPlaces {
  std::filesystem::path config;       // welcomed.conf; the others are beside it
  std::filesystem::path credentials;  // /etc/credstore, or a service's own
  std::string prefix = "welcomed.";   // of names in there; a service's own have none

  std::filesystem::path provisioned() const {
    return config.parent_path() / "conf.d/50-provisioned.conf";
  }
  std::filesystem::path crm_keys() const { return config.parent_path() / "crm-keys"; }
  std::filesystem::path broker_ca() const { return config.parent_path() / "broker-ca.pem"; }
  std::filesystem::path credential(const std::string& name) const {
    return credentials / (prefix + name);
  }
};

// demo/aroma-1/box-1
std::string address_of(const provision::Invitation& invitation);

// Nothing in it means something else in a file of ours. Errors: malformed.
Result<void> check_words(const provision::Invitation& invitation);
// Errors of both: unavailable (names the file).
Result<void> write_credentials(const provision::Invitation& invitation, const BoxPlaces& places);
// Of the floor's broker only where it has given an account.
Result<void> write_configuration(const provision::Invitation& invitation, const BoxPlaces& places);

// What the box still waits for after its start, by its status, in words for people; empty: the line
// is up, and the first sync is done.
std::string waits_for(const nlohmann::json& status);

}  // namespace welcome::ctl
