// SPDX-License-Identifier: Apache-2.0
// Who works where: each store's boxes have its own staff, and nobody else's.

#include "crm/staff.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <sodium.h>
#include <sstream>
#include <unistd.h>

#include "contract/items.h"
#include "crm/boxes.h"
#include "crm/cli/cli.h"
#include "crm/import.h"
#include "tests/unit/crm/fixture.h"
#include "tests/unit/crm/replica.h"

namespace welcome::crm {
namespace {

using Names = std::vector<std::string>;

constexpr const char* kHash =
    "$argon2id$v=19$m=16384,t=3,p=1$KHwqQt5LcLCB/dngdrH8DA$"
    "NKgKcCRP1vVK4BWIWgRL1Mge0oZGY8eyqCtmZMzEEyw";

struct StoreBox {
  explicit StoreBox(std::string its) : store(std::move(its)) {}

  Names names() const {
    Names out;
    for (const auto& [key, value] : replica.values()) out.push_back(key);
    return out;
  }
  BoxKey key() const { return {store, "box-1"}; }

  std::string store;
  Replica replica{Collection::staff};
};

class StaffTest : public CrmTest {
 protected:
  StaffTest() {
    for (const StoreBox* box : {&one_, &two_}) Boxes(*crm_).admit(box->store, "box-1", "a", now_);
  }
  Feed& feed() { return crm_->feed(); }
  void works(const std::string& id, const std::string& stores, const std::string& name = "Anna") {
    Staff::Line line = staff_.find(id).value_or(Staff::Line());
    line.member.id = StaffId(id);
    line.member.name = name;
    line.member.roles = RoleSet().add(Role::staff);
    line.stores = *Staff::stores_from(stores);
    const auto done = staff_.put(line, now_);
    ASSERT_TRUE(done) << done.error().message;
  }
  void sync() {
    for (StoreBox* box : {&one_, &two_}) box->replica.hello(feed(), box->key());
  }
  void confirm(const StoreBox& box) {
    const Position at = box.replica.position();
    db_->execute(
        "INSERT INTO confirmed (store, box, collection, epoch, seq) VALUES ($1, $2, 'staff', $3, "
        "$4) ON CONFLICT (store, box, collection) DO UPDATE SET epoch = excluded.epoch, "
        "seq = excluded.seq",
        {box.store, "box-1", at.epoch, at.seq});
    db_->execute("UPDATE box SET state = 'online' WHERE store = $1", {box.store});
  }

  Staff staff_{*db_, crm_->feed()};
  StoreBox one_{"aroma-1"}, two_{"aroma-2"};
};

TEST_F(StaffTest, ABoxHasTheStaffOfItsOwnStore) {
  works("anna", "aroma-1");
  works("ben", "aroma-2");
  works("eva", "aroma-1,aroma-2");
  works("tom", "all");
  sync();
  EXPECT_EQ(one_.names(), (Names{"anna", "eva", "tom"}));
  EXPECT_EQ(two_.names(), (Names{"ben", "eva", "tom"}));
  EXPECT_EQ(one_.replica.digest(),
            feed().head(Collection::staff, Scope::of_store("aroma-1")).digest);
  const auto read = contract::decode_item(Collection::staff, one_.replica.values().at("anna"));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<StaffMember>(*read).name, "Anna");
  EXPECT_NE(feed().head(Collection::staff, Scope::of_store("aroma-1")).epoch,
            feed().head(Collection::staff, Scope::of_store("aroma-2")).epoch);
  EXPECT_FALSE(feed().regions().anybody_has_one()) << "a store is no region of a customer";
}

TEST_F(StaffTest, WhoGoesToAnotherStoreLeavesTheOneAndWhoIsRemovedLeavesAll) {
  works("anna", "aroma-1");
  works("tom", "all");
  sync();
  works("anna", "aroma-2");
  sync();
  EXPECT_EQ(one_.names(), Names{"tom"});
  EXPECT_EQ(two_.names(), (Names{"anna", "tom"}));
  EXPECT_TRUE(staff_.remove("tom"));
  EXPECT_FALSE(staff_.remove("tom"));
  sync();
  EXPECT_EQ(one_.names(), Names{});
  EXPECT_EQ(two_.names(), Names{"anna"});
  EXPECT_EQ(one_.replica.snapshots + two_.replica.snapshots, 2) << "deltas were enough";
  EXPECT_EQ(one_.replica.gaps + two_.replica.gaps, 0);
}

TEST_F(StaffTest, WhatHappensInOneStoreIsNoNewsInTheOther) {
  works("anna", "aroma-1");
  const auto before = feed().head(Collection::staff, Scope::of_store("aroma-2"));
  works("anna", "aroma-1", "Anna B");
  EXPECT_EQ(feed().head(Collection::staff, Scope::of_store("aroma-2")), before);
  const auto same = feed().head(Collection::staff, Scope::of_store("aroma-1"));
  works("anna", "aroma-1", "Anna B");
  EXPECT_EQ(feed().head(Collection::staff, Scope::of_store("aroma-1")), same);
}

// A person who works here no more is known by no id once every box has heard of it.
TEST_F(StaffTest, WhoIsRemovedIsForgottenWhenEveryBoxOfTheirStoresHasConfirmed) {
  works("anna", "aroma-1");
  works("tom", "all");
  for (const StoreBox* box : {&one_, &two_}) confirm(*box);
  sync();
  staff_.remove("anna");
  staff_.remove("tom");
  sync();
  confirm(one_);
  feed().let_leavings_end();
  EXPECT_EQ(db_->query("SELECT key FROM item WHERE collection = 'staff'").size(), 1U)
      << "the other store has not heard of tom";
  confirm(two_);
  feed().let_leavings_end();
  EXPECT_TRUE(db_->query("SELECT key FROM item WHERE collection = 'staff'").empty());
  works("eva", "all");
  sync();
  EXPECT_EQ(one_.names(), Names{"eva"});
  EXPECT_EQ(one_.replica.gaps + two_.replica.gaps, 0);
}

TEST_F(StaffTest, ARestoredDatabaseTellsEveryBoxItsStaffAgain) {
  works("anna", "aroma-1");
  sync();
  crm_->restored(now_);
  EXPECT_EQ(one_.replica.hello(feed(), one_.key()), 1U);
  EXPECT_EQ(one_.names(), Names{"anna"});
  EXPECT_EQ(one_.replica.snapshots, 2);
}

TEST_F(StaffTest, RegionsAndStaffDoNotMeetInTheTableOfHomes) {
  crm_->new_signing_key(now_);
  feed().set_region("aroma-1", "aroma-2");  // a region with the name of a store
  feed().set_region("aroma-2", "south");
  crm_->set_home("c-paul", *crm_->home_from("aroma-2"));
  works("anna", "aroma-2");
  feed().set_scopes({true, false, 90});
  sync();
  EXPECT_EQ(one_.names(), Names{});
  EXPECT_EQ(two_.names(), Names{"anna"});
  Replica consents(Collection::consents);
  consents.hello(feed(), one_.key());
  EXPECT_EQ(consents.values().size(), 5U);
}

TEST_F(StaffTest, AfterAnyMovesEachStoreHasExactlyItsStaff) {
  std::mt19937 random(23);
  const auto one_of = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const Names ids{"anna", "ben", "eva", "kim", "tom"};
  const Names stores{"aroma-1", "aroma-2", "aroma-3", "aroma-1,aroma-2", "aroma-2,aroma-3", "all"};
  StoreBox three("aroma-3");
  Boxes(*crm_).admit("aroma-3", "box-1", "a test", now_);
  std::vector<StoreBox*> boxes{&one_, &two_, &three};
  for (int number = 0; number < 1500; ++number) {
    const std::string& id = ids[static_cast<std::size_t>(one_of(5))];
    if (one_of(4) == 0) {
      staff_.remove(id);
    } else {
      works(id, stores[static_cast<std::size_t>(one_of(6))], "N" + std::to_string(one_of(3)));
    }
    if (one_of(40) == 0) crm_->restored(now_);
    if (one_of(9) == 0) feed().let_leavings_end();
    StoreBox& box = *boxes[static_cast<std::size_t>(one_of(3))];
    box.replica.hello(feed(), box.key());
    if (one_of(2) == 0) confirm(box);
    std::map<std::string, std::string> expected;
    for (const Staff::Line& line : staff_.all()) {
      if (staff_.works_in(line.member.id.str(), box.store))
        expected[line.member.id.str()] = line.member.name;
    }
    std::map<std::string, std::string> there;
    for (const auto& [key, value] : box.replica.values()) {
      there[key] = json::parse(value).at("name").get<std::string>();
    }
    ASSERT_EQ(there, expected) << box.store << " step " << number;
    ASSERT_EQ(box.replica.gaps, 0) << "step " << number;
    ASSERT_EQ(box.replica.digest(),
              feed().head(Collection::staff, Scope::of_store(box.store)).digest);
  }
}

// ---- PINs ----

TEST_F(StaffTest, APinIsKeptAsItsHashWhichLibsodiumChecks) {
  works("anna", "aroma-1");
  ASSERT_TRUE(staff_.set_pin("anna", "4711", now_));
  const std::string hash = staff_.find("anna")->member.pin;
  EXPECT_EQ(hash.rfind("$argon2id$v=19$m=16384,t=3,p=1$", 0), 0U) << hash;
  EXPECT_EQ(crypto_pwhash_str_verify(hash.c_str(), "4711", 4), 0);
  EXPECT_NE(crypto_pwhash_str_verify(hash.c_str(), "4712", 4), 0);
  works("anna", "aroma-2", "Anna B");
  EXPECT_EQ(staff_.find("anna")->member.pin, hash) << "it goes along";
  sync();
  EXPECT_EQ(json::parse(two_.replica.values().at("anna")).at("pin"), hash);
  EXPECT_EQ(staff_.set_pin("nobody", "4711", now_).error().code, ErrorCode::not_found);
}

TEST_F(StaffTest, WhatSomebodyTriesFirstIsNoPin) {
  for (const char* pin : {"", "471", "1234567890123", "47a1", "4711 ", "0000", "1234", "4321",
                          "7890", "0987", "1212", "123123", "55555", "987654"}) {
    EXPECT_FALSE(Staff::check_pin(pin, 4)) << pin;
  }
  for (const char* pin : {"4711", "1235", "1221", "1357", "121212123"}) {
    EXPECT_TRUE(Staff::check_pin(pin, 4)) << pin;
  }
  EXPECT_FALSE(Staff::check_pin("4711", 6));
  for (const char* pin : {"48", "0000", "48291x"}) {
    const std::string why = Staff::check_pin(pin, 4).error().message;
    EXPECT_EQ(why.find(pin), std::string::npos) << "what it is stands nowhere: " << why;
  }
}

// ---- the command line ----

class StaffCliTest : public StaffTest {
 protected:
  int cli(std::vector<std::string> args, const std::string& typed = "") {
    args.insert(args.begin(), {"--database", path()});
    out_.str("");
    err_.str("");
    const int before = ::dup(STDIN_FILENO);
    std::FILE* const file = std::tmpfile();
    std::fputs(typed.c_str(), file);
    std::rewind(file);
    ::dup2(::fileno(file), STDIN_FILENO);
    std::cin.clear();
    std::clearerr(stdin);
    const int code = run(args, out_, err_);
    ::dup2(before, STDIN_FILENO);
    ::close(before);
    std::fclose(file);
    return code;
  }
  json list() {
    EXPECT_EQ(cli({"--json", "staff", "list"}), kDone);
    return json::parse(out_.str());
  }

  std::ostringstream out_, err_;
};

TEST_F(StaffCliTest, SomebodyIsAddedGetsAPinAndIsRemoved) {
  EXPECT_EQ(cli({"staff", "add", "anna"}), kUsage) << "no name";
  ASSERT_EQ(cli({"staff", "add", "anna", "--name", "Anna", "--role", "lead", "--role", "staff",
                 "--store", "aroma-2", "--store", "aroma-1"}),
            kDone)
      << err_.str();
  EXPECT_NE(out_.str().find("staff pin anna"), std::string::npos) << "what is missing";
  ASSERT_EQ(cli({"staff", "pin", "anna"}, "482913\n"), kDone) << err_.str();
  const json anna = list().at(0);
  EXPECT_EQ(anna.at("roles"), (json{"staff", "lead"}));
  EXPECT_EQ(anna.at("stores"), (json{"aroma-1", "aroma-2"}));
  EXPECT_EQ(anna.at("pin"), true);
  EXPECT_EQ(crypto_pwhash_str_verify(staff_.find("anna")->member.pin.c_str(), "482913", 6), 0);

  ASSERT_EQ(cli({"staff", "add", "anna", "--store", "all"}), kDone) << "what is said is changed";
  EXPECT_EQ(list().at(0).at("all_stores"), true);
  EXPECT_EQ(list().at(0).at("roles"), (json{"staff", "lead"}));
  ASSERT_EQ(cli({"staff", "list"}), kDone);
  EXPECT_EQ(out_.str().find("argon2"), std::string::npos);

  EXPECT_EQ(cli({"staff", "remove", "anna"}), kDone);
  EXPECT_EQ(cli({"staff", "remove", "anna"}), kNo);
  EXPECT_TRUE(list().empty());
}

TEST_F(StaffCliTest, APinIsNeverPartOfACommandAndNeverPrinted) {
  ASSERT_EQ(cli({"staff", "add", "anna", "--name", "Anna"}), kDone);
  EXPECT_EQ(cli({"staff", "pin", "anna", "482913"}), kUsage);
  EXPECT_EQ(cli({"staff", "pin", "anna", "--pin", "482913"}), kUsage);
  EXPECT_EQ(cli({"staff", "pin", "nobody"}, "482913\n"), kNo);
  EXPECT_EQ(cli({"staff", "pin", "anna"}, "1234\n"), kNo);
  EXPECT_EQ((out_.str() + err_.str()).find("1234"), std::string::npos) << err_.str();
  EXPECT_EQ(cli({"staff", "pin", "anna"}, ""), kNo);
  EXPECT_EQ(list().at(0).at("pin"), false);
  ASSERT_EQ(cli({"staff", "policy", "--digits", "6"}), kDone);
  EXPECT_EQ(cli({"staff", "pin", "anna"}, "4711\n"), kNo);
  EXPECT_NE(err_.str().find("6 to 12 digits"), std::string::npos);
  EXPECT_EQ(cli({"staff", "policy", "--digits", "3"}), kUsage);
  ASSERT_EQ(cli({"staff", "pin", "anna"}, "482913\r\n"), kDone) << "as Windows ends a line";
}

TEST_F(StaffCliTest, ARoleOrAStoreThatCannotBeIsSaid) {
  EXPECT_EQ(cli({"staff", "add", "anna", "--name", "Anna", "--role", "owner"}), kUsage);
  EXPECT_EQ(cli({"staff", "add", "anna", "--name", "Anna", "--store", "a/b"}), kUsage);
  EXPECT_EQ(cli({"staff", "add", "a/b", "--name", "Anna"}), kUsage);
  EXPECT_EQ(cli({"staff", "add", "anna", "--name", "An\tna"}), kUsage);
  EXPECT_EQ(cli({"staff", "add", "anna", "--name", "Anna", "--store", "aroma-7"}), kDone);
  EXPECT_NE(err_.str().find("no box is admitted in aroma-7"), std::string::npos);
}

TEST_F(StaffCliTest, AFileOfStaffIsTakenAndWhatIsWrongNamesLineAndColumn) {
  const auto import = [&](const std::string& text) {
    const std::string file = (dir_ / "staff.csv").string();
    std::ofstream(file) << text;
    return cli({"import", file});
  };
  ASSERT_EQ(import(std::string("id,name,roles,stores,pin_hash\n") +
                   "anna,Anna,lead;staff,aroma-1," + "\"" + kHash + "\"\nben,Ben,,all,\n"),
            kDone)
      << err_.str();
  EXPECT_NE(out_.str().find("staff: 2"), std::string::npos);
  EXPECT_EQ(staff_.find("anna")->member.pin, kHash);
  EXPECT_EQ(list().at(1).at("roles"), json{"staff"});
  ASSERT_EQ(import("id,name,roles,stores\nanna,Anna B,technician,aroma-2\n"), kDone);
  EXPECT_EQ(staff_.find("anna")->member.pin, kHash) << "no column says nothing";

  const std::map<std::string, std::string> wrong{
      {"id,name,roles,stores\neva,Eva,owner,all\n", "line 2: roles"},
      {"id,name,roles,stores\n\neva,Eva,,\n", "line 3: stores"},
      {"id,name,roles,stores\na/b,Eva,,all\n", "line 2: id"},
      {"id,name,roles,stores,pin_hash\neva,Eva,,all,482913\n", "line 2: pin_hash"},
      {"id,name,roles,stores,pin_hash\neva,Eva,,all,$argon2id$v=19$m=999999\n", "line 2: pin_hash"},
      {"id,name,roles,stores\neva,Eva,,all\neva,Eva,,all\n", "line 3: id"},
      {"id,name,roles\neva,Eva,\n", "line 2: stores"},
      {"id,name,roles,stores\neva,,,all\n", "name"},
      {"id,name,roles,stores,pin\neva,Eva,,all,482913\n", "unknown column \"pin\""},
      {"name,roles,stores\nEva,,all\n", "a column \"id\" is needed"},
  };
  for (const auto& [text, why] : wrong) {
    EXPECT_EQ(import(text), kUsage) << text;
    EXPECT_NE(err_.str().find(why), std::string::npos) << err_.str();
    EXPECT_EQ(err_.str().find("482913"), std::string::npos) << "no PIN: " << err_.str();
    EXPECT_EQ(err_.str().find("999999"), std::string::npos) << err_.str();
  }
  EXPECT_FALSE(staff_.find("eva"));
}

TEST_F(StaffCliTest, WhoRevokesABoxIsToldOfThePinsThatItCouldCheck) {
  ASSERT_EQ(cli({"staff", "add", "anna", "--name", "Anna", "--store", "aroma-1"}), kDone);
  ASSERT_EQ(cli({"staff", "pin", "anna"}, "482913\n"), kDone);
  ASSERT_EQ(cli({"boxes", "revoke", "aroma-2/box-1"}), kDone);
  EXPECT_EQ(err_.str().find("staff pin"), std::string::npos) << err_.str();
  ASSERT_EQ(cli({"boxes", "revoke", "aroma-1/box-1"}), kDone);
  EXPECT_NE(err_.str().find("PINs of 1 members of staff"), std::string::npos) << err_.str();
}

TEST_F(StaffCliTest, NothingOfAPinIsInStatusNorInWhatACustomerIsGiven) {
  ASSERT_EQ(cli({"staff", "add", "anna", "--name", "Anna-canary"}), kDone);
  ASSERT_EQ(cli({"staff", "pin", "anna"}, "482913\n"), kDone);
  for (const std::vector<std::string>& command : {std::vector<std::string>{"--json", "status"},
                                                  {"--json", "boxes"},
                                                  {"--json", "ledger"},
                                                  {"--json", "export", "c-paul"},
                                                  {"--json", "customer", "show", "c-paul"}}) {
    cli(command);
    EXPECT_EQ(out_.str().find("argon2"), std::string::npos) << command[1];
    EXPECT_EQ(out_.str().find("Anna-canary"), std::string::npos) << command[1];
  }
}

}  // namespace
}  // namespace welcome::crm
