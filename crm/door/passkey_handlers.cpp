// SPDX-License-Identifier: Apache-2.0
// Passkeys: made by somebody who has just shown who they are, and used in the place of a link.
// Bodies and answers are described in docs/openapi.yaml.

#include <chrono>
#include <optional>
#include <utility>

#include "crm/base64url.h"
#include "crm/door/answers.h"
#include "crm/door/ask.h"

namespace welcome::crm {
namespace {

// Bytes of the body, sent as base64url. Nothing: they are not there.
std::optional<std::string> bytes_of(const Door::Ask& ask, const char* name) {
  const std::string text = ask.text(name);
  if (text.empty()) return std::nullopt;
  return from_base64url(text);
}

Response not_accepted() { return problem(403, "passkey-refused", "This passkey was not accepted"); }
Response unknown_passkey() {
  return problem(404, "passkey-unknown", "This passkey is not known here, or not any more");
}
Response challenge_over() {
  return problem(410, "challenge-over", "That took too long, or was answered already: again");
}

}  // namespace

// Answered once, whatever comes of it.
bool Door::takes_challenge(const Ask& ask, const std::string& client_data, Passkeys::For what) {
  Transaction transaction(db_);
  const bool taken = passkeys_.take_challenge(webauthn::challenge_of(client_data), what,
                                              ask.session.hash, ask.now.wall);
  transaction.commit();
  return taken;
}

webauthn::Expected Door::expected(const std::string& client_data) const {
  return {webauthn::challenge_of(client_data), origin_, webauthn::host_of(origin_)};
}

// ---- challenges ----

Response Door::passkey_challenge(const Ask& ask) {
  const std::string what = ask.text("for");
  if (what != "create" && what != "confirm") return malformed();
  const bool create = what == "create";
  if (create && !ask.session.fresh(ask.now.wall)) return step_up_needed();
  const auto passkeys = passkeys_.of(ask.session.customer);
  if (create && passkeys.size() >= Passkeys::kMost) {
    return problem(409, "too-many-passkeys", "There are too many passkeys: remove one first");
  }
  if (!create && passkeys.empty()) return unknown_passkey();
  Transaction transaction(db_);
  json out = {
      {"host", webauthn::host_of(origin_)},
      {"passkeys", json::array()},
      {"challenge", passkeys_.new_challenge(create ? Passkeys::For::create : Passkeys::For::confirm,
                                            ask.session.hash, ask.now.wall)}};
  if (create) out["handle"] = passkeys_.handle_of(ask.session.customer);
  transaction.commit();
  for (const Passkey& one : passkeys) out["passkeys"].push_back(one.credential);
  return ok(out);
}

Response Door::sign_in_challenge(const Ask& ask) {
  if (!links_.take(ask.request.address, ask.now.mono)) return tried_too_often();
  if (!challenges_.take("", ask.now.mono)) return tried_too_often();
  Transaction transaction(db_);
  const std::string challenge = passkeys_.new_challenge(Passkeys::For::enter, "", ask.now.wall);
  transaction.commit();
  return ok({{"host", webauthn::host_of(origin_)}, {"challenge", challenge}});
}

// ---- a new one ----

Response Door::add_passkey(const Ask& ask) {
  if (!links_.take(ask.session.id, ask.now.mono)) return tried_too_often();
  const auto client_data = bytes_of(ask, "client_data");
  const auto attestation = bytes_of(ask, "attestation");
  if (!client_data || !attestation) return malformed();
  if (!takes_challenge(ask, *client_data, Passkeys::For::create)) return challenge_over();
  const auto created = webauthn::check_created(expected(*client_data), *client_data, *attestation);
  if (!created) return not_accepted();
  Transaction transaction(db_);
  if (passkeys_.of(ask.session.customer).size() >= Passkeys::kMost) {
    return problem(409, "too-many-passkeys", "There are too many passkeys: remove one first");
  }
  if (!passkeys_.add(ask.session.customer, *created, clean_name(ask.text("name")), ask.now.wall)) {
    return problem(409, "passkey-known", "This passkey is there already");
  }
  transaction.commit();
  return nothing();
}

Response Door::remove_passkey(const Ask& ask) {
  Transaction transaction(db_);
  if (!passkeys_.remove(ask.session.customer, ask.words[0], "app", ask.now.wall)) {
    return unknown_passkey();
  }
  transaction.commit();
  return nothing();
}

// ---- used ----

// Whose passkey it is that was used rightly just now, or why it was not. `owner`: who it has to be;
// empty: whoever it is, of which the authenticator has to say who.
tl::expected<Door::UsedPasskey, Response> Door::check_passkey(const Ask& ask, Passkeys::For what,
                                                              const std::string& owner) {
  const auto client_data = bytes_of(ask, "client_data");
  const auto authenticator_data = bytes_of(ask, "authenticator_data");
  const auto signature = bytes_of(ask, "signature");
  if (!client_data || !authenticator_data || !signature) return tl::unexpected(malformed());
  if (!takes_challenge(ask, *client_data, what)) return tl::unexpected(challenge_over());
  const auto passkey = passkeys_.find(ask.text("passkey"));
  if (!passkey || (!owner.empty() && passkey->customer != owner)) {
    return tl::unexpected(unknown_passkey());
  }
  const std::string handle = ask.text("handle");
  if ((owner.empty() || !handle.empty()) &&
      (handle.empty() || handle != passkeys_.known_handle_of(passkey->customer))) {
    return tl::unexpected(unknown_passkey());
  }
  const auto counter = webauthn::check_asserted(expected(*client_data), passkey->known,
                                                {*client_data, *authenticator_data, *signature});
  if (!counter) return tl::unexpected(not_accepted());
  return UsedPasskey{*passkey, *counter};
}

// It is still them: as fresh as after a link.
Response Door::confirm_passkey(const Ask& ask) {
  if (!links_.take(ask.session.id, ask.now.mono)) return tried_too_often();
  const auto used = check_passkey(ask, Passkeys::For::confirm, ask.session.customer);
  if (!used) return used.error();
  Transaction transaction(db_);
  if (!passkeys_.use(used->passkey, used->counter, ask.now.wall)) return not_accepted();
  sessions_.refresh(ask.session, ask.now.wall);
  transaction.commit();
  return nothing();
}

Response Door::open_session_by_passkey(const Ask& ask) {
  if (!links_.take(ask.request.address, ask.now.mono)) return tried_too_often();
  const auto used = check_passkey(ask, Passkeys::For::enter, "");
  if (!used) return used.error();
  const std::string& customer = used->passkey.customer;
  const auto session = known_session(ask.request, ask.now.wall);
  if (Response no = refuse_another(ask, session, customer); !no.body.empty()) return no;
  Transaction transaction(db_);
  if (!passkeys_.use(used->passkey, used->counter, ask.now.wall)) return not_accepted();
  Response out = let_in(ask, session, customer);
  transaction.commit();
  return out;
}

}  // namespace welcome::crm
