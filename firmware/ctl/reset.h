// SPDX-License-Identifier: Apache-2.0
#pragma once
// Back to as installed: what makes this machine a box of somebody's goes, the key first, so that
// all it has sealed is unreadable from then on. Stopped anywhere (the power is cut) it is begun and
// not ended, which a mark on the disk says: it is ended by whoever says the same again, and by the
// service before it opens anything. One thread; root.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace welcome::ctl {

struct ResetOrder {
  bool all = false;  // the owner's own configuration, too
  std::string state_dir = "/var/lib/welcomed";
  // Not before head office has the box's last word, which the daemon notes in the state directory
  // (firmware/daemon/retired_mark.h). Until then nothing is begun.
  bool when_retired = false;
};

class Reset {
 public:
  // Told before each thing that is done: for tests that cut the power there.
  using Step = std::function<void(std::string_view what)>;

  // `root`: where the machine's / is; a card that is in another machine has it elsewhere.
  explicit Reset(std::filesystem::path root = "/", Step step = {});

  // From here on it is begun. Again: the wider of both orders. Errors: refused (what stands in that
  // folder may not be a box's), unavailable.
  Result<void> begin(const ResetOrder& order) const;
  // Nothing: none is begun. A mark that cannot be read is one that wants everything gone.
  std::optional<ResetOrder> begun() const;
  // What waits for head office is called off; what is begun goes on.
  Result<void> call_off() const;
  std::filesystem::path mark() const;
  // Does all of it, or what is left of it. `in_service`: asked by the service itself, which cannot
  // wait for its own end. Errors: unavailable, refused (a program failed).
  Result<void> finish(const ResetOrder& order, bool in_service) const;

 private:
  std::filesystem::path at(const char* path) const;
  std::optional<ResetOrder> ordered() const;
  void note(std::string_view what) const;
  bool systemd_runs() const;
  Result<void> stop_service() const;
  // Of the credentials, those whose names begin so.
  Result<void> destroy(std::string_view beginning) const;
  Result<void> remove(const std::filesystem::path& what) const;
  Result<void> remove_in(const std::filesystem::path& folder) const;
  Result<void> remove_provisioned() const;
  Result<void> remove_accounts() const;
  Result<void> as_installed() const;
  Result<void> leave_systemd() const;

  const std::filesystem::path root_;
  const Step step_;
};

}  // namespace welcome::ctl
