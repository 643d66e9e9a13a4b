// SPDX-License-Identifier: Apache-2.0
#pragma once
// The door without a socket, asked as a page asks it.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "crm/desk_consents.h"
#include "crm/door/door.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {

using namespace std::chrono_literals;

inline constexpr const char* kPage = "https://my.aroma.example/phone/";
inline constexpr const char* kOrigin = "https://my.aroma.example";

class DoorTest : public CrmTest {
 protected:
  DoorTest() : door_(std::make_unique<Door>(*crm_, kPage)) {}
  ~DoorTest() override { door_.reset(); }

  Response ask(const std::string& method, const std::string& path, const std::string& cookie = "",
               const std::string& body = "") {
    Request request;
    request.method = method;
    request.path = path;
    request.cookie = cookie;
    request.address = address_;
    request.origin = origin_;
    request.content_type = type_;
    request.body = body;
    return door_->answer(request, {mono_, now_});
  }
  Response ask(const std::string& method, const std::string& path, const std::string& cookie,
               const json& body) {
    return ask(method, path, cookie, body.dump());
  }
  json get(const std::string& path, const std::string& cookie) {
    const Response answer = ask("GET", path, cookie);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return json::parse(answer.body);
  }
  static std::string problem_of(const Response& answer) {
    if (answer.type != "application/problem+json") return "none";
    const json body = json::parse(answer.body);
    EXPECT_EQ(body.at("status"), answer.status);
    return body.at("type").get<std::string>().substr(std::string("urn:welcomed:problem:").size());
  }

  std::string link(const std::string& customer = "c-paul") {
    Transaction transaction(*db_);
    const auto token = Sessions(*crm_).new_link(customer, now_);
    transaction.commit();
    return token.value();
  }
  Response open(const std::string& token, const std::string& cookie = "",
                const std::string& device = "Phone") {
    return ask("POST", "/v1/session", cookie, json{{"link", token}, {"device", device}});
  }
  static std::string cookie_of(const Response& answer) {
    return answer.set_cookie.substr(0, answer.set_cookie.find(';'));
  }
  std::string sign_in(const std::string& customer = "c-paul") {
    const Response answer = open(link(customer));
    EXPECT_EQ(answer.status, 204) << answer.body;
    return cookie_of(answer);
  }
  // What a desk wrote down in a customer's name.
  DeskConsents::Grant grant_of(const std::string& customer) const {
    contract::ConsentNews news;
    news.purpose = Purpose::face_recognition;
    news.given = true;
    news.at = now_;
    return {"e-1", "aroma-1", "box-1", customer, news};
  }
  // Another device of the same customer; its id.
  std::string other_device(const std::string& cookie) {
    const json me = get("/v1/me", cookie);
    for (const json& device : me.at("devices")) {
      if (device.at("this") == false) return device.at("device");
    }
    return {};
  }
  std::vector<std::string> told_since(std::int64_t position) {
    std::vector<std::string> out;
    for (const auto& news : crm_->news_after(position)) out.push_back(news.whose + " " + news.what);
    return out;
  }

  MonoTime mono_{1s};
  std::string address_ = "203.0.113.7", origin_ = kOrigin, type_ = "application/json";
  std::unique_ptr<Door> door_;
};

}  // namespace welcome::crm
