// SPDX-License-Identifier: Apache-2.0
#pragma once
// The MQTT contract as code: every message of docs/protocol.md, in and out, for the box and for the
// CRM. Whatever comes in is limited in size and depth, checked for UTF-8 and validated against its
// JSON Schema (docs/schemas, built into the program) before anything looks at it.
//
// Pure functions; any thread. Errors: malformed (bytes, schema), refused (foreign topic,
// signature). The text of an error names the rule and the place in the message, never a value of
// it.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "contract/feed_head.h"
#include "contract/items.h"
#include "contract/manage.h"
#include "contract/message.h"
#include "contract/sign_in.h"
#include "contract/signing.h"
#include "contract/topics.h"
#include "core/claim.h"
#include "core/consent_gate.h"
#include "core/decision.h"
#include "core/erasure_receipt.h"
#include "core/ids.h"
#include "core/lights.h"
#include "core/pipeline.h"
#include "core/purpose.h"
#include "core/result.h"
#include "core/time.h"
#include "core/update_step.h"

namespace welcome::contract {

inline constexpr std::size_t kMaxPayload = 4 * 1024 * 1024;
inline constexpr int kMaxDepth = 32;
inline constexpr std::size_t kMaxItemsPerBatch = 5000;

// An MQTT message as it arrived.
struct RawMessage {
  std::string topic;
  std::string payload;
  bool retained = false;
  std::string response_topic;
  std::string correlation;
};

// ---- state and hello (box → CRM) ----

enum class LinkState : std::uint8_t { online, stopped, offline };

using welcome::Lamp;
using welcome::Light;
// What its technician sees with `welcomectl doctor`.
struct LightState {
  Light light = Light::clock;
  Lamp lamp = Lamp::off;
  std::string what;  // for a person; names nobody; at most kLightWords bytes
};
inline constexpr std::size_t kLightWords = 200;

using welcome::UpdateStep;
// How far the box is with what the CRM wants it to run (Taken::update).
struct UpdateState {
  UpdateStep step = UpdateStep::idle;
  std::string version{};   // of the image that runs; empty with `no_image`
  std::uint64_t word = 0;  // of the newest that it has heard; 0: none
  std::string why{};       // for a person; at most kLightWords bytes
  friend bool operator==(const UpdateState&, const UpdateState&) = default;
};

struct BoxState {
  LinkState state = LinkState::online;
  std::uint64_t session = 1;  // grows with every start of the daemon
  std::string version;
  WallTime at;
  std::string key{};  // online: the box's public key, base64; may be empty
  // Online: how it came to that key, oldest first: each signed by the key before (vouch_for()).
  std::vector<std::string> vouched{};
  std::vector<LightState> lights{};     // online; none: an older box, or one that has just begun
  std::optional<UpdateState> update{};  // online; nothing: an older box
};

// A box's key says which one comes after it: JSON, signed.
std::string vouch_for(const BoxAddress& box, const Ed25519Public& next, const Signer& former);
// An event as it was encoded; what it says with a signature is signed with this key instead.
std::string event_signed_again(const std::string& payload, const Signer& signer);
// Whether `text`, the data of box.retired, says it of this box, signed with its key. Errors:
// refused, malformed.
Result<void> check_retired(const BoxAddress& box, const std::string& text,
                           const Ed25519Public& key);
// The key that `trusted` leads to over statements about this box; `trusted` where none goes on
// from it.
Ed25519Public vouched_key(const BoxAddress& box, const Ed25519Public& trusted,
                          const std::vector<std::string>& statements);

// How far a box is in one collection. Digest: hex of XOR over live items of
// BLAKE2b-128(key '\0' seq), items that were set aside included.
struct Have {
  std::string epoch;
  std::uint64_t seq = 0;
  std::string digest = std::string(32, '0');
  friend bool operator==(const Have&, const Have&) = default;
};

// What a box answers when the CRM asks how its audit log goes on from an entry (Taken::audit). A
// store that was put back from a copy does not have that entry, or another one; or its session
// begins a second time. Signed by the box's key; nothing else of a hello is.
struct AuditWord {
  std::string asked;          // the question
  std::uint64_t session = 1;  // grows with every start
  std::string run;            // random: which start of this number
  std::uint64_t seq = 0;      // the newest entry that is on the disk; 0: there is none
  std::string hash{};         // of it, hex
  std::string before{};       // hash of the entry asked for; empty: the box does not have it
  std::uint64_t since = 1;    // the first entry that is kept: older ones are removed in time
  std::string text{};         // all of it as it was signed
};

struct Hello {
  std::uint64_t session = 1;
  std::string version;
  std::map<Collection, Have> have;  // without collections that were never received
  std::uint64_t control = 0;        // the newest control message that the box has; 0: none
  bool confirms = false;            // nothing is asked for: the box says that it has come this far
  std::optional<AuditWord> audit{};
  std::vector<std::string> keys{};  // ids of the CRM's keys that it believes
  std::string region{};             // that the CRM said it is in; empty: it never did
};

Message encode_state(const BoxAddress& box, const BoxState& state);
// `signer` signs what it says of the audit log.
Message encode_hello(const BoxAddress& box, const Hello& hello, const Signer* signer = nullptr);

// ---- feed (CRM → box) ----

struct FeedItem {
  std::uint64_t seq = 0;
  bool deleted = false;
  std::string key;
  std::string value;  // put: JSON text of the item, unknown fields left out; decode_item() reads it
  std::shared_ptr<const Item> item;  // put: the same, decoded
  CustomerId customer;               // put: whose item it is; empty where it is about nobody
  std::string error;                 // not empty: the item is set aside, and why
};

struct FeedBatch {
  Collection collection = Collection::profiles;
  std::string epoch;
  bool snapshot = false;
  std::uint64_t from_seq = 0;  // delta
  std::uint64_t to_seq = 0;
  std::uint32_t part = 1;  // snapshot
  std::uint32_t parts = 1;
  std::string digest;  // may be empty for a delta
  // As decoded: only of a batch whose signature was asked for, and is right.
  std::optional<FeedHead> head;
  std::vector<FeedItem> items;
};

// Items with an `error` are not sent. The values are taken as they are: validate_item() first. A
// put without a value is one that is too large to be sent: the receiver sets it aside. `signer`
// signs the batch as it is sent (signed_text.h).
Message encode_feed(const BoxAddress& box, const FeedBatch& batch, const Signer* signer = nullptr);

// ---- events (box → CRM) ----

// These events are in the CRM's ledger: the box need not keep them. Without ids: the CRM will say
// so of every event, from here on.
struct Taken {
  std::vector<MessageId> ids;
  // How does the audit log go on from this entry? A box says so in each hello from then on.
  struct AuditQuestion {
    std::string ask;  // random: an older answer is none
    std::uint64_t seq = 0;
  };
  std::optional<AuditQuestion> audit{};
  // The CRM's keys from now on, of which one has signed this: to be believed, and no others.
  struct Keys {
    KeyRing ring;
    WallTime at;  // an older word is none
  };
  std::optional<Keys> keys{};
  // In which region this box is: a batch that was made for another one is not for it.
  struct Region {
    std::string name;
    WallTime at;  // an older word is none
  };
  std::optional<Region> region{};
  // What an image is to run from now on. It says nothing unsigned, and nothing when it is older
  // than kUpdateWordLife.
  struct Release {
    std::string version;  // of three numbers
    std::string digest;   // SHA-256 of the file, hex
    std::uint64_t size = 0;
    std::string url;            // https
    bool at_once = false;       // not in the store's quiet hours alone
    bool may_be_lower = false;  // than the version that runs
  };
  struct Update {
    std::uint64_t word = 0;            // grows; a lower one than was heard is none
    WallTime at;                       // when it is sent
    std::optional<Release> release{};  // nothing: what is not installed yet is let be
  };
  std::optional<Update> update{};
};
inline constexpr std::chrono::hours kUpdateWordLife{24};
// "1.10.2" → numbers that compare as versions do. Errors: malformed.
Result<std::array<std::uint32_t, 3>> release_numbers(std::string_view version);
inline constexpr std::size_t kTakenAtOnce = 500;

Message encode_taken(const BoxAddress& box, const Taken& taken, const Signer* signer = nullptr);

struct VisitNews {
  VisitEvent::Kind kind = VisitEvent::Kind::started;
  VisitId visit;
  Zone zone = Zone::away;
  Level level = Level::near;
  std::optional<std::int64_t> dwell_s;
};

struct OfferNews {
  DecisionId decision;
  VisitId visit;
  CampaignId campaign;
  std::string variant;
  std::string language;
  std::string title;
  std::string text;
  std::string code;  // may be empty
  WallTime expires_at;
};

struct PromptNews {
  DecisionId decision;
  VisitId visit;
};

struct SuppressedNews {
  DecisionId decision;
  VisitId visit;
  DecisionKind kind = DecisionKind::offer;
  CampaignId campaign;  // may be empty
  std::string reason;   // the word of core's Reason: "cap_customer_day"
};

struct SurveyNews {
  DecisionId decision;
  VisitId visit;
  std::string survey;
  SurveyKind kind = SurveyKind::nps;
  std::string language;
  std::string question;
  WallTime expires_at;
};

struct StaffNews {
  StaffAction action;
};

// How a grant at the desk is confirmed as hers; without one she is asked on her phone.
struct Confirmation {
  enum class By : std::uint8_t {
    phone,    // she is asked on her page
    code,     // a code of six digits that she had from her page, or from head office
    witness,  // another member of staff saw it, where the policy allows it
  };
  By by = By::phone;
  std::string pending{};  // phone: what the grants of one pledge have in common
  std::string code{};     // code
  StaffId witness{};      // witness
  friend bool operator==(const Confirmation&, const Confirmation&) = default;
};

// The word of the contract: "witness".
std::string_view to_string(Confirmation::By by);

struct ConsentNews {
  Purpose purpose = Purpose::proximity_offers;
  bool given = false;
  WallTime at;
  std::string how = "desk";  // "app", "desk", "crm"
  std::string record_id;     // may be empty: a new record
  std::optional<ConsentNotice> notice;
  StaffId staff{};  // who entered it at the desk, as the box knows them; may be empty
  std::optional<Confirmation> confirm{};
};

struct EnrolmentNews {
  TemplateId face_template;
  std::string model;
  int views = 1;
  std::string staff;
};

struct SurveyAnswer {
  std::string survey;
  DecisionId decision;  // may be empty
  SurveyKind kind = SurveyKind::nps;
  int score = 0;
  std::string text;
};

// Somebody is here whose profile the box has only while they come: it asks for it, or says that it
// is still needed.
struct ProfileWanted {};

struct FeedRejected {
  Collection collection = Collection::profiles;
  std::string key;
  std::uint64_t seq = 0;
  std::string reason;
  bool over = false;  // what was said of this item before does not hold any more
};

struct HealthNews {
  std::string part;   // "radio", "camera", "store", "clock", "sync"
  std::string state;  // "ok", "degraded", "failed"
  std::string text;
  std::map<std::string, std::int64_t> counters;
};

// The box is retired: it destroys all that it holds, and then the key that signs this. The CRM says
// `taken` when it counts, and not before.
struct BoxRetired {
  WallTime at;
};

using EventData = std::variant<VisitNews, OfferNews, PromptNews, SuppressedNews, SurveyNews,
                               StaffNews, ConsentNews, EnrolmentNews, ErasureReceipt, SurveyAnswer,
                               ProfileWanted, FeedRejected, HealthNews, BoxRetired>;

struct EventMessage {
  MessageId id;  // new_uuid()
  WallTime time;
  CustomerId subject;  // empty: about the box
  EventData data;
  BoxAddress source;  // set by decode; encode takes it from its argument
  // Set by decode, for who writes events down: the CloudEvents type, and the data as it came
  // (JSON). decode_event_data() reads them again.
  std::string type{};
  std::string data_text{};
};

// What the core says, as data of an event. Whether it may be reported (`report`) is for the caller.
EventData news(const VisitEvent& event);
EventData news(const Decision& decision);
EventData news(const StaffOutcome& outcome);

// The CloudEvents type: "com.welcomed.visit.started.v1".
std::string event_type(const EventData& data);

// The other way round. Errors: not_found (a type this version does not know), malformed.
Result<EventData> decode_event_data(std::string_view type, std::string_view data);

// Priority: consent changes and receipts first, decisions next, the rest after them. `signer`,
// where given, signs what a box proves: a receipt, a consent, that it is retired.
Message encode_event(const BoxAddress& box, const EventMessage& event,
                     const Signer* signer = nullptr);

// ---- who is a member (box → CRM, and back) ----

// Somebody at the desk says this number of theirs, and wants to agree to something.
struct Lookup {
  MessageId id;  // new_uuid(): the answer repeats it
  CustomerId customer;
  WallTime at;
};

struct Found {
  enum class Answer : std::uint8_t { known, unknown, too_often };
  MessageId id;  // of the question
  Answer answer = Answer::unknown;
  std::string name{};  // known: to be checked with whoever stands there
  std::string page{};  // where customers confirm; may be empty
};

// Worth nothing a little later: the messages expire.
inline constexpr std::chrono::seconds kLookupLife{15};
Message encode_lookup(const BoxAddress& box, const Lookup& lookup);
Message encode_found(const BoxAddress& box, const Found& found, WallTime at,
                     const Signer* signer = nullptr);

// ---- commands and control (CRM → box) ----

struct Command {
  enum class Kind : std::uint8_t {
    erase,
    export_data,
    diagnostics,
    presence,  // a phone heard the box
    outcome,   // what came of an offer, or a purchase or complaint
    offered,   // another box of the store sent this offer: caps are per customer
    config,
    take_back,  // what the desk wrote down was not confirmed: it never counted
  };
  // take_back: why.
  enum class Reason : std::uint8_t {
    refused,  // she said no, or the CRM does not believe it
    expired,  // she did not answer in time
    code,     // the code is wrong, used, or over
    witness,  // the policy allows none, or it is not somebody else of this store's staff
    unknown,  // the CRM has no such customer
  };
  MessageId id;
  Kind kind = Kind::diagnostics;
  CustomerId customer;                   // all but diagnostics and config
  std::string eid;                       // presence: the box's rotating EID, 16 hex digits
  std::optional<WallTime> at;            // when it happened; erase: no grant up to then counts
  std::optional<WallTime> expires_at{};  // not carried out later; a signed one has it
  DecisionId decision;                   // outcome (may be empty), offered
  CampaignId campaign;                   // offered
  std::string variant;                   // offered
  Outcome outcome = Outcome::opened;
  std::string product;                          // outcome: purchase
  std::int64_t value_hundredths = 0;            // outcome: purchase; cents, pence …
  std::map<std::string, std::string> settings;  // config
  std::vector<MessageId> events{};              // take_back: of the consent.changed events
  Reason reason = Reason::refused;              // take_back
  // To be sent: from the MQTT 5 properties, empty for response_topic(box). As decoded: where to
  // answer, always the box's own response topic or one below it.
  std::string response_topic;
  std::string correlation;
  // As decoded: it is not to be carried out, and why. Whoever sent it gets that for an answer.
  std::optional<Error> refused{};
};

struct CommandResponse {
  MessageId command;
  std::string box;
  bool ok = true;
  std::string error;
  std::string result;  // JSON text of an object, or empty
  WallTime at;
};

struct Control {
  MessageId id;
  std::uint64_t seq = 0;  // grows over all control messages of a tenant
  std::string tenant;
  std::string store;  // or kAllStores
  Function function = Function::all;
  bool paused = true;
  WallTime at;
};

Message encode_command(const BoxAddress& box, const Command& command,
                       const Signer* signer = nullptr);
// A signed command is good for so long, and then signed again.
inline constexpr std::chrono::hours kCommandLife{1};

// The payload of a command as it is sent now: for this box, with an end and a signature of its own.
std::string sent_command(std::string_view payload, const BoxAddress& box, WallTime expires_at,
                         const Signer* signer);
// Goes to command.response_topic, and expires: whoever has not had it asks again.
Message encode_command_response(const BoxAddress& box, const Command& command,
                                const CommandResponse& response);
Message encode_control(const Control& control, const Signer* signer = nullptr);

// ---- floor (box ↔ tablets, box ↔ box) ----

// Why nobody, or nobody new, is greeted though all runs.
enum class Trouble : std::uint8_t { crm_silent, clock_not_set, store, radio, camera };

struct FloorStatus {
  std::string store;
  std::string box;
  bool link_up = false;
  int in_store = 0;
  std::vector<Function> paused;
  std::vector<Function> paused_here;  // of these, in the shop
  std::vector<Trouble> trouble;
  bool told_all = false;  // of the prompts, since the broker is there
  bool rehearsal = false;
  std::string version;
  WallTime at;
};

// What somebody did on a tablet; who, the box looks up (sign_in.h).
struct TabletAction {
  std::string tablet;
  std::string sign_in;
  StaffAction action;  // without `staff`
};

struct EnrolMessage {
  enum class Kind : std::uint8_t {
    lookup,
    start,
    consent,
    stop,
    member,
    confirmation,
    guide,
    done,
    failed
  };
  enum class Known : std::uint8_t {
    yes,
    no,
    unchecked,  // the CRM does not answer, and the box has not heard of them
    too_often,  // the CRM answers no more of these for a while
  };
  // Whether what was agreed to is confirmed as theirs, or why it was taken back.
  enum class Confirmed : std::uint8_t { waiting, yes, refused, expired, code, witness, unknown };
  MessageId id;
  std::string tablet;   // to or from which
  std::string session;  // of the enrolment
  bool from_box = false;
  Kind kind = Kind::start;
  std::string sign_in;  // lookup, start, consent
  StaffId staff;        // of these: the box looks it up
  CustomerId customer;
  std::map<std::string, bool> purposes;      // consent
  std::optional<ConsentNotice> notice;       // consent
  std::optional<Confirmation> confirm{};     // consent: how they confirm it; on their phone, else
  std::string pin{};                         // consent: the witness's; never logged, never stored
  Confirmed confirmed = Confirmed::waiting;  // confirmation
  Known known = Known::unchecked;            // member: whether there is such a one
  std::string name;                          // member: to be checked with whoever stands there
  std::string page;                          // member: where they confirm; may be empty
  std::string hint;                          // guide: "closer", "turn_left", …
  int views = 0;
  int views_needed = 0;
  std::string reason;  // failed: a sentence, and
  std::string cause;   // a word, where there is one: "too_far", …
  WallTime at;
};

// What a box tells the other boxes of its store, kept by the floor broker; without an offer: it is
// taken back.
struct StoreWord {
  DecisionId decision;
  std::string box;
  bool kept = false;  // an old word, told after a connect
  std::optional<StoreOffer> offer;
};

Message encode_store_word(const StoreWord& word);

// What a box tells the other boxes of its store, a few times a second: whom it hears, and how well.
// Customers stand there under ids that change every day and that only boxes of the store can make.
// Times are ages at the moment of sending: no clock of another box matters.
struct FloorRanging {
  struct Heard {
    std::string who;
    std::optional<std::int64_t> heard_ago_ms;  // by this box; nothing: too long ago
    double fast_db = 0.0;                      // with heard_ago_ms only
    double settled_db = 0.0;
    ClaimSource source = ClaimSource::static_beacon;
    std::string fob, device;  // an identity that never changes, and who sent it; both or neither
    bool leads = false;
    std::string visit;  // of who leads: its visit, readable with the store's key; may be empty
    Zone fast = Zone::street;
    Zone settled = Zone::street;
  };
  std::string store;
  std::string box;
  std::uint64_t session = 1;
  std::uint64_t seq = 0;
  std::string day;  // of the ids, in UTC: "2026-05-04"
  Zone zone = Zone::inside;
  bool gone = false;  // the box stops, or the broker lost it
  std::vector<Heard> heard;
};

Message encode_ranging(const FloorRanging& ranging);
Message encode_prompt(const Prompt& prompt);
Message encode_prompt_cleared(const VisitId& visit, const CustomerId& customer);
Message encode_floor_status(const FloorStatus& status);
Message encode_enrol(const EnrolMessage& message);

// ---- the customer's page (docs/openapi.yaml) ----

// What a page asks for over HTTPS, as the CRM writes it down (docs/schemas/door.request.json). Who
// asks says the session, nothing in it.
struct DoorRequest {
  enum class Kind : std::uint8_t {
    consent_set,
    offer_opened,
    offer_redeemed,
    offer_dismissed,
    complaint,
    survey_answer,
    met_set,
    details_set,
  };
  // Of their profile: nothing stays as it is, empty goes.
  struct Details {
    std::optional<std::string> greeting, pronunciation, language;
    std::vector<std::pair<std::string, std::string>> preferences;  // key and value
  };
  MessageId id;
  Kind kind = Kind::consent_set;
  std::optional<Purpose> purpose;  // consent_set
  bool given = false;
  std::optional<ConsentNotice> notice;
  DecisionId decision;
  std::string survey;
  SurveyKind survey_kind = SurveyKind::nps;
  int score = 0;
  std::string text;
  std::optional<Met> met;      // met_set; nothing: not today
  Details details;             // details_set
  std::optional<WallTime> at;  // when it was tapped; a page without a line sends it later
};

// The word of the schema: "consent.set".
std::string_view to_string(DoorRequest::Kind kind);

Result<DoorRequest> decode_door_request(std::string_view text);

// ---- what comes in ----

using BoxInbound =
    std::variant<FeedBatch, Taken, Found, Command, Control, TabletAction, EnrolMessage, SignIn,
                 Manage, StaffSession, StoreWord, FloorRanging>;

// For the box `self`. A topic that is not meant for it is refused. With `keys` (the box is
// provisioned with the CRM's keys), batches of the feed, consent records, control messages,
// commands and what was taken must be signed, and made for this box: an unsigned or wrongly signed
// record is set aside, anything else is refused. A command of a kind or form that is unknown here,
// or that wants its answer at a place that is not the box's own, comes out with `refused` set, as
// long as it has an id that can be answered. Retained feed, taken, command, enrolment, action and
// ranging messages are refused: they are leftovers of somebody's mistake.
Result<BoxInbound> decode_for_box(const BoxAddress& self, const RawMessage& raw,
                                  const KeyRing* keys = nullptr);

using CrmInbound = std::variant<BoxState, Hello, EventMessage, Lookup, CommandResponse>;

struct FromBox {
  BoxAddress box;
  CrmInbound message;
};

Result<FromBox> decode_for_crm(std::string_view tenant, const RawMessage& raw);

// A language as people's programs write it ("de_DE.UTF-8") as a BCP 47 tag ("de-DE"); "und" when it
// is none: a consent is not lost for the name of a language.
std::string language_tag(std::string_view text);

// Checks any text against a schema by its file name without ".json": "floor.prompt",
// "item.consents".
Result<void> validate(std::string_view schema, std::string_view json);

}  // namespace welcome::contract
