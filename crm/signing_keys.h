// SPDX-License-Identifier: Apache-2.0
#pragma once
// The secret halves of the keys with which the CRM signs, each in a file of its own, in a folder
// that is not the database: whoever reads the database, or a copy of it, cannot sign in the
// company's name.
//
// One thread. Everything throws DatabaseError with what to do.

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "contract/signing.h"

namespace welcome::crm {

using SigningSeed = std::array<std::uint8_t, 32>;

class SigningKeys {
 public:
  // Without a folder there is no key to sign with, and none can be made.
  SigningKeys() = default;
  explicit SigningKeys(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Where they lie unless somebody says otherwise: DATABASE.keys beside an SQLite file. Empty for
  // PostgreSQL, which may be another machine.
  static std::filesystem::path usual_folder(const std::string& database);

  // On the disk when it returns, readable by this account alone.
  void keep(const std::string& id, const SigningSeed& seed);
  std::shared_ptr<const contract::Signer> signer(const std::string& id);
  // What was kept under this name.
  SigningSeed seed(const std::string& id) const;
  void destroy(const std::string& id);  // fine when it is not there

 private:
  std::filesystem::path file_of(const std::string& id) const;

  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<const contract::Signer>> read_;
};

}  // namespace welcome::crm
