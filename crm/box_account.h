// SPDX-License-Identifier: Apache-2.0
#pragma once
// The account of a box at the central broker: its address, and the rules that are its own
// (packaging/broker/central-box.acl.in; what is the same for all boxes stands in central.acl).

#include <string>

#include "contract/topics.h"

namespace welcome::crm {

std::string acl_lines(const contract::BoxAddress& box);

}  // namespace welcome::crm
