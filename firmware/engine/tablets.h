// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tablets: the status of the store on the floor broker, and what that broker is told when it is
// met: it may know nothing of whom the tablets should show. Engine thread only.

#include <string>
#include <vector>

#include "firmware/engine/delivery.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Tablets {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual bool can_store() const = 0;
    // All but `at` and `told_all`.
    virtual contract::FloorStatus floor_status(const Now& now) const = 0;
    // Whom the tablets should show now, and afterwards: those to be taken away.
    virtual std::vector<contract::Message> prompts_now(const Now& now) = 0;
    virtual void clear_leftovers() = 0;
  };
  Tablets(Shared& shared, Delivery& delivery, Needs& needs)
      : shared_(shared), delivery_(delivery), needs_(needs) {}

  // The line is gone, or a new one is up: nothing was told on it yet.
  void forget_line();
  // Goes on with telling the broker everything, where that is not done. Call whenever the floor's
  // line has moved on, and now and then.
  void tell(const Now& now);
  // If there is news in it.
  void publish_status(const Now& now);

 private:
  bool publish_prompts(const std::vector<contract::Message>& prompts, const Now& now);

  Shared& shared_;
  Delivery& delivery_;
  Needs& needs_;
  std::string status_;         // as last published, without its time
  bool told_prompts_ = false;  // every prompt, since the line is up
  bool told_all_ = false;      // and what waited in the outbox
};

}  // namespace welcome::daemon
