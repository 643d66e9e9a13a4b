#pragma once
// Where two rooms have a type each for the same thing. Pure; any thread.

#include "beacon/identity.h"
#include "firmware/core/identity.h"
#include "firmware/store/outbox.h"
#include "firmware/store/replica.h"
#include "sync/message.h"
#include "sync/topics.h"

namespace welcome::daemon {

beacon::IdentityKey key_of(const IdentityItem& item);

store::Link store_link(sync::LinkName link);
store::Collection store_collection(sync::Collection collection);

}  // namespace welcome::daemon
