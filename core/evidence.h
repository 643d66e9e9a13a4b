// SPDX-License-Identifier: Apache-2.0
#pragma once
// From what was heard and seen to how sure the box is: log-likelihood ratios, added up.
//
// Hypothesis: this customer is here in person. Natural logarithms. The numbers and where they come
// from are in docs/decide.md, "Evidence".

#include <optional>

#include "core/claim.h"
#include "core/level.h"

namespace welcome {

// Cosine similarities of one face model, as two normal distributions; fitted from the thresholds
// at two false match rates and the true accept rate.
struct FaceCalibration {
  double impostor_mean = 0.0;
  double impostor_sd = 0.11;
  double genuine_mean = 0.65;
  double genuine_sd = 0.12;
};

inline constexpr double kPriorLogOdds = -3.0;
inline constexpr double kPresentLogOdds = 1.0;
inline constexpr double kConfirmedLogOdds = 4.0;
// No face match says more than this: twins, pictures of faces and tracker mistakes are not in the
// calibration.
inline constexpr double kMaxFaceEvidence = 6.0;

// What hearing a token of this kind says about its owner being there.
double radio_evidence(ClaimSource source);

double face_evidence(double similarity, const FaceCalibration& calibration);

// Two customers matched on one track: each takes the other's claim into account, so that twins
// cancel out.
double contested(double own, double other);

// `face` empty: no face seen. Confirmed needs two kinds, whatever the sum.
struct Judgement {
  double log_odds = kPriorLogOdds;
  Level level = Level::near;
};
Judgement judge(std::optional<double> radio, std::optional<double> face);

}  // namespace welcome
