// SPDX-License-Identifier: Apache-2.0
// The one short question after a visit.

#include <string>

#include "core/hash.h"
#include "core/pipeline_impl.h"
#include "core/text.h"

namespace welcome {

// The wordings that the published definitions use: NPS (Reichheld 2003), CSAT, CES 2.0 (Dixon).
std::string survey_question(const SurveyRule& rule, const std::string& language,
                            std::string* used) {
  for (const std::string& l :
       {language, language.substr(0, language.find('-')), std::string("en")}) {
    if (const auto it = rule.question.find(l); it != rule.question.end()) {
      *used = l;
      return it->second;
    }
  }
  *used = "en";
  switch (rule.kind) {
    case SurveyKind::nps:
      return "How likely are you to recommend us to a friend or colleague? (0 to 10)";
    case SurveyKind::csat:
      return "How satisfied were you with your visit today? (1 to 5)";
    case SurveyKind::ces:
      return "We made it easy for you today. Do you agree? (1 to 7)";
  }
  return {};
}

void Pipeline::Impl::ask(const Presence& p) {
  // A question about the visit reports the visit.
  if (settings_.rehearsal || !p.purposes.has(Purpose::visit_analytics)) return;
  const Profile* profile = directory_.profile(p.customer);
  for (const SurveyRule& rule : policy_.surveys) {
    const auto length = now_.wall - p.started_at - (now_.mono - p.last_in);
    if (length < rule.min_visit) continue;
    const double u =
        100.0 * unit_interval(stable_hash(policy_.seed, {"survey", rule.id, p.visit.str()}));
    if (u >= rule.percent) continue;
    const auto asked = facts(p.customer).surveyed_at;
    Reason reason = Reason::made;
    if (gate_.paused(Function::surveys)) {
      reason = Reason::paused;
    } else if (not_today(profile, now_.wall)) {
      reason = Reason::not_today;
    }
    std::optional<WallTime> until;  // it is quiet
    if (policy_.quiet_hours && within(policy_.quiet_hours->hours, local_.time)) {
      until = clock_.end_of(policy_.quiet_hours->hours, now_.wall);
      // Hours from 00:00 to 24:00 have no end to wait for.
      const bool always = within(policy_.quiet_hours->hours, clock_.local(*until).time);
      if (reason == Reason::made && always) reason = Reason::quiet_hours;
    }
    if (reason == Reason::made && asked && now_.wall - *asked < rule.gap) {
      reason = Reason::min_gap;
    }
    Decision d = decision_for(p, DecisionKind::survey, reason);
    d.survey = rule.id;
    d.survey_kind = rule.kind;
    d.steps.push_back({"consent: visit_analytics", true, "in force"});
    d.steps.push_back({"the visit was long enough", true,
                       duration_text(chr::duration_cast<chr::milliseconds>(length)) + ", needed " +
                           duration_text(rule.min_visit)});
    d.steps.push_back(
        {"drawn to be asked", true, number_text(u) + ", asked below " + number_text(rule.percent)});
    d.steps.push_back({"surveys are not paused", reason != Reason::paused,
                       reason == Reason::paused ? "paused" : "running"});
    d.steps.push_back({"not left alone today", reason != Reason::not_today,
                       reason == Reason::not_today ? "said so today" : "they did not say so"});
    d.steps.push_back({"time since the last question", reason != Reason::min_gap,
                       asked ? "asked " + utc_text(*asked) : "never asked"});
    if (d.made()) {
      d.text = survey_question(rule, profile ? profile->language : "en", &d.language);
      if (until) d.not_before = until;
      d.expires_at = d.not_before.value_or(now_.wall) + rule.expires;
      changed_facts(p.customer).surveyed_at = now_.wall;
    }
    const bool made = d.made();
    out_->decisions.push_back(std::move(d));
    if (made) return;  // one question a visit
  }
}

}  // namespace welcome
