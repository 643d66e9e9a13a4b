// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pauses: which functions are paused, and by whom. Head office's stand in its control messages;
// those that a lead made on a tablet are kept here. Neither lifts the other. Engine thread only.

#include <map>
#include <string>
#include <vector>

#include "contract/manage.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Pauses {
 public:
  using Here = std::map<Function, contract::PauseView::Here>;

  explicit Pauses(Shared& shared) : shared_(shared) {}

  // At start. Errors: of the store.
  Result<void> load();
  // Of this store or of all: either is enough. Errors: of the store.
  Result<bool> by_head_office(Function function) const;
  // What was ever paused, and whether it is. Errors: of the store.
  Result<std::map<Function, bool>> all() const;

  const Here& here() const { return here_; }
  // Part of a transaction; keep() once that has come to the disk.
  static void write(store::Tx& tx, const Here& here);
  void keep(Here here) { here_ = std::move(here); }

  // For who leads the shop. Errors: of the store.
  Result<std::vector<contract::PauseView>> view() const;
  // For status and lights: "offers: bothers".
  std::vector<std::string> words() const;

 private:
  Shared& shared_;
  Here here_;
};

}  // namespace welcome::daemon
