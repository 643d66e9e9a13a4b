// SPDX-License-Identifier: Apache-2.0
// Must not compile with FORGE_SIGHTING, FORGE_FACE_CONSENT or FORGE_AGREED_TIME, and must without.

#include "core/sighting.h"
#include "core/timekeeper.h"

using namespace welcome;

#ifdef FORGE_SIGHTING
Sighting forged() { return Sighting(IdentityClaim{}, PurposeSet{}); }
#endif

#ifdef FORGE_FACE_CONSENT
FaceConsent forged() { return FaceConsent(CustomerId("c-mia")); }
#endif

#ifdef FORGE_AGREED_TIME
AgreedTime forged() { return AgreedTime(WallTime{}); }
#endif

// Handing one on is what they are for.
Sighting passed_on(const Sighting& sighting) { return sighting; }
FaceConsent passed_on(const FaceConsent& consent) { return consent; }
AgreedTime passed_on(const AgreedTime& time) { return time; }
