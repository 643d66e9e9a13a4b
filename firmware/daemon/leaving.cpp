// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/leaving.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <string>
#include <utility>

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto kWordEvery = 2s;  // while somebody waits
constexpr auto kLastWord = 500ms;

}  // namespace

void Leaving::start(const control::Request& request, const std::shared_ptr<Answer>& answer,
                    const Now& now) {
  if (!request.by_root) return answer->error("only root can retire a box");
  if (asker_) return answer->error("it is being retired: somebody else waits for head office");
  const auto said = engine_.retire(now);
  if (!said) return answer->error(said.error().message);
  const auto seconds = std::clamp(request.args.value("seconds", 120.0), 0.0, 86400.0);
  asker_ = Asker{answer, now.mono + std::chrono::seconds(std::lround(seconds)), {}};
  tell(now);
}

bool Leaving::tick(const Now& now) {
  // Who has gone waits for nothing: also when head office's word comes before anybody noticed that.
  if (asker_ && asker_->answer->stopped()) asker_.reset();
  if (mark()) return true;
  if (asker_) tell(now);
  return end_at_ && now.mono >= *end_at_;
}

void Leaving::tell(const Now& now) {
  const auto& state = engine_.retirement();
  const bool confirmed = state && state->confirmed;
  const std::string why = confirmed ? "" : engine_.line_to_crm();
  if (confirmed || now.mono >= asker_->until) {
    asker_->answer->data(
        {{"confirmed", confirmed}, {"proof", state ? state->proof : ""}, {"waits_for", why}});
    asker_.reset();
    // A retired box does nothing more; the answer leaves before it.
    if (confirmed) end_at_ = now.mono + kLastWord;
    return;
  }
  if (now.mono < asker_->next_word) return;
  asker_->next_word = now.mono + kWordEvery;
  asker_->answer->progress("waiting for head office: " + why);
}

// Head office has the box's last word: the machine's own half may go on with it, also when the
// plug is pulled right now (firmware/ctl/reset.h). Where nobody waits for it any more this ends,
// once, so that the next start sees whether somebody began to retire it. True: it does.
bool Leaving::mark() {
  const auto& state = engine_.retirement();
  if (!state || !state->confirmed || retired_.there()) return false;
  if (!retired_.put()) {  // it is tried again with the next tick
    if (!std::exchange(complained_, true))
      spdlog::warn("that this box is retired cannot be written down: {}", std::strerror(errno));
    return false;
  }
  starts_again_ = !asker_;
  return starts_again_;
}

}  // namespace welcome::daemon
