// SPDX-License-Identifier: Apache-2.0
#pragma once
// Releases: images that head office hands out, and which box is to run which. A release goes to
// whole stores, in an order that is the same each time it is asked for: so a wider stage has
// everybody of the one before. Nobody else gets it once a box says that it went back, or that it
// does not take it.
//
// Every call that changes something runs inside the caller's Transaction. One thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "core/result.h"
#include "core/time.h"
#include "crm/crm.h"
#include "crm/database.h"

namespace welcome::crm {

struct Release {
  std::string digest;  // SHA-256 of the file, hex
  std::string version;
  std::int64_t size = 0;
  std::string added_at;
};

// How a release is handed out.
struct Rollout {
  std::string digest, version;
  std::string state;       // running, paused, stopped, over (another release came after it)
  std::int64_t share = 0;  // of the boxes, in hundredths of a percent
  bool at_once = false;
  bool may_be_lower = false;
  std::string door;  // https://my.example.com
  std::string why;   // stopped
  std::string changed_at;
};
inline constexpr std::int64_t kWholeFleet = 100 * 100;

// How a box is with it.
struct BoxRelease {
  std::string store, box;
  std::string step, version, why, said_at;  // as it said last; empty: it never did
  std::string wanted;                       // version; empty: nothing
  bool heard = false;                       // it knows
};

class Releases {
 public:
  explicit Releases(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // Errors: refused (this file, or another one of this version, is there), malformed (the version).
  Result<void> add(const Release& release, WallTime now);
  std::vector<Release> list();  // newest first
  // Returns the digest of the file that may go. Errors: not_found, refused (boxes are to run it).
  Result<std::string> remove(const std::string& version);

  struct Stage {
    std::string version;  // empty: the newest release
    std::int64_t share = 0;
    bool at_once = false;
    bool may_be_lower = false;
    std::string door;
  };
  // Hands a release out to that share of the boxes; never takes one back. Returns how many are to
  // run it. Errors: not_found, refused (nothing is signed; it was stopped; another is on its way).
  Result<std::int64_t> stage(const Stage& stage, WallTime now);
  // Nobody else begins: what is installed stays, what is on its way is let be. Errors: not_found
  // (none is on its way), refused.
  Result<void> pause(WallTime now);
  Result<void> stop(const std::string& why, WallTime now);
  Result<void> resume(WallTime now);
  std::optional<Rollout> rollout();  // the newest

  // How the box says that it is. True: it does not know what it is to run.
  bool take(const std::string& store, const std::string& box, const contract::UpdateState& said,
            WallTime now);
  struct Word {
    std::string store, box;
    contract::Taken::Update update;
  };
  // For boxes that are online and do not know.
  std::vector<Word> unheard(WallTime now);
  // Of every admitted box; of one store, unless that is empty.
  std::vector<BoxRelease> boxes(const std::string& store = {});

 private:
  std::optional<Release> find(const std::string& version);
  std::vector<BoxKey> chosen(const std::string& digest, std::int64_t share);
  void want(const BoxKey& box, const std::string& digest, WallTime now);
  // `other_terms`: also to whom refused it before, who may take it now.
  void say_again(const Rollout& rollout, WallTime now, bool other_terms = false);
  void set_state(const Rollout& rollout, const char* state, const std::string& why, WallTime now);
  void join(const BoxKey& box, WallTime now);

  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
