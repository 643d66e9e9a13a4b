// SPDX-License-Identifier: Apache-2.0
#pragma once
// The numbers of the day, for whoever runs the shop: counted of what the box holds each time they
// are asked for, so that a restart loses nothing, and who withdrew is in none of them any more.
// Engine thread only.

#include "contract/manage.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

// The local midnight before `t`.
WallTime start_of_day(const StoreClock& clock, WallTime t);

// Visits of those who let them be counted (visit_analytics), and which this box tells of; all
// offers. The rest of Today is not in it. Errors: of the store.
Result<contract::Today> count_today(const Shared& shared, const Now& now);

}  // namespace welcome::daemon
