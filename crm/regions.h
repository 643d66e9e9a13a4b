// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keys by region (docs/decisions/0142): which region a store is in, and in which regions a customer
// is at home. Whoever has the same regions has the same home, and a home is a part of a collection
// with a place of its own (crm/places.h): a box is sent the homes that its region is in.
//
// Staff are at home in stores, by the same table: each store is a region of that name, store/NAME.
//
// Inside the caller's Transaction. One thread.

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "crm/database.h"

namespace welcome::crm {

// Names of regions, sorted, with commas between; nothing: everywhere.
using Home = std::string;

inline constexpr std::size_t kRegionsOfACustomer = 16;

class Regions {
 public:
  explicit Regions(Database& db) : db_(db) {}

  bool on() const;
  void set(bool on);

  std::string of_store(const std::string& store) const;  // empty: none
  void put_store(const std::string& store, const std::string& region);
  std::vector<std::string> stores_without() const;  // of boxes that are admitted

  Home home_of(const std::string& customer) const;
  void put_home(const std::string& customer, const Home& home);
  void note(const Home& home);  // that there is such a home, and which regions it is in
  void note_stores(const Home& stores);
  bool anybody_has_one() const;
  bool exists(const std::string& region) const;  // a store is in it

  static bool valid(std::string_view region);
  // From NORTH,SOUTH (or with semicolons). `all` and nothing are everywhere.
  static Result<Home> home_from(std::string_view text);
  static std::vector<std::string> named_in(const Home& home);
  // With commas or semicolons between, in the order of the alphabet, each once.
  static std::vector<std::string> words_in(std::string_view text);
  static Home joined(const std::vector<std::string>& sorted);
  static bool holds(const Home& home, std::string_view region);

 private:
  Database& db_;
};

}  // namespace welcome::crm
