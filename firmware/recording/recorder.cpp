// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/recorder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "core/store_clock.h"
#include "firmware/recording/moment_of.h"

namespace welcome::recording {

namespace fs = std::filesystem;
namespace chr = std::chrono;

namespace {

// A day of a busy store is some 50 MB.
constexpr std::uintmax_t kMostBytes = 512ULL << 20;
constexpr chr::hours kLatestSeam{3};  // local time by which a day is cut even if people are near

// Of an open visit without its customer, who is a number, and without a name of staff.
std::optional<std::string> nameless_visit(const std::string& row) {
  auto visit = nlohmann::json::parse(row, nullptr, false);
  if (!visit.is_object()) return std::nullopt;
  visit["customer"] = "";
  visit["claimed_by"] = staff_alias(visit.value("claimed_by", ""));
  return visit.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Recorder::Recorder(fs::path dir, int days, store::Store& store, Pipeline::IdSource& ids)
    : days_on_disk_(std::move(dir)), days_(days), ids_(ids), cast_(store) {}

// ---- files

std::string Recorder::day_of(const Pipeline& pipeline, WallTime wall) const {
  const auto clock = StoreClock::open(pipeline.policy().time_zone);
  return day_text((clock ? *clock : StoreClock()).local(wall).day);
}

bool Recorder::wants_to_begin(const Pipeline& pipeline, const Now& now) const {
  // Without the time of day a recording has no name, and hardly a decision.
  if (days_ == 0 || !now.wall_trusted) return false;
  if (!file_.is_open() && !gave_up_) return true;
  if (day_of(pipeline, now.wall) == day_) return false;
  return pipeline.empty() || day_of(pipeline, now.wall - kLatestSeam) != day_;
}

bool Recorder::open_file(const std::string& name) {
  if (file_.is_open()) file_.close();
  bytes_ = 0;
  gave_up_ = false;
  days_on_disk_.make_folder();
  const fs::path path = days_on_disk_.path(name);
  file_.open(path, std::ios::trunc);
  std::error_code failed;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, failed);
  if (!file_) stop("cannot write " + path.string());
  return file_.is_open();
}

void Recorder::begin(const Beginning& b, const Pipeline& pipeline, Pipeline::Directory& directory,
                     const Now& now) {
  cast_.begin_file();
  day_ = day_of(pipeline, now.wall);
  if (!open_file(day_ + "-" + std::to_string(b.session))) return;
  Head head;
  head.box = b.box;
  head.at = now;
  head.settings = b.settings;
  head.heard = pipeline.gate().last_heard();
  if (b.policy) head.policy = ItemText{*b.policy};
  for (const std::string& campaign : b.campaigns) head.campaigns.push_back({campaign});
  for (const Function f : kAllFunctions) {
    const bool by_itself = f == Function::all || !pipeline.gate().paused(Function::all);
    if (by_itself && pipeline.gate().paused(f)) head.paused.push_back(f);
  }
  head.rows = rows_of(b, pipeline, directory);
  write(head);
}

std::vector<Row> Recorder::rows_of(const Beginning& b, const Pipeline& pipeline,
                                   Pipeline::Directory& directory) {
  std::vector<Row> rows;
  for (const StateRow& row : b.rows) {
    if (row.customer.empty()) {
      rows.push_back({row.kind, row.key, std::nullopt, *row.value});
      continue;
    }
    const auto value = row.kind == StateRow::Kind::visit ? nameless_visit(*row.value) : row.value;
    if (!value) continue;
    const auto who = introduce(row.customer, pipeline, directory);
    if (who) rows.push_back({row.kind, row.key, who, *value});
  }
  return rows;
}

void Recorder::write(const Line& line) {
  if (!file_.is_open()) return;
  const std::string text = encode(line);
  file_ << text;
  bytes_ += text.size();
  if (!file_) return stop("the disk refuses");
  if (bytes_ > kMostBytes) stop("it is large enough");
}

void Recorder::stop(std::string_view why) {
  spdlog::warn("recording ended for today: {}", why);
  file_.close();
  gave_up_ = true;
}

void Recorder::flush(const Now& now) {
  if (file_.is_open()) file_.flush();
  cast_.keep_keys(day_, now);
}

void Recorder::apply_retention(const AgreedTime& now) {
  const std::string oldest = day_text(
      chr::local_days{chr::floor<chr::days>(now.wall()).time_since_epoch()} - chr::days{days_});
  std::string first_kept = days_ > 0 && !day_.empty() ? day_ : "9999";
  for (const std::string& name : names()) {
    const std::string day = DayFiles::day_of(name);
    if (day < oldest || days_ == 0) {
      days_on_disk_.remove(name);
    } else {
      first_kept = std::min(first_kept, day);
    }
  }
  cast_.drop_keys(first_kept, now.wall());
}

// ---- events

std::optional<Who> Recorder::introduce(const CustomerId& customer, const Pipeline& pipeline,
                                       Pipeline::Directory& directory) {
  const auto introduced = cast_.introduce(customer, pipeline, directory);
  if (!introduced) return std::nullopt;
  if (introduced->card) write(*introduced->card);
  return introduced->who;
}

std::string Recorder::visit(const CustomerId& customer) {
  std::string id = ids_.visit(customer);
  if (file_.is_open()) visits_.emplace_back(customer, id);
  return id;
}

void Recorder::before(const Event& event, const Pipeline& pipeline, Pipeline::Directory& directory,
                      const Now& now) {
  if (!file_.is_open()) return;
  visits_.clear();
  sealed_.reset();
  if (const auto* claim = std::get_if<event::Claim>(&event)) {
    // The gate turns the others away.
    if (!pipeline.gate().purposes(claim->claim.customer, now).empty()) {
      introduce(claim->claim.customer, pipeline, directory);
    }
  } else if (const auto* elsewhere = std::get_if<event::OfferElsewhere>(&event)) {
    introduce(elsewhere->customer, pipeline, directory);
  } else if (const auto* outcome = std::get_if<event::ExternalOutcome>(&event)) {
    introduce(outcome->customer, pipeline, directory);
  } else if (const auto* changed = std::get_if<event::ProfileChanged>(&event);
             changed && cast_.plays(changed->customer)) {
    sealed_ = cast_.sealed(changed->customer, encode(known(directory.profile(changed->customer))));
  } else if (const auto* staff = std::get_if<event::Staff>(&event);
             staff && staff->action.kind == StaffAction::Kind::preference) {
    const StaffAction& a = staff->action;
    for (const VisitView& v : pipeline.visits()) {
      if (v.visit != a.visit || !cast_.plays(v.customer)) continue;
      sealed_ =
          cast_.sealed(v.customer, encode(SaidPreference{a.preference_key, a.preference_value}));
    }
  }
}

void Recorder::after(const Event& event, std::string_view item, const Effects& effects,
                     const Now& now) {
  if (!file_.is_open()) return;
  auto what = happened_of(event, item, sealed_, cast_);
  if (!what) {
    if (effects.decisions.empty() && effects.visits.empty() && effects.rows.empty()) return;
    what = happened::Tick{};  // it was only the time that did something
  }
  Moment moment{now, std::move(*what), {}, decided_of(effects, cast_)};
  for (const auto& [customer, id] : visits_) {
    if (const auto who = cast_.who(customer)) moment.visits.push_back({*who, VisitId(id)});
  }
  write(moment);
}

}  // namespace welcome::recording
