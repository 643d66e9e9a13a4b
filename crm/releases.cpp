// SPDX-License-Identifier: Apache-2.0
#include "crm/releases.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/hash.h"

namespace welcome::crm {

namespace {

constexpr std::string_view kPath = "/v1/releases/";

std::int64_t milliseconds(WallTime at) { return at.time_since_epoch().count(); }

Error none_on_its_way() { return {ErrorCode::not_found, "no release is on its way"}; }

// Of whoever is in the middle of it nothing is taken back.
bool is_over(const std::string& step) {
  return step == to_string(UpdateStep::done) || step == to_string(UpdateStep::back) ||
         step == to_string(UpdateStep::refused);
}

}  // namespace

Result<void> Releases::add(const Release& release, WallTime now) {
  if (!contract::release_numbers(release.version))
    return fail(ErrorCode::malformed, "the version of a release is 1.2.3");
  if (!db_.query("SELECT 1 FROM image_release WHERE digest = $1 OR version = $2",
                 {release.digest, release.version})
           .empty()) {
    return fail(ErrorCode::refused,
                "there is a release " + release.version +
                    ", or one with this content: each has a version of its own");
  }
  db_.execute("INSERT INTO image_release (digest, version, size, added_at) VALUES ($1, $2, $3, $4)",
              {release.digest, release.version, release.size, contract::to_rfc3339(now)});
  return {};
}

std::vector<Release> Releases::list() {
  std::vector<Release> out;
  for (const Row& row : db_.query("SELECT digest, version, size, added_at FROM image_release ORDER "
                                  "BY added_at DESC, version")) {
    out.push_back({row.text(0), row.text(1), row.integer(2), row.text(3)});
  }
  return out;
}

std::optional<Release> Releases::find(const std::string& version) {
  for (Release& release : list()) {
    if (version.empty() || release.version == version) return std::move(release);
  }
  return std::nullopt;
}

Result<std::string> Releases::remove(const std::string& version) {
  const auto release = find(version);
  if (version.empty() || !release) return fail(ErrorCode::not_found, "no release " + version);
  if (const auto now = rollout(); now && now->digest == release->digest && now->state != "over")
    return fail(ErrorCode::refused, "boxes are to run it: hand another one out first");
  db_.execute("DELETE FROM rollout WHERE digest = $1", {release->digest});
  db_.execute("DELETE FROM image_release WHERE digest = $1", {release->digest});
  return release->digest;
}

std::optional<Rollout> Releases::rollout() {
  const Rows rows = db_.query(
      "SELECT rollout.digest, image_release.version, state, share, at_once, may_be_lower, door, "
      "why, changed_at FROM rollout JOIN image_release ON image_release.digest = rollout.digest "
      "ORDER BY begun_at DESC LIMIT 1");
  if (rows.empty()) return std::nullopt;
  const Row& row = rows[0];
  return Rollout{row.text(0),         row.text(1), row.text(2), row.integer(3), row.integer(4) != 0,
                 row.integer(5) != 0, row.text(6), row.text(7), row.text(8)};
}

// Whole stores, until they are so many boxes: boxes of a store tell each other who is where, and
// somebody who looks at a store finds one version. A machine that is no image is not counted.
std::vector<BoxKey> Releases::chosen(const std::string& digest, std::int64_t share) {
  std::map<std::pair<std::uint64_t, std::string>, std::vector<BoxKey>> stores;
  std::int64_t all = 0;
  for (const Row& row : db_.query(
           "SELECT box.store, box.box FROM box LEFT JOIN box_release ON box_release.store = "
           "box.store AND box_release.box = box.box WHERE step IS NULL OR step <> 'no_image'")) {
    const std::string store = row.text(0);
    stores[{stable_hash(0, {digest, store}), store}].emplace_back(store, row.text(1));
    ++all;
  }
  const std::int64_t wanted = (all * share + kWholeFleet - 1) / kWholeFleet;
  std::vector<BoxKey> out;
  for (auto& [place, boxes] : stores) {
    if (static_cast<std::int64_t>(out.size()) >= wanted) break;
    out.insert(out.end(), boxes.begin(), boxes.end());
  }
  return out;
}

// Each word has a number of its own, made from the time, so that no backup turns it back.
void Releases::want(const BoxKey& box, const std::string& digest, WallTime now) {
  db_.execute(
      "INSERT INTO box_release (store, box, digest, word, heard, step, version, why, said_at) "
      "VALUES ($1, $2, $3, $4, 0, '', '', '', '') ON CONFLICT (store, box) DO UPDATE SET "
      "digest = excluded.digest, word = CASE WHEN box_release.word < excluded.word "
      "THEN excluded.word ELSE box_release.word + 1 END",
      {box.first, box.second, digest, milliseconds(now)});
}

void Releases::say_again(const Rollout& rollout, WallTime now, bool other_terms) {
  std::vector<BoxKey> boxes;
  for (const Row& row :
       db_.query("SELECT store, box, step FROM box_release WHERE digest = $1", {rollout.digest})) {
    const std::string step = row.text(2);
    const bool asks_anew = other_terms && step == to_string(UpdateStep::refused);
    if (asks_anew || !is_over(step)) boxes.emplace_back(row.text(0), row.text(1));
  }
  for (const BoxKey& box : boxes) want(box, rollout.digest, now);
}

Result<std::int64_t> Releases::stage(const Stage& stage, WallTime now) {
  if (!crm_.signer()) {
    return fail(ErrorCode::refused,
                "a box believes a signed word alone: make a key with `welcome-crm sign-keys "
                "--new`");
  }
  const auto before = rollout();
  const auto release = find(stage.version);
  if (!release) {
    return fail(ErrorCode::not_found,
                stage.version.empty() ? "there is no release: welcome-crm fleet release add FILE"
                                      : "no release " + stage.version);
  }
  const bool same = before && before->digest == release->digest;
  if (before && !same && before->state != "over" && stage.version.empty()) {
    return fail(ErrorCode::refused, before->version + " is on its way, and " + release->version +
                                        " is newer: say which with --release");
  }
  if (same && before->state != "running" && before->state != "over") {
    return fail(ErrorCode::refused, release->version + " is " + before->state +
                                        (before->why.empty() ? "" : ": " + before->why) +
                                        "; go on with `welcome-crm fleet update --resume`");
  }
  db_.execute("UPDATE rollout SET state = 'over' WHERE digest <> $1", {release->digest});
  const std::int64_t share = same ? std::max(before->share, stage.share) : stage.share;
  const std::string at = contract::to_rfc3339(now);
  db_.execute(
      "INSERT INTO rollout (digest, state, share, at_once, may_be_lower, door, why, begun_at, "
      "changed_at) VALUES ($1, 'running', $2, $3, $4, $5, '', $6, $6) ON CONFLICT (digest) DO "
      "UPDATE SET state = 'running', share = excluded.share, at_once = excluded.at_once, "
      "may_be_lower = excluded.may_be_lower, door = excluded.door, why = '', "
      "begun_at = excluded.begun_at, changed_at = excluded.changed_at",
      {release->digest, share, std::int64_t{stage.at_once}, std::int64_t{stage.may_be_lower},
       stage.door, at});
  const Rollout now_running = *rollout();
  // Whoever was chosen before hears how it goes on; whoever came since is told.
  if (same && (before->at_once != stage.at_once || before->may_be_lower != stage.may_be_lower ||
               before->door != stage.door)) {
    say_again(now_running, now, true);
  }
  for (const BoxKey& box : chosen(release->digest, share)) {
    if (db_.query("SELECT 1 FROM box_release WHERE store = $1 AND box = $2 AND digest = $3",
                  {box.first, box.second, release->digest})
            .empty()) {
      want(box, release->digest, now);
    }
  }
  return db_.query("SELECT COUNT(*) FROM box_release WHERE digest = $1", {release->digest})
      .at(0)
      .integer(0);
}

void Releases::set_state(const Rollout& rollout, const char* state, const std::string& why,
                         WallTime now) {
  db_.execute("UPDATE rollout SET state = $2, why = $3, changed_at = $4 WHERE digest = $1",
              {rollout.digest, std::string(state), why, contract::to_rfc3339(now)});
  say_again(rollout, now);
}

Result<void> Releases::pause(WallTime now) {
  const auto it = rollout();
  if (!it || it->state == "over") return tl::unexpected(none_on_its_way());
  if (it->state != "running") return fail(ErrorCode::refused, "it is " + it->state);
  set_state(*it, "paused", "", now);
  return {};
}

Result<void> Releases::stop(const std::string& why, WallTime now) {
  const auto it = rollout();
  if (!it || it->state == "over") return tl::unexpected(none_on_its_way());
  if (it->state == "stopped") return fail(ErrorCode::refused, "it is stopped");
  set_state(*it, "stopped", why, now);
  return {};
}

Result<void> Releases::resume(WallTime now) {
  const auto it = rollout();
  if (!it || it->state == "over") return tl::unexpected(none_on_its_way());
  if (it->state == "running") return fail(ErrorCode::refused, "it is running");
  set_state(*it, "running", "", now);
  return {};
}

// A box that came after the stage: with its store, or with everybody.
void Releases::join(const BoxKey& box, WallTime now) {
  const auto it = rollout();
  if (!it || it->state != "running") return;
  const Rows with =
      db_.query("SELECT 1 FROM box_release WHERE store = $1 AND box <> $2 AND digest = $3 LIMIT 1",
                {box.first, box.second, it->digest});
  if (it->share >= kWholeFleet || !with.empty()) want(box, it->digest, now);
}

bool Releases::take(const std::string& store, const std::string& box,
                    const contract::UpdateState& said, WallTime now) {
  const auto word_of_it = static_cast<std::int64_t>(said.word);
  Rows rows =
      db_.query("SELECT digest, word FROM box_release WHERE store = $1 AND box = $2", {store, box});
  const bool no_image = said.step == UpdateStep::no_image;
  if (!no_image && (rows.empty() || rows[0].text(0).empty())) join({store, box}, now);
  db_.execute(
      "INSERT INTO box_release (store, box, digest, word, heard, step, version, why, said_at) "
      "VALUES ($1, $2, '', 0, $3, $4, $5, $6, $7) ON CONFLICT (store, box) DO UPDATE SET "
      "heard = excluded.heard, step = excluded.step, version = excluded.version, "
      "why = excluded.why, said_at = excluded.said_at",
      {store, box, word_of_it, std::string(to_string(said.step)), said.version, said.why,
       contract::to_rfc3339(now)});
  rows =
      db_.query("SELECT digest, word FROM box_release WHERE store = $1 AND box = $2", {store, box});
  const std::string digest = rows[0].text(0);
  const std::int64_t word = rows[0].integer(1);
  // It heard more than this database knows of, which was put back from a copy.
  if (word_of_it > word && !digest.empty())
    want({store, box}, digest, std::max(now, WallTime(std::chrono::milliseconds(word_of_it + 1))));
  const bool bad = said.step == UpdateStep::back || said.step == UpdateStep::refused;
  const auto it = rollout();
  if (bad && word_of_it == word && it && it->digest == digest && it->state == "running") {
    set_state(*it, "stopped",
              store + "/" + box + (said.step == UpdateStep::back ? " went back" : " refused it") +
                  (said.why.empty() ? "" : ": " + said.why),
              now);
  }
  return word_of_it != word;
}

std::vector<Releases::Word> Releases::unheard(WallTime now) {
  std::vector<Word> out;
  const Rows rows = db_.query(
      "SELECT box_release.store, box_release.box, box_release.digest, word, image_release.version, "
      "image_release.size FROM box_release JOIN box ON box.store = box_release.store AND "
      "box.box = box_release.box LEFT JOIN image_release ON image_release.digest = "
      "box_release.digest "
      "WHERE box.state = 'online' AND step NOT IN ('', 'no_image') AND word > heard");
  if (rows.empty()) return out;  // nearly always
  const auto it = rollout();
  for (const Row& row : rows) {
    Word word{row.text(0), row.text(1), {static_cast<std::uint64_t>(row.integer(3)), now, {}}};
    if (!row.text(4).empty() && it && it->digest == row.text(2) && it->state == "running") {
      word.update.release = {row.text(4),
                             row.text(2),
                             static_cast<std::uint64_t>(row.integer(5)),
                             it->door + std::string(kPath) + row.text(2),
                             it->at_once,
                             it->may_be_lower};
    }
    out.push_back(std::move(word));
  }
  return out;
}

std::vector<BoxRelease> Releases::boxes(const std::string& store) {
  std::vector<BoxRelease> out;
  for (const Row& row :
       db_.query("SELECT box.store, box.box, step, box_release.version, why, said_at, "
                 "image_release.version, word, heard "
                 "FROM box LEFT JOIN box_release ON box_release.store = box.store AND "
                 "box_release.box = box.box LEFT JOIN image_release ON image_release.digest = "
                 "box_release.digest "
                 "WHERE box.store = $1 OR $1 = '' ORDER BY box.store, box.box",
                 {store})) {
    out.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5),
                   row.text(6), row.integer(7) <= row.integer(8)});
  }
  return out;
}

}  // namespace welcome::crm
