// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a box says to a tablet in the course of an enrolment. Pure.

#include <string>
#include <string_view>

#include "contract/contract.h"
#include "firmware/engine/member_lookup.h"
#include "vision/enrolment.h"

namespace welcome::daemon {

// How the contract says it; what it has no word for is left to the picture on the tablet.
std::string_view hint_of(vision::Guidance guidance, int views);

contract::EnrolMessage member_is(const Member& member);
contract::EnrolMessage guide_with(std::string hint, int views, int needed);
contract::EnrolMessage done_with(int views);
contract::EnrolMessage failed_for(std::string reason);
contract::EnrolMessage failed_for(vision::EnrolmentEnd why);
contract::EnrolMessage::Confirmed taken_back_for(contract::Command::Reason why);

}  // namespace welcome::daemon
