// SPDX-License-Identifier: Apache-2.0
#pragma once
// RehearsalStage: invented customers on the tablets, for practice. Straight to the tablets: nothing
// of it is in the outbox or in any table, but for the ids of what is shown, so that a box that is
// killed can take it away when it is back. Engine thread only.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/rehearsal.h"
#include "firmware/engine/delivery.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class RehearsalStage {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
    virtual void status_changed(const Now& now) = 0;
  };
  RehearsalStage(Shared& shared, const Delivery& delivery, Needs& needs)
      : shared_(shared), delivery_(delivery), needs_(needs) {}

  // What a box that was killed in a rehearsal had shown.
  void load();
  // `by`: who, for the audit trail.
  Result<void> start(const std::string& by, const Now& now);
  Result<void> stop(const std::string& by, const Now& now);
  bool running() const { return rehearsal_.has_value(); }
  void tick(const Now& now);
  // False: it is not about an invented customer.
  bool staff(const StaffAction& action, const Now& now);

  // What is shown now, for a broker that is met again; then what is to be taken away.
  std::vector<contract::Message> shown() const;
  void clear_leftovers();

 private:
  Result<void> note(const std::string& by, const std::string& what, const Now& now);
  void show(const Effects& effects, const Now& now);
  void remember_shown();

  Shared& shared_;
  const Delivery& delivery_;
  Needs& needs_;
  std::optional<Rehearsal> rehearsal_;
  std::optional<MonoTime> wake_;
  std::map<VisitId, contract::Message> prompts_;  // on the tablets now
  std::vector<VisitId> leftovers_;                // to be cleared when the floor is up
  std::string register_;                          // as last written
};

}  // namespace welcome::daemon
