// SPDX-License-Identifier: Apache-2.0
// Must not compile with FORGE_SIGHTING or FORGE_FACE_CONSENT, and must without.

#include "core/sighting.h"

using namespace welcome;

#ifdef FORGE_SIGHTING
Sighting forged() { return Sighting(IdentityClaim{}, PurposeSet{}); }
#endif

#ifdef FORGE_FACE_CONSENT
FaceConsent forged() { return FaceConsent(CustomerId("c-mia")); }
#endif

// Handing one on is what they are for.
Sighting passed_on(const Sighting& sighting) { return sighting; }
FaceConsent passed_on(const FaceConsent& consent) { return consent; }
