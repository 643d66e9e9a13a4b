// SPDX-License-Identifier: Apache-2.0
// Who may ask for what; what is answered is in handlers.cpp.

#include "crm/door/door.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <optional>
#include <spdlog/spdlog.h>
#include <typeinfo>
#include <utility>

#include "core/hex.h"
#include "crm/door/answers.h"
#include "crm/door/ask.h"

namespace welcome::crm {
namespace {

constexpr std::string_view kCookie = "__Host-welcome";
constexpr std::size_t kPathMost = 512;

// Of one address: a shop's guests may share one. Of one device: a person, a page, and retries.
constexpr Limit::Rate kPerAddress{400, 100};
constexpr Limit::Rate kPerSession{60, 20};
// Tries of a link, a passkey, or a box's code. It cannot be guessed; this keeps the log and the
// database quiet.
constexpr Limit::Rate kLinks{20, 0.2};
// Challenges of all who are not signed in, wherever they are: each is a row for five minutes.
constexpr Limit::Rate kChallenges{500, 20};

// One cookie of ours; two are somebody's trick, or a broken browser.
struct Cookie {
  std::string token;
  bool twice = false;
};

Cookie our_cookie(std::string_view header) {
  Cookie out;
  bool found = false;
  while (!header.empty()) {
    const auto end = std::min(header.find(';'), header.size());
    std::string_view one = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    const auto equals = one.find('=');
    if (one.substr(0, equals) != kCookie) continue;
    out.twice = found;
    found = true;
    out.token = equals == std::string_view::npos ? "" : std::string(one.substr(equals + 1));
    if (out.twice) break;
  }
  return out;
}

// The segments of a path, each without its percent signs. Nothing: it is no path.
std::optional<std::vector<std::string>> segments(std::string_view path) {
  if (!path.starts_with('/') || path.size() > kPathMost) return std::nullopt;
  std::vector<std::string> out(1);
  for (std::size_t i = 1; i < path.size(); ++i) {
    if (path[i] == '/') {
      out.emplace_back();
    } else if (path[i] == '%') {
      std::array<std::uint8_t, 1> byte{};
      if (!from_hex(path.substr(i + 1, 2), byte) || byte[0] == 0) return std::nullopt;
      out.back() += static_cast<char>(byte[0]);
      i += 2;
    } else {
      out.back() += path[i];
    }
  }
  return out;
}

// What stands for {…} when it is this path.
std::optional<std::vector<std::string>> words_of(std::string_view pattern,
                                                 const std::vector<std::string>& path) {
  std::vector<std::string> words;
  const auto wanted = segments(pattern);
  if (!wanted || wanted->size() != path.size()) return std::nullopt;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if ((*wanted)[i].starts_with('{')) {
      if (path[i].empty()) return std::nullopt;
      words.push_back(path[i]);
    } else if ((*wanted)[i] != path[i]) {
      return std::nullopt;
    }
  }
  return words;
}

// For the log: the pattern, without what stands for {…}.
std::string route_of(const Request& request) {
  const auto path = segments(request.path);
  for (const Door::Route& route : Door::routes()) {
    if (path && request.method == route.method && words_of(route.path, *path)) {
      return std::string(route.method) + " " + route.path;
    }
  }
  return "an unknown path";
}

bool is_json(std::string_view type) {
  const std::string_view name = type.substr(0, type.find(';'));
  constexpr std::string_view kJson = "application/json";
  return name.size() >= kJson.size() &&
         std::equal(kJson.begin(), kJson.end(), name.begin(),
                    [](char a, char b) {
                      return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
                    }) &&
         name.find_first_not_of(' ', kJson.size()) == std::string_view::npos;
}

// Nesting is cheap to send and dear to walk.
std::optional<json> object_in(const std::string& text) {
  constexpr int kDeepest = 8;
  const auto not_too_deep = [](int depth, json::parse_event_t, json&) {
    if (depth > kDeepest) throw std::length_error("too deep");
    return true;
  };
  try {
    json out = json::parse(text, not_too_deep);
    if (out.is_object()) return out;
  } catch (const json::exception&) {
  } catch (const std::length_error&) {
  }
  return std::nullopt;
}

Response slow_down() {
  return again_later(429, "too-many-requests", "Too many requests: again a little later");
}

Response signed_out() {
  Response out = problem(401, "signed-out", "This device is not signed in (any more)");
  out.set_cookie = session_cookie("");
  return out;
}

}  // namespace

Response problem(int status, const char* name, const char* title) {
  Response out;
  out.status = status;
  out.type = "application/problem+json";
  out.body = json{
      {"type", std::string("urn:welcomed:problem:") + name},
      {"title", title},
      {"status",
       status}}.dump();
  return out;
}

std::string session_cookie(const std::string& token) {
  const auto life = token.empty() ? std::chrono::seconds(0) : Sessions::kLife;
  return std::string(kCookie) + "=" + token +
         "; Path=/; Max-Age=" + std::to_string(std::chrono::seconds(life).count()) +
         "; HttpOnly; Secure; SameSite=Strict";
}

std::string origin_of(std::string_view page) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!page.starts_with(scheme)) continue;
    const auto end = page.find('/', scheme.size());
    if (end == std::string_view::npos || end == scheme.size()) return {};
    const bool clean = page.find_first_of("?#@\"\\ ") == std::string_view::npos;
    return clean ? std::string(page.substr(0, end)) : std::string();
  }
  return {};
}

Door::Door(Crm& crm, std::string page)
    : crm_(crm),
      db_(crm.database()),
      intake_(crm),
      sessions_(crm),
      passkeys_(crm),
      pushes_(crm),
      page_(std::move(page)),
      origin_(origin_of(page_)),
      per_address_(kPerAddress),
      per_session_(kPerSession),
      links_(kLinks),
      challenges_(kChallenges) {}

std::span<const Door::Route> Door::routes() {
  static constexpr Route kRoutes[] = {
      {"POST", "/v1/session", Who::anybody, &Door::open_session},
      {"DELETE", "/v1/session", Who::device, &Door::end_session},
      {"POST", "/v1/session/challenge", Who::anybody, &Door::sign_in_challenge},
      {"POST", "/v1/session/passkey", Who::anybody, &Door::open_session_by_passkey},
      {"GET", "/v1/me", Who::device, &Door::me},
      {"POST", "/v1/consents", Who::device, &Door::set_consent},
      {"POST", "/v1/desk-consents/{question}", Who::device, &Door::answer_desk},
      {"POST", "/v1/desk-code", Who::device, &Door::desk_code},
      {"GET", "/v1/offers", Who::device, &Door::offers},
      {"POST", "/v1/offers/{decision}/{outcome}", Who::device, &Door::offer_outcome},
      {"POST", "/v1/complaints", Who::device, &Door::complain},
      {"POST", "/v1/met", Who::device, &Door::set_met},
      {"POST", "/v1/details", Who::device, &Door::set_details},
      {"POST", "/v1/surveys/{survey}/answer", Who::device, &Door::answer_survey},
      {"POST", "/v1/surveys/{survey}/dismiss", Who::device, &Door::dismiss_survey},
      {"DELETE", "/v1/devices/{device}", Who::device, &Door::revoke_device},
      {"POST", "/v1/passkeys/challenge", Who::device, &Door::passkey_challenge},
      {"POST", "/v1/passkeys", Who::fresh_device, &Door::add_passkey},
      {"POST", "/v1/passkeys/confirm", Who::device, &Door::confirm_passkey},
      {"DELETE", "/v1/passkeys/{passkey}", Who::device, &Door::remove_passkey},
      {"POST", "/v1/push", Who::device, &Door::start_push},
      {"DELETE", "/v1/push", Who::device, &Door::end_push},
      {"POST", "/v1/link", Who::fresh_device, &Door::new_link},
      {"POST", "/v1/export", Who::fresh_device, &Door::export_data},
      {"POST", "/v1/forget", Who::fresh_device, &Door::forget},
      {"GET", "/v1/events", Who::device, &Door::events},
      {"GET", "/v1/erasures/{token}", Who::anybody, &Door::erasure},
      {"GET", "/v1/erasures/{token}/events", Who::anybody, &Door::erasure_events},
      {"POST", "/v1/provision", Who::box, &Door::provision_box},
  };
  return kRoutes;
}

Response Door::answer(const Request& request, Now now) {
  try {
    if (!per_address_.take(request.address, now.mono)) return slow_down();
    const auto path = segments(request.path);
    std::string allow;
    for (const Route& route : routes()) {
      auto words = path ? words_of(route.path, *path) : std::nullopt;
      if (!words) continue;
      if (request.method == route.method) return checked(route, request, std::move(*words), now);
      allow += (allow.empty() ? "" : ", ") + std::string(route.method);
    }
    if (allow.empty()) return problem(404, "unknown-path", "There is nothing here");
    Response out = problem(405, "method", "This cannot be asked in this way");
    out.allow = allow;
    return out;
  } catch (const json::exception&) {
    return problem(400, "malformed", "The request is not as described");
  } catch (const DatabaseError& error) {
    spdlog::error("the door: the database: {}", error.what());
    return again_later(503, "unavailable", "Not possible now: again a little later");
  } catch (const std::exception& error) {
    // Our own mistake. What it says may be about somebody; where it is from is enough.
    spdlog::error("the door: {} at {}", typeid(error).name(), route_of(request));
    return problem(500, "internal", "That went wrong here");
  }
}

// What only our own page sends, and a box. An empty body: nothing is wrong.
Response Door::refuse_foreign(const Route& route, const Request& request) const {
  if (request.method == "GET") return {};
  if (request.origin != (route.who == Who::box ? std::string() : origin_)) {
    return problem(403, "foreign-origin", "This was not sent by the page that belongs here");
  }
  if (!request.body.empty() || request.method == "POST") {
    if (!is_json(request.content_type)) return problem(415, "not-json", "The body is to be JSON");
  }
  return {};
}

std::optional<Session> Door::known_session(const Request& request, WallTime now) {
  return sessions_.find(our_cookie(request.cookie).token, now);
}

std::optional<Session> Door::who_asks(const Request& request, Now now) {
  auto session = known_session(request, now.wall);
  if (session && !sessions_.seen_lately(*session, now.wall)) {
    Transaction transaction(db_);
    sessions_.saw(*session, now.wall);
    transaction.commit();
  }
  return session;
}

Response Door::checked(const Route& route, const Request& request, std::vector<std::string> words,
                       Now now) {
  if (Response no = refuse_foreign(route, request); !no.body.empty()) return no;
  if (our_cookie(request.cookie).twice) {
    return problem(400, "two-cookies", "The session was sent twice");
  }
  Ask ask{request, std::move(words), json::object(), {}, now};
  if (!request.body.empty()) {
    auto body = object_in(request.body);
    if (!body) return problem(400, "malformed", "The body is no JSON object, or nested too deep");
    ask.body = std::move(*body);
  }
  if (route.who == Who::anybody || route.who == Who::box) return (this->*route.handler)(ask);
  auto session = who_asks(request, now);
  if (!session) return signed_out();
  if (!per_session_.take(session->id, now.mono)) return slow_down();
  if (route.who == Who::fresh_device && !session->fresh(now.wall)) {
    return step_up_needed();
  }
  ask.session = std::move(*session);
  return (this->*route.handler)(ask);
}

bool Door::may_listen(const Stream& stream, WallTime now) {
  return stream.session.empty() || sessions_.is_open(stream.session, now);
}

}  // namespace welcome::crm
