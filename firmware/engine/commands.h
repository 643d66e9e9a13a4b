// SPDX-License-Identifier: Apache-2.0
#pragma once
// Commands: what the CRM tells this box to do, done and answered. Engine thread only.

#include <string>
#include <vector>

#include "firmware/engine/delivery.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Commands {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
    virtual void decide(const Event& event, const Now& now) = 0;
    [[nodiscard]] virtual Result<void> decide_and_store(const Event& event, const Now& now) = 0;
    // False: it is held back, because nothing is decided now.
    virtual bool claim(IdentityClaim claim, const Now& now) = 0;
    // What was given at the desk was not confirmed as theirs.
    [[nodiscard]] virtual Result<void> take_back(const CustomerId& customer,
                                                 const std::vector<MessageId>& events,
                                                 contract::Command::Reason why, const Now& now) = 0;
    virtual std::string diagnostics() = 0;
    // The person is about to go off the disk.
    virtual void erasing(const CustomerId& customer) = 0;
    // The person is off the disk: keys, templates and what was opened go from memory.
    virtual void erased(const CustomerId& customer, const Now& now) = 0;
  };
  Commands(Shared& shared, Delivery& delivery, const contract::Signer& signer, Needs& needs)
      : shared_(shared), delivery_(delivery), signer_(signer), needs_(needs) {}

  void obey(const contract::Command& command, const Now& now);
  // Receipts that are not on their way yet; also at start: the power may have gone between an
  // erasure and its report.
  void report_erasures(const Now& now);
  // Bytes that did not go are tried again.
  void scrub_again();
  // Everything the box holds on a person, with its entry in the audit trail or not at all.
  Result<std::string> export_person(const CustomerId& customer, std::string_view by,
                                    const Now& now);

 private:
  Result<std::string> carry_out(const contract::Command& command, const Now& now);
  void answer(const contract::Command& command, const Result<std::string>& what, const Now& now);
  Result<std::string> export_for_crm(const CustomerId& customer, const Now& now);
  Result<std::string> configure(const contract::Command& command, const Now& now);
  Result<std::string> presence(const contract::Command& command, const Now& now);
  Result<std::string> erase(const contract::Command& command, const Now& now);
  Result<std::string> erased_before(const contract::Command& command, const Now& now);

  Shared& shared_;
  Delivery& delivery_;
  const contract::Signer& signer_;  // the box's own key
  Needs& needs_;
};

}  // namespace welcome::daemon
