// SPDX-License-Identifier: Apache-2.0
// The events of a box: what stands in `data`, each kind written and read side by side.

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "contract/json_fields.h"
#include "contract/json_names.h"
#include "contract/json_text.h"
#include "contract/readers.h"
#include "contract/schema_set.h"
#include "contract/wire.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

std::optional<VisitEvent::Kind> visit_kind(std::string_view type) {
  for (const auto kind : {VisitEvent::Kind::started, VisitEvent::Kind::moved,
                          VisitEvent::Kind::confirmed, VisitEvent::Kind::ended}) {
    if (type == std::string("visit.").append(to_string(kind))) return kind;
  }
  return std::nullopt;
}

json data_of(const VisitNews& news) {
  json data{{"visit", news.visit.str()},
            {"zone", to_string(news.zone)},
            {"level", to_string(news.level)}};
  if (news.dwell_s) data["dwell_s"] = *news.dwell_s;
  return data;
}

VisitNews visit_news(VisitEvent::Kind kind, const json& data) {
  VisitNews out;
  out.kind = kind;
  out.visit = VisitId(text(data, "visit"));
  out.zone = zone_from_string(text(data, "zone")).value_or(Zone::away);
  out.level = level_from_string(text(data, "level")).value_or(Level::near);
  if (data.contains("dwell_s")) out.dwell_s = integer(data, "dwell_s");
  return out;
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

OfferNews offer_news(const json& data) {
  return {DecisionId(text(data, "decision")),
          VisitId(text(data, "visit")),
          CampaignId(text(data, "campaign")),
          text(data, "variant"),
          text(data, "language"),
          text(data, "title"),
          text(data, "text"),
          text(data, "code"),
          time_of(data, "expires_at")};
}

json data_of(const PromptNews& news) {
  return {{"decision", news.decision.str()}, {"visit", news.visit.str()}};
}

PromptNews prompt_news(const json& data) {
  return {DecisionId(text(data, "decision")), VisitId(text(data, "visit"))};
}

json data_of(const SuppressedNews& news) {
  json data{{"decision", news.decision.str()},
            {"visit", news.visit.str()},
            {"kind", to_string(news.kind)},
            {"reason", news.reason}};
  set_if(data, "campaign", news.campaign.str());
  return data;
}

SuppressedNews suppressed_news(const json& data) {
  SuppressedNews out{DecisionId(text(data, "decision")), VisitId(text(data, "visit")),
                     DecisionKind::offer, CampaignId(text(data, "campaign")), text(data, "reason")};
  for (const auto kind : {DecisionKind::offer, DecisionKind::prompt, DecisionKind::survey}) {
    if (text(data, "kind") == to_string(kind)) out.kind = kind;
  }
  return out;
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

SurveyNews survey_news(const json& data) {
  return {DecisionId(text(data, "decision")), VisitId(text(data, "visit")), text(data, "survey"),
          survey_kind(data, "kind"),          text(data, "language"),       text(data, "question"),
          time_of(data, "expires_at")};
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

StaffNews staff_news(const json& data) {
  StaffNews out;
  out.action.visit = VisitId(text(data, "visit"));
  out.action.staff = StaffId(text(data, "staff"));
  out.action.kind = *staff_action_from_string(text(data, "kind"));
  out.action.text = text(data, "text");
  if (const auto preference = data.find("preference"); preference != data.end()) {
    out.action.preference_key = text(*preference, "key");
    out.action.preference_value = text(*preference, "value");
    out.action.verdict = text(*preference, "verdict") == "change" ? StaffAction::Verdict::change
                                                                  : StaffAction::Verdict::confirm;
  }
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

ConsentNews consent_news(const json& data) {
  return {*purpose_from_string(text(data, "purpose")),
          text(data, "state") == "given",
          time_of(data, "at"),
          text(data, "how"),
          text(data, "record_id"),
          notice(data),
          StaffId(text(data, "staff")),
          confirmation(data)};
}

json data_of(const EnrolmentNews& news) {
  json data{{"template", news.face_template.str()}, {"model", news.model}, {"views", news.views}};
  set_if(data, "staff", news.staff);
  return data;
}

EnrolmentNews enrolment_news(const json& data) {
  return {TemplateId(text(data, "template")), text(data, "model"),
          static_cast<int>(integer(data, "views")), text(data, "staff")};
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

ErasureReceipt erasure_receipt(const json& data) {
  ErasureReceipt out{MessageId(text(data, "command")),
                     CustomerId(text(data, "customer")),
                     {},
                     time_of(data, "at")};
  data.at("erased").get_to(out.rows);
  out.bytes_gone = data.value("bytes_gone", false);
  return out;
}

json data_of(const SurveyAnswer& answer) {
  json data{{"survey", answer.survey}, {"kind", to_string(answer.kind)}, {"score", answer.score}};
  set_if(data, "decision", answer.decision.str());
  set_if(data, "text", answer.text);
  return data;
}

SurveyAnswer survey_answer(const json& data) {
  return {text(data, "survey"), DecisionId(text(data, "decision")), survey_kind(data, "kind"),
          static_cast<int>(integer(data, "score")), text(data, "text")};
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

FeedRejected feed_rejected(const json& data) {
  return {*collection_from_string(text(data, "collection")), text(data, "key"),
          static_cast<std::uint64_t>(integer(data, "seq")), text(data, "reason"),
          data.value("over", false)};
}

json data_of(const HealthNews& news) {
  json data{{"part", news.part}, {"state", news.state}};
  set_if(data, "text", news.text);
  if (!news.counters.empty()) data["counters"] = news.counters;
  return data;
}

HealthNews health_news(const json& data) {
  HealthNews out{text(data, "part"), text(data, "state"), text(data, "text"), {}};
  if (data.contains("counters")) data.at("counters").get_to(out.counters);
  return out;
}

json data_of(const BoxRetired& news, const BoxAddress& box, const Signer* signer) {
  return signed_by({{"retires", address_text(box)}, {"at", to_rfc3339(news.at)}}, signer);
}

struct EventReader {
  std::string_view name;
  EventData (*read)(const json& data);
};

constexpr EventReader kEventReaders[] = {
    {kEventName<OfferNews>, [](const json& data) -> EventData { return offer_news(data); }},
    {kEventName<PromptNews>, [](const json& data) -> EventData { return prompt_news(data); }},
    {kEventName<SuppressedNews>,
     [](const json& data) -> EventData { return suppressed_news(data); }},
    {kEventName<SurveyNews>, [](const json& data) -> EventData { return survey_news(data); }},
    {kEventName<StaffNews>, [](const json& data) -> EventData { return staff_news(data); }},
    {kEventName<ConsentNews>, [](const json& data) -> EventData { return consent_news(data); }},
    {kEventName<EnrolmentNews>, [](const json& data) -> EventData { return enrolment_news(data); }},
    {kEventName<ErasureReceipt>,
     [](const json& data) -> EventData { return erasure_receipt(data); }},
    {kEventName<SurveyAnswer>, [](const json& data) -> EventData { return survey_answer(data); }},
    {kEventName<ProfileWanted>, [](const json&) -> EventData { return ProfileWanted{}; }},
    {kEventName<FeedRejected>, [](const json& data) -> EventData { return feed_rejected(data); }},
    {kEventName<HealthNews>, [](const json& data) -> EventData { return health_news(data); }},
    {kEventName<BoxRetired>,
     [](const json& data) -> EventData { return BoxRetired{time_of(data, "at")}; }},
};
// Every kind of event has a reader; visits share one, beside the table.
static_assert(std::size(kEventReaders) + 1 == std::variant_size_v<EventData>);

Result<EventData> event_data(std::string_view type, const json& data) {
  constexpr std::string_view kPrefix = "com.welcomed.", kVersion = ".v1";
  if (!type.starts_with(kPrefix)) {
    return fail(ErrorCode::not_found, "event: a type this version ignores");
  }
  type.remove_prefix(kPrefix.size());
  if (!type.ends_with(kVersion)) return fail(ErrorCode::not_found, "event: a newer version");
  type.remove_suffix(kVersion.size());
  if (const auto kind = visit_kind(type)) {
    if (auto checked = check_schema("event.visit", data); !checked) {
      return tl::unexpected(checked.error());
    }
    return visit_news(*kind, data);
  }
  const auto* const reader = std::find_if(std::begin(kEventReaders), std::end(kEventReaders),
                                          [&](const EventReader& it) { return it.name == type; });
  if (reader == std::end(kEventReaders)) {
    return fail(ErrorCode::not_found, "event: a type this version ignores");
  }
  if (auto checked = check_schema(std::string("event.").append(type), data); !checked) {
    return tl::unexpected(checked.error());
  }
  return reader->read(data);
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
                              } else if constexpr (std::is_same_v<T, BoxRetired>) {
                                return data_of(it, box, signer);
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

Result<CrmInbound> event(const json& payload) {
  EventMessage out;
  out.id = MessageId(text(payload, "id"));
  out.time = time_of(payload, "time");
  out.subject = CustomerId(text(payload, "subject"));
  const std::string source = text(payload, "source");
  const auto store = source.find('/', 1), box = source.rfind('/');
  out.source = {source.substr(1, store - 1), source.substr(store + 1, box - store - 1),
                source.substr(box + 1)};
  out.type = text(payload, "type");
  const json& data = payload.at("data");
  auto read = event_data(out.type, data);
  if (!read) return tl::unexpected(read.error());
  out.data = std::move(*read);
  out.data_text = data.dump();
  return out;
}

std::string event_signed_again(const std::string& payload, const Signer& signer) {
  json event = json::parse(payload, nullptr, false);
  if (!event.is_object() || !event.contains("data") || !event["data"].contains("sig")) {
    return payload;
  }
  event["data"] = signed_by(event["data"], &signer);
  return dump(event);
}

Result<void> check_retired(const BoxAddress& box, const std::string& text,
                           const Ed25519Public& key) {
  const auto read = decode_event_data(event_type(BoxRetired{}), text);
  if (!read) return tl::unexpected(read.error());
  const json said = json::parse(text);
  if (said.at("retires") != address_text(box))
    return fail(ErrorCode::refused, "it is another box's");
  if (!said.contains("sig")) return fail(ErrorCode::refused, "it is not signed");
  KeyRing ring;
  ring.pin(box.box, key);
  if (!ring.verify(text)) return fail(ErrorCode::refused, "the box's trusted key did not sign it");
  return {};
}

Result<EventData> decode_event_data(std::string_view type, std::string_view data) {
  const auto value = parse_json(data);
  if (!value) return tl::unexpected(value.error());
  try {
    return event_data(type, *value);
  } catch (const BadField& bad) {
    return fail(ErrorCode::malformed, bad.what());
  }
}

}  // namespace welcome::contract
