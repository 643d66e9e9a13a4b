// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cast: who plays a part in the open file, under which number, and with which key. The keys are in
// the store; a customer's goes with the first consent that is withdrawn, and then that part of
// every recording is noise.
//
// Engine thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/pipeline.h"
#include "firmware/recording/cards.h"
#include "firmware/recording/format.h"
#include "firmware/store/store.h"

namespace welcome::recording {

// Of a profile and of staff what may stand in a recording.
std::optional<KnownProfile> known(const Profile* profile);
// Staff are told apart, not named.
std::string staff_alias(const std::string& staff);

class Cast {
 public:
  explicit Cast(store::Store& store);

  // Nobody has a number any more.
  void begin_file();

  std::optional<Who> who(const CustomerId& customer) const;
  bool plays(const CustomerId& customer) const { return numbers_.contains(customer); }
  struct Introduced {
    Who who = 0;
    std::optional<Card> card;  // to be written, the first time
  };
  // Nothing for who is not to appear: forgotten, or withdrawn since the file began.
  std::optional<Introduced> introduce(const CustomerId& customer, const Pipeline& pipeline,
                                      Pipeline::Directory& directory);
  Sealed sealed(const CustomerId& customer, std::string_view plain);
  // The alias of a customer in the store could be made again from the id; this one cannot.
  std::uint64_t salted(std::uint64_t alias) const;

  // The key is gone from the store (store::Tx::withdraw).
  void forget(const CustomerId& customer);
  // Gives keys that are new, or used on another day, to the store.
  void keep_keys(const std::string& day, const Now& now);
  // Keys that were last used before that day go.
  void drop_keys(const std::string& first_kept, WallTime now);

  const CardKeys& keys() const { return keys_; }

 private:
  const CardKey& key_of(const CustomerId& customer);

  store::Store& store_;
  std::unordered_map<CustomerId, Who> numbers_;  // in the open file
  std::unordered_set<CustomerId> left_out_;      // of it: they have withdrawn since it began
  Who next_ = 1;
  std::uint64_t salt_ = 0;  // of the open file; written nowhere
  CardKeys keys_;
  std::unordered_map<CustomerId, std::string> key_ids_;
  std::vector<std::string> new_keys_;  // not yet in the store, or used on another day
};

}  // namespace welcome::recording
