// SPDX-License-Identifier: Apache-2.0
#pragma once
// The CRM's door: what a customer's page asks for, and later tills and connectors. A request comes
// in and a response goes out, over the database alone; sockets are crm/door/listener.h. What each
// route takes and answers is docs/openapi.yaml, and a test holds the two together.
//
// Who asks is said by the session's cookie, and never by anything in the request. What changes
// something comes from our own page: its Origin is, and it is JSON, which no form of another site
// can send. A box that asks for its invitation is no page: it proves who it is in what it says.
//
// Makes its own transactions. One thread, with a database connection of its own. Nothing of a
// request is logged.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "crm/crm.h"
#include "crm/door/http.h"
#include "crm/door/limits.h"
#include "crm/door/passkeys.h"
#include "crm/door/sessions.h"
#include "crm/intake.h"
#include "crm/push/pushes.h"

namespace welcome::crm {

class Door {
 public:
  // `page`: where the customer's page is, https://my.example.com/phone/
  Door(Crm& crm, std::string page);

  Response answer(const Request& request, Now now);
  // Whether a stream that is open may stay so.
  bool may_listen(const Stream& stream, WallTime now);

  // Who may ask.
  // `box`: no browser, and so without cookie and Origin.
  enum class Who : std::uint8_t { anybody, device, fresh_device, box };
  struct Ask;
  struct Route {
    const char* method;
    const char* path;  // "/v1/devices/{device}"
    Who who;
    Response (Door::*handler)(const Ask&);
  };
  static std::span<const Route> routes();

 private:
  Response checked(const Route& route, const Request& request, std::vector<std::string> words,
                   Now now);
  Response refuse_foreign(const Route& route, const Request& request) const;
  std::optional<Session> known_session(const Request& request, WallTime now);
  std::optional<Session> who_asks(const Request& request, Now now);
  Response do_request(const Ask& ask, json request);
  Response refuse_another(const Ask& ask, const std::optional<Session>& session,
                          const std::string& customer);
  Response let_in(const Ask& ask, const std::optional<Session>& session,
                  const std::string& customer);
  struct UsedPasskey {
    Passkey passkey;
    std::uint32_t counter = 0;
  };
  tl::expected<UsedPasskey, Response> check_passkey(const Ask& ask, Passkeys::For what,
                                                    const std::string& owner);
  bool takes_challenge(const Ask& ask, const std::string& client_data, Passkeys::For what);
  webauthn::Expected expected(const std::string& client_data) const;

  Response open_session(const Ask& ask);
  Response sign_in_challenge(const Ask& ask);
  Response open_session_by_passkey(const Ask& ask);
  Response end_session(const Ask& ask);
  Response me(const Ask& ask);
  Response set_consent(const Ask& ask);
  Response answer_desk(const Ask& ask);
  Response desk_code(const Ask& ask);
  Response offers(const Ask& ask);
  Response offer_outcome(const Ask& ask);
  Response complain(const Ask& ask);
  Response set_met(const Ask& ask);
  Response set_details(const Ask& ask);
  Response answer_survey(const Ask& ask);
  Response dismiss_survey(const Ask& ask);
  Response revoke_device(const Ask& ask);
  Response passkey_challenge(const Ask& ask);
  Response add_passkey(const Ask& ask);
  Response confirm_passkey(const Ask& ask);
  Response remove_passkey(const Ask& ask);
  Response start_push(const Ask& ask);
  Response end_push(const Ask& ask);
  Response new_link(const Ask& ask);
  Response export_data(const Ask& ask);
  Response forget(const Ask& ask);
  Response events(const Ask& ask);
  Response erasure(const Ask& ask);
  Response erasure_events(const Ask& ask);
  Response provision_box(const Ask& ask);

  Crm& crm_;
  Database& db_;
  Intake intake_;
  Sessions sessions_;
  Passkeys passkeys_;
  Pushes pushes_;
  std::string page_, origin_;
  Limit per_address_, per_session_, links_, challenges_;
};

// https://my.example.com of https://my.example.com/phone/; empty: that is no address of a page.
std::string origin_of(std::string_view page);
// Set-Cookie of a session; an empty token takes it away.
std::string session_cookie(const std::string& token);

}  // namespace welcome::crm
