// SPDX-License-Identifier: Apache-2.0
// Whatever is sent to the door, by somebody who is signed in and by somebody who is not: every
// answer is one that the page can read, and no other customer hears or loses anything.
//
// Input: a line METHOD PATH, a line with the Cookie (S in it stands for the session), a line with
// the Origin (O: the page's), a line with the Content-Type (J: JSON), and the body.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <sodium.h>
#include <string>

#include "crm/database.h"
#include "crm/door/door.h"
#include "crm/door/passkeys.h"

namespace {

using namespace welcome;
using namespace welcome::crm;
using namespace std::chrono_literals;

constexpr int kInputsEach = 2000;  // then a new database: it does not grow without end
// What is gone stays gone; to look after each input would halve how many are tried.
constexpr int kLookEach = 20;

struct Bench {
  Bench() : db(made()), crm(*db), door(crm, "https://my.aroma.example/phone/") {
    Transaction transaction(*db);
    Sessions sessions(crm);
    for (const std::string& who : {std::string("c-paul"), other}) {
      if (!crm.put_customer({{"customer", who}, {"name", who}}, "a-" + who, now.wall)) {
        std::abort();
      }
    }
    session = sessions.open("c-paul", "Phone", now.wall);
    sessions.open(other, "Phone", now.wall);
    for (const std::string& who : {std::string("c-paul"), other}) {
      Passkeys(crm).handle_of(who);
      Passkeys(crm).add(who, {"of " + who, "no key", 0}, "Phone", now.wall);
    }
    PageMessage survey;
    survey.id = MessageId("m-1");
    survey.kind = PageMessage::Kind::survey;
    survey.survey = "s-1";
    survey.question = "How was it?";
    survey.at = now.wall;
    survey.expires_at = now.wall + 1h;
    crm.to_page("c-paul", survey, {});
    transaction.commit();
  }
  static std::unique_ptr<Database> made() {
    if (sodium_init() < 0) std::abort();
    auto db = open_sqlite(":memory:");
    migrate(*db);
    Settings settings;
    settings.tenant = "demo";
    settings.controller = "Aroma Ltd";
    Crm::init(*db, settings);
    return db;
  }

  Now now{MonoTime(1s), WallTime(1'777'000'000'000ms)};
  // Of somebody else.
  const std::string other = "c-" + contract::new_uuid();
  std::unique_ptr<Database> db;
  Crm crm;
  Door door;
  std::string session;
  int inputs = 0;
};

std::string line(std::string& text) {
  const auto end = std::min(text.find('\n'), text.size());
  std::string out = text.substr(0, end);
  text.erase(0, std::min(end + 1, text.size()));
  return out;
}

void put(std::string& text, char sign, const std::string& words) {
  if (const auto at = text.find(sign); at != std::string::npos) text.replace(at, 1, words);
}

void must_be_answered(const Response& answer, const std::string& other) {
  if (answer.status < 200 || answer.status > 599) std::abort();
  if (answer.stream) return;
  if ((answer.status == 204) != answer.body.empty()) std::abort();
  if (answer.body.empty()) return;
  const json body = json::parse(answer.body);
  if (answer.status >= 400 && body.at("status") != answer.status) std::abort();
  if (answer.body.find(other) != std::string::npos) std::abort();
}

// Nothing was done to the other customer.
void must_be_as_before(Bench& bench) {
  if (Sessions(bench.crm).devices(bench.other, bench.now.wall).size() != 1) std::abort();
  if (Passkeys(bench.crm).of(bench.other).size() != 1) std::abort();
}

bool is_signed_out(Bench& bench) {
  return !bench.crm.app_of("c-paul") ||
         Sessions(bench.crm).devices("c-paul", bench.now.wall).empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::unique_ptr<Bench> bench;
  if (bench && bench->inputs % kLookEach == 0) {
    must_be_as_before(*bench);
    if (is_signed_out(*bench)) bench.reset();
  }
  if (!bench || ++bench->inputs > kInputsEach) bench = std::make_unique<Bench>();
  std::string text(reinterpret_cast<const char*>(data), size);
  // A fuzzer learns it from comparisons, and an answer repeats what its own customer wrote.
  if (text.find(bench->other) != std::string::npos) return 0;
  std::string first = line(text);
  Request request;
  request.method = first.substr(0, first.find(' '));
  if (first.find(' ') != std::string::npos) request.path = first.substr(first.find(' ') + 1);
  request.cookie = line(text);
  put(request.cookie, 'S', "__Host-welcome=" + bench->session);
  request.origin = line(text);
  put(request.origin, 'O', "https://my.aroma.example");
  request.content_type = line(text);
  put(request.content_type, 'J', "application/json");
  request.body = text;
  request.address = "203.0.113.7";
  bench->now.mono += 1s;  // no limit is what is looked for here
  bench->now.wall += 1ms;
  must_be_answered(bench->door.answer(request, bench->now), bench->other);
  return 0;
}
