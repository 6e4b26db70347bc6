#include "base/hash.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace cartwheel {
namespace {

template <typename Bytes>
std::string Hex(const Bytes& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto value : bytes) {
    const auto byte = static_cast<uint8_t>(value);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

TEST(Hash, Crc16IsThatOfRedisCluster) {
  EXPECT_EQ(Crc16("123456789"), 0x31c3);
  EXPECT_EQ(Crc16(""), 0);
  EXPECT_EQ(Crc16(std::string_view("\0", 1)), 0);
  EXPECT_EQ(Crc16("\xff"), 0x1ef0) << "bytes are unsigned";
}

// RFC 1321, A.5.
TEST(Hash, Md5IsThatOfTheRfc) {
  EXPECT_EQ(Hex(Md5("")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(Hex(Md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(Hex(Md5("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
}

// RFC 4231, test case 2.
TEST(Hash, HmacSha256IsThatOfTheRfc) {
  EXPECT_EQ(Hex(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

// Positions and checksums are on disks and on the wire.
TEST(Hash, Xxh3IsTheSameOnEveryMachineAndRelease) {
  EXPECT_EQ(Hash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(Hash64("cartwheel", 1), 13830861728027553357u);
  EXPECT_EQ(HashWide("", 0).high, 0x99aa06d3014798d8u);
  EXPECT_EQ(HashWide("", 0).low, 0x6001c324468d497fu);
  EXPECT_EQ(HashWide("cartwheel", 1).high, 7184896565521281543u);
}

TEST(Hash, SeedsMatter) {
  EXPECT_NE(Hash64("key", 0), Hash64("key", 1));
  EXPECT_NE(HashWide("key", 0).low, HashWide("key", 1).low);
  EXPECT_NE(HashWide("key", 0).high, HashWide("key", 1).high);
}

}  // namespace
}  // namespace cartwheel
