// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lights: how each box is, as it said last (contract::LightState), and since when; and the whole
// status of one that was asked for it.
//
// take(), ask() and answered() run inside the caller's Transaction. One thread.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "crm/crm.h"
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
  explicit Lights(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // A box of before 1.9, or one that has just begun, says none: then what it said before stays.
  void take(const std::string& store, const std::string& box,
            const std::vector<contract::LightState>& lights, WallTime at);
  // Of every box that is admitted; of one store, unless that is empty.
  std::vector<BoxLights> fleet(const std::string& store = {});

  // How long a question waits for its box.
  static constexpr std::chrono::minutes kAskFor{10};
  // Returns the id of the question. Errors: not_found (the box is not admitted).
  Result<std::string> ask(const std::string& store, const std::string& box, WallTime now);
  // What a box answers to another question, or to none, is not kept.
  void answered(const std::string& store, const std::string& box,
                const contract::CommandResponse& answer);
  // The status, JSON; nothing: it has not answered yet.
  std::optional<std::string> answer_to(const std::string& question);

 private:
  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
