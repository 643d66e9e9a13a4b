// SPDX-License-Identifier: Apache-2.0
#pragma once
// Freed: a deleter that calls a library's own function, std::unique_ptr<EVP_PKEY,
// Freed<EVP_PKEY_free>>.

namespace welcome::crm {

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* of) const {
    kFree(of);
  }
};

}  // namespace welcome::crm
