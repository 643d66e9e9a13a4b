// SPDX-License-Identifier: Apache-2.0
#pragma once
// A CRM in a temporary database, with one customer who gave every purpose.

#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sodium.h>
#include <string>
#include <utility>

#include "crm/crm.h"
#include "crm/database.h"
#include "crm/intake.h"
#include "crm/schema.h"

namespace welcome::crm {

inline WallTime at(const std::string& text) { return contract::from_rfc3339(text).value(); }

class CrmTest : public ::testing::Test {
 protected:
  CrmTest() {
    EXPECT_GE(sodium_init(), 0);
    dir_ = std::filesystem::temp_directory_path() / ("welcome-crm-test-" + contract::new_uuid());
    std::filesystem::create_directory(dir_);
    db_ = open_sqlite(path());
    migrate(*db_);
    Settings settings;
    settings.tenant = "demo";
    settings.controller = "Aroma Ltd";
    Crm::init(*db_, settings);
    crm_ = std::make_unique<Crm>(*db_, SigningKeys(SigningKeys::usual_folder(path())));
    intake_ = std::make_unique<Intake>(*crm_);
    Transaction transaction(*db_);
    add("c-paul", "a-paul");
    for (const Purpose purpose : kAllPurposes) consent("c-paul", purpose, true, kJanuary);
    const auto variant = [](const char* id) {
      return json{
          {"id", id}, {"title", {{"en", "An espresso?"}}}, {"text", {{"en", "It is on us."}}}};
    };
    EXPECT_TRUE(crm_->put_campaign({{"campaign", "k-espresso"},
                                    {"name", "Espresso"},
                                    {"trigger", {{"on", "pass_by"}}},
                                    {"variants", {variant("a"), variant("b<")}},
                                    {"code", "ESP"}}));
    transaction.commit();
  }
  ~CrmTest() override {
    intake_.reset();
    crm_.reset();
    db_.reset();
    std::filesystem::remove_all(dir_);
  }

  // The database without the tables and columns that came after this version. What a later one took
  // away is not there again.
  void back_to(std::int64_t version) {
    const auto columns = [](Database& db) {
      std::set<std::pair<std::string, std::string>> out;
      for (const Row& row : db.query(
               "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c "
               "WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%'")) {
        out.emplace(row.text(0), row.text(1));
      }
      return out;
    };
    const auto old = open_sqlite(":memory:");
    migrate(*old, version);
    const auto then = columns(*old);
    const auto indices = [](Database& db) {
      std::set<std::string> out;
      for (const Row& row :
           db.query("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"))
        out.insert(row.text(0));
      return out;
    };
    const auto known = indices(*old);
    for (const std::string& index : indices(*db_)) {
      if (!known.contains(index)) db_->define("DROP INDEX " + index);
    }
    std::set<std::string> tables, gone;
    for (const auto& [table, column] : then) tables.insert(table);
    for (const auto& [table, column] : columns(*db_)) {
      if (!tables.contains(table)) {
        if (gone.insert(table).second) db_->define("DROP TABLE " + table);
      } else if (!then.contains({table, column})) {
        db_->define("ALTER TABLE " + table + " DROP COLUMN " + column);
      }
    }
    db_->execute("UPDATE schema_version SET version = $1", {version});
  }

  std::string path() const { return (dir_ / "crm.db").string(); }

  void add(const std::string& customer, const std::string& app) {
    ASSERT_TRUE(
        crm_->put_customer({{"customer", customer}, {"name", "Name of " + customer}}, app, now_));
  }
  void consent(const std::string& customer, Purpose purpose, bool given, WallTime when) {
    ASSERT_TRUE(crm_->set_consent({.customer = customer,
                                   .purpose = purpose,
                                   .given = given,
                                   .at = when,
                                   .how = "crm",
                                   .notice = {},
                                   .expires_at = {}},
                                  std::max(now_, when)));
  }
  void see_box(const std::string& store, const std::string& box) {
    db_->execute(
        "INSERT INTO box (store, box, state, session, version, seen_at) "
        "VALUES ($1, $2, 'online', 1, '1', $3)",
        {store, box, contract::to_rfc3339(now_)});
  }
  // An event as it comes from a box; returns whether it was new.
  bool event(const std::string& id, const std::string& type, const std::string& customer,
             const json& data, const std::string& box = "box-1") {
    json envelope = {{"specversion", "1.0"},
                     {"id", id},
                     {"source", "/demo/aroma-1/" + box},
                     {"type", "com.welcomed." + type + ".v1"},
                     {"time", contract::to_rfc3339(now_)},
                     {"datacontenttype", "application/json"},
                     {"data", data}};
    if (!customer.empty()) envelope["subject"] = customer;
    const contract::RawMessage raw{"welcome/v1/demo/aroma-1/" + box + "/event", envelope.dump(),
                                   false, "", ""};
    const auto decoded = contract::decode_for_crm("demo", raw);
    EXPECT_TRUE(decoded) << decoded.error().message;
    return intake_->take_event(decoded->box, std::get<contract::EventMessage>(decoded->message),
                               now_);
  }
  // What a customer asks for on their page; returns why nothing was done.
  std::string request(const std::string& customer, const json& body) {
    json whole = body;
    whole["v"] = 1;
    const std::string text = whole.dump();
    const auto decoded = contract::decode_door_request(text);
    EXPECT_TRUE(decoded) << decoded.error().message;
    return intake_->do_request(customer, *decoded, text, now_);
  }
  // What a box says of an erasure; without a signer it is not signed.
  json receipt(const std::string& erasure, const std::string& customer,
               const contract::Signer* signer = nullptr, const std::string& box = "box-1",
               const json& bytes_gone = true) {
    json data = {{"command", erasure},
                 {"box", box},
                 {"customer", customer},
                 {"erased", {{"visits", 3}}},
                 {"at", contract::to_rfc3339(now_)}};
    if (!bytes_gone.is_null()) data["bytes_gone"] = bytes_gone;
    return signer == nullptr ? data : json::parse(signer->sign(data.dump()).value());
  }
  bool offer(const std::string& id, const std::string& decision, const std::string& customer,
             const std::string& variant = "a") {
    return event(id, "decision.offer", customer,
                 {{"decision", decision},
                  {"visit", "v-1"},
                  {"campaign", "k-espresso"},
                  {"variant", variant},
                  {"language", "en"},
                  {"title", "An espresso?"},
                  {"text", "It is on us."},
                  {"code", "ESP"},
                  {"expires_at", contract::to_rfc3339(now_ + std::chrono::minutes(10))}});
  }
  // What their page would show, whatever they give now; the newest first.
  std::vector<json> page(const std::string& customer) {
    std::vector<json> out;
    for (const Row& row : db_->query(
             "SELECT body FROM app_message WHERE customer = $1 ORDER BY at DESC", {customer})) {
      out.push_back(json::parse(row.text(0)));
    }
    return out;
  }
  std::vector<std::string> notes() {
    std::vector<std::string> out;
    for (const Row& row : db_->query("SELECT note FROM ledger ORDER BY position", {})) {
      out.push_back(row.text(0));
    }
    return out;
  }

  const WallTime kJanuary = at("2026-01-12T09:30:00Z");
  const WallTime kMay = at("2026-05-04T08:15:30Z");
  WallTime now_ = kMay;
  std::filesystem::path dir_;
  std::unique_ptr<Database> db_;
  std::unique_ptr<Crm> crm_;
  std::unique_ptr<Intake> intake_;
};

}  // namespace welcome::crm
