// SPDX-License-Identifier: Apache-2.0
#pragma once
// Leaving: somebody at the control socket retires this box, and waits until head office has its
// last word (Retirement). Engine thread.

#include <filesystem>
#include <memory>
#include <optional>

#include "core/time.h"
#include "firmware/control/protocol.h"
#include "firmware/daemon/control_server.h"
#include "firmware/daemon/retired_mark.h"
#include "firmware/engine/engine.h"

namespace welcome::daemon {

class Leaving {
 public:
  Leaving(Engine& engine, const std::filesystem::path& state_dir)
      : engine_(engine), retired_(state_dir) {}

  // Until head office has it, or nobody waits any longer.
  void start(const control::Request& request, const std::shared_ptr<Answer>& answer,
             const Now& now);
  // True: the box is retired, and the daemon ends.
  bool tick(const Now& now);
  // It ends so that the next start sees whether somebody began to retire it.
  bool starts_again() const { return starts_again_; }

 private:
  struct Asker {
    std::shared_ptr<Answer> answer;
    MonoTime until;
    MonoTime next_word;
  };
  void tell(const Now& now);
  bool mark();

  Engine& engine_;
  RetiredMark retired_;
  std::optional<Asker> asker_;
  std::optional<MonoTime> end_at_;
  bool starts_again_ = false;
  bool complained_ = false;  // of the mark that cannot be written
};

}  // namespace welcome::daemon
