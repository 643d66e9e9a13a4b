// SPDX-License-Identifier: Apache-2.0
#pragma once
// MemberLookup: whether there is a member of this number, and by which name, before anybody at the
// desk agrees to anything. The CRM is asked, as it knows those too who have not agreed to anything
// yet; without it this box says what it knows itself. Engine thread only.

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "contract/contract.h"
#include "firmware/engine/delivery.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

struct Member {
  using Known = contract::EnrolMessage::Known;
  Known known = Known::unchecked;
  std::string name;  // to be checked with whoever stands there; may be empty
  std::string page;  // where they confirm on their phone; empty: unknown
};

class MemberLookup {
 public:
  using Done = std::function<void(const Member&, const Now&)>;
  static constexpr std::chrono::seconds kPatience{5};

  MemberLookup(Shared& shared, Delivery& delivery) : shared_(shared), delivery_(delivery) {}

  void ask(const CustomerId& customer, const Now& now, Done done);
  void hear(const contract::Found& found, const Now& now);
  void end_late(const Now& now);

 private:
  struct Asked {
    CustomerId customer;
    MonoTime since;
    Done done;
  };
  Member known_here(const CustomerId& customer) const;

  Shared& shared_;
  Delivery& delivery_;
  std::map<MessageId, Asked> asked_;
};

}  // namespace welcome::daemon
