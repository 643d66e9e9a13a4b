// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sighting: a claim that the consent gate let through. Only the gate can make one, so whatever
// takes a Sighting cannot be reached without the check.
// FaceConsent: the same for faces. Whoever makes, keeps, loads or matches a template asks for it.

#include <utility>

#include "core/claim.h"
#include "core/purpose.h"

namespace welcome {

class ConsentGate;

class Sighting {
 public:
  const CustomerId& customer() const { return claim_.customer; }
  ClaimSource source() const { return claim_.source; }
  Zone fast() const { return claim_.fast; }
  Zone settled() const { return claim_.settled; }
  double similarity() const { return claim_.similarity; }
  std::uint64_t track() const { return claim_.track; }
  bool doubted() const { return claim_.doubted; }
  MonoTime at() const { return claim_.at; }
  // What the customer agreed to at that moment.
  PurposeSet purposes() const { return purposes_; }

 private:
  friend class ConsentGate;
  Sighting(IdentityClaim claim, PurposeSet purposes)
      : claim_(std::move(claim)), purposes_(purposes) {}

  IdentityClaim claim_;
  PurposeSet purposes_;
};

class FaceConsent {
 public:
  const CustomerId& customer() const { return customer_; }

 private:
  friend class ConsentGate;
  explicit FaceConsent(CustomerId customer) : customer_(std::move(customer)) {}

  CustomerId customer_;
};

}  // namespace welcome
