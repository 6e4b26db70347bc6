#include "cluster/compared_versions.h"

#include <gtest/gtest.h>

namespace cartwheel {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

TEST(ComparedVersions, AreFreshForAWhile) {
  ComparedVersions compared;
  EXPECT_FALSE(compared.Noted(0x123456789abcdef0, 50 * kSecondUs));
  EXPECT_TRUE(compared.Noted(0x123456789abcdef0, 50 * kSecondUs));
  EXPECT_TRUE(compared.Noted(0x123456789abcdef0, 59 * kSecondUs));
  EXPECT_FALSE(compared.Noted(0x123456789abcdef0, 60 * kSecondUs));
  EXPECT_TRUE(compared.Noted(0x123456789abcdef0, 61 * kSecondUs));
}

TEST(ComparedVersions, TwoOfOnePlaceAreTold) {
  ComparedVersions compared;
  EXPECT_FALSE(compared.Noted(0x123456789abcdef0, kSecondUs));
  EXPECT_FALSE(compared.Noted(0x223456789abcdef0, kSecondUs));
  EXPECT_FALSE(compared.Noted(0x123456789abcdef0, kSecondUs));
}

TEST(ComparedVersions, AreForgotten) {
  ComparedVersions compared;
  EXPECT_FALSE(compared.Noted(0x123456789abcdef0, kSecondUs));
  compared.Forget();
  EXPECT_FALSE(compared.Noted(0x123456789abcdef0, kSecondUs));
}

}  // namespace
}  // namespace cartwheel
