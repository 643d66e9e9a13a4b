// SPDX-License-Identifier: Apache-2.0
#include "core/evidence.h"

#include <algorithm>
#include <cmath>

namespace welcome {

double radio_evidence(ClaimSource source) {
  switch (source) {
    // A rotating token cannot be made up; the phone may be with somebody else: 0.95 / 0.01.
    case ClaimSource::eddystone_eid:
    case ClaimSource::rotating_uuid:
    case ClaimSource::resolvable_address:
      return 4.5;
    // The app proved that the phone was here within the last minutes, not that it still is.
    case ClaimSource::app_report:
      return 4.0;
    // Anybody can copy it, and fobs are lent: 0.95 / 0.1.
    case ClaimSource::static_beacon:
      return 2.2;
    case ClaimSource::face:
      break;
  }
  return 0.0;
}

double face_evidence(double similarity, const FaceCalibration& c) {
  const double g = (similarity - c.genuine_mean) / c.genuine_sd;
  const double i = (similarity - c.impostor_mean) / c.impostor_sd;
  // Beyond the genuine mean more similar is not less genuine.
  const double genuine = g > 0 ? 0.0 : g * g / 2;
  const double llr = i * i / 2 - genuine + std::log(c.impostor_sd / c.genuine_sd);
  // Below the impostor mean the parabola would turn up again.
  if (i <= 0) return -kMaxFaceEvidence;
  return std::clamp(llr, -kMaxFaceEvidence, kMaxFaceEvidence);
}

double contested(double own, double other) { return own - std::log1p(std::exp(other)); }

Judgement judge(std::optional<double> radio, std::optional<double> face) {
  Judgement j;
  j.log_odds += radio.value_or(0.0) + face.value_or(0.0);
  const bool both = radio && face && *face > 0.0;
  if (both && j.log_odds >= kConfirmedLogOdds) {
    j.level = Level::confirmed;
  } else if (j.log_odds >= kPresentLogOdds) {
    j.level = Level::present;
  }
  return j;
}

}  // namespace welcome
