// SPDX-License-Identifier: Apache-2.0
#pragma once
// Identifiers. Each kind has its own type, so that a visit cannot be passed where a customer is
// meant. The text is opaque, compared byte by byte, and never logged when it names a person.

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace welcome {

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}

  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }

  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::string text_;
};

using CustomerId = Id<struct CustomerTag>;  // the CRM's pseudonym for a customer
using VisitId = Id<struct VisitTag>;        // made by the box
using DecisionId = Id<struct DecisionTag>;  // made by the box
using MessageId = Id<struct MessageTag>;    // made by the box; unique over all boxes
using CampaignId = Id<struct CampaignTag>;  // the CRM's
using StaffId = Id<struct StaffTag>;        // who works in a store
using TemplateId = Id<struct TemplateTag>;  // made by the box at enrolment

}  // namespace welcome

template <class Tag>
struct std::hash<welcome::Id<Tag>> {
  std::size_t operator()(const welcome::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
