// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables of the schema, each once, with what becomes of its rows. A test fails when the schema
// has one that is not here. Internal to firmware/store.

#include <array>
#include <string_view>

namespace welcome::store {

enum class Owner : unsigned char {
  box,     // about nobody; or names nobody (keyed hashes, sealed ids)
  person,  // goes when the person is forgotten; some of it before, with a purpose (purpose_rules.h)
  customer,  // the key itself: destroyed first, collected when nothing hangs on it
  crm,       // the CRM's feed: emptied when the person is forgotten, sent again when lost
};

struct TableRule {
  std::string_view name;
  Owner owner;
  int columns = 0;  // that are brought over from a damaged file, in this order; 0: none are
  std::string_view which = "*";  // where an older version had others, too
};

// In the order in which they are brought over: keys first, because other rows refer to them.
inline constexpr std::array kTables{
    TableRule{"kept", Owner::box, 2},
    TableRule{"customer", Owner::customer, 3},
    TableRule{"tombstone", Owner::box, 2},
    TableRule{"withdrawal", Owner::box, 3},
    TableRule{"control", Owner::box, 5},
    TableRule{"counter", Owner::box, 2},
    TableRule{"visit", Owner::person, 5},
    TableRule{"decision", Owner::person, 7},
    TableRule{"state", Owner::person, 5},
    TableRule{"template", Owner::person, 5},
    TableRule{"outbox", Owner::person, 10},
    TableRule{"desk_consent", Owner::person, 4},
    TableRule{"audit", Owner::box, 8},
    TableRule{"audit_anchor", Owner::box, 2},
    TableRule{"erasure", Owner::box, 7, "request, hash, sealed, at, state, counts, bytes_gone"},
    TableRule{"meta", Owner::box},
    TableRule{"feed", Owner::crm},
    TableRule{"feed_item", Owner::crm},
    TableRule{"feed_brief", Owner::crm},
    TableRule{"feed_name", Owner::crm},
};

}  // namespace welcome::store
