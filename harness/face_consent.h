// SPDX-License-Identifier: Apache-2.0
#pragma once
// A consent to be recognised by face. It comes from a gate of the test's own: there is no other
// way.

#include <chrono>
#include <string>

#include "core/consent_gate.h"

namespace welcome::test {

// Given an hour before `now`.
inline FaceConsent face_consent(const CustomerId& customer, const Now& now) {
  ConsentRecord record;
  record.record_id = "r-" + customer.str();
  record.customer = customer;
  record.purpose = Purpose::face_recognition;
  record.history = {{ConsentState::given, now.wall - std::chrono::hours(1), "desk"}};
  ConsentGate gate;
  gate.heard_from_crm(now.wall);
  gate.put(record);
  return gate.face_consent(customer, now).value();
}

// For a test in which no time passes.
inline FaceConsent face_consent(const std::string& customer) {
  return face_consent(CustomerId(customer), {MonoTime{}, WallTime{std::chrono::hours(2)}, true});
}

}  // namespace welcome::test
