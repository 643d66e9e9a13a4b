// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files that fill the CRM (docs/crm.md): CSV for customers, consents, preferences and staff, JSON
// for campaigns, policy and identities. What a file is, its first letter and its header say.
//
//   add() each file     read and looked at to its last line; nothing is changed
//   take() until done   inside the caller's Transaction, a part at a time, so that others get their
//                       turn between two
//
// A mistake in any file means that nothing is taken. Somebody who was erased is no mistake: they
// are left out and named. Whoever is cut between two parts says import again.
//
// One thread. The files' texts are held until the end.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "crm/crm.h"

namespace welcome::crm {

class Import {
 public:
  // `now`: when the files came here.
  Import(Crm& crm, WallTime now);
  ~Import();

  // `name` is for messages. Customers of other files count wherever they stand, so add all before
  // check().
  Result<void> add(const std::string& name, std::string text);
  // Error: malformed, refused, not_found, with file, line or element, and what to do. `tell` hears
  // every few rows how many were looked at.
  Result<void> check(std::function<void(std::int64_t rows)> tell = {});

  // After check(): takes rows until `until`, at least one. False: all is done.
  bool take(std::chrono::steady_clock::time_point until);

  // What was taken, by kind: {"customers": 3}.
  const std::map<std::string, std::int64_t>& taken() const { return taken_; }
  std::int64_t rows() const { return rows_; }  // of all files
  std::int64_t done() const { return done_; }

  // What was not taken though the file is right, and why.
  struct LeftOut {
    std::string file, place, customer, why;
  };
  const std::vector<LeftOut>& left_out() const { return left_out_; }

 private:
  struct File;

  void count_row();
  Result<void> check(File& file);
  Result<void> check_customers(File& file);
  Result<void> check_consents(File& file);
  Result<void> check_staff(File& file);
  Result<void> check_elements(File& file);
  bool take_one(File& file);
  void take_customer(File& file);
  void take_consent(File& file);
  void take_staff(File& file);
  void take_element(File& file);
  void leave_out(const File& file, const std::string& place, const std::string& customer,
                 const std::string& why);
  // `erased`: they are left out when their turn comes.
  Result<void> must_be_there(const std::string& customer, bool& erased);

  Crm& crm_;
  WallTime now_;
  std::vector<std::unique_ptr<File>> files_;  // customers first, consents last
  std::size_t file_ = 0;
  std::unordered_map<std::string, std::size_t> coming_;  // customers of these files: their line
  std::unordered_map<std::string, std::string> app_ids_;
  std::map<std::string, std::int64_t> taken_;
  std::vector<LeftOut> left_out_;
  std::int64_t rows_ = 0, done_ = 0;
  std::function<void(std::int64_t)> tell_;
};

}  // namespace welcome::crm
