// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/tablets.h"

#include <algorithm>

namespace welcome::daemon {

using namespace std::chrono_literals;
using contract::LinkName;

void Tablets::forget_line() {
  told_prompts_ = told_all_ = false;
  status_.clear();
}

void Tablets::tell(const Now& now) {
  if (!delivery_.side(LinkName::floor).up) return;
  // A trouble comes without a word from anybody: the status is looked at each time.
  if (told_all_) return publish_status(now);
  auto& outbox = shared_.store.outbox();
  if (!told_prompts_) {
    const auto prompts = needs_.prompts_now(now);
    const auto waiting = outbox.count();
    // A word from before must not stand there while this takes its time.
    if (!prompts.empty() || !waiting || waiting->floor > 0) publish_status(now);
    told_prompts_ = publish_prompts(prompts, now);
    needs_.clear_leftovers();
  }
  // What waited is newer than a prompt that it may take away.
  delivery_.pump(LinkName::floor, now);
  const auto waiting = outbox.count();
  told_all_ = told_prompts_ && needs_.can_store() && waiting && waiting->floor == 0;
  publish_status(now);
}

bool Tablets::publish_prompts(const std::vector<contract::Message>& prompts, const Now& now) {
  bool all = true;
  for (const auto& prompt : prompts) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*prompt.expires_at - now.wall);
    all = shared_.ports.publish(prompt, kNoRow, std::max(1s, left)) && all;
  }
  return all;
}

void Tablets::publish_status(const Now& now) {
  if (!delivery_.side(LinkName::floor).up) return;
  contract::FloorStatus status = needs_.floor_status(now);
  status.told_all = told_all_;
  const std::string without_time = contract::encode_floor_status(status).payload;
  if (without_time == status_) return;
  status.at = now.wall;
  if (shared_.ports.publish(contract::encode_floor_status(status), kNoRow, std::nullopt)) {
    status_ = without_time;
  }
}

}  // namespace welcome::daemon
