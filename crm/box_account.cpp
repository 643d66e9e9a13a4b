// SPDX-License-Identifier: Apache-2.0
#include "crm/box_account.h"

namespace welcome::crm {

std::string acl_lines(const contract::BoxAddress& box) {
  return "user " + contract::address_text(box) + "\ntopic read " +
         contract::control_topic(box.tenant, box.store) + "\ntopic read " +
         contract::control_topic(box.tenant, contract::kAllStores) + "\n";
}

}  // namespace welcome::crm
