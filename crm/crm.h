// SPDX-License-Identifier: Apache-2.0
#pragma once
// The CRM's records and the rules over them: customers, consents, identities, campaigns, policy,
// what happened, and who must be forgotten. Everything that a box should know goes through the
// Feed, so that a change here is a change there.
//
// A box hears of a customer (profile, identities) only while they have given at least one purpose
// that has not ended.
//
// Every call that changes something runs inside the caller's Transaction. One thread. Personal
// data passes through here: nothing of it is logged.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "contract/signing.h"
#include "core/consent.h"
#include "core/consent_gate.h"
#include "core/profile.h"
#include "core/purpose.h"
#include "core/result.h"
#include "core/store_clock.h"
#include "core/time.h"
#include "crm/database.h"
#include "crm/feed.h"
#include "crm/signing_keys.h"

namespace welcome::crm {

using nlohmann::json;

// Set once by `init`; every consent record says them.
struct Settings {
  std::string tenant;
  std::string controller;
  std::string jurisdiction = "EU";
  std::string storage_location = "box";
  std::int64_t retention_days = 365;
  ConsentNotice notice{"notice", "1", "en"};
};

struct ConsentChange {
  std::string customer;
  Purpose purpose = Purpose::proximity_offers;
  bool given = false;
  std::optional<WallTime> at;  // when it was said; nothing: nobody knows
  std::string how;             // "app", "desk", "crm"
  std::optional<ConsentNotice> notice;
  std::optional<WallTime> expires_at;
  bool ageing = false;  // a grant of face_recognition: templates may follow their looks
  bool by_box = false;  // a box waits until the record has this step
};

// What staff learnt about a preference.
struct PreferenceNews {
  std::string key;
  std::string value;
  bool change = false;  // false: staff confirmed what was there
};

// An offer or a question for the customer's page, which shows it until it is over (crm/page.cpp).
struct PageMessage {
  enum class Kind : std::uint8_t { offer, survey };
  MessageId id;
  Kind kind = Kind::offer;
  DecisionId decision;
  std::string title, text, code;  // offer; the code may be empty
  std::string survey;             // survey, and its kind and question
  SurveyKind survey_kind = SurveyKind::nps;
  std::string question;
  WallTime at, expires_at;
};

struct ErasureBox {
  std::string store, box;
  std::optional<std::string> done_at;
  std::string refused;  // why its receipt does not count; empty: none came, or it counts
  std::optional<std::string> revoked_at;  // it was taken out: nobody waits for it
};

// The key with which a box signs. The first that it says, or one that an operator gave, is trusted;
// another one later is `other` until an operator trusts it.
struct PinnedKey {
  contract::Ed25519Public key{};
  std::string trusted_at;
  std::optional<contract::Ed25519Public> other;
  std::string other_at;
  std::optional<contract::Ed25519Public> former;  // that vouched for `key`
  std::string former_until;  // what it signed counts: messages overtake each other
};

struct Erasure {
  std::string id;
  std::string asked_at;
  std::optional<std::string> done_at;
  std::vector<ErasureBox> boxes;
};

class Crm {
 public:
  // Throws DatabaseError when the database was not initialised. Without `keys` nothing is signed.
  explicit Crm(Database& db, SigningKeys keys = {});
  static void init(Database& db, const Settings& settings);

  const Settings& settings() const { return settings_; }
  Feed& feed() { return feed_; }
  Database& database() { return db_; }

  // Records. The value is the item of docs/schemas (item.profiles, item.identities, …).
  // Errors: malformed (schema), refused (the customer was erased), not_found (no such customer).
  Result<void> put_customer(const json& profile, const std::string& app_id, WallTime now);
  // What put_customer() would say. `app_id` may be empty: the one they have, or a random one.
  Result<void> check_customer(const json& profile, const std::string& app_id);
  // Refused as well: a device that is another customer's already.
  Result<void> put_identity(const json& identity);
  Result<void> check_identity(const json& identity);  // but for whose it is
  // Refused: the device is another customer's, by another identity.
  Result<void> check_device(const json& identity);
  // Another secret key (32 hexadecimal digits) of a device that has one. Errors: not_found,
  // refused (its kind has none, it is the old one), as of put_identity().
  Result<void> set_device_key(const std::string& identity, const std::string& key);
  // A device with a new battery: its clock said 0 then. Returns the identity as it is now. Errors:
  // not_found, refused (its kind has no clock).
  Result<json> set_clock(const std::string& identity, WallTime began);
  Result<void> put_campaign(const json& campaign);
  Result<void> remove_campaign(const std::string& campaign);
  Result<void> put_policy(const json& policy);
  // Nothing runs without a policy: caps and quiet hours on the safe side. False: there is one.
  bool put_safe_policy(const std::string& time_zone);

  // NORTH,SOUTH, or all (docs/decisions/0142). Errors: malformed, not_found (no store is in it).
  Result<Home> home_from(std::string_view regions);
  // Where they are at home: what is about them goes to the boxes there. Error: not_found.
  Result<void> set_home(const std::string& customer, const Home& home);

  // In order of their ids, a page at a time.
  struct Line {
    std::string customer, app_id;
    PurposeSet given;
  };
  std::vector<Line> customers_after(const std::string& customer, std::size_t at_most, WallTime now);
  std::optional<json> profile(const std::string& customer);
  std::optional<std::string> app_of(const std::string& customer);
  std::optional<std::string> customer_of(const std::string& app_id);

  // Adds to the history of the record of this purpose, and makes the record when there is none.
  // Returns the record as it is now. `now`: when it came here (docs/decisions/0110).
  //  - Nothing counts later than it came. What is said again adds no step.
  //  - A withdrawal always passes, and wins over every grant that came before it.
  //  - A grant that is older than a withdrawal, or has no time, brings nobody back.
  Result<json> set_consent(const ConsentChange& change, WallTime now);
  std::vector<json> consents(const std::string& customer);
  // Of a code that they have for the desk; nobody else makes it.
  std::string hash_of_code(const std::string& customer, const std::string& digits) const;
  // Those that opted out: the newest word about the purpose was a withdrawal.
  bool opted_out(const std::string& customer, Purpose purpose);
  PurposeSet given(const std::string& customer, WallTime now);

  // Whose last consent has ended is not told to boxes any more. At most `at_most` at a time; true:
  // there may be more.
  bool let_consents_end(WallTime now, int at_most);
  // Who it was is taken out of events, offers, answers and requests that are older than the records
  // say (`retention_days`). As above.
  bool forget_the_old(WallTime now, int at_most);

  // What staff learnt. Older news never replaces newer.
  Result<void> note_conversation(const std::string& customer, const std::string& text, WallTime at);
  Result<void> note_preference(const std::string& customer, const PreferenceNews& change,
                               WallTime at);

  // How they wish to be met; nothing: not today, said at `at`. Error: not_found.
  Result<void> set_met(const std::string& customer, std::optional<Met> met, WallTime at);
  // The end of that day in the store, while it is not over.
  std::optional<WallTime> not_today_until(const std::string& customer, WallTime now);

  // What they say of themselves. Errors: not_found, malformed.
  Result<void> set_details(const std::string& customer,
                           const contract::DoorRequest::Details& details, WallTime at);

  // Everything that is held on a customer (docs/schemas/export.customer.json).
  Result<json> export_customer(const std::string& customer, WallTime now);

  // Erases the customer here and starts the erasure on every box known. Returns the erasure's id.
  Result<std::string> forget(const std::string& customer, WallTime now);
  bool was_erased(const std::string& customer);
  std::optional<Erasure> erasure(const std::string& id_or_customer);
  // Whoever has it may ask how far this erasure is, and learns nothing else. It is kept as a hash.
  std::string new_erasure_token(const std::string& erasure);
  std::optional<Erasure> erasure_of_token(const std::string& token);
  // A box's receipt (data of erasure.receipt, without the customer) counts when the box's trusted
  // key signed it and it says that the bytes are gone. Errors: refused, and `erasure status` says
  // why.
  Result<void> take_receipt(const std::string& store, const std::string& box,
                            const std::string& receipt, WallTime now);
  // After the commit of an erasure, and again until true: its bytes are unreadable in our files.
  bool scrub_what_was_erased();
  void erasure_done(const std::string& erasure, const std::string& store, const std::string& box,
                    const std::string& receipt, WallTime now);
  // If nobody waits for a box any more.
  void finish_erasure(const std::string& erasure, WallTime now);

  std::optional<PinnedKey> box_key(const std::string& store, const std::string& box);
  // A box says its key. False: it is not the trusted one.
  bool box_says_key(const std::string& store, const std::string& box,
                    const contract::Ed25519Public& key, WallTime now);
  // The box has another key, for which the trusted one vouches (contract::vouched_key()): it is
  // trusted from now on. False: it does not.
  bool hand_over(const std::string& store, const std::string& box,
                 const contract::Ed25519Public& key, const std::vector<std::string>& vouched,
                 WallTime now);
  // Whether the trusted key of this box signed the text (JSON with `sig`).
  bool signed_by_box(const std::string& store, const std::string& box, const std::string& text,
                     WallTime now);
  // An operator trusts `key`, or the other one that the box says. Receipts that were refused are
  // looked at again. Errors: not_found (the box never said a key).
  Result<void> trust_box(const std::string& store, const std::string& box,
                         const std::optional<contract::Ed25519Public>& key, WallTime now);

  // Pauses or resumes a function in a store, or in all (contract::kAllStores).
  contract::Control set_control(const std::string& store, Function function, bool paused,
                                WallTime now);
  std::vector<contract::Control> controls();  // the newest of each store and function
  // The database was restored from a backup: boxes know more than it does. Everything is told
  // again, and every control message is given an order that boxes accept.
  void restored(WallTime now);
  // A box has set an item aside, and why.
  void box_refuses(const std::string& store, const std::string& box,
                   const contract::FeedRejected& what, const std::string& at);

  // Makes a key pair and returns its id. The first one is used at once; a later one is only listed,
  // so that boxes can pin it before use_signing_key().
  std::string new_signing_key(WallTime now);
  // Signs everything with this key from now on, and what is there again. The others sign no more.
  Result<void> use_signing_key(const std::string& id, WallTime now);
  // After it: signs up to `at_most` consents again, those after the record `from` on, and moves it
  // on. False: all are signed. One transaction for each call, so that nobody waits for a long one.
  bool sign_consents_again(std::string& from, int at_most);
  // For the key ring of a box: contract/signing.h KeyRing::parse.
  std::string public_keys();
  // Which of our keys each box believes, by its own word.
  void note_believed(const std::string& store, const std::string& box,
                     const std::vector<std::string>& keys);
  struct Believed {
    std::vector<std::string> keys;  // ids; empty: it does not say, as boxes before 0.2.0
    bool signer = true;             // the one that signs now is among them, or nobody knows
    std::string last_word;          // of the key before, to this box; empty: there is none
  };
  Believed believed(const std::string& store, const std::string& box);
  // Our keys that are not retired, as a box that believes these and no others says it.
  std::string keys_in_use();
  // What the box should believe instead; nothing: it does. A key that is retired stays until the
  // box has every consent that the new one signed.
  std::optional<contract::Taken::Keys> keys_to_tell(const std::string& store,
                                                    const std::string& box, WallTime now);
  // Boxes that say what they believe, and do not know this key.
  std::vector<std::pair<std::string, std::string>> boxes_without(const std::string& key);
  // The current key, or null when nothing is signed.
  std::shared_ptr<const contract::Signer> signer();
  // A database of an older version holds keys; they go to where they belong.
  bool holds_keys();
  void move_keys_out();
  // The secret halves of keys that sign no more. After the commit that said so, and again.
  void destroy_retired_keys();

  // A command leaves whenever the box is there, until the box has answered or it expires. An
  // erasure leaves until its receipt counts.
  void to_box(const std::string& store, const std::string& box, const contract::Command& command,
              WallTime now, std::optional<WallTime> expires_at);
  void answered(const std::string& command, const std::string& store, const std::string& box);
  // Every admitted box of a store, or of all stores (empty).
  std::vector<std::pair<std::string, std::string>> boxes(const std::string& store);

  // Its id makes it unique: a second one with the same id is dropped. `needs`: it is not shown
  // while they do not give this.
  void to_page(const std::string& customer, const PageMessage& message,
               std::optional<Purpose> needs);
  struct Shown {
    std::string body;  // JSON: `shown` of docs/schemas/crm/export.customer.json
    std::string at;
    // of an offer
    std::optional<std::string> opened_at, redeemed_at, dismissed_at;
  };
  // Newest first; what needs a purpose that is not given now is not shown.
  std::vector<Shown> on_page(const std::string& customer, WallTime now);
  // This device of somebody's (the hash of its session) is not told anything any more while its
  // page is closed (crm/push).
  void forget_push(const std::string& session);
  // A question was answered, or is not wanted.
  bool take_off_page(const std::string& customer, const std::string& survey);

  // Where the page is, as it was said last (https://my.example.com/phone/); empty: nobody did.
  std::string page_address();
  void set_page_address(const std::string& page);

  // Something has changed for whoever has this page open: a customer, or an erasure. Empty: they
  // all look whether they may still be open. `what` is an event of `/v1/events`.
  void tell_page(const std::string& whose, std::string_view what, WallTime now);
  struct News {
    std::int64_t position = 0;
    std::string whose, what;
  };
  std::vector<News> news_after(std::int64_t position);
  std::int64_t newest_news();

 private:
  // What a key signed may come after the word of the next one, but not by much.
  static constexpr std::chrono::hours kFormerKeyLife{1};

  static bool signed_with(const contract::Ed25519Public& key, const std::string& box,
                          const std::string& text);
  Result<void> must_exist(const std::string& customer);
  json new_record(const ConsentChange& change) const;
  std::optional<json> record_of(const std::string& customer, Purpose purpose);
  StoreClock store_clock();
  void save_profile(const std::string& customer, const json& profile);
  void refresh(const std::string& customer);
  void note_end(const json& record, WallTime now);
  void forget_answer(const std::string& id);
  std::int64_t forget_old_pages(WallTime now, int at_most);
  bool forget_old_news(WallTime now, int at_most);
  void must_scrub();
  std::string hash(const std::string& customer) const;
  Result<void> check_receipt(const std::string& store, const std::string& box, json receipt,
                             const std::string& customer, WallTime now);
  void leave_last_words(const std::string& retiring, const std::string& next, WallTime now);
  void pin(const std::string& store, const std::string& box, const contract::Ed25519Public& key,
           WallTime now);
  Result<void> sign(json& record);
  std::int64_t next_control(WallTime now);
  contract::Control to_control(const Row& row) const;

  Database& db_;
  SigningKeys keys_;
  Feed feed_;
  Settings settings_;
  std::string tombstone_key_;
};

// ISO/IEC TS 27560 history → is the purpose given at `now`? The newest entry counts, a withdrawal
// wins a tie, and an expired record gives nothing.
bool is_given(const json& record, WallTime now);

}  // namespace welcome::crm
