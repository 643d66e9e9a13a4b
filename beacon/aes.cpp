// SPDX-License-Identifier: Apache-2.0
// libcrypto marks its block interface deprecated in favour of EVP. EVP costs about 650 bytes a key
// or 100 ns a key change, and trying one address against every customer's key needs neither modes
// nor providers: so this one file uses the block interface.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "beacon/aes.h"

#include <cstring>
#include <openssl/aes.h>
#include <openssl/crypto.h>
#include <stdexcept>

#if defined(__x86_64__)
#include <wmmintrin.h>
#define WELCOME_AES_TARGET __attribute__((target("aes,sse2")))
#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>
#define WELCOME_AES_TARGET __attribute__((target("+crypto")))
#endif

namespace welcome::beacon {
namespace {

// libcrypto keeps a round key as four words: with some of its implementations their bytes are in
// the order of FIPS 197, with others each word is swapped.
std::uint32_t swap_word(std::uint32_t w) {
  return (w << 24U) | ((w & 0xFF00U) << 8U) | ((w >> 8U) & 0xFF00U) | (w >> 24U);
}

bool words_are_swapped() {
  // FIPS 197, A.1: this key's first word is 2b 7e 15 16.
  static const bool swapped = [] {
    const Block key{0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6,
                    0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C};
    AES_KEY expanded;
    AES_set_encrypt_key(key.data(), 128, &expanded);
    std::uint32_t first = 0;
    std::memcpy(&first, key.data(), sizeof first);
    if (expanded.rounds != 10) throw std::runtime_error("this libcrypto's AES keys are unknown");
    if (expanded.rd_key[0] == first) return false;
    if (expanded.rd_key[0] == swap_word(first)) return true;
    throw std::runtime_error("this libcrypto's AES keys are unknown");
  }();
  return swapped;
}

#if defined(__x86_64__)

bool has_instructions() { return __builtin_cpu_supports("aes") != 0; }

WELCOME_AES_TARGET Block encrypt_here(const std::array<Block, 11>& keys, const Block& in) {
  const auto load = [](const Block& b) WELCOME_AES_TARGET {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(b.data()));
  };
  __m128i state = _mm_xor_si128(load(in), load(keys[0]));
  for (std::size_t round = 1; round < 10; ++round)
    state = _mm_aesenc_si128(state, load(keys[round]));
  state = _mm_aesenclast_si128(state, load(keys[10]));
  Block out;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out.data()), state);
  return out;
}

#elif defined(__aarch64__)

bool has_instructions() {
  constexpr unsigned long kHwcapAes = 1UL << 3U;
  return (getauxval(AT_HWCAP) & kHwcapAes) != 0;
}

WELCOME_AES_TARGET Block encrypt_here(const std::array<Block, 11>& keys, const Block& in) {
  uint8x16_t state = vld1q_u8(in.data());
  for (std::size_t round = 0; round < 9; ++round) {
    state = vaesmcq_u8(vaeseq_u8(state, vld1q_u8(keys[round].data())));
  }
  state = veorq_u8(vaeseq_u8(state, vld1q_u8(keys[9].data())), vld1q_u8(keys[10].data()));
  Block out;
  vst1q_u8(out.data(), state);
  return out;
}

#else

bool has_instructions() { return false; }
Block encrypt_here(const std::array<Block, 11>&, const Block& in) { return in; }

#endif

}  // namespace

bool Aes128::hardware() {
  static const bool has = has_instructions();
  return has;
}

Aes128::Aes128(const Block& key) {
  AES_KEY expanded;
  AES_set_encrypt_key(key.data(), 128, &expanded);
  if (words_are_swapped()) {
    for (auto& word : expanded.rd_key) word = swap_word(word);
  }
  static_assert(sizeof(round_keys_) <= sizeof(expanded.rd_key));
  std::memcpy(&round_keys_, expanded.rd_key, sizeof round_keys_);
  OPENSSL_cleanse(&expanded, sizeof expanded);
}

Aes128::~Aes128() { OPENSSL_cleanse(&round_keys_, sizeof round_keys_); }

Block Aes128::encrypt(const Block& in) const {
  return hardware() ? encrypt_here(round_keys_, in) : encrypt_in_libcrypto(in);
}

Block Aes128::encrypt_in_libcrypto(const Block& in) const {
  AES_KEY expanded;
  expanded.rounds = 10;
  std::memcpy(expanded.rd_key, &round_keys_, sizeof round_keys_);
  if (words_are_swapped()) {
    for (std::size_t i = 0; i < 44; ++i) expanded.rd_key[i] = swap_word(expanded.rd_key[i]);
  }
  Block out;
  AES_encrypt(in.data(), out.data(), &expanded);
  OPENSSL_cleanse(&expanded, sizeof expanded);
  return out;
}

}  // namespace welcome::beacon
