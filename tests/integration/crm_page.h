// SPDX-License-Identifier: Apache-2.0
#pragma once
// The door of a CRM that serves elsewhere, in this process and on the same database, and a
// customer's page that asks it.

#include <memory>
#include <string>
#include <string_view>

#include "crm/door/door.h"
#include "crm/wall_clock.h"
#include "tests/integration/crm_world.h"

namespace welcome::testing {

inline const std::string kPage = "https://my.aroma.example/phone/";

class DoorOf {
 public:
  explicit DoorOf(const CrmProcess& process)
      : db(crm::open_database(process.database())),
        records(*db, crm::SigningKeys(process.keys())),
        door_(records, kPage) {}

  crm::Response ask(const char* method, const std::string& path, const std::string& cookie,
                    const json& body = json::object()) {
    crm::Request request;
    request.method = method;
    request.path = path;
    request.cookie = cookie;
    request.origin = "https://my.aroma.example";
    request.content_type = "application/json";
    if (std::string_view(method) == "POST") request.body = body.dump();
    return door_.answer(request, {MonoTime(std::chrono::seconds(1)), crm::wall_now()});
  }
  // The cookie of a device that opens this link.
  std::string open(const json& link) {
    const crm::Response in = ask("POST", "/v1/session", "", link);
    EXPECT_EQ(in.status, 204) << in.body;
    return in.set_cookie.substr(0, in.set_cookie.find(';'));
  }

  const std::unique_ptr<crm::Database> db;
  crm::Crm records;

 private:
  crm::Door door_;
};

inline json new_link(CrmProcess& crm, const std::string& customer) {
  const std::string url =
      json::parse(crm.output("link " + customer + " --page " + kPage)).at("url");
  return {{"link", url.substr(url.find("#link=") + 6)}};
}

}  // namespace welcome::testing
