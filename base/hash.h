// Hashes: thin names over libxxhash and libcrypto, and the CRC16 of Redis Cluster.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace cartwheel {

struct Hash128 {
  uint64_t high;
  uint64_t low;
};

// XXH3. Values are stored on disk and sent on the bus: never change the seeds in use.
uint64_t Hash64(std::string_view bytes, uint64_t seed = 0);
Hash128 HashWide(std::string_view bytes, uint64_t seed);

// CRC16/XMODEM (polynomial 0x1021), as in the Redis Cluster specification, "Key distribution
// model".
uint16_t Crc16(std::string_view bytes);

std::array<uint8_t, 16> Md5(std::string_view bytes);

// HMAC-SHA256, 32 bytes.
std::array<uint8_t, 32> Sha256(std::string_view bytes);
std::string HmacSha256(std::string_view key, std::string_view bytes);

}  // namespace cartwheel
