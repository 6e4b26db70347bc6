#include "base/coding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace cartwheel {
namespace {

TEST(Coding, FixedIntegersAreLittleEndian) {
  std::string out;
  PutFixed32(&out, 0x01020304);
  PutFixed64(&out, 0x1112131415161718);
  EXPECT_EQ(out, "\x04\x03\x02\x01\x18\x17\x16\x15\x14\x13\x12\x11");
  EXPECT_EQ(GetFixed32(out.data()), 0x01020304u);
  EXPECT_EQ(GetFixed64(out.data() + 4), 0x1112131415161718u);
}

TEST(Coding, VarintsAreShort) {
  const auto encoded = [](uint64_t value) {
    std::string out;
    PutVarint(&out, value);
    return out;
  };
  EXPECT_EQ(encoded(0), std::string(1, '\0'));
  EXPECT_EQ(encoded(127), "\x7f");
  EXPECT_EQ(encoded(128), "\x80\x01");
  EXPECT_EQ(encoded(300), "\xac\x02");
  EXPECT_EQ(encoded(UINT64_MAX), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST(Coding, EverythingRoundTrips) {
  std::vector<uint64_t> values{0, UINT64_MAX};
  for (int bit = 0; bit < 64; ++bit) {
    values.push_back(1ULL << bit);
    values.push_back((1ULL << bit) - 1);
  }
  std::string out;
  for (const uint64_t value : values) {
    const size_t before = out.size();
    PutVarint(&out, value);
    EXPECT_EQ(out.size() - before, VarintLength(value));
    PutFixed64(&out, value);
    PutFixed32(&out, static_cast<uint32_t>(value));
    PutBytes(&out, std::to_string(value));
    out.push_back(static_cast<char>(value));
  }
  Reader reader(out);
  for (const uint64_t value : values) {
    EXPECT_EQ(reader.Varint(), value);
    EXPECT_EQ(reader.Fixed64(), value);
    EXPECT_EQ(reader.Fixed32(), static_cast<uint32_t>(value));
    EXPECT_EQ(reader.Bytes(), std::to_string(value));
    EXPECT_EQ(reader.Byte(), static_cast<uint8_t>(value));
  }
  EXPECT_TRUE(reader.done());
}

TEST(Coding, AFailedReaderStaysFailed) {
  Reader reader("\x01\x02\x03");
  EXPECT_EQ(reader.Fixed32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.done());
  EXPECT_EQ(reader.Byte(), 0);
  EXPECT_EQ(reader.Bytes(), "");
  EXPECT_EQ(reader.rest(), "");
  EXPECT_FALSE(reader.ok());
}

TEST(Coding, AVarintIsRefusedWhenItIsCutOrDoesNotFit) {
  for (size_t length = 0; length < 10; ++length) {
    const std::string cut(length, '\xff');
    Reader reader(cut);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
  const std::string too_large = std::string(9, '\xff') + '\x02';
  Reader reader(too_large);
  EXPECT_EQ(reader.Varint(), 0u);
  EXPECT_FALSE(reader.ok());
  const std::string eleven = std::string(10, '\x80') + '\x01';
  Reader longer(eleven);
  EXPECT_EQ(longer.Varint(), 0u);
  EXPECT_FALSE(longer.ok());
}

TEST(Coding, AVarintHasOneSpelling) {
  for (const std::string& overlong :
       {std::string("\x80\0", 2), std::string("\xff\0", 2), std::string("\x80\x80\0", 3)}) {
    Reader reader(overlong);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(Coding, AByteStringLongerThanTheRestIsRefused) {
  for (const uint64_t length : {uint64_t{4}, uint64_t{1} << 32, UINT64_MAX}) {
    std::string bytes;
    PutVarint(&bytes, length);
    bytes += "abc";
    Reader reader(bytes);
    EXPECT_EQ(reader.Bytes(), "");
    EXPECT_FALSE(reader.ok());
  }
}

TEST(Coding, ReadsNothingFromNothing) {
  Reader reader("");
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.Raw(0), "");
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.Byte(), 0);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace cartwheel
