// SPDX-License-Identifier: Apache-2.0
// A box has the consents and devices of those who are at home in its region, and of nobody else.

#include "crm/regions.h"

#include <map>
#include <random>

#include "crm/belief.h"
#include "crm/boxes.h"
#include "tests/unit/crm/fixture.h"
#include "tests/unit/crm/replica.h"

namespace welcome::crm {
namespace {

using Keys = std::vector<std::string>;

constexpr std::array kAboutCustomers{Collection::consents, Collection::identities,
                                     Collection::profiles};

// A box that says hello, and keeps what comes.
struct Box {
  explicit Box(BoxKey its) : key(std::move(its)) {}

  void hello(Feed& feed) {
    for (auto& [collection, replica] : all) replica.hello(feed, key);
  }
  Keys devices() const {
    Keys out;
    for (const auto& [name, value] : all.at(Collection::identities).values()) out.push_back(name);
    return out;
  }
  // Whose consents it has.
  std::map<std::string, int> consents() const {
    std::map<std::string, int> out;
    for (const auto& [name, value] : all.at(Collection::consents).values()) {
      ++out[json::parse(value).at("customer").get<std::string>()];
    }
    return out;
  }
  int snapshots() const { return all.at(Collection::consents).snapshots; }
  int gaps() const {
    int sum = 0;
    for (const auto& [collection, replica] : all) sum += replica.gaps;
    return sum;
  }

  BoxKey key;
  std::map<Collection, Replica> all = [] {
    std::map<Collection, Replica> out;
    for (const Collection collection : kAboutCustomers) out.try_emplace(collection, collection);
    return out;
  }();
};

class RegionsTest : public CrmTest {
 protected:
  // aroma-1 is in the north, aroma-2 in the south. Mia is at home in the north, Noa in the south,
  // Paul everywhere.
  RegionsTest() {
    for (const char* box : {"box-1", "box-2"}) {
      Boxes(*crm_).admit("aroma-1", box, "a test", now_);
      Boxes(*crm_).admit("aroma-2", box, "a test", now_);
    }
    crm_->new_signing_key(now_);
    for (const char* customer : {"c-mia", "c-noa"}) {
      add(customer, std::string("a-") + customer);
      consent(customer, Purpose::proximity_offers, true, kJanuary);
    }
    for (const char* customer : {"c-mia", "c-noa", "c-paul"}) put_device(customer, customer);
    feed().set_region("aroma-1", "north");
    feed().set_region("aroma-2", "south");
    at_home("c-mia", "north");
    at_home("c-noa", "south");
    feed().set_scopes({true, false, 90});
  }
  Feed& feed() { return crm_->feed(); }
  void put_device(const std::string& name, const std::string& customer) {
    const std::string digits = std::to_string(1000 + std::hash<std::string>()(name) % 9000);
    ASSERT_TRUE(crm_->put_identity({{"identity", "i-" + name},
                                    {"customer", customer},
                                    {"kind", "irk"},
                                    {"irk", "0123456789abcdef0123456789ab" + digits}}));
  }
  void at_home(const std::string& customer, const std::string& regions) {
    const auto home = crm_->home_from(regions);
    ASSERT_TRUE(home) << home.error().message;
    ASSERT_TRUE(crm_->set_home(customer, *home));
  }
  void sync() {
    for (Box* box : {&north_, &south_}) box->hello(feed());
  }
  void confirm(const Box& box) {
    for (const auto& [collection, replica] : box.all) {
      const Position at = replica.position();
      feed().confirmed(box.key, collection, at);
      db_->execute(
          "INSERT INTO confirmed (store, box, collection, epoch, seq) VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT (store, box, collection) DO UPDATE SET epoch = excluded.epoch, "
          "seq = excluded.seq",
          {box.key.first, box.key.second, name_of(collection), at.epoch, at.seq});
    }
    db_->execute("UPDATE box SET state = 'online' WHERE store = $1 AND box = $2",
                 {box.key.first, box.key.second});
  }
  std::string last_note() {
    intake_->work(now_);
    return notes().back();
  }

  Box north_{{"aroma-1", "box-1"}}, south_{{"aroma-2", "box-1"}};
};

TEST_F(RegionsTest, ABoxHasWhoIsAtHomeThereAndWhoIsEverywhere) {
  sync();
  EXPECT_EQ(north_.devices(), (Keys{"i-c-mia", "i-c-paul"}));
  EXPECT_EQ(south_.devices(), (Keys{"i-c-noa", "i-c-paul"}));
  EXPECT_EQ(north_.consents(), (std::map<std::string, int>{{"c-mia", 1}, {"c-paul", 5}}));
  EXPECT_EQ(north_.all.at(Collection::profiles).values().size(), 2U) << "names go the same way";
  EXPECT_EQ(feed().scope_of(Collection::campaigns, north_.key), Scope()) << "the rest is for all";
  EXPECT_EQ(feed().scope_of(Collection::policy, north_.key), Scope());
}

TEST_F(RegionsTest, WhoMovesLeavesTheOneAndComesToTheOther) {
  sync();
  at_home("c-mia", "south");
  sync();
  EXPECT_EQ(north_.devices(), Keys{"i-c-paul"});
  EXPECT_EQ(north_.consents(), (std::map<std::string, int>{{"c-paul", 5}}));
  EXPECT_EQ(south_.devices(), (Keys{"i-c-mia", "i-c-noa", "i-c-paul"}));
  EXPECT_EQ(north_.snapshots() + south_.snapshots(), 2) << "deltas were enough";
  EXPECT_EQ(north_.gaps() + south_.gaps(), 0);
}

TEST_F(RegionsTest, WhoIsAtHomeInBothIsInBothAndStays) {
  sync();
  at_home("c-mia", "south, north");
  EXPECT_EQ(feed().regions().home_of("c-mia"), "north,south");
  for (const Item& item :
       feed().since(Collection::identities, north_.all.at(Collection::identities).position().seq,
                    Scope::of_region("north"))) {
    EXPECT_FALSE(item.deleted) << "it has not left the north";
  }
  sync();
  EXPECT_EQ(north_.devices(), (Keys{"i-c-mia", "i-c-paul"}));
  EXPECT_EQ(south_.devices(), (Keys{"i-c-mia", "i-c-noa", "i-c-paul"}));
  at_home("c-mia", "all");
  sync();
  EXPECT_EQ(north_.devices(), (Keys{"i-c-mia", "i-c-paul"}));
  at_home("c-paul", "south");
  sync();
  EXPECT_EQ(north_.devices(), Keys{"i-c-mia"}) << "who was everywhere leaves the rest";
}

TEST_F(RegionsTest, WhatHappensInOneRegionIsNoNewsInTheOthers) {
  const auto before = feed().head(Collection::consents, Scope::of_region("south"));
  consent("c-mia", Purpose::visit_analytics, true, kMay);
  EXPECT_EQ(feed().head(Collection::consents, Scope::of_region("south")), before);
  EXPECT_NE(feed().head(Collection::consents, Scope::of_region("north")), before);
}

TEST_F(RegionsTest, AWithdrawalComesToEveryBoxThatHasThem) {
  at_home("c-mia", "north,south");
  sync();
  consent("c-mia", Purpose::proximity_offers, false, kMay);
  sync();
  for (const Box* box : {&north_, &south_}) {
    EXPECT_EQ(box->devices().front() == "i-c-mia", false);
    bool withdrawn = false;
    for (const auto& [key, value] : box->all.at(Collection::consents).values()) {
      const json record = json::parse(value);
      if (record.at("customer") == "c-mia") {
        withdrawn = record.at("history").back().at("state") == "withdrawn";
      }
    }
    EXPECT_TRUE(withdrawn);
  }
}

// The deletion is of the home in which it happened.
TEST_F(RegionsTest, WhatWasDeletedBeforeTheyMovedIsDeletedWhereItWas) {
  sync();
  consent("c-mia", Purpose::proximity_offers, false, kMay);  // their device goes
  at_home("c-mia", "south");
  now_ += std::chrono::minutes(1);
  consent("c-mia", Purpose::proximity_offers, true, now_);  // and is there again, in the south
  sync();
  EXPECT_EQ(north_.devices(), Keys{"i-c-paul"});
  EXPECT_EQ(south_.devices(), (Keys{"i-c-mia", "i-c-noa", "i-c-paul"}));
  EXPECT_EQ(north_.snapshots(), 1);
  EXPECT_EQ(north_.gaps(), 0);
}

TEST_F(RegionsTest, ADeviceThatSomebodyOfAnotherRegionGetsGoesWithThem) {
  sync();
  ASSERT_TRUE(crm_->put_identity({{"identity", "i-c-mia"},
                                  {"customer", "c-noa"},
                                  {"kind", "irk"},
                                  {"irk", "aa23456789abcdef0123456789abcdef"}}));
  sync();
  EXPECT_EQ(north_.devices(), Keys{"i-c-paul"});
  EXPECT_EQ(south_.devices(), (Keys{"i-c-mia", "i-c-noa", "i-c-paul"}));
}

TEST_F(RegionsTest, WhoIsErasedGoesEverywhereAndOtherRegionsNeedNoSnapshotForIt) {
  db_->execute("UPDATE box SET state = 'online'");
  at_home("c-mia", "south");  // the north has to be told that they left
  sync();
  const auto erasure = crm_->forget("c-mia", now_);
  ASSERT_TRUE(erasure);
  sync();
  EXPECT_EQ(south_.devices(), (Keys{"i-c-noa", "i-c-paul"}));
  for (const auto& [store, box] : crm_->boxes("")) {
    crm_->erasure_done(*erasure, store, box, "{}", now_);
  }
  crm_->finish_erasure(*erasure, now_);
  EXPECT_TRUE(db_->query("SELECT 1 FROM gone WHERE customer = 'c-mia'").empty());
  EXPECT_TRUE(db_->query("SELECT 1 FROM item WHERE customer = 'c-mia'").empty());
  consent("c-paul", Purpose::visit_analytics, false, now_);
  consent("c-noa", Purpose::visit_analytics, true, now_);
  sync();
  EXPECT_EQ(north_.snapshots() + south_.snapshots(), 2);
  EXPECT_EQ(north_.gaps() + south_.gaps(), 0);
}

TEST_F(RegionsTest, ABoxThatMissedWhatIsForgottenGetsASnapshot) {
  sync();
  at_home("c-mia", "south");
  const auto erasure = crm_->forget("c-mia", now_);
  for (const auto& [store, box] : crm_->boxes("")) {
    crm_->erasure_done(*erasure, store, box, "{}", now_);
  }
  crm_->finish_erasure(*erasure, now_);
  sync();
  EXPECT_EQ(north_.devices(), Keys{"i-c-paul"});
  EXPECT_EQ(north_.snapshots(), 2) << "nobody knows any more what it has to delete";
  EXPECT_EQ(north_.gaps(), 0);
}

TEST_F(RegionsTest, AStoreThatGoesToAnotherRegionGetsItWholeAndIsNotTakenForAhead) {
  consent("c-mia", Purpose::visit_analytics, true, kMay);  // the north is further than the south
  sync();
  const auto north = feed().head(Collection::consents, Scope::of_region("north"));
  feed().set_region("aroma-1", "south");
  const auto south =
      feed().head(Collection::consents, feed().scope_of(Collection::consents, north_.key));
  EXPECT_GT(north.seq, south.seq);
  EXPECT_NE(north.epoch, south.epoch) << "so what it has is of another count, and ahead of none";
  EXPECT_LE(south.epoch.size(), 64U);
  sync();
  EXPECT_EQ(north_.devices(), south_.devices());
  EXPECT_EQ(north_.snapshots(), 2);
}

TEST_F(RegionsTest, AStoreWithoutARegionHasWhoIsEverywhere) {
  Box other({"aroma-9", "box-1"});
  Boxes(*crm_).admit("aroma-9", "box-1", "a test", now_);
  other.hello(feed());
  EXPECT_EQ(other.devices(), Keys{"i-c-paul"});
}

// What a deletion is about is kept only until all have carried it out.
TEST_F(RegionsTest, WhoLeftIsForgottenWhenEveryBoxOfTheRegionHasConfirmed) {
  Box second({"aroma-1", "box-2"});
  sync();
  second.hello(feed());
  confirm(north_);
  confirm(second);
  at_home("c-mia", "south");
  feed().let_leavings_end();
  EXPECT_EQ(db_->query("SELECT 1 FROM gone").size(), 3U) << "consent, device, name";
  sync();
  confirm(north_);
  feed().let_leavings_end();
  EXPECT_EQ(db_->query("SELECT 1 FROM gone").size(), 3U) << "the other box of that store has not";
  second.hello(feed());
  confirm(second);
  feed().let_leavings_end();
  EXPECT_TRUE(db_->query("SELECT 1 FROM gone").empty());
  EXPECT_EQ(second.devices(), Keys{"i-c-paul"});
  sync();
  EXPECT_EQ(north_.snapshots(), 1) << "who is there is not told again";
}

TEST_F(RegionsTest, TheProfileOnSightOfWhoMovesLeavesTheBoxesThere) {
  feed().set_scopes({true, true, 90});
  sync();
  EXPECT_TRUE(north_.all.at(Collection::profiles).values().empty());
  feed().seen(north_.key, "c-mia", now_);
  feed().seen(north_.key, "c-paul", now_);
  feed().seen(north_.key, "c-noa", now_);
  sync();
  EXPECT_EQ(north_.all.at(Collection::profiles).values().size(), 2U) << "not of another region";
  at_home("c-mia", "south");
  sync();
  EXPECT_EQ(north_.all.at(Collection::profiles).values().size(), 1U);
  EXPECT_EQ(north_.all.at(Collection::profiles).snapshots, 1);
  at_home("c-paul", "north");
  feed().set_region("aroma-1", "south");
  sync();
  EXPECT_TRUE(north_.all.at(Collection::profiles).values().empty());
}

TEST_F(RegionsTest, OffIsAsItWasAndDigestsOfHomesAreThoseOfAll) {
  for (const Collection collection : kAboutCustomers) {
    Place sum;
    for (const Row& row :
         db_->query("SELECT seq, oldest, digest FROM place WHERE collection = $1 AND part NOT LIKE "
                    "'%/%'",
                    {name_of(collection)})) {
      Place one;
      one.seq = row.integer(0);
      one.oldest = row.integer(1);
      one.digest = row.text(2);
      sum.add(one);
    }
    EXPECT_EQ(sum.digest, feed().head(collection).digest) << name_of(collection);
    EXPECT_LE(sum.seq, feed().head(collection).seq);
  }
  feed().set_scopes({false, false, 90});
  sync();
  EXPECT_EQ(north_.devices(), (Keys{"i-c-mia", "i-c-noa", "i-c-paul"}));
  EXPECT_EQ(feed().scope_of(Collection::consents, north_.key), Scope());
  const Position before = feed().head(Collection::consents);
  at_home("c-mia", "south");
  EXPECT_TRUE(db_->query("SELECT 1 FROM gone").empty()) << "nobody has to delete it";
  EXPECT_EQ(feed().head(Collection::consents), before) << "nor to hear of it";
  feed().set_scopes({true, false, 90});
  sync();
  EXPECT_EQ(north_.devices(), Keys{"i-c-paul"});
  EXPECT_EQ(south_.devices(), (Keys{"i-c-mia", "i-c-noa", "i-c-paul"}));
}

TEST_F(RegionsTest, ABoxOfAnotherRegionIsNotBelieved) {
  ASSERT_TRUE(offer("e-1", "d-1", "c-mia"));
  EXPECT_EQ(last_note(), "");
  ASSERT_TRUE(offer("e-2", "d-2", "c-noa"));
  EXPECT_EQ(last_note(), "not believed: somebody of another region");
  EXPECT_EQ(intake_->counters().not_believed, 1U);
  EXPECT_TRUE(page("c-noa").empty());
  feed().set_scopes({true, true, 90});
  event("e-3", "profile.wanted", "c-noa", json::object());
  EXPECT_EQ(last_note(), "not believed: somebody of another region");
  at_home("c-noa", "north");
  event("e-4", "profile.wanted", "c-noa", json::object());
  EXPECT_EQ(last_note(), "");
}

TEST_F(RegionsTest, AWithdrawalIsBelievedWhereverItWasSaid) {
  event("e-1", "consent.changed", "c-noa",
        {{"purpose", "proximity_offers"},
         {"state", "withdrawn"},
         {"at", contract::to_rfc3339(now_)},
         {"how", "desk"}});
  EXPECT_EQ(last_note(), "");
  EXPECT_TRUE(crm_->given("c-noa", now_).empty());
}

// No withdrawal of theirs would ever come to that box.
TEST_F(RegionsTest, WhatADeskElsewhereWroteDownIsTakenBack) {
  sync();
  const contract::Signer key("box-1", contract::Signer::new_seed());
  crm_->box_says_key("aroma-1", "box-1", key.public_key(), now_);
  const auto grant = [&](const std::string& id, const std::string& record) {
    const json data = {{"purpose", "face_recognition"},
                       {"state", "given"},
                       {"at", contract::to_rfc3339(now_)},
                       {"how", "desk"},
                       {"box", "demo/aroma-1/box-1"},
                       {"customer", "c-noa"},
                       {"record_id", record}};
    event(id, "consent.changed", "c-noa", json::parse(key.sign(data.dump()).value()));
    EXPECT_EQ(last_note(), "not believed: somebody of another region");
  };
  grant("e-1", "r-desk");
  const auto from = north_.all.at(Collection::consents).position();
  const auto news = feed().since(Collection::consents, from.seq, Scope::of_region("north"));
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].key, "r-desk");
  EXPECT_TRUE(news[0].deleted);
  sync();
  EXPECT_EQ(north_.gaps(), 0);
  EXPECT_TRUE(feed().since(Collection::consents, 0, Scope::of_region("south")).back().key !=
              "r-desk");
  // And nobody deletes somebody else's record by its name.
  const std::string mias = feed().of_customer(Collection::consents, "c-mia").at(0).key;
  grant("e-2", mias);
  sync();
  EXPECT_EQ(north_.consents().at("c-mia"), 1);
  EXPECT_EQ(north_.gaps(), 0);
}

TEST_F(RegionsTest, WhatWasOnABoxIsWhatItsRegionHad) {
  sync();
  confirm(north_);
  db_->execute("UPDATE box SET region = 'north' WHERE store = 'aroma-1'");
  EXPECT_EQ(Boxes(*crm_).held_by("aroma-1", "box-1"), (Keys{"c-mia", "c-paul"}));
  feed().set_region("aroma-1", "south");
  EXPECT_EQ(Boxes(*crm_).held_by("aroma-1", "box-1"), (Keys{"c-mia", "c-noa", "c-paul"}))
      << "it has not heard yet that it moved";
}

TEST_F(RegionsTest, NamesOfRegionsAreReadAndCheckedOnce) {
  EXPECT_EQ(Regions::home_from("south;north").value(), "north,south");
  EXPECT_EQ(Regions::home_from(" north , north").value(), "north");
  EXPECT_EQ(Regions::home_from("all").value(), "");
  EXPECT_EQ(Regions::home_from("").value(), "");
  EXPECT_FALSE(Regions::home_from("no/rth"));
  EXPECT_FALSE(Regions::home_from("north,all")) << "is it all, or the north?";
  EXPECT_FALSE(crm_->home_from("nroth")) << "no store is there: nobody would know them anywhere";
  EXPECT_TRUE(Regions::holds("north,south", "south"));
  EXPECT_FALSE(Regions::holds("north,south", "sou"));
  EXPECT_TRUE(Regions::holds("", "anywhere"));
}

// One in which boxes have profiles on sight, and nobody knew of regions.
TEST_F(RegionsTest, ADatabaseOfVersionNineGoesOnWhereItWas) {
  back_to(9);
  for (const char* sql :
       {"CREATE TABLE sight_box (store TEXT NOT NULL, box TEXT NOT NULL, seq INTEGER NOT NULL, "
        "digest TEXT NOT NULL, PRIMARY KEY (store, box))",
        "CREATE TABLE sight_gone (store TEXT NOT NULL, box TEXT NOT NULL, customer TEXT NOT NULL, "
        "seq INTEGER NOT NULL, PRIMARY KEY (store, box, customer))",
        "CREATE INDEX sight_gone_customer ON sight_gone (customer)",
        "INSERT INTO sight_box VALUES ('aroma-1', 'box-1', 7, '0123456789abcdef0123456789abcdef')",
        "INSERT INTO sight_gone VALUES ('aroma-1', 'box-1', 'c-noa', 6)",
        "UPDATE setting SET value = 'visited' WHERE name = 'scope'",
        "DELETE FROM setting WHERE name = 'regions'", "CREATE TABLE outbox (id TEXT)"}) {
    db_->define(sql);
  }
  migrate(*db_);
  const Scope box = Scope::of_box({"aroma-1", "box-1"});
  EXPECT_EQ(feed().scope_of(Collection::profiles, {"aroma-1", "box-1"}), box);
  const Position at = feed().head(Collection::profiles, box);
  EXPECT_EQ(at.seq, 7);
  EXPECT_EQ(at.digest, "0123456789abcdef0123456789abcdef");
  const auto news = feed().since(Collection::profiles, 5, box);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_TRUE(news[0].deleted && news[0].key == "c-noa" && news[0].seq == 6);
  for (const Collection collection : kAboutCustomers) {
    EXPECT_EQ(feed().head(collection, Scope::of_region("north")).digest,
              feed().head(collection).digest)
        << "everybody is everywhere";
  }
}

// What the fleet-wide look says is what each box is told.
TEST_F(RegionsTest, AllPlacesReadAtOnceAreThoseReadOneByOne) {
  at_home("c-paul", "north,south");
  feed().set_scopes({true, true, 90});
  feed().seen(north_.key, "c-mia", now_);
  Heads heads = feed().heads();
  for (const auto& box : crm_->boxes("")) {
    for (const Collection collection : contract::kAllCollections) {
      EXPECT_EQ(heads.scope_of(collection, box), feed().scope_of(collection, box));
      EXPECT_EQ(heads.of(collection, box),
                feed().head(collection, feed().scope_of(collection, box)));
    }
  }
}

// Whatever happens in whatever order, and however seldom a box hears of it: it has what is about
// those of its region, as it is now.
class RegionsPropertyTest : public RegionsTest {
 protected:
  int one_of(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string somebody() { return people_[static_cast<std::size_t>(one_of(4))]; }

  void step(int number) {
    static const Keys homes{"all", "north", "south", "north,south", "west", "west,north"};
    now_ += std::chrono::minutes(1 + one_of(90));
    const std::string who = somebody();
    const Box& box = boxes_[static_cast<std::size_t>(one_of(3))];
    switch (one_of(12)) {
      case 0:
      case 1:
        return at_home(who, homes[static_cast<std::size_t>(one_of(6))]);
      case 2:
      case 3:
        return consent(who, one_of(2) == 0 ? Purpose::proximity_offers : Purpose::visit_analytics,
                       one_of(2) == 0, now_);
      case 4:
        return put_device("d" + std::to_string(one_of(3)), who);
      case 5:
        ASSERT_TRUE(crm_->note_conversation(who, "note " + std::to_string(number), now_));
        return;
      case 6:
        return erase(one_of(4));
      case 7:
        if (one_of(4) == 0) feed().set_region(box.key.first, one_of(2) == 0 ? "north" : "west");
        return;
      case 8:
        if (one_of(8) == 0) feed().new_epoch(Collection::consents);
        return;
      case 9:
        return confirm(box);
      case 10:
        return feed().let_leavings_end();
      default:
        return feed().seen(box.key, who, now_);
    }
  }
  // And somebody new comes in their place.
  void erase(int which) {
    auto& who = people_[static_cast<std::size_t>(which)];
    const auto erasure = crm_->forget(who, now_);
    ASSERT_TRUE(erasure);
    if (one_of(2) == 0) {
      for (const auto& [store, box] : crm_->boxes("")) {
        crm_->erasure_done(*erasure, store, box, "{}", now_);
      }
      crm_->finish_erasure(*erasure, now_);
    }
    who = "c-new-" + std::to_string(++born_);
    add(who, "a-" + who);
    consent(who, Purpose::proximity_offers, true, now_);
  }
  std::map<std::string, std::string> expected(const Box& box, Collection collection) {
    const std::string region = feed().regions().of_store(box.key.first);
    std::map<std::string, std::string> out;
    for (const Row& row : db_->query("SELECT item.key, item.value, customer.home, item.customer "
                                     "FROM item JOIN customer ON customer.customer = item.customer "
                                     "WHERE item.collection = $1 AND item.deleted = 0",
                                     {name_of(collection)})) {
      bool there = Regions::holds(row.text(2), region);
      if (collection == Collection::profiles && feed().sight().on()) {
        there = !db_->query("SELECT 1 FROM sight WHERE store = $1 AND box = $2 AND customer = $3",
                            {box.key.first, box.key.second, row.text(3)})
                     .empty();
      }
      if (there) out[row.text(0)] = row.text(1);
    }
    return out;
  }
  void check(Box& box, int number) {
    box.hello(feed());
    for (auto& [collection, replica] : box.all) {
      const Scope scope = feed().scope_of(collection, box.key);
      ASSERT_EQ(replica.values(), expected(box, collection))
          << box.key.first << "/" << box.key.second << " " << name_of(collection) << " step "
          << number;
      ASSERT_EQ(replica.digest(), feed().head(collection, scope).digest) << "step " << number;
      ASSERT_EQ(replica.gaps, 0) << "step " << number;
    }
  }

  std::mt19937 random_{11};
  Keys people_{"c-paul", "c-mia", "c-noa", "c-kim"};
  std::vector<Box> boxes_;
  int born_ = 0;
};

TEST_F(RegionsPropertyTest, AfterEachHelloABoxHasExactlyWhatIsOfItsRegion) {
  boxes_.emplace_back(BoxKey{"aroma-1", "box-1"});
  boxes_.emplace_back(BoxKey{"aroma-2", "box-1"});
  boxes_.emplace_back(BoxKey{"aroma-3", "box-1"});
  Boxes(*crm_).admit("aroma-3", "box-1", "a test", now_);
  feed().set_region("aroma-3", "west");
  feed().set_region("aroma-9", "west");  // the regions stay when stores move
  feed().set_region("aroma-8", "south");
  feed().set_region("aroma-7", "north");
  add("c-kim", "a-kim");
  consent("c-kim", Purpose::proximity_offers, true, kJanuary);
  feed().set_scopes({true, true, 90});
  for (int number = 0; number < 1500; ++number) {
    {
      Transaction transaction(*db_);
      step(number);
      transaction.commit();
    }
    if (HasFatalFailure()) return;
    if (number == 700) feed().set_scopes({true, false, 90});
    if (number == 1100) feed().set_scopes({false, false, 90});
    if (number == 1110) feed().set_scopes({true, true, 90});
    if (number >= 1100 && number < 1110) continue;
    for (Box& box : boxes_) {
      if (one_of(5) == 0) check(box, number);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace welcome::crm
