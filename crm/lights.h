// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lights: how each box is, as it said last (contract::LightState), and since when.
//
// take() runs inside the caller's Transaction. One thread.

#include <string>
#include <vector>

#include "contract/contract.h"
#include "crm/database.h"

namespace welcome::crm {

struct BoxLight {
  std::string light, lamp, what, since;
};

struct BoxLights {
  std::string store, box, state, version, seen_at;
  std::vector<BoxLight> lights;  // none: it never said
};

class Lights {
 public:
  explicit Lights(Database& db) : db_(db) {}

  // A box of before 1.9, or one that has just begun, says none: then what it said before stays.
  void take(const std::string& store, const std::string& box,
            const std::vector<contract::LightState>& lights, WallTime at);
  // Of every box that is admitted; of one store, unless that is empty.
  std::vector<BoxLights> fleet(const std::string& store = {});

 private:
  Database& db_;
};

}  // namespace welcome::crm
