// Which tunnels of two processes receive the same packets, and the line that tells it.
#include "tools/culvert/daemon/tunnel_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

#include "tools/culvert/config/command_line.h"

namespace culvert::program {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<TunnelClaim> claims_of(const std::string& words) {
  std::istringstream stream{words};
  const auto parsed = parse_command_line(
      "tun1", std::vector<std::string>{std::istream_iterator<std::string>{stream}, {}}, {});
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return parsed ? tunnel_claims(parsed->config) : std::vector<TunnelClaim>{};
}

bool is_shared(const std::string& own, const std::string& others) {
  return !find_shared(claims_of(own), claims_of(others)).empty();
}

TEST(TunnelClaims, AreSharedIfOnePacketBelongsToBoth) {
  const std::string sit = "mode sit remote 192.0.2.1 local 10.0.0.5";
  const std::string gre = "mode gre remote 192.0.2.1 local 10.0.0.5";
  EXPECT_TRUE(is_shared(sit, sit));
  EXPECT_TRUE(is_shared("mode sit remote 192.0.2.1 local any", sit));
  EXPECT_TRUE(is_shared(sit, "mode sit remote 192.0.2.1"));
  EXPECT_TRUE(is_shared(sit, "mode any remote 192.0.2.1 local 10.0.0.5"));  // 4 and 41
  EXPECT_TRUE(is_shared(sit + " dev eth0", sit));
  EXPECT_TRUE(is_shared(gre + " key 7", gre + " ikey 7 okey 8"));
  EXPECT_FALSE(is_shared(sit, gre));
  EXPECT_FALSE(is_shared(gre, gre + " key 0"));  // RFC 2890 2.1
  EXPECT_FALSE(is_shared(gre + " key 7", gre + " key 8"));
  EXPECT_FALSE(is_shared(sit, "mode sit remote 192.0.2.2 local 10.0.0.5"));
  EXPECT_FALSE(is_shared(sit, "mode sit remote 192.0.2.1 local 10.0.0.6"));
  EXPECT_FALSE(is_shared(sit + " dev eth0", sit + " dev eth1"));
  EXPECT_FALSE(is_shared(sit, "mode sit remote any local 10.0.0.5"));
}

TEST(TunnelClaims, AreFoundAmongMany) {
  std::vector<TunnelClaim> many(10'000, claims_of("mode sit remote 192.0.2.1").front());
  for (std::uint32_t i = 0; i < many.size(); ++i)
    many[i].outer.remote = proto::Ipv4Address::from_host(0x0a00'0000 + i);
  const auto own = claims_of("mode sit remote 10.0.39.15 local 10.9.9.9");  // 9,999
  const auto shared = find_shared(own, many);
  ASSERT_THAT(shared, SizeIs(1));
  EXPECT_EQ(shared[0], (SharedClaim{&own[0], &many[9'999]}));
}

TEST(TunnelClaims, AreTheSameAfterTheLine) {
  auto claims = claims_of("mode gre remote 192.0.2.1 local 10.0.0.5 dev eth0 key 4294967295");
  const auto more = claims_of("mode any remote 192.0.2.2");
  claims.insert(claims.end(), more.begin(), more.end());
  const auto read = read_claims(claims_json(claims));
  ASSERT_THAT(read, SizeIs(3));
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].outer, claims[i].outer);
    EXPECT_EQ(read[i].dev, claims[i].dev);
    EXPECT_EQ(read[i].device, "tun1");
    EXPECT_EQ(read[i].tunnel, claims[i].tunnel);
  }
}

TEST(ReadClaims, LeavesOutWhatIsNone) {
  for (const char* answer :
       {"", "[]", "{}", R"({"error":"the request is unknown"})", R"({"claims":7})",
        R"({"claims":[7,[],["41",null,"192.0.2.1","any","","d","t"],)"
        R"([41,"7","192.0.2.1","any","","d","t"],[41,null,"host","any","","d","t"],)"
        R"([41,null,"192.0.2.1","any","","d",null],[-1,null,"192.0.2.1","any","","d","t"]]})"})
    EXPECT_THAT(read_claims(answer), IsEmpty()) << answer;
}

}  // namespace
}  // namespace culvert::program
