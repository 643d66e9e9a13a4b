// SPDX-License-Identifier: Apache-2.0
// What staff see, and what they do.

#include <algorithm>
#include <tuple>

#include "core/pipeline_impl.h"
#include "core/text.h"

namespace welcome {

namespace {

constexpr chr::minutes kPromptLife{30};
constexpr chr::minutes kPromptRenew{15};
constexpr std::size_t kMaxNote = 2000;
constexpr double kMaxFaceDoubt = 3.0;  // a very clear face with a phone can always confirm

}  // namespace

void Pipeline::Impl::clear_prompt(Presence& p) {
  if (!p.prompt_shown) return;
  p.prompt_shown = false;
  p.dirty = true;
  out_->prompts_cleared.push_back(p.visit);
}

void Pipeline::Impl::refresh_prompt(Presence& p) {
  if (p.stage != Presence::Stage::in_store) return;
  if (p.prompt.empty() && p.zone < settings_.prompt_zone) return;

  if (!p.prompt_stale && (!p.prompt_shown || now_.mono < p.prompt_renew_at)) return;
  p.prompt_stale = false;

  const Profile* profile = directory_.profile(p.customer);
  Reason reason = Reason::made;
  std::string detail;
  if (gate_.paused(Function::prompts)) {
    reason = Reason::paused;
    detail = "prompts are paused";
  } else if (!p.purposes.has(Purpose::preference_prompts)) {
    reason = Reason::no_consent;
    detail = "preference_prompts: " +
             std::string(to_string(gate_.verdict(p.customer, Purpose::preference_prompts, now_)));
  } else if (not_today(profile, now_.wall)) {
    reason = Reason::not_today;
    detail = "the customer said so today";
  } else if (p.not_this_person) {
    reason = Reason::not_this_person;
    detail = "staff said so during this visit";
  } else if (p.level < policy_.prompt_min_level) {
    reason = Reason::level_too_low;
    detail = std::string(to_string(p.level)) + ", needed " +
             std::string(to_string(policy_.prompt_min_level));
  } else if (!profile) {
    reason = Reason::missing_value;
    detail = "no profile on this box";
  }
  if (reason != Reason::made) {
    clear_prompt(p);
    if (first_time(p, "prompt", reason)) {
      Decision d = decision_for(p, DecisionKind::prompt, reason);
      d.steps.push_back({std::string(plain_words(reason)), false, std::move(detail)});
      out_->decisions.push_back(std::move(d));
    }
    return;
  }

  if (p.prompt.empty()) {
    Decision d = decision_for(p, DecisionKind::prompt, Reason::made);
    d.expires_at = now_.wall + kPromptLife;
    d.language = profile->language;
    d.steps.push_back({"consent: preference_prompts", true, "in force"});
    d.steps.push_back({"sure enough for a prompt", true,
                       "needed " + std::string(to_string(policy_.prompt_min_level))});
    p.prompt = d.id;
    p.prompt_since = now_.wall;
    p.dirty = true;
    out_->decisions.push_back(std::move(d));
  }
  Prompt prompt = prompt_of(p, *profile, now_.wall);
  const std::uint64_t print = print_of(prompt);
  if (p.prompt_shown && print == p.prompt_print && now_.mono < p.prompt_renew_at) return;
  p.prompt_shown = true;
  p.prompt_print = print;
  p.prompt_renew_at = now_.mono + kPromptRenew;
  p.dirty = true;
  out_->prompts.push_back(std::move(prompt));
}

std::vector<Prompt> Pipeline::Impl::prompts(const Now& now) {
  std::vector<Prompt> shown;
  for (const auto& [customer, p] : presences_) {
    if (!p.prompt_shown || !gate_.permits(customer, Purpose::preference_prompts, now)) continue;
    const Profile* profile = directory_.profile(customer);
    if (profile && !not_today(profile, now.wall)) {
      shown.push_back(prompt_of(p, *profile, now.wall));
    }
  }
  std::sort(shown.begin(), shown.end(), [](const Prompt& a, const Prompt& b) {
    return std::tie(a.since, a.visit) < std::tie(b.since, b.visit);
  });
  return shown;
}

Prompt Pipeline::Impl::prompt_of(const Presence& p, const Profile& profile, WallTime wall) {
  Prompt prompt = make_prompt(p, profile, facts(p.customer), wall);
  prompt.expires_at = wall + kPromptLife;
  prompt.rehearsal = settings_.rehearsal;
  return prompt;
}

bool Pipeline::Impl::learn(StaffOutcome& outcome) {
  StaffAction& a = outcome.action;
  if (!gate_.permits(outcome.customer, Purpose::preference_prompts, now_)) return false;
  if (a.kind == StaffAction::Kind::note) {
    if (a.text.empty()) return false;
    a.text = plain_text(a.text, kMaxNote);
    changed_facts(outcome.customer).note = Conversation{a.text, now_.wall};
    return true;
  }
  if (a.preference_key.empty()) return false;
  a.preference_value =
      learn_preference(changed_facts(outcome.customer), directory_.profile(outcome.customer),
                       plain_text(a.preference_key, 64), plain_text(a.preference_value),
                       a.verdict == StaffAction::Verdict::confirm, now_.wall);
  return !a.preference_value.empty();  // empty: it confirms what nobody knows
}

void Pipeline::Impl::left_row(const VisitId& visit, const CustomerId& customer,
                              std::optional<std::string> until) {
  out_->rows.push_back({StateRow::Kind::store, store_key::of(store_key::kLeft, visit.str()),
                        customer, std::move(until)});
}

void Pipeline::Impl::let_leave(Presence& p) {
  const Profile* profile = directory_.profile(p.customer);
  const auto ago = chr::duration_cast<chr::milliseconds>(now_.mono - p.last_in);
  const chr::milliseconds rest = kJustLeft - ago;
  if (!p.prompt_shown || !profile || settings_.rehearsal || rest.count() <= 0) {
    return clear_prompt(p);
  }
  Prompt gone = prompt_of(p, *profile, now_.wall);
  gone.left_at = now_.wall - ago;
  gone.expires_at = now_.wall + rest;
  p.prompt_shown = false;
  p.dirty = true;
  out_->prompts.push_back(std::move(gone));
  forget_left();
  just_left_[p.visit] = {p.customer, now_.mono + rest, p.actions};
  left_row(p.visit, p.customer, std::to_string((now_.wall + rest).time_since_epoch().count()));
}

void Pipeline::Impl::forget_left(const CustomerId* whose) {
  std::erase_if(just_left_, [&](const auto& one) {
    const auto& [visit, left] = one;
    if (whose != nullptr && left.customer != *whose) return false;
    const bool over = left.until <= now_.mono;
    const bool allowed = gate_.permits(left.customer, Purpose::preference_prompts, now_) &&
                         !gate_.paused(Function::prompts) &&
                         !not_today(directory_.profile(left.customer), now_.wall);
    if (!over && allowed) return false;
    if (!over) out_->prompts_cleared.push_back(visit);  // the broker itself drops what expires
    left_row(visit, left.customer, std::nullopt);
    return true;
  });
}

void Pipeline::Impl::on_left(const StaffAction& a) {
  forget_left();
  const auto it = just_left_.find(a.visit);
  if (it == just_left_.end()) return;  // over for good
  if (a.kind != StaffAction::Kind::note && a.kind != StaffAction::Kind::preference) return;
  auto& taken = it->second.actions;
  if (!a.id.empty()) {
    if (std::find(taken.begin(), taken.end(), a.id) != taken.end()) return;
    taken.push_back(a.id);
  }
  StaffOutcome outcome{a, it->second.customer, false};
  if (learn(outcome)) out_->staff.push_back(std::move(outcome));
}

// What was tapped by mistake is as if it had not been. False: there is nothing to take back.
bool Pipeline::Impl::reopen(Presence& p) {
  if (p.not_this_person) {
    p.not_this_person = false;
    CustomerFacts& f = changed_facts(p.customer);
    f.face_doubt = std::max(face_doubt(f) - 1.0, 0.0);
    f.face_doubt_at = now_.wall;
    return true;
  }
  const PromptState open = p.claimed_by.empty() ? PromptState::fresh : PromptState::claimed;
  if (p.prompt_state == open) return false;
  p.prompt_state = open;
  return true;
}

void Pipeline::Impl::on(const event::Staff& e) {
  const StaffAction& a = e.action;
  const auto visit = visits_.find(a.visit);
  if (visit == visits_.end()) return on_left(a);
  Presence& p = *find(visit->second);
  if (!a.id.empty()) {
    if (std::find(p.actions.begin(), p.actions.end(), a.id) != p.actions.end()) return;
    p.actions.push_back(a.id);
  }
  p.dirty = p.prompt_stale = true;
  StaffOutcome outcome{a, p.customer, false};
  switch (a.kind) {
    case StaffAction::Kind::claim:
      if (!p.claimed_by.empty() && p.claimed_by != a.staff) return;  // first come
      p.claimed_by = a.staff;
      if (p.prompt_state == PromptState::fresh) p.prompt_state = PromptState::claimed;
      break;
    case StaffAction::Kind::release:
      if (p.claimed_by != a.staff) return;
      p.claimed_by = StaffId();
      if (p.prompt_state == PromptState::claimed) p.prompt_state = PromptState::fresh;
      break;
    case StaffAction::Kind::greeted:
    case StaffAction::Kind::served: {
      p.prompt_state =
          a.kind == StaffAction::Kind::served ? PromptState::served : PromptState::greeted;
      // She was there: that speaks for the template again.
      if (p.face_at && facts(p.customer).face_doubt > 0.0) {
        changed_facts(p.customer).face_doubt *= 0.5;
      }
      break;
    }
    case StaffAction::Kind::declined:
      p.prompt_state = PromptState::declined;
      break;
    case StaffAction::Kind::not_this_person:
      p.not_this_person = true;
      if (p.face_at) {
        CustomerFacts& f = changed_facts(p.customer);
        f.face_doubt = std::min(face_doubt(f) + 1.0, kMaxFaceDoubt);
        f.face_doubt_at = now_.wall;
        outcome.lowers_face_trust = true;
        p.face_at.reset();
        p.face_evidence = 0.0;
      }
      break;
    case StaffAction::Kind::note:
    case StaffAction::Kind::preference:
      if (!learn(outcome)) return;
      break;
    case StaffAction::Kind::reopen:
      if (!reopen(p)) return;
      break;
  }
  out_->staff.push_back(std::move(outcome));
  reassess(CustomerId(p.customer));  // a copy: it may be the end of p
}

}  // namespace welcome
