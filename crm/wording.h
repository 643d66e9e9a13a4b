// SPDX-License-Identifier: Apache-2.0
#pragma once
// The words that a customer reads are head office's: the CRM makes them from campaign and policy,
// and takes nothing but their names from a box. What is over, or was never there, has no words.
//
// Reads the database. One thread.

#include <chrono>
#include <optional>
#include <string>

#include "core/campaign.h"
#include "core/time.h"
#include "crm/crm.h"

namespace welcome::crm {

struct OfferWords {
  std::string title, text, code;
  std::chrono::milliseconds lives{};
};

struct SurveyWords {
  SurveyKind kind = SurveyKind::nps;
  std::string question;
  std::chrono::milliseconds lives{};
};

std::optional<OfferWords> words_of_offer(Crm& crm, const std::string& customer,
                                         const std::string& campaign, const std::string& variant,
                                         WallTime now);
std::optional<SurveyWords> words_of_survey(Crm& crm, const std::string& customer,
                                           const std::string& survey);

}  // namespace welcome::crm
