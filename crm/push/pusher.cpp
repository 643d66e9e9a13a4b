// SPDX-License-Identifier: Apache-2.0
#include "crm/push/pusher.h"

#include <algorithm>
#include <map>
#include <spdlog/spdlog.h>
#include <utility>

#include "crm/token.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kLongest = 28 * 24h;  // that a service keeps anything
constexpr std::size_t kTopicSize = 32;
constexpr std::chrono::seconds kFirstPause = 5s, kLongestPause = 10min, kMostAsked = 1h;

std::chrono::seconds pause_after(std::int64_t tries) {
  const auto doubled = kFirstPause * (std::int64_t{1} << std::min<std::int64_t>(tries - 1, 10));
  return std::min<std::chrono::seconds>(doubled, kLongestPause);
}

}  // namespace

Pusher::Pusher(Crm& crm, P256 key, PushWay way)
    : crm_(crm), pushes_(crm), key_(std::move(key)), way_(std::move(way)) {}

std::optional<WallTime> Pusher::work(const Pushes::SetUp& how, WallTime now) {
  // Most of the time there is nothing: nobody waits for us to find that out.
  if (const auto next = pushes_.next(); !next || *next > now) return next;
  std::vector<Pushes::Due> due;
  {
    Transaction transaction(crm_.database());
    due = pushes_.take(how, now, kAtOnce);
    transaction.commit();
  }
  std::vector<Pushes::Due> asked;
  std::vector<PushRequest> requests;
  std::map<std::string, std::string> words;  // one signed word for each service
  for (Pushes::Due& one : due) {
    auto body = webpush::encrypted(one.receiver, one.words);
    if (!body) {
      // That is no key of a browser.
      Transaction transaction(crm_.database());
      pushes_.unsubscribe(one.session);
      transaction.commit();
      continue;
    }
    const std::string origin = one.endpoint.origin();
    if (!words.contains(origin)) {
      words[origin] = webpush::authorization(key_, origin, how.contact, now);
    }
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(one.expires_at - now);
    requests.push_back({one.endpoint, words[origin], std::min(left, kLongest), one.urgent,
                        token_hash(one.message).substr(0, kTopicSize), std::move(*body)});
    asked.push_back(std::move(one));
  }
  if (!requests.empty()) {
    const auto answers = way_(requests);
    Transaction transaction(crm_.database());
    for (std::size_t i = 0; i < asked.size(); ++i) note(asked[i], answers.at(i), now);
    transaction.commit();
  }
  return pushes_.next();
}

void Pusher::note(const Pushes::Due& due, const PushAnswer& answer, WallTime now) {
  const std::string service = due.endpoint.service();
  if (answer.status >= 200 && answer.status < 300) return pushes_.done(due);
  if (answer.status == 404 || answer.status == 410) {
    // The browser has been told to forget us, or is no more.
    return pushes_.unsubscribe(due.session);
  }
  const bool passes = answer.status == 0 || answer.status == 429 || answer.status >= 500;
  if (!passes) {
    spdlog::error("push: {} refuses a message: {}", service, answer.status);
    return pushes_.done(due);
  }
  const auto pause =
      std::max(pause_after(due.tries),
               std::min<std::chrono::seconds>(answer.retry_after.value_or(0s), kMostAsked));
  spdlog::warn("push: {} {}: again in {} s", service,
               answer.status == 0 ? answer.why : "answers " + std::to_string(answer.status),
               pause.count());
  pushes_.again(due, now + pause);
}

}  // namespace welcome::crm
