#pragma once
// AES-128, one block at a time, through OpenSSL's libcrypto. The expanded key is wiped at the end.

#include <array>
#include <cstdint>

namespace welcome::beacon {

using Block = std::array<std::uint8_t, 16>;

class Aes128 {
 public:
  explicit Aes128(const Block& key);
  Aes128(const Aes128&) = default;
  Aes128& operator=(const Aes128&) = default;
  ~Aes128();

  Block encrypt(const Block& in) const;

 private:
  // libcrypto's AES_KEY: 15 round keys and the number of rounds. Its header stays in the .cpp.
  struct alignas(4) Schedule {
    std::array<std::uint8_t, 244> bytes;
  };
  Schedule schedule_;
};

}  // namespace welcome::beacon
