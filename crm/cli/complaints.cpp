// SPDX-License-Identifier: Apache-2.0
// complaint list, complaint answered

#include "crm/complaints.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "crm/cli/command.h"

namespace welcome::crm::cli {
namespace {

int complaint_list(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  json list = json::array();
  Table table{{"NUMBER", "CUSTOMER", "AT", "ANSWERED", "WORDS"}};
  for (const Complaint& one : complaints(*opened.db)) {
    if (one.answered_at && !call.has("all")) continue;
    list.push_back({{"number", one.number},
                    {"customer", one.customer},
                    {"at", one.at},
                    {"text", one.text},
                    {"answered_at", one.answered_at ? json(*one.answered_at) : json(nullptr)}});
    table.push_back({std::to_string(one.number), one.customer, one.at,
                     one.answered_at.value_or("-"), one.text});
  }
  return call.done(list, table);
}

int complaint_answered(const Call& call) {
  const std::string& word = call.word(0, "NUMBER");
  call.at_most(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size()) {
    throw Usage("NUMBER is what `complaint list` says");
  }
  Opened opened(call);
  Transaction transaction(*opened.db);
  if (!answer_complaint(*opened.db, number, wall_now())) {
    return call.no({ErrorCode::not_found, "there is no such complaint without an answer"});
  }
  transaction.commit();
  return call.done({{"ok", true}}, "noted as answered");
}

constexpr Option kList[] = {{"all", nullptr, "those that are answered, too", true}};

constexpr Command kComplaintCommands[] = {
    {"complaint list", "", "what customers complain of on their page, the oldest first",
     complaint_list, kList},
    {"complaint answered", "NUMBER", "somebody has answered them", complaint_answered},
};

}  // namespace

std::span<const Command> complaint_commands() { return kComplaintCommands; }

}  // namespace welcome::crm::cli
