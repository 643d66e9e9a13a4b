// SPDX-License-Identifier: Apache-2.0
// This device wants to be told while its page is closed, or not any more. Bodies and answers are
// described in docs/openapi.yaml.

#include "crm/base64url.h"
#include "crm/door/answers.h"
#include "crm/door/ask.h"

namespace welcome::crm {

Response Door::start_push(const Ask& ask) {
  const auto how = pushes_.set_up();
  if (!how) return problem(409, "no-push", "This company tells nothing in this way");
  const auto endpoint = endpoint_of(ask.text("endpoint"));
  const auto point = from_base64url(ask.text("p256dh"));
  const auto secret = from_base64url(ask.text("auth"));
  const std::string language = ask.text("language");
  if (!endpoint || !point || !secret || language.size() > 8) return malformed();
  if (!how->knows(*endpoint)) {
    return problem(409, "push-service-unknown", "This browser's push service is not known here");
  }
  const webpush::Receiver receiver{*point, *secret};
  if (!webpush::encrypted(receiver, "")) return malformed();
  Transaction transaction(db_);
  pushes_.subscribe(
      ask.session.hash, ask.session.customer,
      {ask.text("endpoint"), receiver, language, ask.body.value("shows", json()) == true},
      ask.now.wall);
  crm_.tell_page(ask.session.customer, "devices", ask.now.wall);
  transaction.commit();
  return nothing();
}

Response Door::end_push(const Ask& ask) {
  Transaction transaction(db_);
  pushes_.unsubscribe(ask.session.hash);
  crm_.tell_page(ask.session.customer, "devices", ask.now.wall);
  transaction.commit();
  return nothing();
}

}  // namespace welcome::crm
