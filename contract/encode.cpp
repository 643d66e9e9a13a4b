// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "contract/contract.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/quick_items.h"
#include "contract/signed_text.h"
#include "contract/signing.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

// Bytes that are not UTF-8 can only come from our own stores: they become U+FFFD, not an exception.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// What is signed says for which box it is, so that nobody moves it to another one.
void put_address(json& payload, const BoxAddress& box) {
  payload["tenant"] = box.tenant;
  payload["store"] = box.store;
  payload["box"] = box.box;
}

json signed_by(const json& value, const Signer* signer) {
  if (signer == nullptr) return value;
  const auto text = signer->sign(dump(value));
  return text ? json::parse(*text) : value;
}

void set_if(json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}

json notice_json(const ConsentNotice& notice) {
  return {{"id", notice.id}, {"version", notice.version}, {"language", notice.language}};
}

json object_of(const std::string& text) {
  json value = json::parse(text, nullptr, false);
  return value.is_object() ? value : json::object();
}

Message message_on(std::string topic, const json& payload) {
  Message message;
  message.id = MessageId(new_uuid());
  message.content_type = content_type_of(topic);
  message.topic = std::move(topic);
  message.payload = dump(payload);
  return message;
}

json data_of(const VisitNews& news) {
  json data{{"visit", news.visit.str()},
            {"zone", to_string(news.zone)},
            {"level", to_string(news.level)}};
  if (news.dwell_s) data["dwell_s"] = *news.dwell_s;
  return data;
}

json data_of(const OfferNews& news) {
  json data{{"decision", news.decision.str()},
            {"visit", news.visit.str()},
            {"campaign", news.campaign.str()},
            {"variant", news.variant},
            {"language", news.language},
            {"title", news.title},
            {"text", news.text},
            {"expires_at", to_rfc3339(news.expires_at)}};
  set_if(data, "code", news.code);
  return data;
}

json data_of(const PromptNews& news) {
  return {{"decision", news.decision.str()}, {"visit", news.visit.str()}};
}

json data_of(const SuppressedNews& news) {
  json data{{"decision", news.decision.str()},
            {"visit", news.visit.str()},
            {"kind", to_string(news.kind)},
            {"reason", news.reason}};
  set_if(data, "campaign", news.campaign.str());
  return data;
}

json data_of(const SurveyNews& news) {
  return {{"decision", news.decision.str()},
          {"visit", news.visit.str()},
          {"survey", news.survey},
          {"kind", to_string(news.kind)},
          {"language", news.language},
          {"question", news.question},
          {"expires_at", to_rfc3339(news.expires_at)}};
}

json data_of(const StaffNews& news) {
  const StaffAction& action = news.action;
  json data{{"visit", action.visit.str()},
            {"staff", action.staff.str()},
            {"kind", to_string(action.kind)}};
  if (action.kind == StaffAction::Kind::note) data["text"] = action.text;
  if (action.kind == StaffAction::Kind::preference) {
    data["preference"] = {
        {"key", action.preference_key},
        {"value", action.preference_value},
        {"verdict", action.verdict == StaffAction::Verdict::change ? "change" : "confirm"}};
  }
  return data;
}

json confirm_json(const Confirmation& confirm) {
  json out{{"by", to_string(confirm.by)}};
  set_if(out, "pending", confirm.pending);
  set_if(out, "code", confirm.code);
  set_if(out, "staff", confirm.witness.str());
  return out;
}

// A consent is signed by the box, with whose it is: an account alone consents for nobody.
json data_of(const ConsentNews& news, const BoxAddress& box, const CustomerId& customer,
             const Signer* signer) {
  json data{{"purpose", to_string(news.purpose)},
            {"state", news.given ? "given" : "withdrawn"},
            {"at", to_rfc3339(news.at)},
            {"how", news.how}};
  set_if(data, "record_id", news.record_id);
  if (news.notice) data["notice"] = notice_json(*news.notice);
  set_if(data, "staff", news.staff.str());
  if (news.confirm) data["confirm"] = confirm_json(*news.confirm);
  if (signer == nullptr) return data;
  data["box"] = address_text(box);
  data["customer"] = customer.str();
  return signed_by(data, signer);
}

json data_of(const EnrolmentNews& news) {
  json data{{"template", news.face_template.str()}, {"model", news.model}, {"views", news.views}};
  set_if(data, "staff", news.staff);
  return data;
}

json data_of(const ErasureReceipt& receipt, const std::string& box, const Signer* signer) {
  return signed_by({{"command", receipt.request.str()},
                    {"box", box},
                    {"customer", receipt.customer.str()},
                    {"erased", receipt.rows},
                    {"bytes_gone", receipt.bytes_gone},
                    {"at", to_rfc3339(receipt.at)}},
                   signer);
}

json data_of(const SurveyAnswer& answer) {
  json data{{"survey", answer.survey}, {"kind", to_string(answer.kind)}, {"score", answer.score}};
  set_if(data, "decision", answer.decision.str());
  set_if(data, "text", answer.text);
  return data;
}

json data_of(const ProfileWanted&) { return json::object(); }

json data_of(const FeedRejected& news) {
  json data{{"collection", to_string(news.collection)},
            {"key", news.key},
            {"seq", news.seq},
            {"reason", news.reason}};
  if (news.over) data["over"] = true;
  return data;
}

json data_of(const HealthNews& news) {
  json data{{"part", news.part}, {"state", news.state}};
  set_if(data, "text", news.text);
  if (!news.counters.empty()) data["counters"] = news.counters;
  return data;
}

Priority priority_of(const EventData& data) {
  if (std::holds_alternative<ConsentNews>(data) || std::holds_alternative<ErasureReceipt>(data)) {
    return Priority::consent;
  }
  if (std::holds_alternative<OfferNews>(data) || std::holds_alternative<PromptNews>(data) ||
      std::holds_alternative<SurveyNews>(data)) {
    return Priority::decision;
  }
  return Priority::event;
}

}  // namespace

Message encode_state(const BoxAddress& box, const BoxState& state) {
  json payload{{"v", 1},
               {"state", name_of(kLinkStates, state.state)},
               {"session", state.session},
               {"version", state.version},
               {"at", to_rfc3339(state.at)}};
  set_if(payload, "key", state.key);
  for (const std::string& statement : state.vouched)
    payload["vouched"].push_back(json::parse(statement));
  Message message = message_on(state_topic(box), payload);
  message.retain = true;
  return message;
}

std::string event_signed_again(const std::string& payload, const Signer& signer) {
  json event = json::parse(payload, nullptr, false);
  if (!event.is_object() || !event.contains("data") || !event["data"].contains("sig")) {
    return payload;
  }
  event["data"] = signed_by(event["data"], &signer);
  return dump(event);
}

std::string vouch_for(const BoxAddress& box, const Ed25519Public& next, const Signer& former) {
  json statement{{"key", public_key_text(next)}};
  put_address(statement, box);
  return dump(signed_by(statement, &former));
}

json audit_word(const BoxAddress& box, const AuditWord& word, const Signer* signer) {
  json out{{"asked", word.asked},
           {"session", word.session},
           {"run", word.run},
           {"seq", word.seq},
           {"since", word.since}};
  put_address(out, box);
  set_if(out, "hash", word.hash);
  set_if(out, "before", word.before);
  return signed_by(out, signer);
}

Message encode_hello(const BoxAddress& box, const Hello& hello, const Signer* signer) {
  json have = json::object();
  for (const auto& [collection, at] : hello.have) {
    have[std::string(to_string(collection))] = {
        {"epoch", at.epoch}, {"seq", at.seq}, {"digest", at.digest}};
  }
  json payload{{"v", 1},
               {"box", box.box},
               {"session", hello.session},
               {"version", hello.version},
               {"have", have}};
  if (hello.control != 0) payload["control"] = hello.control;
  if (hello.confirms) payload["confirms"] = true;
  if (!hello.keys.empty()) payload["keys"] = hello.keys;
  set_if(payload, "region", hello.region);
  if (hello.audit) payload["audit"] = audit_word(box, *hello.audit, signer);
  Message message = message_on(hello_topic(box), payload);
  message.priority = Priority::consent;
  return message;
}

namespace {

// A put or a delete as it stands in a batch.
void append_entry(Collection collection, const FeedItem& item, std::string& out) {
  out.append(R"({"key":)").append(dump(item.key));
  out.append(item.deleted ? R"(,"op":"delete","seq":)" : R"(,"op":"put","seq":)");
  out.append(std::to_string(item.seq));
  if (!item.deleted && !item.value.empty()) {
    const bool as_it_is = valid_utf8(item.value) && quick_item(collection, item.value);
    out.append(R"(,"value":)").append(as_it_is ? item.value : dump(object_of(item.value)));
  }
  out.push_back('}');
}

}  // namespace

Message encode_feed(const BoxAddress& box, const FeedBatch& batch, const Signer* signer) {
  std::string items;
  for (const FeedItem& item : batch.items) {
    if (!item.error.empty()) continue;
    if (!items.empty()) items.push_back(',');
    append_entry(batch.collection, item, items);
  }
  json payload{{"v", 1},
               {"collection", to_string(batch.collection)},
               {"epoch", batch.epoch},
               {"kind", batch.snapshot ? "snapshot" : "delta"},
               {"to_seq", batch.to_seq},
               {"items", json::array()}};
  set_if(payload, "digest", batch.digest);
  if (batch.snapshot) {
    payload["part"] = batch.part;
    payload["parts"] = batch.parts;
  } else {
    payload["from_seq"] = batch.from_seq;
  }
  if (batch.head) {
    payload["head"] = {{"tenant", batch.head->tenant},
                       {"scope", batch.head->scope},
                       {"seq", batch.head->seq},
                       {"digest", batch.head->digest},
                       {"at", to_rfc3339(batch.head->at)}};
  }
  Message message = message_on(feed_topic(box, batch.collection), payload);
  constexpr std::string_view kNone = R"("items":[])";  // no string has a bare quote in it
  message.payload.insert(message.payload.find(kNone) + kNone.size() - 1, items);
  if (signer != nullptr) message.payload = sign_text(*signer, message.payload);
  return message;
}

EventData news(const VisitEvent& event) {
  VisitNews out{event.kind, event.visit, event.zone, event.level, std::nullopt};
  if (event.kind == VisitEvent::Kind::ended) {
    out.dwell_s = std::chrono::duration_cast<std::chrono::seconds>(
                      std::max(event.at - event.started_at, WallTime::duration::zero()))
                      .count();
  }
  return out;
}

EventData news(const Decision& decision) {
  if (!decision.made()) {
    return SuppressedNews{decision.id, decision.visit, decision.kind, decision.campaign,
                          std::string(to_string(decision.reason))};
  }
  switch (decision.kind) {
    case DecisionKind::offer:
      return OfferNews{decision.id,      decision.visit,    decision.campaign,
                       decision.variant, decision.language, decision.title,
                       decision.text,    decision.code,     decision.expires_at};
    case DecisionKind::survey:
      return SurveyNews{decision.id,        decision.visit,
                        decision.survey,    decision.survey_kind.value_or(SurveyKind::nps),
                        decision.language,  decision.text,
                        decision.expires_at};
    case DecisionKind::prompt:
      break;
  }
  return PromptNews{decision.id, decision.visit};
}

EventData news(const StaffOutcome& outcome) { return StaffNews{outcome.action}; }

std::string event_type(const EventData& data) {
  const std::string name = std::visit(
      [](const auto& it) -> std::string {
        using T = std::decay_t<decltype(it)>;
        if constexpr (std::is_same_v<T, VisitNews>) {
          return std::string("visit.").append(to_string(it.kind));
        } else {
          return std::string(kEventName<T>);
        }
      },
      data);
  return "com.welcomed." + name + ".v1";
}

Message encode_event(const BoxAddress& box, const EventMessage& event, const Signer* signer) {
  json payload{{"specversion", "1.0"},
               {"id", event.id.str()},
               {"source", "/" + address_text(box)},
               {"type", event_type(event.data)},
               {"time", to_rfc3339(event.time)},
               {"datacontenttype", "application/json"},
               {"data", std::visit(
                            [&](const auto& it) {
                              using T = std::decay_t<decltype(it)>;
                              if constexpr (std::is_same_v<T, ErasureReceipt>) {
                                return data_of(it, box.box, signer);
                              } else if constexpr (std::is_same_v<T, ConsentNews>) {
                                return data_of(it, box, event.subject, signer);
                              } else {
                                return data_of(it);
                              }
                            },
                            event.data)}};
  set_if(payload, "subject", event.subject.str());
  Message message = message_on(event_topic(box), payload);
  message.id = event.id;
  message.priority = priority_of(event.data);
  message.customer = event.subject;
  // An offer or a question that cannot be shown any more is noise.
  if (const auto* offer = std::get_if<OfferNews>(&event.data)) {
    message.expires_at = offer->expires_at;
  } else if (const auto* survey = std::get_if<SurveyNews>(&event.data)) {
    message.expires_at = survey->expires_at;
  }
  return message;
}

Message encode_command(const BoxAddress& box, const Command& command, const Signer* signer) {
  json payload{{"v", 1}, {"id", command.id.str()}, {"kind", name_of(kCommandKinds, command.kind)}};
  put_address(payload, box);
  if (command.expires_at) payload["expires_at"] = to_rfc3339(*command.expires_at);
  set_if(payload, "customer", command.customer.str());
  set_if(payload, "eid", command.eid);
  if (command.at) payload["at"] = to_rfc3339(*command.at);
  set_if(payload, "decision", command.decision.str());
  set_if(payload, "campaign", command.campaign.str());
  set_if(payload, "variant", command.variant);
  set_if(payload, "product", command.product);
  if (command.value_hundredths != 0) payload["value_hundredths"] = command.value_hundredths;
  if (command.kind == Command::Kind::outcome) payload["outcome"] = to_string(command.outcome);
  if (command.kind == Command::Kind::config) payload["settings"] = command.settings;
  if (command.kind == Command::Kind::take_back) {
    payload["reason"] = name_of(kTakeBackReasons, command.reason);
    for (const MessageId& id : command.events) payload["events"].push_back(id.str());
  }
  Message message = message_on(command_topic(box), signed_by(payload, signer));
  message.id = command.id;
  message.response_topic =
      command.response_topic.empty() ? response_topic(box) : command.response_topic;
  message.correlation = command.correlation.empty() ? command.id.str() : command.correlation;
  return message;
}

std::string sent_command(std::string_view payload, const BoxAddress& box, WallTime expires_at,
                         const Signer* signer) {
  json command = object_of(std::string(payload));
  put_address(command, box);
  command["expires_at"] = to_rfc3339(expires_at);
  return dump(signed_by(command, signer));
}

// A command is repeated until its answer is there; an old answer is for nobody.
constexpr std::chrono::hours kAnswerLife{1};

Message encode_command_response(const BoxAddress& box, const Command& command,
                                const CommandResponse& response) {
  json payload{{"v", 1},
               {"id", command.id.str()},
               {"box", box.box},
               {"ok", response.ok},
               {"at", to_rfc3339(response.at)}};
  set_if(payload, "error", response.error);
  if (!response.result.empty()) payload["result"] = object_of(response.result);
  Message message = message_on(
      command.response_topic.empty() ? response_topic(box) : command.response_topic, payload);
  message.correlation = command.correlation;
  message.priority = Priority::decision;
  message.expires_at = response.at + kAnswerLife;
  return message;
}

Message encode_taken(const BoxAddress& box, const Taken& taken, const Signer* signer) {
  json ids = json::array();
  for (const MessageId& id : taken.ids) ids.push_back(id.str());
  json payload{{"v", 1}, {"ids", std::move(ids)}};
  if (taken.keys) {
    payload["keys"] = json::array();
    payload["keys_at"] = to_rfc3339(taken.keys->at);
    for (const auto& [id, key] : taken.keys->ring.keys())
      payload["keys"].push_back({{"id", id}, {"key", public_key_text(key)}});
  }
  if (taken.audit) payload["audit"] = {{"ask", taken.audit->ask}, {"seq", taken.audit->seq}};
  if (taken.region) {
    payload["region"] = taken.region->name;
    payload["region_at"] = to_rfc3339(taken.region->at);
  }
  put_address(payload, box);
  return message_on(taken_topic(box), signed_by(payload, signer));
}

Message encode_lookup(const BoxAddress& box, const Lookup& lookup) {
  Message message = message_on(lookup_topic(box), {{"v", 1},
                                                   {"id", lookup.id.str()},
                                                   {"customer", lookup.customer.str()},
                                                   {"at", to_rfc3339(lookup.at)}});
  message.id = lookup.id;
  message.expires_at = lookup.at + kLookupLife;
  return message;
}

Message encode_found(const BoxAddress& box, const Found& found, WallTime at, const Signer* signer) {
  json payload{{"v", 1},
               {"id", found.id.str()},
               {"answer", name_of(kFoundAnswers, found.answer)},
               {"at", to_rfc3339(at)}};
  set_if(payload, "name", found.name);
  set_if(payload, "page", found.page);
  put_address(payload, box);
  Message message = message_on(found_topic(box), signed_by(payload, signer));
  message.expires_at = at + kLookupLife;
  return message;
}

Message encode_control(const Control& control, const Signer* signer) {
  Message message = message_on(control_topic(control.tenant, control.store),
                               signed_by({{"v", 1},
                                          {"id", control.id.str()},
                                          {"seq", control.seq},
                                          {"tenant", control.tenant},
                                          {"store", control.store},
                                          {"function", to_string(control.function)},
                                          {"paused", control.paused},
                                          {"at", to_rfc3339(control.at)}},
                                         signer));
  message.id = control.id;
  message.retain = true;
  return message;
}

Message encode_prompt(const Prompt& prompt) {
  json preferences = json::array();
  for (const PromptPreference& line : prompt.preferences) {
    json entry{{"key", line.key}, {"text", line.text}};
    set_if(entry, "detail", line.detail);
    preferences.push_back(std::move(entry));
  }
  json greet{{"name", prompt.name}};
  set_if(greet, "greeting", prompt.greeting);
  set_if(greet, "pronunciation", prompt.pronunciation);
  json last = nullptr;
  if (prompt.last_conversation) {
    last = {{"text", prompt.last_conversation->text},
            {"at", to_rfc3339(prompt.last_conversation->at)}};
  }
  json payload{
      {"v", 1},
      {"visit", prompt.visit.str()},
      {"decision", prompt.decision.str()},
      {"level", to_string(prompt.level)},
      {"by", prompt.by},
      {"greet", greet},
      {"tier", prompt.tier},
      {"points", prompt.points},
      {"next_reward_points", prompt.next_reward_points},
      {"headline", prompt.headline},
      {"preferences", preferences},
      {"last_conversation", last},
      {"suggestion", prompt.suggestion},
      {"avoid", prompt.avoid},
      {"zone", to_string(prompt.zone)},
      {"since", to_rfc3339(prompt.since)},
      {"state", to_string(prompt.state)},
      {"claimed_by", prompt.claimed_by.empty() ? json(nullptr) : json(prompt.claimed_by.str())},
      {"expires_at", to_rfc3339(prompt.expires_at)}};
  if (prompt.rehearsal) payload["rehearsal"] = true;
  Message message = message_on(prompt_topic(prompt.visit.str()), payload);
  message.link = LinkName::floor;
  message.retain = true;
  message.priority = Priority::decision;
  message.customer = prompt.customer;
  message.expires_at = prompt.expires_at;
  return message;
}

Message encode_store_word(const StoreWord& word) {
  Message message;
  if (const auto& offer = word.offer) {
    char whom[17];
    std::snprintf(whom, sizeof whom, "%016llx", static_cast<unsigned long long>(offer->whom));
    message =
        message_on(offer_topic(word.decision.str()), {{"v", 1},
                                                      {"box", word.box},
                                                      {"decision", word.decision.str()},
                                                      {"whom", whom},
                                                      {"campaign", offer->campaign.str()},
                                                      {"at", to_rfc3339(offer->at)},
                                                      {"expires_at", to_rfc3339(offer->expires_at)},
                                                      {"sent", offer->sent}});
    // No cap looks back further.
    message.expires_at = std::max(offer->at, offer->expires_at) + std::chrono::days{8};
  } else {
    message.id = MessageId(new_uuid());
    message.topic = offer_topic(word.decision.str());
  }
  message.link = LinkName::floor;
  message.retain = true;
  message.priority = Priority::decision;
  return message;
}

Message encode_prompt_cleared(const VisitId& visit, const CustomerId& customer) {
  Message message;
  message.id = MessageId(new_uuid());
  message.link = LinkName::floor;
  message.topic = prompt_topic(visit.str());
  message.retain = true;
  message.priority = Priority::decision;
  message.customer = customer;
  return message;
}

Message encode_floor_status(const FloorStatus& status) {
  json paused = json::array();
  for (const Function function : status.paused) paused.push_back(to_string(function));
  json trouble = json::array();
  for (const Trouble what : status.trouble) trouble.push_back(name_of(kTroubles, what));
  Message message =
      message_on(floor_status_topic(status.box), {{"v", 1},
                                                  {"store", status.store},
                                                  {"box", status.box},
                                                  {"link", status.link_up ? "up" : "down"},
                                                  {"in_store", status.in_store},
                                                  {"paused", paused},
                                                  {"trouble", trouble},
                                                  {"told_all", status.told_all},
                                                  {"rehearsal", status.rehearsal},
                                                  {"version", status.version},
                                                  {"at", to_rfc3339(status.at)}});
  message.link = LinkName::floor;
  message.retain = true;
  return message;
}

Message encode_ranging(const FloorRanging& ranging) {
  // A hundredth of a dB is more than any radio knows.
  const auto rounded = [](double db) { return std::round(db * 100.0) / 100.0; };
  json heard = json::array();
  for (const auto& one : ranging.heard) {
    json entry{{"who", one.who},
               {"source", name_of(kHeardSources, one.source)},
               {"leads", one.leads},
               {"fast", to_string(one.fast)},
               {"settled", to_string(one.settled)}};
    if (one.heard_ago_ms) {
      entry["heard_ago_ms"] = *one.heard_ago_ms;
      entry["fast_db"] = rounded(one.fast_db);
      entry["settled_db"] = rounded(one.settled_db);
    }
    if (!one.visit.empty()) entry["visit"] = one.visit;
    if (!one.fob.empty()) entry["fob"] = {{"id", one.fob}, {"device", one.device}};
    heard.push_back(std::move(entry));
  }
  Message message = message_on(ranging_topic(ranging.box), {{"v", 1},
                                                            {"store", ranging.store},
                                                            {"box", ranging.box},
                                                            {"session", ranging.session},
                                                            {"seq", ranging.seq},
                                                            {"day", ranging.day},
                                                            {"zone", to_string(ranging.zone)},
                                                            {"gone", ranging.gone},
                                                            {"heard", std::move(heard)}});
  message.link = LinkName::floor;
  message.qos = 0;
  return message;
}

Message encode_enrol(const EnrolMessage& enrol) {
  json payload{{"v", 1},
               {"id", enrol.id.str()},
               {"session", enrol.session},
               {"from", enrol.from_box ? "box" : "tablet"},
               {"kind", name_of(kEnrolKinds, enrol.kind)},
               {"at", to_rfc3339(enrol.at)}};
  set_if(payload, "sign_in", enrol.sign_in);
  set_if(payload, "customer", enrol.customer.str());
  if (enrol.kind == EnrolMessage::Kind::consent) payload["purposes"] = enrol.purposes;
  if (enrol.notice) payload["notice"] = notice_json(*enrol.notice);
  if (enrol.kind == EnrolMessage::Kind::confirmation) {
    payload["confirmed"] = name_of(kEnrolConfirmed, enrol.confirmed);
  }
  if (enrol.kind == EnrolMessage::Kind::member) {
    payload["known"] = name_of(kEnrolKnown, enrol.known);
  }
  set_if(payload, "name", enrol.name);
  set_if(payload, "page", enrol.page);
  set_if(payload, "hint", enrol.hint);
  if (enrol.from_box) payload["views"] = enrol.views;
  if (enrol.views_needed > 0) payload["views_needed"] = enrol.views_needed;
  set_if(payload, "reason", enrol.reason);
  set_if(payload, "cause", enrol.cause);
  Message message = message_on(enrol.from_box ? to_enrol_topic(enrol.tablet, enrol.session)
                                              : enrol_topic(enrol.tablet, enrol.session),
                               payload);
  message.id = enrol.id;
  message.link = LinkName::floor;
  message.priority = Priority::decision;
  return message;
}

}  // namespace welcome::contract
