// SPDX-License-Identifier: Apache-2.0
#include "contract/contract.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>

#include "contract/signed_text.h"
#include "contract/signing.h"
#include "tests/unit/contract/box.h"

namespace welcome::contract {
namespace {

using namespace std::chrono;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const WallTime kAt = sys_days{2026y / 5 / 4} + 8h + 15min + 30s + 250ms;

RawMessage raw(const Message& message) {
  RawMessage out;
  out.topic = message.topic;
  out.payload = message.payload;
  out.response_topic = message.response_topic;
  out.correlation = message.correlation;
  return out;
}

std::string example(const std::string& name) {
  std::ifstream in(std::string(WELCOME_DOCS) + "/examples/" + name + ".json");
  return {std::istreambuf_iterator<char>(in), {}};
}

RawMessage on(std::string topic, const json& payload) {
  RawMessage out;
  out.topic = std::move(topic);
  out.payload = payload.dump();
  return out;
}

Command command_of(Command::Kind kind, const char* customer = "") {
  Command command;
  command.id = MessageId("c");
  command.kind = kind;
  command.customer = CustomerId(customer);
  return command;
}

template <class T>
T at_box(const Message& message) {
  const auto decoded = decode_for_box(kBox, raw(message));
  EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().message);
  return std::get<T>(*decoded);
}

template <class T>
T at_crm(const Message& message) {
  const auto decoded = decode_for_crm("demo", raw(message));
  EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().message);
  return std::get<T>(decoded->message);
}

json profile_value() { return {{"customer", "c-paul"}, {"name", "Paul Moreau"}, {"points", 1240}}; }

json consent_value() {
  return {{"record_id", "r-1"},
          {"schema_version", "1"},
          {"tenant", "demo"},
          {"customer", "c-paul"},
          {"purpose", "proximity_offers"},
          {"notice", {{"id", "n-1"}, {"version", "3"}, {"language", "en"}}},
          {"data_categories", {"ble_key"}},
          {"controller", "Aroma Ltd"},
          {"storage_location", "box"},
          {"retention_days", 365},
          {"jurisdiction", "EU"},
          {"recipients", json::array()},
          {"withdraw_how", "app"},
          {"history", {{{"state", "given"}, {"at", to_rfc3339(kAt)}, {"how", "app"}}}}};
}

RawMessage feed(Collection collection, const std::vector<json>& items, std::uint64_t to_seq = 9) {
  return on(feed_topic(kBox, collection), {{"v", 1},
                                           {"collection", to_string(collection)},
                                           {"epoch", "e1"},
                                           {"kind", "delta"},
                                           {"from_seq", 0},
                                           {"to_seq", to_seq},
                                           {"items", items}});
}

json put(std::uint64_t seq, const std::string& key, const json& value) {
  return {{"seq", seq}, {"op", "put"}, {"key", key}, {"value", value}};
}

// Signed as the CRM does it, with a head to which the batch leads.
RawMessage signed_feed(RawMessage message, const Signer& crm, const json& change = json::object()) {
  json payload = json::parse(message.payload);
  payload["head"] = {{"tenant", "demo"},
                     {"scope", "all"},
                     {"seq", payload["to_seq"]},
                     {"digest", std::string(32, 'd')},
                     {"at", to_rfc3339(kAt)}};
  payload.merge_patch(change);
  message.payload = sign_text(crm, payload.dump());
  return message;
}

FeedBatch batch_of(const RawMessage& message, const KeyRing* keys = nullptr) {
  auto decoded = decode_for_box(kBox, message, keys);
  EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().message);
  return std::get<FeedBatch>(*decoded);
}

// ---- both ways ----

TEST(Contract, StateAndHelloArriveAsTheyWereSent) {
  const auto state = at_crm<BoxState>(encode_state(kBox, {LinkState::stopped, 7, "0.1.0", kAt}));
  EXPECT_EQ(state.state, LinkState::stopped);
  EXPECT_EQ(state.session, 7U);
  EXPECT_EQ(state.at, kAt);
  EXPECT_EQ(state.key, "");
  const std::string key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
  EXPECT_EQ(at_crm<BoxState>(encode_state(kBox, {LinkState::online, 7, "0.1.0", kAt, key})).key,
            key);

  Hello hello{7, "0.1.0", {}};
  hello.have[Collection::consents] = {"e1", 12, std::string(32, 'a')};
  const auto back = at_crm<Hello>(encode_hello(kBox, hello));
  EXPECT_EQ(back.have, hello.have);
  EXPECT_EQ(back.control, 0U);
  EXPECT_FALSE(back.confirms);
  hello.control = 1'764'000'000'000;
  hello.confirms = true;
  EXPECT_EQ(at_crm<Hello>(encode_hello(kBox, hello)).control, hello.control);
  hello.region = "north";
  EXPECT_EQ(at_crm<Hello>(encode_hello(kBox, hello)).region, "north");
  EXPECT_TRUE(at_crm<Hello>(encode_hello(kBox, hello)).confirms);
  EXPECT_TRUE(encode_state(kBox, {}).retain);
}

TEST(Contract, TheWordOfTheAuditLogArrivesSignedAndOnlyOfTheBoxItself) {
  const Signer signer("box-1", {});
  KeyRing ring;
  ring.pin("box-1", signer.public_key());
  Hello hello{7, "0.1.0", {}};
  EXPECT_FALSE(at_crm<Hello>(encode_hello(kBox, hello, &signer)).audit);
  hello.audit = AuditWord{"q-1", 7, "run", 42, std::string(64, 'a'), std::string(64, 'b'), 3};
  const auto word = at_crm<Hello>(encode_hello(kBox, hello, &signer)).audit;
  ASSERT_TRUE(word);
  EXPECT_TRUE(ring.verify(word->text));
  EXPECT_EQ(word->asked, "q-1");
  EXPECT_EQ(word->run, "run");
  EXPECT_EQ(word->seq, 42U);
  EXPECT_EQ(word->hash, hello.audit->hash);
  EXPECT_EQ(word->before, hello.audit->before);
  EXPECT_EQ(word->since, 3U);
  auto moved = encode_hello({"demo", "aroma-1", "box-9"}, hello, &signer);
  moved.topic = hello_topic(kBox);
  EXPECT_FALSE(at_crm<Hello>(moved).audit) << "another box's";

  Taken taken;
  taken.region = {"north", kAt};
  taken.audit = {"q-1", 42};
  const auto message = encode_taken(kBox, taken);
  RawMessage raw;
  raw.topic = message.topic;
  raw.payload = message.payload;
  const auto there = std::get<Taken>(decode_for_box(kBox, raw).value());
  ASSERT_TRUE(there.region);
  EXPECT_EQ(there.region->name, "north");
  EXPECT_EQ(there.region->at, kAt);
  const auto& asked = there.audit;
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->ask, "q-1");
  EXPECT_EQ(asked->seq, 42U);
}

Taken at_box(const Message& message) {
  RawMessage raw;
  raw.topic = message.topic;
  raw.payload = message.payload;
  return std::get<Taken>(decode_for_box(kBox, raw).value());
}

TEST(Contract, WhatABoxIsToRunArrivesAndHowFarItIs) {
  Taken taken;
  const Taken::Release release{"1.4.0",     std::string(64, 'a'),
                               311'427'072, "https://my.aroma.example/v1/releases/a",
                               true,        false};
  taken.update = {1'777'882'530'250, kAt, release};
  const auto update = at_box(encode_taken(kBox, taken)).update.value();
  EXPECT_EQ(update.word, taken.update->word);
  EXPECT_EQ(update.at, kAt);
  ASSERT_TRUE(update.release);
  EXPECT_EQ(update.release->version, release.version);
  EXPECT_EQ(update.release->digest, release.digest);
  EXPECT_EQ(update.release->size, release.size);
  EXPECT_EQ(update.release->url, release.url);
  EXPECT_TRUE(update.release->at_once);
  EXPECT_FALSE(update.release->may_be_lower);
  taken.update->release.reset();
  EXPECT_FALSE(at_box(encode_taken(kBox, taken)).update.value().release);

  BoxState state{LinkState::online, 7, "0.1.0", kAt};
  EXPECT_FALSE(at_crm<BoxState>(encode_state(kBox, state)).update) << "an older box";
  state.update = {UpdateStep::back, "1.3.2", 1'777'882'530'250, "worse than before: radio"};
  EXPECT_EQ(at_crm<BoxState>(encode_state(kBox, state)).update, state.update);
  state.update = {UpdateStep::no_image, "", 0, ""};
  EXPECT_EQ(at_crm<BoxState>(encode_state(kBox, state)).update, state.update);
}

TEST(Contract, VersionsCompareByTheirNumbers) {
  EXPECT_LT(release_numbers("1.9.0").value(), release_numbers("1.10.0").value());
  EXPECT_LT(release_numbers("0.2.9").value(), release_numbers("1.0.0").value());
  for (const char* bad : {"", "1", "1.2", "1.2.", "1.2.3.4", "1.2.x", "-1.2.3", "1.2.99999999999"})
    EXPECT_FALSE(release_numbers(bad)) << bad;
}

// A broker that was broken into names nobody, and moves no answer to another box.
TEST(Contract, ALookupIsAnsweredByTheCrmAlone) {
  const auto asked = at_crm<Lookup>(encode_lookup(kBox, {MessageId("q-1"), CustomerId("c"), kAt}));
  EXPECT_EQ(asked.id, MessageId("q-1"));
  EXPECT_EQ(asked.customer, CustomerId("c"));
  const Found said{MessageId("q-1"), Found::Answer::known, "Paul", "https://my.example/"};
  const Signer signer("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  const auto heard = [&](const Message& message) {
    RawMessage raw;
    raw.topic = found_topic(kBox);
    raw.payload = message.payload;
    return decode_for_box(kBox, raw, &keys);
  };
  const auto good = heard(encode_found(kBox, said, kAt, &signer));
  ASSERT_TRUE(good);
  const auto& found = std::get<Found>(*good);
  EXPECT_EQ(found.id, said.id);
  EXPECT_EQ(found.answer, said.answer);
  EXPECT_EQ(found.name, said.name);
  EXPECT_EQ(found.page, said.page);
  EXPECT_FALSE(heard(encode_found(kBox, said, kAt)));
  EXPECT_FALSE(heard(encode_found({"demo", "aroma-1", "box-9"}, said, kAt, &signer)));
}

TEST(Contract, EveryEventArrivesAsItWasSent) {
  StaffAction preference;
  preference.visit = VisitId("v");
  preference.staff = StaffId("eva");
  preference.kind = StaffAction::Kind::preference;
  preference.preference_key = "drink";
  preference.preference_value = "tea";
  preference.verdict = StaffAction::Verdict::change;
  const std::vector<EventData> all{
      VisitNews{VisitEvent::Kind::started, VisitId("v"), Zone::door, Level::present, {}},
      VisitNews{VisitEvent::Kind::moved, VisitId("v"), Zone::desk, Level::present, {}},
      VisitNews{VisitEvent::Kind::confirmed, VisitId("v"), Zone::desk, Level::confirmed, {}},
      VisitNews{VisitEvent::Kind::ended, VisitId("v"), Zone::away, Level::near, 61},
      OfferNews{DecisionId("d"), VisitId("v"), CampaignId("k"), "a", "en", "T", "Text", "C", kAt},
      PromptNews{DecisionId("d"), VisitId("v")},
      SuppressedNews{DecisionId("d"), VisitId("v"), DecisionKind::prompt, {}, "paused"},
      SurveyNews{DecisionId("d"), VisitId("v"), "s", SurveyKind::ces, "en", "Easy?", kAt},
      StaffNews{preference},
      ConsentNews{Purpose::face_recognition, false, kAt, "desk", "r", ConsentNotice{"n", "1", "en"},
                  StaffId("eva"), Confirmation{Confirmation::By::witness, "", "", StaffId("ben")}},
      EnrolmentNews{TemplateId("t"), "model/1", 3, "eva"},
      ErasureReceipt{MessageId("cmd"), CustomerId("c"), {{"profiles", 1}}, kAt, true},
      SurveyAnswer{"s", DecisionId("d"), SurveyKind::nps, 9, "Kind."},
      ProfileWanted{},
      FeedRejected{Collection::profiles, "k", 4, "why", true},
      HealthNews{"radio", "degraded", "quiet", {{"restarts", 1}}},
      BoxRetired{kAt},
  };
  std::set<std::string> types;
  for (const EventData& data : all) {
    const EventMessage event{MessageId(new_uuid()), kAt, CustomerId("c-paul"), data, {}};
    const Message message = encode_event(kBox, event);
    SCOPED_TRACE(message.payload);
    const auto back = at_crm<EventMessage>(message);
    EXPECT_EQ(back.id, event.id);
    EXPECT_EQ(back.subject, event.subject);
    EXPECT_EQ(back.source, kBox);
    EXPECT_EQ(back.data.index(), data.index());
    // Encoded again it is the same text: nothing was lost on the way.
    EXPECT_EQ(encode_event(kBox, back).payload, message.payload);
    EXPECT_EQ(message.content_type, "application/cloudevents+json");
    types.insert(event_type(data));
    // And as it is written down: its type and its data.
    EXPECT_EQ(back.type, event_type(data));
    const auto read = decode_event_data(back.type, back.data_text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(encode_event(kBox, {event.id, kAt, event.subject, *read, {}}).payload,
              message.payload);
  }
  EXPECT_EQ(types.size(), all.size());
}

TEST(Contract, AnEventOfAnotherVersionOrKindIsNotGuessedAt) {
  for (const char* type : {"com.welcomed.visit.started.v2", "com.welcomed.visit.paused.v1",
                           "com.welcomed.weather.v1", "org.other.health.v1"}) {
    const auto read = decode_event_data(type, "{}");
    ASSERT_FALSE(read) << type;
    EXPECT_EQ(read.error().code, ErrorCode::not_found) << type;
  }
}

TEST(Contract, LanguagesAreTakenAsProgramsWriteThem) {
  const std::pair<const char*, const char*> all[] = {{"en", "en"},
                                                     {"de-CH", "de-CH"},
                                                     {"de_DE", "de-DE"},
                                                     {"de_DE.UTF-8", "de-DE"},
                                                     {"ca_ES@valencia", "ca-ES"},
                                                     {"zh-Hant-TW", "zh-Hant-TW"},
                                                     {"C", "und"},
                                                     {"", "und"},
                                                     {"en-", "und"},
                                                     {"Deutsch, bitte", "und"},
                                                     {"a-b-c-d-e-f", "und"},
                                                     {"verylonglanguage", "und"}};
  for (const auto& [said, kept] : all) EXPECT_EQ(language_tag(said), kept) << said;
}

TEST(Contract, ConsentOvertakesDecisionsAndDecisionsTheRest) {
  const auto priority = [](EventData data) {
    return encode_event(kBox, {MessageId("m"), kAt, {}, std::move(data), {}}).priority;
  };
  EXPECT_EQ(priority(ConsentNews{}), Priority::consent);
  EXPECT_EQ(priority(ErasureReceipt{}), Priority::consent);
  EXPECT_EQ(priority(OfferNews{}), Priority::decision);
  EXPECT_EQ(priority(VisitNews{}), Priority::event);
}

TEST(Contract, AnOfferThatNobodyCanUseAnyMoreExpires) {
  OfferNews offer;
  offer.expires_at = kAt + 10min;
  EXPECT_EQ(encode_event(kBox, {MessageId("m"), kAt, {}, offer, {}}).expires_at, kAt + 10min);
  EXPECT_FALSE(encode_event(kBox, {MessageId("m"), kAt, {}, VisitNews{}, {}}).expires_at);
}

TEST(Contract, WhatTheCoreSaysBecomesAnEvent) {
  VisitEvent ended;
  ended.kind = VisitEvent::Kind::ended;
  ended.started_at = kAt;
  ended.at = kAt + 90s;
  EXPECT_EQ(std::get<VisitNews>(news(ended)).dwell_s, 90);

  Decision decision;
  decision.kind = DecisionKind::offer;
  decision.campaign = CampaignId("k");
  EXPECT_TRUE(std::holds_alternative<OfferNews>(news(decision)));
  decision.reason = Reason::cap_campaign;
  EXPECT_EQ(std::get<SuppressedNews>(news(decision)).reason, to_string(Reason::cap_campaign));
  decision.reason = Reason::made;
  decision.kind = DecisionKind::prompt;
  EXPECT_TRUE(std::holds_alternative<PromptNews>(news(decision)));
}

TEST(Contract, CommandsControlAndAnswersArriveAsTheyWereSent) {
  Command command;
  command.id = MessageId("cmd-1");
  command.kind = Command::Kind::outcome;
  command.customer = CustomerId("c-paul");
  command.decision = DecisionId("d");
  command.outcome = Outcome::purchase;
  command.product = "espresso";
  command.value_hundredths = 350;
  command.at = kAt;
  const Message sent = encode_command(kBox, command);
  EXPECT_EQ(sent.response_topic, response_topic(kBox));
  const auto got = at_box<Command>(sent);
  EXPECT_EQ(got.kind, command.kind);
  EXPECT_EQ(got.outcome, Outcome::purchase);
  EXPECT_EQ(got.value_hundredths, 350);
  EXPECT_EQ(got.correlation, "cmd-1");

  Command back = command_of(Command::Kind::take_back, "c-paul");
  back.events = {MessageId("e-1"), MessageId("e-2")};
  back.reason = Command::Reason::code;
  const auto taken_back = at_box<Command>(encode_command(kBox, back));
  EXPECT_FALSE(taken_back.refused);
  EXPECT_EQ(taken_back.events, back.events);
  EXPECT_EQ(taken_back.reason, Command::Reason::code);

  const auto answer = at_crm<CommandResponse>(encode_command_response(
      kBox, got, {command.id, "box-1", false, "no such customer", R"({"rows":0})", kAt}));
  EXPECT_EQ(answer.command, command.id);
  EXPECT_FALSE(answer.ok);
  EXPECT_EQ(answer.result, R"({"rows":0})");

  const Control control{MessageId("ctl"), 3, "demo", "_all", Function::face, true, kAt};
  const Message retained = encode_control(control);
  EXPECT_TRUE(retained.retain);
  const auto paused = at_box<Control>(retained);
  EXPECT_EQ(paused.function, Function::face);
  EXPECT_EQ(paused.seq, 3U);
  EXPECT_TRUE(paused.paused);
}

TEST(Contract, AnAnswerExpires) {
  Command command;
  command.id = MessageId("cmd-1");
  const Message answer =
      encode_command_response(kBox, command, {command.id, "box-1", true, "", "", kAt});
  EXPECT_EQ(answer.expires_at, kAt + 1h);
}

TEST(Contract, ACommandThatCannotBeCarriedOutSaysWhyAndWhereItIsAnswered) {
  const auto command = [](const char* payload, const std::string& response_topic = "") {
    RawMessage raw;
    raw.topic = command_topic(kBox);
    raw.payload = payload;
    raw.response_topic = response_topic;
    raw.correlation = "c";
    return decode_for_box(kBox, raw);
  };
  const auto reboot = command(R"({"v":1,"id":"bad-1","kind":"reboot"})");
  ASSERT_TRUE(reboot);
  const auto& unknown = std::get<Command>(*reboot);
  EXPECT_EQ(unknown.id, MessageId("bad-1"));
  EXPECT_EQ(unknown.response_topic, response_topic(kBox));
  EXPECT_EQ(unknown.correlation, "c");
  ASSERT_TRUE(unknown.refused);
  EXPECT_EQ(unknown.refused->code, ErrorCode::malformed);
  EXPECT_EQ(unknown.refused->message.find("reboot"), std::string::npos)
      << "values are not repeated";

  EXPECT_TRUE(std::get<Command>(*command(R"({"v":1,"id":"e","kind":"erase"})")).refused);
  EXPECT_FALSE(command(R"({"v":1,"kind":"reboot"})")) << "nobody can be answered without an id";
  EXPECT_FALSE(command(R"({"v":1,"id":7,"kind":"erase"})"));
  EXPECT_FALSE(command("[]"));
  EXPECT_FALSE(command("{"));
}

TEST(Contract, ABoxAnswersOnItsOwnResponseTopicAlone) {
  const std::string own = response_topic(kBox);
  for (const std::string& topic : {own, own + "/crm-2", own + "/a/b"}) {
    EXPECT_TRUE(is_response_topic(kBox, topic)) << topic;
  }
  for (const std::string& topic :
       {std::string("#"), std::string("welcome/back"), own + "/+", own + "/#", own + "/", own + "s",
        std::string(), event_topic(kBox), state_topic(kBox), std::string("$SYS/x"),
        response_topic({"demo", "aroma-1", "box-2"}), own + "/" + std::string(700, 'x')}) {
    EXPECT_FALSE(is_response_topic(kBox, topic)) << topic;
    RawMessage raw;
    raw.topic = command_topic(kBox);
    raw.payload = R"({"v":1,"id":"d","kind":"diagnostics"})";
    raw.response_topic = topic;
    const auto decoded = decode_for_box(kBox, raw);
    ASSERT_TRUE(decoded) << topic;
    const auto& command = std::get<Command>(*decoded);
    EXPECT_EQ(command.response_topic, own) << topic;
    EXPECT_EQ(command.refused.has_value(), !topic.empty()) << topic;
  }
}

// The CRM sends an item that no message can carry without its value.
TEST(Contract, AnItemWithoutItsValueIsSetAside) {
  FeedBatch batch;
  batch.epoch = "e";
  batch.to_seq = 1;
  batch.items.push_back({1, false, "c-paul", "", {}, {}, ""});
  const auto got = at_box<FeedBatch>(encode_feed(kBox, batch));
  ASSERT_EQ(got.items.size(), 1U);
  EXPECT_THAT(got.items[0].error, HasSubstr("larger than"));
}

TEST(Contract, EnrolmentArrivesAsItWasSent) {
  EnrolMessage consent;
  consent.id = MessageId("e");
  consent.session = "s-1";
  consent.kind = EnrolMessage::Kind::consent;
  consent.tablet = "tablet-1";
  consent.sign_in = "in-1";
  consent.customer = CustomerId("c-paul");
  consent.purposes = {{"face_recognition", true}};
  consent.notice = ConsentNotice{"n", "3", "en"};
  consent.at = kAt;
  const auto back = at_box<EnrolMessage>(encode_enrol(consent));
  EXPECT_EQ(back.kind, EnrolMessage::Kind::consent);
  EXPECT_EQ(back.purposes, consent.purposes);
  EXPECT_EQ(back.tablet, "tablet-1");
  EXPECT_EQ(back.sign_in, "in-1");
  EXPECT_TRUE(back.staff.empty()) << "who it was the box looks up";
}

// A name in a message says nothing: what counts is the topic, and that the broker bound to an
// account.
TEST(Contract, ATabletDoesNotSpeakAsTheBox) {
  EnrolMessage done;
  done.id = MessageId("e");
  done.tablet = "tablet-1";
  done.session = "s-1";
  done.from_box = true;
  done.kind = EnrolMessage::Kind::done;
  done.at = kAt;
  const Message message = encode_enrol(done);
  EXPECT_EQ(message.topic, "welcome/v1/floor/to/tablet-1/enrol/s-1");
  RawMessage raw{enrol_topic("tablet-1", "s-1"), message.payload, false, {}, {}};
  EXPECT_FALSE(decode_for_box(kBox, raw));
}

TEST(Contract, ASessionArrivesAtTheOtherBoxesAsItWasSaid) {
  StaffSession session;
  session.tablet = "tablet-1";
  session.box = "box-2";
  session.sign_in = "in-1";
  session.state = StaffSession::State::over;
  session.why = StaffSession::Why::left;
  session.staff = StaffId("eva");
  session.name = "Eva";
  session.roles.add(Role::lead);
  session.since = session.ends_at = session.at = kAt;
  session.lock_after = std::chrono::seconds(600);
  const Message message = encode_session(session);
  EXPECT_TRUE(message.retain);
  RawMessage raw{message.topic, message.payload, true, {}, {}};
  const auto decoded = decode_for_box(kBox, raw);
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& back = std::get<StaffSession>(*decoded);
  EXPECT_EQ(back.tablet, "tablet-1");
  EXPECT_EQ(back.box, "box-2");
  EXPECT_EQ(back.state, StaffSession::State::over);
  EXPECT_EQ(back.why, StaffSession::Why::left);
  EXPECT_EQ(back.staff, StaffId("eva"));
  EXPECT_EQ(back.roles, session.roles);
  EXPECT_EQ(back.since, kAt);
}

TEST(Contract, WhatATabletIsToldFitsItsSchema) {
  TabletRefusal refusal;
  refusal.tablet = "tablet-1";
  refusal.re = "in-1";
  refusal.tries_left = 0;
  refusal.retry_after = std::chrono::seconds(120);
  refusal.at = kAt;
  const Message refused = encode_refusal(refusal);
  EXPECT_TRUE(validate("floor.refused", refused.payload));
  EXPECT_EQ(refused.topic, "welcome/v1/floor/to/tablet-1/refused");
  EXPECT_FALSE(refused.retain);

  FloorStaff said;
  said.box = "box-1";
  said.at = kAt;
  for (int i = 0; i < 600; ++i) {
    StaffMember member;
    member.id = StaffId("s-" + std::to_string(i));
    member.name = "Name";
    member.pin = "$argon2id$secret";
    said.staff.push_back(member);
  }
  const Message staff = encode_floor_staff(said);
  EXPECT_TRUE(validate("floor.staff", staff.payload));
  EXPECT_THAT(staff.payload, Not(HasSubstr("argon2id"))) << "a PIN's hash leaves no box";
}

TEST(Contract, WhatTheTabletGetsFitsItsSchema) {
  Prompt prompt;
  prompt.visit = VisitId("v");
  prompt.decision = DecisionId("d");
  prompt.by = {"phone", "face"};
  prompt.name = "Paul Moreau";
  prompt.preferences = {{"drink", "tea", "", "staff", 2, WallTime{5ms}}};
  prompt.suggest = {Suggestion::Kind::offer, "tea", 0};
  prompt.left_at = WallTime{9ms};
  const Message message = encode_prompt(prompt);
  EXPECT_EQ(message.link, LinkName::floor);
  EXPECT_TRUE(message.retain);
  EXPECT_TRUE(validate("floor.prompt", message.payload));
  const json said = json::parse(message.payload);
  EXPECT_TRUE(said["claimed_by"].is_null());
  EXPECT_EQ(said["suggest"]["kind"], "offer");
  EXPECT_EQ(said["preferences"][0]["confirmed"], 2);
  EXPECT_EQ(said["left_at"], "1970-01-01T00:00:00.009Z");

  const Message cleared = encode_prompt_cleared(prompt.visit, CustomerId("c"));
  EXPECT_EQ(cleared.topic, message.topic);
  EXPECT_TRUE(cleared.payload.empty());
  EXPECT_TRUE(cleared.retain);

  FloorStatus status{"aroma-1", "box-1", true,    2,  {Function::face}, {}, {Trouble::store},
                     false,     false,   "0.1.0", kAt};
  EXPECT_TRUE(validate("floor.status", encode_floor_status(status).payload));
  EXPECT_EQ(json::parse(encode_floor_status(status).payload)["told_all"], false);
  status.told_all = true;
  EXPECT_EQ(json::parse(encode_floor_status(status).payload)["told_all"], true);
}

TEST(Contract, RequestsOfAPageAreUnderstood) {
  const json set{{"v", 1},
                 {"id", "q"},
                 {"kind", "consent.set"},
                 {"purpose", "face_recognition"},
                 {"given", false}};
  const auto request = decode_door_request(set.dump());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, MessageId("q"));
  EXPECT_EQ(request->kind, DoorRequest::Kind::consent_set);
  EXPECT_EQ(request->purpose, Purpose::face_recognition);
  EXPECT_FALSE(request->given);
  // What a page asks for is answered at once (docs/openapi.yaml), and is no request.
  for (const char* kind : {"consents.get", "export", "forget"}) {
    EXPECT_FALSE(decode_door_request(json{{"v", 1}, {"id", "q"}, {"kind", kind}}.dump())) << kind;
  }
}

TEST(Contract, StaffActionsAreUnderstood) {
  const json note{{"v", 1},         {"id", "a"},      {"visit", "v-1"},        {"sign_in", "in-1"},
                  {"kind", "note"}, {"text", "tea?"}, {"at", to_rfc3339(kAt)}, {"staff", "boss"}};
  const auto decoded = decode_for_box(kBox, on(action_topic("tablet-1", "v-1"), note));
  ASSERT_TRUE(decoded);
  const auto& said = std::get<TabletAction>(*decoded);
  EXPECT_EQ(said.tablet, "tablet-1");
  EXPECT_EQ(said.sign_in, "in-1");
  const StaffAction& action = said.action;
  EXPECT_TRUE(action.staff.empty()) << "nobody is believed about himself";
  EXPECT_EQ(action.kind, StaffAction::Kind::note);
  EXPECT_EQ(action.text, "tea?");
  EXPECT_EQ(action.at, kAt);
}

// ---- what the box keeps out ----

TEST(Feed, APoisonedItemIsSetAsideAndTheOthersGoOn) {
  json bad = profile_value();
  bad["points"] = "many";
  const FeedBatch batch =
      batch_of(feed(Collection::profiles, {put(1, "c-paul", profile_value()), put(2, "c-x", bad),
                                           json{{"seq", 3}, {"op", "delete"}, {"key", "c-y"}}}));
  ASSERT_EQ(batch.items.size(), 3U);
  EXPECT_EQ(batch.items[0].error, "");
  EXPECT_EQ(batch.items[0].customer, CustomerId("c-paul"));
  EXPECT_EQ(std::get<Profile>(*batch.items[0].item).points, 1240);
  EXPECT_THAT(batch.items[1].error, HasSubstr("points"));
  EXPECT_THAT(batch.items[1].error, Not(HasSubstr("many")));
  EXPECT_EQ(batch.items[1].value, "");
  EXPECT_TRUE(batch.items[2].deleted);
}

TEST(Feed, UnknownMembersAreLeftOutOfWhatIsKept) {
  json value = profile_value();
  value["shoe_size"] = 43;
  value["preferences"] = json::array({{{"key", "drink"}, {"value", "tea"}, {"mood", "sad"}}});
  const FeedBatch batch = batch_of(feed(Collection::profiles, {put(1, "c-paul", value)}));
  EXPECT_THAT(batch.items[0].value, Not(HasSubstr("shoe_size")));
  EXPECT_THAT(batch.items[0].value, Not(HasSubstr("mood")));
  EXPECT_THAT(batch.items[0].value, HasSubstr("drink"));
}

TEST(Feed, AnItemUnderAnotherKeyOrTenantIsSetAside) {
  EXPECT_THAT(
      batch_of(feed(Collection::profiles, {put(1, "c-mia", profile_value())})).items[0].error,
      HasSubstr("key"));
  json foreign = consent_value();
  foreign["tenant"] = "other";
  EXPECT_THAT(batch_of(feed(Collection::consents, {put(1, "r-1", foreign)})).items[0].error,
              HasSubstr("tenant"));
}

TEST(Feed, WithPinnedKeysOnlySignedConsentCounts) {
  const Signer crm("k1", Signer::new_seed()), thief("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", crm.public_key());
  const auto error = [&](const json& value) {
    const auto message = signed_feed(feed(Collection::consents, {put(1, "r-1", value)}), crm);
    return batch_of(message, &keys).items[0].error;
  };
  EXPECT_EQ(error(json::parse(*crm.sign(consent_value().dump()))), "");
  EXPECT_EQ(error(consent_value()), "not signed");
  EXPECT_EQ(error(json::parse(*thief.sign(consent_value().dump()))), "the signature is wrong");
  json changed = json::parse(*crm.sign(consent_value().dump()));
  changed["purpose"] = "face_recognition";
  EXPECT_EQ(error(changed), "the signature is wrong");
  json added = json::parse(*crm.sign(consent_value().dump()));
  added["note"] = "not described by the schema, covered by the signature";
  EXPECT_EQ(error(added), "the signature is wrong");
}

TEST(Feed, WithPinnedKeysABatchIsWhatTheCrmSignedByteForByte) {
  const Signer crm("k1", Signer::new_seed()), thief("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", crm.public_key());
  const auto plain = feed(Collection::profiles, {put(1, "c-paul", profile_value())});
  const auto why = [&](RawMessage message) {
    const auto got = decode_for_box(kBox, message, &keys);
    return got ? "" : got.error().message;
  };
  const RawMessage good = signed_feed(plain, crm);
  const FeedBatch batch = batch_of(good, &keys);
  EXPECT_EQ(batch.items[0].error, "");
  ASSERT_TRUE(batch.head);
  EXPECT_EQ(batch.head->at, kAt);
  EXPECT_EQ(batch.digest, std::string(32, 'd')) << "where it ends the head's digest holds";
  EXPECT_FALSE(batch_of(good).head) << "nobody looked whether it was signed";

  EXPECT_EQ(why(plain), "feed: not signed");
  EXPECT_EQ(why(signed_feed(plain, thief)), "feed: the signature is wrong");
  EXPECT_EQ(why(signed_feed(plain, Signer("k2", Signer::new_seed()))),
            "feed: signed with a key that is not pinned");
  // Changed on its way, also where a reader of JSON would see no difference.
  const auto changed = [&](const std::string& from, const std::string& to) {
    RawMessage message = good;
    message.payload.replace(message.payload.find(from), from.size(), to);
    return why(message);
  };
  EXPECT_EQ(changed("Paul", "Saul"), "feed: the signature is wrong");
  EXPECT_EQ(changed("{", "{ "), "feed: the signature is wrong");
  EXPECT_EQ(changed(",\"sig\"", ",\"items\":[],\"sig\""), "feed: the signature is wrong");
  EXPECT_EQ(changed(",\"sig\":", ", \"sig\": "), "feed: not signed");
  RawMessage twice = good;
  twice.payload.insert(twice.payload.size() - 1,
                       good.payload.substr(good.payload.rfind(",\"sig\"")));
  EXPECT_NE(why(twice), "");
  for (const std::string& bad :
       {std::string(), std::string("}"), std::string(",\"sig\":{}"), std::string(",\"sig\":{}}"),
        std::string("{,\"sig\":{\"key\":1}}")}) {
    RawMessage message = good;
    message.payload = bad;
    EXPECT_NE(why(message), "") << bad;
  }
}

TEST(Feed, ASignedHeadIsOfThisTenantAndOfWhereTheBatchLeads) {
  const Signer crm("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", crm.public_key());
  const auto why = [&](const json& change) {
    const auto got = decode_for_box(
        kBox,
        signed_feed(feed(Collection::profiles, {put(1, "c-paul", profile_value())}), crm, change),
        &keys);
    return got ? "" : got.error().message;
  };
  EXPECT_EQ(why(json::object()), "");
  EXPECT_EQ(why({{"head", nullptr}}), "feed: signed without a head");
  EXPECT_EQ(why({{"head", {{"tenant", "other"}}}}), "feed: made for another tenant");
  EXPECT_EQ(why({{"head", {{"scope", "box-7"}}}}), "feed: made for another scope");
  EXPECT_EQ(why({{"head", {{"scope", "region/north"}}}}), "")
      << "the box knows whether it is its own";
  EXPECT_EQ(why({{"head", {{"scope", "region/north/7"}}}}), "feed: made for another scope");
  const auto campaigns = decode_for_box(
      kBox,
      signed_feed(feed(Collection::campaigns, {}), crm, {{"head", {{"scope", "region/north"}}}}),
      &keys);
  EXPECT_FALSE(campaigns) << "what is about nobody is for all";
  EXPECT_EQ(why({{"head", {{"scope", "store/aroma-1"}}}}), "feed: made for another scope")
      << "that is for staff";
  EXPECT_EQ(why({{"head", {{"seq", 8}}}}), "feed: the head is not where the batch leads");
  EXPECT_EQ(why({{"head", {{"seq", 10}}}}), "") << "another batch follows";
  EXPECT_EQ(why({{"digest", std::string(32, 'e')}}), "feed: the digest differs from the head's");
  const json snapshot{{"kind", "snapshot"},
                      {"part", 1},
                      {"parts", 1},
                      {"from_seq", nullptr},
                      {"digest", std::string(32, 'd')}};
  EXPECT_EQ(why(snapshot), "");
  json behind = snapshot;
  behind["head"] = {{"seq", 10}};
  EXPECT_EQ(why(behind), "feed: the head is not where the batch leads");
}

TEST(Feed, StaffAreThoseOfTheBoxesOwnStore) {
  const Signer crm("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", crm.public_key());
  const json anna = json::parse(example("item.staff"));
  const auto why = [&](const std::string& scope) {
    const auto got = decode_for_box(kBox,
                                    signed_feed(feed(Collection::staff, {put(1, "anna", anna)}),
                                                crm, {{"head", {{"scope", scope}}}}),
                                    &keys);
    return got ? std::get<FeedBatch>(*got).items.at(0).error : got.error().message;
  };
  EXPECT_EQ(why("store/aroma-1"), "");
  for (const char* other : {"all", "store/aroma-2", "region/aroma-1", "demo/aroma-1/box-1"}) {
    EXPECT_EQ(why(other), "feed: made for another scope") << other;
  }
}

TEST(Item, AMemberOfStaffHasRolesAndAPinThatABoxCanCheck) {
  json anna = json::parse(example("item.staff"));
  const auto read = decode_item(Collection::staff, anna.dump());
  ASSERT_TRUE(read) << read.error().message;
  const auto& member = std::get<StaffMember>(*read);
  EXPECT_EQ(member.id, StaffId("anna"));
  EXPECT_EQ(member.name, "Anna");
  EXPECT_TRUE(member.roles.has(Role::staff) && member.roles.has(Role::lead));
  EXPECT_FALSE(member.roles.has(Role::technician));
  EXPECT_EQ(member.pin, anna.at("pin").get<std::string>());
  const auto why = [&](const char* name, const json& value) {
    json other = anna;
    other[name] = value;
    const auto decoded = decode_item(Collection::staff, other.dump());
    return decoded ? "" : decoded.error().message;
  };
  const std::string rest = "$KHwqQt5LcLCB/dngdrH8DA$NKgKcCRP1vVK4BWIWgRL1Mge0oZGY8eyqCtmZMzEEyw";
  EXPECT_EQ(why("pin", "$argon2id$v=19$m=65536,t=16,p=1" + rest), "");
  for (const char* cost : {"m=65537,t=3", "m=16384,t=17"}) {
    EXPECT_EQ(why("pin", std::string("$argon2id$v=19$") + cost + ",p=1" + rest),
              "pin: a check would cost a box more than 64 MiB or 16 passes");
  }
  for (const char* other : {"4711", "$argon2i$v=19$m=16384,t=3,p=1", "$argon2id$v=19$m=0,t=3,p=1",
                            "$argon2id$v=19$m=16384,t=3,p=2", "$2b$12$"}) {
    EXPECT_NE(why("pin", other + rest), "") << other;
  }
  std::string long_id;
  for (int i = 0; i < 33; ++i) long_id += "ü";
  EXPECT_EQ(why("staff", long_id), "item.staff: staff: cannot be in a topic") << "66 bytes";
  EXPECT_NE(why("staff", "a+b"), "");
  EXPECT_NE(why("name", std::string(81, 'x')), "");
  EXPECT_NE(why("roles", json::array({"staff", "owner"})), "");
}

TEST(Feed, BatchesThatContradictThemselvesAreRefused) {
  const auto refused = [](json change) {
    json payload =
        json::parse(feed(Collection::profiles, {put(1, "c-paul", profile_value())}).payload);
    payload.merge_patch(change);
    return !decode_for_box(kBox, on(feed_topic(kBox, Collection::profiles), payload));
  };
  EXPECT_FALSE(refused(json::object()));
  EXPECT_TRUE(refused({{"from_seq", 10}}));
  EXPECT_TRUE(refused({{"from_seq", 1}}));  // its item is older than where it starts
  EXPECT_TRUE(refused({{"from_seq", nullptr}}));
  EXPECT_TRUE(refused({{"to_seq", 0}}));
  EXPECT_TRUE(refused({{"kind", "snapshot"}}));
  EXPECT_TRUE(refused({{"collection", "consents"}}));
  EXPECT_TRUE(refused({{"v", 2}}));
}

TEST(Feed, AnUnknownCollectionIsIgnored) {
  RawMessage message = feed(Collection::profiles, {});
  message.topic = "welcome/v1/demo/aroma-1/box-1/feed/weather";
  const auto decoded = decode_for_box(kBox, message);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::not_found);
}

TEST(Inbound, WhatIsNotForThisBoxIsRefused) {
  const Message other =
      encode_command({"demo", "aroma-1", "box-2"}, command_of(Command::Kind::diagnostics));
  EXPECT_FALSE(decode_for_box(kBox, raw(other)));
  const Control elsewhere{MessageId("c"), 1, "demo", "aroma-2", Function::all, true, kAt};
  EXPECT_FALSE(decode_for_box(kBox, raw(encode_control(elsewhere))));
  EXPECT_FALSE(decode_for_box(kBox, raw(encode_hello(kBox, {}))));
  // A signed message that was moved to another topic.
  Message moved = encode_control(elsewhere);
  moved.topic = control_topic("demo", kAllStores);
  EXPECT_FALSE(decode_for_box(kBox, raw(moved)));
}

TEST(Inbound, WithPinnedKeysCommandsAndControlMustBeSigned) {
  const Signer crm("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", crm.public_key());
  Command erase = command_of(Command::Kind::erase, "c-paul");
  erase.expires_at = kAt;
  EXPECT_FALSE(decode_for_box(kBox, raw(encode_command(kBox, erase)), &keys));
  const auto got = decode_for_box(kBox, raw(encode_command(kBox, erase, &crm)), &keys);
  ASSERT_TRUE(got);
  EXPECT_EQ(std::get<Command>(*got).expires_at, kAt);
  const Control pause{MessageId("c"), 1, "demo", "_all", Function::all, true, kAt};
  EXPECT_FALSE(decode_for_box(kBox, raw(encode_control(pause)), &keys));
  EXPECT_TRUE(decode_for_box(kBox, raw(encode_control(pause, &crm)), &keys));
  const Taken taken{{MessageId("e-1")}};
  EXPECT_FALSE(decode_for_box(kBox, raw(encode_taken(kBox, taken)), &keys));
  const auto read = decode_for_box(kBox, raw(encode_taken(kBox, taken, &crm)), &keys);
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<Taken>(*read).ids, taken.ids);
}

// What the CRM signed for one box, or for a while, is not good for another, or for ever.
TEST(Inbound, ASignedCommandIsForOneBoxAndHasAnEnd) {
  const Signer crm("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", crm.public_key());
  const auto why = [&](const BoxAddress& made_for, bool ends) {
    Command erase = command_of(Command::Kind::erase, "c-paul");
    if (ends) erase.expires_at = kAt;
    Message message = encode_command(made_for, erase, &crm);
    message.topic = command_topic(kBox);
    const auto got = decode_for_box(kBox, raw(message), &keys);
    return got ? "" : got.error().message;
  };
  EXPECT_EQ(why(kBox, true), "");
  EXPECT_EQ(why(kBox, false), "command: signed without an end");
  for (const BoxAddress& other : {BoxAddress{"other", "aroma-1", "box-1"},
                                  {"demo", "aroma-2", "box-1"},
                                  {"demo", "aroma-1", "box-2"}}) {
    EXPECT_EQ(why(other, true), "command: made for another box");
  }
  Command old = command_of(Command::Kind::erase, "c-paul");
  const auto stored = encode_command({"demo", "aroma-1", "box-2"}, old, &crm).payload;
  RawMessage sent;
  sent.topic = command_topic(kBox);
  sent.payload = sent_command(stored, kBox, kAt, &crm);
  EXPECT_TRUE(decode_for_box(kBox, sent, &keys)) << "whatever it was stored as";
}

TEST(Inbound, RetainedLeftoversAreRefusedExceptControl) {
  RawMessage command = raw(encode_command(kBox, command_of(Command::Kind::diagnostics)));
  command.retained = true;
  EXPECT_FALSE(decode_for_box(kBox, command));
  const Control pause{MessageId("c"), 1, "demo", "_all", Function::all, true, kAt};
  RawMessage control = raw(encode_control(pause));
  control.retained = true;
  EXPECT_TRUE(decode_for_box(kBox, control));
}

TEST(Inbound, ABoxSpeaksForItselfAlone) {
  Message event = encode_event({"demo", "aroma-1", "box-2"},
                               {MessageId("m"), kAt, {}, HealthNews{"a", "ok", "", {}}, {}});
  event.topic = event_topic(kBox);
  EXPECT_FALSE(decode_for_crm("demo", raw(event)));
  EXPECT_FALSE(decode_for_crm("other", raw(encode_hello(kBox, {}))));
}

TEST(Inbound, HostileBytesAreRefusedBeforeTheyAreParsed) {
  const auto error = [](std::string payload) {
    RawMessage message;
    message.topic = command_topic(kBox);
    message.payload = std::move(payload);
    const auto decoded = decode_for_box(kBox, message);
    return decoded ? std::string() : decoded.error().message;
  };
  EXPECT_THAT(error(std::string(kMaxPayload + 1, ' ')), HasSubstr("4 MiB"));
  EXPECT_THAT(error(std::string(100'000, '[')), HasSubstr("nested"));
  std::string members;
  for (int i = 0; i < 100'000; ++i) members += "{\"a\":";
  EXPECT_THAT(error(members), HasSubstr("nested"));
  EXPECT_THAT(error("{\"id\":\"\xC3\x28\"}"), HasSubstr("UTF-8"));
  EXPECT_THAT(error("{\"id\":\"\xED\xA0\x80\"}"), HasSubstr("UTF-8"));  // a surrogate
  EXPECT_THAT(error("{\"id\":\"\xC0\xAF\"}"), HasSubstr("UTF-8"));      // overlong
  EXPECT_THAT(error("{\"id\":"), HasSubstr("not JSON"));
  EXPECT_THAT(error(""), HasSubstr("not JSON"));
  EXPECT_THAT(error("null"), Not(HasSubstr("not JSON")));
  EXPECT_NE(error("[[1e999]]"), "");
}

TEST(Inbound, AnErrorNamesThePlaceAndNoValue) {
  const auto error = [](const json& value) {
    return decode_item(Collection::profiles, value.dump()).error().message;
  };
  json value = profile_value();
  value["preferences"] = json::array({{{"key", "secret-word"}, {"value", "x"}, {"confidence", 7}}});
  EXPECT_THAT(error(value), HasSubstr("preferences[0].confidence"));
  EXPECT_THAT(error(value), Not(HasSubstr("secret-word")));
  value = profile_value();
  value["name"] = json::array({"secret-word"});
  EXPECT_THAT(error(value), HasSubstr("name"));
  EXPECT_THAT(error(value), Not(HasSubstr("secret-word")));
  const json texts{
      {"campaign", "k"},
      {"name", "n"},
      {"trigger", {{"on", "enter"}}},
      {"variants", {{{"id", "a"}, {"title", {{"secret-word", 5}}}, {"text", {{"en", "t"}}}}}}};
  const auto campaign = decode_item(Collection::campaigns, texts.dump());
  ASSERT_FALSE(campaign);
  EXPECT_THAT(campaign.error().message, HasSubstr("title"));
  EXPECT_THAT(campaign.error().message, Not(HasSubstr("secret-word")));
}

// ---- items ----

TEST(Items, AnIdentityIsDecodedBitForBit) {
  const auto eid = decode_item(
      Collection::identities,
      R"({"identity":"i","customer":"c","kind":"eddystone_eid","key":"000102030405060708090A0b0c0d0e0f",
          "rotation_exponent":7,"clock_zero":"2026-01-01T00:00:00Z","measured_power_1m_dbm":-59})");
  ASSERT_TRUE(eid);
  const auto& item = std::get<IdentityItem>(*eid);
  const auto& key = std::get<RotatingKey>(item.key);
  EXPECT_EQ(key.key[10], 0x0A);
  EXPECT_EQ(key.key[15], 0x0F);
  EXPECT_EQ(key.rotation_exponent, 7);
  EXPECT_EQ(key.clock_zero, WallTime(sys_days{2026y / 1 / 1}));
  EXPECT_EQ(item.measured_power_1m_dbm, -59);

  const auto fob = decode_item(
      Collection::identities,
      R"({"identity":"i","customer":"c","kind":"ibeacon","uuid":"f7826da6-4fa2-4e98-8024-bc5b71e0893e","major":1,"minor":65535})");
  ASSERT_TRUE(fob);
  const auto& beacon = std::get<IbeaconId>(std::get<IdentityItem>(*fob).key);
  EXPECT_EQ(beacon.uuid[0], 0xF7);
  EXPECT_EQ(beacon.uuid[15], 0x3E);
  EXPECT_EQ(beacon.minor, 65535);
}

TEST(Items, AnIdentityThatNoDeviceHasToItselfIsRefused) {
  const auto refusal = [](json item) {
    item["identity"] = "i";
    item["customer"] = "c";
    const auto decoded = decode_item(Collection::identities, item.dump());
    return decoded ? "" : decoded.error().message;
  };
  const auto irk = [&](const char* key) { return refusal({{"kind", "irk"}, {"irk", key}}); };
  EXPECT_EQ(irk("c2a94d1087e35f6b0b7d9e4421a6f83c"), "");
  EXPECT_THAT(irk("00000000000000000000000000000000"), HasSubstr("irk"));
  EXPECT_THAT(irk("ffffffffffffffffffffffffffffffff"), HasSubstr("irk"));
  // The Bluetooth specification's, and the other way round.
  EXPECT_THAT(irk("ec0234a357c8ad05341010a60a397d9b"), HasSubstr("published"));
  EXPECT_THAT(irk("9b7d390aa610103405adc857a33402ec"), HasSubstr("published"));
  EXPECT_THAT(irk("4C68384139F574D836BCF34E9DFB01BF"), HasSubstr("published"));
  for (const char* kind : {"eddystone_eid", "rotating_uuid"}) {
    EXPECT_THAT(refusal({{"kind", kind},
                         {"key", std::string(32, '0')},
                         {"rotation_exponent", 7},
                         {"clock_zero", "2026-01-01T00:00:00Z"}}),
                HasSubstr("key"));
  }
  EXPECT_THAT(refusal({{"kind", "ibeacon"},
                       {"uuid", "00000000-0000-0000-0000-000000000000"},
                       {"major", 1},
                       {"minor", 2}}),
              HasSubstr("uuid"));
  EXPECT_THAT(refusal({{"kind", "altbeacon"}, {"id", std::string(40, '0')}}), HasSubstr("id"));
  EXPECT_THAT(refusal({{"kind", "eddystone_uid"},
                       {"namespace", std::string(20, 'f')},
                       {"instance", "000000000001"}}),
              HasSubstr("namespace"));
}

TEST(Items, TheSameDeviceIsTheSameWhoeverItIsSaidToBelongTo) {
  const auto device = [](json item, const char* customer) {
    item["identity"] = std::string("i-") + customer;
    item["customer"] = customer;
    return device_of(std::get<IdentityItem>(*decode_item(Collection::identities, item.dump())));
  };
  const json eid{{"kind", "eddystone_eid"},
                 {"key", "5b1e0f7a9c3d48264e80b1d2f3657a91"},
                 {"rotation_exponent", 7},
                 {"clock_zero", "2026-01-01T00:00:00Z"}};
  json uuid = eid;
  uuid["kind"] = "rotating_uuid";
  uuid["clock_zero"] = "2025-01-01T00:00:00Z";
  EXPECT_EQ(device(eid, "a"), device(uuid, "b"));
  const json irk{{"kind", "irk"}, {"irk", "c2a94d1087e35f6b0b7d9e4421a6f83c"}};
  const json turned{{"kind", "irk"}, {"irk", "3cf8a621449e7d0b6b5fe387104da9c2"}};
  EXPECT_EQ(device(irk, "a"), device(turned, "b"));
  json fob{{"kind", "ibeacon"},
           {"uuid", "f7826da6-4fa2-4e98-8024-bc5b71e0893e"},
           {"major", 1},
           {"minor", 2}};
  const std::string one = device(fob, "a");
  EXPECT_EQ(one, device(fob, "b"));
  fob["minor"] = 3;
  EXPECT_NE(one, device(fob, "a"));
}

TEST(Items, ACampaignIsDecodedWhole) {
  const json value = json::parse(R"({
    "campaign": "k", "name": "n", "priority": 5,
    "trigger": {"on": "dwell", "zone": "desk", "dwell_ms": 5000},
    "schedule": {"days": ["sat", "sun"], "hours": [["22:00", "02:30"]]},
    "audience": {"all": [{"field": "tier", "in": ["gold", "silver"]}],
                 "none": [{"field": "points", "at_least": 100.5}]},
    "cap": {"per_customer": 2, "per": "week"},
    "variants": [{"id": "a", "title": {"en": "T"}, "text": {"en": "X"}}],
    "expires_s": 60})");
  const auto decoded = decode_item(Collection::campaigns, value.dump());
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& campaign = std::get<Campaign>(*decoded);
  EXPECT_EQ(campaign.trigger.on, TriggerOn::dwell);
  EXPECT_EQ(campaign.trigger.dwell, 5s);
  EXPECT_EQ(campaign.schedule.days, (std::array<bool, 7>{0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(campaign.schedule.hours.at(0).to, 150min);
  EXPECT_EQ(campaign.audience.all.at(0).values, (std::vector<std::string>{"gold", "silver"}));
  EXPECT_EQ(campaign.audience.none.at(0).op, Condition::Op::at_least);
  EXPECT_DOUBLE_EQ(campaign.audience.none.at(0).number, 100.5);
  EXPECT_EQ(campaign.cap.per, Period::week);
  EXPECT_EQ(campaign.expires, 60s);
}

TEST(Items, ACampaignWithALimitThatNobodyKnowsIsSetAside) {
  const json good = json::parse(example("item.campaigns"));
  const auto verdict = [](const json& campaign) {
    const auto decoded = decode_item(Collection::campaigns, campaign.dump());
    return decoded ? "accepted" : decoded.error().message;
  };
  for (const char* part : {"audience", "schedule", "cap", "trigger"}) {
    json campaign = good;
    campaign[part]["only_on_full_moon"] = true;
    EXPECT_THAT(verdict(campaign), HasSubstr(std::string("/") + part + "/only_on_full_moon"));
  }
  json campaign = good;
  campaign["colour"] = "blue";
  EXPECT_EQ(verdict(campaign), "accepted") << "a newer CRM may say more";
  EXPECT_THAT(check_written(Collection::campaigns, campaign.dump()).error().message,
              HasSubstr("unknown member /colour"));
  EXPECT_TRUE(check_written(Collection::campaigns, good.dump()));
}

TEST(Items, WhatTheSchemasAllowTheRulesAllowToo) {
  const auto accepted = [](Collection collection, const json& item) {
    const auto decoded = decode_item(collection, item.dump());
    return decoded ? "accepted" : decoded.error().message;
  };
  json campaign = json::parse(example("item.campaigns"));
  campaign["campaign"] = std::string(128, 'k');
  campaign["cap"]["per_customer"] = 1000;
  campaign["budget"] = 9007199254740991;
  campaign["expires_s"] = 2592000;
  campaign["product"] = std::string(128, 'p');
  campaign["variants"] = {{{"id", std::string(64, 'v')},
                           {"weight", 1000000},
                           {"title", {{"en", std::string(1000, 't')}}},
                           {"text", {{"en", std::string(1000, 't')}}}}};
  EXPECT_EQ(accepted(Collection::campaigns, campaign), "accepted");

  json policy = json::parse(example("item.policy"));
  policy["caps"] = {{"per_customer_day", 1000000},
                    {"per_customer_week", 1000000},
                    {"min_gap_s", 31536000},
                    {"per_store_day", 100000000}};
  policy["consent_max_age_h"] = 8784;
  policy["fatigue"] = {{"after", 1000}, {"rest_days", 3650}};
  policy["surveys"] = json::array();
  for (int i = 0; i < 50; ++i) {
    policy["surveys"].push_back({{"id", std::string(126, 's') + std::to_string(10 + i)},
                                 {"kind", "ces"},
                                 {"question", {{"en", std::string(500, 'q')}}}});
  }
  policy["learn"]["segments"] = json::array();
  for (int i = 0; i < 200; ++i) policy["learn"]["segments"].push_back("s" + std::to_string(i));
  for (const char* level : {"present", "confirmed"}) {
    policy["prompt_min_level"] = level;
    EXPECT_EQ(accepted(Collection::policy, policy), "accepted");
  }
  policy["prompt_min_level"] = "near";
  EXPECT_NE(accepted(Collection::policy, policy), "accepted");
}

TEST(Items, APolicyIsDecodedAndItsDefaultsStay) {
  const auto decoded = decode_item(
      Collection::policy,
      R"({"time_zone":"Europe/Berlin","quiet_hours":{"from":"21:00","to":"08:00","mode":"hold"},
          "caps":{"per_customer_day":2,"min_gap_s":3600},"holidays":["2026-12-25"]})");
  ASSERT_TRUE(decoded) << decoded.error().message;
  const auto& policy = std::get<Policy>(*decoded);
  EXPECT_EQ(policy.quiet_hours->mode, QuietHours::Mode::hold);
  EXPECT_EQ(policy.quiet_hours->hours.from, 21h);
  EXPECT_EQ(policy.caps.per_customer_day, 2);
  EXPECT_FALSE(policy.caps.per_store_day);
  EXPECT_EQ(policy.caps.min_gap, 1h);
  EXPECT_EQ(policy.consent_max_age, Policy().consent_max_age);
  EXPECT_EQ(policy.holidays.size(), 1U);
}

TEST(Items, AConsentRecordKeepsItsHistory) {
  json value = consent_value();
  value["history"].push_back(
      {{"state", "withdrawn"}, {"at", to_rfc3339(kAt + 1h)}, {"how", "desk"}});
  const auto decoded = decode_item(Collection::consents, value.dump());
  ASSERT_TRUE(decoded);
  const auto& record = std::get<ConsentRecord>(*decoded);
  ASSERT_EQ(record.history.size(), 2U);
  EXPECT_EQ(record.history[1].how, "desk");
  EXPECT_FALSE(standing(record).given());
}

TEST(Items, AnOlderConsentRecordIsARepeatOfWhatWasSaidBefore) {
  ConsentRecord given, withdrawn, again;
  given.history = {{ConsentState::given, kAt, "app"}};
  withdrawn.history = {{ConsentState::given, kAt, "app"},
                       {ConsentState::withdrawn, kAt + 1h, "app"}};
  again.history = withdrawn.history;
  again.history.push_back({ConsentState::given, kAt + 2h, "app"});
  EXPECT_FALSE(replayed({}, given));
  EXPECT_FALSE(replayed(standing(given), given));
  EXPECT_FALSE(replayed(standing(given), withdrawn));
  EXPECT_TRUE(replayed(standing(withdrawn), given));
  EXPECT_TRUE(replayed(standing(again), withdrawn));
}

}  // namespace
}  // namespace welcome::contract
