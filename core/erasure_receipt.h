// SPDX-License-Identifier: Apache-2.0
#pragma once
// ErasureReceipt: what a box did to forget a person. The store makes it, the contract signs and
// sends it, and the CRM ticks the box off if the bytes are gone.

#include <cstdint>
#include <map>
#include <string>

#include "core/ids.h"
#include "core/time.h"

namespace welcome {

struct ErasureReceipt {
  MessageId request;                         // the CRM's id of the command; names nobody
  CustomerId customer;                       // empty once the box has forgotten whom it was about
  std::map<std::string, std::int64_t> rows;  // erased, by table
  WallTime at;
  bool bytes_gone = false;  // the files were searched: no copy of the key is left in them
};

}  // namespace welcome
