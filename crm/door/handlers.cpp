// SPDX-License-Identifier: Apache-2.0
// What each route answers. Bodies and answers are described in docs/openapi.yaml.

#include <algorithm>
#include <array>
#include <cctype>

#include "crm/desk_consents.h"
#include "crm/door/answers.h"
#include "crm/door/ask.h"
#include "crm/token.h"
#include "provision/qr.h"

namespace welcome::crm {
namespace {

void copy(const json& from, json& to, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const auto found = from.find(name); found != from.end()) to[name] = *found;
  }
}

json purposes(PurposeSet given) {
  json out = json::object();
  for (const Purpose purpose : kAllPurposes) {
    out[std::string(to_string(purpose))] = given.has(purpose);
  }
  return out;
}

json to_json(const Erasure& erasure) {
  json receipts = json::array();
  int done = 0, revoked = 0;
  for (const ErasureBox& box : erasure.boxes) {
    json one = {{"store", box.store}, {"box", box.box}, {"done_at", nullptr}};
    if (box.done_at) {
      ++done;
      one["done_at"] = *box.done_at;
    } else if (box.revoked_at) {
      ++revoked;
      one["revoked_at"] = *box.revoked_at;
    }
    receipts.push_back(std::move(one));
  }
  return {{"asked_at", erasure.asked_at},
          {"done_at", erasure.done_at ? json(*erasure.done_at) : json(nullptr)},
          {"boxes", erasure.boxes.size()},
          {"done", done},
          {"revoked", revoked},
          {"receipts", std::move(receipts)}};
}

Response stream_of(std::string whose, std::string session) {
  Response out;
  out.type = "text/event-stream";
  out.stream = Stream{std::move(whose), std::move(session)};
  return out;
}

}  // namespace

// ---- the session ----

// Who somebody else sent a link to, or a passkey's page, is not turned into them behind their back.
// An empty body: nothing is against it.
Response Door::refuse_another(const Ask& ask, const std::optional<Session>& session,
                              const std::string& customer) {
  if (!session || session->customer == customer) return {};
  if (ask.body.value("replace", json()) == true) return {};
  return problem(409, "another-customer", "This device is signed in for somebody else");
}

// This device is the customer's from now on, and has just shown it. `session`: the one that it has.
Response Door::let_in(const Ask& ask, const std::optional<Session>& session,
                      const std::string& customer) {
  Response out = nothing();
  if (session && session->customer == customer) {
    sessions_.refresh(*session, ask.now.wall);
    return out;
  }
  if (session) sessions_.revoke(session->customer, session->id, ask.now.wall);
  out.set_cookie =
      session_cookie(sessions_.open(customer, clean_name(ask.text("device")), ask.now.wall));
  return out;
}

Response Door::open_session(const Ask& ask) {
  if (!links_.take(ask.request.address, ask.now.mono)) return tried_too_often();
  const std::string token = ask.text("link");
  if (token.empty()) return malformed();
  Transaction transaction(db_);
  const auto link = sessions_.link(token, ask.now.wall);
  if (!link) return problem(404, "link-unknown", "There is no such link");
  if (link->used) return problem(410, "link-used", "This link was opened already");
  if (link->over) return problem(410, "link-over", "This link has expired");
  const auto session = known_session(ask.request, ask.now.wall);
  if (Response no = refuse_another(ask, session, link->customer); !no.body.empty()) return no;
  if (!sessions_.use(token, ask.now.wall)) {
    return problem(410, "link-used", "This link was opened already");
  }
  Response out = let_in(ask, session, link->customer);
  transaction.commit();
  return out;
}

Response Door::end_session(const Ask& ask) {
  Transaction transaction(db_);
  sessions_.revoke(ask.session.customer, ask.session.id, ask.now.wall);
  transaction.commit();
  Response out = nothing();
  out.set_cookie = session_cookie("");
  return out;
}

Response Door::revoke_device(const Ask& ask) {
  Transaction transaction(db_);
  if (!sessions_.revoke(ask.session.customer, ask.words[0], ask.now.wall)) {
    return problem(404, "no-such-device", "There is no such device of yours");
  }
  transaction.commit();
  return nothing();
}

// For another device of theirs, which scans it from this one.
Response Door::new_link(const Ask& ask) {
  Transaction transaction(db_);
  const auto token = sessions_.new_link(ask.session.customer, ask.now.wall);
  if (!token) return problem(401, "signed-out", "This device is not signed in (any more)");
  transaction.commit();
  const std::string url = link_url(page_, *token);
  return ok({{"url", url},
             {"expires_at", contract::to_rfc3339(ask.now.wall + Sessions::kLinkLife)},
             {"qr", provision::qr_rows(url)}});
}

// ---- what is known ----

Response Door::me(const Ask& ask) {
  const auto profile = crm_.profile(ask.session.customer);
  if (!profile) return problem(401, "signed-out", "This device is not signed in (any more)");
  json out = json::object();
  copy(*profile, out,
       {"name", "greeting", "pronunciation", "language", "tier", "points", "next_reward_points"});
  out["preferences"] = json::array();
  for (const json& one : profile->value("preferences", json::array())) {
    out["preferences"].push_back({{"key", one.at("key")}, {"value", one.at("value")}});
  }
  out["met"] = profile->value("met", std::string(to_string(Met::quietly)));
  if (const auto until = crm_.not_today_until(ask.session.customer, ask.now.wall)) {
    out["not_today_until"] = contract::to_rfc3339(*until);
  }
  const ConsentNotice& notice = crm_.settings().notice;
  out["notice"] = {{"id", notice.id}, {"version", notice.version}, {"language", notice.language}};
  PurposeSet given;
  out["consents"] = json::array();
  for (json& record : crm_.consents(ask.session.customer)) {
    const auto purpose = purpose_from_string(record.at("purpose").get_ref<const std::string&>());
    if (purpose && is_given(record, ask.now.wall)) given.add(*purpose);
    out["consents"].push_back(std::move(record));
  }
  out["purposes"] = purposes(given);
  out["devices"] = json::array();
  for (const Device& device : sessions_.devices(ask.session.customer, ask.now.wall)) {
    out["devices"].push_back({{"device", device.id},
                              {"name", device.name},
                              {"since", device.made_at},
                              {"seen_at", device.seen_at},
                              {"this", device.id == ask.session.id}});
  }
  out["passkeys"] = json::array();
  for (const Passkey& passkey : passkeys_.of(ask.session.customer)) {
    json one = {{"passkey", passkey.id}, {"name", passkey.name}, {"since", passkey.made_at}};
    if (passkey.used_at) one["used_at"] = *passkey.used_at;
    out["passkeys"].push_back(std::move(one));
  }
  out["desk_consents"] = json::array();
  for (const auto& one : DeskConsents(crm_).questions(ask.session.customer, ask.now.wall)) {
    json purposes = json::array();
    for (const Purpose purpose : one.purposes) purposes.push_back(to_string(purpose));
    out["desk_consents"].push_back({{"id", one.id},
                                    {"store", one.store},
                                    {"purposes", std::move(purposes)},
                                    {"at", one.at},
                                    {"expires_at", one.expires_at}});
  }
  if (const auto push = pushes_.set_up()) {
    const auto shows = pushes_.shows(ask.session.hash);
    out["push"] = {{"key", push->key}, {"on", shows.has_value()}, {"shows", shows.value_or(false)}};
  }
  out["fresh_until"] = contract::to_rfc3339(ask.session.fresh_until());
  return ok(out);
}

Response Door::offers(const Ask& ask) {
  json offers = json::array(), surveys = json::array();
  for (const Crm::Shown& one : crm_.on_page(ask.session.customer, ask.now.wall)) {
    const json body = json::parse(one.body);
    json shown = {{"at", one.at}};
    if (body.at("kind") == "survey") {
      const auto until = contract::from_rfc3339(body.value("expires_at", ""));
      if (!until || *until <= ask.now.wall) continue;
      copy(body, shown, {"survey", "survey_kind", "question", "expires_at"});
      surveys.push_back(std::move(shown));
      continue;
    }
    if (one.dismissed_at) continue;
    copy(body, shown, {"decision", "title", "text", "code", "expires_at"});
    for (const Row& row :
         db_.query("SELECT store FROM offer WHERE decision = $1", {body.value("decision", "")})) {
      shown["store"] = row.text(0);
    }
    if (one.opened_at) shown["opened_at"] = *one.opened_at;
    if (one.redeemed_at) shown["redeemed_at"] = *one.redeemed_at;
    offers.push_back(std::move(shown));
  }
  return ok({{"offers", std::move(offers)}, {"surveys", std::move(surveys)}});
}

// ---- what is asked for ----

// The request of docs/schemas/door.request.json, acted on before it is answered. What comes again
// under its id is answered again and not done again.
Response Door::do_request(const Ask& ask, json request) {
  request["at"] = contract::to_rfc3339(ask.now.wall);  // unless the page says otherwise
  copy(ask.body, request, {"id", "at"});
  request["v"] = 1;
  if (!crm_.app_of(ask.session.customer)) {
    return problem(401, "signed-out", "This device is not signed in (any more)");
  }
  const std::string text = request.dump();
  const auto decoded = contract::decode_door_request(text);
  if (!decoded) return malformed();
  Transaction transaction(db_);
  const std::string note = intake_.do_request(ask.session.customer, *decoded, text, ask.now.wall);
  transaction.commit();
  db_.announce();
  if (note == "unknown decision") {
    return problem(404, "no-such-offer", "There is no such offer of yours");
  }
  if (!note.empty()) return problem(409, "refused", "This was not done");
  return nothing();
}

Response Door::set_consent(const Ask& ask) {
  json request = {{"kind", "consent.set"}};
  copy(ask.body, request, {"purpose", "given", "notice"});
  Response done = do_request(ask, std::move(request));
  if (done.status != 204) return done;
  json record;
  for (json& one : crm_.consents(ask.session.customer)) {
    if (one.at("purpose") == ask.body.at("purpose")) record = std::move(one);
  }
  return ok({{"consent", std::move(record)},
             {"purposes", purposes(crm_.given(ask.session.customer, ask.now.wall))}});
}

// What somebody wrote down at a desk: theirs, or not.
Response Door::answer_desk(const Ask& ask) {
  const auto yes = ask.body.find("confirmed");
  if (yes == ask.body.end() || !yes->is_boolean()) return malformed();
  Transaction transaction(db_);
  if (!intake_.answer_desk(ask.session.customer, ask.words[0], *yes, ask.now.wall)) {
    return problem(404, "no-such-desk-consent", "There is nothing of yours to confirm here");
  }
  transaction.commit();
  db_.announce();
  return nothing();
}

Response Door::desk_code(const Ask& ask) {
  Transaction transaction(db_);
  const auto code = DeskConsents(crm_).new_code(ask.session.customer, ask.now.wall);
  transaction.commit();
  return ok({{"code", code.digits}, {"expires_at", contract::to_rfc3339(code.expires_at)}});
}

Response Door::offer_outcome(const Ask& ask) {
  constexpr std::array kOutcomes{"opened", "redeemed", "dismissed"};
  if (std::find(kOutcomes.begin(), kOutcomes.end(), ask.words[1]) == kOutcomes.end()) {
    return problem(404, "unknown-path", "There is nothing here");
  }
  return do_request(ask, {{"kind", "offer." + ask.words[1]}, {"decision", ask.words[0]}});
}

Response Door::set_met(const Ask& ask) {
  json request = {{"kind", "met.set"}};
  copy(ask.body, request, {"met"});
  return do_request(ask, std::move(request));
}

Response Door::set_details(const Ask& ask) {
  json request = {{"kind", "details.set"}};
  copy(ask.body, request, {"details"});
  return do_request(ask, std::move(request));
}

Response Door::complain(const Ask& ask) {
  json request = {{"kind", "complaint"}};
  copy(ask.body, request, {"text"});
  return do_request(ask, std::move(request));
}

Response Door::answer_survey(const Ask& ask) {
  json request = {{"kind", "survey.answer"}, {"survey", ask.words[0]}};
  copy(ask.body, request, {"survey_kind", "score", "text"});
  return do_request(ask, std::move(request));
}

Response Door::dismiss_survey(const Ask& ask) {
  Transaction transaction(db_);
  if (!crm_.take_off_page(ask.session.customer, ask.words[0])) {
    return problem(404, "no-such-survey", "There is no such question");
  }
  crm_.tell_page(ask.session.customer, "offers", ask.now.wall);
  transaction.commit();
  return nothing();
}

Response Door::export_data(const Ask& ask) {
  const auto data = crm_.export_customer(ask.session.customer, ask.now.wall);
  if (!data) return problem(401, "signed-out", "This device is not signed in (any more)");
  return ok(*data);
}

// ---- erasure ----

Response Door::forget(const Ask& ask) {
  Transaction transaction(db_);
  const auto id = crm_.forget(ask.session.customer, ask.now.wall);
  if (!id) return problem(401, "signed-out", "This device is not signed in (any more)");
  const std::string token = crm_.new_erasure_token(*id);
  transaction.commit();
  db_.announce();
  Response out = ok({{"token", token},
                     {"url", status_url(page_, token)},
                     {"erasure", to_json(crm_.erasure(*id).value())}});
  out.status = 202;
  out.set_cookie = session_cookie("");
  return out;
}

Response Door::erasure(const Ask& ask) {
  const auto found = crm_.erasure_of_token(ask.words[0]);
  if (!found) return problem(404, "no-such-erasure", "There is no such erasure");
  return ok(to_json(*found));
}

// ---- what changes ----

Response Door::events(const Ask& ask) { return stream_of(ask.session.customer, ask.session.hash); }

Response Door::erasure_events(const Ask& ask) {
  const auto found = crm_.erasure_of_token(ask.words[0]);
  if (!found) return problem(404, "no-such-erasure", "There is no such erasure");
  return stream_of(found->id, "");
}

}  // namespace welcome::crm
