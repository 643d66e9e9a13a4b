// SPDX-License-Identifier: Apache-2.0
#pragma once
// CrmFeed: what the CRM tells this box. Takes its batches, decides which consent records count
// (signed by a key that is pinned, not older than what is known, not of somebody who was erased),
// and says hello when something is missing. Engine thread only, but for keys().

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "contract/items.h"
#include "contract/signing.h"
#include "firmware/engine/delivery.h"
#include "firmware/engine/desk.h"
#include "firmware/engine/device_index.h"
#include "firmware/engine/face_watch.h"
#include "firmware/engine/shared.h"
#include "firmware/engine/stored_feed.h"
#include "firmware/engine/witness.h"
#include "sync/feed.h"

namespace welcome::daemon {

class CrmFeed {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
    virtual Effects ask(const Event& event, const Now& now, std::string_view item = {}) = 0;
    virtual void decide(const Event& event, const Now& now) = 0;
    [[nodiscard]] virtual Result<void> carry_out(Effects effects, const Now& now, const Also& also,
                                                 store::Durable durable = store::Durable::now) = 0;
    virtual void profile_changed(const CustomerId& customer) = 0;  // for who keeps it opened
    virtual void keys_changed(const std::vector<CustomerId>& customers, const Now& now) = 0;
    // So many items, at most, are about to come.
    virtual void expect(contract::Collection collection, std::size_t items) = 0;
    virtual void staff_changed(const Now& now) = 0;
    virtual void message_refused(const Error& error, const Now& now) = 0;
  };
  CrmFeed(Shared& shared, Delivery& delivery, Desk& desk, FaceWatch& faces, DeviceIndex& devices,
          Witness& witness, Needs& needs);

  // At start. Throw std::runtime_error.
  void load_keys();
  void load_region();
  void load_positions();
  void load_consents();
  [[nodiscard]] Result<void> note_pinned(const Now& now);

  void take(sync::FeedPiece piece, const Now& now);
  // The person goes off the disk now, and then is off it: their devices may be somebody else's.
  void erasing(const CustomerId& customer);
  void erased(const Now& now);
  // The CRM has spoken on this line. Where signatures are not asked for, consents are fresh.
  void heard(const Now& now);
  // The clock is trusted: what the CRM said before somebody knew the time counts now.
  void count_early(const Now& now);
  // The uplink has a new connection.
  void line_is_up();
  // `confirms`: nothing is asked for, the CRM hears how far this box is.
  void say_hello(bool confirms = false);
  // A collection is complete, or a control message is kept: the CRM hears of it within a second.
  void came_further(const Now& now);
  // Gives back memory that a snapshot took, which takes a while.
  void tidy();
  void confirm_if_due(const Now& now);
  // Something was dropped unread: consents, perhaps.
  void missed(const Now& now);
  // Something is missing; at most one hello a second.
  void ask_again(const Now& now);
  void hello_if_due(const Now& now);

  // A new key ring (its text; nothing = signatures are not asked for). Consents that none of its
  // keys signed no longer count, and are asked for again. The old ring stays when this one is
  // malformed.
  Result<void> set_keys(const std::optional<std::string>& text, const Now& now,
                        std::string_view by = "technician");
  // The CRM says which keys it has from now on; one that is believed has signed it. The next
  // change of the technician's file ends it.
  Result<void> hear_keys(const contract::Taken::Keys& keys, const Now& now);
  // The CRM says in which region this box is.
  Result<void> hear_region(const contract::Taken::Region& region, const Now& now);
  // Empty: it never did.
  const std::string& region() const { return region_.name; }
  // Null: signatures are not asked for. Any thread.
  std::shared_ptr<const contract::KeyRing> keys() const {
    const std::lock_guard lock(keys_mutex_);
    return keys_;
  }

  // This box has the profiles of those alone that it has seen, as their newest head says.
  bool profiles_on_sight() const { return profiles_on_sight_; }

  // Why a record may not count although it is well formed and signed.
  std::optional<std::string> refuse_consent(const ConsentRecord& record);
  void note_refused(const std::string& why);
  // Bodies by key.
  std::map<std::string, std::string> items_of(contract::Collection collection);

 private:
  // What items come to: all of it is stored with them, or none.
  struct News {
    Effects effects;
    std::vector<std::string> desk_consents;  // whose service the CRM's records have taken over
    std::vector<std::string> confirmed;      // those of them whose very step the record has
    std::vector<CustomerId> no_ageing;       // whose consent does not name it
    std::vector<store::FeedChange> changes;
    std::vector<contract::FeedRejected> rejected;
    std::vector<ConsentRecord> withdrawn;
    std::vector<CustomerId> rekeyed;
    std::vector<StateRow> devices;  // that somebody is refused, or is no more
    bool came_back = false;         // somebody who was erased
    bool device_freed = false;      // that another customer was refused
  };

  bool is_for_another_region(const contract::FeedHead& head) const;
  // What a batch says beside its items; `head` is signed.
  void heard(const contract::FeedHead& head, const Now& now);
  // A batch from long before what the CRM said since: somebody plays it again.
  bool replayed(const contract::FeedHead& head, const Now& now) const;
  // Consents are as fresh as the newest head of theirs that this box has come to.
  void freshen(contract::Collection collection, const std::string& epoch,
               const contract::FeedHead& head, const Now& now);
  static std::optional<contract::Have> where_crm_stands(
      const contract::FeedBatch& batch, const std::optional<contract::FeedHead>& head);
  void hear_of_consents(contract::Collection collection, const contract::Have& said,
                        const Now& now);
  void carry_out(sync::FeedPlan plan, const Now& now);
  void take_item(const sync::FeedPlan& plan, const contract::FeedItem& item, const Now& now,
                 News& news);
  void take_good(const sync::FeedPlan& plan, const contract::FeedItem& item, const Now& now,
                 News& news);
  void take_unreadable(const sync::FeedPlan& plan, const contract::FeedItem& item, const Now& now,
                       News& news);
  static bool may_come_again(const sync::FeedPlan& plan, const News& news);
  void ask_for_identities();
  // An identity that was there leaves, or is about to be put again.
  void leaves(const store::ReplicaItem& old);
  // And what should have come instead cannot be read.
  void stays(const std::string& identity);
  // False: the device is another customer's, and the item is set aside.
  bool take_identity(const sync::FeedPlan& plan, const contract::FeedItem& item,
                     const beacon::IdentityKey& key, News& news);
  // False: the record does not count, and what is held stays.
  bool take_consent(const sync::FeedPlan& plan, const contract::FeedItem& item,
                    const ConsentRecord& record, const Now& now, News& news);
  void sweep(const sync::FeedPlan& plan, const Now& now, News& news);
  [[nodiscard]] Result<void> store_news(const sync::FeedPlan& plan, News& news, const Now& now);
  void put(const contract::Item& item, std::string_view text, const Now& now, News& news);
  void removed(contract::Collection collection, const std::string& key, const Now& now, News& news);
  void removed_body(contract::Collection collection, const std::string& key,
                    const std::string& body, const Now& now, News& news);
  void take_back_at_the_desk(const std::string& record, const Now& now, News& news);
  void write(store::Tx& tx, const News& news, const Now& now) const;
  bool come_back(const ConsentRecord& record, const Now& now);
  void put_in_force(contract::KeyRing keys);
  std::string keys_text() const;
  bool pinned_before() const;
  // Whether all that is here came under keys that are pinned still.
  bool vouched_for() const;
  void note_pinned(store::Tx& tx, const Now& now, std::string_view by = "technician");
  std::optional<contract::Taken::Keys> said_keys() const;
  std::vector<std::string> key_ids() const;
  using Withdrawals = store::People::Withdrawals;
  bool load_briefs(const Withdrawals& withdrawals);
  std::vector<std::string> load_bodies(const Withdrawals& withdrawals, bool check);
  void load_record(const ConsentRecord& record, const Withdrawals& withdrawals);

  Shared& shared_;
  Delivery& delivery_;
  Desk& desk_;
  FaceWatch& faces_;
  DeviceIndex& devices_;
  Witness& witness_;
  Needs& needs_;
  mutable std::mutex keys_mutex_;  // written by the engine's thread alone
  std::shared_ptr<const contract::KeyRing> keys_;
  const StoredFeed stored_feed_;
  sync::FeedReceiver receiver_;
  bool profiles_on_sight_ = false;
  bool untidy_ = false;  // a snapshot was taken in
  contract::Taken::Region region_;
  std::vector<CustomerId> changed_profiles_;  // not yet told to the pipeline
  bool hello_due_ = false;
  MonoTime next_hello_;
  std::optional<MonoTime> confirm_at_;
  WallTime newest_said_;  // of the signed times of this start
  // The newest before somebody knew the time: what was said on an unsigned line, and a signed head
  // to which this box has come.
  struct EarlyHead {
    std::string epoch;
    contract::FeedHead head;
  };
  std::optional<MonoTime> early_word_;
  std::optional<EarlyHead> early_head_;
};

}  // namespace welcome::daemon
