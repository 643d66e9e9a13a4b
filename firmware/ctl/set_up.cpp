// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/set_up.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "firmware/control/value_at.h"
#include "provision/files.h"

namespace welcome::ctl {

namespace {

namespace fs = std::filesystem;

using provision::Invitation;

constexpr const char* kCasOfTheMachine = "/etc/ssl/certs/ca-certificates.crt";

// A word of a topic, a name of a host: one line, and no sign that a file or a topic obeys.
bool plain_word(std::string_view word) {
  return !word.empty() && word.size() <= 253 && std::none_of(word.begin(), word.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F || std::string_view("/+#\"'=").find(c) != std::string::npos;
  });
}

tl::unexpected<Error> not_written(const fs::path& file) {
  return fail(ErrorCode::unavailable, file.string() + ": " + std::strerror(errno));
}

Result<void> put_readable(const fs::path& file, const std::string& text) {
  std::error_code ignored;  // what is not there is said by the next line
  fs::create_directories(file.parent_path(), ignored);
  if (!provision::replace_public(file, text)) return not_written(file);
  return {};
}

std::string provisioned_text(const Invitation& invitation, const BoxPlaces& places) {
  std::string text =
      "# By welcomectl provision: what head office's invitation says. What you want otherwise "
      "goes\n"
      "# into a file of yours beside it that comes later in the alphabet.\n"
      "[box]\ntenant = " +
      invitation.tenant + "\nstore = " + invitation.store + "\nid = " + invitation.box +
      "\n\n[uplink]\nhost = " + invitation.host + "\nport = " + std::to_string(invitation.port) +
      "\nuser = " + address_of(invitation) + "\n";
  if (invitation.tls) {
    text += "tls_ca = ";
    text += invitation.ca.empty() ? kCasOfTheMachine : places.broker_ca().string();
    text += "\n";
  }
  if (fs::exists(places.credential("floor-password"))) {
    text += "\n[floor]\nuser = " + invitation.box + "\n";
  }
  return text + "\n[consent]\ncrm_keys = " + places.crm_keys().string() + "\n";
}

}  // namespace

std::string address_of(const Invitation& invitation) {
  return invitation.tenant + "/" + invitation.store + "/" + invitation.box;
}

Result<void> check_words(const Invitation& invitation) {
  const bool good = plain_word(invitation.tenant) && plain_word(invitation.store) &&
                    plain_word(invitation.box) && plain_word(invitation.host) &&
                    invitation.port > 0 && !invitation.password.empty() &&
                    invitation.password.find_first_of("\r\n") == std::string::npos;
  if (good) return {};
  return fail(ErrorCode::malformed,
              "the invitation names a box or a broker that cannot be: tell head office");
}

Result<void> write_credentials(const Invitation& invitation, const BoxPlaces& places) {
  std::error_code ignored;
  fs::create_directories(places.credentials, ignored);
  const fs::path password = places.credential("uplink-password");
  if (!provision::replace_private(password, invitation.password)) return not_written(password);
  if (auto done = put_readable(places.crm_keys(), invitation.crm_keys); !done) return done;
  if (invitation.ca.empty()) return {};
  return put_readable(places.broker_ca(), invitation.ca);
}

Result<void> write_configuration(const Invitation& invitation, const BoxPlaces& places) {
  return put_readable(places.provisioned(), provisioned_text(invitation, places));
}

std::string waits_for(const nlohmann::json& status) {
  std::string why = control::word_at(status, "links.uplink.why");
  if (control::word_at(status, "links.uplink.state") != "up") {
    return "the line to head office is down" + (why.empty() ? "" : ": " + why);
  }
  if (!why.empty()) return why;
  const nlohmann::json feed = control::value_at(status, "crm.feed");
  std::string missing;
  for (const char* collection : {"policy", "consents", "identities"}) {
    if (feed.is_object() && feed.contains(collection)) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(collection);
  }
  if (!missing.empty()) return "head office is sending: " + missing;
  const std::string footing = control::word_at(status, "consents.footing");
  return footing == "firm" ? "" : "consents do not count yet: " + footing;
}

}  // namespace welcome::ctl
